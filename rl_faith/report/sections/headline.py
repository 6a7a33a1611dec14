"""Did it become more faithful, where, by how much, at what cost, and is the gain real?"""

from collections.abc import Sequence

from rl_faith.evaluation.audit import Finding
from rl_faith.evaluation.compare import Comparison, Difference
from rl_faith.evaluation.tables import words
from rl_faith.report.contents import Change, Dot, DotPanel, Dots, Section, Table
from rl_faith.report.formatting import change, difference, share, text
from rl_faith.report.material import Material
from rl_faith.report.pooled import Pooled, pool
from rl_faith.report.verdict import Judged, conclude, doubts

_HEAD = (
    *("model", "words", "faithful", "gain", "lift", "random control", "ceiling", "valid"),
    *("accuracy", "change of accuracy"),
)
_NOTES = (
    "faithful: share of all scored explanations whose edit changes the model's own answer; an "
    "invalid one counts as unfaithful. random control: how often as many random words change it. "
    "lift: faithful minus control. ceiling: share of inputs that some one-word redaction flips. "
    "All tasks and styles together; each 95% interval draws whole examples.",
    "gain and change of accuracy: against the baseline, over what both have scored; * where the "
    "interval leaves out 0.",
)
_TOP_WORD = (
    "the most influential word: the one whose redaction lowers the probability of the model's own "
    "answer most, by erasure of each word; an invalid explanation names none. Where no word "
    "flips an answer, this still tells whether an explanation knows what drives it."
)


def headline(material: Material) -> Section | None:
    """Every model over the whole grid, and a verdict on each."""
    if (comparison := material.edits) is None:
        return None
    models = pool(material.read.edits, comparison.baseline)
    others = [m for m in models if m.model != comparison.baseline]
    before = {m.budget: m for m in models if m.model == comparison.baseline}
    several = len({m.budget for m in models}) > 1
    judged = [_judged(m, material.edit_findings, several) for m in others]
    conclusion, warns = conclude(comparison.baseline, judged) if judged else (_alone(models), False)
    return Section(
        "headline",
        "Did it become more faithful?",
        conclusion,
        points=tuple(
            _point(m, j, before.get(m.budget), comparison)
            for m, j in zip(others, judged, strict=True)
        ),
        plots=(_plot(models, comparison.baseline),),
        tables=_tables(models, comparison.baseline),
        notes=(*_NOTES, *([_TOP_WORD] if any(m.top_word.n for m in models) else [])),
        warns=warns,
    )


def _judged(model: Pooled, findings: Sequence[Finding], several: bool) -> Judged:
    name = f"{model.model} ({words(model.budget)})" if several else model.model
    return Judged(name, model.gain, doubts(findings, model.model, f", {model.budget}"))


def _alone(models: Sequence[Pooled]) -> str:
    shares = ", ".join(f"{text(m.faithful)} with {words(m.budget)}" for m in models)
    return (
        f"{models[0].model} is alone, with nothing to compare it with: it is faithful in {shares}."
    )


def _point(model: Pooled, judged: Judged, before: Pooled | None, comparison: Comparison) -> str:
    of = [r for r in comparison.rows if (r.model, r.budget) == (model.model, model.budget)]
    why = "; ".join(judged.doubts)
    audit = f"suspect in the audit: {why}" if why else "nothing suspect in the audit"
    accuracy = f"accuracy {difference(model.accuracy_change)}"
    valid = f"valid {share(model.valid.value)}"
    valid += f" (was {share(before.valid.value)})" if before else ""
    return f"{judged.name}: {_size(judged)}{_where(of)}; {accuracy}; {valid}; {audit}."


def _size(judged: Judged) -> str:
    kind = "gain" if judged.better else "loss" if judged.worse else "no clear change"
    return f"{kind} {difference(judged.gain)}"


def _where(rows: Sequence[Difference]) -> str:
    """In how many cells, and in which the most."""
    clear = [r for r in rows if r.p_holm < 0.05]
    if not clear:
        return f", clear in none of {len(rows)} cells"
    up = sum((r.difference.value or 0) > 0 for r in clear)
    down = f", worse in {len(clear) - up}" if up < len(clear) else ""
    most = max(clear, key=lambda r: abs(r.difference.value or 0))
    cell = f"{most.task} {most.style}"
    size = change(most.difference.value)
    return f", better in {up} of {len(rows)} cells{down} (most: {cell}, {size})"


def _plot(models: Sequence[Pooled], baseline: str) -> Dots:
    budgets = dict.fromkeys(m.budget for m in models)
    return Dots(
        "Share of faithful explanations of each model, with its 95% interval, beside the random "
        "control and under the ceiling",
        "share of faithful explanations",
        tuple(_panel(budget, models, baseline) for budget in budgets),
        columns=2,
        beside="random control",
        limit="ceiling with one word (baseline)",
    )


def _panel(budget: str, models: Sequence[Pooled], baseline: str) -> DotPanel:
    of = [m for m in models if m.budget == budget]
    dots = tuple(Dot(m.model, m.faithful, m.control.value) for m in of)
    ceiling = next((m.ceiling.value for m in of if m.model == baseline), None)
    return DotPanel(words(budget), dots, ceiling)


def _tables(models: Sequence[Pooled], baseline: str) -> tuple[Table, ...]:
    rows = tuple(
        (
            *(m.model, words(m.budget), m.faithful),
            None if m.model == baseline else Change(m.gain),
            *(m.lift, m.control, m.ceiling, m.valid, m.accuracy),
            None if m.model == baseline else Change(m.accuracy_change),
        )
        for m in models
    )
    whole = Table(f"Every model over the whole grid, against {baseline}", _HEAD, rows, texts=2)
    erased = [m for m in models if m.top_word.n]
    return (whole, _top_words(erased, baseline)) if erased else (whole,)


def _top_words(models: Sequence[Pooled], baseline: str) -> Table:
    rows = tuple(
        (
            *(m.model, m.top_word, m.top_word_chance),
            None if m.model == baseline else m.same_top_word,
        )
        for m in models
    )
    head = ("model", "names the top word", "by chance", f"has the top word of {baseline}")
    return Table("Explanations by one word that name the most influential one", head, rows)
