"""From a row of a data set to an example: which column plays which role, and what it may hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rl_faith.errors import DataError, one_line, shown
from rl_faith.tasks.task import Example, Task

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Fields:
    """The columns of one data set.

    Attributes:
        roles: "input", "second_input", "label", "id" -> column; only the id may be absent.
        options: One column that holds all options, one for each of them, or none.
    """

    roles: Mapping[str, str]
    options: tuple[str, ...] = ()


def find_fields(task: Task, row: Row, where: str) -> Fields:
    """Find the task's columns in a row.

    Raises:
        DataError: a column is missing.
    """
    found = {}
    for role, names in task.columns.items():
        column = next((name for name in names if name in row), None)
        if column is None and role != "id":
            raise _missing(task, row, where, " or ".join(map(repr, names)), role)
        if column is not None:
            found[role] = column
    return Fields(found, _find_options(task, row, where))


def _find_options(task: Task, row: Row, where: str) -> tuple[str, ...]:
    for place in task.option_columns:
        if all(column in row for column in place):
            return place
    if task.option_columns:
        wanted = " or ".join(", ".join(map(repr, place)) for place in task.option_columns)
        raise _missing(task, row, where, wanted, "options")
    return ()


def _missing(task: Task, row: Row, where: str, wanted: str, role: str) -> DataError:
    return DataError(
        f"{where} has no column {wanted} for the {role} of task {task.name!r}; "
        f"its columns are {one_line(', '.join(row))}"
    )


def read_example(task: Task, fields: Fields, row: Row, where: str, identity: str) -> Example | None:
    """One row as an example.

    Args:
        task: What the example is of.
        fields: As `find_fields` found them.
        row: The values by column.
        where: The row, for errors.
        identity: The example's id where the row has none.

    Returns:
        The example, or None when the task leaves out its label, or when the right option stands
        there twice.

    Raises:
        DataError: an unknown label, no text, or options that do not match the labels.
    """
    roles = fields.roles
    value = _label_value(row[roles["label"]])
    if value in task.ignored_labels:
        return None
    options = _options(task, fields.options, row, where) if fields.options else ()
    gold = _gold(task, value, options, where)
    texts = [row[roles[role]] for role in ("input", "second_input") if role in roles]
    for text in texts:
        _check_text(task, text, where)
    if options and list(map(normal, options)).count(_text_of(task, gold, options)) > 1:
        return None
    given = row[roles["id"]] if "id" in roles else None
    known = identity if given is None or given == "" else str(given)
    return Example(known, texts[0], gold, texts[1] if len(texts) > 1 else "", options)


def _check_text(task: Task, text: object, where: str) -> None:
    if text is not None and not isinstance(text, str):
        raise DataError(f"{where}: {shown(text)} is no text, which task {task.name!r} needs")
    if not text or not text.strip():
        raise DataError(f"{where}: empty text for task {task.name!r}")


def normal(text: str) -> str:
    """The text as duplicates are recognised: without case and with single spaces."""
    return " ".join(text.split()).casefold()


def _gold(task: Task, value: str, options: tuple[str, ...], where: str) -> str:
    """The label word; a data value of a label goes before the text of an option."""
    coded = (word for word, values in task.labels.items() if value in values)
    told = (w for w, t in zip(task.labels, options, strict=False) if normal(t) == normal(value))
    gold = next(coded, None) or next(told, None)
    if gold is None:
        known = ", ".join(v for values in task.labels.values() for v in values)
        also = ", or the text of an option" if options else ""
        raise DataError(
            f"{where}: unknown label {shown(value)} for task {task.name!r}; known: {known}{also}"
        )
    return gold


def _text_of(task: Task, gold: str, options: tuple[str, ...]) -> str:
    return normal(options[list(task.labels).index(gold)])


def _options(task: Task, columns: tuple[str, ...], row: Row, where: str) -> tuple[str, ...]:
    """The options in the order of the labels, each on one line."""
    held = [row[column] for column in columns] if len(columns) > 1 else row[columns[0]]
    texts = [held.get(label) for label in task.labels] if isinstance(held, Mapping) else held
    if isinstance(texts, list) and len(texts) == len(held) == len(task.labels):
        lines = [" ".join(text.split()) for text in texts if isinstance(text, str)]
        if len(list(filter(None, lines))) == len(texts):
            return tuple(lines)
    raise DataError(
        f"{where}: the options of task {task.name!r} must be a list or a mapping with one text "
        f"for each of {', '.join(task.labels)}, or stand in columns that the task lists "
        f"together, [[a, b]]; found {shown(held)}"
    )


def _label_value(raw: object) -> str:
    # A column of whole numbers with a gap in it is read as floats.
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)
