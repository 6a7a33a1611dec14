"""Going through examples in chunks: shared between processes, with progress, resumable."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import torch
from accelerate import PartialState
from tqdm import tqdm

from rl_faith.rows import Key, key_of
from rl_faith.runs import Row, Run
from rl_faith.tasks import Example


def start(out: str, recipe: dict[str, Any]) -> tuple[PartialState, Run, set[Key]]:
    """Open the run in every process; return what is done already.

    No process writes before every process has read.
    """
    # Without an accelerator, processes find each other only when told that they are on the CPU.
    state = PartialState(cpu=not torch.accelerator.is_available())
    run = Run(out, rank=state.process_index)
    if state.is_main_process:
        run.open(recipe, device=str(state.device), seed=recipe["seed"])
    state.wait_for_everyone()
    done = {key_of(row) for row in run.rows()}
    state.wait_for_everyone()
    return state, run, done


def missing(
    state: PartialState,
    examples: Sequence[Example],
    keys: Callable[[Example], set[Key]],
    done: set[Key],
) -> list[Example]:
    """This process's share of the examples of which some row is still to be written."""
    share = examples[state.process_index :: state.num_processes]
    return [example for example in share if not keys(example) <= done]


def go_through(
    run: Run,
    examples: Sequence[Example],
    judge: Callable[[list[Example]], list[Row]],
    done: set[Key],
    *,
    chunk: int,
    label: str,
) -> None:
    """Judge the examples chunk by chunk, and write each chunk's new rows at once."""
    rest = iter(examples)
    with tqdm(total=len(examples), desc=label, unit="ex", disable=run.rank > 0) as bar:
        while batch := list(islice(rest, chunk)):
            run.append([row for row in judge(batch) if key_of(row) not in done])
            bar.update(len(batch))
