"""Asking models about examples: in chunks, over several processes, with progress, resumable."""

import atexit
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar

import torch
from accelerate import PartialState
from tqdm import tqdm

from rl_faith.errors import RunError
from rl_faith.policies import Policy
from rl_faith.policies.opening import open_policy
from rl_faith.policies.usage import Meter, Usage, throughput, total
from rl_faith.recipes import (
    BuildRecipe,
    CounterfactualBuildRecipe,
    CounterfactualEvaluateRecipe,
    EvaluateRecipe,
)
from rl_faith.rows import Key, key_of
from rl_faith.runs import Row, Run
from rl_faith.tasks import Example, Task

Asking = BuildRecipe | CounterfactualBuildRecipe | EvaluateRecipe | CounterfactualEvaluateRecipe


class Plan(Protocol):
    """One task, and what is asked about its examples."""

    @property
    def task(self) -> Task:
        """What is asked."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """What it is asked about."""

    def keys(self, model: str, example: Example) -> set[Key]:
        """The rows that the example leaves for one model."""


P = TypeVar("P", bound=Plan)
Judge = Callable[[Policy, str, P, list[Example]], list[Row]]


def ask_models(
    recipe: Asking, models: dict[str, str], plans: Sequence[P], judge: Judge[P]
) -> Run | None:
    """Ask every model about every task, or go on where that was stopped.

    Args:
        recipe: Says who answers, and where the run directory is.
        models: Name and place of each.
        plans: The tasks.
        judge: From policy, model name, plan and some of its examples to all their rows.

    Returns:
        The run, ready to be merged; None in every process but the first.

    Raises:
        RunError: the run directory belongs to another recipe, cannot be written, or is not the same
            for all processes.
    """
    state, run, done = _start(recipe)
    for name, where in models.items():
        left = {
            i: rest
            for i, plan in enumerate(plans)
            if (rest := _missing(state, plan.examples, partial(plan.keys, name), done))
        }
        if left:
            labels = [plan.task.label_words for plan in plans]
            # Held by this call alone: a name here would keep this model beside the next one.
            _ask(
                run,
                open_policy(recipe, where, labels, str(state.device)),
                name,
                [(plans[i], rest) for i, rest in left.items()],
                judge,
                done,
                chunk=recipe.chunk,
            )
    state.wait_for_everyone()
    # Left to the end of the process, gloo's threads abort it now and then (training/carded.py).
    atexit.register(state.destroy_process_group)
    if not state.is_main_process:
        return None
    _check_whole(run, {k for n in models for p in plans for e in p.examples for k in p.keys(n, e)})
    return run


def _check_whole(run: Run, wanted: set[Key]) -> None:
    """Machines that do not share a disk would each be content with their own rows."""
    if missing := len(wanted - {key_of(row) for row in run.rows()}):
        raise RunError(
            f"{run.path} lacks {missing} of {len(wanted)} rows that other processes wrote: "
            "give --out a folder that all machines share, and run the same command again"
        )


def _start(recipe: Asking) -> tuple[PartialState, Run, set[Key]]:
    """Open the run in every process; return what is done already.

    No process writes before every process has read.
    """
    # Without an accelerator, processes find each other only when told that they are on the CPU.
    state = PartialState(cpu=not torch.accelerator.is_available())
    run = Run(recipe.out, rank=state.process_index)
    if state.is_main_process:
        run.open(asdict(recipe), device=str(state.device), seed=recipe.seed)
    state.wait_for_everyone()
    done = {key_of(row) for row in run.rows()}
    state.wait_for_everyone()
    return state, run, done


def _missing(
    state: PartialState,
    examples: Sequence[Example],
    keys: Callable[[Example], set[Key]],
    done: set[Key],
) -> list[Example]:
    """This process's share of the examples of which some row is still to be written."""
    share = examples[state.process_index :: state.num_processes]
    return [example for example in share if not keys(example) <= done]


def _ask(
    run: Run,
    policy: Policy,
    name: str,
    asked: Sequence[tuple[P, list[Example]]],
    judge: Judge[P],
    done: set[Key],
    *,
    chunk: int,
) -> None:
    """Ask one model; write each chunk's new rows, and what they took, at once."""
    meter = Meter(policy.usage)
    for plan, examples in asked:
        rest, label = iter(examples), f"{name} {plan.task.name}"
        with tqdm(total=len(examples), desc=label, unit="ex", disable=run.rank > 0) as bar:
            while batch := list(islice(rest, chunk)):
                rows = judge(policy, name, plan, batch)
                run.append([row for row in rows if key_of(row) not in done])
                run.append_usage({"model": name, **vars(meter.read())})
                bar.update(len(batch))


def throughputs(run: Run) -> dict[str, dict[str, Any]]:
    """What each model was asked and how fast it answered, over all processes and sittings.

    Seconds are those of all processes together, so rates are those of one process.
    """
    taken: dict[str, list[Usage]] = {}
    for row in run.usage():
        name = row.pop("model")
        taken.setdefault(name, []).append(Usage(**row))
    return {name: throughput(total(parts)) for name, parts in taken.items()}
