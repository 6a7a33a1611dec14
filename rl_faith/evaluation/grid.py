"""`rl-faith evaluate`: every model on every task, style and budget, by the same checks."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any, cast

from rl_faith.errors import RecipeError
from rl_faith.evaluation.judging import judge_policy
from rl_faith.evaluation.scores import Cell, score
from rl_faith.explaining import Wish
from rl_faith.policies import Policy
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.recipes import EvaluateRecipe
from rl_faith.rows import Key, row_of
from rl_faith.runs import Row, write_json
from rl_faith.styles import Budget, Style, load_style
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.work import go_through, missing, start


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
    models = parse_models(recipe.models)
    plans = [_plan(name, recipe) for name in recipe.tasks]
    state, run, done = start(recipe.out, asdict(recipe))
    for name, where in models.items():
        policy = cache(partial(_load, where, recipe, plans, str(state.device)))
        for plan in plans:
            if rest := missing(state, plan.examples, partial(plan.keys, name), done):
                # No name for the judge: it would keep this model alive beside the next one.
                go_through(
                    run,
                    rest,
                    partial(_judge, policy(), name, plan, recipe),
                    done,
                    chunk=recipe.chunk,
                    label=f"{name} {plan.task.name}",
                )
        policy.cache_clear()
    state.wait_for_everyone()
    if not state.is_main_process:
        return []
    cells = score(run.merge(_order(list(models), plans)))
    write_json(run.path / "results.json", {"cells": [cell.as_dict() for cell in cells]})
    return cells


def parse_models(models: Sequence[str]) -> dict[str, str]:
    """Read "name=where" entries; a bare "where" is its own name.

    Raises:
        RecipeError: no model, or two of the same name.
    """
    pairs = [entry.split("=", 1) if "=" in entry else [entry, entry] for entry in models]
    names = [name for name, _ in pairs]
    if not names or len(set(names)) < len(names):
        raise RecipeError(f"models must be one or more different name=where, not {list(models)}")
    return {name: where for name, where in pairs}  # noqa: C416 - pairs are lists


def _plan(name: str, recipe: EvaluateRecipe) -> _Plan:
    task = load_task(name)
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


def _load(where: str, recipe: EvaluateRecipe, plans: Sequence[_Plan], device: str) -> Policy:
    policy = TransformersPolicy.load(where, dtype=recipe.dtype, device=device)
    for plan in plans:
        policy.check_labels(plan.task.label_words)
    return policy


def _judge(
    policy: Policy, model: str, plan: _Plan, recipe: EvaluateRecipe, examples: list[Example]
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
