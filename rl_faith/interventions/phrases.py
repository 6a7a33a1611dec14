"""Phrases that attribute an answer to someone: the shipped bank, and reading a bank."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from rl_faith.errors import RecipeError, shown
from rl_faith.text import words

PLACE = "{label}"
_KEYS = ("text", "sources", "held_out")


@dataclass(frozen=True)
class Phrase:
    """A sentence that suggests an answer.

    Attributes:
        kind: Who or what suggests it: "authority", "majority", ...
        text: The sentence, with {label} in place of the label word.
        sources: Nouns of which one in a reply names the phrase, in the singular.
        held_out: Whether it is kept from training.
    """

    kind: str
    text: str
    sources: tuple[str, ...]
    held_out: bool = False


@cache
def shipped_phrases() -> tuple[Phrase, ...]:
    """The bank that comes with the package, in our own wording."""
    text = files(__package__).joinpath("phrases.yaml").read_text(encoding="utf-8")
    return parse_phrases(yaml.safe_load(text), "phrases.yaml")


def parse_phrases(raw: Any, where: str) -> tuple[Phrase, ...]:
    """Read a bank: kind -> list of phrases.

    Raises:
        RecipeError: something else, an unknown key, or a phrase without {label} or sources.
    """
    if not isinstance(raw, dict) or not raw or not all(isinstance(k, str) for k in raw):
        raise RecipeError(f"{where}: phrases must map each kind to a list of phrases")
    found = []
    for kind, listed in raw.items():
        if not isinstance(listed, list) or not listed:
            raise RecipeError(f"{where}: phrases.{kind} must be a list of phrases")
        found += [
            _phrase(kind, one, f"{where}: phrases.{kind}[{i}]") for i, one in enumerate(listed)
        ]
    return tuple(found)


def check_keys(raw: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    """Raise RecipeError for a key that is not known, naming the nearest one that is."""
    for key in raw:
        if key not in known:
            near = get_close_matches(key, known, n=1) if isinstance(key, str) else []
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise RecipeError(f"{where}: unknown key {shown(key)}; {hint}")


def _phrase(kind: str, raw: Any, where: str) -> Phrase:
    if not isinstance(raw, dict):
        raise RecipeError(f"{where} must have the keys {', '.join(_KEYS)}")
    check_keys(raw, _KEYS, where)
    text, held_out = raw.get("text"), raw.get("held_out", False)
    if not isinstance(text, str) or PLACE not in text:
        raise RecipeError(f"{where}: text must be a sentence with {PLACE} in it")
    if not isinstance(held_out, bool):
        raise RecipeError(f"{where}: held_out must be true or false")
    return Phrase(kind, text, single_words(raw.get("sources"), f"{where}: sources"), held_out)


def single_words(raw: Any, where: str) -> tuple[str, ...]:
    """Check a list of words, each of them one word.

    Raises:
        RecipeError: anything else, or no word at all.
    """
    listed = raw if isinstance(raw, list) else []
    if not listed or not all(
        isinstance(w, str) and [t.text for t in words(w)] == [w] for w in listed
    ):
        raise RecipeError(
            f"{where} must be a list of single words, in quotes where YAML needs them"
        )
    return tuple(listed)
