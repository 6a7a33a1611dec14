"""The data of the shipped question tasks: as the Hub codes them, and as they are in local files."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from rl_faith.errors import DataError
from rl_faith.tasks import Example, check_disjoint, load_examples, load_task

DATA = os.environ.get("RL_FAITH_DATA", "")
QUESTION_TASKS = ("esnli", "ecqa", "comve", "social_iqa", "strategyqa")
OPTIONS = ("p", "q", "r", "s", "t")


def questions(**columns) -> dict:
    """A row of ecqa as the Hub has it."""
    options = {f"q_op{i}": text for i, text in enumerate(OPTIONS, start=1)}
    return {"q_no": "k1", "q_text": "Where?", **options, **columns}


def situation(**columns) -> dict:
    """A row of social_iqa as the Hub has it."""
    options = {f"answer{letter}": text for letter, text in zip("ABC", OPTIONS, strict=False)}
    return {"context": "Ann ran.", "question": "Why?", **options, **columns}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    import datasets  # noqa: PLC0415 - slow

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "row", "example"),
    [
        (
            "esnli",
            {"premise": "p", "hypothesis": "h", "label": 0, "explanation_1": "e"},
            Example("esnli-test-1", "p", "Yes", "h"),
        ),
        ("ecqa", questions(q_ans="p"), Example("k1", "Where?", "A", "", OPTIONS)),
        (
            "social_iqa",
            situation(label="1"),
            Example("social_iqa-test-1", "Why?", "A", "Ann ran.", OPTIONS[:3]),
        ),
        (
            "strategyqa",
            {"qid": "k2", "question": "Is it?", "answer": True},
            Example("k2", "Is it?", "Yes"),
        ),
    ],
)
def test_a_row_of_the_hub_is_read(tmp_path, name, row, example):
    (tmp_path / name).mkdir()
    (tmp_path / name / "test.jsonl").write_text(json.dumps(row))
    assert load_examples(load_task(name), "test", source=str(tmp_path), n=1, seed=0) == [example]


@pytest.mark.parametrize(
    ("name", "rows", "golds"),
    [
        ("ecqa", [questions(q_no=text, q_ans=text) for text in OPTIONS], "ABCDE"),
        ("social_iqa", [situation(context=i, label=i) for i in "123"], "ABC"),
        (
            "strategyqa",
            [{"question": str(truth), "answer": truth} for truth in (True, False)],
            ["Yes", "No"],
        ),
        (
            "esnli",
            [{"premise": str(i), "hypothesis": "h", "label": i} for i in (0, 2, 1, -1)],
            ["Yes", "No", "Maybe"],
        ),
    ],
)
def test_every_label_of_the_hub_is_known(tmp_path, name, rows, golds):
    rows = [{**row, "q_text": row["q_no"]} if "q_no" in row else row for row in rows]
    (tmp_path / name).mkdir()
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / name / "test.jsonl").write_text(text)
    found = load_examples(load_task(name), "test", source=str(tmp_path), n=len(golds), seed=0)
    assert [example.gold for example in found] == list(golds)


# Local files


@pytest.fixture
def real():
    """Load examples of a task from the folder of real data."""
    if not DATA or not Path(DATA).is_dir():
        pytest.skip("RL_FAITH_DATA names no folder of real data sets")
    return lambda name, split, n=60: load_examples(load_task(name), split, source=DATA, n=n, seed=0)


@pytest.mark.real_data
@pytest.mark.parametrize("name", QUESTION_TASKS)
def test_the_local_test_split_loads_balanced(real, name):
    counts = Counter(example.gold for example in real(name, "test"))
    assert set(counts.values()) == {60 // len(load_task(name).labels)}


@pytest.mark.real_data
@pytest.mark.parametrize("name", [name for name in QUESTION_TASKS if name != "strategyqa"])
def test_the_local_training_split_loads_apart_from_the_test_split(real, name):
    check_disjoint(real(name, "train", 6_000), real(name, "test", 900))


@pytest.mark.real_data
def test_generic_questions_do_not_empty_the_training_split(real):
    assert len(real("social_iqa", "train", 11_400)) == 11_400


@pytest.mark.real_data
def test_the_held_out_task_has_no_local_training_split(real):
    with pytest.raises(DataError, match="there is no train file of task 'strategyqa'"):
        real("strategyqa", "train")


@pytest.mark.real_data
@pytest.mark.parametrize("name", QUESTION_TASKS)
def test_a_prompt_about_a_real_example_shows_all_of_it(real, name):
    task, (example, *_) = load_task(name), real(name, "test")
    (turn,) = task.ask(example).conversation
    texts = (example.input, example.context, *example.options)
    assert [text for text in texts if text not in turn.content] == []


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "count"), [("ecqa", 5), ("social_iqa", 3), ("comve", 0)])
def test_real_questions_have_an_option_for_each_label(real, name, count):
    assert {len(example.options) for example in real(name, "test")} == {count}
