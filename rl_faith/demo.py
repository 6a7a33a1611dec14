"""`rl-faith demo`: the whole way on the embedded model, with the recipes of `recipes/toy/`.

Build explanations by erasure, fine-tune on them, reinforce (the fine-tuned model and, at the same
time, the base model), evaluate all four on one grid, compare. Stopped and started again, it goes on
where it was.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.compare import run as compare

log = logging.getLogger(__name__)

# Beside the package, in a checkout as in site-packages.
_RECIPES = Path(__file__).parent.parent / "recipes" / "toy"

# Steps of reinforcement that two cores take in a few minutes; the recipes have 400 and 200.
_FEW = ("--max_steps", "150", "--eval_steps", "50")
_FEWER = ("--max_steps", "40", "--eval_steps", "40")

# Two trainings at once share the cores; a small model gains little from a second one.
_SHARED = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2)), **os.environ}


def demo(out: Path) -> None:
    """Run the demo into `out`.

    Raises:
        RunError: a stage failed, for example because `out` holds another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    beside = out / "rl.log"
    log.info(
        "1/6 rl: reinforce the base model, beside what follows (it tells its way in %s)", beside
    )
    with _beside(_grpo("grpo-self-consistency", out / "rl", *_FEW), beside) as rl:
        log.info("2/6 build: find the words that drive the model's predictions")
        _run(_stage("build", out / "build"))
        log.info("3/6 sft: train on explanations that name these words")
        _run(_training("sft", "sft", out / "sft", "--build", str(out / "build")))
        log.info("4/6 sft-rl: reinforce the fine-tuned model, in one word and in many")
        from_sft = ("--model_name_or_path", str(out / "sft"))
        _run(_grpo("grpo-refine", out / "sft-rl", *from_sft, *_FEWER))
        _check(rl.wait(), f"the end of {beside}")
    log.info("5/6 evaluate: all four on test examples")
    models = ["base=toy", *(f"{name}={out / name}" for name in ("sft", "rl", "sft-rl"))]
    _run(_stage("evaluate", out / "evaluate", "--models", *models), alone=True)
    log.info("6/6 compare: written to %s", out / "comparison.md")
    compare([out / "evaluate"], "base", out)


def _stage(name: str, out: Path, *overrides: str) -> list[str]:
    told = ["--config", _recipe(name), "--out", str(out)]
    return [sys.executable, "-m", "rl_faith.cli", name, *told, *overrides]


def _training(stage: str, recipe: str, out: Path, *overrides: str) -> list[str]:
    told = ["--config", _recipe(recipe), "--output_dir", str(out)]
    return [sys.executable, "-m", f"rl_faith.training.{stage}", *told, *overrides]


def _grpo(recipe: str, out: Path, *overrides: str) -> list[str]:
    return _training("grpo", recipe, out, *overrides)


def _recipe(name: str) -> str:
    return str(_RECIPES / f"{name}.yaml")


def _run(command: list[str], *, alone: bool = False) -> None:
    env = None if alone else _SHARED
    _check(subprocess.run(command, check=False, env=env).returncode, "above")


@contextmanager
def _beside(command: list[str], said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while others run; it ends with the block, whose failure ends it at once."""
    with (
        said.open("ab") as log_file,
        subprocess.Popen(command, env=_SHARED, stdout=log_file, stderr=log_file) as process,
    ):
        try:
            yield process
        except BaseException:
            process.terminate()
            raise


def _check(code: int, where: str) -> None:
    if code:
        raise RunError(f"a stage ended with exit code {code}; its message stands {where}")
