"""TRL's fused head on a processor: only the tokens that are trained on are scored."""

import pytest
import torch
from trl.trainer import utils

from rl_faith.policies.loading import load_model
from rl_faith.training.compact import _on_triton, score_trained_tokens

IDS = torch.tensor([[5, 6, 7, 8, 9, 4], [9, 10, 11, 4, 3, 2]])
THROUGH = utils._ChunkedLogProbFunction.apply
LABELS = torch.tensor([[-100, -100, -100, -100, 9, 4], [-100, -100, -100, -100, -100, 2]])


def scored(monkeypatch, compact):
    """Log-probabilities, and how many tokens the head saw."""
    monkeypatch.setattr(utils, "_use_triton", _on_triton)
    if compact:
        score_trained_tokens()
    seen = []
    monkeypatch.setattr(
        utils._ChunkedLogProbFunction, "apply",
        lambda hidden, *more: seen.append(len(hidden)) or THROUGH(hidden, *more),
    )  # fmt: skip
    model = load_model("toy", "float32")
    utils.add_fused_lm_head(model)
    told = model(input_ids=IDS, labels=LABELS, fused_lm_head=True)
    return told.log_probs, seen


def test_loss_is_the_same(monkeypatch):
    before, after = (scored(monkeypatch, compact)[0] for compact in (False, True))
    assert torch.allclose(before, after, atol=1e-5) and before.any()


@pytest.mark.skipif(torch.cuda.is_available(), reason="with Triton TRL does this itself")
def test_head_sees_three_tokens_of_twelve(monkeypatch):
    before, after = (scored(monkeypatch, compact)[1] for compact in (False, True))
    assert (before, after) == ([10], [3])
