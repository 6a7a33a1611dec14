"""How a decision is explained: what a parsed reply is, and what every style can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Budget = Literal["one", "multi"]
DELETION = "DELETION*"
"""Stands among the words of a counterfactual for a word taken out (Doi, Table 6)."""


@dataclass(frozen=True)
class Explanation:
    """A reply that counts: the edit it stands for.

    Attributes:
        edited: The input as the explanation edits it.
        words: The words listed, redacted, or brought in (`DELETION*` where one was taken out).
        count: Number of words listed or redacted, or the word-level edit distance.
    """

    edited: str
    words: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Invalid:
    """A reply that does not count, and why.

    Attributes:
        reason: A short fixed name, for counting.
        detail: What was found, for reading.
    """

    reason: str
    detail: str


class Style(Protocol):
    """One way to explain a decision. Implementations are stateless."""

    name: str

    def parse(self, reply: str, text: str, labels: tuple[str, ...]) -> Explanation | Invalid:
        """Read a reply about the input `text`; never raises."""

    def express(self, text: str, edits: Mapping[int, str], budget: Budget) -> str:
        """The reply that names the words at the positions of `edits` (Doi, section 3.1).

        Args:
            text: The input.
            edits: Position to replacement, the most important first; only counterfactuals use the
                replacements.
            budget: How the request puts it.
        """

    def single_edits(self, text: str) -> dict[int, str]:
        """Every edit of `text` that one redacted word can make in this style.

        Returns:
            By the word's index in `words(text)`; the first where all its places are redacted.
        """

    def moved_edits(self, text: str, explanation: Explanation) -> list[str]:
        """The edit of one word made at each other word; none where random edits are just that."""


def check_count(parsed: Explanation | Invalid, budget: Budget) -> Explanation | Invalid:
    """Apply the word-number condition: exactly one word in the one-word setting (Doi, 3.3)."""
    if isinstance(parsed, Explanation) and budget == "one" and parsed.count != 1:
        return Invalid("word_count", f"{parsed.count} words instead of one")
    return parsed
