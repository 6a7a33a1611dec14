"""`rl-faith check-reward`: a reward that cannot tell true from false is refused before training."""

from pathlib import Path

import pytest
import yaml

from rl_faith.policies.opening import Backend
from rl_faith.recipes import GRPORecipe
from rl_faith.training.reward_check import check_rewards
from rl_faith.training.trials import KINDS

RECIPE = Path("recipes/toy/grpo-self-consistency.yaml")


def recipe_with(folder, *rewards):
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RECIPE.read_text()), "rewards": [*rewards]}))
    return path


@pytest.fixture(scope="module")
def separations():
    rewards = [{"function": "self_consistency"}, {"function": "format", "weight": 0.5}]
    return check_rewards(GRPORecipe(rewards=rewards, data="toy", tasks=["snli"]), "toy", Backend())


def test_self_consistency_tells_true_from_false_and_broken(separations):
    assert separations[0].tells_apart
    assert separations[0].means["true"] > 0.8
    assert separations[0].means["broken"] == 0


def test_format_tells_nothing_true_from_false(separations):
    assert not separations[1].tells_apart
    assert separations[1].means == {"true": 1.0, "false": 1.0, "broken": 0.0}


def test_the_sum_is_weighted(separations):
    for kind in KINDS:
        parts = separations[0].means[kind] + 0.5 * separations[1].means[kind]
        assert separations[2].means[kind] == pytest.approx(parts)


def test_a_reward_that_asks_is_timed(separations):
    assert separations[0].questions_per_second > 0


def test_rewards_that_tell_nothing_apart_are_refused(cli, tmp_path):
    path = recipe_with(tmp_path, {"function": "format"})
    outcome = cli("check-reward", path, "--tasks", "ag_news", "--styles", "attribution")
    assert outcome.code == 2
    assert "the rewards do not tell true explanations from others" in outcome.error


def test_sound_rewards_pass(cli):
    outcome = cli("check-reward", RECIPE, "--tasks", "ag_news", "--styles", "redaction")
    assert outcome.code == 0
    assert "self_consistenc" in outcome.out


@pytest.mark.parametrize(
    ("reward", "told"),
    [
        ({"funktion": "format"}, "unknown key 'funktion' of a reward; known: args, function"),
        ({"weight": 2}, "names no function"),
        ({"function": "format", "weight": "much"}, "the weight of 'format' is 'much', not"),
        ({"function": "format", "timeout": 0}, "the timeout of 'format' is 0, not seconds"),
        ({"function": "format", "args": [1]}, "the args of 'format' must map names to values"),
        ({"function": "formatt"}, "reward 'formatt' cannot be loaded: no such reward; known"),
        ({"function": "format", "args": {"a": 1}}, "reward format(a=1) takes no argument 'a'"),
    ],
)
def test_bad_entry_is_refused(cli, tmp_path, reward, told):
    outcome = cli("check-reward", recipe_with(tmp_path, reward), "--tasks", "ag_news")
    assert outcome.code == 2
    assert told in outcome.error
