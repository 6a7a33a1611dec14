"""`rl-faith evaluate`: every model on every task, style and budget, by the same checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from rl_faith.evaluation.judging import judge_policy
from rl_faith.evaluation.models import parse_models
from rl_faith.evaluation.scores import Cell, score
from rl_faith.explaining import Wish
from rl_faith.policies import Policy
from rl_faith.recipes import EvaluateRecipe
from rl_faith.rows import Key, row_of
from rl_faith.runs import Row, write_json
from rl_faith.styles import Budget, Style, load_style
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.work import ask_models, throughputs


@dataclass(frozen=True)
class _Plan:
    """One task of a grid: its examples, and what is asked about each."""

    task: Task
    styles: tuple[Style, ...]
    budgets: tuple[Budget, ...]
    examples: tuple[Example, ...]
    ceiling: frozenset[str]

    def keys(self, model: str, example: Example) -> set[Key]:
        """The rows that the example leaves for one model."""
        return {
            (model, self.task.name, style.name, budget, example.id)
            for style in self.styles
            for budget in self.budgets
        }

    def wishes(self, examples: Sequence[Example]) -> list[Wish]:
        """The explanations wanted for some examples."""
        return [(e, s, b) for e in examples for s in self.styles for b in self.budgets]


def evaluate(recipe: EvaluateRecipe) -> list[Cell]:
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


def _plan(name: str, recipe: EvaluateRecipe) -> _Plan:
    task = load_task(name)
    task.check_instructions(recipe.styles, recipe.budgets)
    task = task.with_undecided() if recipe.mode == "madsen" else task
    examples = load_examples(
        task, "test", source=recipe.data, n=recipe.examples_per_task, seed=recipe.seed
    )
    return _Plan(
        task,
        tuple(map(load_style, recipe.styles)),
        tuple(cast(Budget, budget) for budget in recipe.budgets),
        tuple(examples),
        frozenset(e.id for e in examples[: recipe.ceiling_examples]),
    )


def _judge(
    recipe: EvaluateRecipe, policy: Policy, model: str, plan: _Plan, examples: list[Example]
) -> list[Row]:
    verdicts = judge_policy(
        policy,
        plan.task,
        plan.wishes(examples),
        max_new_tokens=recipe.max_new_tokens,
        ceiling=plan.ceiling,
        seed=recipe.seed,
        mode=recipe.mode,
    )
    return [row_of(model, verdict) for verdict in verdicts]


def _order(models: Sequence[str], plans: Sequence[_Plan]) -> Callable[[Row], Any]:
    """Rows by model, task, style, budget and example, as the recipe and the data name them."""
    cells = [
        (m, p.task.name, s.name, b)
        for m in models
        for p in plans
        for s in p.styles
        for b in p.budgets
    ]
    cell = {key: i for i, key in enumerate(cells)}
    place = {(p.task.name, e.id, e.input): i for p in plans for i, e in enumerate(p.examples)}
    return lambda r: (
        cell[r["model"], r["task"], r["style"], r["budget"]],
        place[r["task"], r["id"], r["input"]],
    )
