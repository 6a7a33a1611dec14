"""Where a gain comes from: from replies that became valid, or from better ones? Ours.

An explanation that breaks the format counts as unfaithful, so that whoever learns the format alone
is faithful more often. Of examples for which both models explain validly, that explains nothing.
Of the others nothing is told but the sum: a reply that became valid may name a word that matters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rl_faith.evaluation.scores import Row
from rl_faith.stats import Estimate, paired_difference

Pair = tuple[Row, Row]
"""Rows about the same example, the baseline's first."""


@dataclass(frozen=True)
class Origin:
    """The parts of a difference in the share of faithful explanations, paired, with intervals.

    Attributes:
        form: What the pairs add of which one explanation alone is valid.
        content: What the pairs add of which both are valid: form and content make the difference.
        faithful: Change of the share of faithful explanations over the pairs that are both valid.
        lift: Change of faithful minus random control over these.
        place: Change of faithful minus the same new word elsewhere, over those of these whose text
            has another place: what is known of the place alone, in counterfactuals.
    """

    form: Estimate
    content: Estimate
    faithful: Estimate
    lift: Estimate
    place: Estimate


def trace(pairs: Sequence[Pair]) -> Origin:
    """Split the change of faithfulness over scored pairs of one cell, or of several together."""
    both = [pair for pair in pairs if _both_valid(pair)]
    placed = _having("elsewhere", both)
    return Origin(
        form=_change(pairs, lambda row, pair: row["faithful"] and not _both_valid(pair)),
        content=_change(pairs, lambda row, pair: row["faithful"] and _both_valid(pair)),
        faithful=_change(both, lambda row, _: row["faithful"]),
        lift=_change(_having("control", both), lambda row, _: row["faithful"] - row["control"]),
        place=_change(placed, lambda row, _: row["faithful"] - row["elsewhere"]),
    )


def _both_valid(pair: Pair) -> bool:
    return all(row["status"] == "valid" for row in pair)


def _having(field: str, pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if all(row.get(field) is not None for row in pair)]


def _change(pairs: Sequence[Pair], figure: Callable[[Row, Pair], float]) -> Estimate:
    first, second = ([figure(pair[side], pair) for pair in pairs] for side in (0, 1))
    # What several styles ask of one example is not independent.
    examples = [f"{row['task']}/{row['id']}" for row, _ in pairs]
    return paired_difference(first, second, examples)
