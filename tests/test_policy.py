"""The policy on a transformers model: exact scores, in order, once per question and version."""

import json
import random

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from rl_faith.errors import ModelError
from rl_faith.policies.loading import load_model, load_tokenizer
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Prediction, Question, Unanswered, assistant, user
from rl_faith.recipes import ALL_TASKS
from rl_faith.tasks import load_examples, load_task
from rl_faith.text import redact, words

SHARING = ("Positive at least", "Positive or so", "Positively", "Negative", "not sure")
TOO_LONG = Question((user("word " * 600),), ("Yes", "No"))


@pytest.fixture(scope="module")
def policy():
    return TransformersPolicy.load("toy", device="cpu")


@pytest.fixture(scope="module")
def questions():
    """Questions of all tasks about inputs and edited inputs, some repeated, in no order."""
    rng = random.Random(0)
    asked = []
    for task in map(load_task, ALL_TASKS):
        for example in load_examples(task, "test", source="toy", n=5, seed=0):
            position = rng.randrange(len(words(example.input)))
            edited = example.edited(redact(example.input, {position}))
            asked += [task.ask(example), task.ask(edited), task.ask(example)]
    rng.shuffle(asked)
    return asked


@pytest.fixture
def rows_read(policy, monkeypatch):
    """How many rows each call of `read` was for."""
    counts: list[int] = []
    read = policy.read
    monkeypatch.setattr(
        policy, "read", lambda rows, tokens: counts.append(len(rows)) or read(rows, tokens)
    )
    policy.weights_changed()
    return counts


@torch.no_grad()
def naive(policy, question):
    """Log-probability of every label, each from a forward pass of its own over prompt and label."""
    text = policy.chat.text(question.conversation)
    begin = len(policy.chat.ids([text])[0])
    found = {}
    for label in question.labels:
        ids = policy.chat.ids([text + label])
        logits = policy.model(input_ids=torch.tensor(ids)).logits[0].log_softmax(-1)
        found[label] = sum(logits[k - 1, ids[0][k]].item() for k in range(begin, len(ids[0])))
    return found


def assert_near(answer, wanted, tolerance):
    assert answer.logprobs.keys() == wanted.keys()
    for label, value in wanted.items():
        assert answer.logprobs[label] == pytest.approx(value, abs=tolerance, rel=0)


# Scores


def test_scores_are_those_of_single_forward_passes(policy, questions):
    for question, answer in zip(questions, policy.predict(questions), strict=True):
        assert_near(answer, naive(policy, question), 1e-4)


def test_labels_of_several_tokens_are_exact(policy, questions):
    ids = [policy.chat.label_ids(label) for label in SHARING]
    assert {len(i) for i in ids} >= {1, 2, 3}
    assert len({i[0] for i in ids}) < len(ids)
    policy.check_labels(SHARING)
    asked = [Question(q.conversation, SHARING) for q in questions[:6]]
    for question, answer in zip(asked, policy.predict(asked), strict=True):
        assert_near(answer, naive(policy, question), 1e-4)


def test_questions_with_different_labels_share_a_call(policy, questions):
    single, several = questions[0], Question(questions[1].conversation, SHARING)
    for question, answer in zip((single, several), policy.predict([single, several]), strict=True):
        assert_near(answer, naive(policy, question), 1e-4)


def test_probabilities_sum_to_one_and_the_mass_to_no_more(policy, questions):
    for answer in policy.predict(questions):
        assert sum(map(answer.probability, answer.logprobs)) == pytest.approx(1)
        assert 0 < answer.mass <= 1 + 1e-6


def test_order_and_duplicates_are_kept(policy, questions):
    policy.weights_changed()
    answers = policy.predict(questions)
    alone = {question: policy.predict([question])[0] for question in questions}
    assert len(alone) < len(questions)
    assert answers == [alone[question] for question in questions]


