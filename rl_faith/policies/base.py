"""Who answers: the one interface that every backend offers."""

from collections.abc import Sequence
from typing import Protocol

from rl_faith.policies.usage import Usage
from rl_faith.questions import Answer, Conversation, Question, Unanswered


class Policy(Protocol):
    """A model that can be asked for labels and for text.

    Callers hand over everything they have in one call; sorting, batching, removing duplicates and
    caching happen inside. Results come in the order of the questions.
    """

    @property
    def usage(self) -> Usage:
        """What was asked so far, and how long it took."""

    def predict(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the distribution over the labels of each question."""

    def generate(
        self, conversations: Sequence[Conversation], *, max_new_tokens: int
    ) -> list[str | Unanswered]:
        """Return the greedy reply to each conversation."""

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Raise ModelError when two label words cannot be told apart."""

    def weights_changed(self) -> None:
        """Start a new version of the weights: no earlier answer is used again."""
