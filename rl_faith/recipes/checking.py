"""Checking a recipe and its overrides strictly, before anything slow is imported."""

import ast
from collections.abc import Sequence, Set
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from rl_faith.errors import RecipeError, one_line, shown
from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes.kinds import STAGES, Stage, stage_of
from rl_faith.recipes.values import check_names, check_values

# Keys that TRL would take and our stages would pass over in silence.
_UNSUPPORTED = {
    **dict.fromkeys(
        (
            "load_in_8bit",
            "load_in_4bit",
            "bnb_4bit_quant_type",
            "use_bnb_nested_quant",
            "bnb_4bit_quant_storage",
        ),
        "models are loaded unquantised, since adapters are merged into them",
    ),
    "model_revision": "download that revision and name its folder",
    "model_init_kwargs": "models are loaded here, by the keys of ModelConfig",
    "trust_remote_code": "code from a model's repository is never run",
    "reward_weights": "give each entry of rewards its weight",
}


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a recipe file.

    Raises:
        RecipeError: no such file, not YAML, or not a mapping.
    """
    try:
        raw = read_yaml(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RecipeError(f"recipe {path} is not valid YAML: {one_line(error)}") from None
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {path} must be a mapping of keys to values")
    return raw


def check_recipe(
    path: str | Path,
    stage: str | None = None,
    *,
    given: Set[str] = frozenset(),
    test: str | None = None,
) -> str:
    """Check a recipe strictly without importing torch; return its stage.

    Args:
        path: The YAML file.
        stage: The stage that is about to run it, if one is.
        given: Keys given on the command line, which the file need not hold.
        test: The test that the command line chose, if it did.

    Raises:
        RecipeError: unknown key or value, missing key, or a recipe of another stage.
        TaskError: a task that does not exist, does not parse, or has no prompt for an explanation.
    """
    raw = read_recipe(path)
    found = raw.get("stage")
    if not isinstance(found, str) or found not in STAGES:
        raise RecipeError(
            f"recipe {path}: stage is {shown(found)}; it must be one of {', '.join(STAGES)}"
        )
    if stage and stage != found:
        raise RecipeError(
            f"recipe {path} is for {found}; run it with: {STAGES[found].command} {path}"
        )
    kind = stage_of(found, test or raw.get("test"))
    known = known_keys(kind)
    for key in raw:
        if why := _UNSUPPORTED.get(key):
            raise RecipeError(f"recipe {path}: {key} is not supported: {why}")
        if key not in known and key != "env":
            raise RecipeError(f"recipe {path}: unknown key {shown(key)}{_nearest(key, known)}")
    check_values(path, kind.recipe, raw, given)
    # Fine-tuning asks for no explanation: it takes those of a build, or none.
    budgets = [] if found == "sft" else raw.get("budgets", ["one"])
    check_names(f"recipe {path}", raw.get("tasks") or [], raw.get("styles", []), budgets)
    return found


def check_arguments(stage: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Check what a stage is started with, without importing torch; return the recipe file's keys.

    Args:
        stage: The stage that is about to run.
        arguments: `--config FILE` and overrides, `--key value`.

    Raises:
        RecipeError: no recipe, an override that the stage does not know, or as `check_recipe`.
        TaskError: as `check_recipe`.
    """
    where = dict(pairwise(arguments)).get("--config")
    if where is None:
        raise RecipeError(f"name a recipe: {STAGES[stage].command} RECIPE")
    given = overrides(stage, arguments)
    check_recipe(where, stage, given=given, test=_test(arguments))
    return read_recipe(where)


def stage_for(stage: str, arguments: Sequence[str]) -> Stage:
    """The stage as the recipe and the command line choose it: `test` says which of two."""
    where = dict(pairwise(arguments)).get("--config")
    return stage_of(stage, _test(arguments) or (read_recipe(where).get("test") if where else None))


def _test(arguments: Sequence[str]) -> str | None:
    joined = (a.removeprefix("--test=") for a in arguments if a.startswith("--test="))
    return dict(pairwise(arguments)).get("--test", next(joined, None))


def overrides(stage: str, arguments: Sequence[str]) -> set[str]:
    """The keys given on the command line, as a recipe writes them.

    Raises:
        RecipeError: a key that the stage does not know; argparse would take its beginning too.
    """
    known, found = known_keys(stage_for(stage, arguments)), set()
    for argument in arguments:
        if argument.startswith("--") and argument != "--config":
            key = argument[2:].partition("=")[0].replace("-", "_")
            # TRL's parser offers --no_KEY for switches that are on.
            key = key if key in known else key.removeprefix("no_")
            if why := _UNSUPPORTED.get(key):
                raise RecipeError(f"override --{key} of {stage} is not supported: {why}")
            if key not in known:
                raise RecipeError(f"unknown override --{key} of {stage}{_nearest(key, known)}")
            found.add(key)
    return found


def known_keys(stage: Stage) -> set[str]:
    """Every key that a recipe of this stage may hold."""
    ours = {f.name for f in fields(stage.recipe)}
    return ours.union(*(_library_fields(*where) for where in stage.classes))


@cache
def _library_fields(package: str, file: str, name: str) -> frozenset[str]:
    """Field names of a dataclass, read from the installed source: importing it takes seconds."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RecipeError(f"{package} is not installed")
    source = Path(spec.submodule_search_locations[0], file).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return frozenset(
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            )
    raise RecipeError(f"the installed {package} has no {name} in {file}")


def _nearest(key: object, known: set[str]) -> str:
    near = get_close_matches(key, known, n=1) if isinstance(key, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""
