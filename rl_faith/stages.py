"""Running the stages that are not training, from the command line."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trl import TrlParser

from rl_faith.build import ORIGINAL, build
from rl_faith.errors import RecipeError
from rl_faith.evaluation.compare import run as compare
from rl_faith.evaluation.grid import evaluate
from rl_faith.recipes import STAGES, BuildRecipe, EvaluateRecipe

log = logging.getLogger(__name__)


def run_stage(stage: str, arguments: Sequence[str]) -> None:
    """Parse the recipe with its overrides, run it, and print what came out.

    Raises:
        RecipeError: an override that the stage does not know, or of the wrong kind.
    """
    recipe = _parse(stage, arguments)
    if isinstance(recipe, BuildRecipe):
        if build(recipe):
            report_build(Path(recipe.out), recipe.quality_examples)
    elif isinstance(recipe, EvaluateRecipe) and evaluate(recipe):
        compare([Path(recipe.out)], None, None)


def report_build(out: Path, quality_examples: int) -> None:
    """Print how many pairs a build has, and constructed against original (Doi, Table 3)."""
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    left_out = ", ".join(f"{reason} {n}" for reason, n in results["left_out"].items())
    log.info("%s pairs in %s (left out: %s)", results["pairs"], out, left_out or "none")
    if quality_examples:
        compare([out], ORIGINAL, None)


def _parse(stage: str, arguments: Sequence[str]) -> Any:
    try:
        return TrlParser((STAGES[stage].recipe,)).parse_args_and_config(list(arguments))[0]
    except (ValueError, SystemExit) as error:
        raise RecipeError(f"rl-faith {stage}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    return "see above" if isinstance(error, SystemExit) else str(error)
