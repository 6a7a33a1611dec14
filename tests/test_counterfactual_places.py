"""The word of a counterfactual, put elsewhere."""

from math import log

import pytest
from conftest import load_script

from rl_faith.evaluation.grid import evaluate
from rl_faith.questions import Prediction
from rl_faith.recipes import EvaluateRecipe
from rl_faith.tasks import load_task

TASK = load_task("sentiment140")


@pytest.fixture(scope="module")
def script():
    return load_script("counterfactual_places")


def row(edited: str | None, **more):
    given = {"id": "e", "input": "a good day", "context": "", "options": [], "gold": "Positive"}
    return {**given, "edited": edited, "status": "valid", "prediction": "Positive", **more}


def test_the_new_word_is_put_in_every_other_place(script):
    assert script.elsewhere(row("a bad day")) == ["bad good day", "a good bad"]


@pytest.mark.parametrize(
    "edited", [None, "a day", "a very good day", "one bad day"], ids=["none", "less", "more", "two"]
)
def test_only_the_replacement_of_one_word_has_another_place(script, edited):
    assert script.elsewhere(row(edited)) == []


def test_an_invalid_explanation_has_no_other_place(script):
    assert script.elsewhere(row("a bad day", status="invalid")) == []


class Judge:
    """Finds a text negative when it ends badly."""

    def predict(self, questions):
        texts = [q.conversation[0].content.partition("Text: ")[2] for q in questions]
        return [self.say(t.partition("\n\nQuestion")[0].endswith("bad")) for t in texts]

    def say(self, negative):
        return Prediction(
            {"Positive": log(0.1 if negative else 0.9), "Negative": log(0.9 if negative else 0.1)}
        )


def test_flips_elsewhere_are_counted_against_the_models_own_decision(script):
    (moved,) = script.ask(Judge(), TASK, [row("a bad day", faithful=False)])
    assert (moved.faithful, moved.elsewhere) == (False, 0.5)


def test_explanations_without_another_place_are_left_out(script):
    assert script.ask(Judge(), TASK, [row("a day", faithful=True)]) == []


def test_every_model_of_a_run_is_asked(script, monkeypatch, capsys, tmp_path):
    given = {"models": ["a=toy", "b=toy"], "data": "toy", "tasks": ["snli"], "out": str(tmp_path)}
    evaluate(
        EvaluateRecipe(**given, styles=["counterfactual"], examples_per_task=9, ceiling_examples=0)
    )
    monkeypatch.setattr("sys.argv", ["counterfactual_places.py", str(tmp_path)])
    script.main()
    table = [line.split("|")[1:3] for line in capsys.readouterr().out.splitlines()]
    assert table[2:] == [[" a ", " snli "], [" b ", " snli "]]


def test_a_build_is_no_evaluation(script, monkeypatch, capsys, built):
    monkeypatch.setattr("sys.argv", ["counterfactual_places.py", str(built)])
    with pytest.raises(SystemExit):
        script.main()
    assert "is no finished evaluation" in capsys.readouterr().err


def test_without_a_run_it_says_what_to_do(script, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["counterfactual_places.py", str(tmp_path)])
    with pytest.raises(SystemExit):
        script.main()
    assert "evaluate counterfactuals there first" in capsys.readouterr().err
