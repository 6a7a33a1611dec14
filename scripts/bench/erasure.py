"""How fast erasure attribution is beside Captum's FeatureAblation and inseq's occlusion.

The work: find the model's label for a toy test text and the influence of every word on it, that is
the probability of that label (normalised over the labels) minus the same with the word replaced by
[REDACTED]. 200 texts of all three tasks, 40 in each of five repetitions; every way gets the same
model, texts, words and questions. Captum and inseq must be told which label to attribute, so each
asks for it first.

Ways:

- rl-faith: all 40 texts in one call, nothing cached.
- rl-faith, vLLM: the same through an engine; only where vLLM is installed.
- Captum: `FeatureAblation` on a 0/1 vector with one entry per word, the usual way for texts; the
  forward function writes the text that the vector stands for and runs the model.
- Captum, 16 per pass: the same with `perturbations_per_eval=16`.
- inseq: `attribute` with occlusion, the label probability as a step function, and the embedding of
  [REDACTED] as baseline. It occludes every token of the prompt, not only the words; the row
  "inseq, words' share" counts that share of its time. It reports absolute values, so those are
  compared. In these corpora a word and [REDACTED] are one token each; texts with another word are
  left out, or the questions would differ.
- inseq, 16 per pass: the same with `perturbations_per_eval=16`.

Captum and inseq are needed for this comparison only:

    pip install captum inseq
    OMP_NUM_THREADS=1 python scripts/bench/erasure.py [out.json]
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from timing import REPETITIONS, report, rows_of, save, side_by_side

from rl_faith.erasure import erasure_questions, influences
from rl_faith.policies.loading import load_tokenizer
from rl_faith.policies.scoring import ScoringPolicy
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import to_chat
from rl_faith.recipes import ALL_TASKS
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.text import REDACTED, redact

TEXTS = 200
AT_A_TIME = TEXTS // REPETITIONS
TARGETS = {"rl-faith": 5.0, "rl-faith, vLLM": 10.0}
"""How much faster than Captum and inseq."""

OTHERS = ("Captum", "inseq")
PLACEHOLDER = f" {REDACTED}"
"""The token of the embedded model's tokenizer."""


@dataclass(frozen=True)
class Text:
    """One text to attribute.

    Attributes:
        task: Its task.
        example: The text.
        prompt: The rendered label question.
        places: Where in the prompt's tokens the words stand.
        tokens: How many tokens the prompt has.
    """

    task: Task
    example: Example
    prompt: str
    places: tuple[int, ...]
    tokens: int


Values = list[list[float]]
"""Influence of each word, for each text."""


def main(out: Path) -> None:
    """Measure, compare the attributions, print and save."""
    torch.set_num_threads(1)
    print("one thread; medians of", REPETITIONS, "repetitions, ways taking turns")
    policy = TransformersPolicy.load("toy", device="cpu")
    texts, left_out = choose(policy)
    batches = [texts[i * AT_A_TIME : (i + 1) * AT_A_TIME] for i in range(REPETITIONS)]
    ways: dict[str, Callable[[Sequence[Text]], Values]] = {"rl-faith": partial(by_us, policy)}
    missing = {}
    others = (("vLLM", engine_ways), ("Captum", captum_ways), ("inseq", inseq_ways))
    for name, maker in others:
        try:
            made = maker(policy)
            for way in made.values():
                way(texts[:2])
        # Whatever another toolkit fails with on this transformers version is a finding to print.
        except Exception as error:
            missing[name] = f"{type(error).__name__}: {error}"
            print(f"{name} does not run here: {missing[name]}")
        else:
            ways |= made
    seconds, results = side_by_side(
        {name: lambda i, way=way: way(batches[i]) for name, way in ways.items()}
    )
    if "inseq" in seconds:
        shares = [sum(len(t.places) for t in b) / sum(t.tokens for t in b) for b in batches]
        seconds["inseq, words' share"] = [
            s * share for s, share in zip(seconds["inseq"], shares, strict=True)
        ]
    count = sum(len(t.places) for t in texts)
    tables = {}
    for ours in (name for name in TARGETS if name in seconds):
        tables[ours] = rows_of(seconds, ours=ours, targets=dict.fromkeys(OTHERS, TARGETS[ours]))
        for row in tables[ours]:
            if row["way"] in results and row["way"] != "rl-faith":
                row["max difference"] = difference(row["way"], results)
        report(f"{AT_A_TIME} texts of {TEXTS} a time, {count} words; times {ours}", tables[ours])
    print(f"{left_out} texts left out: a word that is not one token")
    save(out, {"texts": TEXTS, "words": count, "rows": tables, "missing": missing})


