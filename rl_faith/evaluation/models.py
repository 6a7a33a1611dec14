"""Every model of an evaluation in turn, task by task: resumable, over one process or several."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Protocol, TypeVar

from rl_faith.errors import RecipeError
from rl_faith.policies import Policy
from rl_faith.policies.opening import open_policy
from rl_faith.recipes import CounterfactualEvaluateRecipe, EvaluateRecipe
from rl_faith.rows import Key
from rl_faith.runs import Row, Run
from rl_faith.tasks import Example, Task
from rl_faith.work import go_through, missing, start


class Plan(Protocol):
    """One task of an evaluation, and what is asked about its examples."""

    @property
    def task(self) -> Task:
        """What is asked."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """What it is asked about."""

    def keys(self, model: str, example: Example) -> set[Key]:
        """The rows that the example leaves for one model."""


P = TypeVar("P", bound=Plan)


def judge_models(
    recipe: EvaluateRecipe | CounterfactualEvaluateRecipe,
    plans: Sequence[P],
    judge: Callable[[Policy, str, P, list[Example]], list[Row]],
) -> Run | None:
    """Judge what each model says about each task, or go on where it was stopped.

    Args:
        recipe: Names the models and the run directory.
        plans: The tasks.
        judge: From policy, model name, plan and some of its examples to all their rows.

    Returns:
        The run, ready to be merged; None in every process but the first.
    """
    models, labels = parse_models(recipe.models), [plan.task.label_words for plan in plans]
    state, run, done = start(recipe.out, asdict(recipe))
    for name, where in models.items():
        policy = cache(partial(open_policy, recipe, where, labels, str(state.device)))
        for plan in plans:
            if rest := missing(state, plan.examples, partial(plan.keys, name), done):
                # No name for the judge: it would keep this model alive beside the next one.
                go_through(
                    run,
                    rest,
                    partial(judge, policy(), name, plan),
                    done,
                    chunk=recipe.chunk,
                    label=f"{name} {plan.task.name}",
                )
        policy.cache_clear()
    state.wait_for_everyone()
    return run if state.is_main_process else None


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
