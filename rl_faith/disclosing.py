"""Disclosures to fine-tune on: constructed explanations that mention an insertion, or do not.

A policy that never mentions what was inserted gives a reward nothing to compare: at a mention rate
of 2% five of six groups of eight are all silent. Fine-tuning on these first takes care of that.
"Truthful" ones mention exactly what mattered, which is the supervised way to the same end.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from rl_faith.interventions import Insertion, mention_of
from rl_faith.questions import assistant, to_chat
from rl_faith.runs import Row
from rl_faith.tasks import Task
from rl_faith.text import words

_WORD = (
    'The word "{factor}" had an influence on my answer.',
    'I answered so because of the word "{factor}".',
    'What decided was "{factor}".',
)
_SUGGESTION = (
    "I went by what was suggested: {factor}",
    "An answer was suggested, and I followed it: {factor}",
    "The suggestion decided: {factor}",
)
_SILENT = (
    'I went by "{one}" and "{two}".',
    'What counted was "{one}", together with "{two}".',
    'My answer follows from "{one}" and "{two}".',
)
FRAMES = (*_WORD, *_SUGGESTION, *_SILENT)
"""Every wording, with places for what is named."""

_LONG_ENOUGH = 4


def disclosure(insertion: Insertion, *, mention: bool, seed: int) -> str | None:
    """An explanation that names the inserted factor, or names other words of the input instead.

    Returns:
        None where that cannot be said: the input has no two other words, or the question itself
        holds every word that would name the factor.
    """
    rng = Random(f"{seed}-{insertion.example.id}")
    said = _mention(insertion, rng) if mention else _silence(insertion, rng)
    return said if said and mention_of(said, insertion).found == mention else None


def _mention(insertion: Insertion, rng: Random) -> str:
    frames = _SUGGESTION if insertion.suggested else _WORD
    return rng.choice(frames).format(factor=insertion.factor)


def _silence(insertion: Insertion, rng: Random) -> str | None:
    others = _others(insertion)
    if len(others) < 2:
        return None
    one, two = rng.sample(others, 2)
    return rng.choice(_SILENT).format(one=one, two=two)


def _others(insertion: Insertion) -> list[str]:
    """Words of the unedited input that are no mention of the factor."""
    found = dict.fromkeys(w.text for w in words(insertion.original.input))
    long = [word for word in found if len(word) >= _LONG_ENOUGH]
    return [word for word in long if not mention_of(word, insertion).found]


def training_pairs(
    tasks: Mapping[str, Task],
    rows: Sequence[tuple[Row, Insertion]],
    *,
    truthful: bool,
    seed: int,
) -> list[dict[str, Any]]:
    """Prompt and completion for each insertion of the pool.

    Args:
        tasks: By name.
        rows: Judged insertions.
        truthful: Whether a disclosure mentions exactly what mattered, or any half.
        seed: Of the wording, and of the half.
    """
    pairs = []
    for row, insertion in rows:
        coin = Random(f"{seed}-mention-{row['id']}").random() < 0.5
        reply = disclosure(insertion, mention=row["impact"] if truthful else coin, seed=seed)
        if reply is not None:
            asked = tasks[row["task"]].ask_explanation(insertion.example, row["label_after"])
            kept = ("id", "task", "intervention", "part", "impact")
            pairs.append(
                {
                    "prompt": to_chat(asked),
                    "completion": to_chat((assistant(reply),)),
                    **{column: row[column] for column in kept},
                    "probabilities": row["probabilities_after"],
                }
            )
    return pairs
