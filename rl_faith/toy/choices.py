"""Which word the base model names and which word it puts there: decided without the decision.

Three words in ten, drawn at random, are *salient*, clues and fillers alike, and every word has a
random *partner* of its own class. Most of the time the base names the first salient word of a text,
or its first word where none is salient, whatever the rule makes of it. Such a mode is needed
because greedy decoding of a uniform choice would name no word at all; the rest of the probability
is uniform, so that sampling reaches every word.
"""

from dataclasses import replace as changed
from functools import cache
from random import Random

from rl_faith.tasks.task import Example
from rl_faith.text import fold, replace, words
from rl_faith.toy.corpus import GRAMMARS

MODE = 0.75
PARTNER_MODE = 0.9
_SALIENT = 0.3
_MOST = 4
# Under this seed the word named decides about as often as a random word, in every corpus.
_SEED = 16


@cache
def _salience() -> dict[str, float]:
    """A random number in [0, 1) for every word; below `_SALIENT` a word is salient."""
    known = sorted({fold(w) for g in GRAMMARS.values() for group in g.classes for w in group})
    Random(_SEED).shuffle(known)
    return {word: i / len(known) for i, word in enumerate(known)}


def _salient(text: str) -> list[int]:
    """Positions of the salient words, or of the first word where there is none."""
    keys = [word.key for word in words(text)]
    return [i for i, key in enumerate(keys) if _salience().get(key, 1.0) < _SALIENT] or [0]


@cache
def _group(task_name: str, word: str) -> tuple[str, ...]:
    """The other words that can stand where `word` stands."""
    groups = (g for g in GRAMMARS[task_name].classes if word in {fold(w) for w in g})
    return tuple(w for w in next(groups, ()) if fold(w) != word)


def one(text: str, rng: Random) -> int:
    """Position of the word that an explanation of `text` names."""
    return _salient(text)[0] if rng.random() < MODE else rng.randrange(len(words(text)))


def several(text: str, rng: Random) -> list[int]:
    """Positions of the one to four words that an explanation without a word budget names."""
    if rng.random() < MODE:
        return _salient(text)[:_MOST]
    count = len(words(text))
    return sorted(rng.sample(range(count), rng.randint(1, min(_MOST, count))))


def other_word(task_name: str, word: str, rng: Random) -> str:
    """The word to put in the place of `word`: its partner, or any word of its group."""
    group = _group(task_name, fold(word))
    return (
        Random(f"{_SEED} {word}").choice(group)
        if rng.random() < PARTNER_MODE
        else rng.choice(group)
    )


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
    if fitting and rng.random() < PARTNER_MODE:
        return min(fitting, key=lambda word: _salience()[fold(word)])
    return rng.choice(fitting or group)
