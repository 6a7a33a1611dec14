"""Does it say what influenced it? Phi with what it is made of, and the plane of verbosity."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from rl_faith.correlation import correlation_difference
from rl_faith.evaluation.phi_compare import PhiComparison
from rl_faith.evaluation.phi_scores import PhiCell, phi_within, within_cells
from rl_faith.evaluation.scores import Row, is_scored
from rl_faith.report import published
from rl_faith.report.contents import (
    Change,
    Dot,
    DotPanel,
    Dots,
    Plane,
    Section,
    Table,
    Value,
)  # fmt: skip
from rl_faith.report.formatting import difference, text
from rl_faith.report.material import Material
from rl_faith.report.verdict import Judged, conclude, doubts
from rl_faith.stats import Estimate

_HEAD = ("model", "inserted", "phi", "gain", "TPR", "FPR", "π", "q", "accuracy", "n")
_MORE = ("model", "inserted", "CCT", "CT", "denied", "words")
_COUNTS = ("model", "inserted", "impact, mentioned", "impact, not mentioned",
           "no impact, mentioned", "no impact, not mentioned")  # fmt: skip
_NOTES = (
    "phi: correlation of impact (the insertion changed the answer) and mention; 0! where it is not "
    "defined. TPR and FPR: share of mentions with and without impact. π: share with impact. q: "
    "share of mentions. CCT: correlation of mention and graded impact. CT: share of what mattered "
    "that is not mentioned. denied: share of mentions that only deny an influence. words: mean "
    "length of a reply. Bootstrap intervals over examples; * where that of a gain leaves out 0.",
    "A model that only becomes more talkative goes up and to the right in the plane, and hardly "
    "leaves its curve; one that tells better what mattered crosses to a higher curve.",
    published.PHI,
)


def phi(material: Material) -> Section | None:
    """Phi of every model, what it is made of, and a verdict."""
    if (comparison := material.insertions) is None:
        return None
    rows = _by_model(material.read.insertions)
    baseline = comparison.baseline
    judged = [_judged(m, rows, material, baseline) for m in rows if m != baseline]
    conclusion, warns = conclude(baseline, judged) if judged else (_alone(rows, baseline), False)
    return Section(
        "phi",
        "Does it say what influenced it?",
        conclusion,
        points=tuple(map(_point, judged)),
        plots=(_dots(comparison), *_plane(comparison.cells)),
        tables=(_scores(comparison), _counts(comparison), _more(comparison)),
        notes=_NOTES,
        warns=warns,
    )


def _by_model(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in filter(is_scored, rows):
        found.setdefault(row["model"], []).append(row)
    return found


def _judged(
    model: str, rows: Mapping[str, Sequence[Row]], material: Material, baseline: str
) -> Judged:
    before, after = (within_cells(rows.get(name, [])) for name in (baseline, model))
    shared = sorted(before.keys() & after.keys())
    gain = correlation_difference([before[k] for k in shared], [after[k] for k in shared])
    return Judged(model, gain, doubts(material.insertion_findings, model))


def _alone(rows: Mapping[str, Sequence[Row]], model: str) -> str:
    found = text(phi_within(rows.get(model, [])))
    return f"{model} is alone, with nothing to compare it with: phi is {found}."


def _point(judged: Judged) -> str:
    kind = "gain" if judged.better else "loss" if judged.worse else "no clear change"
    why = "; ".join(judged.doubts)
    audit = f"suspect in the audit: {why}" if why else "nothing suspect in the audit"
    where = "within tasks and kinds of insertion"
    return f"{judged.name}: {kind} of phi {difference(judged.gain)} {where}; {audit}."


def _inserted(cell: PhiCell) -> str:
    part = ", held-out phrases" if cell.part == "held_out" else ""
    return f"{cell.task}, {cell.intervention}{part}"


def _dots(comparison: PhiComparison) -> Dots:
    panels: dict[str, list[Dot]] = {}
    for cell in comparison.cells:
        figure: Estimate = cell.phi
        if cell.phi.degenerate:
            figure = Estimate(None, None, None, 0)
        panels.setdefault(_inserted(cell), []).append(Dot(cell.model, figure))
    return Dots(
        "Phi of each model with its 95% interval, by what is inserted",
        "phi",
        tuple(DotPanel(title, tuple(dots)) for title, dots in panels.items()),
        columns=3,
        signed=True,
    )


def _plane(cells: Sequence[PhiCell]) -> list[Plane]:
    """True against false positive rate, means over the cells.

    Over all rows together a model that says more where more matters would seem to tell what does.
    """
    rates: dict[str, list[tuple[float, float]]] = {}
    for cell in cells:
        fpr, tpr = cell.table.fpr, cell.table.tpr
        if fpr is not None and tpr is not None:
            rates.setdefault(cell.model, []).append((fpr, tpr))
    if not rates:
        return []
    points = tuple(
        (model, fmean(fpr for fpr, _ in of), fmean(tpr for _, tpr in of))
        for model, of in rates.items()
    )
    impact = sum(c.table.both + c.table.impact_only for c in cells) / sum(c.n for c in cells)
    alt = "True against false positive rate of mentions, means over the cells, one mark a model"
    return [Plane(alt, points, impact)]


def _scores(comparison: PhiComparison) -> Table:
    gains = {(r.model, r.task, r.intervention, r.part): r.difference for r in comparison.rows}
    rows = tuple(
        _entries(cell, gains.get((cell.model, cell.task, cell.intervention, cell.part)))
        for cell in sorted(comparison.cells, key=_inserted)
    )
    return Table(f"Phi and what it is made of, against {comparison.baseline}", _HEAD, rows, texts=2)


def _entries(cell: PhiCell, gain: Estimate | None) -> tuple[Value, ...]:
    change = Change(gain) if gain else None
    shares = (cell.tpr, cell.fpr, cell.pi, cell.q, cell.accuracy)
    return (cell.model, _inserted(cell), cell.phi, change, *shares, cell.n)


def _more(comparison: PhiComparison) -> Table:
    rows = tuple(
        (c.model, _inserted(c), c.cct, c.ct, c.negated, c.words.value)
        for c in sorted(comparison.cells, key=_inserted)
    )
    return Table("Further figures of the counterfactual test", _MORE, rows, texts=2, folded=True)


def _counts(comparison: PhiComparison) -> Table:
    rows = tuple(
        (c.model, _inserted(c), c.table.both, c.table.impact_only, c.table.mention_only,
         c.table.neither)
        for c in sorted(comparison.cells, key=_inserted)
    )  # fmt: skip
    return Table("Confusion of impact and mention, in rows", _COUNTS, rows, texts=2)
