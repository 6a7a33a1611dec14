"""Pseudo-faithful explanations: built from the word that drives the model's own prediction.

Doi et al. 2025, section 3.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rl_faith.erasure import Influence
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Conversation, Prediction, Unanswered
from rl_faith.styles import Budget, Invalid, Style
from rl_faith.styles.reply import answer_of, unquoted
from rl_faith.tasks import Example, Task
from rl_faith.text import fold, redact, words

_WORD_TOKENS = 16


@dataclass(frozen=True)
class Source:
    """What the explanations of one example are built from.

    Attributes:
        position: Of the word they are about, an index into `words(example.input)`.
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


def find_sources(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    predictions: Mapping[str, Answer],
    chosen: Mapping[str, Influence | Unanswered],
) -> dict[str, Source | Unanswered]:
    """Ask the model for the replacements of the chosen words, all in one call.

    Args:
        policy: Whose predictions are explained.
        task: Of the examples.
        examples: Each with an id of its own.
        predictions: On the unedited inputs, by example id.
        chosen: The word that each explanation shall be about, or why there is none, by example id.
    """
    asked = {
        e.id: replacement_question(task, e, decided, word.position)
        for e in examples
        if isinstance(word := chosen[e.id], Influence)
        and isinstance(decided := predictions[e.id], Prediction)
    }
    said = policy.generate(list(asked.values()), max_new_tokens=_WORD_TOKENS)
    told = dict(zip(asked, said, strict=True))
    return {e.id: _source(task, chosen[e.id], told.get(e.id)) for e in examples}


def _source(
    task: Task, word: Influence | Unanswered, said: str | Unanswered | None
) -> Source | Unanswered:
    if isinstance(word, Unanswered):
        return word
    if not isinstance(said, str):
        return Source(
            word.position, word.value, Invalid("too_long", "the model could not be asked")
        )
    return Source(word.position, word.value, read_replacement(said, task, word.word))


def construct(style: Style, example: Example, source: Source, budget: Budget) -> str | Invalid:
    """The reply that a model faithful in this style would give."""
    if style.name != "counterfactual":
        return style.express(example.input, source.position, "", budget)
    if isinstance(source.replacement, Invalid):
        return source.replacement
    return style.express(example.input, source.position, source.replacement, budget)
