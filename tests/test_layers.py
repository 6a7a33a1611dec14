"""The lower floors stay light: no command waits for torch before it needs it."""

import subprocess
import sys

import pytest

LIGHT = [
    *("rl_faith.text", "rl_faith.stats", "rl_faith.questions", "rl_faith.errors", "rl_faith.tasks"),
    *("rl_faith.styles", "rl_faith.interventions", "rl_faith.checks", "rl_faith.erasure"),
    *("rl_faith.pseudo", "rl_faith.recipes", "rl_faith.cli", "rewards"),
    *("rl_faith.doctor", "rl_faith.launching"),
    *(f"rewards.{name}" for name in ("self_consistency", "format", "minimality")),
]
HEAVY = ["torch", "transformers", "trl", "datasets", "lemminflect", "wordfreq"]


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    code = f"import sys, {', '.join(LIGHT)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", HEAVY)
def test_the_lower_floors_do_not_import(module, loaded):
    assert module not in loaded


def test_the_lower_floors_were_imported(loaded):
    assert set(LIGHT) <= loaded
