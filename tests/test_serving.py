"""What a vLLM engine is told to load, without an engine."""

import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from rl_faith.errors import ModelError
from rl_faith.policies.loading import load_model, load_tokenizer, resolve
from rl_faith.policies.serving import Served, flags, to_serve

EVERYWHERE = {"target_modules": ["q_proj", "v_proj"], "r": 4}


def adapter(folder, base="toy", changes=None, **lora):
    """A LoRA adapter that says it belongs to `base`."""
    model = load_model(base)
    if changes:
        model = LlamaForCausalLM(LlamaConfig(**{**model.config.to_dict(), **changes}))
    get_peft_model(model, LoraConfig(**{**EVERYWHERE, **lora})).save_pretrained(folder)
    config = folder / "adapter_config.json"
    told = json.loads(config.read_text()) | {"base_model_name_or_path": base}
    config.write_text(json.dumps(told))
    return str(folder)


def test_model_is_served_as_it_is(tmp_path):
    assert to_serve("toy", str(tmp_path)) == Served("toy", resolve("toy"))


@pytest.mark.parametrize(("rank", "most"), [(1, 8), (8, 8), (9, 16), (64, 64), (65, 128)])
def test_adapter_is_served_from_its_base_model(tmp_path, rank, most):
    path = adapter(tmp_path / "adapter", r=rank)
    served = to_serve(path, str(tmp_path / "merged"))
    assert served == Served("toy", resolve("toy"), path, most)
    assert not (tmp_path / "merged").exists()


def test_rank_is_that_of_the_layer_with_the_highest(tmp_path):
    path = adapter(tmp_path, rank_pattern={"v_proj": 20})
    assert to_serve(path, "").rank == 32


@pytest.mark.parametrize(
    "lora",
    [{"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["lm_head"]}],
    ids=lambda lora: next(iter(lora)),
)
def test_adapter_that_vllm_cannot_serve_is_merged(tmp_path, lora, caplog):
    path = adapter(tmp_path / "adapter", **lora)
    with caplog.at_level("INFO"):
        served = to_serve(path, str(tmp_path / "merged"))
    assert served == Served(path, str(tmp_path / "merged"))
    assert [m for m in caplog.messages if "merging it" in m]


def test_adapter_on_an_adapter_is_merged_exactly(tmp_path):
    first = adapter(tmp_path / "first", init_lora_weights=False)
    second = adapter(tmp_path / "second", first, init_lora_weights=False)
    served = to_serve(second, str(tmp_path / "merged"))
    found, wanted = load_model(served.weights).state_dict(), load_model(second).state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert load_tokenizer(served.weights).chat_template == load_tokenizer("toy").chat_template


@pytest.mark.parametrize(
    "changes",
    [{"hidden_size": 64}, {"num_hidden_layers": 8}, {"num_hidden_layers": 3}],
    ids=["narrower", "deeper", "shallower"],
)
def test_adapter_for_another_base_model_is_refused(changes, tmp_path):
    path = adapter(tmp_path, changes=changes)
    with pytest.raises(ModelError, match="does not fit its base model toy"):
        to_serve(path, "")


def test_adapter_of_a_base_model_that_is_nowhere_is_refused(tmp_path):
    path = adapter(tmp_path)
    config = tmp_path / "adapter_config.json"
    config.write_text(config.read_text().replace('"toy"', '"nowhere"'))
    with pytest.raises(ModelError, match="does not take it"):
        to_serve(path, "")


def test_flags_name_the_model_as_the_recipe_does():
    told = flags(Served("toy", "/folder"))
    assert told[:2] == ["--model", "/folder"]
    assert "--served-model-name=toy" in told
    assert not [flag for flag in told if "lora" in flag]


def test_flags_of_an_adapter_bring_it_beside_its_base_model():
    told = flags(Served("toy", "/folder", "runs/sft", 16))
    assert {
        *("--served-model-name=toy", "--enable-lora", "--max-lora-rank=16"),
        "--lora-modules=runs/sft=runs/sft",
    } <= set(told)


@pytest.mark.parametrize(
    "flag", ["--enable-prefix-caching", "--logprobs-mode=raw_logprobs", "--max-logprobs=-1"]
)
def test_flags_let_labels_be_read(flag):
    assert flag in flags(Served("toy", "/folder"))


@pytest.mark.parametrize(("gpu", "told"), [(True, False), (False, True)])
def test_short_prefixes_are_shared_on_a_processor(monkeypatch, gpu, told):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: gpu)
    assert ("--block-size=32" in flags(Served("toy", "/folder"))) is told
