"""Timing ways of doing the same work side by side, on a machine that other work disturbs."""

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from rich.console import Console
from rich.table import Table

REPETITIONS = 5

Way = Callable[[int], Any]
"""Does the work of one repetition, given its number."""


def side_by_side(ways: Mapping[str, Way]) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Run every way in turn, `REPETITIONS` times; return the seconds and the results of each.

    Taking turns within every repetition lets a disturbance fall on all ways alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, list[Any]] = {name: [] for name in ways}
    for repetition in range(REPETITIONS):
        for name, way in ways.items():
            start = time.perf_counter()
            results[name].append(way(repetition))
            seconds[name].append(time.perf_counter() - start)
    return seconds, results


def rows_of(
    seconds: Mapping[str, Sequence[float]], *, ours: str, targets: Mapping[str, float]
) -> list[dict[str, Any]]:
    """One row per way: median seconds, and how many times faster `ours` is."""
    rows = []
    for name, taken in seconds.items():
        pairs = zip(taken, seconds[ours], strict=True)
        ratio = median(theirs / mine for theirs, mine in pairs)
        row: dict[str, Any] = {"way": name, "seconds": median(taken), "times": ratio}
        if name in targets:
            row |= {"target": targets[name], "reached": ratio >= targets[name]}
        rows.append(row)
    return rows


def report(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; columns are taken from all of them."""
    table = Table(title=title, title_justify="left")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        table.add_column(column, justify="left" if column == "way" else "right")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(width=120).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "repetitions": REPETITIONS,
    }


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), **content}, indent=1) + "\n", "utf-8")
    print(f"written to {path}")
