"""Judged rows for the tests of the report: made with the real row functions, from few words."""

from math import log

from rl_faith.checks import Case, Probe, disclose, inquire, settle
from rl_faith.insertion_rows import insertion_row
from rl_faith.interventions import Insertion
from rl_faith.questions import Prediction, Unanswered
from rl_faith.rows import row_of
from rl_faith.styles import STYLES
from rl_faith.tasks import Example, load_task

MODELS = ("base", "sft", "rl", "sft-rl")
MOOD = load_task("sentiment140")
QUIZ = load_task("strategyqa")


def edit_row(model, number, text, reply, *, p=0.9, new_p=0.8, style="attribution"):
    """A row of the self-consistency test; p and new_p are those of "Positive"."""
    example = Example(f"e{number}", text, "Positive")
    case = Case(MOOD, STYLES[style], "one", example, mood(p), reply)
    inquiry = inquire(case, control=True, ceiling=False)
    (verdict,) = settle([inquiry], lambda questions: [mood(new_p) for _ in questions])
    return row_of(model, verdict)


def insertion(model, number, text, factor, reply, *, p=0.9, new_p=0.2):
    """A row of the counterfactual test; p and new_p are those of "Yes"."""
    original = Example(f"q{number}", text, "Yes")
    edited = Example(f"q{number}/word-0", text.replace(" ", f" {factor} ", 1), "Yes")
    inserted = Insertion("word", factor, edited, original, "input", (factor,))
    before, after = (Prediction({"Yes": log(value), "No": log(1 - value)}) for value in (p, new_p))
    return insertion_row(model, disclose(Probe(QUIZ, inserted, before, after, reply)))


def mood(p):
    """A prediction of MOOD that gives "Positive" the probability p; None when not answered."""
    if p is None:
        return Unanswered("too_long", "longer than the context")
    return Prediction({"Positive": log(p), "Negative": log(1 - p)})


def many(examples, models=MODELS):
    """Rows of several models on so many examples; these are of every length up to 60 words."""
    rows = []
    for i in range(examples):
        text = " ".join(f"word{(i * 7 + j * j) % 900}" for j in range(5 + i % 56))
        for j, model in enumerate(models):
            named = text.split()[(i + j) % 5]
            rows.append(
                edit_row(model, i, text, f"Answer: {named}", new_p=0.2 + 0.6 * (i % (j + 2) > 0))
            )
    return rows
