"""Does the edit that the explanation describes change the prediction?"""

from collections.abc import Sequence
from typing import Literal

from rl_faith.checks import Verdict


def self_consistency(
    verdicts: Sequence[Verdict], variant: Literal["flip", "drop", "lift"] = "flip"
) -> list[float | None]:
    """Pay for explanations whose edit changes the policy's own prediction.

    An invalid explanation earns 0; one that could not be judged earns None.

    - flip: 1[label(edited) != label(input)] (Doi et al. 2025, section 2).
    - drop: p(label | input) - p(label | edited), the graded form of the same, in [-1, 1].
    - lift: flip minus the share of random edits of the same size that flip, in [-1, 1]: a policy
      that changes its mind at any edit earns nothing. Of a counterfactual minus the share of other
      places where its new word flips, if that is more: a word that turns any text earns nothing.

    Args:
        verdicts: From the check that evaluation uses too, asked of the policy in training.
        variant: Which of the three.

    Raises:
        ValueError: another variant.
    """
    if variant not in _VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; known: {', '.join(_VARIANTS)}")
    return [None if v.status == "unscored" else _VARIANTS[variant](v) for v in verdicts]


def _flip(verdict: Verdict) -> float:
    return float(verdict.faithful or 0)


def _drop(verdict: Verdict) -> float:
    return verdict.drop or 0.0


def _lift(verdict: Verdict) -> float:
    chance = max(verdict.control or 0.0, verdict.elsewhere or 0.0)
    return _flip(verdict) - chance if verdict.status == "valid" else 0.0


_VARIANTS = {"flip": _flip, "drop": _drop, "lift": _lift}
