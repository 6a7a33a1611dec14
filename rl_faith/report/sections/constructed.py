"""Are constructed explanations better than the model's own? As in Doi et al. 2025, Table 3."""

from pathlib import Path

from rl_faith.evaluation.compare import Difference, compare_rows
from rl_faith.evaluation.tables import words
from rl_faith.pseudo import ORIGINAL
from rl_faith.report import published
from rl_faith.report.contents import Change, Section, Table, Value
from rl_faith.report.formatting import change
from rl_faith.report.material import Material

_HEAD = ("build", "task", "style", "words", "original", "constructed", "difference", "n")


def constructed(material: Material) -> Section | None:
    """The share that is faithful of the model's explanations and of those built by erasure."""
    found = [
        (Path(build).name, row)
        for build, rows in material.read.quality.items()
        for row in compare_rows(rows, ORIGINAL).rows
    ]
    differences = [row for _, row in found]
    if not differences:
        return None
    better = sum(r.p_holm < 0.05 and (r.difference.value or 0) > 0 for r in differences)
    mean = sum(r.difference.value or 0 for r in differences) / len(differences)
    return Section(
        "constructed",
        "Constructed against original explanations",
        f"Explanations constructed by erasure are {'' if better else 'not '}clearly more faithful "
        f"than the model's own, in {better} of {len(differences)} cells, and by {change(mean)} in "
        "the mean.",
        tables=(
            Table(
                "Share of faithful explanations on the same training examples",
                _HEAD,
                tuple(_row(build, row) for build, row in found),
                texts=4,
            ),
            *([_published()] if any(r.task == "sentiment140" for r in differences) else []),
        ),
        notes=("* where p after Holm's correction is below 0.05.",),
        warns=not better,
    )


def _row(build: str, row: Difference) -> tuple[Value, ...]:
    shares = (row.baseline_faithful_all, row.faithful_all)
    change = Change(row.difference, row.p_holm)
    return (build, row.task, row.style, words(row.budget), *shares, change, row.n)


def _published() -> Table:
    cells = next(iter(published.CONSTRUCTED.values()))
    rows: list[tuple[Value, ...]] = [
        (name, *figures.values()) for name, figures in published.CONSTRUCTED.items()
    ]
    head = ("published", *(" ".join(place) for place in cells))
    return Table("Published, one word, 1,000 examples", head, (), published=tuple(rows))
