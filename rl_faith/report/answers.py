"""One model's answer on one example as readers see it, in the same form for both tests."""

from math import isfinite
from typing import Any, NamedTuple

from rl_faith.evaluation.scores import Row

LONGEST = 4_000
"""Characters of a text that are shown; what is cut says how long it was."""


class Outcome(NamedTuple):
    """What came of an answer: a mark and a name for readers, and whether the reply was true."""

    mark: str
    label: str
    good: bool | None


OUTCOMES = {
    "faithful": Outcome("✓", "Faithful", True),
    "unfaithful": Outcome("✗", "Not faithful", False),
    "invalid": Outcome("⊘", "Invalid", False),
    "disclosed": Outcome("✓", "Mattered, mentioned", True),
    "silent": Outcome("✗", "Mattered, not mentioned", False),
    "idle": Outcome("✗", "Did not matter, mentioned", False),
    "quiet": Outcome("✓", "Did not matter, not mentioned", True),
    "unscored": Outcome("?", "Not scored", None),
}
_DISCLOSURE = {
    (True, True): "disclosed",
    (True, False): "silent",
    (False, True): "idle",
    (False, False): "quiet",
}


def outcome_of(row: Row) -> str:
    """The key into `OUTCOMES` of a row of either test."""
    if row["status"] == "unscored":
        return "unscored"
    if "intervention" in row:
        return _DISCLOSURE[bool(row["impact"]), bool(row["mentioned"])]
    if row["faithful"]:
        return "faithful"
    return "invalid" if row["status"] == "invalid" else "unfaithful"


def answer_of(row: Row) -> dict[str, Any]:
    """What the script shows of one row. Fields that the row lacks are None, or empty lists."""
    special = _insertion(row) if "intervention" in row else _edit(row)
    return {
        "outcome": outcome_of(row),
        "why": shown(_why(row)),
        "reply": shown(row.get("reply")),
        **special,
    }


def _edit(row: Row) -> dict[str, Any]:
    """Self-consistency: the reply says which edit to make."""
    label, new_label = row.get("prediction"), row.get("new_prediction")
    return {
        "label": shown(label),
        "new_label": shown(new_label),
        # Runs made before these were recorded hold the probability of the predicted label alone.
        "bars": _bars(
            row.get("probabilities", {label: row.get("probability")}),
            row.get("new_probabilities", {label: row.get("new_probability")}),
        ),
        "whole": "probabilities" in row,
        "place": "input",
        "edited": shown(row.get("edited")),
        "facts": [fact for of in _FACTS if (fact := of(row))],
    }


def _insertion(row: Row) -> dict[str, Any]:
    """The counterfactual test: the edit was made before the reply."""
    place = "context" if row.get("place") == "context" else "input"
    return {
        "label": shown(row.get("label_before")),
        "new_label": shown(row.get("label_after")),
        "bars": _bars(row.get("probabilities_before"), row.get("probabilities_after")),
        "whole": True,
        "place": place,
        "edited": shown(row.get(place)),
        "facts": [fact for fact in (_suggestion(row), _distance(row)) if fact],
    }


def shown(value: object) -> str | list[Any] | None:
    """A text as the page holds it: itself, or its beginning and its whole length."""
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= LONGEST else [text[:LONGEST], len(text)]


def _bars(before: Any, after: Any) -> list[tuple[str, float | None, float | None]]:
    """Each label with its probability before and after the edit."""
    old, new = _distribution(before), _distribution(after)
    return [(label, old.get(label), new.get(label)) for label in {**old, **new}]


def _distribution(found: Any) -> dict[str, float]:
    if not isinstance(found, dict):
        return {}
    return {str(label): p for label, p in found.items() if _number(p) is not None}


def _number(value: object) -> float | None:
    """JSON of Python may hold NaN, which no browser reads."""
    return value if isinstance(value, int | float) and isfinite(value) else None


def _why(row: Row) -> str:
    if row["status"] in ("unscored", "invalid"):
        return str(row.get("detail") or row.get("reason") or "the run recorded no reason")
    if "intervention" in row:
        return _disclosed(row)
    before, after = row.get("prediction"), row.get("new_prediction")
    moved = f"the edit takes the answer from {before} to {after}"
    if row.get("mode", "changed") != "changed":
        return f"{moved}; judged as in Madsen et al. 2024 (mode {row['mode']})"
    return moved if before != after else f"the edit leaves the answer at {after}"


def _disclosed(row: Row) -> str:
    impact = "changes" if row["impact"] else "does not change"
    mention = "mentions it" if row["mentioned"] else "does not mention it"
    denial = ", but only to deny an influence" if row.get("negated") else ""
    return f"the insertion {impact} the answer; the reply {mention}{denial}"


def _drop(row: Row) -> str:
    if (drop := _number(row.get("drop"))) is None:
        return ""
    return f"p({row.get('prediction')}) changes by {-drop:+z.3f}"


def _control(row: Row) -> str:
    control = _number(row.get("control"))
    return "" if control is None else f"as many random words flip it in {control:.0%}"


def _elsewhere(row: Row) -> str:
    share = _number(row.get("elsewhere"))
    return "" if share is None else f"its new word in place of others flips it in {share:.0%}"


def _ceiling(row: Row) -> str:
    if not isinstance(ceiling := row.get("ceiling"), bool):
        return ""
    return f"{'some' if ceiling else 'no'} edit of one word flips it"


def _top_word(row: Row) -> str:
    if row.get("status") != "valid" or not isinstance(top := row.get("top_word"), bool):
        return ""
    return f"{'no' if top else 'some'} other word, redacted, lowers it more"


_FACTS = (_drop, _control, _elsewhere, _ceiling, _top_word)


def _suggestion(row: Row) -> str:
    return f"it suggests {row['suggested']}" if row.get("suggested") else ""


def _distance(row: Row) -> str:
    distance = _number(row.get("tvd"))
    return "" if distance is None else f"the two answers differ by {distance:.3f} (TVD)"
