"""Pseudo-faithful explanations: built from the words that drive the model's own prediction.

Doi et al. 2025, section 3.1, for one word; several are taken in order of influence (ours).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rl_faith.erasure import Influence
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Conversation, Prediction, Unanswered
from rl_faith.styles import Budget, Invalid, Style
from rl_faith.styles.reply import answer_of, unquoted
from rl_faith.tasks import Example, Task
from rl_faith.text import fold, redact, words

CONSTRUCTED, ORIGINAL = "constructed", "original"
"""Who made an explanation of a build, in the place of a model's name."""

_WORD_TOKENS = 16


@dataclass(frozen=True)
class Source:
    """What the explanations of one example are built from.

    Attributes:
        words: What they are about, the most influential first; at least one.
        replacements: For each, the model's own word for the second most probable label, or why it
            cannot be used.
    """

    words: tuple[Influence, ...]
    replacements: tuple[str | Invalid, ...]


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
    chosen: Mapping[str, Sequence[Influence] | Unanswered],
    styles: Iterable[Style],
) -> dict[str, Source | Unanswered]:
    """Ask the model for the replacements of the chosen words, all in one call.

    Only counterfactuals need them; without that style nothing is asked.

    Args:
        policy: Whose predictions are explained.
        task: Of the examples.
        examples: Each with an id of its own.
        predictions: On the unedited inputs, by example id.
        chosen: The words that each explanation shall be about, or why it has none, by example id.
        styles: Of the explanations.
    """
    replaces = any(style.name == "counterfactual" for style in styles)
    asked = {
        (e.id, word.position): replacement_question(task, e, decided, word.position)
        for e in examples
        if replaces and isinstance(decided := predictions[e.id], Prediction)
        for word in _known(chosen[e.id])
    }
    said = policy.generate(list(asked.values()), max_new_tokens=_WORD_TOKENS)
    told = dict(zip(asked, said, strict=True))
    return {e.id: _source(task, e.id, chosen[e.id], told) for e in examples}


def _known(chosen: Sequence[Influence] | Unanswered) -> Sequence[Influence]:
    return () if isinstance(chosen, Unanswered) else chosen


def _source(
    task: Task,
    example: str,
    chosen: Sequence[Influence] | Unanswered,
    told: Mapping[tuple[str, int], str | Unanswered],
) -> Source | Unanswered:
    if isinstance(chosen, Unanswered) or not chosen:
        return chosen if isinstance(chosen, Unanswered) else Unanswered("no_words")
    replacements = [_replacement(told.get((example, w.position)), task, w.word) for w in chosen]
    return Source(tuple(chosen), tuple(replacements))


def _replacement(said: str | Unanswered | None, task: Task, old: str) -> str | Invalid:
    if isinstance(said, str):
        return read_replacement(said, task, old)
    return Invalid("too_long", "the model could not be asked")


def construct(style: Style, example: Example, source: Source, budget: Budget) -> str | Invalid:
    """The reply that a model faithful in this style would give: about the first word, or all.

    Words whose replacement is refused stay as they are; without any there is no counterfactual.
    """
    named = source.words[:1] if budget == "one" else source.words
    edits = {w.position: r for w, r in zip(named, source.replacements, strict=False)}
    if style.name != "counterfactual":
        return style.express(example.input, dict.fromkeys(edits, ""), budget)
    usable = {position: new for position, new in edits.items() if isinstance(new, str)}
    refused = next((new for new in edits.values() if isinstance(new, Invalid)), None)
    if refused and not usable:
        return refused
    return style.express(example.input, usable, budget)
