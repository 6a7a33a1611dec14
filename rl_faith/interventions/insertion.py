"""What is inserted into an input, and where: the shared types of the counterfactual test."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from rl_faith.tasks import Example, Task
from rl_faith.text import words

Part = Literal["train", "held_out", "all"]
PLACES = {"input": "input", "second_input": "context"}
"""What a task calls its texts -> the field of an Example that holds them."""


@dataclass(frozen=True)
class Insertion:
    """One edited input x' of the counterfactual test (Atanasova et al. 2023).

    Attributes:
        intervention: Name of what made it.
        factor: What was inserted, as written.
        example: x', whose id is "<id of x>/<intervention>-<number>".
        original: x.
        place: "input" or "context": the text that holds the factor.
        mentions: Folded forms (`rl_faith.text.fold`); one of them in a reply names the factor.
        suggested: The label word that the factor suggests, or "".
        held_out: Whether the factor is kept from training.
    """

    intervention: str
    factor: str
    example: Example
    original: Example
    place: str
    mentions: tuple[str, ...]
    suggested: str = ""
    held_out: bool = False


class Intervention(Protocol):
    """One way to disturb an input. Implementations are stateless."""

    @property
    def name(self) -> str:
        """As used in results and in the ids of edited examples."""

    def insertions(
        self, task: Task, example: Example, prediction: str, *, seed: int, part: Part = "all"
    ) -> list[Insertion]:
        """The edits of `example`, the same for the same seed and example id.

        Args:
            task: Which texts may be edited, and which labels there are.
            example: x.
            prediction: The label that the model gives x.
            seed: Which of all possible edits.
            part: Only factors that serve training, only those kept from it, or both.
        """


def edited(example: Example, place: str, text: str, *, name: str, number: int) -> Example:
    """The example with another text at `place`, under an id of its own."""
    identity = f"{example.id}/{name}-{number}"
    if place == "context":
        return replace(example, id=identity, context=text)
    return replace(example, id=identity, input=text)


def asked_words(task: Task, example: Example) -> frozenset[str]:
    """Folded words of the whole question: texts, options, label words and instruction.

    A reply may repeat them without naming what was inserted.
    """
    prompt = " ".join(message.content for message in task.ask(example).conversation)
    return frozenset(word.key for word in words(f"{prompt} {' '.join(task.label_words)}"))
