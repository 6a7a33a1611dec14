"""Taking the answer out of what a model really replies: prefixes, quotes, fences, lists, JSON."""

import json
import re
from collections.abc import Iterator
from typing import Any

import json_repair

_FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_PREFIX = re.compile(
    r"^\W{0,3}(?:the )?(?:answer|output)\W{0,3}?:[*_ \t]*", re.IGNORECASE | re.MULTILINE
)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`", "„": "“"}
# A reply longer than this is not an answer; it bounds the work that odd replies can cause.
_LONGEST = 20_000


def answer_of(reply: str) -> str:
    """The reply without code fence and without anything up to a leading "Answer:"."""
    reply = reply[:_LONGEST]
    fenced = _FENCE.search(reply)
    body = fenced[1] if fenced else reply
    prefix = _PREFIX.search(body)
    return (body[prefix.end() :] if prefix else body).strip()


def json_value(reply: str, key: str) -> Any | None:
    """The value under `key` of the first JSON object in the reply, or None.

    Text before and behind the object is ignored, damaged JSON is repaired, and an object with one
    entry is taken whatever its key. Never raises.
    """
    start = reply.find("{")
    if start < 0:
        return None
    value = _first_object(reply[start:_LONGEST])
    if not isinstance(value, dict):
        return None
    only = next(iter(value.values())) if len(value) == 1 else None
    return value.get(key, only)


def _first_object(text: str) -> Any:
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        pass
    try:
        repaired = json_repair.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(repaired, list):
        return next((item for item in repaired if isinstance(item, dict)), None)
    return repaired


def texts_of(reply: str, key: str) -> Iterator[str]:
    """The texts that the reply may mean, likeliest first: JSON value, answer, its first line."""
    value = json_value(reply, key)
    answer = answer_of(reply)
    for text in ([value] if isinstance(value, str) else []) + [answer, answer.split("\n", 1)[0]]:
        yield text.strip()
        if (bare := unquoted(text)) != text.strip():
            yield bare


def lists_of(reply: str, key: str) -> Iterator[list[str]]:
    """The lists of words that the reply may mean, likeliest first."""
    value = json_value(reply, key)
    if isinstance(value, str):
        yield items_of(value)
    elif isinstance(value, list):
        yield [str(item).strip() for item in value]
    answer = answer_of(reply)
    yield [unquoted(answer)]
    yield items_of(answer)
    yield items_of(answer.split("\n", 1)[0])


def items_of(text: str) -> list[str]:
    """Split a list written with line breaks, bullets, numbers, commas or brackets."""
    lines = [_BULLET.sub("", line) for line in text.strip().strip("[]").splitlines()]
    items = [item for line in lines for item in re.split(r"[,;]\s+|[,;]$|(?<=[\"'])\s*,\s*", line)]
    return [bare for item in items if (bare := unquoted(item))]


def unquoted(text: str) -> str:
    """The text without one pair of quotes around it and without the full stop behind them."""
    text = text.strip()
    inner = text[:-1] if text[-2:-1] in _QUOTES.values() and text.endswith((".", ",")) else text
    if len(inner) > 1 and _QUOTES.get(inner[0]) == inner[-1]:
        return inner[1:-1].strip()
    return text
