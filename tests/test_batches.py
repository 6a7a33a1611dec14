"""What goes into one forward pass: padded batches, trees of sequences, and what memory holds."""

import random
from itertools import count

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from rl_faith.errors import ModelError
from rl_faith.policies.batches import by_length
from rl_faith.policies.forward import read_padded, takes_trees
from rl_faith.policies.memory import Budget, tokens_read, tokens_written
from rl_faith.policies.scoring import Row
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.policies.trees import distinct_tokens, trees
from rl_faith.tasks import load_examples, load_task
from rl_faith.text import redact, words

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
WIDE = {**SMALL, "intermediate_size": 32}
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**WIDE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**WIDE, head_dim=8, num_key_value_heads=1)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2)),
    "bloom": lambda: BloomForCausalLM(BloomConfig(**SMALL)),
    "mamba": lambda: MambaForCausalLM(
        MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2)
    ),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**WIDE, sliding_window=4)),
}


# Batches


def test_batches_hold_every_sequence_once_longest_first():
    lengths = [random.Random(0).randrange(1, 50) for _ in range(200)]
    batches = list(by_length(lengths, max_tokens=300))
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert all(max(lengths[i] for i in batch) * len(batch) <= 300 for batch in batches)
    widest = [max(lengths[i] for i in batch) for batch in batches]
    assert widest == sorted(widest, reverse=True)


def test_a_sequence_over_the_limit_is_a_batch_of_its_own():
    assert list(by_length([5, 400, 5], max_tokens=100)) == [[1], [0, 2]]


# Trees


@pytest.fixture(scope="module")
def sequences():
    """Different sequences over few tokens, so that many begin alike and some begin others."""
    rng = random.Random(1)
    drawn = [tuple(rng.choices(range(3), k=rng.randint(1, 9))) for _ in range(120)]
    return list(dict.fromkeys(drawn))


@pytest.mark.parametrize("max_tokens", [5, 40, 10_000])
def test_every_sequence_is_a_path_of_one_tree(sequences, max_tokens):
    found, longest = {}, max(map(len, sequences))
    for tree in trees(sequences, max_tokens=max_tokens):
        assert len(tree.tokens) <= max(max_tokens, longest)
        found |= {i: tuple(tree.tokens[n] for n in path) for i, path in tree.sequences.items()}
    assert found == dict(enumerate(sequences))


def test_a_shared_beginning_is_in_a_tree_once(sequences):
    (tree,) = trees(sequences, max_tokens=10_000)
    beginnings = {s[: i + 1] for s in sequences for i in range(len(s))}
    assert len(tree.tokens) == len(beginnings) == distinct_tokens(sequences)


def test_the_ancestors_of_a_node_are_those_whose_stretch_holds_it(sequences):
    (tree,) = trees(sequences, max_tokens=10_000)
    for path in tree.sequences.values():
        leaf = path[-1]
        assert [n for n in range(leaf + 1) if leaf < tree.ends[n]] == path
        assert [tree.depths[n] for n in path] == list(range(len(path)))


@pytest.mark.parametrize("name", ["llama", "qwen3", "gpt2"])
def test_models_that_take_positions_and_masks_take_trees(name):
    torch.manual_seed(0)
    assert takes_trees(MODELS[name]().eval())


@pytest.mark.parametrize("name", ["bloom", "mamba", "mistral"])
def test_models_of_another_kind_do_not(name):
    torch.manual_seed(0)
    assert not takes_trees(MODELS[name]().eval())


@pytest.fixture
def half():
    """In bfloat16, and as sure of itself as a trained model is."""
    torch.manual_seed(0)
    wide = LlamaForCausalLM(LlamaConfig(**WIDE, initializer_range=0.3))
    return wide.eval().to(torch.bfloat16)


def test_half_precision_may_round_a_tree_otherwise(half):
    passes = count()
    half.lm_head.register_forward_hook(lambda _, __, logits: logits * (1 + next(passes) % 2 / 128))
    assert takes_trees(half)


@pytest.mark.parametrize("ignored", ["attention_mask", "position_ids"])
def test_half_precision_is_no_reason_to_pass_over_a_tree(half, ignored):
    half.register_forward_pre_hook(
        lambda _, args, given: (args, {**given, ignored: None}), with_kwargs=True
    )
    assert not takes_trees(half)


@pytest.fixture
def policy():
    return TransformersPolicy.load("toy", device="cpu")


@pytest.fixture(scope="module")
def edits():
    """Questions about one text with each of its words redacted."""
    task = load_task("ag_news")
    (example,) = load_examples(task, "test", source="toy", n=1, seed=0)
    texts = [redact(example.input, {i}) for i in range(len(words(example.input)))]
    return [task.ask(example.edited(text)) for text in texts]


def test_edits_of_one_text_are_read_without_their_shared_beginning(policy, edits):
    policy.predict(edits)  # The first time, the model is tried on a small tree.
    policy.weights_changed()
    sizes = []
    hook = policy.model.register_forward_pre_hook(
        lambda _, __, given: sizes.append(given["input_ids"].numel()), with_kwargs=True
    )
    policy.predict(edits)
    hook.remove()
    prompts = policy.chat.ids([policy.chat.text(q.conversation) for q in edits])
    assert sum(sizes) < 0.8 * sum(map(len, prompts))


def test_a_tree_gives_what_single_passes_give(policy, edits):
    for question, answer in zip(edits, policy.predict(edits), strict=True):
        (prompt,) = policy.chat.ids([policy.chat.text(question.conversation)])
        tokens = [policy.chat.label_ids(label)[0] for label in question.labels]
        ((alone,),) = read_padded(policy.model, [Row(prompt, ())], tokens)
        assert list(answer.logprobs.values()) == pytest.approx(alone, abs=1e-4)


# Memory


def halves(limit):
    """Answers in batches, for which the memory suffices up to `limit` things each."""

    def answer(asked, tokens):
        for i in range(0, len(asked), tokens):
            if min(tokens, len(asked)) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            yield {one: -one for one in asked[i : i + tokens]}

    return answer


def test_a_batch_too_large_for_the_memory_is_tried_in_halves():
    budget = Budget(64)
    assert budget.spend(range(100), halves(20)) == {n: -n for n in range(100)}
    assert budget.tokens == 16


def test_what_was_answered_before_the_memory_ran_out_is_not_asked_again():
    asked = []

    def answer(left, tokens):
        for one in left:
            asked.append(one)
            if one == 3 and tokens > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")
            yield {one: one}

    Budget(2).spend(range(5), answer)
    assert asked == [0, 1, 2, 3, 3, 4]


def test_one_sequence_too_large_for_the_memory_is_an_error():
    with pytest.raises(ModelError, match="does not suffice for one sequence"):
        Budget(64).spend(range(10), halves(0))


def test_another_error_is_not_taken_for_a_lack_of_memory():
    def answer(left, tokens):
        raise RuntimeError("shapes do not fit")
        yield {}

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        Budget(64).spend(range(10), answer)


def test_batches_shrink_with_the_free_memory(policy, monkeypatch):
    plenty = tokens_read(policy.model), tokens_written(policy.model)
    monkeypatch.setattr("rl_faith.policies.memory._free", lambda device: 10**6)
    scarce = tokens_read(policy.model), tokens_written(policy.model)
    assert 0 < scarce[0] < 512 < plenty[0]
    assert 0 < scarce[1] < plenty[1]
