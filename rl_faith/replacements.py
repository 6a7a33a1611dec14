"""Words that stand in a counterfactual for those of the input: asked of the model, or tried on it.

Asking is Doi et al. 2025 (Table 13, App. B). Trying is ours, for models that cannot propose a word.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

from rl_faith.erasure import Influence
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Conversation, Prediction, Unanswered
from rl_faith.styles import Invalid
from rl_faith.styles.reply import answer_of, unquoted
from rl_faith.tasks import Example, Task
from rl_faith.text import fold, redact, replace, words

Place = tuple[str, int]
"""A word of an example: the example's id, and the word's position."""

Typical = Mapping[str, Sequence[str]]
"""By label, the words that are typical of it."""

NOT_ASKED = Invalid("too_long", "the model could not be asked")
_NONE_TYPICAL = Invalid("no_typical_word", "no other word of the examples is typical of the label")

_WORD_TOKENS = 16
_TYPICAL = 8
_PRIOR = 1.0


@dataclass(frozen=True)
class Chosen:
    """The words that explanations shall be about.

    Attributes:
        task: Of the examples.
        examples: Each with an id of its own.
        predictions: On the unedited inputs, by example id.
        words: Of each example, or why it has none, by example id.
    """

    task: Task
    examples: Sequence[Example]
    predictions: Mapping[str, Answer]
    words: Mapping[str, Sequence[Influence] | Unanswered]

    def places(self) -> Iterator[tuple[Example, Prediction, Influence]]:
        """Every chosen word of the examples that could be asked about."""
        for example in self.examples:
            decided, found = self.predictions[example.id], self.words[example.id]
            if isinstance(decided, Prediction) and not isinstance(found, Unanswered):
                yield from ((example, decided, word) for word in found)


def asked_for(policy: Policy, chosen: Chosen) -> dict[Place, str | Invalid]:
    """The model's own word for each chosen one, asked in one call, or why it cannot be used."""
    task, places = chosen.task, list(chosen.places())
    asked = [replacement_question(task, e, decided, word.position) for e, decided, word in places]
    said = policy.generate(asked, max_new_tokens=_WORD_TOKENS)
    return {
        (e.id, word.position): _read(reply, task, word.word)
        for (e, _, word), reply in zip(places, said, strict=True)
    }


def replacement_question(
    task: Task, example: Example, prediction: Prediction, position: int
) -> Conversation:
    """Ask for a word that would make the second most probable label likely (Doi, Table 13)."""
    redacted = example.edited(redact(example.input, {position}))
    return task.ask_replacement(redacted, prediction.ranked()[1])


def _read(said: str | Unanswered, task: Task, old: str) -> str | Invalid:
    if isinstance(said, Unanswered):
        return NOT_ASKED
    return read_replacement(said, task, old)


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


def typical_words(task: Task, examples: Sequence[Example]) -> dict[str, list[str]]:
    """For each label the eight words most typical of the examples that have it.

    By the log odds of standing in a text with the label against one without, over their standard
    error, with one occurrence of each word added on both sides: a word seen twice is not typical.
    Monroe et al. 2008, eq. 15 to 22.
    """
    seen: dict[str, Counter[str]] = {label: Counter() for label in task.label_words}
    for example in examples:
        seen[example.gold].update({word.key for word in words(example.input)})
    all_seen = sum(seen.values(), Counter[str]())
    usable = [key for key in all_seen if isinstance(read_replacement(key, task, ""), str)]
    return {label: _most_typical(mine, all_seen, usable) for label, mine in seen.items()}


def _most_typical(mine: Counter[str], all_seen: Counter[str], usable: Sequence[str]) -> list[str]:
    # Once for all words: a build of full size has tens of thousands of them.
    added = len(all_seen) * _PRIOR
    here, there = mine.total() + added, all_seen.total() - mine.total() + added

    def log_odds(key: str) -> float:
        """How far the word is more frequent here than there, in standard errors."""
        a, b = mine[key] + _PRIOR, all_seen[key] - mine[key] + _PRIOR
        return (log(a / (here - a)) - log(b / (there - b))) / sqrt(1 / a + 1 / b)

    return sorted(usable, key=lambda key: (-log_odds(key), key))[:_TYPICAL]


def tried(policy: Policy, chosen: Chosen, typical: Typical) -> dict[Place, str | Invalid]:
    """For each chosen word the typical one that makes the second label likeliest.

    Each is put in the word's place and the label question asked again, all in one call.
    """
    trials = [
        _Trial((e.id, word.position), target, new, e.edited(replace(e.input, word.position, new)))
        for e, decided, word in chosen.places()
        for target in decided.ranked()[1:2]
        for new in typical[target]
        if fold(new) != fold(word.word)
    ]
    answers = policy.predict([chosen.task.ask(trial.edited) for trial in trials])
    untried = {(e.id, word.position): _NONE_TYPICAL for e, _, word in chosen.places()}
    return untried | _likeliest(zip(trials, answers, strict=True))


@dataclass(frozen=True)
class _Trial:
    place: Place
    target: str
    new: str
    edited: Example


def _likeliest(trials: Iterable[tuple[_Trial, Answer]]) -> dict[Place, str | Invalid]:
    """The best word for each place; the first of several equal ones."""
    found: dict[Place, str | Invalid] = {}
    most: dict[Place, float] = {}
    for trial, answer in trials:
        found.setdefault(trial.place, NOT_ASKED)
        if isinstance(answer, Prediction):
            likely = answer.probability(trial.target)
            if likely > most.get(trial.place, -1.0):
                most[trial.place], found[trial.place] = likely, trial.new
    return found
