"""A comparison as a Markdown document."""

from collections.abc import Iterable, Sequence

from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.scores import Cell
from rl_faith.evaluation.tables import (
    NONE,
    Column,
    budgets,
    columns,
    figure,
    figures,
    grid_cells,
    interval,
    notes,
    signed,
    words,
)

_DIFFERENCE_HEAD = (
    *("model", "task", "style", "words", "from", "to", "difference", "p", "Holm p", "n"),
    "accuracy difference",
)

# Doi et al. 2025, Tulu-2 7B: faithful_valid before and after SFT, one word.
_REFERENCE = {
    ("sentiment140", "attribution"): "0.120→0.300",
    ("snli", "attribution"): "0.199→0.457",
    ("ag_news", "attribution"): "0.248→0.199",
    ("sentiment140", "redaction"): "0.102→0.271",
    ("snli", "redaction"): "0.244→0.355",
    ("ag_news", "redaction"): "0.237→0.323",
    ("sentiment140", "counterfactual"): "0.173→0.241",
    ("snli", "counterfactual"): "0.076→0.170",
    ("ag_news", "counterfactual"): "0.087→0.249",
}


def to_markdown(comparison: Comparison) -> str:
    """Scores, differences and notes, with the paper's figures beside ours where they apply."""
    parts = [f"# Faithfulness, compared with {_escape(comparison.baseline)}"]
    for budget in budgets(comparison):
        parts += [f"## Faithful explanations, {words(budget)}", _grid(comparison, budget)]
        parts += _reference(columns(comparison, budget)) if budget == "one" else []
    if comparison.rows:
        parts += ["## Differences on the same examples", _differences(comparison.rows)]
    return "\n\n".join([*parts, *map(_escape, notes(comparison))]) + "\n"


def _grid(comparison: Comparison, budget: str) -> str:
    of = columns(comparison, budget)
    rows = grid_cells(comparison, budget, of)
    lines = [[model, *map(_entry, cells)] for model, cells in rows.items()]
    return table(["model", *map(" ".join, of)], lines)


def _entry(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    small = f"valid {figure(cell.valid)}, n {cell.n}"
    return f"{figure(cell.faithful_all)} ({interval(cell.faithful_all)}) <sub>{small}</sub>"


def _reference(of: Iterable[Column]) -> list[str]:
    known = [f"{' '.join(column)} {_REFERENCE[column]}" for column in of if column in _REFERENCE]
    if not known:
        return []
    return [
        "For reference, Doi et al. 2025, Tulu-2 7B, before→after SFT, as faithful_valid (the share "
        f"among valid explanations only, not the measure of the table): {'; '.join(known)}."
    ]


def _differences(rows: Sequence[Difference]) -> str:
    return table(_DIFFERENCE_HEAD, map(_difference, rows))


def _difference(row: Difference) -> list[str]:
    place = [row.model, row.task, row.style, words(row.budget)]
    return [*place, *figures(row), signed(row.accuracy_difference)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines)


def _escape(text: str) -> str:
    """Keep names with a bar from opening a new column."""
    return text.replace("|", "\\|")
