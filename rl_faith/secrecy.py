"""Keeping tokens, keys and passwords out of what a run writes down."""

import os
import re
from collections.abc import Sequence
from typing import Any

_HIDDEN = "***"
# TRL's eos_token and pad_token are no secrets.
_NAME = (
    r"(?:(?<!eos[-_])(?<!pad[-_])token|(?:api|access|secret|private)[-_]?key"
    r"|secret|passw(?:or)?d|credentials?)"
)
_ENDS_AS_SECRET = re.compile(rf"{_NAME}\Z", re.IGNORECASE)
# What follows "token=" without quotes is hidden to its end: a password may hold spaces.
_ASSIGNED = re.compile(
    rf"({_NAME}[\"']?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\"'\s].*)", re.IGNORECASE | re.DOTALL
)
_TOKEN = re.compile(r"\bhf_\w{16,}|\bsk-[\w-]{16,}")
_USER_OF_URL = re.compile(r"(?<=://)[^/\s@]+@")
# A shorter value of the environment may stand anywhere by chance.
_SHORTEST = 8


def without_secrets(value: Any, name: str = "") -> Any:
    """A value for a file that others may read, with what looks secret replaced by `***`.

    Hidden are values under a name like `hub_token` or `api_key`, also inside a text, the values of
    environment variables of such a name, tokens known by their form, and users in URLs.
    """
    if isinstance(value, dict):
        return {key: without_secrets(held, str(key)) for key, held in value.items()}
    if isinstance(value, list):
        return [without_secrets(held, name) for held in value]
    if not isinstance(value, str):
        return value
    return _HIDDEN if _is_secret(name) else _scrubbed(value)


def command_without_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line for a file that others may read; see `without_secrets`."""
    before = ["", *arguments]
    return [
        without_secrets(said, option if option.startswith("-") else "")
        for option, said in zip(before, arguments, strict=False)
    ]


def _is_secret(name: str) -> bool:
    return bool(_ENDS_AS_SECRET.search(name))


def _scrubbed(text: str) -> str:
    for name, value in os.environ.items():
        if _is_secret(name) and len(value) >= _SHORTEST:
            text = text.replace(value, _HIDDEN)
    text = _ASSIGNED.sub(rf"\1{_HIDDEN}", text)
    return _USER_OF_URL.sub(f"{_HIDDEN}@", _TOKEN.sub(_HIDDEN, text))
