"""Whether the values of a recipe are of the right kind and within range."""

import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rl_faith.errors import RecipeError, one_line, shown
from rl_faith.recipes.kinds import RewardSpec
from rl_faith.styles import load_style
from rl_faith.tasks import load_task

_BUDGETS = ("one", "multi")
_WEEK = 7 * 24 * 3600
_LARGEST = sys.float_info.max
_AT_LEAST = {
    "examples_per_task": 1,
    "max_new_tokens": 1,
    "chunk": 1,
    "quality_examples": 0,
    "ceiling_examples": 0,
    "replay_examples": 0,
    "replay_predictions": 0,
    "skip_examples": 0,
    "held_out_examples": 0,
    "refresh_steps": 0,
    "replay_coef": 0,
    "pool_per_cell": 2,
}


def check_values(path: str | Path, recipe: type, raw: Mapping[str, Any], given: Set[str]) -> None:
    """Check the values of a recipe file against the dataclass of its stage.

    Raises:
        RecipeError: a value of the wrong kind or out of range, or a missing key.
    """
    # Not `f.type`: the parser of transformers takes the None out of it.
    kinds = get_type_hints(recipe)
    for f in fields(recipe):
        if f.name in raw:
            if not _fits(raw[f.name], kinds[f.name]):
                raise RecipeError(
                    f"recipe {path}: {f.name} is {shown(raw[f.name])}; "
                    f"it must be {words_for(kinds[f.name])}"
                )
            if wrong := flaw(f.name, raw[f.name]):
                raise RecipeError(f"recipe {path}: {wrong}")
        elif f.default is MISSING and f.default_factory is MISSING and f.name not in given:
            raise RecipeError(f"recipe {path}: the key {f.name!r} is missing")
    served = raw.get("policy") == "server" and not given & {"policy", "base_urls"}
    if served and not raw.get("base_urls"):
        raise RecipeError(f"recipe {path}: policy: server needs base_urls, a list of URLs")


def flaw(name: str, value: Any) -> str:
    """Say what is wrong with a value of the right type; "" if nothing is."""
    if isinstance(value, (int, float)) and value < _AT_LEAST.get(name, value):
        return f"{name} is {shown(value)}; it must be at least {_AT_LEAST[name]}"
    if name == "rewards":
        return _reward_flaw(value)
    if isinstance(value, list) and not 0 < len(value) == len(set(value)):
        return f"{name} is {shown(value)}; it must hold one item or more, each once"
    if name == "base_urls" and (strange := [u for u in value or [] if not _is_url(u)]):
        return f"base_urls holds {shown(strange[0])}; a URL looks like http://127.0.0.1:8000"
    if name == "budgets" and (unknown := [b for b in value if b not in _BUDGETS]):
        return f"unknown budget {shown(unknown[0])}; known: {', '.join(_BUDGETS)}"
    return ""


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _reward_flaw(entries: list[dict[str, Any]]) -> str:
    if not entries:
        return "rewards is empty; name at least one"
    return next(filter(None, map(_entry_flaw, entries)), "")


def _entry_flaw(entry: dict[str, Any]) -> str:
    known = {f.name for f in fields(RewardSpec)}
    if unknown := [key for key in entry if key not in known]:
        return f"unknown key {shown(unknown[0])} of a reward; known: {', '.join(sorted(known))}"
    if not isinstance(name := entry.get("function"), str):
        return f"the reward {shown(entry)} names no function"
    if not _is_finite(weight := entry.get("weight", 1.0)):
        return f"the weight of {shown(name)} is {shown(weight)}, not a finite number"
    if not _is_named(entry.get("args", {})):
        return f"the args of {shown(name)} must map names to values"
    timeout = entry.get("timeout", 1.0)
    if not (_is_finite(timeout) and 0 < timeout <= _WEEK):
        return f"the timeout of {shown(name)} is {shown(timeout)}, not seconds of up to a week"
    return ""


def _is_finite(value: Any) -> bool:
    # Compared as they are: nan is in no range, and a whole number may be too large for a float.
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def check_names(
    where: str, tasks: Sequence[str], styles: Sequence[str], budgets: Sequence[str] = ()
) -> None:
    """Check that tasks and styles exist and that no task is named twice.

    Args:
        where: For errors.
        tasks: Shipped tasks or paths to task files.
        styles: Of the explanations.
        budgets: The tasks must be able to ask for these in every style.

    Raises:
        RecipeError: a style that does not exist, or two tasks of one name.
        TaskError: a task that does not exist, does not parse, or has no prompt for an explanation.
    """
    loaded = [load_task(task) for task in tasks]
    names = [task.name for task in loaded]
    if len(set(names)) < len(names):
        raise RecipeError(f"{where}: two tasks have the same name: {one_line(', '.join(names))}")
    for style in styles:
        load_style(style)
    for task in loaded:
        task.check_instructions(styles, budgets)


def _fits(value: Any, kind: Any) -> bool:
    origin = get_origin(kind)
    if origin is Literal:
        return value in get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(kind))
    if origin is list:
        return isinstance(value, list) and all(_fits(v, get_args(kind)[0]) for v in value)
    if kind is float:
        return _is_finite(value)
    return type(value) is (origin or kind) or (kind is type(None) and value is None)


def words_for(kind: Any) -> str:
    """A type as a sentence names it: `int` is a whole number."""
    names = {
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
        "str": "a text",
        "NoneType": "null",
        "dict": "a mapping",
    }
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if origin in (Union, UnionType):
        return " or ".join(map(words_for, get_args(kind)))
    if origin is list:
        return f"a list, each item {words_for(get_args(kind)[0])}"
    return names.get(kind.__name__, str(kind.__name__))
