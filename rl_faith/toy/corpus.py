"""Balanced, disjoint, reproducible data sets from the grammars."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from rl_faith.tasks.task import Example, load_task
from rl_faith.toy import errands, headlines, scenes, tweets

SIZES = {"test": 2000, "train": 6000}
_SEED = 20250


@dataclass(frozen=True)
class Grammar:
    """One task's texts.

    Attributes:
        write: Draws an input and its context.
        label: The rule, defined for every text, redacted or not.
        silent: Whether a text holds nothing that the rule could go by.
        classes: Groups of words that can stand in each other's place.
    """

    write: Callable[[Random], tuple[str, str]]
    label: Callable[[str, str], str]
    silent: Callable[[str, str], bool]
    classes: tuple[tuple[str, ...], ...]

    def label_of(self, example: Example) -> str:
        """The rule's label for `example` as it stands."""
        return self.label(example.input, example.context)


GRAMMARS = {
    "sentiment140": Grammar(tweets.write, tweets.label, tweets.silent, tweets.CLASSES),
    "snli": Grammar(scenes.write, scenes.label, scenes.silent, scenes.CLASSES),
    "ag_news": Grammar(headlines.write, headlines.label, headlines.silent, headlines.CLASSES),
}
"""Texts that explanations edit."""

QUESTIONS = {
    "strategyqa": Grammar(errands.write, errands.label, errands.silent, errands.CLASSES),
}
"""Questions into which the counterfactual test inserts."""

ALL = {**GRAMMARS, **QUESTIONS}


@cache
def data(task_name: str) -> dict[str, list[Example]]:
    """Both splits of one task: no input twice, labels balanced to within one."""
    rng, taken = Random(f"{_SEED} {task_name}"), set[str]()
    splits = {}
    for split, size in SIZES.items():
        chosen = _balanced(task_name, rng, size, taken)
        rng.shuffle(chosen)
        splits[split] = [
            Example(f"toy-{task_name}-{split}-{i}", e.input, e.gold, e.context)
            for i, e in enumerate(chosen)
        ]
    return splits


def stream(task_name: str, rng: Random, avoid: Collection[str]) -> Iterator[Example]:
    """Endless further texts of one task, without the inputs in `avoid`."""
    while True:
        yield from _balanced(task_name, rng, 120, set(avoid))


def _all_different(text: str) -> bool:
    """Whether no word comes twice, so that naming a word names one place."""
    parts = text.split()
    return len(set(parts)) == len(parts)


def _balanced(task_name: str, rng: Random, size: int, taken: set[str]) -> list[Example]:
    """Draw `size` examples with inputs outside `taken`, which grows by them."""
    grammar, labels = ALL[task_name], load_task(task_name).label_words
    room = Counter(labels[i % len(labels)] for i in range(size))
    chosen: list[Example] = []
    while len(chosen) < size:
        text, context = grammar.write(rng)
        if text in taken or not _all_different(text):
            continue
        gold = grammar.label(text, context)
        if room[gold]:
            taken.add(text)
            room[gold] -= 1
            chosen.append(Example("", text, gold, context))
    return chosen
