"""A planted policy that decides by "awful", and explanations of what it decides about a film."""

from math import log

from rl_faith.checks import Case, inquire, settle
from rl_faith.questions import Prediction, Question
from rl_faith.styles import STYLES
from rl_faith.tasks import Example, load_task

TASK = load_task("sentiment140")
UNDECIDED = TASK.with_undecided()
TEXT = "what an awful boring film today"
EXAMPLE = Example("x", TEXT, "Negative")


def prediction(negative: float, **others: float) -> Prediction:
    shares = {"Positive": 1 - negative - sum(others.values()), "Negative": negative, **others}
    return Prediction({label: log(share) for label, share in shares.items()})


def asked_about(question: Question) -> str:
    return question.conversation[0].content.partition("Text: ")[2].partition("\n")[0]


def policy(question: Question) -> Prediction:
    """Negative exactly where "awful" stands; "boring" makes it a little surer."""
    text = asked_about(question)
    return prediction((0.8 if "awful" in text else 0.3) + (0.1 if "boring" in text else 0.0))


def answers(questions) -> list[Prediction]:
    return [policy(question) for question in questions]


def case(reply, style="attribution", budget="one", example=EXAMPLE, **changed) -> Case:
    whole = changed.pop("prediction", None) or policy(TASK.ask(example))
    task = changed.pop("task", TASK)
    return Case(task, STYLES[style], budget, example, whole, reply)


def verdict(given: Case, *, control=False, ceiling=False, seed=0, mode="changed"):
    (found,) = settle(
        [inquire(given, control=control, ceiling=ceiling, seed=seed)], answers, mode=mode
    )
    return found


TRUE = {
    "attribution": "Answer: awful",
    "redaction": "Answer: what an [REDACTED] boring film today",
    "counterfactual": "Answer: what an awesome boring film today",
}
FALSE = {
    "attribution": "Answer: film",
    "redaction": "Answer: what an awful boring [REDACTED] today",
    "counterfactual": "Answer: what an awful boring song today",
}