def test_an_answer_does_not_depend_on_its_batch(policy, questions):
    policy.weights_changed()
    together = policy.predict(questions)
    for question, answer in zip(questions, together, strict=True):
        policy.weights_changed()
        assert_near(policy.predict([question])[0], answer.logprobs, 1e-5)


def test_nothing_asked_is_nothing_answered(policy):
    assert policy.predict([]) == []
    assert policy.generate([], max_new_tokens=4) == []


def test_a_question_too_long_is_unanswered_among_others(policy, questions):
    answers = policy.predict([questions[0], TOO_LONG])
    assert isinstance(answers[0], Prediction)
    assert answers[1] == Unanswered("too_long")


def test_room_is_kept_for_the_longest_label(policy, questions, monkeypatch):
    conversation = questions[0].conversation
    prompt = policy.chat.ids([policy.chat.text(conversation)])[0]
    monkeypatch.setattr(policy, "longest", len(prompt) + 1)
    asked = [Question(conversation, ("Yes", label)) for label in ("No", "Positive at least")]
    one, several = policy.predict(asked)
    assert isinstance(one, Prediction)
    assert several == Unanswered("too_long")


# Cache


def test_each_distinct_question_is_asked_once(policy, questions, rows_read):
    first = policy.predict(questions)
    assert sum(rows_read) == len(set(questions))
    assert policy.predict(questions[::-1]) == first[::-1]
    assert sum(rows_read) == len(set(questions))


def test_other_labels_are_another_question(policy, questions):
    other = Question(questions[0].conversation, ("Yes", "No"))
    assert policy.predict([other, questions[0]])[0].logprobs.keys() == {"Yes", "No"}
    assert policy.predict([questions[0]])[0].logprobs.keys() == set(questions[0].labels)


def test_new_weights_give_new_answers(questions):
    policy = TransformersPolicy.load("toy", device="cpu")
    before = policy.predict(questions[:1])
    with torch.no_grad():
        policy.model.model.norm.weight.mul_(0.5)
    assert policy.predict(questions[:1]) == before
    policy.weights_changed()
    assert_near(policy.predict(questions[:1])[0], naive(policy, questions[0]), 1e-4)


def test_answers_of_earlier_weights_take_no_room(questions):
    policy = TransformersPolicy.load("toy", device="cpu")
    for _ in range(3):
        policy.predict(questions)
        held = len(policy._answers)
        policy.weights_changed()
    policy.predict(questions)
    assert len(policy._answers) == held


def test_a_model_in_training_answers_without_dropout_and_goes_on_training(questions):
    model = load_model("toy")
    lora = LoraConfig(r=2, lora_dropout=0.9, target_modules=["q_proj"], init_lora_weights=False)
    policy = TransformersPolicy(get_peft_model(model, lora).train(), load_tokenizer("toy"))
    first = policy.predict(questions[:2])
    policy.weights_changed()
    assert policy.predict(questions[:2]) == first
    assert policy.model.training
    policy.model(input_ids=torch.tensor([[1, 2, 3]])).logits.sum().backward()


# Text


def test_replies_are_those_of_single_greedy_runs(policy):
    conversations = []
    for task in map(load_task, ALL_TASKS):
        for example in load_examples(task, "test", source="toy", n=3, seed=0):
            label = task.label_words[0]
            conversations.append(task.ask_why(example, label, "redaction", "one"))
    conversations.append(conversations[0])
    replies = policy.generate(conversations, max_new_tokens=24)
    for conversation, reply in zip(conversations, replies, strict=True):
        ids = torch.tensor(policy.chat.ids([policy.chat.text(conversation)]))
        out = policy.model.generate(
            input_ids=ids, attention_mask=ids * 0 + 1, do_sample=False, max_new_tokens=24
        )
        alone = policy.chat.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        assert reply == alone.strip()


def test_a_conversation_without_room_for_the_reply_is_unanswered(policy, questions):
    asked = [TOO_LONG.conversation, questions[0].conversation]
    long, short = policy.generate(asked, max_new_tokens=4)
    assert long == Unanswered("too_long")
    assert isinstance(short, str)
    assert policy.generate(asked[1:], max_new_tokens=policy.longest) == [Unanswered("too_long")]


