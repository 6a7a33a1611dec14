"""Does the edit that the explanation describes change the prediction?"""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any, Literal

from rl_faith.checks import Verdict


def self_consistency(
    verdicts: Sequence[Verdict],
    variant: Literal["flip", "drop", "lift"] = "flip",
    invalid: Literal["zero", "mean"] = "zero",
) -> list[float | None]:
    """Pay for explanations whose edit changes the policy's own prediction.

    An explanation that could not be judged earns None.

    - flip: 1[label(edited) != label(input)] (Doi et al. 2025, section 2).
    - drop: p(label | input) - p(label | edited), the graded form of the same, in [-1, 1].
    - lift: flip minus the share of random edits of the same size that flip, in [-1, 1]: a policy
      that changes its mind at any edit earns nothing. Of a counterfactual minus the share of other
      places where its new word flips, if that is more: a word that turns any text earns nothing.

    Args:
        verdicts: From the check that evaluation uses too, asked of the policy in training.
        variant: Which of the three.
        invalid: What an invalid explanation earns: "zero", or the "mean" of the valid ones of
            its group, so that this reward teaches which words matter, not the format (ours).

    Raises:
        ValueError: another variant, or anything else for the invalid ones.
    """
    if variant not in _VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; known: {', '.join(_VARIANTS)}")
    if invalid not in ("zero", "mean"):
        raise ValueError(f"invalid is {invalid!r}; an invalid explanation earns zero or mean")
    paid = [None if v.status == "unscored" else _VARIANTS[variant](v) for v in verdicts]
    return paid if invalid == "zero" else _level(verdicts, paid)


def _flip(verdict: Verdict) -> float:
    return float(verdict.faithful or 0)


def _drop(verdict: Verdict) -> float:
    return verdict.drop or 0.0


def _lift(verdict: Verdict) -> float:
    chance = max(verdict.control or 0.0, verdict.elsewhere or 0.0)
    return _flip(verdict) - chance if verdict.status == "valid" else 0.0


def _level(verdicts: Sequence[Verdict], paid: Sequence[float | None]) -> list[float | None]:
    """The same pay, but an invalid explanation earns what a valid one of its group does."""
    valid: dict[Any, list[float]] = defaultdict(list)
    for verdict, value in zip(verdicts, paid, strict=True):
        if verdict.status == "valid" and value is not None:
            valid[verdict.case.group].append(value)
    means = {group: fmean(values) for group, values in valid.items()}
    return [
        means.get(v.case.group, 0.0) if v.status == "invalid" else value
        for v, value in zip(verdicts, paid, strict=True)
    ]


_VARIANTS = {"flip": _flip, "drop": _drop, "lift": _lift}
