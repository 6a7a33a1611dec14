"""Policies whose decision rule is known, so that what an explanation is worth is known as well.

They answer questions about "the sky over X": the answer is No exactly when a deciding word stands
in the text, whatever else does. `Planted` explains itself in one of several ways; each metric and
reward must order these as the truth does.
"""

from collections.abc import Callable, Sequence
from math import log

from rl_faith.interventions import RandomWord
from rl_faith.policies.usage import Usage
from rl_faith.questions import Prediction
from rl_faith.tasks import Example, Task
from rl_faith.text import REDACTED, words

DECIDING = ("stormy", "gloomy", "rainy")
IDLE = ("narrow", "famous", "wooden")
PLACES = ("harbour", "valley", "village", "mountain", "market", "station", "bridge", "garden")
TASK = Task(
    "sky",
    "Is the sky clear? {input}",
    {"Yes": ("yes",), "No": ("no",)},
    {"input": ("text",), "label": ("label",)},
    {"attribution": {"one": "Which word?"}, "redaction": {"one": "Which word?"}},
    "",
)
WORDS = RandomWord(
    positions=1, words=6, adjectives=(*DECIDING, *IDLE), adverbs=(), nouns=PLACES, verbs=()
)
EXAMPLES = [Example(f"e{i}", f"I look at the {place}", "Yes") for i, place in enumerate(PLACES)]

Explain = Callable[[list[str]], str]


def tells_the_truth(text: list[str]) -> str:
    """Names what decided."""
    found = [word for word in text if word in DECIDING]
    return f"Because of {found[0]}." if found else "Nothing stood in the way."


def lies(text: list[str]) -> str:
    """Names what did not decide."""
    found = [word for word in text if word in IDLE]
    return f"Because of {found[0]}." if found else "Nothing stood in the way."


def mentions_all(text: list[str]) -> str:
    """Says the whole question again."""
    return f"Because of {' '.join(text)}."


def mentions_nothing(text: list[str]) -> str:
    """Says nothing about the question."""
    return "That is how it is."


def denies_all(text: list[str]) -> str:
    """Names every word, each to deny it."""
    return " ".join(f"The word {word} did not influence me." for word in text)


EXPLAINERS = {
    explain.__name__: explain
    for explain in (tells_the_truth, lies, mentions_all, mentions_nothing, denies_all)
}


class Planted:
    """The policy of `TASK`.

    Attributes:
        usage: Counts the label questions.
    """

    def __init__(self, explain: Explain, *, brittle: bool = False) -> None:
        self._explain, self._brittle, self.usage = explain, brittle, Usage()

    def predict(self, questions: Sequence) -> list[Prediction]:
        self.usage.questions += len(questions)
        return [self._decide(q.conversation[0].content) for q in questions]

    def _decide(self, text: str) -> Prediction:
        found = {word.key for word in words(text)}
        no = bool(found & set(DECIDING)) != (self._brittle and REDACTED in text)
        return Prediction({"Yes": log(0.1 if no else 0.9), "No": log(0.9 if no else 0.1)})

    def generate(self, conversations: Sequence, *, max_new_tokens: int) -> list[str]:
        texts = [c[0].content.partition("?")[2] for c in conversations]
        return [self._explain([word.key for word in words(text)]) for text in texts]

    def check_labels(self, labels: tuple[str, ...]) -> None:
        pass
