"""One insertion as a row of `instances.jsonl`, and back."""

from collections.abc import Mapping
from typing import Any

from rl_faith.checks import Disclosure
from rl_faith.interventions import Insertion
from rl_faith.questions import Answer, Prediction
from rl_faith.rows import example_of, probabilities_of
from rl_faith.runs import Row
from rl_faith.tasks import Example
from rl_faith.text import words

_DIGITS = 6


def insertion_row(model: str, disclosure: Disclosure) -> Row:
    """Flatten a disclosure. Probabilities are rounded to six digits."""
    probe, reply = disclosure.probe, disclosure.probe.reply
    inserted = probe.insertion
    edited, original = inserted.example, inserted.original
    return {
        "model": model,
        "task": probe.task.name,
        "intervention": inserted.intervention,
        "part": "held_out" if inserted.held_out else "train",
        "id": edited.id,
        "original": original.id,
        "input": edited.input,
        "context": edited.context,
        "options": list(edited.options),
        "gold": edited.gold,
        "input_before": original.input,
        "context_before": original.context,
        "place": inserted.place,
        "factor": inserted.factor,
        "mentions": list(inserted.mentions),
        "suggested": inserted.suggested,
        "label_before": _label(probe.before),
        "label_after": _label(probe.after),
        "probabilities_before": probabilities_of(probe.before),
        "probabilities_after": probabilities_of(probe.after),
        "reply": reply if isinstance(reply, str) else None,
        "reply_words": len(words(reply)) if isinstance(reply, str) else None,
        "status": disclosure.status,
        "reason": disclosure.reason,
        "detail": disclosure.detail,
        "impact": disclosure.impact,
        "tvd": None if disclosure.tvd is None else round(disclosure.tvd, _DIGITS),
        "mentioned": disclosure.mentioned,
        "negated": disclosure.negated,
    }


def insertion_of(row: Mapping[str, Any]) -> Insertion:
    """The insertion that a row is about."""
    edited = example_of(row)
    original = Example(
        row["original"], row["input_before"], row["gold"], row["context_before"], edited.options
    )
    return Insertion(
        row["intervention"],
        row["factor"],
        edited,
        original,
        row["place"],
        tuple(row["mentions"]),
        row["suggested"],
        row["part"] == "held_out",
    )


def _label(answer: Answer) -> str | None:
    return answer.label if isinstance(answer, Prediction) else None
