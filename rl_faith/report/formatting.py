"""Figures as text, the same on the page and in Markdown."""

import re
from collections.abc import Callable

from rl_faith.correlation import Correlation
from rl_faith.evaluation.tables import NONE
from rl_faith.report.contents import Change, Value
from rl_faith.stats import Estimate

# Controls, marks that turn the direction of all text behind them, and halves of characters.
_UNSHOWN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Text that others wrote, fit to stand inside a sentence of ours."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)


def parts(value: Value) -> tuple[str, str]:
    """The text of an entry, and what stands small behind it: an interval, or nothing."""
    if isinstance(value, Correlation) and value.degenerate:
        return "0!", ""
    if isinstance(value, Estimate):
        return share(value.value), _ends(value, share)
    if isinstance(value, Change):
        star = "*" if value.clear else ""
        return change(value.estimate.value) + star, _ends(value.estimate, change)
    return plain(value), ""


def plain(value: str | int | float | None) -> str:
    """An entry that has no interval."""
    if value is None:
        return NONE
    if isinstance(value, float):
        return _number(value)
    return f"{value:,}" if isinstance(value, int) else value


def _number(value: float) -> str:
    """Three digits behind the point below 1, one below 100, and none above."""
    if 0 < value < 0.0005:
        return "<0.001"
    digits = 3 if abs(value) < 1 else 1 if abs(value) < 100 else 0
    return _minus(f"{value:z,.{digits}f}")


def share(value: float | None) -> str:
    """A share or a correlation."""
    return NONE if value is None else _minus(f"{value:z.2f}")


def change(value: float | None) -> str:
    """A difference, with its sign."""
    return NONE if value is None else _minus(f"{value:+z.2f}")


def _ends(value: Estimate, shown: Callable[[float | None], str]) -> str:
    return "" if value.low is None else f"{shown(value.low)} to {shown(value.high)}"


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")


def text(value: Value) -> str:
    """An entry with its interval, in a sentence or in Markdown."""
    main, small = parts(value)
    return f"{main} ({small})" if small else main


def difference(estimate: Estimate) -> str:
    """A difference with its interval, in a sentence."""
    return f"{change(estimate.value)} ({_ends(estimate, change)})" if estimate.n else NONE
