"""Phi of explanations that are drawn, about the insertions of an evaluation."""

import json

import pytest
from conftest import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("phi_drawn")


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Of insertions into questions, by toy-errands."""
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    out = tmp_path_factory.mktemp("evaluation")
    recipe = ["--config", "recipes/toy/phi-evaluate.yaml", "--models", "base=toy-errands"]
    main(["evaluate", *recipe, "--examples_per_task", "20", "--out", str(out)])
    return out


@pytest.fixture
def table(script, evaluation, monkeypatch, capsys):
    """The lines that the script prints about it, cell by cell, without the head."""
    asked = [str(evaluation), "strategyqa", "base=toy-errands", "--insertions", "12"]
    monkeypatch.setattr("sys.argv", ["phi_drawn.py", *asked, "--draws", "3", "--dtype", "float32"])
    script.main()
    lines = capsys.readouterr().out.splitlines()[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_each_kind_of_insertion_has_a_line(table):
    assert [cells[:3] for cells in table] == [
        ["base", "toy_word", "12"],
        ["base", "user_bias", "12"],
    ]


ROWS = [
    {"original": f"e{i}", "impact": i % 2 == 0, "mentioned": False, "intervention": "user_bias"}
    for i in range(40)
]


def test_mentions_where_it_mattered_are_a_phi_of_one(script):
    told = [[row["impact"]] * 2 for row in ROWS]
    assert script.line("m", "user_bias", ROWS, told)[3].startswith("1.00")


def test_mentions_drawn_stand_beside_the_greedy_ones(script):
    told = [[True, False] for _ in ROWS]
    assert script.line("m", "user_bias", ROWS, told)[5] == "0.50, 0.00"


def test_two_draws_about_one_insertion_are_no_two_examples(script):
    told = [[i % 3 == 0] * 8 for i in range(len(ROWS))]
    once, often = (script.line("m", "user_bias", ROWS, [t[:n] for t in told])[3] for n in (1, 8))
    assert once == often


def test_no_more_than_asked_of_each_kind_are_taken(script, evaluation):
    kinds = script.chosen(evaluation, "strategyqa", "base", 5)
    assert {kind: len(rows) for kind, rows in kinds.items()} == {"toy_word": 5, "user_bias": 5}


def test_an_unscored_insertion_is_not_asked_about(script, tmp_path):
    row = {"model": "m", "task": "t", "intervention": "user_bias"}
    rows = [{**row, "status": "unscored"}, {**row, "status": "scored"}]
    lines = [json.dumps(row) + "\n" for row in rows]
    (tmp_path / "instances.jsonl").write_text("".join(lines), encoding="utf-8")
    assert script.chosen(tmp_path, "t", "m", 10) == {"user_bias": [rows[1]]}


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (["ecqa", "base=toy-errands"], "ecqa"),
        (["strategyqa", "other=toy-errands"], "other"),
        (["strategyqa", "base=no/such/folder"], "no/such/folder"),
    ],
)
def test_what_is_not_there_is_named_in_a_sentence(
    script, evaluation, monkeypatch, capsys, asked, named
):
    monkeypatch.setattr("sys.argv", ["phi_drawn.py", str(evaluation), *asked])
    with pytest.raises(SystemExit) as left:
        script.main()
    assert left.value.code == 2
    assert named in capsys.readouterr().err.splitlines()[-1]
