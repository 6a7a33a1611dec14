"""Recipes: what each stage takes from its YAML file, checked before anything slow is imported.

A recipe is a flat mapping. SFT recipes hold TRL's own keys (`SFTConfig`, `ModelConfig`) and the
few of `SFTRecipe`; the other stages hold only ours. An unknown key is an error.
"""

import ast
from collections.abc import Mapping, Sequence, Set
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import yaml

from rl_faith.errors import RecipeError
from rl_faith.styles import load_style
from rl_faith.tasks import load_task

ALL_TASKS = ["sentiment140", "snli", "ag_news"]
ALL_STYLES = ["attribution", "redaction", "counterfactual"]
_BUDGETS = ("one", "multi")
_AT_LEAST = {
    "examples_per_task": 1,
    "max_new_tokens": 1,
    "chunk": 1,
    "quality_examples": 0,
    "ceiling_examples": 0,
    "replay_examples": 0,
}


@dataclass(frozen=True)
class BuildRecipe:
    """`rl-faith build`: pseudo-faithful explanations by erasure.

    Attributes:
        out: Run directory to write.
        model_name_or_path: Hub id, folder, LoRA adapter folder, or "toy".
        data: "hub", "toy", or a folder with `<task>/<split>.jsonl` (or .csv, .parquet).
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        examples_per_task: Label-balanced, from the training split.
        quality_examples: How many per task also get the model's own explanations, for the
            comparison of constructed against original faithfulness (Doi, Table 3).
        max_new_tokens: Of a generated explanation.
        chunk: Examples between two writes to disk.
    """

    out: str
    model_name_or_path: str
    stage: Literal["build"] = "build"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    examples_per_task: int = 50_000
    quality_examples: int = 1_000
    max_new_tokens: int = 128
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class EvaluateRecipe:
    """`rl-faith evaluate`: the grid of models, tasks, styles and budgets.

    Attributes:
        out: Run directory to write.
        models: Each "name=where", where being a Hub id, a folder, an adapter folder, or "toy".
        data: As in `BuildRecipe`.
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        budgets: "one" (exactly one word) or "multi" (any number).
        examples_per_task: Label-balanced, from the test split.
        ceiling_examples: How many per cell get the ceiling by exhaustive erasure; null for all.
        mode: "changed" (Doi) or "madsen".
        max_new_tokens: Of a generated explanation.
        chunk: Examples between two writes to disk.
    """

    out: str
    models: list[str]
    stage: Literal["evaluate"] = "evaluate"
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    budgets: list[str] = field(default_factory=lambda: ["one"])
    examples_per_task: int = 1_000
    ceiling_examples: int | None = None
    mode: Literal["changed", "madsen"] = "changed"
    max_new_tokens: int = 128
    dtype: str = "float32"
    chunk: int = 64
    seed: int = 0


@dataclass(frozen=True)
class SFTRecipe:
    """Our part of an SFT recipe; the rest is TRL's `SFTConfig` and `ModelConfig`.

    Attributes:
        train_on: "explanations" from a build, or "predictions": the data's labels, which is the
            paper's "w/ Predictions" baseline.
        build: Run directory of the build (explanations).
        styles: Which of the built styles to train on (explanations).
        data: As in `BuildRecipe` (predictions).
        tasks: Which tasks to train on.
        examples_per_task: Label-balanced, from the training split (predictions).
        replay: Hub id or JSONL file with a `messages` column, or "toy" for the embedded model's
            own training conversations without explanations; mixed in against forgetting.
        replay_examples: How many of those.
    """

    stage: Literal["sft"] = "sft"
    train_on: Literal["explanations", "predictions"] = "explanations"
    build: str | None = None
    styles: list[str] = field(default_factory=ALL_STYLES.copy)
    data: str = "hub"
    tasks: list[str] = field(default_factory=ALL_TASKS.copy)
    examples_per_task: int = 50_000
    replay: str | None = None
    replay_examples: int = 0


@dataclass(frozen=True)
class Stage:
    """A kind of recipe: our dataclass, the library dataclasses behind it, and its command."""

    recipe: type
    command: str
    library: tuple[tuple[str, str, str], ...] = ()


