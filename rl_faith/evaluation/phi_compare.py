"""Comparing models by the counterfactual test: phi, and its difference over the same examples."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rl_faith.correlation import correlation_difference
from rl_faith.errors import RunError
from rl_faith.evaluation.phi_scores import CellKey, PhiCell, by_cell, score_cell
from rl_faith.evaluation.scores import Row, is_scored
from rl_faith.stats import Estimate, paired_difference


@dataclass(frozen=True)
class PhiDifference:
    """One model against the baseline in one cell, over the examples that both have scored.

    A suggestion depends on a model's own answer, so that the insertions are not always the same;
    the examples that they are made in are.

    Attributes:
        model: Name of the other model.
        task: Name of the task.
        intervention: Name of the intervention.
        part: "train" or "held_out".
        baseline: Name of the baseline.
        n: Examples that both have.
        difference: Phi minus that of the baseline; the bootstrap draws whole examples.
        accuracy_difference: Accuracy on the unedited examples minus that of the baseline.
    """

    model: str
    task: str
    intervention: str
    part: str
    baseline: str
    n: int
    difference: Estimate
    accuracy_difference: Estimate


@dataclass(frozen=True)
class PhiComparison:
    """What `rl-faith compare` found about evaluations by the counterfactual test.

    Attributes:
        baseline: Name of the model that the others are compared with.
        models: Names of all models, the baseline among them, in the order of the runs.
        cells: Scores of each model.
        rows: Differences, model by model.
    """

    baseline: str
    models: tuple[str, ...]
    cells: tuple[PhiCell, ...]
    rows: tuple[PhiDifference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison, ready for JSON."""
        return asdict(self)


def compare_phi(rows: Sequence[Row], baseline: str) -> PhiComparison:
    """Compare every model with the baseline, cell by cell.

    Raises:
        RunError: examples of the same id differ.
    """
    cells = by_cell(rows)
    models = tuple(dict.fromkeys(model for model, *_ in cells))
    others = [
        (key, cells[baseline, *key[1:]], mine)
        for key, mine in cells.items()
        if key[0] != baseline and (baseline, *key[1:]) in cells
    ]
    return PhiComparison(
        baseline,
        models,
        tuple(score_cell(key, group) for key, group in cells.items()),
        tuple(_difference(baseline, *other) for other in others),
    )


def _difference(
    baseline: str, key: CellKey, first: Sequence[Row], second: Sequence[Row]
) -> PhiDifference:
    before, after = _by_original(first), _by_original(second)
    shared = sorted(before.keys() & after.keys())
    _check_same(key, before, after, shared)
    return PhiDifference(
        *key,
        baseline=baseline,
        n=len(shared),
        difference=correlation_difference(
            [_pairs(before[name]) for name in shared], [_pairs(after[name]) for name in shared]
        ),
        accuracy_difference=paired_difference(
            [_is_right(before[name][0]) for name in shared],
            [_is_right(after[name][0]) for name in shared],
        ),
    )


def _by_original(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if is_scored(row):
            found.setdefault(row["original"], []).append(row)
    return found


def _check_same(
    key: CellKey,
    before: Mapping[str, Sequence[Row]],
    after: Mapping[str, Sequence[Row]],
    shared: Sequence[str],
) -> None:
    for name in shared:
        a, b = before[name][0], after[name][0]
        if any(a[field] != b[field] for field in ("input_before", "context_before", "gold")):
            raise RunError(
                f"example {name!r} of {key[1]} has another text or gold label for {key[0]!r} than "
                "for the baseline: evaluate both on the same data"
            )


def _pairs(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [float(r["impact"]) for r in rows], [float(r["mentioned"]) for r in rows]


def _is_right(row: Row) -> float:
    return float(row["label_before"] == row["gold"])
