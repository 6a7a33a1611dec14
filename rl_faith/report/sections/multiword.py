"""Does it hold for every number of words? As in Doi et al. 2025, Figure 2."""

from collections.abc import Mapping, Sequence

from rl_faith.evaluation.scores import COUNTS, Row
from rl_faith.report.contents import Line, LinePanel, Lines, Section, Table, Value
from rl_faith.report.material import Material
from rl_faith.stats import Estimate, share

_LEAST = 50
_Key = tuple[str, str, str]
"""Model, task and style."""


def multiword(material: Material) -> Section | None:
    """Faithful explanations by the number of words that they name or change."""
    if (comparison := material.edits) is None:
        return None
    found = _by_count(material.read.edits)
    if not found:
        return None
    return Section(
        "multiword",
        "Several words, by their number",
        _conclusion(found, comparison.baseline),
        plots=tuple(_plot(found)),
        tables=(_table(found),),
        notes=(
            "Of the valid explanations asked for with any number of words, those of exactly N, and "
            "the share of them that is faithful, with Wilson's interval. What rests on fewer than "
            f"{_LEAST} is in the table, and in neither the plot nor the sentence above. More words "
            "flip more answers by themselves: the lift above takes that off.",
        ),
    )


def _by_count(rows: Sequence[Row]) -> dict[_Key, list[Estimate]]:
    groups: dict[_Key, list[Row]] = {}
    for row in rows:
        if row["budget"] == "multi" and row["status"] == "valid":
            groups.setdefault((row["model"], row["task"], row["style"]), []).append(row)
    return {
        key: [share([row["faithful"] for row in of if row.get("count") == n]) for n in COUNTS]
        for key, of in groups.items()
    }


def _conclusion(found: Mapping[_Key, Sequence[Estimate]], baseline: str) -> str:
    pairs = [
        (before, after)
        for (model, task, style), figures in found.items()
        if model != baseline and (first := found.get((baseline, task, style)))
        for before, after in zip(first, figures, strict=True)
        if min(before.n, after.n) >= _LEAST
    ]
    above = sum(_above(after, before) for before, after in pairs)
    below = sum(_above(before, after) for before, after in pairs)
    if not pairs:
        return (
            f"No number of words has {_LEAST} explanations of {baseline} and of another model: "
            "nothing can be concluded by number of words."
        )
    kept = (
        "holds"
        if above > len(pairs) / 2 and not below
        else "holds in part"
        if above
        else "is not seen"
    )
    return (
        f"A gain over {baseline} {kept} at an equal number of words: of {len(pairs)} pairs of the "
        f"same number, task and style, {above} are clearly up and {below} clearly down (intervals "
        "disjoint)."
    )


def _above(a: Estimate, b: Estimate) -> bool:
    return a.low is not None and b.high is not None and a.low > b.high


def _plot(found: Mapping[_Key, Sequence[Estimate]]) -> list[Lines]:
    panels: dict[str, list[Line]] = {}
    for (model, task, style), figures in found.items():
        if line := _line(model, figures):
            panels.setdefault(f"{task}, {style}", []).append(line)
    if not panels:
        return []
    return [
        Lines(
            "Share of faithful explanations by number of words",
            "words N",
            tuple(LinePanel(title, tuple(lines)) for title, lines in panels.items()),
            shares=True,
        )
    ]


def _line(model: str, figures: Sequence[Estimate]) -> Line | None:
    known = [(n, f) for n, f in zip(COUNTS, figures, strict=True) if f.n >= _LEAST]
    points = tuple((float(n), f.value) for n, f in known if f.value is not None)
    ends = tuple((f.low, f.high) for _, f in known if f.low is not None and f.high is not None)
    return Line(model, points, ends) if points else None


def _table(found: Mapping[_Key, Sequence[Estimate]]) -> Table:
    rows: list[tuple[Value, ...]] = [
        (*key, *(value for f in figures for value in (f, f.n))) for key, figures in found.items()
    ]
    counts = [name for n in COUNTS for name in (f"N = {n}", f"n of {n}")]
    caption = "Faithful among valid explanations of N words, and how many these are"
    return Table(caption, ("model", "task", "style", *counts), tuple(rows), texts=3, folded=True)
