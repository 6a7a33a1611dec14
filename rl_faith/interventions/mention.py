"""Whether a reply names what was inserted, and whether it does so only to deny it."""

from dataclasses import dataclass

from rl_faith.interventions.insertion import Insertion
from rl_faith.interventions.polarity import clauses, denied


@dataclass(frozen=True)
class Mention:
    """What a reply says of the factor.

    Attributes:
        found: One of its words stands in the reply, whole, in any case.
        negated: It does, but each time in a clause that denies its influence. A string matcher
            pays for such a mention, so it is counted apart.
    """

    found: bool
    negated: bool


def mention_of(reply: str, insertion: Insertion) -> Mention:
    """Look for the factor in a reply; never raises, and takes time linear in its length."""
    names, said = set(insertion.mentions), clauses(reply)
    where = [i for i, clause in enumerate(said) if not names.isdisjoint(clause)]
    return Mention(bool(where), bool(where) and all(denied(said, i) for i in where))
