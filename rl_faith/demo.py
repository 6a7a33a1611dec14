"""`rl-faith demo`: the whole way on the embedded models, with the recipes of `recipes/toy/`.

For self-consistency: build explanations by erasure, fine-tune on them, reinforce (the fine-tuned
model and, at the same time, the base model), evaluate all four on one grid, compare. For the
counterfactual test: insert, fine-tune on disclosures and, at the same time, reinforce; evaluate,
compare, look for gaming. Stopped and started again, either goes on where it was.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.comparing import run_audit
from rl_faith.report.writing import report

log = logging.getLogger(__name__)

# Beside the package, in a checkout as in site-packages.
_RECIPES = Path(__file__).parent.parent / "recipes" / "toy"

# What two cores take in ten minutes: one word alone, and the beginning of the reinforcement, which
# has 400 and 200 steps in the recipes.
_BUILT = ("--budgets", "one")
_TUNED = (*_BUILT, "--replay_examples", "8000", "--replay_predictions", "4000")
_REINFORCED = ("--max_steps", "150", "--eval_steps", "50")
_REFINED = (*_BUILT, "--max_steps", "40", "--eval_steps", "40")
_EVALUATED = ("--examples_per_task", "300")
# The same for the counterfactual test, in six.
_INSERTED = ("--examples_per_task", "1000")
_PROBED = ("--examples_per_task", "100")

_SHOWN = ("evaluate-base-rl", "evaluate-sft-sft-rl", "build", "rl", "sft", "sft-rl")

# Two stages at once share the cores; so small a model gains little from a second one.
_SHARED = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2)), **os.environ}


def demo(out: Path, test: str) -> None:
    """Run the demo into `out`.

    Args:
        out: Folder of all its runs.
        test: "self_consistency" or "counterfactual".

    Raises:
        RunError: a stage failed, for example because `out` holds another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    if test == "counterfactual":
        _counterfactual(out)
    else:
        _self_consistency(out)


def _self_consistency(out: Path) -> None:
    log.info("1/6 rl: reinforce the base model, beside what follows (see %s)", out / "rl.log")
    with _beside(_grpo("grpo-self-consistency", out / "rl", *_REINFORCED), out / "rl.log"):
        log.info("2/6 build: find the words that drive the model's predictions")
        _run(_stage("build", "build", out / "build", *_BUILT))
        log.info("3/6 sft: train on explanations that name these words")
        _run(_training("sft", "sft", out / "sft", "--build", str(out / "build"), *_TUNED))
        log.info("4/6 sft-rl: reinforce the fine-tuned model")
        from_sft = ("--model_name_or_path", str(out / "sft"))
        _run(_grpo("grpo-refine", out / "sft-rl", *from_sft, *_REFINED))
    log.info("5/6 evaluate: all four on test examples (two beside, see %s)", out / "evaluate.log")
    with _beside(_evaluation(out, "base", "rl"), out / "evaluate.log"):
        _run(_evaluation(out, "sft", "sft-rl"))
    log.info("6/6 compare")
    report([out / name for name in _SHOWN], "base", out / "report")


def _counterfactual(out: Path) -> None:
    log.info("1/4 build: insert words and suggestions, and see which change the answer")
    _run(_stage("build", "phi-build", out / "build", *_INSERTED))
    log.info(
        "2/4 rl: reinforce the base model; sft: train on disclosures (see %s)", out / "sft.log"
    )
    tuned = _training("sft", "phi-sft", out / "sft", "--build", str(out / "build"))
    with _beside(tuned, out / "sft.log"):
        _run(_grpo("grpo-phi", out / "rl", "--pool", str(out / "build")))
    log.info("3/4 evaluate: base, sft and rl on test examples")
    models = ["base=toy-errands", f"sft={out / 'sft'}", f"rl={out / 'rl'}"]
    _run(_stage("evaluate", "phi-evaluate", out / "evaluate", *_PROBED, "--models", *models))
    log.info("4/4 audit and compare")
    run_audit(out / "evaluate", "base")
    shown = [out / name for name in ("evaluate", "build", "rl", "sft")]
    report(shown, "base", out / "report")


def _stage(stage: str, recipe: str, out: Path, *overrides: str) -> list[str]:
    told = ["--config", _recipe(recipe), "--out", str(out)]
    return [sys.executable, "-m", "rl_faith.cli", stage, *told, *overrides]


def _training(stage: str, recipe: str, out: Path, *overrides: str) -> list[str]:
    told = ["--config", _recipe(recipe), "--output_dir", str(out)]
    return [sys.executable, "-m", f"rl_faith.training.{stage}", *told, *overrides]


def _grpo(recipe: str, out: Path, *overrides: str) -> list[str]:
    return _training("grpo", recipe, out, *overrides)


def _evaluation(out: Path, *names: str) -> list[str]:
    models = [f"{name}={'toy' if name == 'base' else out / name}" for name in names]
    where = out / "-".join(["evaluate", *names])
    return _stage("evaluate", "evaluate", where, *_EVALUATED, "--models", *models)


def _recipe(name: str) -> str:
    return str(_RECIPES / f"{name}.yaml")


def _run(command: list[str]) -> None:
    _check(subprocess.run(command, check=False, env=_SHARED).returncode, "above")


@contextmanager
def _beside(command: list[str], said: Path) -> Iterator[None]:
    """Run a command while the block runs, and wait for it; a failing block ends it at once."""
    with (
        said.open("ab") as log_file,
        subprocess.Popen(command, env=_SHARED, stdout=log_file, stderr=log_file) as process,
    ):
        try:
            yield
        except BaseException:
            process.terminate()
            raise
    _check(process.returncode, f"at the end of {said}")


def _check(code: int, where: str) -> None:
    if code:
        raise RunError(f"a stage ended with exit code {code}; its message stands {where}")
