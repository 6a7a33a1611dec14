"""`rl-faith explain`: one input whole, from the decision to the verdict on each explanation."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rl_faith.checks import Case, Verdict, inquire, settle
from rl_faith.erasure import Influence, erasure_questions, influences
from rl_faith.errors import DataError, ModelError
from rl_faith.explaining import explain, predict_labels
from rl_faith.policies.opening import Wanted, open_policy
from rl_faith.questions import Prediction, Unanswered
from rl_faith.styles import STYLES, Budget
from rl_faith.tasks import Example, Task, load_task
from rl_faith.text import tokens

_BAR = 24
_COLOURS = {True: "green", False: "red", None: "yellow"}


def show(
    model: str, task_name: str, example: Example, *, budget: Budget, wanted: Wanted, length: int
) -> None:
    """Print the prediction, each word's influence, and each style's reply and verdict.

    Args:
        model: Hub id, folder, adapter folder, or "toy".
        task_name: A shipped task or a path to a task file.
        example: The input; an empty gold label means that it is not known.
        budget: "one" or "multi".
        wanted: Who answers for the model.
        length: Most new tokens of a reply.

    Raises:
        DataError: the text is empty, the task needs a second input, or gold is none of its labels.
        ModelError: the text is longer than the model's context.
    """
    task = load_task(task_name)
    _check(task, example)
    policy = open_policy(wanted, model, [task.label_words])
    predictions = predict_labels(policy, task, [example])
    decided = predictions[example.id]
    if isinstance(decided, Unanswered):
        raise ModelError("the text is longer than the model's context")
    wishes = [
        (example, style, budget) for style in STYLES.values() if style.name in task.instructions
    ]
    cases = explain(policy, task, wishes, predictions, max_new_tokens=length)
    verdicts = settle([inquire(c, control=True, ceiling=True) for c in cases], policy.predict)
    words = influences(example, decided, policy.predict(erasure_questions(task, example)))
    Console().print(_page(example, decided, words, verdicts))


def _check(task: Task, example: Example) -> None:
    if not example.input.strip():
        raise DataError("--text is empty")
    if "second_input" in task.columns and not example.context:
        raise DataError(f"task {task.name!r} has a second input; give it with --context")
    if example.gold and example.gold not in task.label_words:
        raise DataError(f"--gold must be one of {', '.join(task.label_words)}")


def _page(
    example: Example,
    decided: Prediction,
    words: list[Influence] | Unanswered,
    verdicts: Sequence[Verdict],
) -> Group:
    parts: list[RenderableType] = [Text(example.input, style="bold")]
    if example.context:
        parts.append(Text(example.context))
    parts += [Text("\nprediction", style="dim"), _probabilities(decided, example.gold)]
    if isinstance(words, list):
        parts += [Text("influence of each word (p lost when it is redacted)", style="dim")]
        parts.append(_influences(words))
    for verdict in verdicts:
        parts += _verdict(verdict)
    return Group(*parts)


def _probabilities(prediction: Prediction, gold: str) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for label in prediction.ranked():
        p = prediction.probability(label)
        mark = " (gold)" if label == gold else ""
        table.add_row(Text(label), Text(f"{p:.3f}"), Text(_bar(p)), Text(mark, style="dim"))
    table.add_row(Text("mass", style="dim"), Text(f"{prediction.mass:.3f}", style="dim"))
    return Padding(table, (0, 0, 1, 2))


def _influences(words: Sequence[Influence]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for w in words:
        style = "red" if w.value < 0 else ""
        note = "changes the prediction" if w.flips else ""
        table.add_row(Text(w.word), Text(f"{w.value:+.3f}"), Text(_bar(w.value), style), Text(note))
    return Padding(table, (0, 0, 1, 2))


def _bar(value: float) -> str:
    eighths = round(abs(value) * _BAR * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def _verdict(verdict: Verdict) -> Iterator[RenderableType]:
    case = verdict.case
    outcome = {True: "faithful", False: "not faithful", None: "not scored"}[verdict.faithful]
    why = f"{outcome}: {verdict.detail}" if verdict.detail else outcome
    yield Text.assemble((case.style.name, "bold"), "  ", (why, _COLOURS[verdict.faithful]))
    table = Table.grid(padding=(0, 1))
    table.add_row(
        Text("reply", style="dim"), Text(case.reply if isinstance(case.reply, str) else "–")
    )
    if verdict.explanation and verdict.new_prediction:
        table.add_row(Text("edit", style="dim"), _difference(case, verdict.explanation.edited))
        table.add_row(Text("then", style="dim"), Text(_then(verdict, verdict.new_prediction)))
    yield Padding(table, (0, 0, 1, 2))


def _difference(case: Case, edited: str) -> Text:
    """The edited input, with what the explanation brought in marked."""
    known = {t.key for t in tokens(case.example.input)}
    text, done = Text(), 0
    for token in tokens(edited):
        text.append(edited[done : token.start])
        new = token.kind == "placeholder" or token.key not in known
        text.append(token.text, style="reverse" if new else "")
        done = token.end
    return text.append(edited[done:])


def _then(verdict: Verdict, new: Prediction) -> str:
    told = ", ".join(f"{label} {new.probability(label):.3f}" for label in new.ranked())
    control = "" if verdict.control is None else f"; a random edit flips it {verdict.control:.0%}"
    if verdict.elsewhere is not None:
        control += f", the new word elsewhere {verdict.elsewhere:.0%}"
    return f"{told} (drop {verdict.drop:+.3f}{control})"
