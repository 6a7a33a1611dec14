"""The cells of an evaluation as a table of a model card, and as the results that the Hub reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult

from rl_faith.correlation import Correlation
from rl_faith.evaluation.tables import words
from rl_faith.report.contents import Table, Value
from rl_faith.report.document import to_table
from rl_faith.stats import Estimate
from rl_faith.tasks import load_task

Cell = Mapping[str, Any]
"""An entry of `cells` in `results.json`, of either test."""

Place = tuple[str, str, str]
"""Task, style and budget of a cell; or task, intervention and part, as a reader sees them."""

_SELF_CONSISTENCY = {
    "faithful_all": "faithful",
    "random_control": "random control",
    "valid": "valid",
    "accuracy": "accuracy",
}
_COUNTERFACTUAL = {"phi": "phi", "tpr": "TPR", "fpr": "FPR", "accuracy": "accuracy"}
_PARTS = {"train": "", "held_out": "held-out phrases"}


def main_figure(cell: Cell) -> str:
    """The figure that a test is about."""
    return "phi" if "phi" in cell else "faithful_all"


def place(cell: Cell) -> Place:
    """Where a cell stands in the grid of its test."""
    if "phi" in cell:
        return cell["task"], cell["intervention"], _PARTS[cell["part"]]
    return cell["task"], cell["style"], words(cell["budget"])


def whole(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without those that split several words by their number."""
    return [cell for cell in cells if isinstance(cell.get("budget", ""), str)]


def scores_table(cells: Sequence[Cell], before: Sequence[Cell], name: str) -> str:
    """A Markdown table of scores with their n and 95% intervals.

    Args:
        cells: Of the model.
        before: Of what the model is to be seen beside; may be empty.
        name: Heads the column of `before`.
    """
    shown = _COUNTERFACTUAL if "phi" in cells[0] else _SELF_CONSISTENCY
    known = {place(cell): cell for cell in before}
    head = ["task", "explanation", "", *shown.values(), *([name] if known else []), "n"]
    return to_table(Table("", tuple(head), tuple(_line(cell, [*shown], known) for cell in cells)))


def _line(cell: Cell, shown: Sequence[str], before: Mapping[Place, Cell]) -> tuple[Value, ...]:
    told: list[Value] = [_estimate(cell[key]) for key in shown]
    if before:
        other = before.get(place(cell))
        told.append(_estimate(other[main_figure(cell)]) if other else None)
    return (*place(cell), *told, cell["n"])


def _estimate(told: Mapping[str, Any]) -> Estimate:
    return Correlation(**told) if "degenerate" in told else Estimate(**told)


def hub_results(cells: Sequence[Cell], *, data: str, split: str) -> list[EvalResult]:
    """What the Hub shows beside the card: the main figure of each cell, the accuracy of each task.

    Args:
        cells: Of the model.
        data: "hub", "toy" or a folder, as a recipe has it.
        split: Of the data, for readers.
    """
    # Cells of one task share their decisions.
    tasks = {cell["task"]: cell for cell in reversed(cells)}
    told = [(cell, main_figure(cell), place(cell)[1:]) for cell in cells]
    told += [(cell, "accuracy", ("", "")) for cell in reversed(tasks.values())]
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=hub_data(cell["task"], data) or cell["task"],
            dataset_name=cell["task"] if data == "hub" else f"{cell['task']} ({read_from(data)})",
            dataset_split=split,
            metric_type=key,
            metric_name=", ".join(filter(None, (key, *where))),
            metric_value=_rounded(cell[key]["value"]),
            metric_args={end: _rounded(cell[key][end]) for end in ("low", "high", "n")},
        )
        for cell, key, where in told
        if cell[key]["value"] is not None and not cell[key].get("degenerate")
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def read_from(data: str) -> str:
    """Where data come from, without the folders of this machine."""
    return {"hub": "the Hub", "toy": "generated corpora"}.get(data, "local files")


def hub_data(task: str, data: str) -> str | None:
    """The data set of the Hub that a task was read from, if it was one."""
    return load_task(task).hub.get("path") if data == "hub" else None
