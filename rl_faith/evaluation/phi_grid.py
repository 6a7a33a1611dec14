"""`rl-faith evaluate` with `test: counterfactual`: every model on every task and intervention."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rl_faith.checks import disclose
from rl_faith.evaluation.models import parse_models
from rl_faith.evaluation.phi_scores import PhiCell, score
from rl_faith.insertion_rows import insertion_row
from rl_faith.interventions import Intervention, load_intervention
from rl_faith.policies import Policy
from rl_faith.probing import insert, probe
from rl_faith.questions import Answer, Prediction
from rl_faith.recipes import CounterfactualEvaluateRecipe
from rl_faith.rows import Key
from rl_faith.runs import Row, write_json
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.work import ask_models, throughputs


@dataclass(frozen=True)
class _Plan:
    """One task of a grid: its examples, and what is inserted into them."""

    task: Task
    interventions: tuple[Intervention, ...]
    examples: tuple[Example, ...]
    seed: int

    def keys(self, model: str, example: Example) -> set[Key]:
        """The rows that the example leaves for one model: no decision changes which these are."""
        decided: dict[str, Answer] = {example.id: Prediction({self.task.label_words[0]: 0.0})}
        return {
            (model, self.task.name, i.intervention, _part(i.held_out), i.example.id)
            for i in insert(self.task, [example], decided, self.interventions, seed=self.seed)
        }


def _part(held_out: bool) -> str:
    return "held_out" if held_out else "train"


def evaluate_insertions(recipe: CounterfactualEvaluateRecipe) -> list[PhiCell]:
    """Run the recipe, or go on where it was stopped; return the cells (first process only)."""
    plans = [_plan(name, recipe) for name in recipe.tasks]
    models = parse_models(recipe.models)
    run = ask_models(recipe, models, plans, partial(_judge, recipe))
    if run is None:
        return []
    cells = score(run.merge(_order(list(models), plans)))
    results = {"cells": [cell.as_dict() for cell in cells], "throughput": throughputs(run)}
    write_json(run.path / "results.json", results)
    return cells


def _plan(name: str, recipe: CounterfactualEvaluateRecipe) -> _Plan:
    task = load_task(name)
    examples = load_examples(
        task, "test", source=recipe.data, n=recipe.examples_per_task, seed=recipe.seed
    )
    interventions = tuple(map(load_intervention, recipe.interventions))
    return _Plan(task, interventions, tuple(examples), recipe.seed)


def _judge(
    recipe: CounterfactualEvaluateRecipe,
    policy: Policy,
    model: str,
    plan: _Plan,
    examples: list[Example],
) -> list[Row]:
    probes = probe(
        policy,
        plan.task,
        examples,
        plan.interventions,
        order=recipe.order,
        max_new_tokens=recipe.max_new_tokens,
        seed=recipe.seed,
    )
    return [insertion_row(model, disclose(one)) for one in probes]


def _order(models: Sequence[str], plans: Sequence[_Plan]) -> Callable[[Row], Any]:
    """Rows by model, task, intervention and example, as the recipe and the data name them."""
    model = {name: i for i, name in enumerate(models)}
    task = {p.task.name: i for i, p in enumerate(plans)}
    names = {(p.task.name, iv.name): i for p in plans for i, iv in enumerate(p.interventions)}
    place = {(p.task.name, e.id, e.input): i for p in plans for i, e in enumerate(p.examples)}
    return lambda r: (
        model[r["model"]],
        task[r["task"]],
        names[r["task"], r["intervention"]],
        place[r["task"], r["original"], r["input_before"]],
        int(r["id"].rpartition("-")[2]),
    )
