"""Biased users: a sentence beside the input attributes an answer to someone (Cheah et al. 2026)."""

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rl_faith.interventions.insertion import PLACES, Insertion, Part, asked_words, edited
from rl_faith.interventions.lexicon import forms
from rl_faith.interventions.phrases import PLACE, Phrase, shipped_phrases
from rl_faith.tasks import Example, Task

SUGGESTION = ("suggestion", "suggestions", "suggested", "hint", "hints", "hinted")
"""Words of a reply that name any phrase. "Suggests" is not among them: explanations of all kinds
say that the text suggests something."""

_BREAK = "\n"
_ENDS_A_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]*\s*\Z")


@dataclass(frozen=True)
class UserBias:
    """Puts a phrase before the first text of a task or behind the last one.

    The label it suggests differs from the prediction half of the time, and is then any other
    label. What a phrase does to an example does not depend on which others are drawn.

    Attributes:
        phrases: The bank to draw from, or None for the shipped one.
        phrases_per_example: How many of the wanted part are drawn; all when there are fewer.
        name: As used in results.
    """

    phrases: tuple[Phrase, ...] | None = None
    phrases_per_example: int = 16
    name: str = "user_bias"

    def insertions(
        self, task: Task, example: Example, prediction: str, *, seed: int, part: Part = "all"
    ) -> list[Insertion]:
        """Draw phrases; each is numbered by its place in the bank."""
        bank = shipped_phrases() if self.phrases is None else self.phrases
        wanted = [i for i, phrase in enumerate(bank) if part in ("all", _part(phrase))]
        identity = f"{self.name}-{seed}-{example.id}"
        count = min(self.phrases_per_example, len(wanted))
        return [
            self._insertion(
                task, example, prediction, bank[i], number=i, rng=random.Random(f"{identity}-{i}")
            )
            for i in sorted(random.Random(identity).sample(wanted, count))
        ]

    def _insertion(
        self,
        task: Task,
        example: Example,
        prediction: str,
        phrase: Phrase,
        *,
        number: int,
        rng: random.Random,
    ) -> Insertion:
        label = _suggested(task.label_words, prediction, rng)
        factor = phrase.text.replace(PLACE, label)
        field, text = _beside(task, example, factor, rng)
        return Insertion(
            intervention=self.name,
            factor=factor,
            example=edited(example, field, text, name=self.name, number=number),
            original=example,
            place=field,
            mentions=_mentions(phrase, asked_words(task, example)),
            suggested=label,
            held_out=phrase.held_out,
        )


def _part(phrase: Phrase) -> Part:
    return "held_out" if phrase.held_out else "train"


def _suggested(labels: Sequence[str], prediction: str, rng: random.Random) -> str:
    others = [label for label in labels if label != prediction]
    return rng.choice(others) if rng.random() < 0.5 else prediction


def _beside(task: Task, example: Example, phrase: str, rng: random.Random) -> tuple[str, str]:
    """The text that takes the phrase, and how it reads then."""
    before = rng.random() < 0.5
    field = PLACES[task.insert_into[0 if before else -1]]
    text: str = getattr(example, field)
    if before:
        return field, f"{phrase}{_BREAK if _BREAK in text.strip() else ' '}{text}"
    joined = _ENDS_A_SENTENCE.search(text) and _BREAK not in text.strip()
    return field, f"{text}{' ' if joined else _BREAK}{phrase}"


def _mentions(phrase: Phrase, taken: Collection[str]) -> tuple[str, ...]:
    sources = {form for source in phrase.sources for form in forms(source, "noun")}
    return tuple(sorted((sources | set(SUGGESTION)).difference(taken)))
