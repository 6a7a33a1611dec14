"""How much memory a training takes on each device, and which configuration therefore fits.

Weights, gradients and the optimizer's state are counted, the arithmetic of `ds_configs/README.md`;
activations are not, and get a fixed share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rl_faith.errors import ModelError, RecipeError, one_line
from rl_faith.policies.loading import DTYPES, base_of, resolve

# Of a device's memory; the rest is for activations and buffers.
_SHARE = 0.7
# An adapter's weights, of those of its model: the shipped recipes have 0.5 to 1%.
_ADAPTER = 0.01
# Bytes of a trained weight: itself, its gradient, and in float32 a copy and Adam's two moments.
_TRAINED = 16


@dataclass(frozen=True)
class Training:
    """What takes memory.

    Attributes:
        weights: How many the model has.
        size: Bytes of each.
        adapter: Whether an adapter is trained, or all weights.
        asks: Whether the model itself writes rollouts and answers, for which its weights are whole.
        engine: Share of each device for a vLLM engine in the training process.
    """

    weights: int
    size: int
    adapter: bool
    asks: bool = False
    engine: float = 0.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Training":
        """As the values of an SFT or GRPO recipe say.

        Raises:
            RecipeError: no model.
            ModelError: the model's configuration cannot be read.
        """
        if "model_name_or_path" not in values:
            raise RecipeError(f"{values['stage']}: the key 'model_name_or_path' is missing")
        grpo, vllm = values["stage"] == "grpo", bool(values.get("use_vllm"))
        inside = vllm and values.get("vllm_mode", "colocate") == "colocate"
        return cls(
            weights=count_weights(values["model_name_or_path"]),
            size=int(DTYPES.get(str(values.get("dtype")), torch.float32).itemsize),
            adapter=bool(values.get("use_peft")),
            asks=grpo and not vllm,
            engine=float(values.get("vllm_gpu_memory_utilization", 0.3)) if inside else 0.0,
        )

    def need(self, config: str, devices: int) -> float:
        """Bytes on each device."""
        trained = self.weights * (_ADAPTER if self.adapter else 1)
        frozen = self.weights * self.size if self.adapter else 0
        gradients = trained * self.size
        optimizer = trained * (_TRAINED - 2 * self.size)
        divided = {
            "zero1": optimizer,
            "zero2": optimizer + gradients,
            "zero3": frozen + trained * _TRAINED,
        }.get(config, 0.0)
        whole = self.weights * self.size if config == "zero3" and self.asks else 0
        return frozen + trained * _TRAINED - divided + divided / devices + whole

    def config(self, devices: int, memory: float) -> str:
        """The first configuration that fits into `memory` bytes a device; offloading if none."""
        # Of an adapter there is hardly anything to divide but the weights beneath it.
        several = ["ddp", "zero3"] if self.adapter else ["zero1", "zero2", "zero3"]
        room = memory * (_SHARE - self.engine)
        order = several if devices > 1 else ["single"]
        return next((c for c in order if self.need(c, devices) <= room), "zero3-offload")


def count_weights(name: str) -> int:
    """The number of a model's weights, from its configuration alone; an adapter's base counts."""
    while base := base_of(name):
        name = base
    try:
        config = AutoConfig.from_pretrained(resolve(name))
    except (OSError, ValueError) as error:
        raise ModelError(f"how large {name!r} is cannot be read: {one_line(error)[:300]}") from None
    with torch.device("meta"):
        return int(AutoModelForCausalLM.from_config(config).num_parameters())
