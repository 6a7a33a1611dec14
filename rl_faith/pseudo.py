"""Pseudo-faithful explanations: built from the words that drive the model's own prediction.

Doi et al. 2025, section 3.1, for one word; several are taken in order of influence (ours).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rl_faith.erasure import Influence
from rl_faith.policies import Policy
from rl_faith.questions import Unanswered
from rl_faith.replacements import NOT_ASKED, Chosen, Place, Typical, asked_for, tried
from rl_faith.styles import Budget, Invalid, Style
from rl_faith.tasks import Example

CONSTRUCTED, ORIGINAL = "constructed", "original"
"""Who made an explanation of a build, in the place of a model's name."""


@dataclass(frozen=True)
class Source:
    """What the explanations of one example are built from.

    Attributes:
        words: What they are about, the most influential first; at least one.
        replacements: For each, a word for the second most probable label, or why there is none.
    """

    words: tuple[Influence, ...]
    replacements: tuple[str | Invalid, ...]


def find_sources(
    policy: Policy, chosen: Chosen, styles: Iterable[Style], typical: Typical | None = None
) -> dict[str, Source | Unanswered]:
    """Find replacements for the chosen words, all in one call.

    Only counterfactuals need them; without that style nothing is asked.

    Args:
        policy: Whose predictions are explained.
        chosen: The words that each explanation shall be about.
        styles: Of the explanations.
        typical: The words to try as replacements; without them the model is asked for one.
    """
    known: dict[Place, str | Invalid] = {}
    if any(style.name == "counterfactual" for style in styles):
        known = asked_for(policy, chosen) if typical is None else tried(policy, chosen, typical)
    return {e.id: _source(e.id, chosen.words[e.id], known) for e in chosen.examples}


def _source(
    example: str,
    chosen: Sequence[Influence] | Unanswered,
    known: Mapping[Place, str | Invalid],
) -> Source | Unanswered:
    if isinstance(chosen, Unanswered) or not chosen:
        return chosen if isinstance(chosen, Unanswered) else Unanswered("no_words")
    replacements = [known.get((example, word.position), NOT_ASKED) for word in chosen]
    return Source(tuple(chosen), tuple(replacements))


def construct(style: Style, example: Example, source: Source, budget: Budget) -> str | Invalid:
    """The reply that a model faithful in this style would give: about the first word, or all.

    Words whose replacement is refused stay as they are; without any there is no counterfactual.
    """
    named = source.words[:1] if budget == "one" else source.words
    edits = {w.position: r for w, r in zip(named, source.replacements, strict=False)}
    if style.name != "counterfactual":
        return style.express(example.input, dict.fromkeys(edits, ""), budget)
    usable = {position: new for position, new in edits.items() if isinstance(new, str)}
    refused = next((new for new in edits.values() if isinstance(new, Invalid)), None)
    if refused and not usable:
        return refused
    return style.express(example.input, usable, budget)
