"""How long a grid takes beside the same grid through transformers' `pipeline`, one text at a time.

The grid: the embedded model on all three tasks and styles, one-word explanations, 10 test examples
a task; the self-consistency check and its random control. The loop is what one would write first:
a text-generation pipeline writes a label, the explanation, the label of the edited text and that of
the random edit, greedily; repeated questions are asked again. Reading and judging replies is the
same code on both sides. `judge_policy` alone is timed, without files.

    OMP_NUM_THREADS=1 python scripts/bench/grid.py [out.json]
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from timing import REPETITIONS, report, rows_of, save, side_by_side
from transformers import pipeline

from rl_faith.checks import Verdict
from rl_faith.evaluation.judging import judge_policy
from rl_faith.explaining import Wish
from rl_faith.policies import Policy
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.policies.usage import Usage
from rl_faith.questions import Conversation, Prediction, Question, Unanswered, to_chat
from rl_faith.recipes import ALL_TASKS
from rl_faith.styles import STYLES
from rl_faith.tasks import Task, load_examples, load_task

EXAMPLES = 10
LABEL_TOKENS, REPLY_TOKENS = 8, 64
TARGET = 5.0


class Loop:
    """A policy as one would first write it: labels are generated and read off the reply."""

    def __init__(self, policy: TransformersPolicy) -> None:
        self.pipe = pipeline("text-generation", model=policy.model, tokenizer=policy.chat.tokenizer)
        self.usage = Usage()

    def predict(self, questions: Sequence[Question]) -> list[Prediction | Unanswered]:
        """A label each, by a reply of its own."""
        found: list[Prediction | Unanswered] = []
        for question in questions:
            reply = self.say(question.conversation, LABEL_TOKENS)
            label = next((x for x in question.labels if reply.startswith(x)), None)
            found.append(certain(label, question) if label else Unanswered("no_label"))
        return found

    def generate(
        self, conversations: Sequence[Conversation], *, max_new_tokens: int
    ) -> list[str | Unanswered]:
        """A reply each."""
        return [self.say(conversation, max_new_tokens) for conversation in conversations]

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Generated labels are told apart by their text."""

    def say(self, conversation: Conversation, tokens: int) -> str:
        """The greedy reply."""
        out = self.pipe(to_chat(conversation), max_new_tokens=tokens, do_sample=False)
        return str(out[0]["generated_text"][-1]["content"]).strip()


def certain(label: str, question: Question) -> Prediction:
    """A generated label has no probability; it counts as certain."""
    return Prediction({x: 0.0 if x == label else -100.0 for x in question.labels})


def main(out: Path) -> None:
    """Measure, compare the verdicts, print and save."""
    torch.set_num_threads(1)
    print("one thread; medians of", REPETITIONS, "repetitions, ways taking turns")
    policy = TransformersPolicy.load("toy", device="cpu")
    loop = Loop(policy)
    ways = {"rl-faith": lambda _: by_us(policy), "pipeline loop": lambda _: judged(loop)}
    by_us(policy)
    seconds, results = side_by_side(ways)
    rows = rows_of(seconds, ours="rl-faith", targets={"pipeline loop": TARGET})
    for row in rows:
        pairs = list(zip(results[row["way"]][0], results["rl-faith"][0], strict=True))
        row |= {"verdicts": len(pairs), "agree": sum(a == b for a, b in pairs)}
    report(f"{EXAMPLES} examples a task, 3 tasks x 3 styles, embedded model", rows)
    save(out, {"rows": rows})


def grids() -> list[tuple[Task, list[Wish]]]:
    """Each task with the explanations wanted."""
    found = []
    for task in map(load_task, sorted(ALL_TASKS)):
        examples = load_examples(task, "test", source="toy", n=EXAMPLES, seed=0)
        found.append((task, [(e, s, "one") for e in examples for s in STYLES.values()]))
    return found


def judged(policy: Policy) -> list[Any]:
    """The whole grid."""
    verdicts = [
        verdict
        for task, wishes in grids()
        for verdict in judge_policy(policy, task, wishes, max_new_tokens=REPLY_TOKENS)
    ]
    return [told(verdict) for verdict in verdicts]


def by_us(policy: TransformersPolicy) -> list[Any]:
    """This toolkit, with nothing cached."""
    policy.weights_changed()
    return judged(policy)


def told(verdict: Verdict) -> Any:
    """What of a verdict does not hang on probabilities."""
    return verdict.case.example.id, verdict.case.style.name, verdict.status, verdict.faithful


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
