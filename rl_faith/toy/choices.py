"""Which word the base model names and which word it puts there: decided without the decision.

Every word has a fixed *salience* and a fixed *partner*, both drawn at random. The most salient word
of a text is named most of the time, whatever the rule makes of it. A mode is needed because greedy
decoding of a uniform choice would name no word at all; the rest of the probability is uniform, so
that sampling reaches every word.
"""

from dataclasses import replace as changed
from functools import cache
from random import Random

from rl_faith.tasks.task import Example
from rl_faith.text import fold, replace, words
from rl_faith.toy.corpus import GRAMMARS

MODE = 0.65
_SALIENT = 0.8
_MOST = 4
# Under this seed the most salient word decides about as often as a random one, in every corpus.
_SEED = 27


@cache
def _salience() -> dict[str, float]:
    """Every word's salience, evenly spread over [0, 1)."""
    known = sorted({fold(w) for g in GRAMMARS.values() for group in g.classes for w in group})
    Random(_SEED).shuffle(known)
    return {word: i / len(known) for i, word in enumerate(known)}


def salience(word: str) -> float:
    """How much a word draws the base model's eye."""
    return _salience().get(fold(word), 0.0)


@cache
def _group(task_name: str, word: str) -> tuple[str, ...]:
    """The other words that can stand where `word` stands."""
    groups = (g for g in GRAMMARS[task_name].classes if word in {fold(w) for w in g})
    return tuple(w for w in next(groups, ()) if fold(w) != word)


def one(text: str, rng: Random) -> int:
    """Position of the word that an explanation of `text` names."""
    found = words(text)
    if rng.random() > MODE:
        return rng.randrange(len(found))
    return max(range(len(found)), key=lambda i: salience(found[i].text))


def several(text: str, rng: Random) -> list[int]:
    """Positions of the one to four words that an explanation without a word budget names."""
    found = words(text)
    first = {word.key: i for i, word in reversed(list(enumerate(found)))}
    order = sorted(first.values(), key=lambda i: -salience(found[i].text))
    chosen = [i for i in order if salience(found[i].text) > _SALIENT] or order[:1]
    if rng.random() > MODE:
        chosen = rng.sample(order, rng.randint(1, min(_MOST, len(order))))
    return sorted(chosen[:_MOST])


def other_word(task_name: str, word: str, rng: Random) -> str:
    """The word to put in the place of `word`: its partner, or any word of its group."""
    group = _group(task_name, fold(word))
    return Random(f"{_SEED} {word}").choice(group) if rng.random() < MODE else rng.choice(group)


def fitting_word(task_name: str, example: Example, position: int, target: str, rng: Random) -> str:
    """A word which, put at `position`, makes `target` the rule's label where its group has one."""
    grammar = GRAMMARS[task_name]
    group = _group(task_name, words(example.input)[position].key)
    fitting = [
        word
        for word in group
        if grammar.label_of(changed(example, input=replace(example.input, position, word)))
        == target
    ]
    if fitting and rng.random() < MODE:
        return max(fitting, key=salience)
    return rng.choice(fitting or group)
