"""How often is the most influential word of one model that of another?

    python scripts/same_top_word.py --data data --task TASK --models predictions=A sft=B

An explanation learnt from one model is about another one by the time it is learnt. For test
examples of the task every word is erased, for each model. Printed: by pair of models, how often
both have the same most influential word (w* of Doi et al. 2025, eq. 2), and how often both decide
alike; 95% Wilson intervals. Ours.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations

from rich.console import Console
from rich.progress import track

from rl_faith.erasure import erase, most_influential
from rl_faith.errors import exit_on_error
from rl_faith.evaluation.models import parse_models
from rl_faith.explaining import predict_labels
from rl_faith.policies import Policy
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Prediction
from rl_faith.report.formatting import text
from rl_faith.stats import share
from rl_faith.tasks import Example, Task, load_examples, load_task
from rl_faith.text import fold

_CHUNK = 10

Drives = Mapping[str, tuple[str, str]]
"""By example id: the label that was predicted, and the word that drives it."""


def drives(policy: Policy, task: Task, examples: Sequence[Example], name: str) -> Drives:
    """Erase every word of every example; what cannot be asked is left out."""
    chunks = [examples[i : i + _CHUNK] for i in range(0, len(examples), _CHUNK)]
    found: dict[str, tuple[str, str]] = {}
    for chunk in track(chunks, name, console=Console(stderr=True)):
        predictions = predict_labels(policy, task, chunk)
        for key, influences in erase(policy, task, chunk, predictions).items():
            decided = predictions[key]
            top = most_influential(influences) if isinstance(influences, list) else None
            if top and isinstance(decided, Prediction):
                found[key] = (decided.label, fold(top.word))
    return found


def table(models: Mapping[str, Drives]) -> list[str]:
    """Every pair of models, as Markdown."""
    lines = ["| models | n | same top word | same decision |", "|---|---|---|---|"]
    for (one, first), (other, second) in combinations(models.items(), 2):
        both = [(first[key], second[key]) for key in first if key in second]
        words = text(share([a[1] == b[1] for a, b in both]))
        labels = text(share([a[0] == b[0] for a, b in both]))
        lines.append(f"| {one}, {other} | {len(both)} | {words} | {labels} |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", required=True, help="NAME=MODEL, two or more")
    parser.add_argument("--task", required=True, help="a task's name or file")
    parser.add_argument("--data", default="hub", help="as everywhere (hub)")
    parser.add_argument("--examples", type=int, default=250, help="of the test split (250)")
    given = parser.parse_args()
    with exit_on_error():
        task = load_task(given.task)
        examples = load_examples(task, "test", source=given.data, n=given.examples, seed=0)
        found = {
            name: drives(TransformersPolicy.load(model), task, examples, name)
            for name, model in parse_models(given.models).items()
        }
    sys.stdout.write("\n".join(table(found)) + "\n")


if __name__ == "__main__":
    main()
