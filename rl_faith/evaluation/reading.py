"""Reading what runs left on disk: `instances.jsonl`, one judged example a line."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rl_faith.errors import RunError
from rl_faith.evaluation.scores import Row
from rl_faith.runs import read_rows

_NEEDED = ("model", "task", "style", "budget", "id", "gold", "prediction", "status")
_NEEDED_OF_INSERTIONS = (
    *("model", "task", "intervention", "part", "id", "original", "gold", "status"),
    *("impact", "tvd", "mentioned", "negated", "label_before", "reply_words"),
)


def read_run(run_dir: Path) -> list[Row]:
    """Read the judged rows of a run.

    Raises:
        RunError: there is no `instances.jsonl`, it is empty, or a line in it is damaged.
    """
    path = run_dir / "instances.jsonl"
    if not path.is_file():
        raise RunError(f"{run_dir} holds no instances.jsonl: name a folder that evaluate wrote")
    rows: list[Row] = [*read_rows(path)]
    if not rows:
        raise RunError(f"{path} holds no judged example yet: let the evaluation go on first")
    for number, row in enumerate(rows, start=1):
        _check(row, f"{path}, line {number}")
    return rows


def _check(row: Row, where: str) -> None:
    needed = _NEEDED_OF_INSERTIONS if "intervention" in row else _NEEDED
    if any(key not in row for key in needed):
        raise RunError(f"{where} is not a judged example, which has {', '.join(needed)}")
    if "intervention" in row or row["status"] == "unscored":
        return
    if not isinstance(row.get("faithful"), bool):
        raise RunError(f"{where} has status {row['status']!r}, but faithful is not true or false")


def read_runs(paths: Sequence[Path]) -> list[Row]:
    """Read several runs as one list; a model that several of them name becomes "run/model".

    Raises:
        RunError: no run or the same run twice is named, or a run cannot be read.
    """
    runs = [(name, read_run(path)) for name, path in zip(_run_names(paths), paths, strict=True)]
    uses = Counter(model for _, rows in runs for model in {row["model"] for row in rows})
    return [
        {**row, "model": f"{name}/{row['model']}"} if uses[row["model"]] > 1 else row
        for name, rows in runs
        for row in rows
    ]


def _run_names(paths: Sequence[Path]) -> list[str]:
    """Folder names, or the paths as given when two folders have the same name."""
    folders = Counter(path.resolve() for path in paths)
    if not folders:
        raise RunError("no run is named: name at least one run directory")
    folder, times = folders.most_common(1)[0]
    if times > 1:
        raise RunError(f"the run {folder} is named more than once: name each run once")
    names = [folder.name for folder in folders]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
