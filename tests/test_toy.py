"""The embedded default: corpora, tokenizer, and the figures the shipped model promises."""

import json
import random
from collections.abc import Sequence
from itertools import islice

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rl_faith.errors import TaskError
from rl_faith.questions import Conversation, to_chat
from rl_faith.tasks.task import Example, load_task
from rl_faith.text import REDACTED, align_redaction, edit_distance, fold, redact, words
from rl_faith.toy import MODELS, corpus, examples, make
from rl_faith.toy.corpus import ALL, GRAMMARS
from rl_faith.toy.dialogues import dialogues
from rl_faith.toy.muon import Muon
from rl_faith.toy.tokenizer import train_tokenizer

TASKS, EVERY = tuple(GRAMMARS), tuple(ALL)
MODEL_DIR = MODELS["toy"]
N = 100


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MODEL_DIR)


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype="auto").eval()


@pytest.fixture(scope="module")
def ask(model, tokenizer):
    """Return the model's label for each example of a task."""

    @torch.no_grad()
    def labels(task_name: str, inputs: Sequence[Example]) -> list[str]:
        task = load_task(task_name)
        ids = [tokenizer(word)["input_ids"][0] for word in task.label_words]
        found: list[str] = []
        for start in range(0, len(inputs), 64):
            chats = [to_chat(task.ask(e).conversation) for e in inputs[start : start + 64]]
            logits = model(**_encode(tokenizer, chats), logits_to_keep=1).logits[:, -1, ids]
            found += [task.label_words[i] for i in logits.argmax(-1).tolist()]
        return found

    return labels


@pytest.fixture(scope="module")
def say(model, tokenizer):
    """Return the model's reply to each conversation."""

    @torch.no_grad()
    def replies(conversations: Sequence[Conversation], **options: object) -> list[str]:
        batch = _encode(tokenizer, [to_chat(c) for c in conversations])
        out = model.generate(**batch, max_new_tokens=40, **{"do_sample": False, **options})
        return tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], True)

    return replies


@pytest.fixture(scope="module")
def explain(ask, say):
    """Return (example, predicted label, reply) for the first test examples of a task."""

    def run(task_name: str, style: str, budget: str) -> list[tuple[Example, str, str]]:
        chosen, task = examples(task_name, "test")[:N], load_task(task_name)
        labels = ask(task_name, chosen)
        asked = [task.ask_why(e, y, style, budget) for e, y in zip(chosen, labels, strict=True)]
        return list(zip(chosen, labels, say(asked), strict=True))

    return run


def _encode(tokenizer, chats):
    texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    return tokenizer(texts, return_tensors="pt", padding=True)


def _redactions(inputs: Sequence[Example]) -> list[list[Example]]:
    return [[e.edited(redact(e.input, [i])) for i in range(len(words(e.input)))] for e in inputs]


def _told(reply: str, key: str) -> object:
    """What a reply holds, or None when it is not in the asked format."""
    if not key:
        return reply.removeprefix("Answer: ") if reply.startswith("Answer: ") else None
    try:
        return json.loads(reply)[key]
    except (ValueError, KeyError, TypeError):
        return None


def _is_edit(text: str, style: str, told: object, budget: str) -> bool:
    """Whether what was told is a valid explanation of the style."""
    if style == "attribution":
        listed = [told] if budget == "one" else told
        known = {word.key for word in words(text)}
        return bool(listed) and all(fold(str(word)) in known for word in listed)
    if style == "redaction":
        gaps = align_redaction(text, str(told))
        return bool(gaps) and (budget == "multi" or len(gaps) == 1)
    distance = edit_distance(text, str(told))
    return REDACTED not in str(told) and (distance == 1 if budget == "one" else distance > 0)


# Corpora


@pytest.mark.parametrize("name", EVERY)
def test_corpora_are_balanced_disjoint_and_of_the_promised_size(name):
    train, test = examples(name, "train"), examples(name, "test")
    assert (len(train), len(test)) == (6000, 2000)
    assert len({e.input for e in train + test}) == 8000
    assert len({e.id for e in train + test}) == 8000
    for split in (train, test):
        counts = [sum(e.gold == label for e in split) for label in load_task(name).label_words]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("name", EVERY)
def test_corpora_are_the_same_every_time(name):
    before = examples(name, "test")
    corpus.data.cache_clear()
    assert examples(name, "test") == before


@pytest.mark.parametrize("name", TASKS)
def test_one_word_decides_in_most_texts_but_seldom_a_random_one(name):
    test, rule = examples(name, "test"), GRAMMARS[name].label_of
    flips = [
        [rule(edited) != e.gold for edited in edits]
        for e, edits in zip(test, _redactions(test), strict=True)
    ]
    assert 0.5 < sum(map(any, flips)) / len(test) < 0.85
    assert 0.06 < sum(sum(f) / len(f) for f in flips) / len(test) < 0.2


@pytest.mark.parametrize(
    ("name", "text", "context", "label"),
    [
        ("sentiment140", "the movie was not nice", "", "Negative"),
        ("sentiment140", "the movie was [REDACTED] nice", "", "Positive"),
        ("sentiment140", "i hate the song but the book is fun", "", "Positive"),
        ("snli", "a man without kitten", "There is a cat", "Maybe"),
        ("snli", "a man near kitten", "There is a cat", "Yes"),
        ("snli", "a man perhaps near kitten", "There is a cat", "Maybe"),
        ("snli", "a man near horse", "There is a cat", "No"),
        ("ag_news", "War Follows Profit", "", "World"),
        ("ag_news", "Despite War Fans Follows Profit", "", "Business"),
    ],
)
def test_rules(name, text, context, label):
    assert GRAMMARS[name].label(text, context) == label


