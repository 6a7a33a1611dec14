"""What is asked: examples, tasks and their prompts, read from one YAML file per task."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rl_faith.errors import TaskError
from rl_faith.questions import Conversation, Question, assistant, user

_REQUIRED = {"question", "labels", "columns", "instructions", "replacement"}
_OPTIONAL = {"source", "hub", "splits", "ignored_labels", "undecided"}
_PLACE = re.compile(r"\{(input|second_input|redacted_input|target_label)\}")


@dataclass(frozen=True)
class Example:
    """One input to decide on.

    Attributes:
        id: Unique within its task.
        input: The text that explanations edit.
        context: The fixed second input (the hypothesis in SNLI), or "".
        gold: The label word that the data set gives.
    """

    id: str
    input: str
    gold: str
    context: str = ""

    def edited(self, new_input: str) -> "Example":
        """The same example with another editable input."""
        return replace(self, input=new_input)


@dataclass(frozen=True)
class Task:
    """A classification task: its question, label words, explanation instructions and data.

    Attributes:
        name: As used in recipes and results.
        question: Prompt template with {input} and, where there is one, {second_input}.
        labels: Label word -> the values that stand for it in data files and Hub data sets.
        columns: "input", "second_input", "label", "id" -> accepted column names, first found wins.
        instructions: style -> budget ("one" or "multi") -> prompt template.
        replacement: Prompt template that asks for a word in place of `[REDACTED]` (Doi, Table 13).
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
    instructions: Mapping[str, Mapping[str, str]]
    replacement: str
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
        return Question((user(_fill(self.question, example)),), self.label_words)

    def ask_why(self, example: Example, label: str, style: str, budget: str) -> Conversation:
        """The conversation whose next turn is the explanation of `label` (Doi, Table 2)."""
        try:
            instruction = self.instructions[style][budget]
        except KeyError:
            raise TaskError(
                f"task {self.name!r} has no {budget}-word prompt for style {style!r}; "
                f"add instructions.{style}.{budget} to its file"
            ) from None
        question = self.ask(example).conversation
        return (*question, assistant(label), user(_fill(instruction, example)))

    def ask_replacement(self, redacted: Example, target: str) -> Conversation:
        """Ask for the word in place of `[REDACTED]` that makes `target` likely (Doi, Table 13)."""
        prompt = _fill(
            self.replacement, redacted, redacted_input=redacted.input, target_label=target
        )
        return (user(prompt),)

    def with_undecided(self) -> "Task":
        """The task as Madsen et al. ask it: the model may also answer that it cannot tell."""
        if not self.undecided:
            raise TaskError(
                f"task {self.name!r} cannot be scored in mode 'madsen'; "
                "add undecided.question and undecided.labels to its file"
            )
        extra = tuple(w for w in self.undecided["labels"] if w not in self.labels)
        return replace(self, question=self.undecided["question"], extra_labels=extra)


def _fill(template: str, example: Example, **more: str) -> str:
    values = {"input": example.input, "second_input": example.context, **more}
    # One pass, so that a placeholder inside a user's text is left as it is.
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), template)


def shipped_tasks() -> list[str]:
    """Names of the tasks that come with the package."""
    return sorted(f.name[:-5] for f in files(__package__).iterdir() if f.name.endswith(".yaml"))


def load_task(name: str) -> Task:
    """Load a shipped task by name, or a user's task from a path to a YAML file.

    Raises:
        TaskError: no such task, or the file is incomplete.
    """
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise TaskError(f"there is no task file {name}")
        return _parse(Path(name).stem, _text_of(Path(name)))
    if name not in shipped_tasks():
        near = get_close_matches(name, shipped_tasks(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(shipped_tasks())}."
        raise TaskError(f"unknown task {name!r}; {hint} A path to a .yaml file works too")
    return _parse(name, files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"task file {path} could not be read: {error}") from None


def _parse(name: str, text: str) -> Task:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
        raise TaskError(f"task {name!r} is not valid YAML: {found}") from None
    if not isinstance(raw, dict):
        raise TaskError(f"task {name!r} must be a mapping of keys to values")
    missing, unknown = _REQUIRED - raw.keys(), raw.keys() - _REQUIRED - _OPTIONAL
    if missing or unknown:
        raise TaskError(
            f"task {name!r}: missing keys {sorted(missing)}, "
            f"unknown keys {sorted(unknown, key=str)}"
        )
    _check_labels(name, raw["labels"])
    _check_columns(name, raw["columns"])
    _check_prompts(name, raw)
    raw["labels"] = {word: _strings(values) for word, values in raw["labels"].items()}
    raw["columns"] = {role: _strings(names) for role, names in raw["columns"].items()}
    raw["ignored_labels"] = frozenset(_strings(raw.get("ignored_labels", [])))
    return Task(name=name, **raw)


def _strings(values: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in (values if isinstance(values, list) else [values]))


def _check_labels(name: str, labels: Any) -> None:
    if not isinstance(labels, dict) or len(labels) < 2:
        raise TaskError(f"task {name!r} needs at least two labels, each with its data values")
    if not all(isinstance(word, str) for word in labels):
        # YAML reads bare Yes and No as booleans.
        raise TaskError(
            f"task {name!r}: put label words in quotes (YAML reads Yes and No as booleans)"
        )
    folded = [word.casefold() for word in labels]
    values = [v for vs in labels.values() for v in _strings(vs)]
    if len(set(folded)) < len(folded) or len(set(values)) < len(values):
        raise TaskError(f"task {name!r}: two labels share a word or a data value")


def _check_columns(name: str, columns: Any) -> None:
    roles = set(columns) if isinstance(columns, dict) else set()
    if not {"input", "label"} <= roles <= {"input", "second_input", "label", "id"}:
        raise TaskError(
            f"task {name!r}: columns must name those of input and label, "
            "and may name those of second_input and id"
        )


def _check_prompts(name: str, raw: Mapping[str, Any]) -> None:
    undecided = raw.get("undecided") or {}
    if not isinstance(undecided, dict) or undecided.keys() not in ({"question", "labels"}, set()):
        raise TaskError(f"task {name!r}: undecided needs exactly the keys question and labels")
    for key, prompt, place in (
        ("question", raw["question"], "{input}"),
        ("undecided.question", undecided.get("question", "{input}"), "{input}"),
        ("replacement", raw["replacement"], "{redacted_input}"),
    ):
        if not isinstance(prompt, str) or place not in prompt:
            raise TaskError(f"task {name!r}: {key} must be a prompt with {place} in it")
    budgets = raw["instructions"].values() if isinstance(raw["instructions"], dict) else [None]
    prompts = [p for by in budgets for p in (by.values() if isinstance(by, dict) else [None])]
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise TaskError(f"task {name!r}: instructions must be prompts under <style>.one or .multi")
