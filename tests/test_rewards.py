"""Rewards as plug-ins: how they are found, what they are given, and what they may return."""

import math
from collections.abc import Sequence
from dataclasses import replace
from math import log

import pytest

from rewards.format import format as format_reward
from rewards.minimality import minimality
from rewards.prediction_stability import prediction_stability
from rewards.self_consistency import self_consistency
from rl_faith.errors import RewardError
from rl_faith.policies.usage import Usage
from rl_faith.questions import Prediction, Unanswered
from rl_faith.recipes import RewardSpec
from rl_faith.tasks import load_task
from rl_faith.training.panel import VerdictPanel
from rl_faith.training.rewards import Batch, Reward, load_reward

TASK = load_task("sentiment140")
TEXT = "what an awful boring film today"
ROW = {
    "id": "x", "task": TASK.name, "style": "attribution", "budget": "one", "input": TEXT,
    "context": "", "gold": "Negative", "prediction": "Negative", "initial_prediction": "Negative",
}  # fmt: skip


class Planted:
    """A policy that is Negative exactly where "awful" stands, and counts its calls."""

    def __init__(self):
        self.calls, self.usage = [], Usage()

    def predict(self, questions):
        self.calls.append(list(questions))
        texts = [q.conversation[0].content for q in questions]
        shares = [0.8 if "awful" in text else 0.3 for text in texts]
        return [
            Unanswered("too_long")
            if "endless" in text
            else Prediction({"Positive": log(1 - share), "Negative": log(share)})
            for text, share in zip(texts, shares, strict=True)
        ]


@pytest.fixture
def panel():
    made = VerdictPanel({TASK.name: TASK}, seed=0)
    made.policy = Planted()
    return made


def as_trl_gives_it(replies: Sequence[str], rows=None) -> dict:
    """The keywords of TRL's call, for completions of one prompt unless `rows` says otherwise."""
    rows = rows or [ROW] * len(replies)
    logged = {}
    return {
        "prompts": [[{"role": "user", "content": "?"}] for _ in rows],
        "completions": [[{"role": "assistant", "content": reply}] for reply in replies],
        "completion_ids": [[1] for _ in rows],
        "trainer_state": None,
        "log_metric": logged.__setitem__,
        "log_extra": logged.__setitem__,
        **{key: [row[key] for row in rows] for key in ROW},
    }


def reward(function, panel, **args):
    return Reward(function, RewardSpec("mine", args=args), Batch(panel))


# The rewards that ship


@pytest.fixture
def verdicts(panel):
    replies = ["Answer: awful", "Answer: film", "Answer: song"]
    return panel.judge([ROW] * 3, replies)


def test_a_flip_earns_one(verdicts):
    assert self_consistency(verdicts) == [1.0, 0.0, 0.0]


def test_a_drop_earns_its_size(verdicts):
    assert self_consistency(verdicts, "drop") == pytest.approx([0.5, 0.0, 0.0])


def test_lift_takes_off_what_random_edits_flip(verdicts):
    control = verdicts[0].control
    assert 0 < control < 1
    assert self_consistency(verdicts, "lift") == pytest.approx([1 - control, -control, 0.0])


def test_lift_pays_nothing_for_a_word_that_turns_the_text_anywhere(verdicts):
    anywhere = replace(verdicts[0], elsewhere=1.0)
    assert self_consistency([anywhere], "lift") == [0.0]


def test_what_a_counterfactual_does_elsewhere_is_logged(panel):
    row = {**ROW, "style": "counterfactual"}
    logged = dict(panel.figures(panel.judge([row], ["Answer: what an fine boring film today"])))
    assert logged["faith/elsewhere"] == 0


def test_an_unknown_variant_is_refused(verdicts):
    with pytest.raises(ValueError, match="unknown variant 'flop'; known: flip, drop, lift"):
        self_consistency(verdicts, "flop")


def test_an_invalid_reply_can_earn_what_valid_ones_of_its_group_do(verdicts):
    assert self_consistency(verdicts, "drop", "mean") == pytest.approx([0.5, 0.0, 0.25])


def test_what_other_groups_earn_is_no_matter(panel):
    other = {**ROW, "id": "y"}
    judged = panel.judge([ROW, ROW, other], ["Answer: awful", "Answer: song", "Answer: song"])
    assert self_consistency(judged, "drop", "mean") == pytest.approx([0.5, 0.5, 0.0])


