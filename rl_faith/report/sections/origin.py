"""Do explanations know better what matters, or are they valid more often? Ours."""

from collections.abc import Sequence
from typing import Any

from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.origin import Origin
from rl_faith.evaluation.tables import words
from rl_faith.report.contents import Change, Section, Table, listed
from rl_faith.report.material import Material
from rl_faith.report.pooled import Pooled, pool

_FEW = 50
_HEAD = ("model", "task", "style", "words", "difference", "by form", "by content", "both valid",
         "faithful", "lift", "place")  # fmt: skip


def origin(material: Material) -> Section | None:
    """Every difference from the baseline, split into its parts."""
    if (comparison := material.edits) is None or not comparison.rows:
        return None
    conclusion, warns = _conclude(comparison.rows, comparison.baseline)
    return Section(
        "origin",
        "Where gains come from: form or content",
        conclusion,
        tables=(_table(comparison.rows, _whole(material, comparison)),),
        notes=(
            "by form: from examples for which one of the two explanations alone is valid; by "
            "content: from those for which both are; the two make the difference. A reply that "
            "became valid may know its word as well: whether faithful among valid fell, the grid "
            "says. faithful, lift "
            "and place: changes over the examples for which both are valid; place: of faithful "
            "minus the same new word at another place, in counterfactuals. Paired bootstrap "
            "intervals, not corrected for their number; * where the interval leaves out 0.",
            "all: every task and style together; the intervals draw whole examples.",
        ),
        warns=warns,
    )


def _conclude(rows: Sequence[Difference], baseline: str) -> tuple[str, bool]:
    gains = [r for r in rows if r.p_holm < 0.05 and (r.difference.value or 0) > 0]
    told = [r for r in rows if r.origin.faithful.n >= _FEW]
    better = [r for r in gains if r in told and (r.origin.content.low or 0) > 0]
    worse = [r for r in told if (r.origin.content.high or 0) < 0]
    lost = f" Where both are valid, explanations are clearly worse on {_cells(worse)}."
    return (_gained(gains, better, told, baseline) + (lost if worse else ""), bool(worse))


def _gained(
    gains: Sequence[Difference],
    better: Sequence[Difference],
    told: Sequence[Difference],
    baseline: str,
) -> str:
    if not gains:
        return f"No gain over {baseline} is clear, so that there is none to ask this of."
    open_ = [r for r in gains if r not in told]
    form = [r for r in gains if r in told and r not in better]
    parts = [
        f"{len(of)} {what} ({_cells(of)})"
        for of, what in (
            (better, "clear where both explanations are valid as well"),
            (form, "clear only with replies that became valid"),
            (open_, f"not to be told, with fewer than {_FEW} pairs of valid explanations"),
        )
        if of
    ]
    return f"Of {len(gains)} clear gains over {baseline}: {'; '.join(parts)}."


def _cells(rows: Sequence[Difference]) -> str:
    return listed([f"{r.model} on {r.task} {r.style} in {words(r.budget)}" for r in rows])


def _whole(material: Material, comparison: Comparison) -> list[Pooled]:
    """Each model over all its cells, where there are several."""
    several = len({(r.task, r.style) for r in comparison.rows}) > 1
    found = pool(material.read.edits, comparison.baseline) if several else []
    return [model for model in found if model.model != comparison.baseline]


def _table(rows: Sequence[Difference], whole: Sequence[Pooled]) -> Table:
    shown = (
        *(_row((m.model, "all", "all", words(m.budget)), Change(m.gain), m.origin) for m in whole),
        *(
            _row(
                (r.model, r.task, r.style, words(r.budget)),
                Change(r.difference, r.p_holm),
                r.origin,
            )
            for r in rows
        ),
    )
    return Table("Differences by where they come from", _HEAD, shown, texts=4, folded=True)


def _row(cell: tuple[str, ...], gain: Change, parts: Origin) -> tuple[Any, ...]:
    both = (parts.faithful, parts.lift, parts.place)
    known = [Change(e) if e.n else None for e in both]
    return (*cell, gain, Change(parts.form), Change(parts.content), parts.faithful.n, *known)
