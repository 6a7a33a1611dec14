"""A comparison by the counterfactual test as people read it in a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rl_faith.evaluation.phi_compare import PhiComparison, PhiDifference
from rl_faith.evaluation.phi_scores import PhiCell
from rl_faith.evaluation.tables import NONE, figure, interval, plain_table, signed
from rl_faith.stats import Estimate

_HEAD = ("model", "phi", "95%", "TPR", "FPR", "π", "q", "CCT", "denied", "words", "accuracy", "n")
_DIFFERENCES = ("model", "task", "intervention", "part", "phi", "accuracy", "examples")

NOTES = (
    "phi: correlation of impact (the insertion changed the answer) and mention. TPR and FPR: share "
    "of mentions with and without impact; π: share of impact; q: share of mentions; CCT: "
    "correlation of mention and graded impact; denied: share of mentions that only deny an "
    "influence. 95% bootstrap intervals over examples.",
    'A phi of 0 marked "!" is not defined: nothing mattered, or all or nothing was mentioned.',
)


def to_tables(comparison: PhiComparison) -> list[Table]:
    """One table for each task, intervention and part, and one of the differences."""
    made = []
    for title, cells in _groups(comparison).items():
        table = plain_table(title, gap=1)
        for i, name in enumerate(_HEAD):
            table.add_column(name, justify="right" if i else "left", overflow="fold")
        for cell in cells:
            table.add_row(*map(Text, _entries(cell)))
        made.append(table)
    return [*made, *([_differences(comparison)] if comparison.rows else [])]


def _groups(comparison: PhiComparison) -> dict[str, list[PhiCell]]:
    groups: dict[str, list[PhiCell]] = {}
    for cell in comparison.cells:
        part = ", held-out phrases" if cell.part == "held_out" else ""
        groups.setdefault(f"{cell.task}, {cell.intervention}{part}", []).append(cell)
    return groups


def _entries(cell: PhiCell) -> list[str]:
    mark = "!" if cell.phi.degenerate else ""
    shares = (cell.tpr, cell.fpr, cell.pi, cell.q, cell.cct, cell.negated)
    return [
        cell.model,
        figure(cell.phi) + mark,
        interval(cell.phi),
        *map(figure, shares),
        _length(cell.words),
        figure(cell.accuracy),
        str(cell.n),
    ]


def _length(estimate: Estimate) -> str:
    return NONE if estimate.value is None else f"{estimate.value:.1f}"


def _differences(comparison: PhiComparison) -> Table:
    table = plain_table(f"against {comparison.baseline}", gap=1)
    for name in _DIFFERENCES:
        table.add_column(name, overflow="fold")
    for row in comparison.rows:
        table.add_row(*map(Text, _difference(row)))
    return table


def _difference(row: PhiDifference) -> Sequence[str]:
    told = (signed(row.difference), signed(row.accuracy_difference), str(row.n))
    return [row.model, row.task, row.intervention, row.part, *told]
