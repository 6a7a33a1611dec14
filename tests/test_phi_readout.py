"""The readout of what mattered from a model's own state."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "phi_readout.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("phi_readout", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def planted():
    """States of 300 insertions into 100 examples, one of 20 columns about the impact."""
    rng = np.random.default_rng(0)
    impact = rng.integers(0, 2, 300).astype(float)
    states = rng.normal(size=(300, 20))
    states[:, 7] += 8 * impact
    return states, impact, [f"e{i // 3}" for i in range(300)]


def test_what_the_state_holds_is_read(script, planted):
    states, impact, examples = planted
    assert np.mean(script.guessed(states, impact, examples) == impact) > 0.9


def test_what_it_does_not_hold_is_not(script, planted):
    states, impact, examples = planted
    states[:, 7] = 0
    assert np.corrcoef(script.guessed(states, impact, examples), impact)[0, 1] < 0.15


def test_an_example_tells_nothing_about_itself(script):
    """Insertions into one example share state and impact; another example has its own."""
    rng = np.random.default_rng(0)
    states, impact = rng.normal(size=(100, 50)).repeat(3, 0), rng.integers(0, 2, 100).repeat(3)
    told = script.guessed(states, impact.astype(float), [f"e{i // 3}" for i in range(300)])
    leaking = script.guessed(states, impact.astype(float), [f"e{i}" for i in range(300)])
    assert abs(np.corrcoef(told, impact)[0, 1]) < 0.3
    assert np.corrcoef(leaking, impact)[0, 1] > 0.45


def test_the_table_has_a_line_for_each_layer(script, planted):
    states, impact, examples = planted
    found = script.Read(states[:, None].repeat(2, 1), impact, examples, ["a", "b", "b"] * 100)
    lines = script.table(found)
    assert lines[0] == "| layer | a | b |"
    assert len(lines) == 4


def test_states_of_a_pool_are_read(script, pool):
    found = script.read(pool, "toy-errands", 12)
    assert found.states.shape[0] == len(found.impact) == len(found.examples) == 12
    assert found.states.shape[1] > 2
    assert set(found.impact) == {0.0, 1.0}
