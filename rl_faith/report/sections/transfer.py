"""Does a gain carry over to other tasks and styles? As in Doi et al. 2025, figures 3 and 4."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.tables import words
from rl_faith.report import published
from rl_faith.report.contents import Change, Dot, DotPanel, Dots, Section, Table, Value, listed
from rl_faith.report.formatting import change
from rl_faith.report.lineage import Trained, trained_on
from rl_faith.report.material import Material
from rl_faith.report.reading import EDITS


@dataclass(frozen=True)
class _Way:
    """One way to leave what was trained on: another task in a trained style, or the reverse."""

    title: str
    kinds: str
    is_own: Callable[[Trained, Difference], bool]
    is_fixed: Callable[[Trained, Difference], bool]
    of: Callable[[Trained], frozenset[str]]


def _task(trained: Trained, row: Difference) -> bool:
    return row.task in trained.tasks


def _style(trained: Trained, row: Difference) -> bool:
    return row.style in trained.styles


_TASKS = _Way("Gains on other tasks", "tasks", _task, _style, lambda t: t.tasks)
_STYLES = _Way("Gains in other styles", "styles", _style, _task, lambda t: t.styles)


def across_tasks(material: Material) -> Section | None:
    """Gains on tasks that a model was not trained on, in the styles that it was."""
    return _across(material, _TASKS)


def across_styles(material: Material) -> Section | None:
    """Gains in styles that a model was not trained on, on the tasks that it was."""
    return _across(material, _STYLES)


def without_transfer(material: Material) -> list[str]:
    """Why there is no section on other tasks or styles, in a sentence each."""
    if material.edits is None or not material.edits.rows:
        return []
    if not _known(material):
        return [
            "No run says what the models were trained on; where it is a training run's recipe that "
            "does, gains on other tasks and in other styles are shown as well."
        ]
    return [
        f"Every model was trained on all {way.kinds} that it was evaluated on: there is no gain on "
        f"other {way.kinds} to show."
        for way in (_TASKS, _STYLES)
        if _across(material, way) is None
    ]


def _known(material: Material) -> dict[str, Trained]:
    """What each model was trained on, where that is known."""
    assert material.edits
    others = [m for m in material.edits.models if m != material.edits.baseline]
    made = {model: material.read.trained.get((EDITS, model)) for model in others}
    found = {model: trained_on(run, material.read) for model, run in made.items() if run}
    return {model: trained for model, trained in found.items() if trained}


def _across(material: Material, way: _Way) -> Section | None:
    if (comparison := material.edits) is None:
        return None
    known = _known(material)
    rows = [r for r in comparison.rows if r.model in known and way.is_fixed(known[r.model], r)]
    models = {r.model for r in rows if not way.is_own(known[r.model], r)}
    if not models:
        return None
    rows = [r for r in rows if r.model in models]
    own, other = ([r for r in rows if way.is_own(known[r.model], r) is is_own]
                  for is_own in (True, False))  # fmt: skip
    return Section(
        way.kinds,
        way.title,
        _conclusion(own, other, way),
        plots=(_plot(rows, known, way),),
        tables=(_table(rows, known, way, comparison),),
        notes=(
            "What a model was trained on is taken from the recipes of its training runs; in the "
            "plot “own” marks it. * where p after Holm's correction is below 0.05.",
        ),
        warns=not any(map(_is_up, other)),
    )


def _conclusion(own: Sequence[Difference], other: Sequence[Difference], way: _Way) -> str:
    up = sum(map(_is_up, other))
    beside = f", against {change(_mean(own))} on those they were trained on" if own else ""
    if not up:
        mean = f"{change(_mean(other))} in the mean{beside}"
        return f"No gain clearly carries over to other {way.kinds}: {mean}."
    return (
        f"Gains carry over to other {way.kinds} in {up} of {len(other)} cells, by "
        f"{change(_mean(other))} in the mean{beside}."
    )


def _is_up(row: Difference) -> bool:
    return row.p_holm < 0.05 and (row.difference.value or 0) > 0


def _mean(rows: Sequence[Difference]) -> float:
    return sum(r.difference.value or 0 for r in rows) / len(rows)


def _plot(rows: Sequence[Difference], known: Mapping[str, Trained], way: _Way) -> Dots:
    panels: dict[str, list[Dot]] = {}
    models = list(dict.fromkeys(r.model for r in rows))
    found = {(_panel(r), r.model): r.difference for r in rows}
    own = {(_panel(r), r.model) for r in rows if way.is_own(known[r.model], r)}
    for title in dict.fromkeys(map(_panel, rows)):
        panels[title] = [
            Dot(f"own: {m}" if (title, m) in own else m, found[title, m])
            for m in models
            if (title, m) in found
        ]
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
    return Table(
        f"Gains over {comparison.baseline}",
        head,
        entries,
        texts=6,
        folded=len(rows) > 12,
        published=_published(rows) if way is _TASKS else (),
    )


def _published(rows: Sequence[Difference]) -> tuple[tuple[Value, ...], ...]:
    places = {(r.task, r.style) for r in rows if r.budget == "one"}
    return tuple(
        ("Doi et al., Tulu-2 13B", "sentiment140", *place, words("one"), "other", gain, None)
        for place, gain in published.OTHER_TASKS.items()
        if place in places
    )
