"""Does a gain carry over to other tasks and styles? As in Doi et al. 2025, figures 3 and 4."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.tables import words
from rl_faith.report.contents import Change, Dot, DotPanel, Dots, Section, Table, listed
from rl_faith.report.formatting import change
from rl_faith.report.lineage import Trained, trained_on
from rl_faith.report.material import Material


@dataclass(frozen=True)
class _Way:
    """One way to leave what was trained on: another task in a trained style, or the reverse."""

    name: str
    title: str
    kinds: str
    is_own: Callable[[Trained, Difference], bool]
    is_fixed: Callable[[Trained, Difference], bool]
    of: Callable[[Trained], frozenset[str]]


def _task(trained: Trained, row: Difference) -> bool:
    return row.task in trained.tasks


def _style(trained: Trained, row: Difference) -> bool:
    return row.style in trained.styles


_TASKS = _Way("tasks", "Gains on other tasks", "tasks", _task, _style, lambda t: t.tasks)
_STYLES = _Way("styles", "Gains in other styles", "styles", _style, _task, lambda t: t.styles)


def across_tasks(material: Material) -> Section | None:
    """Gains on tasks that a model was not trained on, in the styles that it was."""
    return _across(material, _TASKS)


def across_styles(material: Material) -> Section | None:
    """Gains in styles that a model was not trained on, on the tasks that it was."""
    return _across(material, _STYLES)


def _across(material: Material, way: _Way) -> Section | None:
    comparison = material.edits
    if comparison is None or not comparison.rows:
        return None
    trained = {model: trained_on(source, material.read) for model, source in
               material.read.trained.items() if model in comparison.models}  # fmt: skip
    known = {model: t for model, t in trained.items() if t and model != comparison.baseline}
    rows = [r for r in comparison.rows if r.model in known and way.is_fixed(known[r.model], r)]
    other = [r for r in rows if not way.is_own(known[r.model], r)]
    if not other:
        return Section(way.name, way.title, _nothing(known, way))
    own = [r for r in rows if way.is_own(known[r.model], r)]
    models = dict.fromkeys(r.model for r in other)
    return Section(
        way.name,
        way.title,
        _conclusion(own, other, way),
        plots=(_plot([r for r in rows if r.model in models], way),),
        tables=(_table([r for r in rows if r.model in models], known, way, comparison),),
        notes=("What a model was trained on is taken from the recipes of its training runs.",),
        warns=not any(_is_up(r) for r in other),
    )


def _nothing(known: Mapping[str, Trained], way: _Way) -> str:
    if not known:
        return (
            "No run says what the models were trained on: name their training runs as well, and "
            f"this section shows the gains on other {way.kinds}."
        )
    return (
        f"Every model was trained on all {way.kinds} that it was evaluated on: there is no other."
    )


def _conclusion(own: Sequence[Difference], other: Sequence[Difference], way: _Way) -> str:
    up = sum(map(_is_up, other))
    beside = f", against {change(_mean(own))} on those it was trained on" if own else ""
    if not up:
        mean = f"{change(_mean(other))} in the mean{beside}"
        return f"No gain carries over to other {way.kinds}: {mean}."
    return (
        f"Gains carry over to other {way.kinds} in {up} of {len(other)} cells, by "
        f"{change(_mean(other))} in the mean{beside}."
    )


def _is_up(row: Difference) -> bool:
    return row.p_holm < 0.05 and (row.difference.value or 0) > 0


def _mean(rows: Sequence[Difference]) -> float:
    return sum(r.difference.value or 0 for r in rows) / len(rows)


def _plot(rows: Sequence[Difference], way: _Way) -> Dots:
    panels: dict[str, list[Dot]] = {}
    models = list(dict.fromkeys(r.model for r in rows))
    found = {(_panel(r), r.model): r.difference for r in rows}
    for title in dict.fromkeys(map(_panel, rows)):
        panels[title] = [Dot(m, found[title, m]) for m in models if (title, m) in found]
    return Dots(
        f"Change of the share of faithful explanations against the baseline, on {way.kinds} "
        "trained on and others",
        "gain over the baseline",
        tuple(DotPanel(title, tuple(dots)) for title, dots in panels.items()),
        columns=3,
        signed=True,
    )


def _panel(row: Difference) -> str:
    return f"{row.task}, {row.style}{'' if row.budget == 'one' else ', several'}"


def _table(
    rows: Sequence[Difference], known: Mapping[str, Trained], way: _Way, comparison: Comparison
) -> Table:
    entries = tuple(
        (
            *(r.model, listed(sorted(way.of(known[r.model]))), r.task, r.style, words(r.budget)),
            "trained on" if way.is_own(known[r.model], r) else "other",
            *(Change(r.difference, r.p_holm), r.n),
        )
        for r in rows
    )
    head = ("model", "trained on", "task", "style", "words", "kind", "gain", "n")
    return Table(f"Gains over {comparison.baseline}", head, entries, texts=6, folded=len(rows) > 12)