_TRAINING = (
    ("trl", "trainer/base_config.py", "_BaseConfig"),
    ("trl", "trainer/model_config.py", "ModelConfig"),
    ("transformers", "training_args.py", "TrainingArguments"),
)
STAGES = {
    "build": Stage(BuildRecipe, "rl-faith build --config"),
    "evaluate": Stage(EvaluateRecipe, "rl-faith evaluate --config"),
    "sft": Stage(
        SFTRecipe,
        "accelerate launch -m rl_faith.training.sft --config",
        (("trl", "trainer/sft_config.py", "SFTConfig"), *_TRAINING),
    ),
}


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a recipe file.

    Raises:
        RecipeError: no such file, not YAML, or not a mapping.
    """
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path} is not valid YAML: {_one_line(error)}") from None
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {path} must be a mapping of keys to values")
    return raw


def check_recipe(
    path: str | Path, stage: str | None = None, *, given: Set[str] = frozenset()
) -> str:
    """Check a recipe strictly without importing torch; return its stage.

    Args:
        path: The YAML file.
        stage: The stage that is about to run it, if one is.
        given: Keys given on the command line, which the file need not hold.

    Raises:
        RecipeError: unknown key or value, missing key, or a recipe of another stage.
        TaskError: a task that does not exist or does not parse.
    """
    raw = read_recipe(path)
    found = raw.get("stage")
    if not isinstance(found, str) or found not in STAGES:
        raise RecipeError(
            f"recipe {path}: stage is {found!r}; it must be one of {', '.join(STAGES)}"
        )
    if stage and stage != found:
        raise RecipeError(
            f"recipe {path} is for {found}; run it with: {STAGES[found].command} {path}"
        )
    known = known_keys(found)
    for key in raw:
        if key not in known and key != "env":
            raise RecipeError(f"recipe {path}: unknown key {key!r}{_nearest(str(key), known)}")
    _check_values(path, STAGES[found].recipe, raw, given)
    _check_names(f"recipe {path}", raw.get("tasks", []), raw.get("styles", []))
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
    check_recipe(where, stage, given=overrides(stage, arguments))
    return read_recipe(where)


def overrides(stage: str, arguments: Sequence[str]) -> set[str]:
    """The keys given on the command line, as a recipe writes them.

    Raises:
        RecipeError: a key that the stage does not know; argparse would take its beginning too.
    """
    known, found = known_keys(stage), set()
    for argument in arguments:
        if argument.startswith("--") and argument != "--config":
            key = argument[2:].partition("=")[0].replace("-", "_")
            # TRL's parser offers --no_KEY for switches that are on.
            key = key if key in known else key.removeprefix("no_")
            if key not in known:
                raise RecipeError(f"unknown override --{key} of {stage}{_nearest(key, known)}")
            found.add(key)
    return found


def parse_recipe(stage: str, arguments: Sequence[str], *library: type) -> tuple[Any, ...]:
    """Let TRL parse a checked recipe with its overrides.

    Returns:
        Our dataclass of the stage, then one object of each class in `library`.

    Raises:
        RecipeError: a value of the wrong kind or out of range.
        TaskError: an override names a task that does not exist.
    """
    from trl import TrlParser  # noqa: PLC0415 - brings torch

    parser = TrlParser((STAGES[stage].recipe, *library))
    parser.error = _refuse  # argparse would print its usage, which is pages here, and exit
    try:
        parsed: tuple[Any, ...] = parser.parse_args_and_config(list(arguments))
    except ValueError as error:
        raise RecipeError(f"{stage}: {_one_line(error)}") from None
    ours = vars(parsed[0])
    for name, value in ours.items():
        if flaw := _flaw(name, value):
            raise RecipeError(f"{stage}: {flaw}")
    _check_names(stage, ours["tasks"], ours["styles"])
    return parsed


def _refuse(message: str) -> NoReturn:
    raise RecipeError(_one_line(message))


def _one_line(said: object) -> str:
    return " ".join(str(said).split())


def known_keys(stage: str) -> set[str]:
    """Every key that a recipe of this stage may hold."""
    ours = {f.name for f in fields(STAGES[stage].recipe)}
    return ours.union(*(_library_fields(*where) for where in STAGES[stage].library))


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


def _nearest(key: str, known: set[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check_names(where: str, tasks: Sequence[str], styles: Sequence[str]) -> None:
    names = [load_task(task).name for task in tasks]
    if len(set(names)) < len(names):
        raise RecipeError(f"{where}: two tasks have the same name: {', '.join(names)}")
    for style in styles:
        load_style(style)


def _check_values(path: str | Path, recipe: type, raw: Mapping[str, Any], given: Set[str]) -> None:
    # Not `f.type`: the parser of transformers takes the None out of it.
    kinds = get_type_hints(recipe)
    for f in fields(recipe):
        if f.name in raw:
            if not _fits(raw[f.name], kinds[f.name]):
                raise RecipeError(
                    f"recipe {path}: {f.name} is {raw[f.name]!r}; "
                    f"it must be {_words_for(kinds[f.name])}"
                )
            if flaw := _flaw(f.name, raw[f.name]):
                raise RecipeError(f"recipe {path}: {flaw}")
        elif f.default is MISSING and f.default_factory is MISSING and f.name not in given:
            raise RecipeError(f"recipe {path}: the key {f.name!r} is missing")


def _flaw(name: str, value: Any) -> str:
    """What is wrong with a value of the right type; "" if nothing is."""
    if isinstance(value, int) and value < _AT_LEAST.get(name, value):
        return f"{name} is {value}; it must be at least {_AT_LEAST[name]}"
    if isinstance(value, list) and not 0 < len(value) == len(set(value)):
        return f"{name} is {value}; it must hold one item or more, each once"
    if name == "budgets" and (unknown := [b for b in value if b not in _BUDGETS]):
        return f"unknown budget {unknown[0]!r}; known: {', '.join(_BUDGETS)}"
    return ""


def _fits(value: Any, kind: Any) -> bool:
    origin = get_origin(kind)
    if origin is Literal:
        return value in get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(kind))
    if origin is list:
        return isinstance(value, list) and all(_fits(v, get_args(kind)[0]) for v in value)
    return type(value) is kind or (kind is type(None) and value is None)


def _words_for(kind: Any) -> str:
    names = {"int": "a whole number", "str": "a text", "NoneType": "null"}
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if origin in (Union, UnionType):
        return " or ".join(map(_words_for, get_args(kind)))
    if origin is list:
        return f"a list, each item {_words_for(get_args(kind)[0])}"
    return names.get(kind.__name__, str(kind.__name__))
