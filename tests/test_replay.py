"""Decisions replayed during GRPO: what is drawn, and what it costs to have moved away."""

from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from test_grpo import RECIPE, decisions_of, history, parsed, trainer_for

from rl_faith.errors import RecipeError
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Prediction
from rl_faith.recipes import check_recipe
from rl_faith.training.grpo import train
from rl_faith.training.replay import Replay

TASK = {"tasks": "sentiment140", "styles": "attribution"}


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """A trainer that has asked for the decisions."""
    made = trainer_for(tmp_path_factory.mktemp("replay"), replay_predictions=5, **TASK)
    decisions_of(made).on_train_begin(made.args, made.state, made.control)
    return made


@pytest.fixture
def prompts(trainer):
    return decisions_of(trainer)._prompts


def test_loss_is_the_surprise_of_the_drawn_labels(trainer):
    drawn = trainer.replay.draw(7)
    policy = TransformersPolicy.load("toy")
    answers = policy.predict([question for question, _ in drawn])
    told = [a.logprobs[label] for a, (_, label) in zip(answers, drawn, strict=True)]
    loss = Replay(lambda n: drawn, trainer.replay.chat, 7, 2.0).loss(trainer.model)
    assert loss.item() == pytest.approx(-2 * sum(told) / 7, abs=1e-4)


def test_labels_of_several_tokens_count_whole(trainer):
    question, _ = trainer.replay.draw(1)[0]
    labels = ["Positive", "Positive Negative", "Negative Negative Positive"]
    chat = trainer.replay.chat
    alone = [
        Replay(lambda n, w=w: [(question, w)], chat, 1, 1.0).loss(trainer.model).item()
        for w in labels
    ]
    together = Replay(lambda n: [(question, w) for w in labels], chat, 3, 1.0).loss(trainer.model)
    assert together.item() == pytest.approx(sum(alone) / 3, abs=1e-4)


def test_no_token_attends_to_nothing(trainer):
    """Gradients of such attention are not numbers on a GPU: padding stands behind the rows."""
    question, _ = trainer.replay.draw(1)[0]
    drawn = [(question, label) for label in ("Positive", "Negative Negative Positive")]
    chat, seen = trainer.replay.chat, []
    hook = trainer.model.register_forward_pre_hook(
        lambda _, args, told: seen.append(told), with_kwargs=True
    )
    Replay(lambda n: drawn, chat, 2, 1.0).loss(trainer.model)
    hook.remove()
    (told,) = seen
    (prompt,) = chat.ids([chat.text(question.conversation)])
    assert "attention_mask" not in told
    assert [tuple(row[: len(prompt)]) for row in told["input_ids"].tolist()] == [prompt, prompt]


def test_labels_are_drawn_as_the_policy_first_gave_them(prompts):
    key = next(iter(prompts._initial))
    logprobs = {"Positive": -0.3567, "Negative": -1.2040}  # 0.7 and 0.3
    prompts._initial = {key: Prediction(logprobs)}
    told = Counter(label for _, label in prompts.replayed(4000))
    assert told["Positive"] / 4000 == pytest.approx(0.7, abs=0.03)


def test_first_distributions_survive_a_checkpoint(trainer, prompts):
    first = dict(prompts._initial)
    kept = prompts.decisions()
    prompts._initial = {}
    prompts.load(kept)
    assert prompts._initial == first


def test_loss_is_logged_at_every_step(tmp_path):
    train(*parsed(tmp_path, replay_predictions=3, max_steps=2, eval_strategy="no", **TASK))
    assert sum("replay_loss" in entry for entry in history(tmp_path)) == 2


@pytest.mark.parametrize("coef, moves", [(0.0, False), (1.0, True)])
def test_gradient_is_the_replayed_decisions_times_the_coefficient(trainer, coef, moves):
    replay = Replay(trainer.replay.draw, trainer.replay.chat, 4, coef)
    (grad,) = torch.autograd.grad(replay.loss(trainer.model), [trainer.model.model.norm.weight])
    assert bool(grad.count_nonzero()) is moves


def recipe_with_coefficient(path, value):
    recipe = {**yaml.safe_load(Path(RECIPE).read_text()), "replay_coef": value}
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.parametrize("value", [2, 0.5])
def test_coefficient_may_be_a_whole_number(tmp_path, value):
    assert check_recipe(recipe_with_coefficient(tmp_path / "recipe.yaml", value)) == "grpo"


@pytest.mark.parametrize("value", [float("nan"), "x", True])
def test_coefficient_is_a_number(tmp_path, value):
    with pytest.raises(RecipeError, match=r"replay_coef is .*; it must be a number"):
        check_recipe(recipe_with_coefficient(tmp_path / "recipe.yaml", value))


def test_negative_coefficient_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="replay_coef is -1"):
        parsed(tmp_path, replay_coef=-1)
