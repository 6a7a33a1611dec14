"""The readout of what mattered from a model's own state."""

import numpy as np
import pytest
from conftest import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("phi_readout")


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


@pytest.fixture
def read(script, planted):
    """Of two tasks; what is in plain sight tells nothing, and each of two layers everything."""
    states, impact, examples = planted
    layers, plain = states[:, None].repeat(2, 1), np.zeros((300, 1))
    return script.Read(plain, layers, impact, examples, ["a"] * 150 + ["b"] * 150)


def test_the_table_has_a_line_for_plain_sight_and_each_layer(script, read):
    heads = [line.split("|")[1].strip() for line in script.table(read)]
    assert heads == ["read from", "---", "plain sight", "layer 0", "layer 1"]


def test_each_task_is_read_by_a_readout_of_its_own(script, read):
    """The sign that tells impact in one task is turned round in the other."""
    read.states[150:] *= -1
    phis = [float(cell.split()[0]) for cell in script.table(read)[-1].split("|")[2:4]]
    assert min(phis) > 0.7


ROWS = [
    {
        "id": f"e{i}/user_bias-{phrase}",
        "task": "sky",
        "place": "context" if phrase else "input",
        "suggested": suggested,
        "label_after": after,
        "probabilities_after": {after: p},
    }
    for i, (phrase, suggested, after, p) in enumerate(
        [(0, "Yes", "Yes", 0.5), (1, "Yes", "No", 0.5), (0, "No", "No", 1.0)]
    )
]


def test_agreement_and_sureness_are_in_plain_sight(script):
    follows, sure = script.in_plain_sight(ROWS)[:, :2].T
    assert follows.tolist() == [1, 0, 1]
    assert sure.round(2).tolist() == [0, 0, 13.82]


def test_the_phrase_is_in_plain_sight(script):
    marks = script.in_plain_sight(ROWS)[:, 3:]
    assert any((column == [1, 0, 1]).all() for column in marks.T)


def test_the_text_that_it_stands_in_and_the_answer_are_in_plain_sight(script):
    once = [dict(ROWS[0]), {**ROWS[0], "place": "context"}, {**ROWS[0], "label_after": "No"}]
    once[2]["probabilities_after"] = {"No": 0.5}
    marks = script.in_plain_sight(once)[:, 3:]
    assert any((column == [0, 1, 0]).all() for column in marks.T)


def test_a_model_that_cannot_be_loaded_is_named_in_a_sentence(script, monkeypatch, capsys, pool):
    monkeypatch.setattr("sys.argv", ["phi_readout.py", str(pool), "no/such/folder"])
    with pytest.raises(SystemExit) as left:
        script.main()
    assert left.value.code == 2
    assert "no/such/folder" in capsys.readouterr().err.splitlines()[-1]


def test_states_of_a_pool_are_read(script, pool):
    found = script.read(pool, "toy-errands", 12)
    assert found.states.shape[0] == len(found.impact) == len(found.examples) == 12
    assert found.states.shape[1] > 2
    assert set(found.impact) == {0.0, 1.0}
