"""What a GRPO step takes with each prompt read once for its group, and with every completion whole.

One trainer takes steps of 64 completions (groups of 8, one-word attributions, the self-consistency
reward) in the two ways by turns, so that both meet the same weights and the same machine. On the
embedded model, or on one's own; a processor takes a quarter of an hour for 135M parameters:

    OMP_NUM_THREADS=1 python scripts/bench/shared_prompts.py [out.json] [--model NAME --data FOLDER]
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import torch
from timing import report, save
from transformers import TrainerCallback
from trl import GRPOConfig

from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer
from rl_faith.training.trainer import FaithfulnessTrainer

RECIPE = "recipes/toy/grpo-self-consistency.yaml"
STEPS = 3
WAYS = {"every completion whole": False, "prompts shared": True}


class Turns(TrainerCallback):
    """Another way at every step, and the seconds of each; the first two steps warm up."""

    def __init__(self, trainer: FaithfulnessTrainer) -> None:
        self.trainer, self.ways = trainer, cycle(WAYS)
        self.seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        self.way, self.start = "", 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """TRL generates and scores within the step."""
        self.way = next(self.ways)
        self.trainer.share_prompts = WAYS[self.way]
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Keep the seconds of the way that was just taken."""
        self.seconds[self.way].append(time.perf_counter() - self.start)


def measure(model: str, data: str) -> Mapping[str, Sequence[float]]:
    """Seconds of every step, by way."""
    with tempfile.TemporaryDirectory() as out:
        given = {
            "output_dir": out, "max_steps": 2 * (STEPS + 1), "model_name_or_path": model,
            "data": data, "tasks": "sentiment140", "styles": "attribution",
            "per_device_train_batch_size": 64, "num_generations": 8,
            "gradient_accumulation_steps": 1, "max_completion_length": 16, "share_prompts": True,
            "eval_strategy": "no", "eval_on_start": False, "save_strategy": "no",
            "examples_per_task": 64, "held_out_examples": 0, "warmup_steps": 0,
            "learning_rate": 1e-6, "disable_tqdm": True,
        }  # fmt: skip
        told = [part for key, value in given.items() for part in (f"--{key}", str(value))]
        trainer = make_trainer(*parse_training("grpo", ["--config", RECIPE, *told], GRPOConfig)[:3])
        turns = Turns(trainer)
        trainer.add_callback(turns)
        trainer.train()
    return {way: taken[1:] for way, taken in turns.seconds.items()}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--model", default="toy")
    parser.add_argument("--data", default="toy")
    given = parser.parse_args()
    torch.set_num_threads(1)
    seconds = measure(given.model, given.data)
    whole, shared = (seconds[way] for way in WAYS)
    rows: list[dict[str, Any]] = [
        {"way": way, "seconds a step": median(taken)} for way, taken in seconds.items()
    ]
    rows[1]["times faster"] = median(a / b for a, b in zip(whole, shared, strict=True))
    report(f"a GRPO step of 64 one-word attributions, {given.model}", rows)
    save(given.out, {"model": Path(given.model).name, "rows": rows})


if __name__ == "__main__":
    main()
