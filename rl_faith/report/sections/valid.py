"""How many explanations count at all? As in Doi et al. 2025, Table 10."""

from rl_faith.evaluation.compare import Comparison
from rl_faith.evaluation.scores import Cell
from rl_faith.evaluation.tables import budgets, columns, grid_cells, words
from rl_faith.report import published
from rl_faith.report.contents import Section, Table, Value
from rl_faith.report.formatting import share
from rl_faith.report.material import Material

_RARE = 0.2


def valid(material: Material) -> Section | None:
    """Valid explanations of every model in every cell."""
    if (comparison := material.edits) is None:
        return None
    known = [cell for cell in comparison.cells if cell.valid.value is not None]
    if not known:
        return None
    lowest = min(known, key=lambda cell: cell.valid.value or 0)
    rare = [cell for cell in known if (cell.valid.value or 0) < _RARE]
    where = f"{lowest.model} on {lowest.task} {lowest.style}, {words(str(lowest.budget))}"
    few = (
        f"{len(rare)} of {len(known)} cells have fewer than {_RARE:.0%} valid explanations, and "
        "their share among valid ones means little"
        if rare
        else f"In every cell a share of at least {share(lowest.valid.value)} is valid"
    )
    return Section(
        "valid",
        "Valid explanations",
        f"{few}; the fewest: {where}, {share(lowest.valid.value)}.",
        tables=tuple(_table(comparison, budget) for budget in budgets(comparison)),
        notes=(
            "An explanation is valid when it satisfies the conditions of its style; an invalid one "
            "counts as unfaithful wherever the share is of all scored ones.",
        ),
        warns=bool(rare),
    )


def _table(comparison: Comparison, budget: str) -> Table:
    of = columns(comparison, budget)
    cells = grid_cells(comparison, budget, of)
    rows: list[tuple[Value, ...]] = [
        (model, max((c.n for c in row if c), default=None), *map(_count, row))
        for model, row in cells.items()
    ]
    known: list[tuple[Value, ...]] = [
        (name, 5000, *(_whole(figures.get(place)) for place in of))
        for name, figures in published.VALID.items()
        if budget == "one" and any(place in figures for place in of)
    ]
    head = ("model", "scored", *(" ".join(place) for place in of))
    caption = f"Number of valid explanations, {words(budget)}"
    return Table(caption, head, tuple(rows), published=tuple(known))


def _count(cell: Cell | None) -> int | None:
    if cell is None or cell.valid.value is None:
        return None
    return round(cell.valid.value * cell.valid.n)


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
