"""`rl-faith build` with `test: counterfactual`: insertions, whether they mattered, and a pool.

For each example: predict, insert factors, predict again with each. Every insertion is one row of
`instances.jsonl`. `pool.jsonl` holds as many insertions that mattered as such that did not, for
each task and intervention (Cheah et al. 2026); `train.jsonl` the disclosures to fine-tune on.
Phrases that are kept from training are in neither.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from rl_faith.checks import Probe, disclose
from rl_faith.disclosing import training_pairs
from rl_faith.explaining import predict_labels
from rl_faith.insertion_rows import insertion_of, insertion_row
from rl_faith.interventions import Insertion, Intervention, load_intervention
from rl_faith.policies import Policy
from rl_faith.probing import insert
from rl_faith.questions import Answer, Prediction
from rl_faith.recipes import CounterfactualBuildRecipe
from rl_faith.rows import Key
from rl_faith.runs import Row, write_atomically, write_json
from rl_faith.stats import share
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.work import ask_models, throughputs

# A build keeps no explanation: the policy is asked for its decisions alone.
MODEL = "build"


@dataclass(frozen=True)
class _Plan:
    """One task of a build, and what is inserted into its examples."""

    task: Task
    interventions: tuple[Intervention, ...]
    examples: tuple[Example, ...]
    seed: int

    def insertions(
        self, examples: Sequence[Example], decided: dict[str, Answer]
    ) -> list[Insertion]:
        """Every insertion that the examples get."""
        return insert(
            self.task, examples, decided, self.interventions, seed=self.seed, part="train"
        )

    def keys(self, model: str, example: Example) -> set[Key]:
        """The rows that the example leaves: what is inserted where hangs on no decision."""
        decided: dict[str, Answer] = {example.id: Prediction({self.task.label_words[0]: 0.0})}
        return {
            (model, self.task.name, i.intervention, "train", i.example.id)
            for i in self.insertions([example], decided)
        }


def build_pool(recipe: CounterfactualBuildRecipe) -> list[Row]:
    """Run the recipe, or go on where it was stopped; return the pool (first process only)."""
    plans = [_plan(load_task(name), recipe) for name in recipe.tasks]
    run = ask_models(recipe, {MODEL: recipe.model_name_or_path}, plans, _judge)
    if run is None:
        return []
    rows = run.merge(_order(plans))
    pool = balanced(rows, most=recipe.pool_per_cell, seed=recipe.seed)
    pairs = training_pairs(
        {plan.task.name: plan.task for plan in plans},
        [(row, insertion_of(row)) for row in pool],
        truthful=recipe.mentions == "truthful",
        seed=recipe.seed,
    )
    write_atomically(run.path / "pool.jsonl", _lines(pool))
    write_atomically(run.path / "train.jsonl", _lines(pairs))
    results = {"pairs": len(pairs), "cells": _counts(rows, pool), "throughput": throughputs(run)}
    write_json(run.path / "results.json", results)
    return pool


def _plan(task: Task, recipe: CounterfactualBuildRecipe) -> _Plan:
    examples = load_examples(
        task, "train", source=recipe.data, n=recipe.examples_per_task, seed=recipe.seed
    )
    interventions = tuple(map(load_intervention, recipe.interventions))
    return _Plan(task, interventions, tuple(examples), recipe.seed)


def _judge(policy: Policy, model: str, plan: _Plan, examples: list[Example]) -> list[Row]:
    """All rows of a chunk: two calls, since a suggestion depends on the first answer."""
    before = predict_labels(policy, plan.task, examples)
    inserted = plan.insertions(examples, before)
    after = predict_labels(policy, plan.task, [i.example for i in inserted])
    probes = [Probe(plan.task, i, before[i.original.id], after[i.example.id], "") for i in inserted]
    return [insertion_row(model, disclose(probe)) for probe in probes]


def balanced(rows: Iterable[Row], *, most: int, seed: int) -> list[Row]:
    """As many insertions with impact as without, at most `most` for each task and intervention."""
    piles: dict[tuple[str, str], dict[bool, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["status"] == "scored":
            piles[row["task"], row["intervention"]][row["impact"]].append(row)
    chosen: list[Row] = []
    for cell, pile in piles.items():
        rng = Random(f"{seed}-{cell}")
        size = min(len(pile[True]), len(pile[False]), most // 2)
        taken = {r["id"] for impact in (True, False) for r in rng.sample(pile[impact], size)}
        chosen += [row for impact in (True, False) for row in pile[impact] if row["id"] in taken]
    return chosen


def _counts(rows: Sequence[Row], pool: Sequence[Row]) -> list[dict[str, Any]]:
    """How many insertions each cell took, how many mattered, and how many are in the pool."""
    cells: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        cells[row["task"], row["intervention"]].append(row)
    return [
        {
            "task": task,
            "intervention": intervention,
            "insertions": len(group),
            "unscored": sum(row["status"] == "unscored" for row in group),
            "impact": share([r["impact"] for r in group if r["status"] == "scored"]).as_dict(),
            "pool": sum((r["task"], r["intervention"]) == (task, intervention) for r in pool),
        }
        for (task, intervention), group in cells.items()
    ]


def _order(plans: Sequence[_Plan]) -> Callable[[Row], Any]:
    """Rows by task and example, as the recipe and the data name them."""
    tasks = {p.task.name: i for i, p in enumerate(plans)}
    places = {(p.task.name, e.id, e.input): i for p in plans for i, e in enumerate(p.examples)}
    return lambda r: (
        tasks[r["task"]],
        places[r["task"], r["original"], r["input_before"]],
        r["intervention"],
        int(r["id"].rpartition("-")[2]),
    )


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
