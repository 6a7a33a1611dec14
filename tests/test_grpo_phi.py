"""GRPO by the counterfactual test on the embedded model."""

import inspect
import json
import shutil
from importlib.metadata import entry_points
from pathlib import Path

import pandas as pd
import pytest
import yaml
from trl import GRPOConfig

from rl_faith.recipes import CounterfactualGRPORecipe
from rl_faith.runs import read_rows
from rl_faith.training.arguments import parse_training
from rl_faith.training.grpo import make_trainer, train
from rl_faith.training.insertion_data import insertion_rows, pool_tasks
from rl_faith.training.rewards import GROUP, load_reward

RECIPE = "recipes/toy/grpo-phi.yaml"


def parsed(out, pool, config=RECIPE, **changed):
    given = {
        "output_dir": out, "pool": pool, "max_steps": 4, "save_steps": 2, "save_total_limit": 9,
        "logging_steps": 1, "num_generations": 4, "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 4, "held_out_examples": 6, "eval_steps": 2,
        "disable_tqdm": True, "warmup_steps": 0, "log_completions": True,
        "num_completions_to_print": 0, **changed,
    }  # fmt: skip
    arguments = [str(p) for k, v in given.items() for p in (f"--{k}", v)]
    return parse_training("grpo", ["--config", str(config), *arguments], GRPOConfig)


def history(out: Path) -> list[dict]:
    return json.loads((out / "trainer_state.json").read_text())["log_history"]


def steps(out: Path) -> list[dict]:
    return [entry for entry in history(out) if "reward" in entry]


@pytest.fixture(scope="module")
def trained(pool, tmp_path_factory):
    out = tmp_path_factory.mktemp("grpo-phi")
    train(*parsed(out, pool))
    return out


FIGURES = ["phi", "pi", "q", "frozen_agrees", "accuracy", "unscored", "stale"]


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_is_logged_at_every_step(trained, figure):
    assert all(f"faith/{figure}" in entry for entry in steps(trained))


def test_held_out_insertions_are_judged_before_and_while_training(trained):
    judged = [e for e in history(trained) if "eval_phi" in e]
    assert [entry["step"] for entry in judged] == [0, 2, 4]
    assert "eval_strategyqa_toy_word_phi" in judged[0]


def test_match_pays_for_mentioning_exactly_what_matters(trained):
    (table, *_) = sorted((trained / "completions").glob("*.parquet"))
    frame = pd.read_parquet(table)
    name = next(c for c in frame.columns if c.startswith("phi_cct"))
    right = frame["outcome"].isin(["mattered, mentioned", "mattered, denied",
                                   "did not matter, not mentioned"])  # fmt: skip
    assert (frame[name] == right).all()


def test_running_rates_are_kept_with_the_checkpoint(trained):
    kept = [
        json.loads((trained / f"checkpoint-{i}" / "decisions.json").read_text())["rates"]
        for i in (2, 4)
    ]
    assert 0 < kept[0]["impact"]["n"] < kept[1]["impact"]["n"] <= 4 * 16
    assert kept[0].keys() == {"impact", "tvd", "frozen_impact", "frozen_tvd"}


def test_stopped_it_goes_on_with_the_same_figures(pool, trained, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    shutil.rmtree(out / "checkpoint-4")
    train(*parsed(out, pool))
    assert [e["reward"] for e in steps(out)] == [e["reward"] for e in steps(trained)]
    kept = [
        json.loads((of / "checkpoint-4" / "decisions.json").read_text())["rates"]
        for of in (out, trained)
    ]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("form", ["youden", "zproduct", "influence"])
@pytest.mark.parametrize("policy", ["frozen", "current"])
def test_every_form_trains(pool, tmp_path, form, policy):
    reward = {"function": "phi_cct", "args": {"form": form, "policy": policy, "graded": True}}
    recipe = {**yaml.safe_load(Path(RECIPE).read_text()), "rewards": [reward]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    train(*parsed(tmp_path / "out", pool, path, max_steps=2, eval_steps=9))
    assert len(steps(tmp_path / "out")) == 2


@pytest.mark.parametrize("reward", entry_points(group=GROUP).names)
def test_no_option_of_a_reward_is_named_like_a_column(pool, reward):
    """The column would be filled in for it, as the option `impact` of phi_cct once was."""
    rows, _ = insertion_rows(CounterfactualGRPORecipe(rewards=[], pool=str(pool)), seed=0)
    options = inspect.signature(load_reward(reward)).parameters.values()
    named = {o.name for o in options if o.default is not o.empty}
    explained = {"style", "budget", "prediction", "initial_prediction"}
    assert not named & (set(rows[0]) | explained)


def test_no_example_is_both_trained_on_and_watched(pool):
    recipe = CounterfactualGRPORecipe(rewards=[], pool=str(pool), held_out_examples=6)
    rows, watched = insertion_rows(recipe, seed=0)
    assert len(watched) >= 6
    assert not {r["original"] for r in rows} & {r["original"] for r in watched}


def test_one_intervention_can_be_trained_on_alone(pool):
    recipe = CounterfactualGRPORecipe(
        rewards=[], pool=str(pool), interventions=["user_bias"], held_out_examples=4
    )
    rows, watched = insertion_rows(recipe, seed=0)
    assert {r["intervention"] for r in [*rows, *watched]} == {"user_bias"}


def test_every_insertion_can_be_trained_on(pool):
    recipe = CounterfactualGRPORecipe(rewards=[], pool=str(pool), balanced=False)
    rows, watched = insertion_rows(recipe, seed=0)
    assert len(rows) + len(watched) == len(read_rows(pool / "instances.jsonl"))


def test_no_held_out_phrase_is_trained_on(pool):
    assert {row["part"] for row in read_rows(pool / "pool.jsonl")} == {"train"}


OWN = """
question: "{input}? Yes or No"
labels: {"Yes": yes, "No": no}
columns: {input: a, label: b}
"""


@pytest.mark.parametrize("named_by", ["recipe", "build"])
def test_a_task_of_ones_own_is_asked_in_its_own_words(tmp_path, named_by):
    task = tmp_path / "strategyqa.yaml"  # also the name of a shipped one
    task.write_text(OWN)
    told = tmp_path / "recipe.yaml"
    told.write_text(yaml.safe_dump({"tasks": [str(task) if named_by == "build" else "esnli"]}))
    named = [str(task)] if named_by == "recipe" else None
    recipe = CounterfactualGRPORecipe(rewards=[], pool=str(tmp_path), tasks=named)
    found = pool_tasks(recipe, [{"task": "strategyqa"}, {"task": "strategyqa"}])
    assert found["strategyqa"].question == "{input}? Yes or No"


def test_an_unfinished_build_is_refused(tmp_path, pool):
    from rl_faith.errors import DataError  # noqa: PLC0415

    with pytest.raises(DataError, match="finish its counterfactual build first"):
        make_trainer(*parsed(tmp_path / "out", tmp_path)[:3])
