"""Does the memory of a GRPO run stay flat? Measured after each of 500 steps.

The embedded models take 500 steps of 32 completions with everything on that a run may do: held-out
figures, checkpoints and fresh decisions come again and again. Each recipe runs in a process of its
own. The first 50 steps fill caches and pools; what grows after them is a leak.

Two figures: what is allocated, and the resident size, which also holds what the C library keeps for
the next step and gives back when it likes, so that it swings by a tenth from step to step.

    OMP_NUM_THREADS=1 python scripts/bench/memory.py [out.json]
"""

import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from timing import report, save
from transformers import TrainerCallback
from trl import GRPOConfig

from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer

STEPS = 500
WARM = 50
MOST_GROWTH = 0.02
"""Of what is allocated, from steps 51-100 to the last 50."""

BUILD = [
    *(sys.executable, "-m", "rl_faith.cli", "build", "--config", "recipes/toy/phi-build.yaml"),
    *("--examples_per_task", "200"),
]
RECIPES = {
    "self-consistency": "recipes/toy/grpo-self-consistency.yaml",
    "phi-CCT": "recipes/toy/grpo-phi.yaml",
}


class _Heap(ctypes.Structure):
    """What glibc's `mallinfo2` tells, in bytes."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks"),
            *("fordblks", "keepcost"),
        )
    ]


def allocated() -> float:
    """MiB that the process has asked for and not given back, in the heap and beside it."""
    libc = ctypes.CDLL("libc.so.6")
    libc.mallinfo2.restype = _Heap
    heap = libc.mallinfo2()
    return (heap.uordblks + heap.hblkhd) / 2**20


class Watch(TrainerCallback):  # type: ignore[misc]
    """Notes both sizes, in MiB, after every step."""

    def __init__(self) -> None:
        self.sizes: list[tuple[float, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Called by the trainer."""
        gc.collect()
        resident = psutil.Process().memory_info().rss / 2**20
        self.sizes.append((round(allocated(), 1), round(resident, 1)))


def main(out: Path) -> None:
    """Measure each recipe in a process of its own, print and save."""
    rows, sizes = [], {}
    for name in RECIPES:
        with tempfile.NamedTemporaryFile() as found:
            subprocess.run([sys.executable, __file__, "--run", name, found.name], check=True)
            sizes[name] = json.loads(Path(found.name).read_text("utf-8"))
        rows.append(row(name, *zip(*sizes[name], strict=True)))
    report(f"{STEPS} steps of 32 completions, MiB", rows)
    save(out, {"rows": rows, "allocated and resident, MiB": sizes})


def row(name: str, used: tuple[float, ...], resident: tuple[float, ...]) -> dict[str, Any]:
    """Medians of fifty steps each, the first after the warm ones and the last."""
    early, late = slice(WARM, WARM + 50), slice(-50, None)
    growth = median(used[late]) / median(used[early]) - 1
    return {
        "way": name, "steps 51-100": median(used[early]), "last 50": median(used[late]),
        "growth": growth, "target": MOST_GROWTH, "reached": growth <= MOST_GROWTH,
        "resident, 51-100": min(resident[early]), "resident, last 50": min(resident[late]),
        "most resident": max(resident),
    }  # fmt: skip


def run(name: str, found: Path) -> None:
    """Train, and write down the sizes."""
    with tempfile.TemporaryDirectory() as folder:
        given: dict[str, Any] = {
            "output_dir": folder, "max_steps": STEPS, "logging_steps": 10, "num_generations": 8,
            "per_device_train_batch_size": 32, "per_device_eval_batch_size": 8, "eval_steps": 50,
            "save_steps": 50, "refresh_steps": 25, "held_out_examples": 12, "report_to": "none",
            "disable_tqdm": True,
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
    found.write_text(json.dumps(watch.sizes), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
