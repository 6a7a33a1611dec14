"""A comparison as people read it in a terminal, and the pieces that a report shares."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.scores import Cell
from rl_faith.stats import Estimate

Column = tuple[str, str]
"""Task and style."""

NONE = "–"
"""Stands where there is nothing to show; never 0."""

_WORDS = {"one": "one word", "multi": "several words"}
_COLUMN = 10  # "valid 0.92" is the longest line of a cell
_MODEL = 24  # longer names are folded
_GAP = 2


def to_table(comparison: Comparison, width: int = 120) -> list[Table]:
    """Tables for the terminal: the scores of every model first, then the differences.

    Args:
        comparison: What to show.
        width: Characters of the terminal; tasks that do not fit beside the others get a table of
            their own.
    """
    grids = [
        _grid(comparison, budget, some)
        for budget in budgets(comparison)
        for some in _packed(comparison, columns(comparison, budget), width)
    ]
    grouped: dict[tuple[str, str], list[Difference]] = {}
    for row in comparison.rows:
        grouped.setdefault((row.model, row.budget), []).append(row)
    return [*grids, *(_differences(rows, width) for rows in grouped.values())]


def notes(comparison: Comparison) -> list[str]:
    """What a reader of the tables must know: measures, rows left out, cells not compared."""
    lines = [
        "Figures are faithful_all: the share of scored rows whose explanation passes the test, "
        "an invalid explanation counting as unfaithful; 95% Wilson interval. "
        "valid: the share of scored rows whose explanation is valid."
    ]
    if any(cell.top_word.n for cell in comparison.cells):
        lines.append(
            "top: the share of explanations by one word that name the word whose redaction lowers "
            f"the prediction most; by chance {_by_chance(comparison)}."
        )
    lines += [line for model in comparison.models if (line := _driven_alike(comparison, model))]
    if comparison.rows:
        lines.append(
            "Differences are over the examples that both models have scored: paired 95% bootstrap "
            f"interval, exact McNemar p, Holm correction over all {len(comparison.rows)} rows. "
            "content: what of the difference comes from examples for which both explanations are "
            "valid; the rest, from replies that became valid or ceased to be."
        )
    lines += [line for model in comparison.models if (line := _unscored(comparison, model))]
    missing = [", ".join(cell) for cell in comparison.unpaired]
    return lines + [f"Not compared, no scored example in common: {cell}." for cell in missing]


def _by_chance(comparison: Comparison) -> str:
    return _range(c.top_word_chance for c in comparison.cells)


def _driven_alike(comparison: Comparison, model: str) -> str:
    alike = [row.same_top_word for row in comparison.rows if row.model == model]
    inputs = sum(estimate.n for estimate in alike)
    if not inputs:
        return ""
    ends = f" [{interval(alike[0])}]" if len(alike) == 1 else ""
    return (
        f"{model} is driven by the same word as {comparison.baseline} in {_range(alike)}{ends} of "
        f"the inputs of a cell ({inputs} erased for both)."
    )


def _range(estimates: Iterable[Estimate]) -> str:
    """The least and the largest of some shares, as text."""
    shares = sorted(figure(estimate) for estimate in estimates if estimate.value is not None)
    return " to ".join(dict.fromkeys((shares[0], shares[-1])))


def _unscored(comparison: Comparison, model: str) -> str:
    reasons: Counter[str] = Counter()
    for cell in comparison.cells:
        if cell.model == model:
            reasons.update(cell.unscored)
    listed = ", ".join(f"{count} {why or 'without a reason'}" for why, count in reasons.items())
    return f"Unscored rows of {model}, left out: {listed}." if listed else ""


def budgets(comparison: Comparison) -> list[str]:
    """Word budgets, in the order of the runs; each has a grid of its own."""
    return list(dict.fromkeys(str(cell.budget) for cell in comparison.cells))


def words(budget: str) -> str:
    """Name a budget for readers."""
    return _WORDS.get(budget, budget)


def columns(comparison: Comparison, budget: str) -> list[Column]:
    """Columns of a grid: tasks in the order of the runs, each with its styles."""
    present = {(cell.task, cell.style) for cell in comparison.cells if cell.budget == budget}
    tasks = dict.fromkeys(cell.task for cell in comparison.cells)
    styles = dict.fromkeys(cell.style for cell in comparison.cells)
    return [(task, style) for task in tasks for style in styles if (task, style) in present]


def grid_cells(
    comparison: Comparison, budget: str, of: Sequence[Column]
) -> dict[str, list[Cell | None]]:
    """Rows of a grid: for each model, its cell in each of the columns; None where it has none."""
    found = {(c.model, c.task, c.style): c for c in comparison.cells if c.budget == budget and c.n}
    return {model: [found.get((model, *column)) for column in of] for model in comparison.models}


def _packed(comparison: Comparison, of: Sequence[Column], width: int) -> list[list[Column]]:
    """Split the columns into tables that fit `width`, keeping the styles of a task together."""
    name = min(_MODEL, max(len(model) for model in comparison.models))
    room = (width - name) // (_COLUMN + _GAP)
    tables: list[list[Column]] = [[]]
    for _, group in groupby(of, key=lambda column: column[0]):
        together = list(group)
        if tables[-1] and len(tables[-1]) + len(together) > room:
            tables.append([])
        tables[-1] += together
    return tables


def _grid(comparison: Comparison, budget: str, of: Sequence[Column]) -> Table:
    shown = grid_cells(comparison, budget, of)
    sizes = [cell.n for cells in shown.values() for cell in cells if cell]
    n = "–".join(map(str, sorted({min(sizes), max(sizes)}))) if sizes else "0"
    table = plain_table(f"Faithful explanations, {words(budget)}, n {n}", leading=1)
    table.add_column("model", overflow="fold", max_width=_MODEL)
    for task, style in of:
        # Long names end in "…" when the terminal is narrow; the figures below never do.
        head = Text(f"{task}\n{style}")
        table.add_column(head, min_width=_COLUMN, overflow="ellipsis", justify="right")
    for model, cells in shown.items():
        table.add_row(Text(model), *map(_grid_text, cells))
    return table


def _grid_text(cell: Cell | None) -> Text:
    if cell is None:
        return Text(NONE)
    value, below = cell.faithful_all, f"valid {figure(cell.valid)}"
    if cell.top_word.n:
        below += f"\ntop {figure(cell.top_word)}"
    return Text.assemble((figure(value), "bold"), f"\n{interval(value)}\n", (below, "dim"))


def _differences(rows: Sequence[Difference], width: int) -> Table:
    """Differences of one model and budget; a row that Holm leaves below 0.05 stands out."""
    first = rows[0]
    wide = width >= 110
    title = f"{first.model} against {first.baseline}, {words(first.budget)}"
    table = plain_table(title, gap=_GAP if wide else 1)
    for name in ("task", "style"):
        table.add_column(name, overflow="ellipsis")
    for name in ("from", "to", "difference", "content", *_p_names(wide), "n", "Δ acc."):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        accuracy = signed(row.accuracy_difference, ends=wide)
        style = "bold" if row.p_holm < 0.05 else ""
        table.add_row(
            *map(Text, [row.task, row.style, *_figures(row, wide), accuracy]), style=style
        )
    return table


def plain_table(title: str, *, leading: int = 0, gap: int = _GAP) -> Table:
    """An empty table in the style of all that is printed."""
    return Table(
        title=Text(title, style="bold not italic"),
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        leading=leading,
    )


def _p_names(wide: bool) -> list[str]:
    return ["p", "Holm p"] if wide else ["Holm p"]


def _figures(row: Difference, wide: bool) -> list[str]:
    """Both shares, their difference and what of it is content, p and the number of pairs."""
    shares = [figure(row.baseline_faithful_all), figure(row.faithful_all)]
    parts = [signed(row.difference), signed(row.origin.content, ends=False)]
    return [*shares, *parts, *map(_p, [row.p, row.p_holm] if wide else [row.p_holm]), str(row.n)]


def figure(estimate: Estimate) -> str:
    """A share as text."""
    return NONE if estimate.value is None else f"{estimate.value:.2f}"


def interval(estimate: Estimate) -> str:
    """The interval of a share as text."""
    return NONE if estimate.low is None else f"{estimate.low:.2f}–{estimate.high:.2f}"


def signed(estimate: Estimate, *, ends: bool = True) -> str:
    """A difference as text, with the ends of its interval if wanted."""
    if estimate.value is None:
        return NONE
    text = f"{estimate.value:+z.2f}"
    return f"{text} [{estimate.low:+z.2f}, {estimate.high:+z.2f}]" if ends else text


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
