"""`rl-faith demo`: the whole way on the embedded model, with the recipes of `recipes/toy/`.

Build explanations by erasure, fine-tune on them, reinforce (from the base model, and on top of the
fine-tuning), evaluate all four on one grid, compare. Stopped and started again, it goes on where it
was.
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

# Steps of reinforcement that two cores take in a few minutes; the recipes have 400 and 200.
_FEW = ["--max_steps", "100", "--eval_steps", "50"]
_FEWER = ["--max_steps", "40", "--eval_steps", "40"]


def demo(out: Path) -> None:
    """Run the demo into `out`.

    Raises:
        RunError: `out` holds another run, or the training failed.
    """
    log.info("1/6 build: find the words that drive the model's predictions")
    run_stage("build", [*_config("build"), "--out", str(out / "build")])
    log.info("2/6 sft: train on explanations that name these words")
    _train("sft", "sft", ["--build", str(out / "build"), "--output_dir", str(out / "sft")])
    log.info("3/6 rl: reinforce explanations whose edits change the prediction")
    _train("grpo", "grpo-self-consistency", [*_FEW, "--output_dir", str(out / "rl")])
    log.info("4/6 sft-rl: reinforce the fine-tuned model, in one word and in many")
    from_sft = ["--model_name_or_path", str(out / "sft"), "--output_dir", str(out / "sft-rl")]
    _train("grpo", "grpo-refine", [*_FEWER, *from_sft])
    log.info("5/6 evaluate: all four on test examples")
    models = ["base=toy", *(f"{name}={out / name}" for name in ("sft", "rl", "sft-rl"))]
    told = [*_config("evaluate"), "--models", *models, "--out", str(out / "evaluate")]
    (grid,) = parse_recipe("evaluate", told)
    evaluate(grid)
    log.info("6/6 compare: written to %s", out / "comparison.md")
    compare([out / "evaluate"], "base", out)


def _config(recipe: str) -> list[str]:
    return ["--config", str(_RECIPES / f"{recipe}.yaml")]


def _train(stage: str, recipe: str, overrides: list[str]) -> None:
    """In a process of its own, as `accelerate launch` would: training changes global state."""
    command = [sys.executable, "-m", f"rl_faith.training.{stage}", *_config(recipe), *overrides]
    if code := subprocess.run(command, check=False).returncode:
        raise RunError(f"the training ended with exit code {code}; its message stands above")
