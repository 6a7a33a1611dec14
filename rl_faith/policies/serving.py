"""What a vLLM engine is started with for a model, an adapter, or a chain of adapters.

`python -m rl_faith.policies.serving MODEL FOLDER` prints it as flags of `vllm serve`, one a line.
"""

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict, load_peft_weights
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from rl_faith.errors import ModelError, exit_on_error
from rl_faith.policies.loading import (
    base_of,
    check_adapter,
    load_model,
    load_tokenizer,
    resolve,
)

log = logging.getLogger(__name__)

# What vLLM takes as the most an adapter's rank may be.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_CPU_CACHE_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Served:
    """What an engine loads to answer as one model.

    Attributes:
        name: What the weights are called: a Hub id, a folder, or "toy".
        weights: Where they are loaded from.
        adapter: Folder of the LoRA adapter that every request names; None without one.
        rank: The most a rank of the adapter may be.
    """

    name: str
    weights: str
    adapter: str | None = None
    rank: int = 0


def to_serve(name: str, folder: str) -> Served:
    """Find what an engine loads for `name`; an adapter is served from its base model.

    What vLLM cannot put on a base model, such as an adapter on an adapter, is merged.

    Args:
        name: As in `load_model`.
        folder: Where a merged copy is written, if one is needed.

    Raises:
        ModelError: the adapter belongs to another base model, or as `load_model`.
    """
    base = base_of(name)
    if base is None:
        return Served(name, resolve(name))
    check_adapter(name)
    rank = _rank(name)
    if rank and not base_of(base):
        _check_fit(name, base)
        return Served(base, resolve(base), name, rank)
    log.info("vLLM cannot serve the adapter in %s from its base model; merging it", name)
    load_model(name).save_pretrained(folder)
    load_tokenizer(name).save_pretrained(folder)
    return Served(name, folder)


def _rank(adapter: str) -> int | None:
    """The least rank that vLLM must allow for an adapter; None for one that it cannot serve."""
    config = json.loads(Path(adapter, "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("use_dora") or config.get("modules_to_save") or config.get("bias") != "none":
        return None
    needed = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    return next((rank for rank in _RANKS if rank >= needed), None)


def _check_fit(adapter: str, base: str) -> None:
    """Refuse an adapter of other layers or widths: vLLM would apply what it can of it."""
    config = PeftConfig.from_pretrained(adapter)
    config.init_lora_weights = False  # some ways to begin need the weights, which are not there
    try:
        with torch.device("meta"):
            bare = AutoModelForCausalLM.from_config(_config(base))
            bare.name_or_path = config.base_model_name_or_path  # PEFT warns where they differ
            wanted = get_peft_model_state_dict(get_peft_model(bare, config))
    except (OSError, ValueError) as error:
        raise ModelError(f"the base model of {adapter} does not take it: {error}") from None
    found = load_peft_weights(adapter, "cpu")
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in wanted.items()}:
        raise ModelError(
            f"the adapter in {adapter} does not fit its base model {base}: "
            "it was made for other layers"
        )


def _config(name: str) -> PretrainedConfig:
    return AutoConfig.from_pretrained(resolve(name), trust_remote_code=False)


def engine_settings() -> dict[str, Any]:
    """Settings that every engine of ours is started with, named as vLLM's `EngineArgs`."""
    # The context is cut to what the memory holds, where the whole one is too much for it.
    settings = {
        "enable_prefix_caching": True, "logprobs_mode": "raw_logprobs", "max_model_len": -1,
        "load_format": "safetensors",
    }  # fmt: skip
    if torch.accelerator.is_available():
        return settings
    # By default no prefix below 128 tokens is shared, and a third of the memory is zeroed.
    return settings | {
        "block_size": 32, "enforce_eager": True, "kv_cache_memory_bytes": _CPU_CACHE_BYTES,
    }  # fmt: skip


def flags(served: Served) -> list[str]:
    """The same for `vllm serve`, under the names by which the recipes ask."""
    settings = engine_settings() | {
        "max_logprobs": -1, "served_model_name": served.name, "enable_prompt_tokens_details": True,
    }  # fmt: skip
    if served.adapter:
        settings |= {"enable_lora": True, "max_lora_rank": served.rank}
        settings["lora_modules"] = f"{served.adapter}={served.adapter}"
    told = {f"--{key.replace('_', '-')}": value for key, value in settings.items()}
    return ["--model", served.weights] + [
        flag if value is True else f"{flag}={value}" for flag, value in told.items()
    ]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with exit_on_error():
        sys.stdout.write("\n".join(flags(to_serve(*sys.argv[1:]))) + "\n")