def test_paying_invalid_replies_the_mean_teaches_no_form(panel):
    given = as_trl_gives_it(["Answer: awful", "Answer: film", "Answer: song"])
    logged = {}
    given["log_metric"] = logged.__setitem__
    reward(self_consistency, panel, variant="drop", invalid="mean")(**given)
    assert logged["faith/form_share"] == pytest.approx(0)


def test_another_pay_for_invalid_replies_is_refused(verdicts):
    with pytest.raises(ValueError, match="invalid is 'none'; an invalid explanation earns zero"):
        self_consistency(verdicts, "drop", "none")


def test_format_pays_for_validity_alone(verdicts):
    assert format_reward(verdicts) == [1.0, 1.0, 0.0]


def test_minimality_pays_less_for_more_words(panel):
    rows = [{**ROW, "budget": "multi"}] * 3
    replies = ['{"words": ["awful"]}', '{"words": ["awful", "film"]}', '{"words": ["film"]}']
    found = panel.judge(rows, [f"Answer: {reply}" for reply in replies])
    assert minimality(found) == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("shipped", [self_consistency, format_reward, minimality])
def test_what_was_not_scored_earns_none(panel, shipped):
    stale = panel.judge([{**ROW, "prediction": "Positive"}], ["Answer: awful"])
    assert shipped(stale) == [None]


def test_stability_is_the_probability_of_the_first_decision(panel):
    questions = panel.questions([ROW, ROW])
    earned = prediction_stability(questions, ["Negative", "Positive"], panel.repredict)
    assert earned == pytest.approx([0.8, 0.2])


# The panel


def test_a_batch_is_asked_about_in_one_call(panel):
    panel.judge([ROW] * 8, ["Answer: awful"] * 8)
    assert len(panel.policy.calls) == 1


def test_several_rewards_share_one_call(panel):
    batch, given = Batch(panel), as_trl_gives_it(["Answer: awful", "Answer: film"])
    for function in (self_consistency, format_reward):
        Reward(function, RewardSpec("mine"), batch)(**given)
    assert len(panel.policy.calls) == 1


def test_the_next_batch_is_asked_about_anew(panel):
    batch = Batch(panel)
    for reply in ("Answer: awful", "Answer: film"):
        Reward(self_consistency, RewardSpec("mine"), batch)(**as_trl_gives_it([reply]))
    assert len(panel.policy.calls) == 2


def test_a_stale_prediction_leaves_its_whole_group_unscored(panel):
    rows = [ROW, ROW, {**ROW, "id": "y", "prediction": "Positive"}]
    found = panel.judge(rows, ["Answer: awful", "Answer: film", "Answer: awful"])
    assert [(v.status, v.reason) for v in found] == [
        ("valid", ""), ("valid", ""), ("unscored", "stale"),
    ]  # fmt: skip


def test_one_unscored_completion_leaves_its_group_unscored(panel):
    rows = [{**ROW, "style": "counterfactual"}] * 2
    replies = [TEXT.replace("awful", "endless"), TEXT.replace("awful", "nice")]
    found = panel.judge(rows, [f"Answer: {reply}" for reply in replies])
    assert [(v.status, v.reason) for v in found] == [("unscored", "too_long")] * 2


def test_the_verdict_is_that_of_evaluation(panel, verdicts):
    assert verdicts[0].new_prediction.label == "Positive"
    assert verdicts[0].drop == pytest.approx(0.5)


# What a reward is given


def test_a_reward_gets_what_it_names(panel):
    def mine(completions, input, questions, verdicts, repredict):  # noqa: A002
        assert input == [TEXT] * 2
        assert [v.faithful for v in verdicts] == [True, False]
        assert [a.label for a in repredict(questions)] == ["Negative"] * 2
        return [float(len(c[0]["content"])) for c in completions]

    assert reward(mine, panel)(**as_trl_gives_it(["Answer: awful", "Answer: film"])) == [13, 12]


def test_a_reward_with_keywords_gets_everything(panel):
    def mine(completions, **more):
        assert {"gold", "repredict", "verdicts", "prompts", "trainer_state"} <= more.keys()
        return [0.0 for _ in completions]

    assert reward(mine, panel)(**as_trl_gives_it(["Answer: awful"])) == [0.0]