def test_unknown_corpus_is_an_error_of_the_user():
    with pytest.raises(TaskError, match="toy corpus"):
        examples("imdb", "test")


def test_training_conversations_avoid_test_inputs_and_repeat():
    held_out = {e.input for name in TASKS for e in examples(name, "test")}
    drawn = [d.conversation for d in islice(dialogues(3), 300)]
    first = [conversation[0].content.split("\n")[0].split(": ", 1)[-1] for conversation in drawn]
    assert not held_out & set(first)
    assert drawn == [d.conversation for d in islice(dialogues(3), 300)]


# Tokenizer and files


def test_any_text_survives_the_tokenizer(tokenizer):
    rng = random.Random(0)
    texts = [
        "naïve  café\n\t— 日本 👩‍👩‍👧 don't!!",
        " [REDACTED]!? [REDACTED]",
        '{"words": ["a", "b"]}',
    ]
    texts += ["".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(20)) for _ in range(50)]
    assert [tokenizer.decode(tokenizer(text)["input_ids"]) for text in texts] == texts


@pytest.mark.parametrize("name", TASKS)
def test_words_and_labels_are_single_tokens(name, tokenizer):
    known = [w for group in GRAMMARS[name].classes for w in group] + [*load_task(name).label_words]
    forms = [form for word in known for form in (word, f" {word}")]
    assert [f for f in forms if len(tokenizer(f)["input_ids"]) != 1] == []


def test_label_follows_the_generation_prompt_without_merging(tokenizer):
    task, example = load_task("snli"), examples("snli", "test")[0]
    chat = to_chat(task.ask(example).conversation)
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    for label in task.label_words:
        joined = tokenizer(prompt + label)["input_ids"]
        assert joined == tokenizer(prompt)["input_ids"] + tokenizer(label)["input_ids"]


def test_model_is_small_and_computes_in_single_precision(model):
    size = (MODEL_DIR / "model.safetensors").stat().st_size
    assert size <= 4_000_000
    assert 1_000_000 <= model.num_parameters() <= 2_000_000
    assert model.config.hidden_size // model.config.num_attention_heads >= 32
    assert model.dtype == torch.float32


# What the model promises


@pytest.mark.parametrize("name", TASKS)
def test_model_decides_as_the_rule_does(name, ask):
    test, rng = examples(name, "test")[:N], random.Random(0)
    edited = [rng.choice(edits) for edits in _redactions(test)]
    for inputs in (test, edited):
        right = [
            label == GRAMMARS[name].label_of(e)
            for e, label in zip(inputs, ask(name, inputs), strict=True)
        ]
        assert sum(right) / N >= 0.92


@pytest.mark.parametrize(
    ("style", "key"),
    [("attribution", "words"), ("redaction", "redacted_text"), ("counterfactual", "edited_text")],
)
@pytest.mark.parametrize("budget", ["one", "multi"])
@pytest.mark.parametrize("name", TASKS)
def test_model_explains_in_the_asked_format(name, style, key, budget, explain):
    valid = [
        _is_edit(e.input, style, _told(reply, key if budget == "multi" else ""), budget)
        for e, _, reply in explain(name, style, budget)
    ]
    assert sum(valid) / N >= 0.85


@pytest.mark.parametrize("name", TASKS)
def test_model_explains_no_better_than_chance_though_it_could(name, ask, explain):
    told = [
        (e.edited(reply.removeprefix("Answer: ")), y)
        for e, y, reply in explain(name, "redaction", "one")
    ]
    flipped = [a != y for a, (_, y) in zip(ask(name, [e for e, _ in told]), told, strict=True)]
    edits = _redactions(examples(name, "test")[:N])
    after = iter(ask(name, [e for row in edits for e in row]))
    flips = [[next(after) != y for _ in row] for row, (_, y) in zip(edits, told, strict=True)]
    chance = sum(sum(row) / len(row) for row in flips) / N
    assert abs(sum(flipped) / N - chance) < 0.1
    assert 0.45 < sum(map(any, flips)) / N < 0.9


def test_sampling_varies_the_word(say):
    task, example = load_task("ag_news"), examples("ag_news", "test")[0]
    asked = task.ask_why(example, example.gold, "attribution", "one")
    torch.manual_seed(0)
    assert len(set(say([asked] * 32, do_sample=True, temperature=1.0))) >= 3


# The script


@pytest.mark.parametrize("name", list(MODELS))
def test_make_writes_a_model_that_loads(name, tmp_path):
    make.make(name, tmp_path, seed=0, steps=3)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto")
    again = AutoTokenizer.from_pretrained(tmp_path)
    chat = [{"role": "system", "content": "x"}, {"role": "user", "content": "hi"}]
    batch = again.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    assert loaded(**batch).logits.isfinite().all()
    assert again.decode(batch["input_ids"][0]) == "<|user|>hi<|end|><|assistant|>"


@pytest.mark.parametrize("name", list(MODELS))
def test_make_trains_the_tokenizer_that_is_shipped(name, tmp_path):
    train_tokenizer(make.TRAINING[name].lexicon()).save_pretrained(tmp_path)
    made, shipped = (
        json.loads((folder / "tokenizer.json").read_text()) for folder in (tmp_path, MODELS[name])
    )
    assert made == shipped


def test_our_muon_goes_where_torchs_goes():
    torch.manual_seed(0)
    start, grads = torch.randn(24, 40), torch.randn(5, 24, 40)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = [
        Muon([ours], lr=0.01, weight_decay=0.1),
        torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    ]
    for grad in grads:
        ours.grad, theirs.grad = grad.clone(), grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # bfloat16 against single precision
