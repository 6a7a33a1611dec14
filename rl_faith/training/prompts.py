"""The prompts of the GRPO stage: they hold the policy's own decisions, which can be taken anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset

from rl_faith.explaining import predict_labels
from rl_faith.policies import Policy
from rl_faith.questions import Conversation, Prediction, to_chat
from rl_faith.recipes import GRPORecipe
from rl_faith.rows import example_of
from rl_faith.tasks import Example, Task, load_examples

Key = tuple[str, str]
Ask = Callable[[Mapping[str, Any], str], Conversation]
"""From a row and the policy's decision on it to the conversation that asks for its explanation."""


class Prompts:
    """The rows to train on; `prompt` is written when a row is read.

    Attributes:
        dataset: What the trainer reads: the columns of the rows, `prediction`,
            `initial_prediction`, and the conversation that asks for the explanation of
            `prediction`.
    """

    def __init__(
        self, tasks: Mapping[str, Task], rows: Sequence[Mapping[str, Any]], ask: Ask
    ) -> None:
        self._tasks, self._ask = tasks, ask
        self._examples = {(row["task"], row["id"]): example_of(row) for row in rows}
        self._initial: dict[Key, str] = {}
        # Until the policy has been asked; no such row is ever read.
        self._decided = {key: e.gold for key, e in self._examples.items()}
        self.dataset = Dataset.from_list([dict(row) for row in rows]).with_transform(self._write)

    @property
    def columns(self) -> list[str]:
        """What a reward can name."""
        return [*self.dataset.column_names, "prediction", "initial_prediction"]

    def refresh(self, policy: Policy) -> None:
        """Ask the policy for its decisions; every process asks about its share."""
        state = PartialState()
        mine = list(self._examples.items())[state.process_index :: state.num_processes]
        found: list[tuple[Key, str]] = []
        for task in self._tasks.values():
            answers = predict_labels(policy, task, [e for (t, _), e in mine if t == task.name])
            found += [
                ((task.name, key), answer.label)
                for key, answer in answers.items()
                if isinstance(answer, Prediction)
            ]
        self._decided.update(gather_object(found))
        self._initial = self._initial or dict(self._decided)

    def decisions(self) -> dict[str, list[tuple[Key, str]]]:
        """The first and the current decisions, ready for JSON."""
        return {"initial": list(self._initial.items()), "current": list(self._decided.items())}

    def load(self, kept: Mapping[str, Sequence[tuple[Key, str]]]) -> None:
        """Take what `decisions` has told."""
        self._initial = {(task, key): label for (task, key), label in kept["initial"]}
        self._decided = {(task, key): label for (task, key), label in kept["current"]}

    def _write(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        rows = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        keys = [(row["task"], row["id"]) for row in rows]
        predictions = [self._decided[key] for key in keys]
        asked = [self._ask(row, label) for row, label in zip(rows, predictions, strict=True)]
        return {
            **batch,
            "prediction": predictions,
            "initial_prediction": [self._initial.get(key, "") for key in keys],
            "prompt": [to_chat(conversation) for conversation in asked],
        }


def split_examples(
    recipe: GRPORecipe, tasks: Mapping[str, Task], *, seed: int
) -> tuple[list[tuple[Task, Example]], list[tuple[Task, Example]]]:
    """Examples to train on and to watch by, both of the training split: test data stay unseen."""
    train, held_out = [], []
    for task in tasks.values():
        n = recipe.examples_per_task + recipe.held_out_examples
        drawn = load_examples(task, "train", source=recipe.data, n=n, seed=seed)
        train += [(task, e) for e in drawn[: recipe.examples_per_task]]
        held_out += [(task, e) for e in drawn[recipe.examples_per_task :]]
    return train, held_out


def explanation_rows(
    recipe: GRPORecipe, examples: Sequence[tuple[Task, Example]]
) -> list[dict[str, Any]]:
    """One row for each example, style and budget."""
    return [
        {**asdict(e), "task": task.name, "style": style, "budget": budget}
        for task, e in examples
        for style in recipe.styles
        for budget in recipe.budgets
    ]
