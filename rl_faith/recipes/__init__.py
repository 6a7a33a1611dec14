"""Recipes: what each stage takes from its YAML file, and how it is checked.

A recipe is a flat mapping. SFT recipes hold TRL's own keys (`SFTConfig`, `ModelConfig`) and the
few of `SFTRecipe`; the other stages hold only ours. An unknown key is an error.
"""

from rl_faith.recipes.checking import (
    check_arguments,
    check_recipe,
    known_keys,
    overrides,
    read_recipe,
)
from rl_faith.recipes.kinds import (
    ALL_STYLES,
    ALL_TASKS,
    COUNTERFACTUAL,
    STAGES,
    BuildRecipe,
    CounterfactualBuildRecipe,
    CounterfactualEvaluateRecipe,
    CounterfactualGRPORecipe,
    EvaluateRecipe,
    GRPORecipe,
    RewardSpec,
    SFTRecipe,
)
from rl_faith.recipes.parsing import parse_recipe

__all__ = [
    "ALL_STYLES",
    "ALL_TASKS",
    "COUNTERFACTUAL",
    "STAGES",
    "BuildRecipe",
    "CounterfactualBuildRecipe",
    "CounterfactualEvaluateRecipe",
    "CounterfactualGRPORecipe",
    "EvaluateRecipe",
    "GRPORecipe",
    "RewardSpec",
    "SFTRecipe",
    "check_arguments",
    "check_recipe",
    "known_keys",
    "overrides",
    "parse_recipe",
    "read_recipe",
]
