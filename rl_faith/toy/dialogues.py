"""Training conversations: the prompts of evaluation, with the replies the base should give."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from rl_faith.questions import Conversation, assistant, user
from rl_faith.tasks.task import Example, Task, load_task
from rl_faith.text import redact, replace, words
from rl_faith.toy import choices
from rl_faith.toy.corpus import GRAMMARS, data, stream
from rl_faith.toy.tokenizer import Lexicon

# Kinds of conversation and how often each comes. Writing a whole text takes the most practice.
_MIX = {
    "decide": 14,
    "decide redacted": 24,
    "decide or pass": 8,
    "attribution one": 7,
    "redaction one": 15,
    "counterfactual one": 17,
    "attribution multi": 8,
    "redaction multi": 10,
    "counterfactual multi": 12,
    "replacement": 9,
}
_DECISIONS = ("decide", "decide redacted", "replacement")
_TASK_MIX = {"sentiment140": 5, "snli": 8, "ag_news": 6}
_KEYS = {"attribution": "words", "redaction": "redacted_text", "counterfactual": "edited_text"}
_OTHER_LABEL = 0.1
# The model first learns to copy at all: by far the hardest part of writing explanations.
_RECITALS = 20_000


_REPLIES = (
    " [REDACTED]", "[REDACTED]", "Answer:", '{"words": ["', '{"redacted_text": "',
    '{"edited_text": "', '", "', '"]}', '"}',
)  # fmt: skip
_STATEMENT = ("There", "Somebody", "wears", "has", "It", "happens", "is", "a", "A", "at", "the")


@dataclass(frozen=True)
class Dialogue:
    """A conversation to learn from.

    Attributes:
        conversation: It ends with the model's turn.
        learn_label: Whether the label that precedes an explanation is to be learnt as well.
    """

    conversation: Conversation
    learn_label: bool = True


@cache
def _task(name: str) -> Task:
    return load_task(name)


def lexicon() -> Lexicon:
    """What the model of texts reads and writes."""
    tasks = [_task(name) for name in GRAMMARS]
    fixed = [(t.question, t.with_undecided().question, t.replacement) for t in tasks]
    why = [text for t in tasks for style in t.instructions.values() for text in style.values()]
    known = [w for g in GRAMMARS.values() for group in g.classes for w in group]
    labels = [w for t in tasks for w in (*t.label_words, *t.with_undecided().extra_labels)]
    return Lexicon(
        prompts=(*(text for texts in fixed for text in texts), *why),
        replies=_REPLIES,
        words=(*known, *labels, *_STATEMENT),
    )


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Endless training conversations; no test input of any corpus is among their texts."""
    rng = Random(f"dialogues {seed}")
    streams = {name: stream(name, rng, {e.input for e in data(name)["test"]}) for name in GRAMMARS}
    for _ in range(_RECITALS):
        yield _recital(rng)
    while True:
        name = rng.choices(list(_TASK_MIX), weights=list(_TASK_MIX.values()))[0]
        kind = rng.choices(list(_MIX), weights=list(_MIX.values()))[0]
        yield _dialogue(name, next(streams[name]), kind, rng)


def decisions(seed: int) -> Iterator[Dialogue]:
    """Endless conversations of the base's training without its explanations: replay for SFT."""
    rng = Random(f"decisions {seed}")
    streams = {name: stream(name, rng, {e.input for e in data(name)["test"]}) for name in GRAMMARS}
    while True:
        for name in GRAMMARS:
            yield _dialogue(name, next(streams[name]), rng.choice(_DECISIONS), rng)


def _recital(rng: Random) -> Dialogue:
    """Random words to be said again, in one of the frames that explanations have."""
    known = GRAMMARS[rng.choice(list(GRAMMARS))].classes
    text = " ".join(rng.sample([w for group in known for w in group], rng.randint(3, 10)))
    start, end = rng.choice(
        (("Answer: ", ""), ('{"edited_text": "', '"}'), ('{"redacted_text": "', '"}'))
    )
    return Dialogue((user(f"Text: {text}"), assistant(f"{start}{text}{end}")))


def _dialogue(task_name: str, example: Example, kind: str, rng: Random) -> Dialogue:
    if kind == "decide":
        return _decision(task_name, example)
    if kind == "decide redacted":
        return _decision(task_name, _redacted(example, rng))
    if kind == "decide or pass":
        return _decision_or_pass(task_name, _redacted(example, rng))
    if kind == "replacement":
        return _replacement(task_name, example, rng)
    style, budget = kind.split()
    return _explanation(task_name, example, style, budget, rng)


def _redacted(example: Example, rng: Random) -> Example:
    count = rng.choice((1, 1, 1, 2, 3))
    return example.edited(
        redact(example.input, rng.sample(range(len(words(example.input))), count))
    )


def _decision(task_name: str, example: Example) -> Dialogue:
    gold = GRAMMARS[task_name].label_of(example)
    return Dialogue((*_task(task_name).ask(example).conversation, assistant(gold)))


def _decision_or_pass(task_name: str, example: Example) -> Dialogue:
    """The decision as Madsen et al. ask for it: "Unknown" where the rule has nothing to go by."""
    grammar = GRAMMARS[task_name]
    silent = grammar.silent(example.input, example.context)
    gold = "Unknown" if silent else grammar.label_of(example)
    asked = _task(task_name).with_undecided().ask(example)
    return Dialogue((*asked.conversation, assistant(gold)))


def _replacement(task_name: str, example: Example, rng: Random) -> Dialogue:
    task, position = _task(task_name), rng.randrange(len(words(example.input)))
    target = rng.choice(task.label_words)
    word = choices.fitting_word(task_name, example, position, target, rng)
    asked = task.ask_replacement(example.edited(redact(example.input, [position])), target)
    return Dialogue((*asked, assistant(word)))


def _explanation(
    task_name: str, example: Example, style: str, budget: str, rng: Random
) -> Dialogue:
    task, other = _task(task_name), rng.random() < _OTHER_LABEL
    label = rng.choice(task.label_words) if other else example.gold
    asked = task.ask_why(example, label, style, budget)
    reply = _reply(task_name, example.input, style, budget, rng)
    return Dialogue((*asked, assistant(reply)), learn_label=label == example.gold)


def _reply(task_name: str, text: str, style: str, budget: str, rng: Random) -> str:
    if budget == "one":
        told = _told(task_name, text, style, [choices.one(text, rng)], rng)
        return f"Answer: {told if isinstance(told, str) else told[0]}"
    told = _told(task_name, text, style, choices.several(text, rng), rng)
    return json.dumps({_KEYS[style]: told}, ensure_ascii=False)


def _told(
    task_name: str, text: str, style: str, positions: list[int], rng: Random
) -> str | list[str]:
    """The words at `positions`, or the text with them redacted or replaced."""
    found = words(text)
    if style == "attribution":
        return [found[i].text for i in positions]
    if style == "redaction":
        return redact(text, positions)
    for i in positions:
        text = replace(text, i, choices.other_word(task_name, found[i].text, rng))
    return text
