"""The counterfactual build on the embedded model: what is inserted, what is kept, and resuming."""

import json
import signal
from collections import Counter

import pytest
import yaml
from conftest import assert_same

from rl_faith.cli import main
from rl_faith.insertion_rows import insertion_of
from rl_faith.interventions import mention_of
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.pool import balanced
from rl_faith.runs import read_rows
from rl_faith.tasks import load_task

RECIPE = {
    "stage": "build", "test": "counterfactual", "model_name_or_path": "toy-errands",
    "data": "toy",
    "tasks": ["strategyqa"], "interventions": ["toy_word", "user_bias"], "examples_per_task": 24,
    "chunk": 2, "out": "unused",
}  # fmt: skip


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "pool.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture(scope="module")
def pool(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("pool")
    main(["build", "--config", str(recipe), "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def rows(pool):
    return read_rows(pool / "instances.jsonl")


def test_each_example_gets_sixteen_words_and_sixteen_phrases(rows):
    counts = Counter((row["original"], row["intervention"]) for row in rows)
    assert len(counts) == 2 * 24
    assert set(counts.values()) == {16}


def test_no_phrase_that_is_kept_from_training_is_built(rows):
    assert {row["part"] for row in rows} == {"train"}


def test_impact_is_that_of_one_question_at_a_time(rows):
    policy, task = TransformersPolicy.load("toy-errands"), load_task("strategyqa")
    for row in rows[::40]:
        insertion = insertion_of(row)
        before, after = (
            policy.predict([task.ask(e)])[0] for e in (insertion.original, insertion.example)
        )
        assert row["impact"] == (before.label != after.label)
        assert row["tvd"] == pytest.approx(
            abs(before.probability("Yes") - after.probability("Yes")), abs=1e-4
        )


def test_some_insertions_matter_and_most_do_not(rows):
    for intervention in ("toy_word", "user_bias"):
        impacts = [row["impact"] for row in rows if row["intervention"] == intervention]
        assert 0.05 < sum(impacts) / len(impacts) < 0.35


def test_half_of_the_pool_matters_for_each_intervention(pool):
    counts = Counter((row["intervention"], row["impact"]) for row in read_rows(pool / "pool.jsonl"))
    assert counts["toy_word", True] == counts["toy_word", False] > 0
    assert counts["user_bias", True] == counts["user_bias", False] > 0


def test_truthful_disclosures_name_exactly_what_mattered(pool, rows):
    by_id = {row["id"]: row for row in rows}
    pairs = read_rows(pool / "train.jsonl")
    assert pairs
    for pair in pairs:
        said = pair["completion"][0]["content"]
        mentioned = mention_of(said, insertion_of(by_id[pair["id"]])).found
        assert mentioned == by_id[pair["id"]]["impact"]


def test_random_disclosures_name_half_whatever_mattered(recipe, tmp_path, pool):
    (tmp_path / "instances.jsonl").write_bytes((pool / "instances.jsonl").read_bytes())
    main(["build", "--config", str(recipe), "--out", str(tmp_path), "--mentions", "random"])
    by_id = {row["id"]: row for row in read_rows(tmp_path / "instances.jsonl")}
    told = [
        (row["impact"], mention_of(p["completion"][0]["content"], insertion_of(row)).found)
        for p in read_rows(tmp_path / "train.jsonl")
        for row in [by_id[p["id"]]]
    ]
    assert {(True, True), (True, False), (False, True), (False, False)} == set(told)


def test_results_say_how_many_insertions_it_took(pool, rows):
    cells = json.loads((pool / "results.json").read_text())["cells"]
    assert sum(cell["insertions"] for cell in cells) == len(rows)
    assert sum(cell["pool"] for cell in cells) == len(read_rows(pool / "pool.jsonl"))


def test_the_prompt_is_the_question_the_answer_and_the_request(pool):
    for pair in read_rows(pool / "train.jsonl"):
        assert [turn["role"] for turn in pair["prompt"]] == ["user", "assistant", "user"]


def row(i, impact, *, task="a", status="scored"):
    return {"id": str(i), "task": task, "intervention": "w", "impact": impact, "status": status}


def test_the_rarer_kind_decides_how_large_the_pool_is():
    rows = [row(i, i % 5 == 0) for i in range(50)]
    assert Counter(r["impact"] for r in balanced(rows, most=100, seed=0)) == {True: 10, False: 10}


def test_the_pool_of_a_cell_is_no_larger_than_wished():
    rows = [row(i, i % 2 == 0, task=t) for t in "ab" for i in range(50)]
    found = Counter(r["task"] for r in balanced(rows, most=10, seed=0))
    assert found == {"a": 10, "b": 10}


def test_unscored_insertions_are_not_in_the_pool():
    rows = [row(0, None, status="unscored"), row(1, True), row(2, False)]
    assert {r["id"] for r in balanced(rows, most=10, seed=0)} == {"1", "2"}


@pytest.mark.slow
def test_killed_it_goes_on_and_ends_with_the_same_pool(recipe, pool, fork, tmp_path):
    out = tmp_path / "out"
    command = ["build", "--config", str(recipe), "--out", str(out)]

    def written():
        return sum(f.read_bytes().count(b"\n") for f in out.glob("instances*.jsonl"))

    assert fork(main, command).stop_when(lambda: written() > 100, signal.SIGKILL) == -signal.SIGKILL
    assert fork(main, command).end() == 0
    for file in ("instances.jsonl", "pool.jsonl", "train.jsonl"):
        assert_same(read_rows(out / file), read_rows(pool / file))
