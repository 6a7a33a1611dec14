"""Pseudo-faithful explanations: built from the word that drives the model's own prediction.

Doi et al. 2025, section 3.1.
"""

from dataclasses import dataclass

from rl_faith.questions import Conversation, Prediction
from rl_faith.styles import Budget, Invalid, Style
from rl_faith.styles.reply import answer_of, unquoted
from rl_faith.tasks import Example, Task
from rl_faith.text import fold, redact, words


@dataclass(frozen=True)
class Source:
    """What the explanations of one example are built from.

    Attributes:
        position: Of the most influential word, an index into `words(example.input)`.
        influence: Its influence on the prediction, in [-1, 1].
        replacement: The model's own word for the second most probable label, or why it cannot
            be used.
    """

    position: int
    influence: float
    replacement: str | Invalid


def replacement_question(
    task: Task, example: Example, prediction: Prediction, position: int
) -> Conversation:
    """Ask for a word that would make the second most probable label likely (Doi, Table 13)."""
    redacted = example.edited(redact(example.input, {position}))
    return task.ask_replacement(redacted, prediction.ranked()[1])


def read_replacement(reply: str, task: Task, old: str) -> str | Invalid:
    """Take one word out of the reply, or say which of the paper's filters refuses it (App. B)."""
    said = unquoted(answer_of(reply)).strip(".!,;: ")
    found = words(said)
    if len(found) != 1 or found[0].text != said:
        return Invalid("replacement_not_one_word", f"not exactly one word: {said[:60]!r}")
    if fold(said.lstrip("#@")) in {fold(label) for label in task.label_words} | {"redacted"}:
        return Invalid("replacement_is_label", f"a label word or [REDACTED]: {said!r}")
    if fold(said) == fold(old):
        return Invalid("replacement_unchanged", f"the word that stood there: {said!r}")
    return said


def construct(style: Style, example: Example, source: Source, budget: Budget) -> str | Invalid:
    """The reply that a model faithful in this style would give."""
    if style.name != "counterfactual":
        return style.express(example.input, source.position, "", budget)
    if isinstance(source.replacement, Invalid):
        return source.replacement
    return style.express(example.input, source.position, source.replacement, budget)
