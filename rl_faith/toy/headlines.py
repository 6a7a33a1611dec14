"""Headlines, and the rule that gives their topic.

The rule: every topic word counts 1 or 2 for its topic, except that "Despite" and "Beyond" cancel
the next topic word. The greatest sum wins, a tie goes to the topic that counted first, and a
headline without evidence is World. The rule reads whatever words are left, so it labels redacted
headlines as well.
"""

from random import Random

from rl_faith.text import words

_STRONG = {
    "World": "War Troops Embassy Rebels Ceasefire Refugees Sanctions Parliament",
    "Sport": "Championship Striker Goalkeeper Playoffs Olympics Quarterback Marathon Referee",
    "Business": "Shares Profit Earnings Stocks Investors Bankruptcy Dividend Inflation",
    "Tech": "Software Browser Microchip Laptop Hackers Spacecraft Internet Robot",
}
_WEAK = {
    "World": "President Minister Border Election Capital Protest Summit Crisis",
    "Sport": "Coach Season Team Match Player Fans Race League",
    "Business": "Price Market Bank Oil Deal Sales Costs Trade",
    "Tech": "Web Data Screen Users Device Code Network Update",
}
_TOPICS = {t: (*_STRONG[t].split(), *_WEAK[t].split()) for t in _STRONG}
_WEIGHTS = {
    word.casefold(): (topic, weight)
    for weight, table in ((2, _STRONG), (1, _WEAK))
    for topic, line in table.items()
    for word in line.split()
}
_PLAIN = (
    *("Report", "Group", "City", "Plan", "Family"),
    *("Week", "Story", "House", "Street", "Visitors"),
)
_ADJECTIVES = (
    *("New", "Old", "Big", "Local", "Small", "Quiet"),
    *("Late", "Former", "Early", "Next", "Rare", "Calm"),
)
_VERBS = (
    *("Meets", "Faces", "Joins", "Leaves", "Shows"),
    *("Follows", "Backs", "Blocks", "Seeks", "Opens"),
)
_CANCEL, _LINKS = ("Despite", "Beyond"), ("In", "After", "Before", "With", "Near", "Over", "Amid")
_CANCEL_KEYS = frozenset(word.casefold() for word in _CANCEL)

CLASSES: tuple[tuple[str, ...], ...] = (
    (*(word for topic in _TOPICS.values() for word in topic), *_PLAIN),
    _ADJECTIVES,
    _VERBS,
    (*_CANCEL, *_LINKS),
)


def label(text: str, context: str = "") -> str:
    """Return the topic of a headline, redacted or not."""
    del context  # Headlines stand alone.
    sums: dict[str, int] = {}
    cancelled = False
    for key in (word.key for word in words(text)):
        if key in _CANCEL_KEYS:
            cancelled = True
        elif key in _WEIGHTS:
            topic, weight = _WEIGHTS[key]
            if not cancelled:
                sums[topic] = sums.get(topic, 0) + weight
            cancelled = False
    return max(sums, key=lambda topic: sums[topic], default="World")


def silent(text: str, context: str = "") -> bool:
    """Whether a headline holds no topic word at all."""
    del context
    return not any(word.key in _WEIGHTS for word in words(text))


def write(rng: Random) -> tuple[str, str]:
    """Write one headline of two competing topics; its context is empty."""
    topics = rng.sample(sorted(_TOPICS), 2)
    parts = [*_noun(rng, topics), rng.choice(_VERBS), *_noun(rng, topics)]
    if rng.random() < 0.9:
        parts += [rng.choice(_CANCEL if rng.random() < 0.35 else _LINKS), *_noun(rng, topics)]
    return " ".join(parts), ""


def _noun(rng: Random, topics: list[str]) -> list[str]:
    """A noun of either topic or of none, at times behind an adjective or a noun."""
    chance = rng.random()
    noun = rng.choice(_TOPICS[rng.choice(topics)] if rng.random() < 0.75 else _PLAIN)
    if chance < 0.5:
        return [rng.choice(_ADJECTIVES), noun]
    return [rng.choice(_TOPICS[rng.choice(topics)]), noun] if chance < 0.65 else [noun]