def choose(policy: TransformersPolicy) -> tuple[list[Text], int]:
    """The texts, tasks in turn, and how many were left out on the way."""
    piles = [candidates(policy, load_task(name)) for name in sorted(ALL_TASKS)]
    seen = list(itertools.islice(itertools.chain(*zip(*piles, strict=True)), TEXTS * 3 // 2))
    chosen = [text for text in seen if text is not None][:TEXTS]
    last = seen.index(chosen[-1])
    return chosen, seen[:last].count(None)


def candidates(policy: TransformersPolicy, task: Task) -> list[Text | None]:
    """Texts of a task; None for one that inseq cannot be asked the same questions about."""
    found = load_examples(task, "test", source="toy", n=TEXTS // 2, seed=0)
    return [read(policy, task, example) for example in found]


def read(policy: TransformersPolicy, task: Task, example: Example) -> Text | None:
    """Find the tokens of the words by redacting each."""
    prompt = policy.chat.text(task.ask(example).conversation)
    edited = [policy.chat.text(q.conversation) for q in erasure_questions(task, example)]
    whole, *others = policy.chat.ids([prompt, *edited])
    redacted = policy.chat.tokenizer.convert_tokens_to_ids(PLACEHOLDER)
    places = []
    for ids in others:
        changed = [k for k, (a, b) in enumerate(zip(whole, ids, strict=False)) if a != b]
        if len(ids) != len(whole) or [ids[k] for k in changed] != [redacted]:
            return None
        places += changed
    return Text(task, example, prompt, tuple(places), len(whole))


def engine_ways(_: TransformersPolicy) -> dict[str, Callable[[Sequence[Text]], Values]]:
    """This toolkit through a vLLM engine."""
    from rl_faith.policies.vllm import VLLMPolicy  # noqa: PLC0415 - may be missing

    return {"rl-faith, vLLM": partial(by_us, VLLMPolicy.load("toy"))}


def by_us(policy: ScoringPolicy, texts: Sequence[Text]) -> Values:
    """This toolkit, from examples to influences."""
    policy.weights_changed()
    asked = [erasure_questions(t.task, t.example) for t in texts]
    whole = [t.task.ask(t.example) for t in texts]
    answers = iter(policy.predict([*whole, *itertools.chain(*asked)]))
    decided = list(itertools.islice(answers, len(texts)))
    return [
        [i.value for i in influences(t.example, d, list(itertools.islice(answers, len(t.places))))]
        for t, d in zip(texts, decided, strict=True)
    ]


def captum_ways(policy: TransformersPolicy) -> dict[str, Callable[[Sequence[Text]], Values]]:
    """Captum with one perturbation per forward pass, and with 16."""
    from captum.attr import FeatureAblation  # noqa: PLC0415 - may be missing

    def attribute(texts: Sequence[Text], **options: int) -> Values:
        found = []
        for t in texts:
            forward = partial(probabilities, policy, t)
            ones = torch.ones(1, len(t.places))
            label = int(forward(ones).argmax())
            scores = FeatureAblation(forward).attribute(ones, target=label, **options)
            found.append(scores[0].tolist())
        return found

    return {
        "Captum": attribute,
        "Captum, 16 per pass": partial(attribute, perturbations_per_eval=16),
    }


def inseq_ways(policy: TransformersPolicy) -> dict[str, Callable[[Sequence[Text]], Values]]:
    """Inseq with one occlusion per forward pass, and with 16."""
    import inseq  # noqa: PLC0415 - may be missing

    def label_probability(args: Any, labels: list[int]) -> torch.Tensor:
        """p(target) normalised over the tokens of `labels`."""
        probabilities = args.forward_output.logits[:, -1, labels].softmax(-1)
        return (probabilities * (args.target_ids.reshape(-1, 1) == torch.tensor(labels))).sum(-1)

    tokenizer = load_tokenizer("toy")
    # inseq occludes with the unknown token, and wants to know how texts begin.
    tokenizer.unk_token = PLACEHOLDER
    policy.model.config.bos_token_id = tokenizer.convert_tokens_to_ids("<|user|>")
    inseq.register_step_function(label_probability, "label_probability", overwrite=True)
    model = inseq.load_model(policy.model, "occlusion", tokenizer=tokenizer)

    def attribute(texts: Sequence[Text], **options: int) -> Values:
        found = []
        for t in texts:
            label = int(probabilities(policy, t, torch.ones(1, len(t.places))).argmax())
            out = model.attribute(
                t.prompt,
                t.prompt + t.task.label_words[label],
                attributed_fn="label_probability",
                labels=label_ids(policy, t.task),
                show_progress=False,
                pretty_progress=False,
                **options,
            )
            scores = out.sequence_attributions[0].target_attributions[:, 0].tolist()
            found.append([scores[place] for place in t.places])
        return found

    return {
        "inseq": attribute,
        "inseq, 16 per pass": partial(attribute, perturbations_per_eval=16),
    }


@torch.no_grad()
def probabilities(policy: TransformersPolicy, text: Text, kept: torch.Tensor) -> torch.Tensor:
    """p(label), shape (rows, labels), with the words redacted where `kept` (rows, words) is 0."""
    chats = []
    for row in kept.tolist():
        gone = {i for i, keep in enumerate(row) if not keep}
        example = text.example.edited(redact(text.example.input, gone))
        chats.append(to_chat(text.task.ask(example).conversation))
    inputs = policy.chat.tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
    )
    return policy.model(**inputs).logits[:, -1, label_ids(policy, text.task)].softmax(-1)


def label_ids(policy: TransformersPolicy, task: Task) -> list[int]:
    """The one token of each label."""
    return [policy.chat.label_ids(label)[0] for label in task.label_words]


def difference(way: str, results: dict[str, list[Values]]) -> float:
    """The largest difference of any influence from ours."""
    size = abs if way.startswith("inseq") else float
    theirs = itertools.chain(*itertools.chain(*results[way]))
    ours = itertools.chain(*itertools.chain(*results["rl-faith"]))
    return max(abs(size(a) - size(b)) for a, b in zip(theirs, ours, strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
