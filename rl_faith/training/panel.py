"""Judging a batch of rollouts once, for every reward and every figure that is watched.

A panel is one of the two tests as training needs it: `Panel` says what the trainer and the rewards
can ask of it, `VerdictPanel` is self-consistency. The counterfactual test has a file of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from rl_faith.checks import Case, Inquiry, Verdict, inquire, judge
from rl_faith.evaluation.judging import judge_policy
from rl_faith.evaluation.scores import score
from rl_faith.policies import Policy
from rl_faith.questions import Answer, Prediction, Question, Unanswered
from rl_faith.rows import example_of, row_of
from rl_faith.runs import Row
from rl_faith.styles import Budget, Style, load_style
from rl_faith.tasks import Example, Task
from rl_faith.training import watching
from rl_faith.training.form import form_share

Rows = Sequence[Mapping[str, Any]]
STALE = Unanswered("stale", "the policy no longer decides as the prompt says")


class Panel(ABC):
    """Asks the policy in training about its own explanations, all in one call for each batch.

    Attributes:
        policy: Set once the trainer exists, whose weights it has.
        tasks: By name.
    """

    policy: Policy

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self.tasks = tasks

    def repredict(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask the policy, with its weights of this step."""
        return self.policy.predict(questions)

    def questions(self, rows: Rows) -> list[Question]:
        """The label question about each row's input."""
        return [self.tasks[row["task"]].ask(example_of(row)) for row in rows]

    @abstractmethod
    def judge(self, rows: Rows, replies: Sequence[str]) -> list[Any]:
        """What came of each rollout; a whole group is unscored where one of it is.

        Args:
            rows: The data set's columns for each rollout; equal rows are one group.
            replies: What the policy said.
        """

    @abstractmethod
    def fixtures(self, judged: Sequence[Any]) -> dict[str, Any]:
        """What a reward can name about the rollouts that were judged."""

    @abstractmethod
    def figures(self, judged: Sequence[Any]) -> Iterator[tuple[str, float]]:
        """Name and value of every figure of one batch of rollouts."""

    def taught(
        self, judged: Sequence[Any], rewards: Sequence[float | None]
    ) -> Iterator[tuple[str, float]]:
        """Name and value of what the rewards of one batch, all together, teach; here nothing."""
        yield from ()

    @abstractmethod
    def columns(self, judged: Sequence[Any]) -> dict[str, list[str]]:
        """What stands beside each completion in TRL's table of completions."""

    @abstractmethod
    def examine(self, rank: int, processes: int, *, max_new_tokens: int) -> list[Row]:
        """Judge greedy explanations of this process's share of the held-out examples."""

    @abstractmethod
    def cells(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The scores of the held-out rows of all processes, as entries of `results.json`."""

    @abstractmethod
    def watched(self, rows: Sequence[Row]) -> dict[str, float]:
        """The figures of the held-out rows of all processes."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What has to be kept with a checkpoint, ready for JSON."""

    @abstractmethod
    def load_state(self, kept: Mapping[str, Any]) -> None:
        """Take what `state` has told."""


class VerdictPanel(Panel):
    """Self-consistency: the explanation edits the input; does the policy change its mind?

    Attributes:
        held_out: What the run is watched by.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        *,
        held_out: Sequence[tuple[Task, Example]] = (),
        wanted: Sequence[tuple[Style, Budget]] = (),
        seed: int,
    ) -> None:
        super().__init__(tasks)
        self.held_out, self._wanted, self._seed = held_out, wanted, seed

    def judge(self, rows: Rows, replies: Sequence[str]) -> list[Verdict]:
        """One verdict for each rollout, as evaluation would give it."""
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

    def fixtures(self, judged: Sequence[Verdict]) -> dict[str, Any]:
        """`verdicts`."""
        return {"verdicts": judged}

    def figures(self, judged: Sequence[Verdict]) -> Iterator[tuple[str, float]]:
        """Validity, faithfulness, control, accuracy."""
        return watching.figures(judged)

    def taught(
        self, judged: Sequence[Verdict], rewards: Sequence[float | None]
    ) -> Iterator[tuple[str, float]]:
        """How much of it is the format."""
        valid = [verdict.status == "valid" for verdict in judged]
        groups = [verdict.case.group for verdict in judged]
        if (found := form_share(rewards, groups, valid)) is not None:
            yield "faith/form_share", found

    def columns(self, judged: Sequence[Verdict]) -> dict[str, list[str]]:
        """The edit and the new prediction."""
        return watching.columns(judged)

    def examine(self, rank: int, processes: int, *, max_new_tokens: int) -> list[Row]:
        """Every process asks about every task, also with no example left: asking is collective."""
        mine, rows = self.held_out[rank::processes], list[Row]()
        for task in self.tasks.values():
            wishes = [(e, s, b) for t, e in mine if t.name == task.name for s, b in self._wanted]
            verdicts = judge_policy(self.policy, task, wishes, max_new_tokens=max_new_tokens)
            rows += [row_of("policy", verdict) for verdict in verdicts]
        return rows

    def cells(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """One for each task, style and budget."""
        return [cell.as_dict() for cell in score(rows)]

    def watched(self, rows: Sequence[Row]) -> dict[str, float]:
        """The scores' means over the cells, and each cell's share of faithful explanations."""
        return watching.watched(score(rows))

    def state(self) -> dict[str, Any]:
        """Nothing: every batch is judged for itself."""
        return {}

    def load_state(self, kept: Mapping[str, Any]) -> None:
        """Nothing to take."""


def _judged(inquiry: Inquiry, decided: Answer, answers: Sequence[Answer]) -> Verdict:
    told = inquiry.case.prediction
    assert isinstance(told, Prediction)
    if isinstance(decided, Prediction) and decided.label != told.label:
        return judge(Inquiry(inquiry.case, STALE), [])
    case = replace(inquiry.case, prediction=decided)
    if isinstance(decided, Unanswered):
        return judge(Inquiry(case, decided), [])
    return judge(replace(inquiry, case=case), answers)


def _whole_groups(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Leave a group unscored where one of it is: its mean would be that of another group."""
    spoilt = {v.case.group: v for v in verdicts if v.status == "unscored"}
    return [
        replace(v, status="unscored", reason=spoilt[v.case.group].reason, faithful=None)
        if v.case.group in spoilt
        else v
        for v in verdicts
    ]
