"""Rollouts of the counterfactual test, judged with replies whose worth is known.

The embedded model mentions nothing, so that what a mention earns is tried here.
"""

import pytest
from planted import EXAMPLES, TASK, WORDS, Planted, lies, tells_the_truth

from rewards.phi_cct import phi_cct
from rl_faith.checks import disclose
from rl_faith.insertion_rows import insertion_row
from rl_faith.probing import probe
from rl_faith.training.disclosure_panel import DisclosurePanel


def panel(explain=tells_the_truth, held_out=()):
    made = DisclosurePanel({TASK.name: TASK}, held_out=held_out)
    made.policy = Planted(explain)
    return made


@pytest.fixture
def rows():
    """As the data set has them; impact is what the build measured."""
    found = probe(
        Planted(tells_the_truth), TASK, EXAMPLES, [WORDS], order="predict_explain",
        max_new_tokens=64, seed=0,
    )  # fmt: skip
    made = [insertion_row("build", disclose(one)) for one in found]
    return [{**row, "prediction": row["label_after"]} for row in made]


def replies(rows, explain):
    return [explain(row["input"].lower().split()) for row in rows]


@pytest.mark.parametrize(("explain", "phi"), [(tells_the_truth, 1), (lies, -1)])
def test_running_rates_and_figures_tell_truth_from_lies(rows, explain, phi):
    judging = panel()
    figures = dict(judging.figures(judging.judge(rows, replies(rows, explain))))
    assert figures["faith/phi"] == pytest.approx(phi)
    assert judging.rates["impact"].phi == pytest.approx(phi)
    assert judging.rates["frozen_tvd"].phi == pytest.approx(phi)


@pytest.mark.parametrize("form", ["match", "youden", "zproduct"])
@pytest.mark.parametrize("policy", ["current", "frozen"])
def test_the_reward_of_a_batch_prefers_the_truth(rows, form, policy):
    judging = panel()
    said = [*replies(rows, tells_the_truth), *replies(rows, lies)]
    judged = judging.judge(rows * 2, said)
    paid = phi_cct(judged, judging.fixtures(judged)["rates"], form, policy=policy)
    assert sum(paid[: len(rows)]) > sum(paid[len(rows) :])


def test_another_decision_than_the_prompts_is_stale(rows):
    changed = [{**row, "prediction": "Yes"} for row in rows]
    judged = panel().judge(changed, replies(rows, tells_the_truth))
    stale = [one.reason == "stale" for one in judged]
    assert stale == [row["label_after"] == "No" for row in rows]


def test_held_out_insertions_are_explained_and_judged(rows):
    judging = panel(held_out=rows)
    found = judging.examine(0, 1, max_new_tokens=64)
    assert judging.watched(found)["phi"] == pytest.approx(1)


def test_rates_go_with_a_checkpoint(rows):
    before, after = panel(), panel()
    before.judge(rows, replies(rows, tells_the_truth))
    after.load_state(before.state())
    assert after.rates == before.rates
