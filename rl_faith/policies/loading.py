"""Loading a causal language model with its tokenizer, from a model or a (chain of) LoRA adapter."""

import json
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, load_peft_weights
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from rl_faith.errors import ModelError
from rl_faith.toy import MODELS

# Otherwise transformers reads pickles too, and may ask whether to run code of the model's own.
_SAFELY = {"use_safetensors": True, "trust_remote_code": False}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve(name: str) -> str:
    """Return where `name` is loaded from: "toy" and "toy-errands" are inside the package."""
    return str(MODELS.get(name, name))


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model, or of the base model of an adapter without its own."""
    if (base := base_of(name)) and not Path(name, "tokenizer_config.json").exists():
        return load_tokenizer(base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve(name), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(_not_loaded(name, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(
    name: str, dtype: str = "float32", *, attention: str | None = None
) -> PreTrainedModel:
    """Load a model; an adapter is merged into its base, which may be an adapter itself.

    Merging happens in float32, then the result is cast, so a chain of adapters gives the same
    weights wherever it is loaded.

    Args:
        name: Hub id, folder of a model, folder of a LoRA adapter, or "toy".
        dtype: "float32", "bfloat16" or "float16".
        attention: Implementation of the attention, as transformers names them; None for its choice.

    Raises:
        ModelError: nothing loadable there, no safetensors, or the adapter belongs to another base
            model.
    """
    if dtype not in DTYPES:
        raise ModelError(f"unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")
    model = _loaded(name, DTYPES[dtype], attention)
    # Adapters trained on top record this as their base.
    model.name_or_path = model.config._name_or_path = name
    return model.eval()


def base_of(name: str) -> str | None:
    """The base model that an adapter folder names, or None when `name` is no adapter folder."""
    config = Path(name, "adapter_config.json")
    if not config.is_file():
        return None
    try:
        base = dict(json.loads(config.read_text(encoding="utf-8"))).get("base_model_name_or_path")
    except (TypeError, ValueError) as error:
        raise ModelError(f"{config} is not a JSON object: {error}") from None
    if not base:
        raise ModelError(f"{config} does not name its base model; add base_model_name_or_path")
    return str(base)


def check_adapter(folder: str) -> None:
    """Raise ModelError unless the weights of an adapter are safetensors."""
    if not Path(folder, "adapter_model.safetensors").is_file():
        raise ModelError(_no_safetensors(folder))


def _no_safetensors(name: str) -> str:
    return (
        f"{name!r} holds no weights as safetensors; a .bin is a pickle, which can run code, and is "
        "not read: load it where you trust it and write it anew with save_pretrained"
    )


def _loaded(name: str, dtype: torch.dtype, attention: str | None) -> PreTrainedModel:
    if base_of(name) is None:
        return _read(name, dtype, attention)
    model = _merged(name, attention)
    # Not `model.to`: buffers, such as the frequencies of rotary embeddings, keep their precision.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model


def _merged(name: str, attention: str | None) -> PreTrainedModel:
    if base := base_of(name):
        check_adapter(name)
        model = _merged(base, attention)
        try:
            adapted = PeftModel.from_pretrained(model, name)
            # PEFT passes over layers that only one of the two has.
            if load_peft_weights(name, "cpu").keys() != get_peft_model_state_dict(adapted).keys():
                raise ValueError("it was made for other layers")
            # PEFT froze the weights, and all of them may be trained next.
            return adapted.merge_and_unload().requires_grad_(True)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"the adapter in {name} does not fit its base model {base}: {_first_line(error)}"
            ) from None
    return _read(name, torch.float32, attention)


def _read(name: str, dtype: torch.dtype, attention: str | None) -> PreTrainedModel:
    try:
        return AutoModelForCausalLM.from_pretrained(
            resolve(name), dtype=dtype, attn_implementation=attention, **_SAFELY
        )
    except (OSError, ValueError, ImportError) as error:
        lacks = "file named model.safetensors" in str(error)
        raise ModelError(_no_safetensors(name) if lacks else _not_loaded(name, error)) from None


def _not_loaded(name: str, error: Exception) -> str:
    return f"no model could be loaded from {name!r}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
