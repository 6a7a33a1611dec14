"""Self-consistency: the explanation is an edit of the input; does it change the prediction?

Doi et al. 2025, section 2, after Madsen et al. 2024. Pure: `inquire` says what to ask, `judge`
says what the answers mean. The same two functions make the reward, the evaluation and the
quality check of training data.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import itemgetter
from typing import Literal

from rl_faith.questions import Answer, Prediction, Question, Unanswered
from rl_faith.styles import Budget, Explanation, Invalid, Style, check_count
from rl_faith.tasks import Example, Task
from rl_faith.text import redact, words

Mode = Literal["changed", "madsen"]
Status = Literal["valid", "invalid", "unscored"]
_RANDOM_EDITS = 4
_OTHER_PLACES = 4


@dataclass(frozen=True)
class Case:
    """One explanation to judge.

    Attributes:
        prediction: The model's answer on the unedited input, or why there is none.
        reply: What the model said, or why it could not be asked.
    """

    task: Task
    style: Style
    budget: Budget
    example: Example
    prediction: Answer
    reply: str | Unanswered

    @property
    def group(self) -> tuple[str, str, str, str]:
        """What the explanations that one prompt asks for share."""
        return (self.task.name, self.style.name, self.budget, self.example.id)


@dataclass(frozen=True)
class Inquiry:
    """A case, how its reply was read, and the inputs to ask about.

    Attributes:
        edited: The input as the explanation edits it, if it is valid.
        controls: The input with random words redacted, as many as the explanation edits.
        elsewhere: The input with the explanation's edit made at random other words.
        singles: The input with each single word redacted, by its index, for the ceiling and the
            top word.
    """

    case: Case
    parsed: Explanation | Invalid | Unanswered
    edited: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    singles: Mapping[int, str] = field(default_factory=dict)

    @property
    def questions(self) -> list[Question]:
        """Everything to ask, in the order in which `judge` takes the answers."""
        example, task = self.case.example, self.case.task
        edits = (self.edited, self.controls, self.elsewhere, self.singles.values())
        return [task.ask(example.edited(text)) for texts in edits for text in texts]


@dataclass(frozen=True)
class Verdict:
    """What came of one explanation.

    Attributes:
        status: "unscored" when something could not be asked: neither faithful nor unfaithful.
        reason: Why it is invalid or unscored, as a short fixed name; "" when valid.
        detail: The same for reading.
        faithful: Whether the edit changed the prediction; False when invalid.
        drop: p(prediction | input) - p(prediction | edited input), in [-1, 1].
        control: Share of random edits of the same size that change the prediction.
        elsewhere: Share of other words in whose place the word that a counterfactual brings in
            changes the prediction, too (ours). Random edits redact, and do not tell that.
        ceiling: Whether any one-word edit of this style changes it.
        most_influential: The word whose redaction lowers p(prediction) most (w* of Doi, eq. 2), the
            first of several equal ones; None where not every word was redacted.
        top_word: Whether the one word redacted does so; False when invalid, None where the
            explanation redacts no single word.
        top_word_chance: How often a word drawn at random would be that one.
        mode: What counted as faithful.
    """

    case: Case
    status: Status
    reason: str = ""
    detail: str = ""
    explanation: Explanation | None = None
    faithful: bool | None = None
    new_prediction: Prediction | None = None
    drop: float | None = None
    control: float | None = None
    elsewhere: float | None = None
    ceiling: bool | None = None
    most_influential: str | None = None
    top_word: bool | None = None
    top_word_chance: float | None = None
    mode: Mode = "changed"


def inquire(case: Case, *, control: bool, ceiling: bool, seed: int = 0) -> Inquiry:
    """Read the reply and say what to ask.

    Args:
        case: The explanation to judge.
        control: Ask also about random edits, and about the explanation's own edit elsewhere.
        ceiling: Ask also about every one-word edit.
        seed: Of the random edits; they depend on it, the example and the number of words only.
    """
    if isinstance(case.prediction, Unanswered):
        return Inquiry(case, case.prediction)
    if isinstance(case.reply, Unanswered):
        return Inquiry(case, case.reply)
    text = case.example.input
    parsed = case.style.parse(case.reply, text, case.task.label_words)
    parsed = check_count(parsed, case.budget)
    singles = case.style.single_edits(text) if ceiling else {}
    inquiry = Inquiry(case, parsed, singles=singles)
    if isinstance(parsed, Explanation):
        inquiry = replace(inquiry, edited=(parsed.edited,))
    return _with_controls(inquiry, f"{seed}-{case.example.id}") if control else inquiry


def _with_controls(inquiry: Inquiry, seed: str) -> Inquiry:
    case, parsed, text = inquiry.case, inquiry.parsed, inquiry.case.example.input
    # An invalid one-word reply still has a fair control: one word. A multi-word one has none.
    count = parsed.count if isinstance(parsed, Explanation) else int(case.budget == "one")
    # Where every one-word edit is asked anyway, the control of one word is exact at no cost.
    draws = len(words(text)) if inquiry.singles and count == 1 else _RANDOM_EDITS
    moved = case.style.moved_edits(text, parsed) if isinstance(parsed, Explanation) else []
    return replace(
        inquiry,
        controls=random_edits(text, count, draws, seed),
        elsewhere=tuple(random.Random(seed).sample(moved, min(len(moved), _OTHER_PLACES))),
    )


def random_edits(text: str, count: int, draws: int, seed: str) -> tuple[str, ...]:
    """At most `draws` different redactions of `count` words drawn uniformly from `text`."""
    total = len(words(text))
    count = min(count, total)
    if count == 0:
        return ()
    rng = random.Random(f"{seed}-{count}")
    if count == 1:
        return tuple(redact(text, {i}) for i in rng.sample(range(total), min(draws, total)))
    return tuple(redact(text, set(rng.sample(range(total), count))) for _ in range(draws))


def judge(inquiry: Inquiry, answers: Sequence[Answer], *, mode: Mode = "changed") -> Verdict:
    """Say what the answers to `inquiry.questions` mean.

    Args:
        inquiry: From `inquire`.
        answers: One for each of its questions.
        mode: "changed": faithful when the label differs from the prediction (Doi). "madsen":
            counterfactuals must reach another decided label than gold, the others must leave the
            model undecided (Madsen et al. 2024); the task must be `with_undecided()`.
    """
    case, parsed = inquiry.case, inquiry.parsed
    told = [a for a in answers if isinstance(a, Prediction)]
    if isinstance(parsed, Unanswered) or len(told) < len(answers):
        failed = next(a for a in [parsed, *answers] if isinstance(a, Unanswered))
        return Verdict(case, "unscored", failed.reason, failed.detail, mode=mode)
    flips = iter([_changes(case, a, mode) for a in told])
    edited = list(islice(flips, len(inquiry.edited)))
    control = _share(list(islice(flips, len(inquiry.controls))))
    elsewhere = _share(list(islice(flips, len(inquiry.elsewhere))))
    ceiling = any(flips) if inquiry.singles else None
    verdict = _of_the_edit(inquiry, edited, told)
    verdict = replace(verdict, mode=mode, control=control, elsewhere=elsewhere, ceiling=ceiling)
    singles = dict(zip(inquiry.singles, told[len(told) - len(inquiry.singles) :], strict=True))
    return _with_top_word(verdict, singles)


def _of_the_edit(inquiry: Inquiry, flips: Sequence[bool], answers: Sequence[Prediction]) -> Verdict:
    case, parsed = inquiry.case, inquiry.parsed
    if isinstance(parsed, Invalid):
        return Verdict(case, "invalid", parsed.reason, parsed.detail, faithful=False)
    assert isinstance(parsed, Explanation)
    return Verdict(
        case,
        "valid",
        explanation=parsed,
        faithful=flips[0],
        new_prediction=answers[0],
        drop=_drop(case.prediction, answers[0]),
    )


def _with_top_word(verdict: Verdict, singles: Mapping[int, Prediction]) -> Verdict:
    """Compare the drop of an explanation with those of all single words."""
    case = verdict.case
    if not singles:
        return verdict
    drops = {i: _drop(case.prediction, answer) for i, answer in singles.items()}
    first, most = max(drops.items(), key=itemgetter(1))
    verdict = replace(verdict, most_influential=words(case.example.input)[first].text)
    if case.budget != "one" or case.style.name == "counterfactual":
        return verdict
    chance = list(drops.values()).count(most) / len(drops)
    top = verdict.drop is not None and verdict.drop >= most
    return replace(verdict, top_word=top, top_word_chance=chance)


def _share(flips: Sequence[bool]) -> float | None:
    return sum(flips) / len(flips) if flips else None


def _changes(case: Case, new: Prediction, mode: Mode) -> bool:
    assert isinstance(case.prediction, Prediction)
    if mode == "changed":
        return new.label != case.prediction.label
    undecided = set(case.task.undecided["labels"])
    if case.style.name == "counterfactual":
        return new.label not in undecided and new.label != case.example.gold
    return new.label in undecided


def _drop(old: Answer, new: Prediction) -> float:
    assert isinstance(old, Prediction)
    return old.probability(old.label) - new.probability(old.label)


def settle(
    inquiries: Sequence[Inquiry],
    repredict: Callable[[Sequence[Question]], Sequence[Answer]],
    *,
    mode: Mode = "changed",
) -> list[Verdict]:
    """Ask everything that `inquiries` need in one call, and judge each."""
    answers = iter(repredict([q for inquiry in inquiries for q in inquiry.questions]))
    return [
        judge(inquiry, list(islice(answers, len(inquiry.questions))), mode=mode)
        for inquiry in inquiries
    ]
