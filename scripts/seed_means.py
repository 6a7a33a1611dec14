"""Means over seeds of an evaluation whose models are named KIND-SEED, as Markdown tables.

    python scripts/seed_means.py runs/toy-grid/evaluate

Below the tables: in how many cells and seeds one kind lies above or below another, both 95%
intervals disjoint, and in how many its figure is under the other's interval.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

Cell = dict[str, Any]
Key = tuple[str, str, str]
FIGURES = ("faithful_all", "lift", "valid", "random_control", "ceiling", "accuracy")


def kind_and_seed(model: str) -> tuple[str, str]:
    """Split "sft-rl-2" into kind and seed; a model without seed stands for every one.

    The 4 of "sft-rl-6e-4" is part of a rate and no seed.
    """
    match = re.fullmatch(r"(.+)(?<!\de)-(\d+)", model)
    return (match[1], match[2]) if match else (model, "")


def read(run: Path) -> dict[str, dict[str, dict[Key, Cell]]]:
    """Cells by kind, seed, and (task, style, budget)."""
    found: dict[str, dict[str, dict[Key, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for cell in json.loads((run / "results.json").read_text(encoding="utf-8"))["cells"]:
        if isinstance(cell["budget"], str):
            kind, seed = kind_and_seed(cell["model"])
            found[kind][seed][cell["task"], cell["style"], cell["budget"]] = cell
    return found


def table(found: dict[str, Any], figure: str, budget: str) -> Iterator[str]:
    """Mean of one figure over the seeds: kinds down, tasks and styles across."""
    keys = [key for key in next(iter(next(iter(found.values())).values())) if key[2] == budget]
    if not keys:
        return
    tasks = list(dict.fromkeys(task for task, *_ in keys))
    yield f"\n{figure}, {budget}\n"
    yield f"| | {' | '.join(tasks)} |"
    yield "|---" * (len(tasks) + 1) + "|"
    for kind, seeds in found.items():
        shown = []
        for task in tasks:
            of = [[s[key][figure]["value"] for s in seeds.values()] for key in keys
                  if key[0] == task]  # fmt: skip
            shown.append(" / ".join(map(mean, of)))
        yield f"| {kind} | {' | '.join(shown)} |"


def mean(values: list[float | None]) -> str:
    """Two digits; – where nothing was measured."""
    known = [value for value in values if value is not None]
    return f"{fmean(known):.3f}".removesuffix("0") if known else "–"


def apart(found: dict[str, Any], first: str, second: str, budget: str) -> str:
    """In how many cells and seeds `second` lies above or below `first`, or doubles it."""
    above = below = under = doubled = total = 0
    for seed, cells in found[second].items():
        before = found[first].get(seed) or found[first][""]
        for key in (key for key in cells if key[2] == budget):
            a, b = before[key]["faithful_all"], cells[key]["faithful_all"]
            total += 1
            above += b["low"] > a["high"]
            below += b["high"] < a["low"]
            under += b["value"] < a["low"]
            doubled += b["low"] > a["high"] and b["value"] >= 2 * a["value"]
    return (
        f"{second} against {first}, {budget}: above in {above} of {total}, at least twice as much "
        f"in {doubled}, below in {below}, under the interval of {first} in {under}"
    )


def main() -> None:
    """Print the tables and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a folder that rl-faith evaluate wrote")
    found = read(parser.parse_args().run)
    kinds = list(found)
    lines = [line for budget in ("one", "multi") for figure in FIGURES
             for line in table(found, figure, budget)]  # fmt: skip
    pairs = [(a, b) for i, a in enumerate(kinds) for b in kinds[i + 1 :]]
    lines += ["", *(apart(found, *pair, b) for b in ("one", "multi") for pair in pairs)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
