"""The evaluation grid on the embedded model: what it leaves, and that a kill loses nothing."""

import json
import signal
import weakref

import pytest
import yaml
from conftest import assert_same

from rl_faith.cli import main
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.rows import key_of
from rl_faith.runs import read_rows

TASKS, STYLES = ["sentiment140", "snli"], ["attribution", "redaction", "counterfactual"]
BUDGETS = ["one", "multi", 1, 2, 3, 4, 5]
NAMES = {"model", "task", "style", "budget", "n"}
ESTIMATES = {
    "accuracy", "valid", "faithful_valid", "faithful_all", "random_control", "ceiling", "drop",
    "top_word", "top_word_chance",
}  # fmt: skip
N = 8


@pytest.fixture(scope="module")
def recipe(adapter, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "evaluate.yaml"
    content = {
        "stage": "evaluate", "models": ["base=toy", f"tuned={adapter}"], "data": "toy",
        "tasks": TASKS, "budgets": ["one", "multi"], "examples_per_task": N, "chunk": 2,
        "ceiling_examples": 4, "max_new_tokens": 48, "out": "unused",
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    main(["evaluate", "--config", str(recipe), "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def cells(undisturbed):
    return results(undisturbed)["cells"]


@pytest.fixture(scope="module")
def rows(undisturbed):
    return read_rows(undisturbed / "instances.jsonl")


def results(out):
    return json.loads((out / "results.json").read_text())


# What a grid leaves


def test_results_tell_what_each_model_was_asked_and_how_fast_it_answered(undisturbed):
    told = results(undisturbed)["throughput"]
    assert list(told) == ["base", "tuned"]
    for taken in told.values():
        assert taken["questions"] >= taken["distinct"] > taken["cached"]
        assert taken["replies"] == len(TASKS) * 3 * 2 * N
        assert taken["questions_per_second"] > 0
        assert 0 < taken["asking_share"] <= 1


def test_results_hold_cells(undisturbed):
    assert list(results(undisturbed)) == ["cells", "throughput"]


def test_there_is_a_cell_for_every_model_task_style_and_budget(cells):
    found = [(c["model"], c["task"], c["style"], c["budget"]) for c in cells]
    wanted = [
        (m, t, s, b) for m in ("base", "tuned") for t in TASKS for s in STYLES for b in BUDGETS
    ]
    assert found == wanted


def test_cell_has_the_agreed_keys(cells):
    assert all(cell.keys() - {"lift", "unscored"} == NAMES | ESTIMATES for cell in cells)


@pytest.mark.parametrize("name", sorted(ESTIMATES))
def test_estimate_has_value_interval_and_n(cells, name):
    for estimate in (cell[name] for cell in cells):
        assert list(estimate) == ["value", "low", "high", "n"]
        if estimate["n"]:
            assert -1 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1


@pytest.mark.parametrize("budget", ["one", "multi"])
def test_every_example_of_a_cell_is_scored(cells, budget):
    assert {cell["n"] for cell in cells if cell["budget"] == budget} == {N}


def test_ceiling_is_asked_of_as_many_examples_as_the_recipe_says(cells):
    assert {c["ceiling"]["n"] for c in cells if c["budget"] == "one"} == {4}


def test_cells_are_the_means_of_the_rows(cells, rows):
    for cell in cells:
        key = (cell["model"], cell["task"], cell["style"], cell["budget"])
        mine = [r for r in rows if key_of(r)[:4] == key]
        if mine:
            faithful = sum(r["faithful"] for r in mine) / len(mine)
            assert cell["faithful_all"]["value"] == pytest.approx(faithful)


def test_no_two_rows_have_the_same_key(rows):
    assert len({key_of(row) for row in rows}) == len(rows) == 2 * 2 * 3 * 2 * N


def test_models_decide_on_the_same_examples(rows):
    ids = {m: [r["id"] for r in rows if r["model"] == m] for m in ("base", "tuned")}
    assert ids["base"] == ids["tuned"]


def test_adapter_answers_differently_from_its_base(rows):
    base, tuned = ([r["probability"] for r in rows if r["model"] == m] for m in ("base", "tuned"))
    assert base != tuned


# Stopped, and started again


@pytest.mark.parametrize("part", [0.2, 0.7])
def test_killed_it_ends_with_the_same_rows(recipe, undisturbed, fork, tmp_path, cli, rows, part):
    out, moment = tmp_path / "out", int(len(rows) * part)
    command = ["evaluate", "--config", str(recipe), "--out", str(out)]
    file = out / "instances.jsonl"
    code = fork(main, command).stop_when(
        lambda: file.exists() and file.read_bytes().count(b"\n") > moment, signal.SIGKILL
    )
    assert code == -signal.SIGKILL
    assert len(read_rows(file)) < len(rows)
    assert cli(*command).code == 0
    assert_same(read_rows(file), rows)
    assert results(out).keys() == results(undisturbed).keys()


def test_model_added_to_the_recipe_is_another_run(recipe, undisturbed, cli):
    refused = cli("evaluate", "--config", recipe, "--out", undisturbed, "--models", "base=toy")
    assert refused.code == 2
    assert "holds a run of another recipe: models was" in refused.error


def test_only_one_model_is_in_memory_at_a_time(recipe, tmp_path, cli, monkeypatch):
    alive, load = [], TransformersPolicy.load

    def counted(*args, **more):
        assert not [ref for ref in alive if ref() is not None]
        policy = load(*args, **more)
        alive.append(weakref.ref(policy.model))
        return policy

    monkeypatch.setattr(TransformersPolicy, "load", counted)
    small = ("--examples_per_task", 2, "--tasks", "snli", "--budgets", "one")
    assert cli("evaluate", "--config", recipe, "--out", tmp_path / "out", *small).code == 0
    assert len(alive) == 2


# Modes and data


def test_madsen_mode_lets_the_model_be_undecided(recipe, tmp_path, cli):
    out = tmp_path / "out"
    small = ("--mode", "madsen", "--models", "base=toy", "--budgets", "one")
    assert cli("evaluate", "--config", recipe, "--out", out, *small).code == 0
    for row in read_rows(out / "instances.jsonl"):
        if row["faithful"] and row["style"] != "counterfactual":
            assert row["new_prediction"] in {"Neutral", "Unknown", "Maybe"}
        if row["faithful"] and row["style"] == "counterfactual":
            assert row["new_prediction"] not in {"Neutral", "Unknown", "Maybe", row["gold"]}
    assert {cell["n"] for cell in results(out)["cells"]} == {N}


def test_text_longer_than_the_context_is_unscored_and_counted(user_task, cli):
    data = user_task / "mood" / "test.jsonl"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text(
        json.dumps({"text": "so good " * 200, "label": "up"}) + "\n" + "".join(lines[1:])
    )
    assert cli("evaluate", "--config", user_task / "evaluate.yaml").code == 0
    cells = [c for c in results(user_task / "out")["cells"] if c["budget"] in ("one", "multi")]
    assert [(c["n"], c["unscored"]) for c in cells] == [(11, {"too_long": 1})] * 6


def test_users_own_task_is_built_and_evaluated(user_task, cli):
    assert cli("build", "--config", user_task / "build.yaml").code == 0
    assert read_rows(user_task / "out" / "train.jsonl")[0]["task"] == "mood"
    out = user_task / "evaluated"
    assert cli("evaluate", "--config", user_task / "evaluate.yaml", "--out", out).code == 0
    assert {cell["task"] for cell in results(out)["cells"]} == {"mood"}


# Refused


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--budgets", "two"], "unknown budget 'two'"),
        (["--models", "a=toy", "a=toy"], "models"),
        (["--models", "a=toy", "a=none"], "models must be one or more different name=where"),
        (["--models", "a=none"], "no model could be loaded from 'none'"),
        (["--mode", "maybe"], "invalid choice: 'maybe'"),
        (["--dtype", "float8"], "unknown dtype 'float8'"),
        (["--examples_per_task", "100000"], "100000 label-balanced examples wanted"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_unsound_grid_is_refused_with_one_line(recipe, tmp_path, cli, given, told):
    refused = cli("evaluate", "--config", recipe, "--out", tmp_path / "out", *given)
    assert refused.code == 2
    assert told in refused.error
