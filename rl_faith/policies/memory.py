"""How much goes into one batch: what the memory holds, and less once it has run out."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psutil
import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import PreTrainedModel

from rl_faith.errors import ModelError

log = logging.getLogger(__name__)
T = TypeVar("T")
A = TypeVar("A")

# Of the free memory: the estimates below leave out what a kernel needs for itself.
_SHARE = 0.5


class Budget:
    """Tokens per batch, halved for good whenever the memory runs out.

    Attributes:
        tokens: At most so many, padding included, unless one sequence is longer.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def spend(
        self, asked: Sequence[T], answer: Callable[[Sequence[T], int], Iterator[dict[T, A]]]
    ) -> dict[T, A]:
        """Collect what `answer` yields about all that is asked, batch by batch.

        Args:
            asked: All different.
            answer: From what is asked and the tokens per batch to the answers of each batch.

        Raises:
            ModelError: the memory does not suffice for one sequence.
        """
        done: dict[T, A] = {}
        while left := [one for one in asked if one not in done]:
            before = len(done)
            if not _filled(done, answer(left, self.tokens)):
                self._halve(stuck=len(done) == before)
        return done

    def _halve(self, *, stuck: bool) -> None:
        clear_device_cache(garbage_collection=True)
        if stuck and self.tokens == 1:
            raise ModelError(
                "the memory does not suffice for one sequence; use a smaller dtype, a smaller "
                "model or another device"
            )
        self.tokens = max(1, self.tokens // 2)
        log.warning("out of memory: going on with %d tokens a batch", self.tokens)


def _filled(done: dict[T, A], answers: Iterator[dict[T, A]]) -> bool:
    """Whether the memory sufficed for every batch; those before stay."""
    try:
        for some in answers:
            done.update(some)
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        return False
    return True


def tokens_read(model: PreTrainedModel) -> int:
    """Tokens whose hidden states fit: one layer's at a time, for nothing is kept."""
    config = model.config.get_text_config()
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return _fitting(model, int(8 * config.hidden_size + 3 * inner))


def tokens_written(model: PreTrainedModel) -> int:
    """Tokens whose keys and values fit, of every layer, beside one layer's hidden states."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = getattr(config, "num_key_value_heads", None) or heads
    values = 2 * config.num_hidden_layers * kept * size
    return _fitting(model, int(values + 8 * config.hidden_size))


def _fitting(model: PreTrainedModel, numbers: int) -> int:
    """Tokens of so many numbers each that fit into the share of the free memory."""
    size = int(model.dtype.itemsize)
    return max(1, int(_SHARE * _free(model.device)) // (numbers * size))


def _free(device: torch.device) -> int:
    """Bytes that can still be allocated on the device."""
    if device.type != "cuda":
        return int(psutil.virtual_memory().available)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + unused)
