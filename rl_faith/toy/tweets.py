"""Tweets, and the rule that gives their sentiment.

The rule: every clue word counts 1 or 2 for its side; "not" and "never" turn the next clue round;
what stands after the last "but" decides when it holds any evidence, otherwise what stands before.
Without evidence, or with a tie, a tweet is Negative. The rule reads whatever words are left, so it
labels redacted tweets as well.
"""

from collections.abc import Sequence
from random import Random

from rl_faith.text import words

_GREAT = ("amazing", "wonderful", "brilliant", "perfect", "fantastic", "gorgeous")
_GOOD = ("nice", "fun", "sweet", "decent", "tasty", "lovely")
_BAD = ("boring", "slow", "noisy", "bland", "dull", "messy")
_DREADFUL = ("awful", "terrible", "horrible", "disgusting", "dreadful", "pathetic")
_PLAIN = ("new", "old", "long", "local", "usual", "green")
_ADORE, _LIKE = ("love", "adore", "treasure"), ("like", "enjoy", "recommend")
_MIND, _HATE = ("dislike", "regret", "avoid"), ("hate", "despise", "loathe")
_DO = ("see", "have", "watch", "need", "remember", "mention")
_SMILES, _FROWNS, _LOOKS = ("🎉", "😍", "🙂"), ("😢", "😡", "🙁"), ("👀", "🤔", "📷")
_NEGATORS, _ADVERBS = ("not", "never"), ("so", "really", "just", "still", "always", "now")
_JOINTS = ("and", "while", "because", "since")
_NOUNS = (
    *("movie", "phone", "coffee", "train", "weather", "game", "concert"),
    *("pizza", "class", "weekend", "song", "book", "teacher", "office"),
)
_THE, _IS = ("the", "my", "this", "that", "our"), ("is", "was", "seems", "looks")
_OPENERS = ("well", "okay", "honestly", "omg", "hey", "@sam", "@mia", "@leo")
_TIMES = ("today", "tonight", "again", "lately", "yesterday", "here")

_ADJECTIVES = (*_GREAT, *_GOOD, *_BAD, *_DREADFUL)
_VERBS = (*_ADORE, *_LIKE, *_MIND, *_HATE)
_WEIGHTS = {
    **dict.fromkeys((*_GREAT, *_ADORE), 2),
    **dict.fromkeys((*_GOOD, *_LIKE, *_SMILES), 1),
    **dict.fromkeys((*_BAD, *_MIND, *_FROWNS), -1),
    **dict.fromkeys((*_DREADFUL, *_HATE), -2),
}

CLASSES: tuple[tuple[str, ...], ...] = (
    (*_ADJECTIVES, *_PLAIN),
    (*_VERBS, *_DO),
    (*_SMILES, *_FROWNS, *_LOOKS),
    (*_NEGATORS, *_ADVERBS),
    ("but", *_JOINTS),
    _NOUNS,
    _THE,
    _IS,
    _OPENERS,
    _TIMES,
    ("i", "we", "they"),
)


def label(text: str, context: str = "") -> str:
    """Return "Positive" or "Negative" for a tweet, redacted or not."""
    del context  # Tweets stand alone.
    keys = [word.key for word in words(text)]
    last = len(keys) - keys[::-1].index("but") if "but" in keys else 0
    score = _score(keys[last:]) or _score(keys[:last])
    return "Positive" if score > 0 else "Negative"


def silent(text: str, context: str = "") -> bool:
    """Whether a tweet holds no clue at all."""
    del context
    return not any(word.key in _WEIGHTS for word in words(text))


def _score(keys: Sequence[str]) -> int:
    score, sign = 0, 1
    for key in keys:
        if key in _NEGATORS:
            sign = -1
        elif key in _WEIGHTS:
            score, sign = score + sign * _WEIGHTS[key], 1
    return score


def write(rng: Random) -> tuple[str, str]:
    """Write one tweet; its context is empty."""
    parts = _clause(rng)
    if rng.random() < 0.6:
        parts += ["but" if rng.random() < 0.45 else rng.choice(_JOINTS), *_clause(rng)]
    if rng.random() < 0.35:
        parts.insert(0, rng.choice(_OPENERS))
    if rng.random() < 0.3 or len(parts) < 6:
        parts.append(rng.choice(_TIMES))
    if rng.random() < 0.25:
        parts.append(rng.choice(rng.choice((_SMILES, _FROWNS, _LOOKS))))
    return " ".join(parts), ""


def _clause(rng: Random) -> list[str]:
    the, noun = rng.choice(_THE), rng.choice(_NOUNS)
    if rng.random() < 0.6:
        adjective = rng.choice(_ADJECTIVES if rng.random() < 0.8 else _PLAIN)
        return [the, noun, rng.choice(_IS), *_adverb(rng), adjective]
    verb = rng.choice(_VERBS if rng.random() < 0.75 else _DO)
    return [rng.choice(("i", "we", "they")), *_adverb(rng), verb, the, noun]


def _adverb(rng: Random) -> list[str]:
    if rng.random() < 0.4:
        return []
    return [rng.choice(_NEGATORS if rng.random() < 0.6 else _ADVERBS)]
