"""The short word lists behind the rules, from english.yaml."""

from functools import cache
from importlib.resources import files

import yaml


def word_list(name: str) -> frozenset[str]:
    """The words listed under `name`."""
    return frozenset(_lists()[name].split())


@cache
def _lists() -> dict[str, str]:
    text = files(__package__).joinpath("english.yaml").read_text(encoding="utf-8")
    lists: dict[str, str] = yaml.safe_load(text)
    return lists
