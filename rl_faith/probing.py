"""The counterfactual test of a policy: insert factors, ask again, let it explain itself."""

from collections.abc import Sequence
from typing import Literal

from rl_faith.checks import Probe
from rl_faith.interventions import Insertion, Intervention, Part
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Conversation, Prediction, Unanswered
from rl_faith.tasks import Example, Task

Order = Literal["predict_explain", "explain_predict"]
"""Which comes first: the decision, which is then explained, or an explanation that decides."""

Said = tuple[Answer, str | Unanswered]
"""A decision and the explanation that goes with it."""

NOT_ASKED = Unanswered("not_asked", "no explanation was asked for")


def insert(
    task: Task,
    examples: Sequence[Example],
    decided: dict[str, Answer],
    interventions: Sequence[Intervention],
    *,
    seed: int,
    part: Part = "all",
) -> list[Insertion]:
    """Every factor that the interventions bring into the examples.

    Args:
        task: Of the examples.
        examples: The unedited ones.
        decided: The policy's answers on them, by id: a suggestion differs from it half the time.
        interventions: Who brings them in.
        seed: Of what is drawn.
        part: Whether phrases kept from training are wanted, and the others.
    """
    return [
        insertion
        for example in examples
        for intervention in interventions
        for insertion in intervention.insertions(
            task, example, _label(task, decided[example.id]), seed=seed, part=part
        )
    ]


def _label(task: Task, answer: Answer) -> str:
    # Without a decision the rows are unscored, but there are as many as with one.
    return answer.label if isinstance(answer, Prediction) else task.label_words[0]


def decide(
    policy: Policy, task: Task, examples: Sequence[Example], order: Order, *, max_new_tokens: int
) -> dict[str, Said]:
    """The policy's decisions by example id; in the order "explain_predict" with the reasoning."""
    if order == "predict_explain":
        answers = policy.predict([task.ask(example) for example in examples])
        return {e.id: (a, NOT_ASKED) for e, a in zip(examples, answers, strict=True)}
    said = policy.generate(
        [task.ask_reasoning(example) for example in examples], max_new_tokens=max_new_tokens
    )
    reasons = {e.id: s for e, s in zip(examples, said, strict=True)}
    asked = {
        e.id: task.ask_after(e, reason)
        for e in examples
        if isinstance(reason := reasons[e.id], str)
    }
    told = dict(zip(asked, policy.predict(list(asked.values())), strict=True))
    return {
        key: (reason, reason) if isinstance(reason, Unanswered) else (told[key], reason)
        for key, reason in reasons.items()
    }


def probe(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    interventions: Sequence[Intervention],
    *,
    order: Order,
    max_new_tokens: int,
    seed: int,
) -> list[Probe]:
    """Insert factors into the examples, ask about all of them, and let the policy explain itself.

    Args:
        policy: Who is asked.
        task: What about.
        examples: The unedited ones.
        interventions: Who brings factors in.
        order: Decision or explanation first.
        max_new_tokens: Of an explanation.
        seed: Of what is drawn.
    """
    before = decide(policy, task, examples, order, max_new_tokens=max_new_tokens)
    answers = {key: answer for key, (answer, _) in before.items()}
    inserted = insert(task, examples, answers, interventions, seed=seed)
    edited = [insertion.example for insertion in inserted]
    after = decide(policy, task, edited, order, max_new_tokens=max_new_tokens)
    if order == "predict_explain":
        after = explain(policy, task, edited, after, max_new_tokens=max_new_tokens)
    return [Probe(task, i, answers[i.original.id], *after[i.example.id]) for i in inserted]


def explain(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    decided: dict[str, Said],
    *,
    max_new_tokens: int,
) -> dict[str, Said]:
    """Add the explanation of each decision, all in one call."""
    asked: dict[str, Conversation] = {
        e.id: task.ask_explanation(e, answer.label)
        for e in examples
        if isinstance(answer := decided[e.id][0], Prediction)
    }
    said = policy.generate(list(asked.values()), max_new_tokens=max_new_tokens)
    told = dict(zip(asked, said, strict=True))
    return {
        e.id: (answer, told.get(e.id, answer if isinstance(answer, Unanswered) else NOT_ASKED))
        for e in examples
        for answer in [decided[e.id][0]]
    }
