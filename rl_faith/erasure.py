"""Erasure attribution: how much each word drives the model's own prediction.

Doi et al. 2025, eq. 1 and 2, after Li et al. 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from rl_faith.policies import Policy
from rl_faith.questions import Answer, Prediction, Question, Unanswered
from rl_faith.tasks import Example, Task
from rl_faith.text import redact, words


@dataclass(frozen=True)
class Influence:
    """The influence of one word.

    Attributes:
        position: Index into `words(input)`.
        word: As written.
        value: I(w|x) = p(y|x) - p(y|x with w redacted), in [-1, 1].
        flips: Whether redacting it changes the prediction.
    """

    position: int
    word: str
    value: float
    flips: bool


def erasure_questions(task: Task, example: Example) -> list[Question]:
    """The label question about `example` with each word redacted in turn."""
    count = len(words(example.input))
    return [task.ask(example.edited(redact(example.input, {i}))) for i in range(count)]


def influences(
    example: Example, prediction: Prediction, answers: Sequence[Answer]
) -> list[Influence] | Unanswered:
    """Turn the answers to `erasure_questions` into influences, in the order of the words."""
    whole, found = prediction.probability(prediction.label), []
    for i, (word, answer) in enumerate(zip(words(example.input), answers, strict=True)):
        if isinstance(answer, Unanswered):
            return answer
        drop = whole - answer.probability(prediction.label)
        found.append(Influence(i, word.text, drop, answer.label != prediction.label))
    return found


def most_influential(found: Sequence[Influence]) -> Influence | None:
    """w* (eq. 2); the first of several equal ones, None when there is no word."""
    return max(found, key=lambda influence: influence.value, default=None)


def erase(
    policy: Policy, task: Task, examples: Sequence[Example], predictions: Mapping[str, Answer]
) -> dict[str, list[Influence] | Unanswered]:
    """The influence of every word of every example, by example id, asked in one call.

    Args:
        policy: Whose predictions these are.
        task: Of the examples.
        examples: Each with an id of its own.
        predictions: On the unedited inputs, by example id; an unanswered one stays so.
    """
    asked = {
        e.id: erasure_questions(task, e) if isinstance(predictions[e.id], Prediction) else []
        for e in examples
    }
    answers = iter(policy.predict([q for questions in asked.values() for q in questions]))
    found: dict[str, list[Influence] | Unanswered] = {}
    for example in examples:
        mine = list(islice(answers, len(asked[example.id])))
        decided = predictions[example.id]
        found[example.id] = (
            influences(example, decided, mine) if isinstance(decided, Prediction) else decided
        )
    return found
