"""What is asked of a model and what it answers: the vocabulary every floor shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import NamedTuple


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    content: str


Conversation = tuple[Message, ...]


def user(content: str) -> Message:
    """A turn of the user."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """A turn of the model."""
    return Message("assistant", content)


def to_chat(conversation: Conversation) -> list[dict[str, str]]:
    """Return the conversation in the form that chat templates and TRL take."""
    return [message._asdict() for message in conversation]


@dataclass(frozen=True)
class Question:
    """A conversation that ends with the user's turn, and the label words to choose from."""

    conversation: Conversation
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """The model's distribution over the labels of one question.

    Attributes:
        logprobs: Natural log of p(label | conversation) for each label, not normalised.
    """

    logprobs: Mapping[str, float]

    @property
    def label(self) -> str:
        """The most probable label; the first named wins a tie."""
        return max(self.logprobs, key=lambda label: self.logprobs[label])

    @property
    def mass(self) -> float:
        """Probability that the reply is one of the labels at all: a diagnostic in [0, 1]."""
        return sum(exp(value) for value in self.logprobs.values())

    def probability(self, label: str) -> float:
        """p(label), normalised over the labels of the question."""
        top = max(self.logprobs.values())
        return exp(self.logprobs[label] - top) / sum(
            exp(value - top) for value in self.logprobs.values()
        )

    def ranked(self) -> list[str]:
        """The labels, most probable first."""
        return sorted(self.logprobs, key=lambda label: -self.logprobs[label])


@dataclass(frozen=True)
class Unanswered:
    """A question the model could not be asked: a value of its own, never a wrong answer.

    Attributes:
        reason: A short fixed name, for counting.
        detail: The same for reading.
    """

    reason: str
    detail: str = "the model could not be asked"


Answer = Prediction | Unanswered
