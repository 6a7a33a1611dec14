"""Loading examples: from a Hub data set, a local file, or the generated toy corpora."""

import json
import random
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rl_faith.errors import DataError, one_line, shown
from rl_faith.tasks.fields import Fields, Row, find_fields, normal, read_example
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

    The training split never holds an input of the test split: such rows are left out first. Of
    multiple-choice questions it never holds the same question about the same second input.

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
        held_out = {_apart(e) for e in _read(task, "test", source)}
        pool = [e for e in pool if _apart(e) not in held_out]
    return _balanced(task, split, pool, n, seed)


def check_disjoint(train: Iterable[Example], test: Iterable[Example]) -> None:
    """Raise DataError when an input text (or a multiple-choice question) stands in both splits."""
    seen = {_apart(e): e.id for e in train}
    for example in test:
        if (key := _apart(example)) in seen:
            raise DataError(f"example {example.id} has the input of training example {seen[key]}")


def _apart(example: Example) -> tuple[str, str]:
    """What must not stand in both splits, whatever stands beside it."""
    # "What will they do next?" is asked about many passages: alone it tells nothing.
    return (normal(example.input), normal(example.context) if example.options else "")


def _distinct(examples: Iterable[Example]) -> list[Example]:
    """The first of several examples with the same texts."""
    found: dict[tuple[str, ...], Example] = {}
    for example in examples:
        key = (example.input, example.context, *example.options)
        found.setdefault(tuple(map(normal, key)), example)
    return list(found.values())


def _check_ids(task: Task, split: str, pool: Iterable[Example]) -> None:
    """Results are paired by id, so two examples must not share one."""
    seen: set[str] = set()
    for example in pool:
        if example.id in seen:
            raise DataError(
                f"task {task.name!r}, split {split!r}: id {shown(example.id)} belongs to several "
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
    fields: Fields | None = None
    for number, row in enumerate(rows, start=1):
        fields = fields or find_fields(task, row, where)
        place, identity = f"{where}, row {number}", f"{task.name}-{split}-{number}"
        if (example := read_example(task, fields, row, place, identity)) is not None:
            yield example


def _hub_rows(task: Task, split: str) -> tuple[str, Iterable[Row]]:
    if not task.hub:
        raise DataError(f"task {task.name!r} names no Hub data set; pass a folder as data source")
    where, wanted = task.hub["path"], {**task.hub, "split": task.splits[split]}
    return where, _loaded(f"{where} could not be loaded from the Hub", wanted)


def _file_rows(task: Task, split: str, folder: str) -> tuple[str, Iterable[Row]]:
    for suffix in _READERS:
        path = Path(folder) / task.name / f"{split}{suffix}"
        if path.is_file():
            return str(path), _rows_of(path)
    raise DataError(
        f"there is no {split} file of task {task.name!r} in {folder}: "
        f"looked for {task.name}/{split} with {', '.join(_READERS)}"
    )


def _rows_of(path: Path) -> Iterable[Row]:
    if not path.stat().st_size:
        raise DataError(f"{path} is empty")
    if path.suffix in (".jsonl", ".json") and not _holds_objects(path):
        raise DataError(f"{path} could not be read: a row of it is not a JSON object")
    wanted = {**_READERS[path.suffix], "data_files": str(path), "split": "train"}
    return _loaded(f"{path} could not be read", wanted)


def _holds_objects(path: Path) -> bool:
    """Whether every row is an object: on a bare null pyarrow's reader ends the whole process."""
    if path.suffix == ".json":
        try:
            whole = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            pass  # not one document: JSON lines, then
        else:
            rows = whole if isinstance(whole, list) else [whole]
            return all(isinstance(row, dict) for row in rows)
    with path.open("rb") as file:
        lines = [line[:1] for line in map(_bare, file) if line]
    return bool(lines) and set(lines) == {b"{"}


def _bare(line: bytes) -> bytes:
    return line.removeprefix(BOM_UTF8).strip()


def _loaded(otherwise: str, wanted: Mapping[str, Any]) -> Iterator[Row]:
    """Rows one by one: some faults, such as another encoding, show in their row alone."""
    from datasets import load_dataset  # noqa: PLC0415 - slow to import, and toy data do not need it
    from datasets.exceptions import DatasetGenerationError  # noqa: PLC0415

    try:
        yield from load_dataset(**wanted)
    except DatasetGenerationError as error:
        raise DataError(f"{otherwise}: {_first_line(error.__cause__ or error)}") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{otherwise}: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return one_line(next(iter(str(error).splitlines()), type(error).__name__))
