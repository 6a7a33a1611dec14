"""Every name of TRL that the GRPO stage relies on: an upgrade fails here first."""

import ast
import inspect
import textwrap

import pytest
from trl import GRPOConfig, GRPOTrainer
from trl.generation.vllm_generation import VLLMGeneration
from trl.models import unwrap_model_for_generation
from trl.trainer.utils import add_fused_lm_head

from rl_faith.training.rewards import FILLED, RESERVED


def parameters(function) -> set[str]:
    return set(inspect.signature(function).parameters)


def assigned(function) -> set[str]:
    """Names of the attributes of `self` that a method assigns."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize("name", ["prompts", "images", "num_generations"])
def test_engine_generates_from(name):
    assert name in parameters(VLLMGeneration.generate)


@pytest.mark.parametrize("name", ["generation_kwargs", "structured_outputs_regex", "mode"])
def test_engine_keeps(name):
    assert name in assigned(VLLMGeneration.__init__)


def test_engine_takes_the_current_weights():
    assert parameters(VLLMGeneration.sync_weights) == {"self"}


def test_engine_lets_its_settings_be_overridden():
    source = inspect.getsource(VLLMGeneration.generate)
    assert "generation_kwargs.update(self.generation_kwargs)" in source
    assert '"generation_kwargs": self.generation_kwargs' in source


def test_trainer_keeps_its_engine():
    assert "vllm_generation" in assigned(GRPOTrainer.__init__)


def test_rollouts_come_from_synced_weights():
    source = inspect.getsource(GRPOTrainer._generate_single_turn)
    assert source.index("sync_weights()") < source.index("vllm_generation.generate(")


def test_model_is_unwrapped_with_its_weights_whole():
    known = inspect.signature(unwrap_model_for_generation).parameters
    assert known["gather_deepspeed3_params"].default is True
    assert "gradient_checkpointing_kwargs" in known


@pytest.mark.parametrize(
    "name", ["ds3_gather_for_generation", "steps_per_generation", "num_generations",
             "chat_template_kwargs", "reward_weights", "vllm_max_model_length"]
)  # fmt: skip
def test_config_has(name):
    assert name in parameters(GRPOConfig.__init__)


@pytest.mark.parametrize("name", sorted({*RESERVED} - {*FILLED}))
def test_reward_is_given(name):
    source = inspect.getsource(GRPOTrainer._calculate_rewards)
    assert f'reward_kwargs["{name}"]' in source or f"{name}=" in source


def test_all_rewards_are_given_the_very_same_completions():
    """By which a batch is known to be the one that was judged already."""
    source = inspect.getsource(GRPOTrainer._calculate_rewards)
    assert source.count("completions=completions") == 2
    assert "completions = " not in source


def test_warning_that_is_kept_back_has_these_words():
    assert "All reward functions returned None" in inspect.getsource(GRPOTrainer)


@pytest.mark.parametrize(
    "name", ["model", "input_ids", "attention_mask", "logits_to_keep", "compute_entropy"]
)
def test_log_probabilities_of_completions_are_read_from(name):
    assert name in parameters(GRPOTrainer._get_per_token_logps_and_entropies)


@pytest.mark.parametrize("name", ["_tokenizer", "generation_config", "generation_kwargs"])
def test_trainer_keeps_for_its_rollouts(name):
    assert name in assigned(GRPOTrainer.__init__)


def test_head_leaves_out_what_is_not_trained_on_where_it_is_told_to():
    assert "compact = _use_triton(hidden_states.device)" in inspect.getsource(add_fused_lm_head)
