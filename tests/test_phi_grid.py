"""Evaluation by the counterfactual test on the embedded model, and comparing what it leaves."""

import json

import pytest
import yaml

from rl_faith.cli import main
from rl_faith.correlation import correlation, correlation_difference
from rl_faith.errors import RunError
from rl_faith.evaluation.phi_compare import compare_phi
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.runs import read_rows

RECIPE = {
    "stage": "evaluate", "test": "counterfactual", "data": "toy",
    "models": ["one=toy-errands", "two=toy-errands"],
    "tasks": ["strategyqa"], "interventions": ["toy_word", "user_bias"], "examples_per_task": 8,
    "max_new_tokens": 24, "out": "unused",
}  # fmt: skip


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "phi.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture(scope="module")
def evaluated(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("phi")
    main(["evaluate", "--config", str(recipe), "--out", str(out)])
    return out


def test_every_part_has_a_cell_for_every_model(evaluated):
    cells = json.loads((evaluated / "results.json").read_text())["cells"]
    assert [(c["model"], c["intervention"], c["part"]) for c in cells] == [
        (model, *cell)
        for model in ("one", "two")
        for cell in (("toy_word", "train"), ("user_bias", "train"), ("user_bias", "held_out"))
    ]


def test_every_row_has_an_explanation(evaluated):
    rows = read_rows(evaluated / "instances.jsonl")
    assert all(row["reply"] and row["reply_words"] for row in rows)


def test_each_distinct_question_is_asked_once(evaluated):
    rows = read_rows(evaluated / "instances.jsonl")
    texts = {row["input"] for row in rows} | {row["input_before"] for row in rows}
    for taken in json.loads((evaluated / "results.json").read_text())["throughput"].values():
        assert taken["distinct"] - taken["cached"] == len(texts)


def test_what_was_asked_is_still_told_after_another_start(recipe, evaluated):
    before = json.loads((evaluated / "results.json").read_text())["throughput"]
    main(["evaluate", "--config", str(recipe), "--out", str(evaluated)])
    assert json.loads((evaluated / "results.json").read_text())["throughput"] == before


def test_finished_it_asks_nothing_when_started_again(recipe, evaluated, monkeypatch):
    monkeypatch.setattr(TransformersPolicy, "load", None)
    before = (evaluated / "instances.jsonl").read_bytes()
    main(["evaluate", "--config", str(recipe), "--out", str(evaluated)])
    assert (evaluated / "instances.jsonl").read_bytes() == before


def test_explaining_first_decides_behind_the_explanation(recipe, tmp_path):
    told = ["--order", "explain_predict", "--models", "one=toy", "--examples_per_task", "2"]
    main(["evaluate", "--config", str(recipe), "--out", str(tmp_path), *told])
    assert all(row["status"] == "scored" for row in read_rows(tmp_path / "instances.jsonl"))


def test_comparison_shows_and_writes_phi(evaluated, cli, tmp_path):
    shown = cli("compare", evaluated, "--report", tmp_path)
    assert shown.code == 0
    assert "user_bias, held-out phrases" in shown.out
    found = json.loads((tmp_path / "results.json").read_text())["counterfactual"]
    assert found["baseline"] == "one"
    assert "| model | inserted | phi |" in (tmp_path / "report.md").read_text()


def test_a_model_differs_from_itself_by_nothing(evaluated):
    for row in compare_phi(read_rows(evaluated / "instances.jsonl"), "one").rows:
        assert (row.difference.value, row.difference.low, row.difference.high) == (0, 0, 0)
        assert row.n == 8


def test_both_tests_at_once_are_refused(evaluated, tmp_path, cli):
    row = {
        "model": "m", "task": "t", "style": "redaction", "budget": "one", "id": "i", "gold": "g",
        "prediction": "g", "status": "valid", "faithful": True,
    }  # fmt: skip
    (tmp_path / "instances.jsonl").write_text(json.dumps(row) + "\n")
    assert "hold both" in cli("compare", evaluated, tmp_path).error


def test_other_data_under_the_same_id_are_refused(evaluated):
    rows = read_rows(evaluated / "instances.jsonl")
    changed = [{**r, "input_before": "x"} if r["model"] == "two" else r for r in rows]
    with pytest.raises(RunError, match="another text or gold label"):
        compare_phi(changed, "one")


def test_the_difference_is_that_of_the_two_correlations():
    first = [([1, 0, 1], [1, 0, 0]), ([0, 0, 1], [1, 0, 1])]
    second = [([1, 0], [1, 0]), ([0, 1], [0, 1])]
    flat = [([x for of in side for x in of[0]], [y for of in side for y in of[1]])
            for side in (first, second)]  # fmt: skip
    wanted = correlation(*flat[1]).value - correlation(*flat[0]).value
    assert correlation_difference(first, second).value == pytest.approx(wanted)
