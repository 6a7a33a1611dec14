"""Build and evaluate, killed, out of disk, on damaged files and on broken servers."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml
from conftest import Fork, assert_same
from fake_server import FakeServer, failing, hanging_up, like, running, saying
from faults import (
    SOON,
    Command,
    finished,
    killed_at_random,
    left_by,
    quoted,
    small_disk_run,
    undisturbed,
)
from tenacity import stop_after_delay

from rl_faith.cli import main
from rl_faith.policies import fleet
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.runs import read_rows

pytestmark = pytest.mark.slow

STOPPED = "stopped; run the same command again to go on"
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


# One process of two


def test_one_rank_of_two_is_killed(recipes, whole, faults, tmp_path):
    out, log, said = tmp_path / "out", tmp_path / "log.txt", []
    command = told("build", recipes, out)
    for rank in (1, 0):
        before = left_by(out)
        running = Command(log, *command, ranks=2)
        running.when(lambda before=before: left_by(out) > before)
        ended = running.kill(running.children()[rank]).end()
        assert ended.code != 0
        assert ended.seconds < SOON
        assert STOPPED in ended.said, ended.said[-3000:]
        said.append(ended.seconds)
    finished(log, *command, ranks=2)
    assert_same_run(out, whole["build"][0])
    faults.add(
        "build, two processes", "SIGKILL of one of them",
        f"the other says “{STOPPED}”; non-zero after {max(said):.0f} s; same", 2,
    )  # fmt: skip


def test_launcher_alone_is_killed(recipes, whole, faults, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log.txt"
    command = told("build", recipes, out)
    running = Command(log, *command, ranks=2).when(lambda: left_by(out) > 0)
    left = running.children()
    running.kill()
    for process in left:
        os.kill(process, signal.SIGSTOP)  # so that they do not end too early
    try:
        said = Command(tmp_path / "second.txt", *command).end().error()
    finally:
        for process in left:
            os.kill(process, signal.SIGKILL)
    assert "another process is still at work" in said
    finished(log, *command)
    assert_same_run(out, whole["build"][0])
    faults.add(
        "build, two processes", "SIGKILL of their launcher alone",
        f"they go on; a second start is refused: {quoted(said)}; after their end same",
    )  # fmt: skip


# Full disk


@pytest.mark.parametrize("stage", RECIPES)
def test_disk_is_full(recipes, whole, faults, tmp_path, stage):
    out, wanted = tmp_path / "out", whole[stage][0]
    room = 24 + (wanted / "instances.jsonl").stat().st_size // 2048
    ended = small_disk_run(tmp_path / "log.txt", out, room, *told(stage, recipes, out))
    assert "could not write" in ended.error()
    assert_same_run(out, wanted)
    faults.add(stage, "disk full", f"exit 2: {quoted(ended.error())}; same")


# Damaged files


@pytest.mark.parametrize("file", ["instances.jsonl", "usage.jsonl"])
def test_last_line_is_cut_off(recipes, whole, faults, tmp_path, cli, file):
    wanted, rng = whole["build"][0], random.Random(0)
    content = (wanted / file).read_bytes()
    last = len(content) - content.rstrip(b"\n").rfind(b"\n") - 1
    for trial in range(3):
        out = tmp_path / str(trial)
        shutil.copytree(wanted, out)
        (out / file).write_bytes(content[: -rng.randrange(1, last)])
        assert cli(*told("build", recipes, out)[2:]).code == 0
        assert_same_run(out, wanted)
    faults.add("build", f"last line of {file} cut off", "same", 3)


# Broken servers


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recipe that a slow server gets through."""
    path = tmp_path_factory.mktemp("small") / "evaluate.yaml"
    few = {"examples_per_task": 6, "styles": ["attribution"], "models": ["base=toy"]}
    path.write_text(yaml.safe_dump({**RECIPES["evaluate"], **few}))
    return path


@pytest.fixture(scope="module")
def answered(small, stages, tmp_path_factory):
    """What the model itself answers to it."""
    out = tmp_path_factory.mktemp("answered") / "out"
    main(["evaluate", "--config", str(small), "--out", str(out)])
    return out


