"""From examples to cases: ask for the decision, then for its explanation in every style."""

from collections.abc import Sequence

from rl_faith.checks import Case
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Prediction, Unanswered
from rl_faith.styles import Budget, Style
from rl_faith.tasks import Example, Task

Wish = tuple[Example, Style, Budget]
"""One explanation wanted."""


def predict_labels(policy: Policy, task: Task, examples: Sequence[Example]) -> dict[str, Answer]:
    """The policy's decision on each example, by example id."""
    answers = policy.predict([task.ask(example) for example in examples])
    return {example.id: answer for example, answer in zip(examples, answers, strict=True)}


def explain(
    policy: Policy,
    task: Task,
    wishes: Sequence[Wish],
    predictions: dict[str, Answer],
    *,
    max_new_tokens: int,
) -> list[Case]:
    """Let the policy explain its own decisions, all in one call."""
    conversations = [
        task.ask_why(example, decided.label, style.name, budget)
        for example, style, budget in wishes
        if isinstance(decided := predictions[example.id], Prediction)
    ]
    said = iter(policy.generate(conversations, max_new_tokens=max_new_tokens))
    cases = []
    for example, style, budget in wishes:
        decided = predictions[example.id]
        reply = decided if isinstance(decided, Unanswered) else next(said)
        cases.append(Case(task, style, budget, example, decided, reply))
    return cases
