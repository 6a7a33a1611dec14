"""One judged explanation as a row of `instances.jsonl`, and the example that a row is about."""

from collections.abc import Mapping
from typing import Any

from rl_faith.checks import Verdict
from rl_faith.questions import Answer, Prediction
from rl_faith.runs import Row
from rl_faith.tasks import Example

_DIGITS = 6

Key = tuple[str, str, str, str, str]


def key_of(row: Row) -> Key:
    """What a row is about; no two rows of a run have the same key.

    Rows of the counterfactual test have intervention and part in place of style and budget.
    """
    how, which = ("intervention", "part") if "intervention" in row else ("style", "budget")
    return (row["model"], row["task"], row[how], row[which], row["id"])


def row_of(model: str, verdict: Verdict) -> Row:
    """Flatten a verdict. Probabilities are rounded to six digits."""
    case, new, found = verdict.case, verdict.new_prediction, verdict.explanation
    decided = case.prediction if isinstance(case.prediction, Prediction) else None
    return {
        "model": model,
        "task": case.task.name,
        "style": case.style.name,
        "budget": case.budget,
        "id": case.example.id,
        "input": case.example.input,
        "context": case.example.context,
        "options": list(case.example.options),
        "gold": case.example.gold,
        "prediction": decided.label if decided else None,
        "probability": _round(decided.probability(decided.label)) if decided else None,
        "probabilities": probabilities_of(decided),
        "mass": _round(decided.mass) if decided else None,
        "reply": case.reply if isinstance(case.reply, str) else None,
        "mode": verdict.mode,
        "status": verdict.status,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "words": list(found.words) if found else [],
        "count": found.count if found else None,
        "edited": found.edited if found else None,
        "new_prediction": new.label if new else None,
        "new_probability": _round(new.probability(decided.label)) if decided and new else None,
        "new_probabilities": probabilities_of(new),
        "faithful": verdict.faithful,
        "drop": _round(verdict.drop),
        "control": _round(verdict.control),
        "elsewhere": _round(verdict.elsewhere),
        "ceiling": verdict.ceiling,
        "most_influential": verdict.most_influential,
        "top_word": verdict.top_word,
        "top_word_chance": _round(verdict.top_word_chance),
    }


def example_of(row: Mapping[str, Any]) -> Example:
    """The example that a row is about; rows of old runs hold no options."""
    options = tuple(row.get("options", ()))
    return Example(row["id"], row["input"], row["gold"], row["context"], options)


def probabilities_of(answer: Answer | None) -> dict[str, float] | None:
    """p(label), rounded, of each label of a prediction; None when there is none."""
    if not isinstance(answer, Prediction):
        return None
    return {label: round(answer.probability(label), _DIGITS) for label in answer.logprobs}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
