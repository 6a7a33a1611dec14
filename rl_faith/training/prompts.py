"""The prompts of the GRPO stage: they hold the policy's own decisions, which can be taken anew."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset

from rl_faith.explaining import predict_labels
from rl_faith.policies import Policy
from rl_faith.questions import Conversation, Prediction, Question, to_chat
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
        self._initial: dict[Key, Prediction] = {}
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
        found: list[tuple[Key, Prediction]] = []
        for task in self._tasks.values():
            answers = predict_labels(policy, task, [e for (t, _), e in mine if t == task.name])
            found += [
                ((task.name, key), answer)
                for key, answer in answers.items()
                if isinstance(answer, Prediction)
            ]
        answered: list[tuple[Key, Prediction]] = gather_object(found)
        self._decided.update((key, answer.label) for key, answer in answered)
        self._initial = self._initial or dict(answered)

    def replayed(self, n: int) -> list[tuple[Question, str]]:
        """Draw `n` questions, each with a label from the policy's first distribution over them.

        By the state of `random`, which is in the trainer's checkpoints and differs by process.
        """
        drawn = random.choices(list(self._initial), k=n)
        return [(self._ask_again(key), _label_from(self._initial[key])) for key in drawn]

    def decisions(self) -> dict[str, list[tuple[Key, Any]]]:
        """The first log-probabilities of the labels and the current decisions, ready for JSON."""
        first = [(key, dict(answer.logprobs)) for key, answer in self._initial.items()]
        return {"initial": first, "current": list(self._decided.items())}

    def load(self, kept: Mapping[str, Sequence[tuple[Key, Any]]]) -> None:
        """Take what `decisions` has told."""
        self._initial = {(task, key): Prediction(told) for (task, key), told in kept["initial"]}
        self._decided = {(task, key): label for (task, key), label in kept["current"]}

    def _ask_again(self, key: Key) -> Question:
        return self._tasks[key[0]].ask(self._examples[key])

    def _first(self, key: Key) -> str:
        first = self._initial.get(key)
        return first.label if first else ""

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
            "initial_prediction": [self._first(key) for key in keys],
            "prompt": [to_chat(conversation) for conversation in asked],
        }


def _label_from(answer: Prediction) -> str:
    labels = list(answer.logprobs)
    return random.choices(labels, weights=[answer.probability(label) for label in labels])[0]


def split_examples(
    recipe: GRPORecipe, tasks: Mapping[str, Task], *, seed: int
) -> tuple[list[tuple[Task, Example]], list[tuple[Task, Example]]]:
    """Examples to train on and to watch by, both of the training split: test data stay unseen."""
    train, held_out = [], []
    for task in tasks.values():
        n = recipe.skip_examples + recipe.examples_per_task + recipe.held_out_examples
        drawn = load_examples(task, "train", source=recipe.data, n=n, seed=seed)
        drawn = drawn[recipe.skip_examples :]
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
