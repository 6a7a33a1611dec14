"""What a reward that asks the policy again adds to a GRPO step.

One trainer on the embedded model takes steps of 64 completions (groups of 8, all tasks and styles);
its reward takes turns, so that all ways meet the same weights and the same machine:

- constant: 1 for every completion.
- self-consistency: the shipped reward, with every figure that a run logs (random edits included).
- naive: the same verdict by generating eight tokens for one prompt at a time and parsing them;
  without random edits.

    OMP_NUM_THREADS=1 python scripts/bench/grpo_step.py [out.json]
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import torch
from timing import REPETITIONS, report, save
from transformers import TrainerCallback
from trl import GRPOConfig

from rl_faith.checks import inquire
from rl_faith.questions import Prediction, Question
from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer
from rl_faith.training.panel import VerdictPanel
from rl_faith.training.rewards import RESERVED, reply_of

RECIPE = "recipes/toy/grpo-self-consistency.yaml"
WAYS = ("constant", "self-consistency", "naive")
WARM_UP = len(WAYS)
TARGET = 1.25


class Turns(TrainerCallback):
    """The one reward of the trainer, another way at every step, and the seconds of each step."""

    __name__ = "turns"

    def __init__(self, ours: Any, panel: VerdictPanel) -> None:
        self.ours, self.panel = ours, panel
        self.ways, self.seconds = cycle(WAYS), {way: [] for way in WAYS}
        self.way, self.start = "constant", 0.0

    def __call__(self, **given: Any) -> list[float | None]:
        """Score a batch in the way that is next."""
        self.way = next(self.ways)
        if self.way == "constant":
            return [1.0] * len(given["completions"])
        return self.ours(**given) if self.way == "self-consistency" else naive(given, self.panel)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """TRL generates and scores within the step."""
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Keep the seconds of the way that was just taken."""
        self.seconds[self.way].append(time.perf_counter() - self.start)


def naive(given: Mapping[str, Any], panel: VerdictPanel) -> list[float | None]:
    """The self-consistency reward as one would first write it."""
    names = [key for key in given if key not in RESERVED]
    rows = [{name: given[name][i] for name in names} for i in range(len(given["completions"]))]
    values = []
    for row, completion in zip(rows, given["completions"], strict=True):
        case = panel.case(row, reply_of(completion))
        told = [generated(panel.policy, q) for q in panel.questions([row])]
        asked = inquire(case, control=False, ceiling=False).questions
        told += [generated(panel.policy, question) for question in asked]
        values.append(float(len(told) == 2 and told[0] != told[1]))
    return values


def generated(policy: Any, question: Question) -> str:
    """The label at the beginning of a generated reply, or "" where there is none."""
    (reply,) = policy.generate([question.conversation], max_new_tokens=8)
    assert not isinstance(reply, Prediction)
    return next((x for x in question.labels if str(reply).startswith(x)), "")


def measure() -> dict[str, list[float]]:
    """Seconds of every step, by way."""
    with tempfile.TemporaryDirectory() as out:
        given = {
            "output_dir": out, "max_steps": WARM_UP + REPETITIONS * len(WAYS),
            "per_device_train_batch_size": 64, "num_generations": 8,
            "gradient_accumulation_steps": 1,
            "eval_strategy": "no", "eval_on_start": False, "save_strategy": "no",
            "examples_per_task": 200, "held_out_examples": 0, "warmup_steps": 0,
            "logging_steps": 1000, "disable_tqdm": True,
        }  # fmt: skip
        told = [part for key, value in given.items() for part in (f"--{key}", str(value))]
        recipe, args, model, _ = parse_training("grpo", ["--config", RECIPE, *told], GRPOConfig)
        trainer = make_trainer(recipe, args, model)
        (ours,) = trainer.reward_funcs
        turns = Turns(ours, trainer.panel)
        trainer.reward_funcs = [turns]
        trainer.add_callback(turns)
        trainer.train()
    return {way: taken[1:] for way, taken in turns.seconds.items()}


def main(out: Path) -> None:
    """Measure, print and save."""
    torch.set_num_threads(1)
    print("one thread; medians of", REPETITIONS, "steps of each way, ways taking turns")
    seconds = measure()
    base = seconds["constant"]
    rows = [
        {
            "way": way,
            "seconds a step": median(taken),
            "times constant": median(a / b for a, b in zip(taken, base, strict=True)),
        }
        for way, taken in seconds.items()
    ]
    rows[1] |= {"target": TARGET, "reached": rows[1]["times constant"] <= TARGET}
    report("a GRPO step of 64 completions, embedded model", rows)
    save(out, {"rows": rows})


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "scripts/bench/grpo_step.json"))
