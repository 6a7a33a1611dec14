"""Which share of a GRPO step the rewards take, as the runs log it (`ask/share_of_time`).

The embedded model takes steps of 64 completions (groups of 8, all tasks and styles) with the
self-consistency reward, random edits included: once with rollouts and questions through the live
model, and, where vLLM is installed, once through an engine in the training process. On a processor
that engine needs what tests/test_vllm.py does to it:

    OMP_NUM_THREADS=1 PYTHONPATH=tests python scripts/bench/reward_share.py [out.json]
"""

import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from timing import report, save
from trl import GRPOConfig

from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer

RECIPE = "recipes/toy/grpo-self-consistency.yaml"
STEPS = 12
TARGET = 0.15


def main(out: Path) -> None:
    """Measure, print and save."""
    torch.set_num_threads(1)
    rows = [row("live model", shares({}))]
    if find_spec("vllm"):
        from test_vllm import colocated  # noqa: PLC0415 - imports vLLM

        with colocated(None) as settings:
            engine = {"use_vllm": True, "vllm_max_model_length": 256, **settings}
            rows.append(row("vLLM, colocate", shares(engine)))
            rows[-1] |= {"target": TARGET, "reached": rows[-1]["share"] <= TARGET}
    report(f"medians of {STEPS - 2} steps of 64 completions, embedded model", rows)
    save(out, {"rows": rows})


def row(way: str, steps: list[Mapping[str, float]]) -> dict[str, Any]:
    """Medians over the steps."""
    return {
        "way": way,
        "seconds a step": median(step["step_time"] for step in steps),
        "questions": median(step["ask/questions"] for step in steps),
        "distinct": median(step["ask/distinct"] for step in steps),
        "share": median(step["ask/share_of_time"] for step in steps),
    }


def shares(engine: Mapping[str, Any]) -> list[Mapping[str, float]]:
    """What a short run logs at every step but the first two, in which everything warms up."""
    with tempfile.TemporaryDirectory() as out:
        given = {
            "output_dir": out, "max_steps": STEPS, "logging_steps": 1,
            "per_device_train_batch_size": 64, "num_generations": 8,
            "gradient_accumulation_steps": 1, "eval_strategy": "no", "eval_on_start": False,
            "save_strategy": "no", "examples_per_task": 200, "held_out_examples": 0,
            "warmup_steps": 0, "disable_tqdm": True, **engine,
        }  # fmt: skip
        told = [part for key, value in given.items() for part in (f"--{key}", str(value))]
        trainer = make_trainer(*parse_training("grpo", ["--config", RECIPE, *told], GRPOConfig)[:3])
        trainer.train()
        return [entry for entry in trainer.state.log_history if "reward" in entry][2:]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
