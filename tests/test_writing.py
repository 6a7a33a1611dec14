"""Rows written in rounds: what `generate` says, without going on with rows that have ended."""

import pytest
import torch
from transformers import GenerationConfig

from rl_faith.policies.loading import load_model
from rl_faith.policies.writing import continued, empty_cache, to_end

PROMPTS = torch.tensor([[900, 901, 902], [9, 10, 11], [0, 701, 702], [1200, 1201, 5]])
MASK = PROMPTS.gt(0).long()
HOW = {"do_sample": False, "max_new_tokens": 12, "suppress_tokens": [2], "pad_token_id": 0}
"""The embedded model ends all of these at once with its own end of a turn, 2."""
END = 892


@pytest.fixture(scope="module")
def model():
    return load_model("toy")


@pytest.fixture(scope="module")
def whole(model):
    """What each row says when nothing ends it."""
    with torch.no_grad():
        how = GenerationConfig(**HOW)
        ids = model.generate(PROMPTS, attention_mask=MASK, generation_config=how)
    return ids[:, PROMPTS.shape[1] :].tolist()


def written(model, *, end=END, drops=True):
    config = GenerationConfig(**HOW, eos_token_id=end)
    with torch.no_grad():
        return continued(model, PROMPTS, MASK, config, empty_cache(model) if drops else {})


@pytest.mark.parametrize("drops", [True, False])
def test_replies_are_those_of_generate_up_to_their_ends(model, whole, drops):
    expected = [to_end(row, {END}) for row in whole]
    assert len({len(row) for row in expected}) > 2, "rows must end at different places"
    assert written(model, drops=drops) == expected


def test_rows_that_have_ended_are_read_no_more(model):
    rows = []
    hook = model.register_forward_pre_hook(
        lambda _, args, more: rows.append(len(more["input_ids"])), with_kwargs=True
    )
    try:
        replies = written(model)
    finally:
        hook.remove()
    assert sum(rows) < len(PROMPTS) * max(map(len, replies))
    assert rows == sorted(rows, reverse=True)


def test_no_row_is_longer_than_the_most_tokens(model):
    assert [len(row) for row in written(model, end=None)] == [12] * 4


def test_reply_ends_behind_its_first_end():
    rows = [[4, 2, 2], [4, 5, 6], [3, 4, 2]]
    assert [to_end(row, (2, 3)) for row in rows] == [[4, 2], [4, 5, 6], [3]]
