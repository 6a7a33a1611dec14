"""Build and evaluate, killed, out of disk, on damaged files and on broken servers."""

import json

import pytest
import yaml
from conftest import assert_same
from faults import finished, killed_at_random, undisturbed

from rl_faith.runs import read_rows

pytestmark = pytest.mark.slow

COMMON = {
    "data": "toy", "tasks": ["sentiment140"], "examples_per_task": 16, "max_new_tokens": 24,
    "chunk": 1, "out": "unused",
}  # fmt: skip
RECIPES = {
    "build": {"stage": "build", "model_name_or_path": "toy", "quality_examples": 8, **COMMON},
    "evaluate": {"stage": "evaluate", "models": ["base=toy", "again=toy"], **COMMON},
}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """A recipe of each stage, by its name."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, recipe in RECIPES.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe))
    return {name: folder / f"{name}.yaml" for name in RECIPES}


@pytest.fixture(scope="module")
def whole(recipes, tmp_path_factory):
    """Where each stage ran undisturbed, and how long it lived."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: (
            folder / name,
            undisturbed(folder / "log.txt", folder / name, *told(name, recipes, folder / name)),
        )
        for name in RECIPES
    }


def told(stage, recipes, out):
    """The command that runs a stage into a folder."""
    return ("-m", "rl_faith.cli", stage, "--config", recipes[stage], "--out", out)


def assert_same_run(found, wanted):
    """Equal rows, and equal results but for times."""
    for file in ("instances.jsonl", "train.jsonl"):
        assert_same(read_rows(found / file), read_rows(wanted / file))
    ours, theirs = (
        {k: v for k, v in json.loads((out / "results.json").read_text()).items()
         if k != "throughput"}
        for out in (found, wanted)
    )  # fmt: skip
    assert ours == theirs


@pytest.mark.parametrize(("stage", "times"), [("build", 5), ("evaluate", 4)])
def test_killed_at_random_moments(recipes, whole, faults, tmp_path, stage, times):
    out, (wanted, life) = tmp_path / "out", whole[stage]
    command = told(stage, recipes, out)
    killed_at_random(tmp_path / "log.txt", out, life, times, *command)
    finished(tmp_path / "log.txt", *command)
    assert_same_run(out, wanted)
    faults.add(stage, "SIGKILL of the process", "same", times)
