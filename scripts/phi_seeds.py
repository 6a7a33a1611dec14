"""Phi over seeds: evaluations of several samples of texts, of models of several trainings.

    python scripts/phi_seeds.py runs/smollm2-135m/phi-suggestions/evaluate*

Rows of a model in several runs are taken together. Models named KIND-SEED are trainings of one
kind: below each of them stands their mean, with the interval of Student's t over trainings. Other
intervals are over texts, by bootstrap.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from seed_means import kind_and_seed

from rl_faith.errors import RunError
from rl_faith.evaluation.phi_scores import phi_within, score
from rl_faith.evaluation.reading import read_run
from rl_faith.stats import Estimate

Row = dict[str, Any]
Figures = dict[str, Any]
"""An estimate by what it is of."""
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5% quantiles of Student's t with 1, 2, … degrees of freedom; the last for all more."""


def figures(rows: Sequence[Row]) -> Figures:
    """Phi in each cell of one model, and about the means of its cells over all of them."""
    found: Figures = {f"phi, {c.task}, {c.intervention}, {c.part}": c.phi for c in score(rows)}
    return found | {"phi within cells": phi_within(rows)}


def read(runs: Sequence[Path]) -> dict[str, Figures]:
    """Figures of each model, from its rows in all runs together."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for run in runs:
        for row in read_run(run):
            if "intervention" not in row:
                raise RunError(f"{run} is no evaluation by the counterfactual test: name one")
            rows[row["model"]].append(row)
    return {model: figures(of) for model, of in rows.items()}


def mean(values: Sequence[float]) -> Estimate:
    """Mean over trainings, 95% interval of Student's t."""
    n, centre = len(values), fmean(values)
    half = STUDENT[min(n, 10) - 2] * stdev(values) / n**0.5
    return Estimate(centre, centre - half, centre + half, n)


def table(found: dict[str, Figures]) -> Iterator[str]:
    """Models down, and behind those of one kind their mean."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for model in found:
        kinds[kind_and_seed(model)[0]].append(model)
    yield "| model | figure | value | n |\n|---|---|---|---|"
    for kind, models in kinds.items():
        for model in models:
            yield from (row(model, name, e) for name, e in found[model].items())
        for name in found[models[0]]:
            values = [found[model][name].value for model in models if name in found[model]]
            if len(values) > 1:
                yield row(f"{kind}, mean of {len(values)} trainings", name, mean(values))


def row(model: str, name: str, estimate: Any) -> str:
    """A line of the table; an undefined phi counts as 0."""
    low, high = estimate.low, estimate.high
    interval = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return f"| {model} | {name} | {estimate.value:.2f}{interval} | {estimate.n} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders that rl-faith evaluate wrote")
    try:
        lines = list(table(read(parser.parse_args().runs)))
    except RunError as error:
        sys.exit(str(error))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
