"""`rl-faith demo`: the whole way on the embedded model, with the recipes of `recipes/toy/`.

Build explanations by erasure, fine-tune on them, evaluate before and after, compare. Stopped and
started again, it goes on where it was.
"""

import logging
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import run as compare
from rl_faith.stages import run_stage

log = logging.getLogger(__name__)


def demo(out: Path) -> None:
    """Run the demo into `out`.

    Raises:
        RunError: `out` holds another run, or the training failed.
    """
    with as_file(files("recipes.toy")) as recipes:
        log.info("1/4 build: find the words that drive the model's predictions")
        run_stage("build", [*_config(recipes, "build"), "--out", str(out / "build")])
        log.info("2/4 sft: train on explanations that name these words")
        _train(["--build", str(out / "build"), "--output_dir", str(out / "sft")], recipes)
        log.info("3/4 evaluate: base and sft on test examples")
        models = ["--models", "base=toy", f"sft={out / 'sft'}"]
        where = ["--out", str(out / "evaluate")]
        run_stage("evaluate", [*_config(recipes, "evaluate"), *models, *where])
    log.info("4/4 compare: written to %s", out / "comparison.md")
    compare([out / "evaluate"], "base", out)


def _config(recipes: Path, stage: str) -> list[str]:
    return ["--config", str(recipes / f"{stage}.yaml")]


def _train(overrides: list[str], recipes: Path) -> None:
    """In a process of its own, as `accelerate launch` would: training changes global state."""
    command = [sys.executable, "-m", "rl_faith.training.sft", *_config(recipes, "sft"), *overrides]
    if code := subprocess.run(command, check=False).returncode:
        raise RunError(f"the training ended with exit code {code}; its message stands above")
