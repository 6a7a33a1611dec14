"""How well can it be read from a model's own state which insertions mattered to it?

    python scripts/phi_readout.py runs/phi/pool runs/phi/sft

An explanation cannot tell what its writer does not know. For every insertion of the pool the model
reads what stands before its explanation. From its state at the last token, layer by layer, a linear
readout (ridge regression; whole examples are left out in turn) guesses whether it mattered. So it
does from what is in plain sight: which phrase it is, in which text, which answer it suggests, which
was given, and how surely. Printed: phi of these guesses with its 95% interval, by task. Ours.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from rl_faith.correlation import correlation
from rl_faith.errors import exit_on_error
from rl_faith.plain_yaml import read_yaml
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.report.formatting import text
from rl_faith.rows import example_of
from rl_faith.runs import Row, read_rows
from rl_faith.tasks import load_task

Values = NDArray[np.float64]
_FOLDS = 5


@dataclass(frozen=True)
class Read:
    """What was read, insertion by insertion.

    Attributes:
        plain: What is in plain sight (insertions, features).
        states: Of the last token (insertions, layers, width).
        impact: Whether each mattered.
        examples: The example that each was inserted into.
        tasks: Its task.
    """

    plain: Values
    states: Values
    impact: Values
    examples: Sequence[str]
    tasks: Sequence[str]


def read(pool: Path, model: str, most: int) -> Read:
    """Ask the model to explain itself about each insertion, and keep its states instead."""
    names = read_yaml((pool / "recipe.yaml").read_text(encoding="utf-8"))["tasks"]
    tasks = {task.name: task for task in map(load_task, names)}
    rows = read_rows(pool / "pool.jsonl")
    rows = Random(0).sample(rows, min(most, len(rows)))
    policy = TransformersPolicy.load(model)
    asked = [tasks[r["task"]].ask_explanation(example_of(r), r["label_after"]) for r in rows]
    ids = policy.chat.ids([policy.chat.text(conversation) for conversation in asked])
    states = [
        _states(policy.model, prompt)
        for prompt in track(ids, "reading", console=Console(stderr=True))
    ]
    return Read(
        in_plain_sight(rows),
        np.stack(states),
        np.array([float(r["impact"]) for r in rows]),
        [r["original"] for r in rows],
        [r["task"] for r in rows],
    )


def in_plain_sight(rows: Sequence[Row]) -> Values:
    """Columns for phrase, suggested and given answer, whether they agree, how sure it is, the text.

    The text is that of a pair which the word or phrase stands in, together with the given answer.
    """
    told = [row["probabilities_after"][row["label_after"]] for row in rows]
    sure = np.array([np.log(p / (1 - p)) for p in np.clip(told, 1e-6, 1 - 1e-6)])
    follows = np.array([float(row["label_after"] == row["suggested"]) for row in rows])
    # Of insertions of one example an id ends in the number of the phrase.
    which = [
        [
            *(row["task"], row["id"].rpartition("/")[2], row["suggested"], row["label_after"]),
            f"{row['place']} {row['label_after']}",
        ]
        for row in rows
    ]
    kinds = sorted({(i, name) for names in which for i, name in enumerate(names) if name})
    marks = np.array([[float(names[i] == name) for i, name in kinds] for names in which])
    return np.column_stack([follows, sure, follows * sure, marks])


def _states(model: Any, prompt: Sequence[int]) -> Values:
    given = torch.tensor([list(prompt)], device=model.device)
    with torch.inference_mode():
        found = model(input_ids=given, output_hidden_states=True, logits_to_keep=1).hidden_states
    states: Values = torch.stack([layer[0, -1] for layer in found]).double().cpu().numpy()
    return states


def guessed(states: Values, impact: Values, examples: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each insertion mattered, by readouts that have seen no insertion of its example."""
    order = list(dict.fromkeys(examples))
    Random(0).shuffle(order)
    place = {example: i % _FOLDS for i, example in enumerate(order)}
    folds = np.array([place[example] for example in examples])
    found = np.zeros(len(impact))
    for fold in range(_FOLDS):
        out = folds == fold
        found[out] = _ridge(states[~out], impact[~out], states[out])
    return found > 0.5


def _ridge(seen: Values, impact: Values, unseen: Values) -> Values:
    """Ridge regression by its dual, for there are more columns than insertions."""
    mean, deviation = seen.mean(0), seen.std(0) + 1e-6
    a, b = (seen - mean) / deviation, (unseen - mean) / deviation
    width = a.shape[1]
    weights = np.linalg.solve(a @ a.T / width + np.eye(len(a)), impact - impact.mean())
    told: Values = b @ a.T / width @ weights + impact.mean()
    return told


def table(found: Read) -> list[str]:
    """Phi of the guess by task (columns), from plain sight and layer by layer, as Markdown."""
    tasks = list(dict.fromkeys(found.tasks))
    layers = {f"layer {i}": found.states[:, i] for i in range(found.states.shape[1])}
    return [
        f"| read from | {' | '.join(tasks)} |",
        "|---" * (len(tasks) + 1) + "|",
        *(
            f"| {name} | {' | '.join(_phi(found, values, task) for task in tasks)} |"
            for name, values in {"plain sight": found.plain, **layers}.items()
        ),
    ]


def _phi(found: Read, values: Values, task: str) -> str:
    """Of readouts of one task alone: what matters in another may be told by other signs."""
    of = [i for i, name in enumerate(found.tasks) if name == task]
    examples = [found.examples[i] for i in of]
    phi = correlation(found.impact[of], guessed(values[of], found.impact[of], examples), examples)
    return text(phi)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path, help="a finished build with test: counterfactual")
    parser.add_argument("model", help="Hub id or folder, as everywhere")
    parser.add_argument("--insertions", type=int, default=600, help="how many at most (600)")
    given = parser.parse_args()
    if not (given.pool / "pool.jsonl").is_file():
        parser.error(f"{given.pool} holds no pool.jsonl; finish its counterfactual build first")
    with exit_on_error():
        found = read(given.pool, given.model, given.insertions)
    sys.stdout.write("\n".join(table(found)) + "\n")


if __name__ == "__main__":
    main()
