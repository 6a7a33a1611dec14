"""Does the memory of a GRPO run stay flat? Resident size after each of 500 steps.

The embedded models take 500 steps of 32 completions with everything on that a run may do: held-out
figures, checkpoints and fresh decisions come again and again. Each recipe runs in a process of its
own. The first 50 steps fill caches and pools; what grows after them is a leak.

    OMP_NUM_THREADS=1 python scripts/bench/memory.py [out.json]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from timing import report, save
from transformers import TrainerCallback
from trl import GRPOConfig

from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer

STEPS = 500
WARM = 50
MOST_GROWTH = 0.02
"""Of the resident size, over the steps after the warm ones."""

BUILD = [sys.executable, "-m", "rl_faith.cli", "build", "--config", "recipes/toy/phi-build.yaml"]
RECIPES = {
    "self-consistency": "recipes/toy/grpo-self-consistency.yaml",
    "phi-CCT": "recipes/toy/grpo-phi.yaml",
}


class Watch(TrainerCallback):  # type: ignore[misc]
    """Notes the resident size, in MiB, after every step."""

    def __init__(self) -> None:
        self.sizes: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Called by the trainer."""
        self.sizes.append(psutil.Process().memory_info().rss / 2**20)


def main(out: Path) -> None:
    """Measure each recipe in a process of its own, print and save."""
    rows, sizes = [], {}
    for name in RECIPES:
        with tempfile.NamedTemporaryFile() as found:
            subprocess.run([sys.executable, __file__, "--run", name, found.name], check=True)
            sizes[name] = json.loads(Path(found.name).read_text("utf-8"))
        rows.append(row(name, sizes[name]))
    report(f"{STEPS} steps of 32 completions, resident size in MiB", rows)
    save(out, {"rows": rows, "MiB": sizes})


def row(name: str, sizes: list[float]) -> dict[str, Any]:
    """Sizes at both ends, and the straight line through all steps after the warm ones."""
    after = sizes[WARM:]
    first, last = median(after[:50]), median(after[-50:])
    slope = np.polyfit(range(len(after)), after, 1)[0]
    return {
        "way": name, "step 1": sizes[0], "steps 51-100": first, "last 50": last,
        "most": max(after), "MiB a 100 steps": 100 * slope, "growth": last / first - 1,
        "target": MOST_GROWTH, "reached": last / first - 1 <= MOST_GROWTH,
    }  # fmt: skip


def run(name: str, found: Path) -> None:
    """Train, and write down the sizes."""
    with tempfile.TemporaryDirectory() as folder:
        given: dict[str, Any] = {
            "output_dir": folder, "max_steps": STEPS, "logging_steps": 10, "num_generations": 8,
            "per_device_train_batch_size": 32, "per_device_eval_batch_size": 8, "eval_steps": 50,
            "save_steps": 50, "refresh_steps": 25, "held_out_examples": 12, "report_to": "none",
        }  # fmt: skip
        if name == "phi-CCT":
            subprocess.run([*BUILD, "--out", f"{folder}/pool"], check=True)
            given["pool"] = f"{folder}/pool"
        told = [part for key, value in given.items() for part in (f"--{key}", str(value))]
        arguments = ["--config", RECIPES[name], *told]
        trainer = make_trainer(*parse_training("grpo", arguments, GRPOConfig)[:3])
        watch = Watch()
        trainer.add_callback(watch)
        trainer.train()
    found.write_text(json.dumps([round(size, 1) for size in watch.sizes]), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
