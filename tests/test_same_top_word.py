"""The script that tells whether two models are driven by the same word."""

import sys

import pytest
from conftest import load_script
from planted import TASK, Planted, tells_the_truth

from rl_faith.tasks import Example


@pytest.fixture(scope="module")
def script():
    return load_script("same_top_word")


def test_pairs_are_over_what_both_could_be_asked_about(script):
    one = {"a": ("Yes", "fine"), "b": ("No", "awful"), "c": ("No", "bad")}
    other = {"a": ("Yes", "fine"), "b": ("Yes", "film")}
    assert script.table({"one": one, "other": other})[-1].startswith("| one, other | 2 | 0.50 ")


def test_the_word_that_decides_is_the_one_that_drives(script):
    examples = [Example("a", "I look at the stormy harbour", "No")]
    found = script.drives(Planted(tells_the_truth), TASK, examples, "planted")
    assert found == {"a": ("No", "stormy")}


def test_a_model_is_driven_by_its_own_top_words(script, stages, monkeypatch, capsys):
    asked = ["--task", "sentiment140", "--data", "toy", "--examples", "6"]
    models = ["--models", "one=toy", "again=toy"]
    monkeypatch.setattr(sys, "argv", ["same_top_word.py", *asked, *models])
    script.main()
    *_, line = capsys.readouterr().out.splitlines()
    assert line.startswith("| one, again | 6 | 1.00 ")
