"""`rl-faith demo`: the whole way on the embedded model, with the recipes of `recipes/toy/`.

Build explanations by erasure, fine-tune on them, evaluate before and after, compare. Stopped and
started again, it goes on where it was.
"""

import logging
import subprocess
import sys
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import run as compare
from rl_faith.evaluation.grid import evaluate
from rl_faith.recipes import parse_recipe
from rl_faith.stages import run_stage

log = logging.getLogger(__name__)

# Beside the package, in a checkout as in site-packages.
_RECIPES = Path(__file__).parent.parent / "recipes" / "toy"


def demo(out: Path) -> None:
    """Run the demo into `out`.

    Raises:
        RunError: `out` holds another run, or the training failed.
    """
    log.info("1/4 build: find the words that drive the model's predictions")
    run_stage("build", [*_config("build"), "--out", str(out / "build")])
    log.info("2/4 sft: train on explanations that name these words")
    _train(["--build", str(out / "build"), "--output_dir", str(out / "sft")])
    log.info("3/4 evaluate: base and sft on test examples")
    models = ["--models", "base=toy", f"sft={out / 'sft'}"]
    (grid,) = parse_recipe(
        "evaluate", [*_config("evaluate"), *models, "--out", str(out / "evaluate")]
    )
    evaluate(grid)
    log.info("4/4 compare: written to %s", out / "comparison.md")
    compare([out / "evaluate"], "base", out)


def _config(stage: str) -> list[str]:
    return ["--config", str(_RECIPES / f"{stage}.yaml")]


def _train(overrides: list[str]) -> None:
    """In a process of its own, as `accelerate launch` would: training changes global state."""
    command = [sys.executable, "-m", "rl_faith.training.sft", *_config("sft"), *overrides]
    if code := subprocess.run(command, check=False).returncode:
        raise RunError(f"the training ended with exit code {code}; its message stands above")
