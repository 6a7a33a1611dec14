"""What is asked: examples, tasks and their prompts, read from one YAML file per task."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from rl_faith.errors import DataError, TaskError, one_line, shown
from rl_faith.plain_yaml import read_yaml
from rl_faith.questions import Conversation, Question, assistant, user
from rl_faith.tasks.checking import check_task, strings
from rl_faith.tasks.explanation import ExplanationPrompts

_FILES = (".yaml", ".yml")
_PLACE = re.compile(r"\{(input|second_input|options|labels|redacted_input|target_label)\}")


@dataclass(frozen=True)
class Example:
    """One input to decide on.

    Attributes:
        id: Unique within its task.
        input: The text that explanations edit.
        context: The fixed second input (the hypothesis in SNLI), or "".
        gold: The label word that the data set gives.
        options: The answers of a multiple-choice question, in the order of the labels.
    """

    id: str
    input: str
    gold: str
    context: str = ""
    options: tuple[str, ...] = ()

    def edited(self, new_input: str) -> "Example":
        """The same example with another editable input."""
        return replace(self, input=new_input)


@dataclass(frozen=True)
class Task:
    """A classification task: its question, label words, prompts for explanations, and data.

    Attributes:
        name: As used in recipes and results.
        question: Prompt template with {input} and, where there are some, {second_input} and
            {options}. In every template {labels} lists the label words.
        labels: Label word -> the values that stand for it in data files and Hub data sets.
        columns: "input", "second_input", "label", "id" -> accepted column names, first found wins.
        option_columns: Where the options may stand, first found wins: each one column that holds
            them all, or as many columns as there are labels.
        instructions: style -> budget ("one" or "multi") -> prompt template; {} when the task
            serves the counterfactual test only.
        replacement: Prompt template that asks for a word in place of `[REDACTED]` (Doi, Table 13).
        explanation: Requests for a free-text explanation.
        insert_into: What the counterfactual test may insert into: "input", "second_input" or both.
        hub: Arguments of `datasets.load_dataset`, or {} when the task has local data only.
        splits: "train" and "test" -> the split expression on the Hub.
        ignored_labels: Values of the label column whose rows are left out.
        undecided: Variant question and its extra label words, for Madsen's scoring.
        extra_labels: Label words that no data row has (set by `with_undecided`).
    """

    name: str
    question: str
    labels: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, tuple[str, ...]]
    option_columns: tuple[tuple[str, ...], ...] = ()
    instructions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    replacement: str = ""
    explanation: ExplanationPrompts = field(default_factory=ExplanationPrompts)
    insert_into: tuple[str, ...] = ("input",)
    hub: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=lambda: {"train": "train", "test": "test"})
    ignored_labels: frozenset[str] = frozenset()
    undecided: Mapping[str, Any] = field(default_factory=dict)
    extra_labels: tuple[str, ...] = ()
    source: str = ""

    @property
    def label_words(self) -> tuple[str, ...]:
        """The words the model chooses from."""
        return (*self.labels, *self.extra_labels)

    def ask(self, example: Example) -> Question:
        """The label question about `example`, in a fresh conversation."""
        return Question((user(self._fill(self.question, example)),), self.label_words)

    def check_instructions(self, styles: Sequence[str], budgets: Sequence[str]) -> None:
        """Raise at once the TaskError that `ask_why` would raise for one of these."""
        for style, budget in product(styles, budgets):
            self._instruction(style, budget)

    def ask_why(self, example: Example, label: str, style: str, budget: str) -> Conversation:
        """The conversation whose next turn is the explanation of `label` (Doi, Table 2)."""
        return self._behind(example, label, self._instruction(style, budget))

    def ask_replacement(self, redacted: Example, target: str) -> Conversation:
        """Ask for the word in place of `[REDACTED]` that makes `target` likely (Doi, Table 13)."""
        if not self.replacement:
            raise TaskError(
                f"task {self.name!r} has no prompt for a replacement; add replacement to its file"
            )
        prompt = self._fill(
            self.replacement, redacted, redacted_input=redacted.input, target_label=target
        )
        return (user(prompt),)

    def ask_explanation(self, example: Example, label: str) -> Conversation:
        """The conversation whose next turn explains `label` in free text."""
        return self._behind(example, label, self.explanation.after)

    def ask_reasoning(self, example: Example) -> Conversation:
        """The conversation whose next turn is the explanation of a decision not taken yet."""
        prompts = (self.question, self.explanation.before)
        return (user("\n\n".join(self._fill(prompt, example) for prompt in prompts)),)

    def ask_after(self, example: Example, reasoning: str) -> Question:
        """The label question behind the explanation that `ask_reasoning` has asked for."""
        request = user(self._fill(self.explanation.decide, example))
        turns = (*self.ask_reasoning(example), assistant(reasoning), request)
        return Question(turns, self.label_words)

    def with_undecided(self) -> "Task":
        """The task as Madsen et al. ask it: the model may also answer that it cannot tell."""
        if not self.undecided:
            raise TaskError(
                f"task {self.name!r} cannot be scored in mode 'madsen'; "
                "add undecided.question and undecided.labels to its file"
            )
        extra = tuple(w for w in self.undecided["labels"] if w not in self.labels)
        return replace(self, question=self.undecided["question"], extra_labels=extra)

    def _instruction(self, style: str, budget: str) -> str:
        try:
            return self.instructions[style][budget]
        except KeyError:
            raise TaskError(
                f"task {self.name!r} has no {budget}-word prompt for style {style!r}; "
                f"add instructions.{style}.{budget} to its file"
            ) from None

    def _behind(self, example: Example, label: str, request: str) -> Conversation:
        """The decision `label` on `example`, and a request about it."""
        question = self.ask(example).conversation
        return (*question, assistant(label), user(self._fill(request, example)))

    def _fill(self, template: str, example: Example, **more: str) -> str:
        values = {"input": example.input, "second_input": example.context, **more}
        values["labels"] = _either(self.label_words)
        if "{options}" in template:
            values["options"] = self._options(example)
        # One pass, so that a placeholder inside a user's text is left as it is.
        return _PLACE.sub(lambda match: values.get(match[1], match[0]), template)

    def _options(self, example: Example) -> str:
        if len(example.options) != len(self.labels):
            raise DataError(
                f"example {example.id!r} has {len(example.options)} options; "
                f"task {self.name!r} needs one for each of {', '.join(self.labels)}"
            )
        lettered = zip(self.labels, example.options, strict=True)
        return "\n".join(f"{label}) {text}" for label, text in lettered)


def _either(words: Sequence[str]) -> str:
    """The words for reading: 'A', 'B' or 'C'."""
    *others, last = map("'{}'".format, words)
    return f"{', '.join(others)} or {last}"


def shipped_tasks() -> list[str]:
    """Names of the tasks that come with the package."""
    return sorted(f.name[:-5] for f in files(__package__).iterdir() if f.name.endswith(".yaml"))


def load_task(name: str) -> Task:
    """Load a shipped task by name, or a user's task from a path to a YAML file.

    Raises:
        TaskError: no such task, or the file is incomplete.
    """
    if name.endswith(_FILES):
        return _parse(task_name(name), _text_of(Path(name)))
    if name not in shipped_tasks():
        near = get_close_matches(name, shipped_tasks(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(shipped_tasks())}."
        raise TaskError(f"unknown task {shown(name)}; {hint} A path to a .yaml file works too")
    return _parse(name, files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


def task_name(name: str) -> str:
    """The name in results of a task that a recipe names: a path to its file without the folders."""
    return Path(name).stem if name.endswith(_FILES) else name


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TaskError(f"there is no task file {one_line(path)}") from None
    except (OSError, ValueError) as error:
        raise TaskError(
            f"task file {one_line(path)} could not be read: {one_line(error)}"
        ) from None


def _parse(name: str, text: str) -> Task:
    try:
        raw = read_yaml(text)
    except ValueError as error:
        raise TaskError(f"task {name!r} is not valid YAML: {error}") from None
    check_task(name, raw)
    columns = dict(raw["columns"])
    places = columns.pop("options", [])
    raw["option_columns"] = tuple(map(strings, places if isinstance(places, list) else [places]))
    raw["labels"] = {word: strings(values) for word, values in raw["labels"].items()}
    raw["columns"] = {role: strings(names) for role, names in columns.items()}
    raw["ignored_labels"] = frozenset(strings(raw.get("ignored_labels", [])))
    raw["insert_into"] = strings(raw.get("insert_into", "input"))
    raw["explanation"] = ExplanationPrompts(**raw.get("explanation", {}))
    return Task(name=name, **raw)
