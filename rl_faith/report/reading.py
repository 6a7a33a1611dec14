"""Reading the runs that a report is about: each is recognised by what its folder holds.

An evaluation holds `instances.jsonl`; a build as well, and says so in its recipe; a training run
holds the log of its trainer. The folder of a model that an evaluation names counts as named.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from rl_faith.errors import RecipeError, RunError
from rl_faith.evaluation.models import parse_models
from rl_faith.evaluation.reading import read_run, read_runs
from rl_faith.evaluation.scores import Row
from rl_faith.plain_yaml import read_yaml
from rl_faith.pseudo import ORIGINAL

Facts = Mapping[str, Any]
"""What a file says; a key that an older version did not write is missing."""


EDITS, INSERTIONS = "self_consistency", "counterfactual"
"""The two tests."""


@dataclass(frozen=True)
class Source:
    """A run and what it says about itself.

    Attributes:
        path: Its folder.
        stage: "evaluate", "build", "sft" or "grpo"; "train" where the recipe does not say.
        recipe: `recipe.yaml`.
        provenance: `provenance.json`.
        throughput: What each model was asked, from `results.json`.
        log: Entries of the trainer's log; of training runs alone.
    """

    path: Path
    stage: str
    recipe: Facts = field(default_factory=dict)
    provenance: Facts = field(default_factory=dict)
    throughput: Facts = field(default_factory=dict)
    log: tuple[Facts, ...] = ()

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name


@dataclass(frozen=True)
class Read:
    """Everything that was read.

    Attributes:
        edits: Rows of the self-consistency test.
        insertions: Rows of the counterfactual test.
        quality: By build, its rows about examples that the construction and the model explained.
        sources: The runs, in the order in which they were named.
        trained: The training run that made a model, by test and the model's name.
    """

    edits: tuple[Row, ...]
    insertions: tuple[Row, ...]
    quality: Mapping[str, tuple[Row, ...]]
    sources: tuple[Source, ...]
    trained: Mapping[tuple[str, str], Source]


def read(paths: Sequence[Path]) -> Read:
    """Read the runs.

    Raises:
        RunError: a folder holds nothing that a report could show, or a file in it is damaged.
    """
    named = [_source(path) for path in paths]
    evaluations: dict[str, list[Source]] = {EDITS: [], INSERTIONS: []}
    for source in named:
        if source.stage == "evaluate":
            evaluations[_test(source.path)].append(source)
    rows = {t: read_runs([s.path for s in of]) if of else [] for t, of in evaluations.items()}
    trained = {
        (test, model): made
        for test, of in evaluations.items()
        for model, made in _trained(of, {row["model"] for row in rows[test]}, named).items()
    }
    found = {source.path.resolve(): source for source in (*named, *trained.values())}
    builds = {
        str(source.path): _quality(source.path) for source in named if source.stage == "build"
    }
    quality = {name: rows for name, rows in builds.items() if rows}
    edits, insertions = tuple(rows[EDITS]), tuple(rows[INSERTIONS])
    return Read(edits, insertions, quality, tuple(found.values()), trained)


def _test(path: Path) -> str:
    """Which test an evaluation is of, by its first row; a damaged one is named when all is read."""
    with (path / "instances.jsonl").open("rb") as file:
        first = file.readline()
    try:
        return INSERTIONS if "intervention" in json.loads(first) else EDITS
    except (ValueError, TypeError):
        return EDITS


def _source(path: Path) -> Source:
    recipe = _recipe(path)
    if (log := _log(path)) is not None:
        return Source(path, str(recipe.get("stage", "train")), recipe, _provenance(path), log=log)
    if not (path / "instances.jsonl").is_file():
        raise RunError(
            f"{path} holds neither instances.jsonl nor trainer_state.json: "
            "name folders that evaluate, build or a training stage wrote"
        )
    stage = "build" if recipe.get("stage") == "build" else "evaluate"
    return Source(path, stage, recipe, _provenance(path), _throughput(path))


def _recipe(path: Path) -> Facts:
    file = path / "recipe.yaml"
    try:
        found = read_yaml(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise RunError(f"{file} is not valid YAML ({error}): restore or remove it") from None
    return found if isinstance(found, dict) else {}


def _provenance(path: Path) -> Facts:
    return _json(path / "provenance.json")


def _throughput(path: Path) -> Facts:
    found = _json(path / "results.json").get("throughput")
    return found if isinstance(found, dict) else {}


def _log(path: Path) -> tuple[Facts, ...] | None:
    """The log of a training run, or of its last checkpoint while it is under way."""
    states = [path / "trainer_state.json", *_newest_first(path.glob("checkpoint-*"))]
    for state in states:
        if state.is_file():
            entries = _json(state).get("log_history", [])
            return tuple(_finite(entry) for entry in entries if isinstance(entry, dict))
    return None


def _newest_first(checkpoints: Iterable[Path]) -> list[Path]:
    steps = {int(step): path for path in checkpoints
             if (step := path.name.rpartition("-")[2]).isdecimal()}  # fmt: skip
    return [steps[step] / "trainer_state.json" for step in sorted(steps, reverse=True)]


def _finite(entry: Facts) -> Facts:
    """A trainer logs NaN where there was nothing to measure."""
    return {k: v for k, v in entry.items() if isinstance(v, int | float) and isfinite(v)}


def _json(file: Path) -> Facts:
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise RunError(f"{file} is not valid JSON ({error}): restore or remove it") from None
    return found if isinstance(found, dict) else {}


def _quality(path: Path) -> tuple[Row, ...]:
    """Rows about the examples that the model explained itself as well."""
    rows = [row for row in read_run(path) if "style" in row]
    both = {_example(row) for row in rows if row["model"] == ORIGINAL}
    return tuple(row for row in rows if _example(row) in both)


def _example(row: Row) -> tuple[str, ...]:
    return (row["task"], row["style"], row["budget"], row["id"])


def _trained(
    evaluations: Sequence[Source], models: set[str], named: Sequence[Source]
) -> dict[str, Source]:
    """The training run behind each model: the folder that its evaluation names, where it is one."""
    folders = Counter(source.name for source in named if source.log)
    known = {source.name: source for source in named if folders[source.name] == 1}
    found = {}
    for source in evaluations:
        for name, where in _models(source).items():
            # A model that several evaluations name is called after its run.
            shown = {name, f"{source.name}/{name}", f"{source.path}/{name}"} & models
            made = behind(where, known)
            found.update({model: made for model in shown if made})
    return found


def _models(source: Source) -> dict[str, str]:
    entries = source.recipe.get("models")
    try:
        return parse_models([str(entry) for entry in entries]) if isinstance(entries, list) else {}
    except RecipeError:
        return {}


def behind(where: str, known: Mapping[str, Source]) -> Source | None:
    """The training run at a model's folder, or of its name where the folder was moved."""
    path = Path(where)
    if path.is_dir() and _log(path) is not None:
        return _source(path)
    return known.get(path.name)