def asking(small, out, url):
    """The command that asks a server."""
    where = ("--policy", "server", "--base_urls", url)
    return ("-m", "rl_faith.cli", "evaluate", "--config", small, "--out", out, *where)


def serve(url_file):
    """A server with the embedded model, in this process."""
    server = FakeServer(**like(TransformersPolicy.load("toy", device="cpu")))
    Path(url_file).write_text(server.url)
    server.serve_forever(0.01)


def served(folder, name):
    """The same in a process of its own, and where it is."""
    file = folder / f"{name}.url"
    server = Fork(folder / f"{name}-server.txt", serve, str(file))
    while not (file.exists() and file.read_text()):
        assert server.process.is_alive(), server.log.read_text()
        time.sleep(0.05)
    return server, file.read_text()


def test_server_is_killed_or_stops(small, answered, faults, tmp_path):
    sent = {"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}
    servers = {name: served(tmp_path, name) for name in (*sent, "sound")}
    running = {}
    for name, number in sent.items():
        server, url = servers[name]
        log, out = tmp_path / f"{name}.txt", tmp_path / name
        running[name] = Command(log, *asking(small, out, url)).when(lambda o=out: left_by(o) > 0)
        os.kill(server.process.pid, number)
        running[name].began = time.monotonic()
    for name, ended in {name: command.end() for name, command in running.items()}.items():
        assert "run the same command again to go on" in ended.error()
        assert ended.seconds < SOON
        finished(tmp_path / "log.txt", *asking(small, tmp_path / name, servers["sound"][1]))
        assert_same_run(tmp_path / name, answered)
        outcome = f"exit 2 within {SOON} s: {quoted(ended.error())}; same"
        faults.add("evaluate, policy: server", f"{name} of the server", outcome)
    for server, _ in servers.values():
        server.process.kill()


@pytest.fixture(scope="module")
def answering():
    """How a server answers that has the embedded model."""
    return like(TransformersPolicy.load("toy", device="cpu"))


def first_step(step):
    """An answer with this in place of the log-probabilities."""
    choice = {"logprobs": {"top_logprobs": [step]}, "token_ids": [-7]}
    return saying({"choices": [{"index": i, **choice} for i in range(64)]})


BROKEN = {
    "answers with 500": failing(500),
    "closes the connection": hanging_up,
    "answers with HTML": saying("<html>"),
    "answers with other fields": saying({"choices": "none", "usage": 7}),
    "answers with lists for figures": first_step([7]),
    "answers with NaN for log-probabilities": first_step({"token_id:5": float("nan")}),
}


@pytest.fixture
def impatient(monkeypatch):
    """A client that asks three times at once, and no more."""
    monkeypatch.setattr(fleet, "stop_after_delay", lambda _: stop_after_delay(0.0))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", BROKEN)
def test_server_breaks(small, answered, faults, tmp_path, cli, answering, fault):
    out, broken = tmp_path / "out", BROKEN[fault]
    now_and_then, for_ever = [*[None] * 5, broken, *[None] * 3], [broken] * 1000
    with running(**answering, faults=[*now_and_then, *for_ever]) as server:
        refused = cli(*asking(small, out, server.url)[2:])
    assert refused.code == 2
    assert len(read_rows(out / "instances.jsonl")) > 0
    with running(**answering) as server:
        assert cli(*asking(small, out, server.url)[2:]).code == 0
    assert_same_run(out, answered)
    faults.add(
        "evaluate, policy: server", f"the server {fault}, now and then, then for ever",
        f"asked again; at last exit 2: {quoted(refused.error)}; same",
    )  # fmt: skip


def test_server_is_slow(small, answered, faults, tmp_path, cli, answering, monkeypatch):
    monkeypatch.setattr(fleet, "_CHECK_SECONDS", 0.1)
    slow = {**answering, "written": lambda *told: (time.sleep(0.5), answering["written"](*told))[1]}
    with running(**slow) as server:
        assert cli(*asking(small, tmp_path / "out", server.url)[2:]).code == 0
    assert_same_run(tmp_path / "out", answered)
    fault = "the server answers slowly, but says that it is there"
    faults.add("evaluate, policy: server", fault, "waited for; same")
