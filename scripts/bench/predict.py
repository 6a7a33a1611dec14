"""How fast `predict` answers the questions of a GRPO reward batch.

The batch: 8 toy test examples (all three tasks and styles in turn, one-word explanations), 8
explanations of each sampled from the embedded model at temperature 1. Every explanation asks about
its input, and a valid one also about its edited input; repeated questions stay repeated.

Ways, all from conversations to labels, each with nothing cached:

- predict: one call with all questions.
- generate 8 tokens: 64 questions a batch, padded as given, exactly eight tokens, greedy, KV cache.
- generate, stop at end: the same, stopping when every reply of the batch has ended.
- one call each: a plain forward pass per question.
- one call each, lean: the same, head on the last position only and no KV cache built.

Twice: on the embedded model, and on a Llama of 30M random weights with the same tokenizer.

    OMP_NUM_THREADS=1 python scripts/bench/predict.py [out.json]
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from timing import REPETITIONS, report, rows_of, save, side_by_side
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from rl_faith.checks import Case, inquire
from rl_faith.explaining import predict_labels
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Conversation, Prediction, Question, to_chat
from rl_faith.recipes import ALL_TASKS
from rl_faith.styles import STYLES
from rl_faith.tasks import load_examples, load_task

EXAMPLES = GROUP = 8
BATCH = 64
TARGETS = {"generate 8 tokens": 4.0, "one call each": 10.0}


def main(out: Path) -> None:
    """Measure on both models, print and save."""
    torch.set_num_threads(1)
    print("one thread; medians of", REPETITIONS, "repetitions, ways taking turns")
    policy = TransformersPolicy.load("toy", device="cpu")
    questions, valid = reward_questions(policy)
    distinct = len(set(questions))
    print(f"{EXAMPLES * GROUP} explanations, {valid} valid: {len(questions)} questions, "
          f"{distinct} distinct")  # fmt: skip
    big = TransformersPolicy(thirty_million(policy), policy.chat.tokenizer)
    content = {
        "questions": {"all": len(questions), "distinct": distinct, "valid": valid},
        "toy": measure("toy", policy, questions, TARGETS),
        "30M": measure("30M", big, questions, {}),
    }
    save(out, content)


def reward_questions(policy: TransformersPolicy) -> tuple[list[Question], int]:
    """The questions in the order of the rewards, and how many explanations are valid."""
    torch.manual_seed(0)
    questions: list[Question] = []
    valid = 0
    tasks = [load_task(name) for name in sorted(ALL_TASKS)]
    for i in range(EXAMPLES):
        task, style = tasks[i % len(tasks)], list(STYLES.values())[(i // 3) % len(STYLES)]
        example = load_examples(task, "test", source="toy", n=16, seed=0)[i]
        decided = predict_labels(policy, task, [example])[example.id]
        assert isinstance(decided, Prediction)
        asked = task.ask_why(example, decided.label, style.name, "one")
        for reply in sample(policy, asked):
            case = Case(task, style, "one", example, decided, reply)
            edits = inquire(case, control=False, ceiling=False).questions
            questions += [task.ask(example), *edits]
            valid += len(edits)
    return questions, valid


def sample(policy: TransformersPolicy, conversation: Conversation) -> list[str]:
    """A group of replies at temperature 1."""
    ids = policy.chat.ids([policy.chat.text(conversation)])
    width = len(ids[0])
    with torch.inference_mode():
        out = policy.model.generate(
            input_ids=torch.tensor(ids),
            attention_mask=torch.ones(1, width, dtype=torch.long),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            num_return_sequences=GROUP,
            max_new_tokens=64,
        )
    return policy.chat.tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)


def thirty_million(policy: TransformersPolicy) -> PreTrainedModel:
    """A Llama of 30M random weights for the tokenizer of `policy`."""
    toy = policy.model.config
    config = LlamaConfig(
        vocab_size=toy.vocab_size,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=9,
        num_attention_heads=8,
        max_position_embeddings=toy.max_position_embeddings,
        eos_token_id=toy.eos_token_id,
        pad_token_id=toy.pad_token_id,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def measure(
    name: str,
    policy: TransformersPolicy,
    questions: Sequence[Question],
    targets: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Time every way, and compare its labels with those of `predict`."""
    ways = {
        "predict": lambda _: by_predict(policy, questions),
        "generate 8 tokens": lambda _: by_generating(policy, questions, min_new_tokens=8),
        "generate, stop at end": lambda _: by_generating(policy, questions),
        "one call each": lambda _: one_by_one(policy, questions),
        "one call each, lean": lambda _: one_by_one(
            policy, questions, logits_to_keep=1, use_cache=False
        ),
    }
    for way in ways.values():
        way(0)
    seconds, results = side_by_side(ways)
    rows = rows_of(seconds, ours="predict", targets=targets)
    for row in rows:
        told = results[row["way"]][0]
        pairs = [(a, b) for a, b in zip(told, results["predict"][0], strict=True) if a]
        row |= {"answered": len(pairs), "agree": sum(a == b for a, b in pairs)}
    parameters = policy.model.num_parameters() / 1e6
    report(f"{name}: {parameters:.1f}M parameters, {len(questions)} questions", rows)
    return rows


def by_predict(policy: TransformersPolicy, questions: Sequence[Question]) -> list[str]:
    """This toolkit."""
    policy.weights_changed()
    return [answer.label for answer in policy.predict(questions)]


@torch.inference_mode()
def by_generating(
    policy: TransformersPolicy, questions: Sequence[Question], **options: Any
) -> list[str | None]:
    """The label that begins the generated reply, or None."""
    tokenizer = policy.chat.tokenizer
    labels: list[str | None] = []
    for start in range(0, len(questions), BATCH):
        batch = questions[start : start + BATCH]
        inputs = tokenizer.apply_chat_template(
            [to_chat(q.conversation) for q in batch],
            add_generation_prompt=True,
            padding=True,
            return_dict=True,
            return_tensors="pt",
        )
        out = policy.model.generate(
            **inputs, do_sample=False, max_new_tokens=8, use_cache=True, **options
        )
        replies = tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :])
        labels += [parsed(reply, q.labels) for reply, q in zip(replies, batch, strict=True)]
    return labels


def parsed(reply: str, labels: Sequence[str]) -> str | None:
    """The label that `reply` begins with."""
    return next((label for label in labels if reply.lstrip().startswith(label)), None)


@torch.inference_mode()
def one_by_one(
    policy: TransformersPolicy, questions: Sequence[Question], **options: Any
) -> list[str]:
    """The label with the highest logit behind the prompt (labels are single tokens here)."""
    tokenizer, labels = policy.chat.tokenizer, []
    for question in questions:
        inputs = tokenizer.apply_chat_template(
            to_chat(question.conversation),
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
        logits = policy.model(**inputs, **options).logits[0, -1]
        tokens = [policy.chat.label_ids(label)[0] for label in question.labels]
        labels.append(question.labels[int(logits[tokens].argmax())])
    return labels


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
