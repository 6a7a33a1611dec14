"""scripts/over_seeds.py: rows of several runs count together, trainings are averaged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "over_seeds.py"


def row(model, i, *, impact, mentioned):
    return {
        "model": model, "task": "t", "intervention": "user_bias", "part": "train", "id": f"{i}",
        "original": f"{i}", "gold": "a", "status": "scored", "impact": impact, "tvd": 0.5,
        "mentioned": mentioned, "negated": False, "label_before": "a", "label_after": "b",
        "reply_words": 1, "reply": "words", "input": "x", "context": "", "place": "input",
        "suggested": "b",
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


def test_decisions_are_held_to_the_baseline_over_all_runs(runs):
    shown = printed(*runs[:3], "--baseline", "m")
    kind = "decisions drifted, all: share decided as the baseline does (at least 0.9)"
    assert f"| k-1 | {kind} | 1.00 (" in shown


def test_the_phi_of_a_silent_model_is_marked_as_undefined(tmp_path):
    rows = [row("m", i, impact=i % 2 == 0, mentioned=False) for i in range(10)]
    (tmp_path / "instances.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert "| m | phi, t, user_bias, train | 0.00! (" in printed(tmp_path)


def test_trainings_of_one_kind_are_averaged(runs):
    assert "| k, mean of 2 trainings | phi, t, user_bias, train | 0.80 (" in printed(*runs[2:])


def explained(folder, ids, style="attribution", **faithful):
    """One-word explanations of each model, the first so many of them faithful."""
    folder.mkdir()
    rows = [{
        "model": model, "task": "t", "style": style, "budget": "one", "id": f"{i}",
        "gold": "a", "prediction": "a", "status": "valid", "faithful": i < n, "control": 0.0,
    } for model, n in faithful.items() for i in ids]  # fmt: skip
    (folder / "instances.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


@pytest.fixture
def samples(tmp_path):
    """Forty examples, ten of them in both runs."""
    return [
        explained(tmp_path / "a", range(30), before=10, after=20),
        explained(tmp_path / "b", range(20, 40), before=10, after=20),
    ]


def test_an_example_of_two_samples_counts_once(samples):
    shown = printed(*samples, "--baseline", "before")
    assert "| after | faithful, t, attribution, one | 0.50 (" in shown
    assert "| after | gain, t, attribution, one | 0.25 (" in shown


def test_what_of_a_gain_is_content_is_told_over_all_samples(samples):
    """All are valid, so that none of it is form."""
    shown = printed(*samples, "--baseline", "before")
    assert "| after | gain by content, t, attribution, one | 0.25 (" in shown
    assert "| after | gain by form, t, attribution, one | 0.00 (" in shown


def test_gains_over_all_samples_are_tested_together(samples):
    """Ten examples gained and none lost: p = 2 / 2^10."""
    shown = printed(*samples, "--baseline", "before")
    assert "| after | t, attribution, one | +0.25 | 0.002 | 0.002 | 40 |" in shown


def test_of_several_styles_all_are_told_together(samples, tmp_path):
    """Of 80 explanations of 40 examples 10 became faithful, all of them valid before."""
    other = explained(tmp_path / "c", range(40), "redaction", before=5, after=5)
    shown = printed(*samples, other, "--baseline", "before")
    assert "| after | gain, all, all, one | 0.12 (" in shown
    assert "| after | gain by content, all, all, one | 0.12 (" in shown


def test_the_rate_in_a_name_is_no_seed(tmp_path):
    shown = printed(explained(tmp_path / "a", range(10), **{"rl-6e-4": 1, "rl-6e-5": 2}))
    assert "mean of" not in shown


def test_runs_of_both_tests_are_refused(runs, tmp_path):
    done = run(runs[0], explained(tmp_path / "edits", range(3), m=1))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "the runs hold both tests" in done.stderr
