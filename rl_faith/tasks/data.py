"""Loading examples: from a Hub data set, a local file, or the generated toy corpora."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rl_faith.errors import DataError
from rl_faith.tasks.task import Example, Task

_READERS: dict[str, dict[str, Any]] = {
    ".jsonl": {"path": "json"},
    ".json": {"path": "json"},
    # "NA" and "null" are texts that people write, not missing values.
    ".csv": {"path": "csv", "keep_default_na": False},
    ".parquet": {"path": "parquet"},
}


def load_examples(
    task: Task, split: str, *, source: str = "hub", n: int, seed: int
) -> list[Example]:
    """Sample `n` label-balanced examples of a split, by seed.

    The training split never holds an input of the test split: such rows are left out first.

    Args:
        task: What to load.
        split: "train" or "test".
        source: "hub", "toy", or a folder with `<task>/<split>.jsonl` (or .csv, .parquet).
        n: How many; every label gets n / labels of them, give or take one.
        seed: Which ones, and in which order.

    Raises:
        DataError: no such data, a missing column, an unknown label, or too few examples.
    """
    if split not in ("train", "test"):
        raise DataError(f"unknown split {split!r}; known: train, test")
    pool = _distinct(_read(task, split, source))
    _check_ids(task, split, pool)
    if split == "train":
        held_out = {_normal(e.input) for e in _read(task, "test", source)}
        pool = [e for e in pool if _normal(e.input) not in held_out]
    return _balanced(task, split, pool, n, seed)


def check_disjoint(train: Iterable[Example], test: Iterable[Example]) -> None:
    """Raise DataError when an input text stands in both splits."""
    seen = {_normal(e.input): e.id for e in train}
    for example in test:
        if (text := _normal(example.input)) in seen:
            raise DataError(f"example {example.id} has the input of training example {seen[text]}")


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _distinct(examples: Iterable[Example]) -> list[Example]:
    """The first of several examples with the same texts."""
    found: dict[tuple[str, str], Example] = {}
    for example in examples:
        found.setdefault((_normal(example.input), _normal(example.context)), example)
    return list(found.values())


def _check_ids(task: Task, split: str, pool: Iterable[Example]) -> None:
    """Results are paired by id, so two examples must not share one."""
    seen: set[str] = set()
    for example in pool:
        if example.id in seen:
            raise DataError(
                f"task {task.name!r}, split {split!r}: id {example.id!r} belongs to several "
                "inputs; make ids unique or drop the id column"
            )
        seen.add(example.id)


def _balanced(task: Task, split: str, pool: list[Example], n: int, seed: int) -> list[Example]:
    """Take labels in turn from shuffled piles."""
    piles: dict[str, list[Example]] = defaultdict(list)
    for example in pool:
        piles[example.gold].append(example)
    rng = random.Random(f"{task.name}-{split}-{seed}")
    for pile in piles.values():
        rng.shuffle(pile)
    labels = list(task.labels)
    if any(len(piles[label]) < len(range(i, n, len(labels))) for i, label in enumerate(labels)):
        counts = ", ".join(f"{label} {len(piles[label])}" for label in labels)
        raise DataError(
            f"task {task.name!r}, split {split!r}: {n} label-balanced examples wanted, "
            f"but there are only {counts}"
        )
    return [piles[labels[i % len(labels)]][i // len(labels)] for i in range(n)]


def _read(task: Task, split: str, source: str) -> Iterator[Example]:
    if source == "toy":
        # The generator is part of the package but not of this floor; it is needed only here.
        from rl_faith.toy import examples  # noqa: PLC0415

        yield from examples(task.name, split)
        return
    where, rows = _hub_rows(task, split) if source == "hub" else _file_rows(task, split, source)
    columns: dict[str, str] | None = None
    for number, row in enumerate(rows, start=1):
        columns = columns or _columns(task, row, where)
        if (example := _example(task, split, columns, row, f"{where}, row {number}")) is not None:
            yield example


def _hub_rows(task: Task, split: str) -> tuple[str, Iterable[Mapping[str, Any]]]:
    from datasets import load_dataset  # noqa: PLC0415 - slow to import, and local files may not need it

    if not task.hub:
        raise DataError(f"task {task.name!r} names no Hub data set; pass a folder as data source")
    try:
        return task.hub["path"], load_dataset(**task.hub, split=task.splits[split])
    except (OSError, ValueError) as error:
        raise DataError(
            f"{task.hub['path']} could not be loaded from the Hub: {_first_line(error)}"
        ) from None


def _file_rows(task: Task, split: str, folder: str) -> tuple[str, Iterable[Mapping[str, Any]]]:
    for suffix in _READERS:
        path = Path(folder) / task.name / f"{split}{suffix}"
        if path.is_file():
            return str(path), _rows_of(path)
    raise DataError(
        f"there is no {split} file of task {task.name!r} in {folder}: "
        f"looked for {task.name}/{split} with {', '.join(_READERS)}"
    )


def _rows_of(path: Path) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset  # noqa: PLC0415 - as above
    from datasets.exceptions import DatasetGenerationError  # noqa: PLC0415

    if not path.stat().st_size:
        raise DataError(f"{path} is empty")
    try:
        yield from load_dataset(**_READERS[path.suffix], data_files=str(path), split="train")
    except (DatasetGenerationError, OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"{path} could not be read: {_first_line(error.__cause__ or error)}"
        ) from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _columns(task: Task, row: Mapping[str, Any], where: str) -> dict[str, str]:
    """Which column plays which role; only the id may be absent."""
    found = {}
    for role, names in task.columns.items():
        column = next((name for name in names if name in row), None)
        if column is None and role != "id":
            raise DataError(
                f"{where} has no column {' or '.join(map(repr, names))} for the {role} "
                f"of task {task.name!r}; its columns are {', '.join(row)}"
            )
        if column is not None:
            found[role] = column
    return found


def _example(
    task: Task, split: str, columns: Mapping[str, str], row: Mapping[str, Any], where: str
) -> Example | None:
    """One row as an example; None for a label that the task leaves out."""
    value = _label_value(row[columns["label"]])
    if value in task.ignored_labels:
        return None
    gold = next((word for word, values in task.labels.items() if value in values), None)
    if gold is None:
        known = ", ".join(v for values in task.labels.values() for v in values)
        raise DataError(f"{where}: unknown label {value!r} for task {task.name!r}; known: {known}")
    texts = [row[columns[role]] for role in ("input", "second_input") if role in columns]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise DataError(f"{where}: empty text for task {task.name!r}")
    identity = row[columns["id"]] if "id" in columns else None
    if identity is None or identity == "":
        identity = f"{task.name}-{split}-{where.rpartition(' ')[2]}"
    return Example(str(identity), texts[0], gold, texts[1] if len(texts) > 1 else "")


def _label_value(raw: object) -> str:
    # A column of whole numbers with a gap in it is read as floats.
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)
