"""Interventions by name, or from a user's YAML file."""

from dataclasses import fields
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from rl_faith.errors import RecipeError, one_line, shown
from rl_faith.interventions.insertion import Intervention
from rl_faith.interventions.phrases import check_keys, parse_phrases, single_words
from rl_faith.interventions.random_word import RandomWord
from rl_faith.interventions.user_bias import UserBias
from rl_faith.plain_yaml import read_yaml

_KINDS: dict[str, type[RandomWord] | type[UserBias]] = {
    "random_word": RandomWord,
    "user_bias": UserBias,
}
_SHIPPED = ("toy_word",)
"""Interventions that come as files."""

_COUNTS = ("positions", "words", "phrases_per_example")


def load_intervention(name: str) -> Intervention:
    """Return a shipped intervention, or what a path to a .yaml file describes.

    Shipped are "random_word", "user_bias", and "toy_word" for toy-errands.

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
        return _parse(read_yaml(text), name)
    if name not in _KINDS:
        hint = f"{_hint(name, (*_KINDS, *_SHIPPED))}; a path to a .yaml file works too"
        raise RecipeError(f"unknown intervention {shown(name)}; {hint}")
    return _KINDS[name]()


def _kind(name: object, where: str) -> type[RandomWord] | type[UserBias]:
    if not isinstance(name, str) or name not in _KINDS:
        raise RecipeError(f"{where}: unknown kind {shown(name)}; {_hint(name, tuple(_KINDS))}")
    return _KINDS[name]


def _hint(name: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1) if isinstance(name, str) else []
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _mapping(path: Path) -> dict[str, Any]:
    try:
        raw = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"there is no intervention file {one_line(path)}") from None
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"intervention file {one_line(path)} could not be read: {one_line(error)}"
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
            raise RecipeError(f"{where}: {key} must be a whole number from 1, not {shown(raw)}")
        return raw
    return () if raw == [] else single_words(raw, f"{where}: {key}")
