"""Forward passes that read log-probabilities: of padded rows, or of a tree of rows."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from transformers import PreTrainedModel

from rl_faith.policies.scoring import Row, Table
from rl_faith.policies.trees import Tree, trees

# Kernels of these two take a mask that says which token sees which.
_MASKABLE = ("sdpa", "eager")
_NEAR = 1e-3
# Of what a tree read as plain text would be off by.
_ROUNDING = 0.1


def read_padded(model: PreTrainedModel, rows: Sequence[Row], tokens: list[int]) -> list[Table]:
    """One pass, padded on the right: a causal model's positions never see padding."""
    width = max(len(row.ids) for row in rows)
    deepest = max(len(row.prefix) for row in rows) + 1
    ids = torch.tensor([row.ids + (0,) * (width - len(row.ids)) for row in rows])
    # Rows with a shorter prefix read their last position again.
    places = torch.tensor(
        [[min(len(row.prompt) - 1 + k, len(row.ids) - 1) for k in range(deepest)] for row in rows]
    )
    tables: list[Table] = _log_probabilities(_logits(model, ids, places), tokens)
    return tables


def read_tree(
    model: PreTrainedModel, rows: Sequence[Row], tree: Tree, tokens: list[int]
) -> dict[Row, Table]:
    """One pass over those of `rows` that are in `tree`: each node sees itself and its ancestors."""
    bias = tree_bias(torch.tensor(tree.ends), model.dtype)
    places = {i: path[len(rows[i].prompt) - 1 :] for i, path in tree.sequences.items()}
    logits = _logits(
        model,
        torch.tensor([tree.tokens]),
        torch.tensor([[place for path in places.values() for place in path]]),
        attention_mask=bias[None, None],
        position_ids=torch.tensor([tree.depths]),
    )
    values = iter(_log_probabilities(logits[0], tokens))
    return {rows[i]: list(islice(values, len(path))) for i, path in places.items()}


def tree_bias(ends: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What each node of a tree may attend to (..., nodes, nodes): 0 for itself and its ancestors.

    Args:
        ends: Where each node's subtree ends (..., nodes).
        dtype: Of the attention; its least number stands where a node is not seen.
    """
    node = torch.arange(ends.shape[-1], device=ends.device)
    sees = (node <= node[:, None]) & (node[:, None] < ends[..., None, :])
    bias = torch.zeros(sees.shape, dtype=dtype, device=ends.device)
    return bias.masked_fill(~sees, torch.finfo(dtype).min)


def takes_trees(model: PreTrainedModel) -> bool:
    """Whether a tree of rows gives this model's own log-probabilities, as one small tree tells.

    Not so where positions come from elsewhere than `position_ids`, where the past is a state
    instead of keys and values, or where a layer sees the last tokens only.
    """
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ("full_attention",))
    sliding = getattr(config, "sliding_window", None) and getattr(
        config, "use_sliding_window", True
    )
    if config._attn_implementation not in _MASKABLE or layers != {"full_attention"} or sliding:
        return False
    try:
        return _agree(model)
    # Whatever a model makes of a mask that it does not expect.
    except (ValueError, TypeError, IndexError, RuntimeError):
        return False


def _agree(model: PreTrainedModel) -> bool:
    """Whether a small tree is read as its rows are one by one.

    In half precision as nearly as rounding lets it, which a fixed bound does not tell: bfloat16
    rounds a log-probability of -20 by an eighth, and a mask that is passed over costs several.
    """
    rows = [Row((1, 2, 3, 4), ()), Row((1, 2, 5), (6,)), Row((1, 7, 2, 5), ())]
    (tree,) = trees([row.ids for row in rows], max_tokens=len(rows) * 4)
    nodes = len(tree.tokens)
    plain = replace(tree, depths=list(range(nodes)), ends=[nodes] * nodes)
    alone = [read_padded(model, [row], [1, 2])[0] for row in rows]
    error, misread = (
        _farthest(read_tree(model, rows, t, [1, 2]), rows, alone) for t in (tree, plain)
    )
    return error <= (_NEAR if model.dtype == torch.float32 else _ROUNDING * misread)


def _farthest(told: dict[Row, Table], rows: Sequence[Row], alone: Sequence[Table]) -> float:
    steps = torch.tensor([step for row in rows for step in told[row]])
    return float((steps - torch.tensor([step for table in alone for step in table])).abs().max())


def _log_probabilities(logits: torch.Tensor, tokens: list[int]) -> list[Any]:
    logits = logits.float()
    told: list[Any] = (logits[..., tokens] - logits.logsumexp(-1, keepdim=True)).tolist()
    return told


def _logits(
    model: PreTrainedModel, ids: torch.Tensor, places: torch.Tensor, **how: torch.Tensor
) -> torch.Tensor:
    """Logits (rows, places, vocabulary) at `places` (rows, places) of `ids` (rows, tokens).

    The head sees those places only: over a large vocabulary it would cost more than the layers.
    """
    device = model.device
    chosen = places.to(device).unsqueeze(-1)
    hook = model.get_output_embeddings().register_forward_pre_hook(
        lambda _, hidden: hidden[0].take_along_dim(chosen, dim=1)
    )
    placed = {name: tensor.to(device) for name, tensor in how.items()}
    try:
        logits: torch.Tensor = model(input_ids=ids.to(device), use_cache=False, **placed).logits
    finally:
        hook.remove()
    return logits
