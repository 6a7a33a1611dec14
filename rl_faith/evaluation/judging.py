"""A policy explains its own decisions, and the explanations are judged."""

from collections.abc import Collection, Sequence

from rl_faith.checks import Verdict, inquire, settle
from rl_faith.checks.self_consistency import Mode
from rl_faith.explaining import Wish, explain, predict_labels
from rl_faith.policies import Policy
from rl_faith.tasks import Task


def judge_policy(
    policy: Policy,
    task: Task,
    wishes: Sequence[Wish],
    *,
    max_new_tokens: int,
    ceiling: Collection[str] = (),
    seed: int = 0,
    mode: Mode = "changed",
) -> list[Verdict]:
    """Ask for decisions, for explanations, and again about what the explanations edit.

    Args:
        policy: Who is asked.
        task: What about.
        wishes: The explanations wanted.
        max_new_tokens: Of an explanation.
        ceiling: Ids of the examples of which every one-word edit is asked about.
        seed: Of the random edits.
        mode: What counts as faithful.
    """
    examples = list({example.id: example for example, _, _ in wishes}.values())
    predictions = predict_labels(policy, task, examples)
    cases = explain(policy, task, wishes, predictions, max_new_tokens=max_new_tokens)
    inquiries = [
        inquire(case, control=True, ceiling=case.example.id in ceiling, seed=seed) for case in cases
    ]
    return settle(inquiries, policy.predict, mode=mode)
