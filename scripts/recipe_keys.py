"""Writes the tables of keys into docs/recipes.md, from the dataclasses of the recipes.

    python scripts/recipe_keys.py

What a key means is said once, in the docstring of its dataclass; a test compares the page with it.
"""

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from inspect import getdoc
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from rl_faith.recipes import COUNTERFACTUAL, STAGES, kinds
from rl_faith.recipes.values import words_for

PAGE = Path(__file__).parent.parent / "docs" / "recipes.md"
_TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(?=<!-- end of keys -->)", re.DOTALL)
_ENTRY = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)
_ELSEWHERE = re.compile(r"As in `(\w+)`\.?")


def with_tables(page: str) -> str:
    """The page with every table as the dataclasses have it now."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{table(getattr(kinds, found[2]))}\n", page)


def table(recipe: type) -> str:
    """The keys of one dataclass as a Markdown table."""
    hints, told = get_type_hints(recipe), meanings(recipe)
    rows = [
        f"| `{f.name}` | {words_for(hints[f.name])} | {_default(f)} | {told[f.name]} |"
        for f in fields(recipe)
    ]
    return "\n".join(["| key | holds | default | meaning |", "|---|---|---|---|", *rows, ""])


def meanings(recipe: type) -> dict[str, str]:
    """What the docstring of a dataclass says of each attribute, references to others followed."""
    said = {name: " ".join(text.split()) for name, text in _ENTRY.findall(getdoc(recipe) or "")}
    return {name: _followed(name, text) for name, text in said.items()}


def _followed(name: str, text: str) -> str:
    return _ELSEWHERE.sub(lambda found: meanings(getattr(kinds, found[1]))[name], text)


def _default(field: Field[Any]) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "must be given"
    value = field.default if field.default_factory is MISSING else field.default_factory()
    shown = yaml.safe_dump(value, default_flow_style=True, width=1_000).removesuffix("...\n")
    return f"`{shown.strip()}`"


def documented() -> Iterator[type]:
    """Every dataclass that a recipe can be read as."""
    yield from dict.fromkeys(stage.recipe for stage in (*STAGES.values(), *COUNTERFACTUAL.values()))


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
