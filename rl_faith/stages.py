"""Running the stages that are not training, from the command line."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from rl_faith.build import build
from rl_faith.evaluation.comparing import run as compare
from rl_faith.evaluation.grid import evaluate
from rl_faith.evaluation.phi_grid import evaluate_insertions
from rl_faith.pool import build_pool
from rl_faith.pseudo import ORIGINAL
from rl_faith.recipes import (
    BuildRecipe,
    CounterfactualBuildRecipe,
    CounterfactualEvaluateRecipe,
    parse_recipe,
)

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
    elif isinstance(recipe, CounterfactualBuildRecipe):
        if build_pool(recipe):
            report_pool(Path(recipe.out))
    elif (
        evaluate_insertions(recipe)
        if isinstance(recipe, CounterfactualEvaluateRecipe)
        else evaluate(recipe)
    ):
        compare([Path(recipe.out)], None)


def report_build(out: Path, quality_examples: int) -> None:
    """Print how many pairs a build has, and constructed against original (Doi, Table 3)."""
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    left_out = ", ".join(f"{reason} {n}" for reason, n in results["left_out"].items())
    log.info("%s pairs in %s (left out: %s)", results["pairs"], out, left_out or "none")
    if quality_examples:
        compare([out], ORIGINAL)


def report_pool(out: Path) -> None:
    """Print how many insertions each cell took, how many mattered, and how many are in the pool."""
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    for cell in results["cells"]:
        mattered = cell["impact"]["value"] or 0.0
        log.info(
            "%s, %s: %d of %d insertions in the pool; %.1f%% mattered, %d could not be asked",
            cell["task"], cell["intervention"], cell["pool"], cell["insertions"], 100 * mattered,
            cell["unscored"],
        )  # fmt: skip
    log.info("%d disclosures to train on in %s", results["pairs"], out)
