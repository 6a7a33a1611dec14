"""How much of what rewards teach is the format, and how much which words to name."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rl_faith.training.form import form_share

SCRIPT = Path(__file__).parents[1] / "scripts" / "form_share.py"


def share(*groups):
    """Of groups of rewards, those of invalid replies negative: their size is what they earn."""
    earned = [(abs(reward), i, reward > 0) for i, of in enumerate(groups) for reward in of]
    return form_share(*map(list, zip(*earned, strict=True)))


def test_where_words_earn_alike_it_is_all_form():
    assert share([1.0, 1.0, -0.5, -0.5]) == pytest.approx(1)


def test_where_all_are_valid_none_of_it_is_form():
    assert share([1.0, 0.2, 0.6]) == pytest.approx(0)


def test_form_and_words_worked_by_hand():
    """Means 2 (valid: 1, 3) and 0 (two invalid): squares 4 between of 4 + 2."""
    assert form_share([1, 3, 0, 0], ["a"] * 4, [True, True, False, False]) == pytest.approx(2 / 3)


def test_what_sets_groups_apart_is_not_taught():
    """An easy text and a hard one: no reply earns more than its group."""
    assert share([0.9, 0.9], [-0.1, -0.1]) is None


def test_rounding_teaches_nothing():
    assert share([0.1 + 0.2, 0.3]) is None


def test_groups_that_were_not_scored_stay_out():
    assert form_share([None, None, 1.0, 0.0], list("aabb"), [True, False, True, True]) == 0


@pytest.fixture
def run_folder(tmp_path):
    """A run of two rewards, of which the second counts half."""
    rewards = [{"function": "self_consistency", "args": {"variant": "drop"}},
               {"function": "format", "weight": 0.5}]  # fmt: skip
    (tmp_path / "completions").mkdir()
    (tmp_path / "recipe.yaml").write_text(json.dumps({"rewards": rewards}))
    outcome = ["faithful", "unfaithful", "invalid: format", "unscored: stale"]
    prompt = [[{"role": "user", "content": "Why?"}]] * 4
    pd.DataFrame({
        "step": 1, "prompt": prompt, "outcome": outcome, "format": [1.0, 1.0, 0.0, None],
        "self_consistency(variant=drop)": [1.0, 0.0, 0.0, None],
    }).to_parquet(tmp_path / "completions" / "1.parquet")  # fmt: skip
    return tmp_path


def run(*folders):
    return subprocess.run(
        [sys.executable, SCRIPT, *folders], check=False, capture_output=True, text=True
    )


def test_a_run_is_read_from_its_completions(run_folder):
    """It earns 1.5, 0.5 and 0: squares 2/3 between of 2/3 + 1/2."""
    assert f"| {run_folder} | 0.57 | 0.67 | 3 |" in run(run_folder).stdout


def test_a_run_of_the_other_test_is_refused_in_a_sentence(run_folder):
    file = run_folder / "completions" / "1.parquet"
    pd.read_parquet(file).assign(outcome="mattered, mentioned").to_parquet(file)
    done = run(run_folder)
    assert done.returncode == 1
    assert done.stderr == f"{run_folder} is of the other test, in which no explanation is invalid\n"


def test_a_run_without_completions_is_refused_in_a_sentence(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"{tmp_path} holds no completions: its recipe has to say log_completions: true\n"
    )
