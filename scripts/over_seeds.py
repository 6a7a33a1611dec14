"""Figures over seeds: evaluations of several samples of texts, of models of several trainings.

    python scripts/over_seeds.py runs/smollm2-135m/phi-suggestions/evaluate-trainings-*
    python scripts/over_seeds.py RUN RUN RUN --baseline sft

Rows of a model in several runs are taken together. Models named KIND-SEED are trainings of one
kind: below them stands their mean, with the interval of Student's t over trainings. Other
intervals are over texts. Of the counterfactual test: phi; of the self-consistency test: what a
report says of each cell, and McNemar's p of its gains; of both, the audit's figures. The baseline
is the first model, if none is named.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from seed_means import kind_and_seed

from rl_faith.errors import RunError
from rl_faith.evaluation.audit import audit
from rl_faith.evaluation.compare import choose, compare_rows
from rl_faith.evaluation.phi_scores import phi_within, score
from rl_faith.evaluation.reading import read_run
from rl_faith.report.pooled import pool
from rl_faith.stats import Estimate

Row = dict[str, Any]
Figures = dict[str, Any]
"""An estimate by what it is of."""
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5% quantiles of Student's t with 1, 2, … degrees of freedom; the last for all more."""
POOLED = ("faithful", "valid", "lift", "gain", "accuracy", "accuracy_change")

ORIGIN = {
    "form": "gain by form",
    "content": "gain by content",
    "faithful": "faithful gained where both are valid",
    "lift": "lift gained where both are valid",
    "place": "place gained where both are valid",
}


def read(runs: Sequence[Path]) -> list[Row]:
    """Rows of all runs, all of one test; an example explained twice counts once.

    Of insertions all count: those into one text differ from sample to sample.
    """
    rows = [row for run in runs for row in read_run(run)]
    tests = {"intervention" in row for row in rows}
    if len(tests) > 1:
        raise RunError("the runs hold both tests: name those of one")
    if tests == {True}:
        return rows
    cell = ("model", "task", "style", "budget", "id")
    return list({tuple(row[field] for field in cell): row for row in rows}.values())


def of_insertions(rows: Sequence[Row], baseline: str) -> dict[str, Figures]:
    """Of each model, phi in each cell and about the means of its cells."""
    found: dict[str, Figures] = defaultdict(dict)
    for cell in score(rows):
        where = f"{cell.task}, {cell.intervention}, {cell.part}"
        found[cell.model][f"phi, {where}"] = cell.phi
    for model, figures in found.items():
        figures["phi within cells"] = phi_within(r for r in rows if r["model"] == model)
    return found


def of_edits(rows: Sequence[Row], baseline: str) -> dict[str, Figures]:
    """Of each model, what a report says of each cell, and of all of them together."""
    cells: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        cells[row["task"], row["style"]].append(row)
    found: dict[str, Figures] = defaultdict(dict)
    for (task, style), of in cells.items():
        for pooled in pool(of, baseline):
            for name in POOLED:
                where = f"{name}, {task}, {style}, {pooled.budget}"
                found[pooled.model][where] = getattr(pooled, name)
    parts = [(row.model, f"{row.task}, {row.style}, {row.budget}", row.origin)
             for row in compare_rows(rows, baseline).rows]  # fmt: skip
    if len(cells) > 1:
        for pooled in pool(rows, baseline):
            where = f"all, all, {pooled.budget}"
            found[pooled.model] |= {f"{n}, {where}": getattr(pooled, n) for n in POOLED}
            if pooled.model != baseline:
                parts.append((pooled.model, where, pooled.origin))
    for model, where, origin in parts:
        for name, title in ORIGIN.items():
            found[model][f"{title}, {where}"] = getattr(origin, name)
    return found


def audited(rows: Sequence[Row], baseline: str) -> Iterator[tuple[str, str, Estimate]]:
    """Model, name and figure of all that the audit asks."""
    for finding in audit(rows, baseline):
        name = f"{finding.kind}, {finding.where}: {finding.figure} ({finding.limit})"
        yield finding.model, name, finding.estimate


def mean(values: Sequence[float]) -> Estimate:
    """Mean over trainings, 95% interval of Student's t."""
    n, centre = len(values), fmean(values)
    half = STUDENT[min(n, 10) - 2] * stdev(values) / n**0.5
    return Estimate(centre, centre - half, centre + half, n)


def table(found: Mapping[str, Figures]) -> Iterator[str]:
    """Models down, and behind those of one kind their mean."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for model in found:
        kinds[kind_and_seed(model)[0]].append(model)
    yield "| model | figure | value | n |\n|---|---|---|---|"
    for kind, models in kinds.items():
        for model in models:
            yield from (line(model, name, e) for name, e in found[model].items() if e.n)
        for name in found[models[0]]:
            values = [e.value for model in models if (e := found[model].get(name)) and e.n]
            if len(values) > 1:
                yield line(f"{kind}, mean of {len(values)} trainings", name, mean(values))


def line(model: str, name: str, estimate: Any) -> str:
    """A line of the table; "!" behind a phi of 0 that is not defined."""
    mark = "!" if getattr(estimate, "degenerate", False) else ""
    low, high = estimate.low, estimate.high
    interval = "" if low is None or high is None else f" ({low:z.2f} to {high:z.2f})"
    return f"| {model} | {name} | {estimate.value:z.2f}{mark}{interval} | {estimate.n} |"


def tested(rows: Sequence[Row], baseline: str) -> Iterator[str]:
    """Exact McNemar p of every gain, and by Holm over all of them."""
    yield f"\n| against {baseline} | cell | gain | p | by Holm | n |\n|---|---|---|---|---|---|"
    for row in compare_rows(rows, baseline).rows:
        cell = f"{row.task}, {row.style}, {row.budget}"
        gain = f"{row.difference.value:+.2f} | {row.p:.2g} | {row.p_holm:.2g}"
        yield f"| {row.model} | {cell} | {gain} | {row.n} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders that rl-faith evaluate wrote")
    parser.add_argument("--baseline", help="the model before training")
    given = parser.parse_args()
    try:
        rows = read(given.runs)
        first = choose(given.baseline, [row["model"] for row in rows])
        phi = any("intervention" in row for row in rows)
        found = of_insertions(rows, first) if phi else of_edits(rows, first)
        for model, name, estimate in audited(rows, first):
            found[model][name] = estimate
        lines = [*table(found), *([] if phi else tested(rows, first))]
    except RunError as error:
        sys.exit(str(error))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
