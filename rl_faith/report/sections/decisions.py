"""Are the decisions still the baseline's, and as sure? Explanations are about them. Ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rl_faith.evaluation.audit import KEPT
from rl_faith.evaluation.scores import Row, is_scored
from rl_faith.report.contents import Change, Section, Table
from rl_faith.report.formatting import difference
from rl_faith.report.formatting import share as shown
from rl_faith.report.material import Material
from rl_faith.stats import Estimate, bootstrap_mean, paired_difference, share

_Decisions = dict[tuple[str, str], dict[str, tuple[str, float]]]
"""By model and task: label of each unedited example, and its probability."""


@dataclass(frozen=True)
class _Held:
    """How far a model's decisions are the baseline's: label by label, and in probability."""

    model: str
    task: str
    same: Estimate
    probability: Estimate
    change: Estimate


def decisions(material: Material) -> Section | None:
    """Agreement with the baseline's decisions, and how sure the own ones are."""
    tests = [
        ("self-consistency", material.edits, material.read.edits),
        ("counterfactual test", material.insertions, material.read.insertions),
    ]
    found = {name: _held(_decided(rows), c.baseline) for name, c, rows in tests if c}
    moved = [held for of in found.values() for held in of if held.same.n]
    if not moved:
        return None
    return Section(
        "decisions",
        "What is decided, and how surely",
        _conclusion(moved),
        tables=tuple(_table(name, of) for name, of in found.items() if of),
        notes=(
            "Same decisions: share of the examples that both have scored, with Wilson's interval. "
            "Probability: mean of that of the label decided for. Of a surer model fewer edits "
            "change the decision, whatever word they are about.",
        ),
        warns=any((held.same.value or 0) < KEPT for held in moved),
    )


def _decided(rows: Sequence[Row]) -> _Decisions:
    found: _Decisions = {}
    for row in filter(is_scored, rows):
        inserted = "intervention" in row
        label = row["label_before" if inserted else "prediction"]
        told = row.get("probabilities_before" if inserted else "probabilities") or {}
        if label in told:
            example = row.get("original", row["id"])
            found.setdefault((row["model"], row["task"]), {})[example] = (label, told[label])
    return found


def _held(found: _Decisions, baseline: str) -> list[_Held]:
    return [
        _compared(*of, mine, {} if of[0] == baseline else found.get((baseline, of[1]), {}))
        for of, mine in found.items()
    ]


def _compared(
    model: str,
    task: str,
    mine: Mapping[str, tuple[str, float]],
    before: Mapping[str, tuple[str, float]],
) -> _Held:
    shared = [example for example in mine if example in before]
    return _Held(
        model,
        task,
        share([mine[e][0] == before[e][0] for e in shared]),
        bootstrap_mean([probability for _, probability in mine.values()]),
        paired_difference([before[e][1] for e in shared], [mine[e][1] for e in shared]),
    )


def _table(test: str, of: Sequence[_Held]) -> Table:
    head = ("model", "task", "same decisions", "probability", "change")
    rows = tuple(
        (
            *(held.model, held.task, held.same if held.same.n else None, held.probability),
            Change(held.change) if held.change.n else None,
        )
        for held in of
    )
    return Table(f"Decisions beside the baseline's, {test}", head, rows, texts=2)


def _conclusion(moved: Sequence[_Held]) -> str:
    least = min(moved, key=lambda held: held.same.value or 0)
    kept = f"Of the baseline's decisions {least.model} on {least.task} keeps the fewest, "
    kept += shown(least.same.value)
    surer = [held for held in moved if (held.change.low or 0) > 0]
    if not surer:
        return f"{kept}; no model decides clearly more surely than the baseline."
    most = max(surer, key=lambda held: held.change.value or 0)
    return (
        f"{kept}; {len(surer)} of {len(moved)} decide clearly more surely, most of all "
        f"{most.model} on {most.task}, {difference(most.change)}."
    )
