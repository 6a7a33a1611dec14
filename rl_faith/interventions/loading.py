"""Interventions by name, or from a user's YAML file."""

from dataclasses import fields
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rl_faith.errors import RecipeError, one_line
from rl_faith.interventions.insertion import Intervention
from rl_faith.interventions.phrases import check_keys, parse_phrases, single_words
from rl_faith.interventions.random_word import RandomWord
from rl_faith.interventions.user_bias import UserBias

_KINDS: dict[str, type[RandomWord] | type[UserBias]] = {
    "random_word": RandomWord,
    "user_bias": UserBias,
}
_SHIPPED = ("toy_word",)
"""Interventions that come as files."""

_COUNTS = ("positions", "words", "phrases_per_example")


def load_intervention(name: str) -> Intervention:
    """Return a shipped intervention, or what a path to a .yaml file describes.

    Shipped are "random_word", "user_bias", and "toy_word" for the embedded model.

    The file has `kind` (one of the two), `name`, and any field of that kind: `positions`, `words`,
    `adjectives`, `adverbs`, `nouns`, `verbs`; or `phrases` (as in phrases.yaml) and
    `phrases_per_example`.

    Raises:
        RecipeError: no such intervention or file, an unknown key, or a bad value.
    """
    if name.endswith((".yaml", ".yml")):
        return _parse(_mapping(Path(name)), name)
    if name in _SHIPPED:
        text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        return _parse(yaml.safe_load(text), name)
    if name not in _KINDS:
        hint = f"{_hint(name, (*_KINDS, *_SHIPPED))}; a path to a .yaml file works too"
        raise RecipeError(f"unknown intervention {name!r}; {hint}")
    return _KINDS[name]()


def _kind(name: object, where: str) -> type[RandomWord] | type[UserBias]:
    if not isinstance(name, str) or name not in _KINDS:
        raise RecipeError(f"{where}: unknown kind {name!r}; {_hint(str(name), tuple(_KINDS))}")
    return _KINDS[name]


def _hint(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RecipeError(f"there is no intervention file {path}")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(
            f"intervention file {path} could not be read: {one_line(error)}"
        ) from None
    if not isinstance(raw, dict):
        raise RecipeError(f"intervention file {path} must be a mapping of keys to values")
    return raw


def _parse(raw: dict[str, Any], where: str) -> Intervention:
    made = _kind(raw.get("kind"), where)
    check_keys(raw, ("kind", *(field.name for field in fields(made))), where)
    if not isinstance(raw.get("name"), str) or not raw["name"].strip():
        raise RecipeError(f"{where}: name must say what the intervention is called in results")
    given = {key: _value(key, raw[key], where) for key in raw if key != "kind"}
    return made(**given)


def _value(key: str, raw: Any, where: str) -> Any:
    if key == "name":
        return raw
    if key == "phrases":
        return parse_phrases(raw, where)
    if key in _COUNTS:
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < 1:
            raise RecipeError(f"{where}: {key} must be a whole number from 1, not {raw!r}")
        return raw
    return () if raw == [] else single_words(raw, f"{where}: {key}")
