"""Which examples a report shows, in which order: rows of all models about the same, together."""

import hashlib
from collections.abc import Iterable
from typing import Any

from rl_faith.evaluation.scores import Row
from rl_faith.report.answers import OUTCOMES, outcome_of

Group = dict[str, Row]
"""The rows about one example, by model."""


def style_of(row: Row) -> str:
    """The style or the intervention."""
    return str(row["intervention"] if "intervention" in row else row["style"])


def setting_of(row: Row) -> str:
    """The word budget, or the part of the insertions."""
    return str(row["part"] if "intervention" in row else row["budget"])


def input_of(row: Row) -> Any:
    """The input before any edit."""
    return row.get("input_before" if "intervention" in row else "input")


def context_of(row: Row) -> Any:
    """The second input before any edit."""
    return row.get("context_before" if "intervention" in row else "context")


def group_rows(rows: Iterable[Row]) -> list[Group]:
    """Put rows about the same example together, in the order in which the rows name it.

    Another text under the same id is another example.
    """
    groups: dict[tuple[str, ...], Group] = {}
    for row in rows:
        key = (*_cell(row), *map(str, (row["id"], input_of(row), context_of(row))))
        groups.setdefault(key, {})[row["model"]] = row
    return list(groups.values())


def rank(groups: Iterable[Group]) -> list[Group]:
    """Put disagreements first; among them, and among the rest, each cell in turn gives one.

    Within a cell the order depends on the ids alone, so the first of them are a fair choice.
    """
    cells: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        cells.setdefault(_cell(any_row(group)), []).append(group)
    turns: list[tuple[bool, int, Group]] = []
    for cell in cells.values():
        cell.sort(key=lambda group: _shuffled(any_row(group)))
        for same in (False, True):
            chosen = [group for group in cell if disagree(group) is not same]
            turns += [(same, turn, group) for turn, group in enumerate(chosen)]
    return [group for *_, group in sorted(turns, key=lambda entry: entry[:2])]


def any_row(group: Group) -> Row:
    """A row to read what all rows of the group have in common from."""
    return next(iter(group.values()))


def disagree(group: Group) -> bool:
    """Whether some model's explanation is good here and another's is not."""
    return {True, False} <= {OUTCOMES[outcome_of(row)].good for row in group.values()}


def _cell(row: Row) -> tuple[str, ...]:
    return (str(row["task"]), style_of(row), setting_of(row))


def _shuffled(row: Row) -> bytes:
    return hashlib.sha256(str(row["id"]).encode("utf-8", "surrogatepass")).digest()
