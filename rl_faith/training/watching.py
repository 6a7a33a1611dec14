"""The figures that a GRPO run logs at every step (see the README for what each one tells)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean

from rl_faith.checks import Verdict
from rl_faith.evaluation.scores import Cell
from rl_faith.questions import Prediction

_WATCHED = (
    "faithful_all", "faithful_valid", "valid", "random_control", "lift", "drop", "accuracy"
)  # fmt: skip


def watched(cells: Sequence[Cell]) -> dict[str, float]:
    """The scores' means over the cells, and each cell's share of faithful explanations."""
    told = [cell.as_dict() for cell in cells if isinstance(cell.budget, str)]
    means: dict[str, float] = {}
    for name in _WATCHED:
        known = [value for cell in told if (value := cell[name]["value"]) is not None]
        means |= {name: fmean(known)} if known else {}
    each = {
        f"{cell['task']}_{cell['style']}_{cell['budget']}_faithful_all": value
        for cell in told
        if (value := cell["faithful_all"]["value"]) is not None
    }
    return {**means, **each}


def figures(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, float]]:
    """Name and value of every figure of one batch of rollouts; none where nothing was scored."""
    total = len(verdicts)
    reasons = Counter(v.reason for v in verdicts if v.status == "unscored")
    yield "faith/unscored", reasons.total() / total
    yield "faith/stale", reasons["stale"] / total
    yield "faith/accuracy", fmean(_is_right(v) for v in verdicts)
    yield "faith/reply_characters", fmean(len(str(v.case.reply)) for v in verdicts)
    if scored := [v for v in verdicts if v.status != "unscored"]:
        yield from _of_scored(scored)


def _of_scored(scored: Sequence[Verdict]) -> Iterator[tuple[str, float]]:
    valid = [v for v in scored if v.status == "valid"]
    yield "faith/valid", len(valid) / len(scored)
    yield "faith/faithful_all", fmean(bool(v.faithful) for v in scored)
    if valid:
        yield "faith/faithful_valid", fmean(bool(v.faithful) for v in valid)
        yield "faith/drop", fmean(v.drop or 0.0 for v in valid)
        yield "faith/words", fmean(v.explanation.count for v in valid if v.explanation)
    if controls := [v.control for v in scored if v.control is not None]:
        yield "faith/random_control", fmean(controls)
    if elsewhere := [v.elsewhere for v in scored if v.elsewhere is not None]:
        yield "faith/elsewhere", fmean(elsewhere)


def _is_right(verdict: Verdict) -> bool:
    decided = verdict.case.prediction
    return isinstance(decided, Prediction) and decided.label == verdict.case.example.gold


def columns(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """What stands beside each completion in TRL's table of completions."""
    return {
        "outcome": [_outcome(v) for v in verdicts],
        "edited": [v.explanation.edited if v.explanation else "" for v in verdicts],
        "new_prediction": [v.new_prediction.label if v.new_prediction else "" for v in verdicts],
    }


def _outcome(verdict: Verdict) -> str:
    if verdict.status == "valid":
        return "faithful" if verdict.faithful else "unfaithful"
    return f"{verdict.status}: {verdict.reason}"
