"""How fast a vLLM engine answers the questions of a GRPO reward batch.

The batch is that of predict.py: 109 questions of 64 explanations, as the rewards ask them, repeated
ones included. Every way uses the same engine and starts with no answer and no prefix cached:

- predict: one call with all questions; one token written for each distinct one, and the log-
  probabilities of the label words read off it.
- generate 8 tokens: one call, eight greedy tokens a question, then the label they begin with.
- prompt log-probs: one call, one request for every question and label, which asks for the
  log-probabilities of the prompt with the label behind it (so evaluation harnesses score multiple
  choice).
- prompt log-probs, one call per label: the same, request after request.

Twice: on the embedded model, and on a Llama of 30M random weights with the same tokenizer. Needs
vLLM in the same environment:

    OMP_NUM_THREADS=1 python scripts/bench/repredict.py [out.json]
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from predict import parsed, reward_questions, thirty_million
from timing import REPETITIONS, report, rows_of, save, side_by_side
from vllm import LLM, SamplingParams

from rl_faith.policies.loading import load_tokenizer, resolve
from rl_faith.policies.serving import engine_settings
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.policies.vllm import VLLMPolicy
from rl_faith.questions import Question

TARGETS = {"generate 8 tokens": 4.0, "prompt log-probs, one call per label": 20.0}


def main(out: Path) -> None:
    """Measure on both models, print and save."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    print("medians of", REPETITIONS, "repetitions, ways taking turns")
    policy = TransformersPolicy.load("toy", device="cpu")
    questions, _ = reward_questions(policy)
    content: dict[str, Any] = {
        "questions": {"all": len(questions), "distinct": len(set(questions))},
        "toy": measure("toy", resolve("toy"), questions),
    }
    with tempfile.TemporaryDirectory() as folder:
        thirty_million(policy).save_pretrained(folder)
        policy.chat.tokenizer.save_pretrained(folder)
        content["30M"] = measure("30M", folder, questions)
    save(out, content)


def measure(name: str, model: str, questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Time every way, and compare its labels with those of `predict`."""
    engine = LLM(model, dtype="float32", **engine_settings())
    policy = VLLMPolicy(engine, load_tokenizer(model))
    prompts = policy.chat.ids([policy.chat.text(q.conversation) for q in questions])
    ways = {
        "predict": lambda: [a.label for a in policy.predict(questions)],
        "generate 8 tokens": lambda: by_generating(policy, engine, questions, prompts),
        "prompt log-probs": lambda: by_prompts(policy, engine, questions, prompts),
        "prompt log-probs, one call per label": lambda: by_prompts(
            policy, engine, questions, prompts, at_once=False
        ),
    }

    def fresh(way: Any) -> Any:
        policy.weights_changed()
        engine.reset_prefix_cache()
        return way()

    for way in ways.values():
        fresh(way)
    seconds, results = side_by_side({n: lambda _, way=way: fresh(way) for n, way in ways.items()})
    rows = rows_of(seconds, ours="predict", targets=TARGETS)
    for row in rows:
        pairs = zip(results[row["way"]][0], results["predict"][0], strict=True)
        row["agree"] = sum(a == b for a, b in pairs)
    report(f"{name}: {len(questions)} questions, {len(set(questions))} distinct", rows)
    return rows


def by_generating(
    policy: VLLMPolicy, engine: LLM, questions: Sequence[Question], prompts: Sequence[Any]
) -> list[str | None]:
    """The label that the eight tokens begin with."""
    how = SamplingParams(temperature=0.0, max_tokens=8, min_tokens=8)
    done = run(engine, prompts, how)
    replies = policy.chat.tokenizer.batch_decode([list(one.outputs[0].token_ids) for one in done])
    return [parsed(reply, q.labels) for reply, q in zip(replies, questions, strict=True)]


def by_prompts(
    policy: VLLMPolicy,
    engine: LLM,
    questions: Sequence[Question],
    prompts: Sequence[Any],
    *,
    at_once: bool = True,
) -> list[str]:
    """The label with the highest log-probability behind the prompt."""
    asked = [
        (prompt, policy.chat.label_ids(label))
        for prompt, q in zip(prompts, questions, strict=True)
        for label in q.labels
    ]
    how = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0)
    whole = [prompt + label for prompt, label in asked]
    done = run(engine, whole, how) if at_once else [run(engine, [ids], how)[0] for ids in whole]
    scores = iter(
        sum(one.prompt_logprobs[len(prompt) + k][t].logprob for k, t in enumerate(label))
        for one, (prompt, label) in zip(done, asked, strict=True)
    )
    return [max(q.labels, key={x: next(scores) for x in q.labels}.__getitem__) for q in questions]


def run(engine: LLM, prompts: Sequence[Any], how: SamplingParams) -> list[Any]:
    """The engine's answers, in order."""
    asked = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
    return engine.generate(asked, how, use_tqdm=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
