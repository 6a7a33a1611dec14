"""Taking the answer out of what a model really replies: prefixes, quotes, fences, lists, JSON."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

# A fence begins a line or follows "Answer:"; elsewhere backticks are those of the text itself.
_FENCE = re.compile(
    r"(?:^|[:：*_])[ \t]*```(?:[\w-]*[ \t]*\n)?(.*?)(?:```|\Z)", re.DOTALL | re.MULTILINE
)
_PREFIX = re.compile(
    r"^[ \t>#-]{0,5}([*_]{0,3})(?:(?:the|my|final|new|edited|redacted|modified) )*"
    r"(?:answer|output|text|sentence|title|word|words)(?: is)?(?:\1 ?[:：]|[:：]\1)[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`", "„": "“"}
# Damaged JSON counts when its value is closed: a reply cut off inside a text is not that text.
_CLOSED_TEXT = re.compile(
    r"\s*+(?:([\"'])|[“‘])(.*?)(?<!\\)(?(1)\1|[”’])"
    r"\s*+,?\s*+(?:\}|```|\Z|[\"'“‘][\w ]+[\"'”’]\s*+:)",
    re.DOTALL,
)
_CLOSED_LIST = re.compile(r"\s*+\[([^\[\]{}]*)\]")
_ESCAPE = re.compile(r"\\([\"'\\/])")
# A reply longer than this is not an answer; it bounds the work that odd replies can cause.
_LONGEST = 20_000
_MOST_OBJECTS = 8


def answer_of(reply: str) -> str:
    """The reply without code fence and without anything up to a leading "Answer:"."""
    body = reply[:_LONGEST]
    if (fenced := _FENCE.search(body)) and fenced[1].strip():
        body = fenced[1]
    return _behind_prefix(body)


def json_value(reply: str, key: str) -> Any | None:
    """The text or list under `key` of a JSON object in the reply, or None.

    Text before and behind the object is ignored, an object with one entry is taken whatever its
    key, and single quotes, stray commas and a missing brace are forgiven. Never raises.
    """
    for opening in islice(re.finditer(r"\{", reply), _MOST_OBJECTS):
        found = _object(reply, opening.start())
        only = next(iter(found.values())) if len(found) == 1 else None
        if isinstance(value := found.get(key, only), str | list):
            return value
    return _damaged_value(reply, key)


def _object(reply: str, start: int) -> dict[str, Any]:
    try:
        found = json.JSONDecoder(strict=False).raw_decode(reply, start)[0]
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _damaged_value(reply: str, key: str) -> Any | None:
    if not (opening := _opening(key).search(reply)):
        return None
    if closed := _CLOSED_TEXT.match(reply, opening.end()):
        return _ESCAPE.sub(r"\1", closed[2]).replace(r"\n", "\n")
    if closed := _CLOSED_LIST.match(reply, opening.end()):
        return items_of(closed[1])
    return None


def _opening(key: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^[ \t]*+[\"'“‘]|[{{,]\s*+[\"'“‘]?){key}[\"'”’]?\s*+:", re.MULTILINE)


def _readings(reply: str, key: str) -> list[str]:
    """What the reply may mean when it is not JSON with texts, likeliest first."""
    values = _object(answer_of(reply), 0).values()
    if _opening(key).search(reply) or any(isinstance(value, str | list) for value in values):
        return []
    if not (body := _behind_prefix(reply)):
        return []
    return list(dict.fromkeys([body, answer_of(reply), *_openings(body), reply.strip()]))


def _behind_prefix(body: str) -> str:
    prefix = _PREFIX.search(body)
    return (body[prefix.end() :] if prefix else body).strip()


def _openings(body: str) -> list[str]:
    """The first paragraph and the first line: models like to explain themselves behind these."""
    return [re.split(r"\n[ \t]*\n", body, maxsplit=1)[0], body.split("\n", 1)[0].strip()]


def texts_of(reply: str, key: str) -> Iterator[str]:
    """The texts that the reply may mean, likeliest first."""
    if len(reply) > _LONGEST:
        return
    value = json_value(reply, key)
    for text in ([value] if isinstance(value, str) else []) + _readings(reply, key):
        yield text.strip()
        if (bare := unquoted(text)) != text.strip():
            yield bare


def lists_of(reply: str, key: str) -> Iterator[list[str]]:
    """The lists of words that the reply may mean, likeliest first."""
    if len(reply) > _LONGEST:
        return
    value = json_value(reply, key)
    if isinstance(value, str):
        yield items_of(value)
    elif value is not None:
        yield [item.strip() if isinstance(item, str) else json.dumps(item) for item in value]
    for text in _readings(reply, key):
        yield [unquoted(text)]
        yield items_of(text)


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
