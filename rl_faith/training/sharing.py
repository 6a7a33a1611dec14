"""Each prompt of a GRPO batch is read once for all of its completions, in rollouts and in the loss.

A group is several completions of one prompt. Here a decision's prompt has a hundred to two
hundred tokens and its explanation ten to forty, so that TRL, which reads every sequence whole,
spends most of a step on the same tokens again. A group is laid out as a tree
(`rl_faith.policies.trees`) instead, and a rollout begins from the keys and values of its prompt
(`rl_faith.policies.writing`).
Log-probabilities, the distribution of samples and gradients are the same up to rounding.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel

from rl_faith.policies.forward import tree_bias
from rl_faith.policies.trees import Ids, Tree, trees
from rl_faith.policies.writing import Cache, continued, empty_cache, padded, select

IGNORED = -100
"""The label of a token that is in no loss, as in torch's cross_entropy."""


@dataclass(frozen=True)
class Groups:
    """The sequences of a batch with one row for each distinct prompt.

    Attributes:
        ids: Tokens (rows, nodes), padded with 0.
        positions: Of the nodes in their sequences (rows, nodes).
        bias: What each node may attend to (rows, 1, nodes, nodes): 0 or the least number.
        places: The node from which each completion token is predicted (rows, completion tokens).
        labels: That token (rows, completion tokens), padded with -100.
        back: Where each token of a completion stands in `labels` read row by row (batch, width).
        mask: Which of those are tokens and no padding (batch, width).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    bias: torch.Tensor
    places: torch.Tensor
    labels: torch.Tensor
    back: torch.Tensor
    mask: torch.Tensor

    def ungrouped(self, values: torch.Tensor) -> torch.Tensor:
        """From (rows, completion tokens) to (batch, width), with 0 for padding."""
        return values.flatten()[self.back].masked_fill(~self.mask, 0.0)


def group(ids: torch.Tensor, mask: torch.Tensor, width: int, dtype: torch.dtype) -> Groups:
    """Lay out a batch whose last `width` tokens are completions, padded on the right.

    Args:
        ids: Prompts, padded on the left, and completions (batch, tokens).
        mask: Which of them are tokens and no padding (batch, tokens).
        width: Of the completions.
        dtype: Of the model's weights.
    """
    prompts = [_kept(*row) for row in zip(ids[:, :-width], mask[:, :-width], strict=True)]
    said = [_kept(*row) for row in zip(ids[:, -width:], mask[:, -width:], strict=True)]
    members: dict[Ids, list[int]] = {}
    for i, prompt in enumerate(prompts):
        members.setdefault(prompt, []).append(i)
    laid = [_lay(prompt, [said[i] for i in mine]) for prompt, mine in members.items()]
    nodes = max(len(tree.tokens) for tree, _, _ in laid)
    longest = max(len(labels) for _, _, labels in laid)
    device = ids.device
    return Groups(
        _padded([tree.tokens for tree, _, _ in laid], nodes, 0).to(device),
        _padded([tree.depths for tree, _, _ in laid], nodes, 0).to(device),
        torch.stack([_bias(tree, nodes, dtype) for tree, _, _ in laid])[:, None].to(device),
        _padded([places for _, places, _ in laid], longest, 0).to(device),
        _padded([labels for _, _, labels in laid], longest, IGNORED).to(device),
        _back(list(members.values()), said, longest, width).to(device),
        mask[:, -width:].bool(),
    )


def _lay(prompt: Ids, said: Sequence[Ids]) -> tuple[Tree, list[int], list[int]]:
    """A group as a tree, the nodes from which its completion tokens are predicted, and these."""
    (tree,) = trees([prompt + reply for reply in said], max_tokens=sys.maxsize)
    before = len(prompt) - 1
    places = [tree.sequences[k][before:-1] for k, reply in enumerate(said) if reply]
    return tree, list(chain.from_iterable(places)), list(chain.from_iterable(said))


def _back(
    members: Sequence[Sequence[int]], said: Sequence[Ids], longest: int, width: int
) -> torch.Tensor:
    """Where each completion's tokens stand in rows of `longest`, one row for each group."""
    back = torch.zeros(len(said), width, dtype=torch.long)
    for row, mine in enumerate(members):
        start = row * longest
        for i in mine:
            back[i, : len(said[i])] = torch.arange(start, start + len(said[i]))
            start += len(said[i])
    return back


def _kept(ids: torch.Tensor, mask: torch.Tensor) -> Ids:
    return tuple(ids[mask.bool()].tolist())


def _padded(rows: Sequence[list[int]], width: int, value: int) -> torch.Tensor:
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def _bias(tree: Tree, nodes: int, dtype: torch.dtype) -> torch.Tensor:
    """A node sees itself and its ancestors; so does padding, which nothing else sees."""
    ends = torch.tensor(tree.ends + list(range(len(tree.tokens) + 1, nodes + 1)))
    return tree_bias(ends, dtype)


@contextmanager
def reading_at(model: PreTrainedModel, places: torch.Tensor) -> Iterator[None]:
    """Let the model's layers hand on their hidden states at `places` (rows, n) alone."""

    def choose(_: Any, __: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state.take_along_dim(
            places.unsqueeze(-1), dim=1
        )
        return output

    hook = model.base_model.register_forward_hook(choose)
    try:
        yield
    finally:
        hook.remove()


def language_model(model: Any) -> PreTrainedModel:
    """The model inside an adapter, with the adapter's part in its layers."""
    causal: PreTrainedModel = model.get_base_model() if isinstance(model, PeftModel) else model
    return causal


def write_groups(
    model: Any, prompts: Sequence[Sequence[int]], config: GenerationConfig
) -> list[list[int]]:
    """Continue prompts, most of which stand there several times, each until it ends.

    Args:
        model: Who writes; without gradients.
        prompts: Token ids; the order is kept.
        config: How it writes (see `continued`); with `pad_token_id`.

    Returns:
        The new tokens of each prompt.
    """
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    ids, mask = padded(distinct, config.pad_token_id, model.device)
    cache = _read(language_model(model), ids[:, :-1], mask[:, :-1])
    which = {prompt: i for i, prompt in enumerate(distinct)}
    order = torch.tensor([which[tuple(prompt)] for prompt in prompts], device=model.device)
    select(cache, order)
    return continued(model, ids[order], mask[order], config, cache)


def _read(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> Cache:
    """Keys and values of prompts."""
    cache = empty_cache(model)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    model(ids, mask, position_ids=positions, use_cache=True, logits_to_keep=1, **cache)
    return cache
