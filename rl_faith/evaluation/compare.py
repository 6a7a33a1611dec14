"""Comparing models: run directories in, paired differences on the same examples out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rl_faith.errors import RunError
from rl_faith.evaluation.origin import Origin, trace
from rl_faith.evaluation.reading import read_runs
from rl_faith.evaluation.scores import Cell, CellKey, Row, by_cell, is_scored, score_cell
from rl_faith.stats import Estimate, holm, mcnemar, paired_difference, share
from rl_faith.text import fold

_SAME = ("input", "context", "gold", "mode")


@dataclass(frozen=True)
class Difference:
    """One model against the baseline in one cell, over the examples that both have scored.

    Attributes:
        model: Name of the other model.
        task: Name of the task.
        style: Name of the explanation style.
        budget: "one" or "multi".
        baseline: Name of the baseline.
        n: Paired examples.
        baseline_faithful_all: Share of the paired examples on which the baseline is faithful.
        faithful_all: The same share for the other model.
        difference: `faithful_all` minus `baseline_faithful_all`, paired bootstrap interval.
        p: Exact two-sided McNemar test of "no difference".
        p_holm: `p` corrected (Holm) over every row of the comparison.
        origin: `difference` by where it comes from, valid replies or better ones.
        accuracy_difference: Accuracy of the model minus that of the baseline, paired as well.
        same_top_word: Share of the paired examples, of those of which every word was erased for
            both models, that both are driven by the same word in.
    """

    model: str
    task: str
    style: str
    budget: str
    baseline: str
    n: int
    baseline_faithful_all: Estimate
    faithful_all: Estimate
    difference: Estimate
    p: float
    p_holm: float
    origin: Origin
    accuracy_difference: Estimate
    same_top_word: Estimate


@dataclass(frozen=True)
class Comparison:
    """What `rl-faith compare` found.

    Attributes:
        baseline: Name of the model that the others are compared with.
        models: Names of all models, the baseline among them, in the order of the runs.
        cells: Scores of each model over all its own scored rows.
        rows: Paired differences, model by model.
        unpaired: Cells that model and baseline both have without one scored example in common.
    """

    baseline: str
    models: tuple[str, ...]
    cells: tuple[Cell, ...]
    rows: tuple[Difference, ...]
    unpaired: tuple[CellKey, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison, ready for JSON."""
        return asdict(self)


def compare_runs(paths: Sequence[Path], baseline: str | None = None) -> Comparison:
    """Compare every model in the runs with the baseline, cell by cell.

    Args:
        paths: Run directories, each with an `instances.jsonl` of one or several models.
        baseline: Name of a model; None for the first model of the first run.

    Raises:
        RunError: a run cannot be read, the baseline is unknown, a model shares no scored example
            with it, or examples of the same id differ.
    """
    return compare_rows(read_runs(paths), baseline)


def compare_rows(rows: Sequence[Row], baseline: str | None) -> Comparison:
    """Compare the models of some judged rows, as `compare_runs` does."""
    cells = by_cell(rows)
    models = tuple(dict.fromkeys(model for model, *_ in cells))
    first = choose(baseline, models)
    found = {name: _paired_cells(cells, first, name) for name in models if name != first}
    pairs = {key: pairs for of_model in found.values() for key, pairs in of_model.items()}
    return Comparison(
        baseline=first,
        models=models,
        cells=tuple(score_cell(key, rows) for key, rows in cells.items()),
        rows=_corrected([_difference(first, key, rows) for key, rows in pairs.items() if rows]),
        unpaired=tuple(key for key, rows in pairs.items() if not rows),
    )


def choose(baseline: str | None, models: Sequence[str]) -> str:
    """The baseline: the first model where none is named.

    Raises:
        RunError: no model is named so.
    """
    if baseline is None:
        return models[0]
    if baseline not in models:
        near = get_close_matches(baseline, models, n=1, cutoff=0.0)[0]
        raise RunError(f"no model is named {baseline!r}: did you mean {near!r}?")
    return baseline


def _paired_cells(
    cells: Mapping[CellKey, list[Row]], baseline: str, model: str
) -> dict[CellKey, list[tuple[Row, Row]]]:
    """Pairs of scored rows, baseline's first, in each cell of `model` that the baseline has."""
    pairs = {
        key: _pairs(cells[baseline, *key[1:]], rows)
        for key, rows in cells.items()
        if key[0] == model and (baseline, *key[1:]) in cells
    }
    if not any(pairs.values()):
        raise RunError(
            f"{baseline!r} and {model!r} share no scored example: "
            "evaluate both on the same tasks, styles and data"
        )
    return pairs


def _pairs(first: Sequence[Row], second: Sequence[Row]) -> list[tuple[Row, Row]]:
    before, after = _by_id(first), _by_id(second)
    pairs = [(row, after[name]) for name, row in before.items() if name in after]
    for a, b in pairs:
        if any(a.get(field) != b.get(field) for field in _SAME):
            raise RunError(
                f"example {a['id']!r} of {a['task']} has another text, gold label or mode for "
                f"{a['model']!r} than for {b['model']!r}: evaluate both on the same data and mode"
            )
    return [(a, b) for a, b in pairs if is_scored(a) and is_scored(b)]


def _by_id(rows: Sequence[Row]) -> dict[str, Row]:
    found = {row["id"]: row for row in rows}
    if len(found) < len(rows):
        twice = Counter(row["id"] for row in rows).most_common(1)[0][0]
        cell = ", ".join(rows[0][field] for field in ("model", "task", "style", "budget"))
        raise RunError(f"example {twice!r} comes more than once in {cell}: keep one of its rows")
    return found


def _difference(baseline: str, key: CellKey, pairs: Sequence[tuple[Row, Row]]) -> Difference:
    before, after = ([row["faithful"] for row in side] for side in zip(*pairs, strict=True))
    right, right_after = (
        [row["prediction"] == row["gold"] for row in side] for side in zip(*pairs, strict=True)
    )
    # Lost and gained: the pairs in which only one of the two models is faithful.
    p = mcnemar(sum(map(bool.__gt__, before, after)), sum(map(bool.__lt__, before, after)))
    return Difference(
        *key,
        baseline=baseline,
        n=len(pairs),
        baseline_faithful_all=share(before),
        faithful_all=share(after),
        difference=paired_difference(before, after),
        p=p,
        p_holm=p,
        origin=trace(pairs),
        accuracy_difference=paired_difference(right, right_after),
        same_top_word=share([s for a, b in pairs if (s := same_top_word(a, b)) is not None]),
    )


def same_top_word(one: Row, other: Row) -> bool | None:
    """Whether two models are driven by the same word of an input (ours).

    An explanation learnt from one model is about another one by the time that it is learnt.

    Returns:
        None where not every word was erased for both.
    """
    first, second = one.get("most_influential"), other.get("most_influential")
    return fold(first) == fold(second) if first and second else None


def _corrected(rows: Sequence[Difference]) -> tuple[Difference, ...]:
    corrected = holm([row.p for row in rows])
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, corrected, strict=True))