def test_args_of_the_recipe_are_handed_over(panel):
    given = as_trl_gives_it(["Answer: awful"])
    assert reward(self_consistency, panel, variant="drop")(**given) == pytest.approx([0.5])


def test_figures_and_columns_are_logged(panel):
    logged = {}
    given = as_trl_gives_it(["Answer: awful", "Answer: song"])
    given["log_metric"] = given["log_extra"] = logged.__setitem__
    reward(self_consistency, panel)(**given)
    assert logged["faith/faithful_all"] == logged["faith/valid"] == 0.5
    assert logged["outcome"] == ["faithful", "invalid: word_not_in_input"]
    assert logged["new_prediction"] == ["Positive", ""]


def test_what_all_rewards_together_teach_is_logged(panel):
    """They earn 1.5, 0.5 and 0, as each reward counts: squares 2/3 between of 2/3 + 1/2."""
    given = as_trl_gives_it(["Answer: awful", "Answer: film", "Answer: song"])
    logged = given["log_metric"].__self__
    batch = Batch(panel)
    specs = [(self_consistency, RewardSpec("a")), (format_reward, RewardSpec("b", weight=0.5))]
    for paid in [Reward(function, spec, batch) for function, spec in specs]:
        assert "faith/form_share" not in logged
        paid(**given)
    assert logged["faith/form_share"] == pytest.approx(4 / 7)


def test_where_nothing_was_scored_nothing_is_taught(panel):
    given = as_trl_gives_it(["Answer: awful"], [{**ROW, "prediction": "Positive"}])
    reward(self_consistency, panel)(**given)
    assert "faith/form_share" not in given["log_metric"].__self__


# What is refused


def test_an_argument_it_does_not_take_is_refused(panel):
    with pytest.raises(RewardError, match=r"reward mine.* takes no argument 'varient'"):
        reward(self_consistency, panel, varient="drop")


def test_a_parameter_that_nothing_fills_is_refused(panel):
    with pytest.raises(RewardError, match="needs 'golden', which is neither in its args nor a col"):
        reward(lambda golden: golden, panel).check(ROW)


def fails(verdicts):
    raise KeyError("lost")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (fails, "reward mine failed with KeyError: 'lost' .* 2 completions that begins with x"),
        (lambda verdicts: [1.0], "returned 1 for 2 completions"),
        (lambda verdicts: 1.0, "returned float for 2 completions"),
        (lambda verdicts: [0.0, math.nan], "returned nan for example x; it must be a finite"),
        (lambda verdicts: [0.0, -math.inf], "returned -inf for example x"),
        (lambda verdicts: [0.0, "much"], "returned 'much' for example x"),
        (lambda verdicts: [0.0, None], "None for a part of the completions of example x"),
    ],
)
def test_what_is_no_reward_is_refused(panel, function, told):
    with pytest.raises(RewardError, match=told):
        reward(function, panel)(**as_trl_gives_it(["Answer: awful", "Answer: film"]))


def test_a_group_that_was_not_scored_earns_none_from_any_reward(panel):
    stale = [{**ROW, "prediction": "Positive"}] * 2
    given = as_trl_gives_it(["Answer: awful", "Answer: film"], stale)
    assert reward(lambda verdicts: [1.0, 2.0], panel)(**given) == [None, None]


# Where a reward is found


@pytest.mark.parametrize(
    "where",
    [
        "self_consistency",
        "rewards.self_consistency:self_consistency",
        "rewards.self_consistency.self_consistency",
    ],
)
def test_a_reward_is_found_by_name(where):
    assert load_reward(where) is self_consistency


def test_a_reward_is_found_in_a_file(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("def always(completions):\n    return [1.0] * len(completions)\n")
    assert load_reward(f"{file}:always")([1, 2]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (
            "selfconsistency",
            "no such reward; known: format, minimality, phi_cct, prediction_stability",
        ),
        ("rewards.none:none", "No module named 'rewards.none'"),
        ("rewards.format:none", "no attribute 'none'"),
        ("missing.py:none", "No such file"),
        ("rewards.format:__doc__", "is a str, not a function"),
    ],
)
def test_a_reward_that_is_not_there_is_refused(where, told):
    with pytest.raises(RewardError, match=told):
        load_reward(where)
