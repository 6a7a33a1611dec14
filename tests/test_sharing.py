"""A prompt read once for its group: the same figures as when each completion is read alone."""

import sys
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from test_grpo import history, parsed
from transformers import GenerationConfig, MaxLengthCriteria
from trl.trainer.utils import add_fused_lm_head

from rl_faith.errors import RecipeError
from rl_faith.policies import writing
from rl_faith.policies.loading import load_model
from rl_faith.training.grpo import train
from rl_faith.training.prefixes import check_trees
from rl_faith.training.sharing import group, reading_at, write_groups

PROMPTS = ((5, 6, 7, 8), (9, 10, 11))
SAID = ((0, (4, 5)), (1, (4, 6, 7)), (0, (4, 5)), (1, (8,)), (0, (8,)), (1, ()))
"""Two prompts in turn; some completions begin alike, two are the same, one is empty."""
LONGEST, WIDTH = 4, 3


@pytest.fixture(scope="module")
def model():
    model = load_model("toy", "float32")
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    return model


@pytest.fixture
def batch():
    """Token ids and mask as TRL lays them out."""
    rows, masks = [], []
    for which, said in SAID:
        prompt, behind = PROMPTS[which], WIDTH - len(said)
        before = LONGEST - len(prompt)
        rows.append([0] * before + [*prompt, *said] + [0] * behind)
        masks.append([0] * before + [1] * len(prompt + said) + [0] * behind)
    return torch.tensor(rows), torch.tensor(masks)


def one_by_one(model, ids, mask):
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :-WIDTH] = -100
    told = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    return told.log_probs[:, -WIDTH:], told.entropy[:, -WIDTH:]


def shared(model, ids, mask):
    groups = group(ids, mask, WIDTH, model.dtype)
    with reading_at(model, groups.places):
        told = model(
            input_ids=groups.ids, attention_mask=groups.bias, position_ids=groups.positions,
            shift_labels=groups.labels, fused_lm_head=True,
        )  # fmt: skip
    return groups.ungrouped(told.log_probs), groups.ungrouped(told.entropy)


def test_each_prompt_and_each_beginning_stands_once(batch):
    ids = group(*batch, WIDTH, torch.float32).ids
    assert ids.tolist() == [[5, 6, 7, 8, 4, 5, 8], [9, 10, 11, 4, 6, 7, 8]]


@pytest.mark.parametrize("which", [0, 1], ids=["log-probabilities", "entropies"])
def test_figures_are_those_of_completions_read_one_by_one(model, batch, which):
    alone, together = one_by_one(model, *batch)[which], shared(model, *batch)[which]
    assert torch.allclose(together, alone, atol=1e-4)
    assert alone.count_nonzero() == sum(len(said) for _, said in SAID)


def test_gradients_are_those_of_completions_read_one_by_one(model, batch):
    weights = torch.arange(len(SAID) * WIDTH).reshape(len(SAID), WIDTH) - 7.0
    found = [
        torch.autograd.grad((way(model, *batch)[0] * weights).sum(), list(model.parameters()))
        for way in (one_by_one, shared)
    ]
    for alone, together in zip(*found, strict=True):
        assert torch.allclose(together, alone, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("adapter", [False, True], ids=["model", "adapter"])
def test_samples_are_those_of_prompts_read_one_by_one(adapter):
    model = load_model("toy", "float32").eval()
    if adapter:
        model = get_peft_model(model, LoraConfig(target_modules=["q_proj"])).eval()
    prompts = [PROMPTS[which] for which, _ in SAID]
    ids = torch.tensor([(0,) * (LONGEST - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (LONGEST - len(p)) + [1] * len(p) for p in prompts])
    how = GenerationConfig(do_sample=True, min_new_tokens=6, max_new_tokens=6, pad_token_id=0)
    with torch.no_grad():
        torch.manual_seed(3)
        alone = model.generate(input_ids=ids, attention_mask=mask, generation_config=how)
        torch.manual_seed(3)
        together = write_groups(model, prompts, how)
    assert together == alone[:, LONGEST:].tolist()
    assert len(set(map(tuple, together))) > len(PROMPTS)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """The same run, without sharing and with it.

    Rows that are dropped when they end draw no more random numbers: here both draw the same.
    """
    runs = [tmp_path_factory.mktemp(name) for name in ("alone", "shared")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_HalfEnded", lambda _: MaxLengthCriteria(sys.maxsize))
        for out, shares in zip(runs, (False, True), strict=True):
            train(*parsed(out, share_prompts=shares))
    return [history(out) for out in runs]


@pytest.mark.parametrize("figure", ["reward", "grad_norm", "entropy", "completions/mean_length"])
def test_training_takes_the_same_steps(two_runs, figure):
    alone, together = ([entry[figure] for entry in run if figure in entry] for run in two_runs)
    assert together == pytest.approx(alone, rel=1e-2, abs=1e-4)
    assert len(alone) == 4 and len(set(alone)) > 1


def test_model_that_sees_a_window_only_is_refused(model):
    config = SimpleNamespace(
        get_text_config=lambda: SimpleNamespace(
            layer_types=["sliding_attention"], _attn_implementation="sdpa", sliding_window=8
        )
    )
    with pytest.raises(RecipeError, match="share_prompts needs a model whose every layer"):
        check_trees("grpo", SimpleNamespace(config=config))


def test_weights_in_pieces_are_refused(model, monkeypatch):
    monkeypatch.setattr("rl_faith.training.prefixes.is_deepspeed_zero3_enabled", lambda: True)
    with pytest.raises(RecipeError, match="ZeRO-3 divides them"):
        check_trees("grpo", model)
