"""Erasure attribution: how much each word drives the model's own prediction.

Doi et al. 2025, eq. 1 and 2, after Li et al. 2017.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from rl_faith.policies import Policy
from rl_faith.questions import Answer, Prediction, Question, Unanswered
from rl_faith.tasks import Example, Task
from rl_faith.text import redact, words

_MOST_TOGETHER = 5


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


def erasure_questions(
    task: Task, example: Example, positions: Sequence[int] | None = None
) -> list[Question]:
    """The label question with each word redacted in turn, or each of those at `positions`."""
    chosen = range(len(words(example.input))) if positions is None else positions
    return [task.ask(example.edited(redact(example.input, {i}))) for i in chosen]


def influences(
    example: Example,
    prediction: Prediction,
    answers: Sequence[Answer],
    positions: Sequence[int] | None = None,
) -> list[Influence] | Unanswered:
    """Turn the answers to `erasure_questions` into influences, in the order of the questions."""
    whole, found = prediction.probability(prediction.label), []
    texts = list(enumerate(words(example.input)))
    asked = texts if positions is None else [texts[i] for i in positions]
    for (i, word), answer in zip(asked, answers, strict=True):
        if isinstance(answer, Unanswered):
            return answer
        drop = whole - answer.probability(prediction.label)
        found.append(Influence(i, word.text, drop, answer.label != prediction.label))
    return found


def most_influential(found: Sequence[Influence]) -> Influence | None:
    """w* (eq. 2); the first of several equal ones, None when there is no word."""
    return max(found, key=lambda influence: influence.value, default=None)


def erase(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    predictions: Mapping[str, Answer],
    *,
    drawn: str | None = None,
) -> dict[str, list[Influence] | Unanswered]:
    """The influence of every word of every example, by example id, asked in one call.

    Args:
        policy: Whose predictions these are.
        task: Of the examples.
        examples: Each with an id of its own.
        predictions: On the unedited inputs, by example id; an unanswered one stays so.
        drawn: Erase one word of each example instead, drawn by this seed.
    """
    chosen = {e.id: _positions(e, drawn) for e in examples}
    asked = {
        e.id: erasure_questions(task, e, chosen[e.id])
        if isinstance(predictions[e.id], Prediction)
        else []
        for e in examples
    }
    answers = iter(policy.predict([q for questions in asked.values() for q in questions]))
    found: dict[str, list[Influence] | Unanswered] = {}
    for example in examples:
        mine = list(islice(answers, len(asked[example.id])))
        decided = predictions[example.id]
        found[example.id] = (
            influences(example, decided, mine, chosen[example.id])
            if isinstance(decided, Prediction)
            else decided
        )
    return found


def _positions(example: Example, drawn: str | None) -> Sequence[int] | None:
    every = range(len(words(example.input)))
    if drawn is None or not every:
        return None
    return [random.Random(f"{drawn}-{example.id}").choice(every)]


def leading_words(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    predictions: Mapping[str, Answer],
    erased: Mapping[str, list[Influence] | Unanswered],
) -> dict[str, list[Influence] | Unanswered]:
    """The fewest words that change the prediction together, taken in order of influence (ours).

    At most five, the most that Doi et al. look at (Figure 2); where five change nothing, the first
    word alone, for the others add nothing that could be seen.

    Args:
        policy: Whose predictions these are.
        task: Of the examples.
        examples: Each with an id of its own.
        predictions: On the unedited inputs, by example id.
        erased: What `erase` found.
    """
    ranked = {key: _ranked(found) for key, found in erased.items()}
    asked = {e.id: _together(task, e, ranked[e.id]) for e in examples}
    answers = iter(policy.predict([q for questions in asked.values() for q in questions]))
    return {
        e.id: _fewest(ranked[e.id], predictions[e.id], list(islice(answers, len(asked[e.id]))))
        for e in examples
    }


def _ranked(found: list[Influence] | Unanswered) -> list[Influence] | Unanswered:
    """The most influential words, no more than shall be named together."""
    if isinstance(found, Unanswered):
        return found
    return sorted(found, key=lambda influence: -influence.value)[:_MOST_TOGETHER]


def _together(task: Task, example: Example, ranked: list[Influence] | Unanswered) -> list[Question]:
    """About the first two words redacted, the first three, ...; none where one is enough."""
    if isinstance(ranked, Unanswered) or not ranked or ranked[0].flips:
        return []
    positions = [influence.position for influence in ranked]
    heads = [set(positions[:n]) for n in range(2, len(positions) + 1)]
    return [task.ask(example.edited(redact(example.input, head))) for head in heads]


def _fewest(
    ranked: list[Influence] | Unanswered, decided: Answer, answers: Sequence[Answer]
) -> list[Influence] | Unanswered:
    """As many words as change the decision; the first answer is about two of them."""
    if isinstance(ranked, Unanswered):
        return ranked
    for count, answer in enumerate(answers, 2):
        if isinstance(answer, Unanswered):
            return answer
        if isinstance(decided, Prediction) and answer.label != decided.label:
            return ranked[:count]
    return ranked[:1]
