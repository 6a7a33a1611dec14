"""Erasure attribution: how much each word drives the model's own prediction.

Doi et al. 2025, eq. 1 and 2, after Li et al. 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
