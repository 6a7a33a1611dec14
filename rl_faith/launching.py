"""How `scripts/launch.sh` starts a recipe: which configuration, and on how many devices.

    python -m rl_faith.launching RECIPE [--key value ...]

prints the arguments of `accelerate launch`, one a line.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rl_faith.errors import RecipeError, RunError, exit_on_error
from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes import check_arguments, check_recipe, read_recipe

_MODULES = {
    "build": ("rl_faith.cli", "build"),
    "evaluate": ("rl_faith.cli", "evaluate"),
    "sft": ("rl_faith.training.sft",),
    "grpo": ("rl_faith.training.grpo",),
}


def plan(arguments: Sequence[str]) -> list[str]:
    """The arguments of `accelerate launch` for a recipe and its overrides.

    Raises:
        ModelError: the size of the model to train cannot be read.
        RunError: the GPUs cannot be listed.
        RLFaithError: as `values_of`.
    """
    told, values = values_of(arguments)
    memory = gpu_memory()
    config = _config(values, memory)
    processes = 1 if config == "single" else len(memory)
    where = ["--config_file", f"ds_configs/{config}.yaml", "--num_processes", str(processes)]
    return [*where, "-m", *_MODULES[values["stage"]], *told]


def values_of(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """What a stage is started with for a recipe and its overrides, and what these say together.

    Raises:
        RecipeError: no recipe, or as `check_arguments`.
        TaskError: as `check_arguments`.
    """
    if not arguments:
        raise RecipeError("name a recipe: scripts/launch.sh RECIPE [--key value ...]")
    recipe, *overrides = arguments
    stage = str(read_recipe(recipe).get("stage"))
    if stage not in _MODULES:
        check_recipe(recipe)
    told = ["--config", recipe, *overrides]
    return told, {**check_arguments(stage, told), **_values(overrides)}


def _values(overrides: Sequence[str]) -> dict[str, Any]:
    """Overrides of one value each, as a recipe would hold them."""
    parts = [p for given in overrides for p in given.split("=", given.startswith("--"))]
    return {
        key[2:].replace("-", "_"): _read(value)
        for key, value in pairwise(parts)
        if key.startswith("--") and not value.startswith("--")
    }


def _read(value: str) -> Any:
    try:
        return read_yaml(value)
    except ValueError:
        return value


def _config(values: Mapping[str, Any], memory: Sequence[float]) -> str:
    """The name of a file in `ds_configs/`."""
    if not memory:
        return "single"
    if values["stage"] in ("sft", "grpo"):
        from rl_faith.sizing import Training  # noqa: PLC0415 - brings torch

        return Training.of(values).config(len(memory), min(memory))
    # Each process holds the model; an engine or a server is asked by one.
    alone = values.get("policy", "transformers") != "transformers" or len(memory) == 1
    return "single" if alone else "ddp"


def gpu_memory() -> list[float]:
    """Bytes of each NVIDIA GPU that this process may use.

    Raises:
        RunError: nvidia-smi is there and fails.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen == "" or not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(
        [*command, *([f"--id={chosen}"] if chosen else [])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RunError(f"nvidia-smi cannot list the GPUs: {(done.stdout + done.stderr).strip()}")
    return [float(line) * 2**20 for line in done.stdout.split()]


def main() -> None:
    """Print the plan."""
    with exit_on_error():
        sys.stdout.writelines(f"{argument}\n" for argument in plan(sys.argv[1:]))


if __name__ == "__main__":
    main()
