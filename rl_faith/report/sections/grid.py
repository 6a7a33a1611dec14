"""Where is it faithful? Every task and style, with the paper's figures beside ours."""

from collections.abc import Sequence

from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.scores import Cell
from rl_faith.evaluation.tables import budgets, columns, grid_cells, notes, words
from rl_faith.report import published
from rl_faith.report.contents import Change, Dot, DotPanel, Dots, Section, Table, Value, listed
from rl_faith.report.formatting import share
from rl_faith.report.material import Material
from rl_faith.report.sections.transfer import without_transfer
from rl_faith.stats import Estimate

_HEAD = ("model", "task", "style", "words", "from", "to", "difference", "p", "n",
         "change of accuracy")  # fmt: skip
_STAR = "* where p after Holm's correction is below 0.05."


def grid(material: Material) -> Section | None:
    """The grid of tasks and styles, and the paired differences."""
    if (comparison := material.edits) is None:
        return None
    return Section(
        "grid",
        "Where: task by style",
        _conclusion(comparison),
        plots=tuple(_plot(comparison, budget) for budget in budgets(comparison)),
        tables=(
            *(_table(comparison, budget) for budget in budgets(comparison)),
            *(_as_published(comparison, budget) for budget in budgets(comparison)),
            *([_differences(comparison)] if comparison.rows else []),
        ),
        notes=(
            *notes(comparison),
            *([_STAR] if comparison.rows else []),
            *without_transfer(material),
        ),
    )


def _conclusion(comparison: Comparison) -> str:
    if not comparison.rows:
        return _best_and_worst(comparison)
    up, down = (
        [r for r in comparison.rows if r.p_holm < 0.05 and (r.difference.value or 0) * sign > 0]
        for sign in (1, -1)
    )
    gaining, losing, all_cells = map(_cells, (up, down, comparison.rows))
    never = [cell for cell in all_cells if cell not in gaining]
    nowhere = f"; no model gains on {listed(never)}" if up and never else ""
    where = f" ({listed(losing)})" if down else ""
    return (
        f"After Holm's correction {len(up)} of {len(comparison.rows)} differences from "
        f"{comparison.baseline} are clearly up and {len(down)} clearly down{where}{nowhere}."
    )


def _cells(rows: Sequence[Difference]) -> list[str]:
    return list(dict.fromkeys(f"{r.task} {r.style}" for r in rows))


def _best_and_worst(comparison: Comparison) -> str:
    known = [c for c in comparison.cells if c.faithful_all.value is not None]
    if not known:
        return "No explanation could be scored."
    ranked = sorted(known, key=lambda c: c.faithful_all.value or 0)
    low, high = (
        f"{c.task} {c.style} ({share(c.faithful_all.value)})" for c in (ranked[0], ranked[-1])
    )
    return f"It is most faithful on {high} and least on {low}."


def _plot(comparison: Comparison, budget: str) -> Dots:
    of = columns(comparison, budget)
    cells = grid_cells(comparison, budget, of)
    panels = tuple(
        _panel(f"{task}, {style}", {m: row[i] for m, row in cells.items()}, comparison.baseline)
        for i, (task, style) in enumerate(of)
    )
    return Dots(
        f"Share of faithful explanations by task and style, {words(budget)}, one dot a model with "
        "its 95% interval",
        f"share of faithful explanations, {words(budget)}",
        panels,
        columns=len({style for _, style in of}),
        beside="random control",
        limit="ceiling with one word (baseline)",
    )


def _panel(title: str, cells: dict[str, Cell | None], baseline: str) -> DotPanel:
    nothing = Estimate(None, None, None, 0)
    dots = tuple(
        Dot(model, c.faithful_all if c else nothing, c.random_control.value if c else None)
        for model, c in cells.items()
    )
    first = cells[baseline]
    return DotPanel(title, dots, first.ceiling.value if first else None)


def _table(comparison: Comparison, budget: str) -> Table:
    of = columns(comparison, budget)
    cells = grid_cells(comparison, budget, of)
    rows: list[tuple[Value, ...]] = [
        (model, *(cell.faithful_all if cell else None for cell in row))
        for model, row in cells.items()
    ]
    head = ("model", *(f"{task} {style}" for task, style in of))
    return Table(f"Faithful explanations, {words(budget)}", head, tuple(rows))


def _as_published(comparison: Comparison, budget: str) -> Table:
    """The paper's measure, beside its figures."""
    of = columns(comparison, budget)
    cells = grid_cells(comparison, budget, of)
    rows: list[tuple[Value, ...]] = [
        (model, *(cell.faithful_valid if cell else None for cell in row))
        for model, row in cells.items()
    ]
    known: list[tuple[Value, ...]] = [
        (name, *map(figures.get, of))
        for name, figures in published.FAITHFUL.get(budget, {}).items()
        if any(place in figures for place in of)
    ]
    caption = f"Faithful among valid explanations alone, as Doi et al. count, {words(budget)}"
    head = ("model", *(" ".join(place) for place in of))
    return Table(caption, head, tuple(rows), folded=True, published=tuple(known))


def _differences(comparison: Comparison) -> Table:
    rows = tuple(
        (
            *(r.model, r.task, r.style, words(r.budget), r.baseline_faithful_all, r.faithful_all),
            *(Change(r.difference, r.p_holm), r.p_holm, r.n, Change(r.accuracy_difference)),
        )
        for r in comparison.rows
    )
    caption = f"Differences from {comparison.baseline} on the same examples"
    return Table(caption, _HEAD, rows, texts=4, folded=True)
