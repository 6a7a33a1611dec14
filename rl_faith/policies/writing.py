"""Continuing the rows of a batch, each until it ends; those that have ended are dropped on the way.

`generate` goes on with every row until the longest one ends. Sampled explanations differ in length
as ten to one, so that most of what it computes is padding. Here the rows are written in rounds: a
round ends when half of its rows have, and the next one begins with the other half.
"""

import inspect
from collections.abc import Collection, Sequence
from copy import copy
from typing import Any

import torch
from transformers import (
    DynamicCache,
    GenerationConfig,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)

Cache = dict[str, DynamicCache]
"""Keys and values, under the name by which a model takes them; empty where it keeps others."""


def empty_cache(model: PreTrainedModel) -> Cache:
    """Room for keys and values, under the name by which this transformers takes them."""
    takes = inspect.signature(model.forward).parameters
    return {"cache" if "cache" in takes else "past_key_values": DynamicCache(config=model.config)}


def padded(
    prompts: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts padded on the left, and which of them are tokens: both (prompts, tokens)."""
    width = max(map(len, prompts))
    gaps = [width - len(prompt) for prompt in prompts]
    ids = [[pad] * gap + list(prompt) for gap, prompt in zip(gaps, prompts, strict=True)]
    mask = [[0] * gap + [1] * (width - gap) for gap in gaps]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def select(cache: Cache, rows: torch.Tensor) -> None:
    """Keep the given rows (n,) of a cache, in this order; one may stand there several times."""
    for kept in cache.values():
        kept.batch_select_indices(rows)


def continued(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor,
    config: GenerationConfig,
    cache: Cache,
) -> list[list[int]]:
    """Continue rows, each up to and with the first token that ends it.

    Args:
        model: Who writes; without gradients.
        ids: Prompts, padded on the left (rows, tokens).
        mask: Which of them are tokens and no padding (rows, tokens).
        config: How it writes; with `max_new_tokens`.
        cache: Of the prompts but for their last tokens, or of nothing yet; it is used up. Without
            a name in it no row is dropped.

    Returns:
        The new tokens of each row.
    """
    said: list[list[int]] = [[] for _ in ids]
    left = list(range(len(said)))
    while left:
        width, done = ids.shape[1], len(said[left[0]])
        ids = _round(model, ids, mask, config, cache, done)
        new: list[list[int]] = ids[:, width:].tolist()
        for row, tokens in zip(left, new, strict=True):
            said[row] += tokens
        if not cache or len(said[left[0]]) == config.max_new_tokens:
            break
        going = [i for i, tokens in enumerate(new) if not _several(config).intersection(tokens)]
        left, rows = [left[i] for i in going], torch.tensor(going, dtype=torch.long).to(ids.device)
        mask = torch.nn.functional.pad(mask, (0, len(new[0])), value=1)
        ids, mask = ids[rows], mask[rows]
        select(cache, rows)
    return [to_end(row, _several(config)) for row in said]


def to_end(tokens: list[int], ends: Collection[int]) -> list[int]:
    """Cut a row behind the first of the tokens that end a turn."""
    return tokens[: next((i + 1 for i, t in enumerate(tokens) if t in ends), len(tokens))]


def _round(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor,
    config: GenerationConfig,
    cache: Cache,
    done: int,
) -> torch.Tensor:
    """Rows with `done` new tokens, continued until half of them have ended."""
    ends = torch.tensor(sorted(_several(config)), device=ids.device)
    stops = StoppingCriteriaList([_HalfEnded(ends)] if cache else [])
    shorter = copy(config)
    shorter.max_new_tokens = config.max_new_tokens - done
    shorter.min_new_tokens = max(0, (config.min_new_tokens or 0) - done)
    # Under ZeRO-3 transformers would go token by token with the other processes, which have other
    # batches or none; where rows are written here, a process has the weights whole.
    whole: torch.Tensor = model.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=shorter,
        stopping_criteria=stops,
        synced_gpus=False,
        **cache,
    )
    return whole


class _HalfEnded(StoppingCriteria):  # type: ignore[misc]
    """Stops every row as soon as half of them have ended."""

    def __init__(self, ends: torch.Tensor) -> None:
        self._ends = ends
        self._ended: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Whether to stop, for each row (rows,); called behind every new token."""
        now = torch.isin(input_ids[:, -1], self._ends)
        self._ended = now if self._ended is None else self._ended | now
        return (self._ended.sum() * 2 >= len(now)).expand(len(now))


def _several(config: GenerationConfig) -> set[int]:
    """The tokens that end a row."""
    ends = config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends} - {None}
