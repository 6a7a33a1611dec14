"""SFT batches as trees: what is shared stands once, and the loss is that of the padded batch."""

import pytest
import torch
from test_sft import arguments, trained, trainer_for
from trl import SFTConfig
from trl.trainer.utils import add_fused_lm_head

from rl_faith.errors import RecipeError
from rl_faith.policies.loading import load_model
from rl_faith.training import prefixes
from rl_faith.training.arguments import parse_training
from rl_faith.training.prefixes import collate, read_trees
from rl_faith.training.sft import make_trainer

PAIRS = [
    (8, 9, 10, 11, -4, -5),
    (8, 9, 10, 12, -4),
    (8, 9, 10, 11, -6),  # the prompt of the first, answered otherwise
    (8, 9, 10, 11, -4, -5),  # the first once more
    (13, -7),
]
"""Token ids, those of the completion negative."""


def pair(told):
    ids = [abs(t) for t in told]
    return {
        "input_ids": ids,
        "labels": [t if s < 0 else -100 for t, s in zip(ids, told, strict=True)],
    }


def padded(pairs):
    width = max(len(p["input_ids"]) for p in pairs)
    gaps = [width - len(p["input_ids"]) for p in pairs]
    return {
        "input_ids": torch.tensor(
            [p["input_ids"] + [0] * g for p, g in zip(pairs, gaps, strict=True)]
        ),
        "labels": torch.tensor(
            [p["labels"] + [-100] * g for p, g in zip(pairs, gaps, strict=True)]
        ),
        "attention_mask": torch.tensor([[1] * (width - g) + [0] * g for g in gaps]),
    }


@pytest.fixture(scope="module")
def model():
    model = load_model("toy", "float32")
    add_fused_lm_head(model, outputs=("log_probs",))
    read_trees(model, torch.float32)
    return model


@pytest.fixture
def pairs():
    return [pair(told) for told in PAIRS]


def surprise(model, batch):
    return -model(**batch, fused_lm_head=True).log_probs.sum()


def test_common_beginnings_stand_once(pairs):
    ids = collate(pairs)["input_ids"]
    # The last token of a prompt, which predicts the completion, is each pair's own.
    assert ids.tolist() == [[8, 9, 10, 11, 4, 5, 12, 4, 11, 6, 11, 4, 5, 13, 7]]


def test_long_batches_are_several_trees(pairs, model, monkeypatch):
    whole = surprise(model, collate(pairs)).item()
    monkeypatch.setattr(prefixes, "_NODES", 9)
    batch = collate(pairs)
    assert batch["input_ids"].tolist() == [
        [8, 9, 10, 11, 4, 5, 12, 4], [8, 9, 10, 11, 6, 11, 4, 5], [13, 7] + [0] * 6
    ]  # fmt: skip
    assert surprise(model, batch).item() == pytest.approx(whole, abs=1e-3)


def test_mask_tells_nodes_from_padding(pairs):
    batch = collate([*pairs, pair((1, 2, 3) * 90 + (-4,))])
    assert batch["input_ids"].shape == (2, 271)
    assert batch["attention_mask"].sum(1).tolist() == [271, 15]


def test_every_trained_token_counts_once(pairs):
    labels = collate(pairs)["labels"]
    assert (labels != -100).sum() == sum(t < 0 for told in PAIRS for t in told)


def test_loss_is_that_of_the_padded_batch(model, pairs):
    alone, together = (surprise(model, batch) for batch in (padded(pairs), collate(pairs)))
    assert together.item() == pytest.approx(alone.item(), abs=1e-3)


def test_gradients_are_those_of_the_padded_batch(model, pairs):
    found = [
        torch.autograd.grad(surprise(model, batch), list(model.parameters()))
        for batch in (padded(pairs), collate(pairs))
    ]
    for alone, together in zip(*found, strict=True):
        assert torch.allclose(together, alone, atol=1e-3, rtol=1e-3)


def test_training_goes_the_same_way(built, tmp_path):
    alone = trained(built, tmp_path / "alone")
    together = trained(built, tmp_path / "together", "--share_prompts", "true")
    assert together == pytest.approx(alone, abs=2e-3)


def test_fewer_tokens_are_read(built, tmp_path):
    shared = trainer_for(built, tmp_path, "--share_prompts", "true")
    nodes = sum(batch["input_ids"].numel() for batch in shared.get_train_dataloader())
    assert nodes < sum(len(row["input_ids"]) for row in shared.train_dataset)


def test_packing_beside_it_is_refused(built, tmp_path):
    told = arguments(built, tmp_path, "--share_prompts", "true", "--packing", "true")
    with pytest.raises(RecipeError, match="set packing and padding_free to false"):
        make_trainer(*parse_training("sft", told, SFTConfig)[:3])
