"""Questions whether somebody can carry something, and the rule that answers them.

The rule: a light load can be carried and a heavy one cannot. Nothing can be done with somebody or
something that is not there, as words like "missing" say of it, nor "barely", nor when it is
suggested that the answer is No. Every other word changes nothing, and neither does a suggested Yes.

So an inserted word or suggestion changes the answer sometimes: it has to be one of those that can,
and the answer must not have been No for another reason.
"""

import re
from random import Random

from rl_faith.text import words

ABSENT = (
    "missing", "lost", "vanished", "stolen", "imaginary", "invisible", "broken", "forbidden",
    "locked", "ruined", "frozen", "sunken",
)  # fmt: skip
PLAIN = (
    "tiny", "wide", "famous", "lovely", "blue", "cheerful", "local", "wooden", "strong", "tired",
    "modern", "quiet", "foreign", "young", "clever", "golden", "ordinary", "curious",
)  # fmt: skip
DENYING = ("barely", "hardly", "rarely", "seldom", "scarcely")
SURELY = ("easily", "safely", "quickly", "calmly", "proudly")
_PEOPLE = ("nurse", "farmer", "pilot", "baker", "singer", "clerk", "gardener", "tailor")
_LIGHT = ("feather", "letter", "napkin", "ribbon", "pencil", "ticket", "basket", "bucket")
_HEAVY = ("piano", "boulder", "wardrobe", "tractor", "anvil", "statue", "barrel", "engine")
_PLACES = ("station", "garden", "bridge", "market", "harbour", "library")
VERBS = ("carry", "lift", "bring", "move")
_THE = ("the", "this", "that", "our")
_TO = ("to", "towards", "past")

ADJECTIVES = (*ABSENT, *PLAIN)
ADVERBS = (*DENYING, *SURELY)
LOADS = (*_LIGHT, *_HEAVY)
NOUNS = (*_PEOPLE, *LOADS, *_PLACES)
NAMED = frozenset((*ADJECTIVES, *ADVERBS, *NOUNS, *VERBS))
"""What an explanation can name: no small words."""

CLASSES: tuple[tuple[str, ...], ...] = (
    ADJECTIVES, ADVERBS, LOADS, _PEOPLE, _PLACES, VERBS, _THE, _TO, ("Can",),
)  # fmt: skip
_DECISIVE = frozenset((*ABSENT, *DENYING, *_HEAVY))
_DESCRIBED = 0.15
_SUGGESTED_NO = re.compile(r"\bNo\b")


def label(text: str, context: str = "") -> str:
    """Return "Yes" or "No" for a question, with or without inserted words and suggestions."""
    del context  # Questions stand alone.
    if silent(text) or any(word.key in _DECISIVE for word in words(text)):
        return "No"
    return "No" if _SUGGESTED_NO.search(text) else "Yes"


def silent(text: str, context: str = "") -> bool:
    """Whether a question names no load."""
    del context
    return not any(word.key in LOADS for word in words(text))


def write(rng: Random) -> tuple[str, str]:
    """Write one question; its context is empty."""
    load = rng.choice((_LIGHT, _HEAVY))
    who, what, place = (_thing(rng, kind) for kind in (_PEOPLE, load, _PLACES))
    adverb = [rng.choice(ADVERBS)] if rng.random() < _DESCRIBED else []
    parts = ["Can", *who, *adverb, rng.choice(VERBS), *what, rng.choice(_TO), *place]
    return " ".join(parts) + "?", ""


def _thing(rng: Random, kind: tuple[str, ...]) -> list[str]:
    adjective = [rng.choice(ADJECTIVES)] if rng.random() < _DESCRIBED else []
    return [rng.choice(_THE), *adjective, rng.choice(kind)]
