"""Whether a task file holds what a task needs, and nothing else."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rl_faith.errors import TaskError, shown
from rl_faith.tasks.explanation import ExplanationPrompts

_REQUIRED = {"question", "labels", "columns"}
_OPTIONAL = {
    *("source", "hub", "splits", "ignored_labels", "undecided", "instructions", "replacement"),
    *("insert_into", "explanation"),
}
_HUB = {"path", "name", "revision", "data_dir", "data_files"}
_ROLES = {"input", "second_input", "options", "label", "id"}
_EXPLANATION = {f.name for f in fields(ExplanationPrompts)}


def check_task(name: str, raw: Any) -> None:
    """Check a task file as YAML has read it.

    Raises:
        TaskError: it is incomplete, has unknown keys, or contradicts itself.
    """
    if not isinstance(raw, dict):
        raise TaskError(f"task {name!r} must be a mapping of keys to values")
    missing, unknown = _REQUIRED - raw.keys(), raw.keys() - _REQUIRED - _OPTIONAL
    if missing or unknown:
        raise TaskError(
            f"task {name!r}: missing keys {sorted(missing)}, "
            f"unknown keys [{', '.join(sorted(map(shown, unknown)))}]"
        )
    _check_source(name, raw)
    _check_labels(name, raw["labels"])
    _check_values(name, "ignored_labels", raw.get("ignored_labels", []))
    _check_columns(name, raw["columns"], len(raw["labels"]))
    _check_prompts(name, raw)
    _check_instructions(name, raw.get("instructions", {}))
    _check_explanation(name, raw.get("explanation", {}))
    _check_values(name, "insert_into", raw.get("insert_into", "input"))
    _check_insertions(name, strings(raw.get("insert_into", "input")), raw["columns"])


def strings(values: Any) -> tuple[str, ...]:
    """The items of a list, or the one item that stands in place of a list, as texts."""
    return tuple(str(v) for v in (values if isinstance(values, list) else [values]))


def _check_source(name: str, raw: Mapping[str, Any]) -> None:
    for key, needed in (("hub", {"path"}), ("splits", {"train", "test"})):
        held = raw.get(key, dict.fromkeys(needed, ""))
        if not _maps_texts(held) or not needed <= held.keys() <= needed | _HUB:
            raise TaskError(
                f"task {name!r}: {key} must map {' and '.join(sorted(needed))} to a text each, "
                f"not {shown(held)}"
            )
    if not isinstance(raw.get("source", ""), str):
        raise TaskError(f"task {name!r}: source must be a text, not {shown(raw['source'])}")


def _maps_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for kv in value.items() for v in kv)


def _check_values(name: str, key: str, values: Any) -> None:
    for value in values if isinstance(values, list) else [values]:
        if not isinstance(value, str | float) and not (isinstance(value, int) and _short(value)):
            raise TaskError(
                f"task {name!r}: {key} must hold texts or numbers, not {shown(value)}; "
                "put it in quotes if it is a text"
            )


def _short(number: int) -> bool:
    return -(2**63) <= number < 2**63


def _check_labels(name: str, labels: Any) -> None:
    if not isinstance(labels, dict) or len(labels) < 2:
        raise TaskError(f"task {name!r} needs at least two labels, each with its data values")
    if not all(isinstance(word, str) for word in labels):
        # YAML reads bare Yes and No as booleans.
        raise TaskError(
            f"task {name!r}: put label words in quotes (YAML reads Yes and No as booleans)"
        )
    for word, data_values in labels.items():
        _check_values(name, f"labels.{word}", data_values)
    folded = [word.casefold() for word in labels]
    values = [v for vs in labels.values() for v in strings(vs)]
    if len(set(folded)) < len(folded) or len(set(values)) < len(values):
        raise TaskError(f"task {name!r}: two labels share a word or a data value")


def _check_columns(name: str, columns: Any, labels: int) -> None:
    roles = set(columns) if isinstance(columns, dict) else set()
    if not {"input", "label"} <= roles <= _ROLES:
        raise TaskError(
            f"task {name!r}: columns must name those of input and label, "
            "and may name those of second_input, options and id"
        )
    for role in roles - {"options"}:
        _check_values(name, f"columns.{role}", columns[role])
    if "options" in roles:
        _check_option_columns(name, columns["options"], labels)


def _check_option_columns(name: str, places: Any, labels: int) -> None:
    for place in (places or [None]) if isinstance(places, list) else [places]:
        each = place if isinstance(place, list) else [place] * labels
        if len(each) != labels or not all(isinstance(column, str) for column in each):
            raise TaskError(
                f"task {name!r}: columns.options must name a column that holds all options, or in "
                f"a list within the list one column for each of the {labels} labels, "
                f"not {shown(place)}"
            )


def _check_prompts(name: str, raw: Mapping[str, Any]) -> None:
    undecided = raw.get("undecided") or {}
    if not isinstance(undecided, dict) or undecided.keys() not in ({"question", "labels"}, set()):
        raise TaskError(f"task {name!r}: undecided needs exactly the keys question and labels")
    _check_question(name, "question", raw["question"], raw["columns"])
    if undecided:
        _check_values(name, "undecided.labels", undecided["labels"])
        _check_question(name, "undecided.question", undecided["question"], raw["columns"])
    if "replacement" in raw:
        _check_place(name, "replacement", raw["replacement"], "{redacted_input}")


def _check_question(name: str, key: str, prompt: Any, columns: Mapping[str, Any]) -> None:
    _check_place(name, key, prompt, "{input}")
    if ("{options}" in prompt) != ("options" in columns):
        raise TaskError(
            f"task {name!r}: {key} must show {{options}} exactly when columns name their place"
        )


def _check_place(name: str, key: str, prompt: Any, place: str) -> None:
    if not isinstance(prompt, str) or place not in prompt:
        raise TaskError(f"task {name!r}: {key} must be a prompt with {place} in it")


def _check_instructions(name: str, instructions: Any) -> None:
    budgets = instructions.values() if isinstance(instructions, dict) else [None]
    prompts = [p for by in budgets for p in (by.values() if isinstance(by, dict) else [None])]
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise TaskError(f"task {name!r}: instructions must be prompts under <style>.one or .multi")


def _check_explanation(name: str, prompts: Any) -> None:
    known = isinstance(prompts, dict) and prompts.keys() <= _EXPLANATION
    if not known or not all(isinstance(p, str) and p.strip() for p in prompts.values()):
        raise TaskError(
            f"task {name!r}: explanation must hold prompts under after, before or decide"
        )


def _check_insertions(name: str, places: tuple[str, ...], columns: Mapping[str, Any]) -> None:
    known = [role for role in ("input", "second_input") if role in columns]
    if not places or len(set(places)) < len(places) or not set(places) <= set(known):
        raise TaskError(
            f"task {name!r}: insert_into must name one or more of {', '.join(known)}, each once"
        )
