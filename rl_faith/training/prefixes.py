"""What the prompts of an SFT batch have in common at the beginning is read once.

Questions of one task share their system prompt and often the wording, explanations in several
styles the question and the decision too. A batch is laid out as a few trees
(`rl_faith.policies.trees`); loss and gradients are the same up to rounding.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.integrations import is_deepspeed_zero3_enabled

from rl_faith.errors import RecipeError
from rl_faith.policies.forward import takes_trees, tree_bias
from rl_faith.policies.scoring import Ids
from rl_faith.policies.trees import Tree, trees
from rl_faith.training.sharing import IGNORED

# Above every token id: what belongs to one pair alone is told apart from all others by a multiple.
_OWN = 1 << 32
# Of one tree: attention costs the square of it, and a new tree reads what is shared once more.
_NODES = 256


def collate(pairs: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Lay out pairs as rows of nodes, padded on the right.

    A pair's own part begins at the token that predicts its completion, so that each node stands
    right before the next token of its own and labels can be shifted by one, as models do.

    Args:
        pairs: Each with `input_ids` and `labels`, the latter -100 over the prompt.

    Returns:
        `input_ids`, `labels`, `position_ids`, `ends` of the nodes' subtrees, and an
        `attention_mask` that tells nodes from padding: (rows, nodes).
    """
    grown = list(trees([_told_apart(i, pair) for i, pair in enumerate(pairs)], max_tokens=_NODES))
    width = max(len(tree.tokens) for tree in grown)
    rows = [_row(tree, pairs, width) for tree in grown]
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def _row(tree: Tree, pairs: Sequence[Mapping[str, Any]], width: int) -> dict[str, list[int]]:
    size = len(tree.tokens)
    labels = [IGNORED] * width
    for i, path in tree.sequences.items():
        for node, label in zip(path, pairs[i]["labels"], strict=True):
            labels[node] = label
    return {
        "input_ids": [token % _OWN for token in tree.tokens] + [0] * (width - size),
        "labels": labels,
        "position_ids": tree.depths + [0] * (width - size),
        "ends": tree.ends + list(range(size + 1, width + 1)),
        "attention_mask": [1] * size + [0] * (width - size),  # by which TRL counts tokens
    }


def _told_apart(number: int, pair: Mapping[str, Any]) -> Ids:
    """The tokens of a pair, with those of its own marked by its number."""
    labels = pair["labels"]
    trained = next((i for i, label in enumerate(labels) if label != IGNORED), len(labels))
    shared = max(trained - 1, 0)
    own = (number + 1) * _OWN
    return tuple(t + own * (i >= shared) for i, t in enumerate(pair["input_ids"]))


def read_trees(model: nn.Module, dtype: torch.dtype) -> None:
    """Let `model` turn the `ends` of a collated batch into what each node may attend to."""

    def mask(_: nn.Module, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        ends = inputs.pop("ends", None)
        if ends is not None:
            inputs["attention_mask"] = tree_bias(ends, dtype)[:, None]
        return args, inputs

    model.register_forward_pre_hook(mask, with_kwargs=True)


def check_trees(stage: str, model: PreTrainedModel) -> None:
    """Raise RecipeError where `model` would not read a tree as its sequences one by one."""
    if is_deepspeed_zero3_enabled():
        raise RecipeError(
            f"{stage}: share_prompts is for weights that are whole on every process, and ZeRO-3 "
            "divides them; use ZeRO-2 or set it to false"
        )
    if not takes_trees(model):
        raise RecipeError(
            f"{stage}: share_prompts needs a model whose every layer attends to the whole text and "
            "takes a mask (attn_implementation sdpa or eager); this one does not: set it to false"
        )
