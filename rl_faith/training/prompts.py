"""The prompts of the GRPO stage: they hold the policy's own decisions, which can be taken anew."""

from collections.abc import Mapping, Sequence
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset

from rl_faith.explaining import predict_labels
from rl_faith.policies import Policy
from rl_faith.questions import Prediction, to_chat
from rl_faith.recipes import GRPORecipe
from rl_faith.tasks import Example, Task, load_examples
from rl_faith.training.panel import example_of

Key = tuple[str, str]


class Prompts:
    """One row for each example, style and budget; `prompt` is written when a row is read.

    Attributes:
        dataset: What the trainer reads: example columns, `prediction`, `initial_prediction`, and
            the conversation that asks for the explanation of `prediction`.
    """

    def __init__(
        self,
        recipe: GRPORecipe,
        tasks: Mapping[str, Task],
        examples: Sequence[tuple[Task, Example]],
    ) -> None:
        self._tasks, self._examples = tasks, examples
        self._initial: dict[Key, str] = {}
        # Until the policy has been asked; no such row is ever read.
        self._decided = {(task.name, e.id): e.gold for task, e in examples}
        rows = [
            {"id": e.id, "task": task.name, "style": style, "budget": budget, "input": e.input,
             "context": e.context, "gold": e.gold}
            for task, e in examples
            for style in recipe.styles
            for budget in recipe.budgets
        ]  # fmt: skip
        self.dataset = Dataset.from_list(rows).with_transform(self._write)

    @property
    def columns(self) -> list[str]:
        """What a reward can name."""
        return [*self.dataset.column_names, "prediction", "initial_prediction"]

    def refresh(self, policy: Policy) -> None:
        """Ask the policy for its decisions; every process asks about its share."""
        state = PartialState()
        mine = self._examples[state.process_index :: state.num_processes]
        found: list[tuple[Key, str]] = []
        for task in self._tasks.values():
            answers = predict_labels(policy, task, [e for t, e in mine if t.name == task.name])
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
        asked = [
            self._tasks[row["task"]].ask_why(example_of(row), label, row["style"], row["budget"])
            for row, label in zip(rows, predictions, strict=True)
        ]
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
