"""The insertions that a GRPO run trains on and is watched by, from a counterfactual build."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from rl_faith.errors import DataError
from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes import CounterfactualGRPORecipe
from rl_faith.runs import read_rows
from rl_faith.tasks import Task, load_task

Row = dict[str, Any]
_KEPT = (
    *("id", "task", "intervention", "part", "original", "input", "context", "options", "gold"),
    *("input_before", "context_before", "place", "factor", "mentions", "suggested"),
    *("impact", "tvd"),
)


def insertion_rows(recipe: CounterfactualGRPORecipe, *, seed: int) -> tuple[list[Row], list[Row]]:
    """Rows to train on and rows to watch by; no example is on both sides.

    Raises:
        DataError: no finished build, or nothing in it that the recipe names.
    """
    rows = [{column: row[column] for column in _KEPT} for row in _chosen(recipe)]
    held_out = _held_out(rows, recipe.held_out_examples, seed)
    train = [row for row in rows if row["original"] not in held_out]
    if not train:
        raise DataError(
            f"the pool {recipe.pool} has no insertion to train on; see tasks and interventions"
        )
    return train, [row for row in rows if row["original"] in held_out]


def pool_tasks(
    recipe: CounterfactualGRPORecipe, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Task]:
    """The tasks of `rows` by name, each from the file by which the recipe or the build names it.

    Raises:
        TaskError: a task of one's own whose file neither names.
    """
    build = Path(recipe.pool, "recipe.yaml")
    told = read_yaml(build.read_text(encoding="utf-8")) if build.is_file() else {}
    files = {Path(name).stem: name for name in [*told.get("tasks", []), *(recipe.tasks or [])]}
    return {name: load_task(files.get(name, name)) for name in {row["task"]: None for row in rows}}


def _chosen(recipe: CounterfactualGRPORecipe) -> list[Row]:
    # Written last, so that a build which was stopped has none.
    pool = Path(recipe.pool, "pool.jsonl")
    if not pool.is_file():
        raise DataError(f"{recipe.pool} holds no pool.jsonl; finish its counterfactual build first")
    tasks = None if recipe.tasks is None else {Path(name).stem for name in recipe.tasks}
    kinds = recipe.interventions
    return [
        row
        for row in read_rows(pool if recipe.balanced else pool.with_name("instances.jsonl"))
        if row["status"] == "scored"
        and (tasks is None or row["task"] in tasks)
        and (kinds is None or row["intervention"] in kinds)
    ]


def _held_out(rows: list[Row], wanted: int, seed: int) -> set[str]:
    """Examples whose insertions are as many as wanted, or a few more."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["original"]] = counts.get(row["original"], 0) + 1
    originals = sorted(counts)
    Random(f"held out {seed}").shuffle(originals)
    found, total = set[str](), 0
    for original in originals:
        if total >= wanted:
            break
        found.add(original)
        total += counts[original]
    return found
