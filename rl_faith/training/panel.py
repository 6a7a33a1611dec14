"""Judging a batch of rollouts once, for every reward and every figure that is watched."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from rl_faith.checks import Case, Inquiry, Verdict, inquire, judge
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Prediction, Question, Unanswered
from rl_faith.styles import load_style
from rl_faith.tasks import Example, Task

Rows = Sequence[Mapping[str, Any]]
STALE = Unanswered("stale", "the policy no longer decides as the prompt says")


class Panel:
    """Asks the policy in training about its own explanations, all in one call for each batch.

    Attributes:
        policy: Set once the trainer exists, whose weights it has.
        tasks: By name.
    """

    policy: Policy

    def __init__(self, tasks: Mapping[str, Task], *, seed: int) -> None:
        self.tasks, self._seed = tasks, seed

    def repredict(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask the policy, with its weights of this step."""
        return self.policy.predict(questions)

    def questions(self, rows: Rows) -> list[Question]:
        """The label question about each row's unedited input."""
        return [self.tasks[row["task"]].ask(example_of(row)) for row in rows]

    def judge(self, rows: Rows, replies: Sequence[str]) -> list[Verdict]:
        """One verdict for each rollout; a whole group is unscored where one of it is.

        Args:
            rows: The data set's columns for each rollout; equal rows are one group.
            replies: What the policy said.
        """
        cases = [self.case(row, reply) for row, reply in zip(rows, replies, strict=True)]
        inquiries = [inquire(c, control=True, ceiling=False, seed=self._seed) for c in cases]
        now = self.questions(rows)
        asked = [question for inquiry in inquiries for question in inquiry.questions]
        answers = iter(self.repredict([*now, *asked]))
        decisions = list(islice(answers, len(now)))
        verdicts = [
            _judged(inquiry, decided, list(islice(answers, len(inquiry.questions))))
            for inquiry, decided in zip(inquiries, decisions, strict=True)
        ]
        return _whole_groups(verdicts)

    def case(self, row: Mapping[str, Any], reply: str) -> Case:
        """What the check looks at; the decision is the prompt's, which may have gone stale."""
        told = Prediction({row["prediction"]: 0.0})
        style = load_style(row["style"])
        return Case(self.tasks[row["task"]], style, row["budget"], example_of(row), told, reply)


def example_of(row: Mapping[str, Any]) -> Example:
    """The example that a row of the data set is about."""
    return Example(row["id"], row["input"], row["gold"], row["context"])


def _judged(inquiry: Inquiry, decided: Answer, answers: Sequence[Answer]) -> Verdict:
    told = inquiry.case.prediction
    assert isinstance(told, Prediction)
    if isinstance(decided, Prediction) and decided.label != told.label:
        return judge(Inquiry(inquiry.case, STALE), [])
    case = replace(inquiry.case, prediction=decided)
    if isinstance(decided, Unanswered):
        return judge(Inquiry(case, decided), [])
    return judge(replace(inquiry, case=case), answers)


def group_of(verdict: Verdict) -> tuple[str, str, str, str]:
    """What the rollouts of one group share: the prompt, by what it is about."""
    case = verdict.case
    return (case.task.name, case.style.name, case.budget, case.example.id)


def _whole_groups(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Leave a group unscored where one of it is: its mean would be that of another group."""
    spoilt = {group_of(v): v for v in verdicts if v.status == "unscored"}
    return [
        replace(v, status="unscored", reason=spoilt[group_of(v)].reason, faithful=None)
        if group_of(v) in spoilt
        else v
        for v in verdicts
    ]