# Models


def test_a_label_that_begins_another_is_refused(policy):
    with pytest.raises(ModelError, match="'Positive' and 'Positive or so'"):
        policy.check_labels(("Positive", "Positive or so"))


def test_a_model_without_chat_template_is_refused(policy):
    tokenizer = load_tokenizer("toy")
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        TransformersPolicy(policy.model, tokenizer)


@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_a_path_with_no_model_is_refused(load, tmp_path):
    with pytest.raises(ModelError, match="no model could be loaded"):
        load(str(tmp_path / "nothing"))


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ModelError, match="float16"):
        load_model("toy", "float8")


def test_bfloat16_runs_and_is_near(policy, questions):
    rough = TransformersPolicy.load("toy", dtype="bfloat16", device="cpu")
    assert rough.model.dtype == torch.bfloat16
    answers = zip(rough.predict(questions), policy.predict(questions), strict=True)
    differences = [abs(a.probability(b.label) - b.probability(b.label)) for a, b in answers]
    assert sum(differences) / len(differences) < 0.02


# Adapters


def make_adapter(path, base, *, seed=0, **changes):
    """A LoRA adapter with random weights that says it belongs to `base`."""
    torch.manual_seed(seed)
    if changes:
        model = LlamaForCausalLM(LlamaConfig(**{**load_model("toy").config.to_dict(), **changes}))
    else:
        model = load_model(base)
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(path)
    config = path / "adapter_config.json"
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": base})
    )
    return str(path)


@pytest.mark.parametrize(
    "changes",
    [{"hidden_size": 64}, {"num_hidden_layers": 8}, {"num_hidden_layers": 3}],
    ids=["narrower", "deeper", "shallower"],
)
def test_an_adapter_for_another_base_model_is_refused(changes, tmp_path):
    path = make_adapter(tmp_path, "toy", **changes)
    with pytest.raises(ModelError, match="does not fit its base model toy"):
        load_model(path)


def test_an_adapter_on_an_adapter_applies_both(questions, tmp_path):
    first = make_adapter(tmp_path / "first", "toy")
    second = make_adapter(tmp_path / "second", first, seed=1)
    by_hand = PeftModel.from_pretrained(load_model("toy"), first).merge_and_unload()
    by_hand = PeftModel.from_pretrained(by_hand, second).merge_and_unload()
    found = TransformersPolicy.load(second, device="cpu").predict(questions)
    wanted = TransformersPolicy(by_hand, load_tokenizer("toy")).predict(questions)
    assert found == wanted
    assert found != TransformersPolicy.load(first, device="cpu").predict(questions)


def test_a_second_turn_is_part_of_the_question(policy):
    first = user("Is it good?")
    asked = [
        Question((first, assistant(said), user("Why?")), ("Yes", "No")) for said in ("Yes", "No")
    ]
    one, other = policy.predict(asked)
    assert one != other


# GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_answers_as_the_processor_does(policy, questions):
    there = TransformersPolicy.load("toy", device="cuda")
    for a, b in zip(there.predict(questions), policy.predict(questions), strict=True):
        assert_near(a, b.logprobs, 1e-3)


def test_all_weights_of_a_merged_adapter_can_be_trained(tmp_path):
    merged = load_model(make_adapter(tmp_path / "adapter", "toy"))
    assert all(parameter.requires_grad for parameter in merged.parameters())


@pytest.mark.parametrize("adapted", [False, True], ids=["model", "adapter"])
def test_rotary_frequencies_keep_their_precision(tmp_path, adapted):
    name = make_adapter(tmp_path / "adapter", "toy") if adapted else "toy"
    model = load_model(name, "bfloat16")
    assert model.dtype == torch.bfloat16
    assert model.model.rotary_emb.inv_freq.dtype == torch.float32


def test_adapter_that_names_no_base_model_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="does not name its base model"):
        load_model(str(tmp_path))
