"""Running the stages that are not training, from the command line."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from rl_faith.build import ORIGINAL, build
from rl_faith.evaluation.compare import run as compare
from rl_faith.evaluation.grid import evaluate
from rl_faith.recipes import BuildRecipe, parse_recipe

log = logging.getLogger(__name__)


def run_stage(stage: str, arguments: Sequence[str]) -> None:
    """Parse a checked recipe with its overrides, run it, and print what came out.

    Raises:
        RecipeError: as `parse_recipe`.
    """
    (recipe,) = parse_recipe(stage, arguments)
    if isinstance(recipe, BuildRecipe):
        if build(recipe):
            report_build(Path(recipe.out), recipe.quality_examples)
    elif evaluate(recipe):
        compare([Path(recipe.out)], None, None)


def report_build(out: Path, quality_examples: int) -> None:
    """Print how many pairs a build has, and constructed against original (Doi, Table 3)."""
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    left_out = ", ".join(f"{reason} {n}" for reason, n in results["left_out"].items())
    log.info("%s pairs in %s (left out: %s)", results["pairs"], out, left_out or "none")
    if quality_examples:
        compare([out], ORIGINAL, None)
