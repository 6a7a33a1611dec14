"""From the command line of a training stage to its recipe and TRL's arguments."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

import torch
from transformers import PreTrainedModel, TrainingArguments
from transformers.integrations import is_deepspeed_zero3_enabled
from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config
from trl import ModelConfig

from rl_faith.errors import RecipeError
from rl_faith.policies.loading import base_of, load_model
from rl_faith.recipes import check_arguments, overrides, parse_recipe
from rl_faith.training.compact import score_trained_tokens


def parse_training(
    stage: str, arguments: Sequence[str], config: type
) -> tuple[Any, Any, ModelConfig, dict[str, Any]]:
    """Check the recipe strictly, then let TRL parse it and the overrides of the command line.

    Returns:
        Our part of the recipe, TRL's config, its ModelConfig, and the recipe as resolved.

    Raises:
        RecipeError: as `check_arguments`, or no model.
    """
    raw = check_arguments(stage, arguments)
    if not torch.accelerator.is_available() and "use_cpu" not in raw:
        # Without it, TRL's default of bf16 is refused on a machine without an accelerator.
        arguments = [*arguments, "--use_cpu", "true"]
    recipe, args, model_args = parse_recipe(stage, arguments, config, ModelConfig)
    if model_args.model_name_or_path is None:
        raise RecipeError(f"{stage}: the key 'model_name_or_path' is missing")
    values = {**vars(model_args), **vars(args), **asdict(recipe)}
    keys = [k for k in dict.fromkeys([*raw, *sorted(overrides(stage, arguments))]) if k in values]
    chosen = {k: values[k] for k in keys}
    hide_token(args)
    # Through JSON, so that enumerations become the plain values that YAML can hold.
    return recipe, args, model_args, json.loads(json.dumps(chosen, default=str))


def load_training_model(args: TrainingArguments, model_args: ModelConfig) -> PreTrainedModel:
    """The model that a training starts from, adapters merged."""
    score_trained_tokens()
    name, dtype = model_args.model_name_or_path, model_args.dtype or "float32"
    with nullcontext() if base_of(name) is None else _whole(args):
        return load_model(name, dtype, attention=model_args.attn_implementation)


def hide_token(args: TrainingArguments) -> None:
    """Keep the Hub's token out of `training_args.bin`, which is pushed with the model."""
    if args.hub_token:
        os.environ["HF_TOKEN"], args.hub_token = args.hub_token, None


@contextmanager
def _whole(args: TrainingArguments) -> Iterator[None]:
    """Weights are read whole: ZeRO-3 would divide them at once, and parts cannot be merged into.

    They are divided when the training begins.
    """
    if not is_deepspeed_zero3_enabled():
        yield
        return
    kept = args.hf_deepspeed_config if args.deepspeed else args.deepspeed_plugin.dschf
    unset_hf_deepspeed_config()
    try:
        yield
    finally:
        set_hf_deepspeed_config(kept)
