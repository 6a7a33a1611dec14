"""scripts/phi_seeds.py: rows of several runs count together, trainings are averaged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "phi_seeds.py"


def row(model, i, *, impact, mentioned):
    return {
        "model": model, "task": "t", "intervention": "user_bias", "part": "train", "id": f"{i}",
        "original": f"{i}", "gold": "a", "status": "scored", "impact": impact, "tvd": 0.5,
        "mentioned": mentioned, "negated": False, "label_before": "a", "label_after": "b",
        "reply_words": 1,
    }  # fmt: skip


def evaluation(folder, model, tells):
    """Forty insertions, every other one with impact; the first `tells` in ten mentioned rightly."""
    folder.mkdir()
    rows = [row(model, i, impact=i % 2 == 0, mentioned=(i % 2 == 0) == (i % 10 < tells))
            for i in range(40)]  # fmt: skip
    (folder / "instances.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def run(*runs):
    command = [sys.executable, SCRIPT, *runs]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def printed(*runs):
    done = run(*runs)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def runs(tmp_path):
    of = [("a", "m", 10), ("b", "m", 10), ("c", "k-1", 10), ("d", "k-2", 8)]
    return [evaluation(tmp_path / name, model, tells) for name, model, tells in of]


def test_rows_of_one_model_in_several_runs_count_together(runs):
    assert "| m | phi, t, user_bias, train | 1.00 (1.00 to 1.00) | 80 |" in printed(*runs[:2])


def test_trainings_of_one_kind_are_averaged(runs):
    assert "| k, mean of 2 trainings | phi, t, user_bias, train | 0.80 (" in printed(*runs[2:])


def test_a_run_of_the_other_test_is_named(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    keys = ("model", "task", "style", "budget", "id", "gold", "prediction")
    line = dict.fromkeys(keys, "x") | {"status": "unscored"}
    (other / "instances.jsonl").write_text(json.dumps(line) + "\n")
    done = run(other)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{other} is no evaluation by the counterfactual test" in done.stderr
