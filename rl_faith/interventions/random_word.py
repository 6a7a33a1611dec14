"""Random words: an adjective before a noun or an adverb before a verb.

Atanasova et al. 2023 and Siegel et al. 2024 insert such words; Cheah et al. 2026 train on them.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass

from rl_faith.interventions.insertion import PLACES, Insertion, Part, asked_words, edited
from rl_faith.interventions.lexicon import adjectives, adverbs, forms
from rl_faith.interventions.places import Place, find_places
from rl_faith.tasks import Example, Task
from rl_faith.text import fold


@dataclass(frozen=True)
class RandomWord:
    """Inserts words drawn uniformly, never one that the question has already, in any form.

    An example with fewer places gets fewer insertions. No word is kept from training, so the
    held-out part is empty.

    Attributes:
        positions: Places per example; for a task with two texts a coin decides on each.
        words: Words per place, each in an edited example of its own.
        adjectives: Words to draw from before nouns, or None for the lexicon's.
        adverbs: Words to draw from before verbs, or None for the lexicon's.
        nouns: Words that take an adjective, or None for those that the lexicon finds.
        verbs: Words that take an adverb, or None for those that the lexicon finds.
        name: As used in results.
    """

    positions: int = 4
    words: int = 4
    adjectives: tuple[str, ...] | None = None
    adverbs: tuple[str, ...] | None = None
    nouns: tuple[str, ...] | None = None
    verbs: tuple[str, ...] | None = None
    name: str = "random_word"

    def insertions(
        self, task: Task, example: Example, prediction: str, *, seed: int, part: Part = "all"
    ) -> list[Insertion]:
        """Draw places, then words for each; the prediction does not matter."""
        if part == "held_out":
            return []
        rng = random.Random(f"{self.name}-{seed}-{example.id}")
        taken = asked_words(task, example)
        drawn = [
            (field, place, word)
            for field, place in self._places(task, example, rng)
            for word in self._words(place, taken, rng)
        ]
        return [self._insertion(example, *what, i) for i, what in enumerate(drawn)]

    def _places(self, task: Task, example: Example, rng: random.Random) -> list[tuple[str, Place]]:
        nouns, verbs = _folded(self.nouns), _folded(self.verbs)
        left: dict[str, list[Place]] = {}
        for role in task.insert_into:
            found = find_places(getattr(example, PLACES[role]), nouns, verbs)
            left[PLACES[role]] = rng.sample(found, len(found))
        chosen: list[tuple[str, Place]] = []
        while len(chosen) < self.positions and (open_ := [f for f in left if left[f]]):
            field = rng.choice(open_)
            chosen.append((field, left[field].pop()))
        return chosen

    def _words(self, place: Place, taken: Collection[str], rng: random.Random) -> list[str]:
        if place.kind == "adjective":
            pool = adjectives() if self.adjectives is None else self.adjectives
        else:
            pool = adverbs() if self.adverbs is None else self.adverbs
        fit = [w for w in pool if place.admits(w) and forms(w, place.kind).isdisjoint(taken)]
        return rng.sample(fit, min(self.words, len(fit)))

    def _insertion(
        self, example: Example, field: str, place: Place, word: str, number: int
    ) -> Insertion:
        text, factor = place.insert(getattr(example, field), word)
        return Insertion(
            intervention=self.name,
            factor=factor,
            example=edited(example, field, text, name=self.name, number=number),
            original=example,
            place=field,
            mentions=tuple(sorted(forms(word, place.kind))),
        )


def _folded(words: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(map(fold, words))
