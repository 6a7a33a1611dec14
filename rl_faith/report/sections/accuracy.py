"""Are the decisions themselves still as good? As in Doi et al. 2025, Table 7."""

from collections.abc import Mapping, Sequence

from rl_faith.evaluation.scores import Row, is_scored
from rl_faith.report import published
from rl_faith.report.contents import Change, Section, Table, Value, listed
from rl_faith.report.formatting import difference
from rl_faith.report.material import Material
from rl_faith.stats import Estimate, paired_difference, share

_Right = dict[tuple[str, str], dict[str, bool]]
"""By model and task: whether each example is decided right."""


def accuracy(material: Material) -> Section | None:
    """Accuracy of every model on every task, and its change."""
    tests = [
        ("self-consistency", material.edits, material.read.edits),
        ("counterfactual test", material.insertions, material.read.insertions),
    ]
    found = [(name, c.baseline, _right(rows)) for name, c, rows in tests if c]
    if not found:
        return None
    changes = {
        f"{model} on {task}": _change(right.get((baseline, task), {}), mine)
        for _, baseline, right in found
        for (model, task), mine in right.items()
        if model != baseline
    }
    down = {k: c for k, c in changes.items() if c.high is not None and c.high < 0}
    return Section(
        "accuracy",
        "Accuracy of the decisions",
        _conclusion(changes, down),
        tables=tuple(_table(*of) for of in found),
        notes=(
            "Every example counts once, with Wilson's interval. Changes are against the baseline "
            "over the examples that both have scored; * where the interval leaves out 0.",
        ),
        warns=any((c.value or 0) < -0.02 for c in down.values()),
    )


def _right(rows: Sequence[Row]) -> _Right:
    found: _Right = {}
    for row in filter(is_scored, rows):
        label = row["label_before"] if "intervention" in row else row["prediction"]
        example = row.get("original", row["id"])
        found.setdefault((row["model"], row["task"]), {})[example] = label == row["gold"]
    return found


def _change(before: Mapping[str, bool], after: Mapping[str, bool]) -> Estimate:
    shared = [name for name in after if name in before]
    return paired_difference([before[name] for name in shared], [after[name] for name in shared])


def _conclusion(changes: Mapping[str, Estimate], down: Mapping[str, Estimate]) -> str:
    if not changes:
        return "There is no model to compare accuracy with."
    if not down:
        return f"Accuracy fell clearly in none of {len(changes)} comparisons with the baseline."
    ranked = sorted(down, key=lambda name: down[name].value or 0)
    worst = f"{ranked[0]}, {difference(down[ranked[0]])}"
    others = f"; then {listed(ranked[1:], 3)}" if ranked[1:] else ""
    total = f"{len(down)} of {len(changes)} comparisons"
    return f"Accuracy fell clearly in {total}: most for {worst}{others}."


def _table(test: str, baseline: str, right: _Right) -> Table:
    tasks = list(dict.fromkeys(task for _, task in right))
    rows: list[tuple[Value, ...]] = [
        (model, *(value for task in tasks for value in _entries(right, model, task, baseline)))
        for model in dict.fromkeys(model for model, _ in right)
    ]
    known: list[tuple[Value, ...]] = [
        (name, *(value for task in tasks for value in (figures.get(task), None)))
        for name, figures in published.ACCURACY.items()
        if any(task in figures for task in tasks)
    ]
    head = ("model", *(name for task in tasks for name in (task, f"change on {task}")))
    caption = f"Share of right decisions, {test}"
    return Table(caption, head, tuple(rows), published=tuple(known))


def _entries(right: _Right, model: str, task: str, baseline: str) -> tuple[Value, Value]:
    if (mine := right.get((model, task))) is None:
        return None, None
    change = Change(_change(right.get((baseline, task), {}), mine))
    return share(list(mine.values())), None if model == baseline else change
