"""Explanations of known worth, to try rewards on: made by erasure or insertion, not by a model.

*True* explanations say what mattered, *false* ones what did not, and *broken* is no explanation.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from rl_faith.disclosing import disclosure
from rl_faith.erasure import Influence, erase
from rl_faith.explaining import predict_labels
from rl_faith.insertion_rows import insertion_of
from rl_faith.policies import Policy
from rl_faith.pseudo import Source, construct, find_sources
from rl_faith.questions import Answer, Prediction, Unanswered, to_chat
from rl_faith.recipes import CounterfactualGRPORecipe, GRPORecipe
from rl_faith.replacements import Chosen
from rl_faith.rows import example_of
from rl_faith.styles import Budget, Invalid, Style, load_style
from rl_faith.tasks import Example, Task, load_examples
from rl_faith.training.insertion_data import insertion_rows

log = logging.getLogger(__name__)

KINDS = ("true", "false", "broken")
_EXAMPLES = 40
_BROKEN = "I would rather not say."


@dataclass(frozen=True)
class Trial:
    """One prompt with its three explanations, by kind."""

    row: dict[str, Any]
    replies: dict[str, str]


def erasure_trials(recipe: GRPORecipe, task: Task, policy: Policy) -> list[Trial]:
    """Every style and budget for each example that one word flips and another does not.

    True edits the word that changes the prediction, false the one with the least influence.
    """
    log.info("check-reward: making explanations of known worth on %s", task.name)
    drawn = load_examples(task, "train", source=recipe.data, n=_EXAMPLES, seed=0)
    predictions = predict_labels(policy, task, drawn)
    erased = erase(policy, task, drawn, predictions)
    ends = {key: pair for key, words in erased.items() if (pair := _ends(words))}
    examples = [e for e in drawn if e.id in ends]
    styles = [load_style(name) for name in recipe.styles]
    about = [
        Chosen(task, examples, predictions, {k: [pair[end]] for k, pair in ends.items()})
        for end in (0, 1)
    ]
    sources = [find_sources(policy, chosen, styles) for chosen in about]
    wanted = [(style, cast(Budget, b)) for style in styles for b in recipe.budgets]
    trials = [
        _trial(task, example, predictions[example.id], how, [of[example.id] for of in sources])
        for example in examples
        for how in wanted
    ]
    return [trial for trial in trials if trial]


def _ends(found: list[Influence] | Unanswered) -> tuple[Influence, Influence] | None:
    """The most and the least influential word, where only the first changes the prediction."""
    if isinstance(found, Unanswered) or not found:
        return None
    most = max(found, key=lambda i: (i.flips, i.value))
    least = min(found, key=lambda i: (i.flips, abs(i.value)))
    return (most, least) if most.flips and not least.flips else None


def _trial(
    task: Task,
    example: Example,
    decided: Answer,
    how: tuple[Style, Budget],
    sources: Sequence[Source | Unanswered],
) -> Trial | None:
    style, budget = how
    replies = [construct(style, example, s, budget) for s in sources if isinstance(s, Source)]
    true, false = replies
    if isinstance(true, Invalid) or isinstance(false, Invalid):
        return None
    assert isinstance(decided, Prediction)
    label = decided.label
    row = {
        **asdict(example),
        "task": task.name, "style": style.name, "budget": budget, "prediction": label,
        "initial_prediction": label,
        "prompt": to_chat(task.ask_why(example, label, style.name, budget)),
    }  # fmt: skip
    return Trial(row, dict(zip(KINDS, (true, false, _BROKEN), strict=True)))


def insertion_trials(
    recipe: CounterfactualGRPORecipe, tasks: Mapping[str, Task], policy: Policy
) -> list[Trial]:
    """Insertions of the pool: true mentions what mattered, false what did not.

    Saying nothing is right where nothing mattered, so that broken earns half of what is true.
    """
    log.info("check-reward: making explanations of known worth from %s", recipe.pool)
    rows = insertion_rows(recipe, seed=0)[0]
    chosen = rows[:: max(1, len(rows) // (_EXAMPLES * 3))]
    answers = policy.predict([tasks[row["task"]].ask(example_of(row)) for row in chosen])
    trials = [
        _told(tasks[row["task"]], row, decided)
        for row, decided in zip(chosen, answers, strict=True)
        if isinstance(decided, Prediction)
    ]
    return [trial for trial in trials if trial]


def _told(task: Task, row: Mapping[str, Any], decided: Prediction) -> Trial | None:
    insertion, label = insertion_of(row), decided.label
    mention, silence = (disclosure(insertion, mention=m, seed=0) for m in (True, False))
    if mention is None or silence is None:
        return None
    replies = (mention, silence) if row["impact"] else (silence, mention)
    asked = task.ask_explanation(insertion.example, label)
    told = {"prediction": label, "initial_prediction": label, "prompt": to_chat(asked)}
    return Trial({**row, **told}, dict(zip(KINDS, (*replies, _BROKEN), strict=True)))
