"""Does the word that a counterfactual brings in matter where it is put, or anywhere?

    python scripts/counterfactual_places.py runs/smollm2-135m/sentiment140/counterfactual/evaluate

Some words turn a decision wherever they stand. Such a counterfactual is true and says little about
the input; the random control, which redacts, does not see it. So the same word is put in the place
of up to four other words, drawn at random, of each explanation that replaces one word. Printed, by
model and task: how often the explanation's own edit changes the decision, how often the others do,
and the paired difference, with 95% intervals. Ours.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import track

from rl_faith.errors import exit_on_error
from rl_faith.evaluation.models import parse_models
from rl_faith.plain_yaml import read_yaml
from rl_faith.policies import Policy
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Prediction
from rl_faith.report.formatting import text
from rl_faith.rows import example_of
from rl_faith.runs import Row, read_rows
from rl_faith.stats import Estimate, bootstrap_mean, paired_difference, share
from rl_faith.tasks import Task, load_task
from rl_faith.text import changed_words, replace, words

_PLACES = 4
_CHUNK = 20


@dataclass(frozen=True)
class Moved:
    """One explanation: whether its edit flips, and the share of the same word elsewhere that do."""

    faithful: bool
    elsewhere: float


def elsewhere(row: Row) -> list[str]:
    """The input with the new word in other places; none where no one word is replaced."""
    changes = changed_words(row["input"], row["edited"] or row["input"])
    if row["status"] != "valid" or len(changes) != 1 or not all(changes[0]):
        return []
    old, new = changes[0]
    other = [i for i, word in enumerate(words(row["input"])) if word.text != old]
    drawn = Random(row["id"]).sample(other, min(_PLACES, len(other)))
    return [replace(row["input"], position, new) for position in sorted(drawn)]


def ask(policy: Policy, task: Task, rows: Sequence[Row]) -> list[Moved]:
    """Ask about the new words in their other places."""
    texts = [elsewhere(row) for row in rows]
    asked = [
        task.ask(example_of(r).edited(t)) for r, of in zip(rows, texts, strict=True) for t in of
    ]
    answers = iter(policy.predict(asked))
    found = []
    for row, of in zip(rows, texts, strict=True):
        labels = [a.label for a in (next(answers) for _ in of) if isinstance(a, Prediction)]
        if labels:
            flips = [label != row["prediction"] for label in labels]
            found.append(Moved(row["faithful"], sum(flips) / len(flips)))
    return found


def line(model: str, task: str, found: Sequence[Moved]) -> str:
    """One model on one task as a row of the table."""
    own, other = [m.faithful for m in found], [m.elsewhere for m in found]
    shown: Iterable[Estimate] = (share(own), bootstrap_mean(other), paired_difference(other, own))
    return f"| {model} | {task} | {len(found)} | " + " | ".join(text(e) for e in shown) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a folder that rl-faith evaluate wrote")
    parser.add_argument("--dtype", default="float32")
    given = parser.parse_args()
    if not (given.run / "results.json").is_file() or "models" not in _recipe(given.run):
        parser.error(f"{given.run} is no finished evaluation; evaluate counterfactuals there first")
    sys.stdout.write(
        "| model | task | n | as explained | elsewhere | difference |\n" + "|---" * 6 + "|\n"
    )
    with exit_on_error():
        for made in _lines(given.run, given.dtype):
            sys.stdout.write(f"{made}\n")


def _recipe(run: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = read_yaml((run / "recipe.yaml").read_text(encoding="utf-8"))
    return found


def _lines(run: Path, dtype: str) -> Iterable[str]:
    recipe = _recipe(run)
    tasks = {task.name: task for task in map(load_task, recipe["tasks"])}
    by_model: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in read_rows(run / "instances.jsonl"):
        if row.get("style") == "counterfactual" and elsewhere(row):
            by_model[row["model"]][row["task"]].append(row)
    for model, where in parse_models(recipe["models"]).items():
        if model in by_model:
            policy = TransformersPolicy.load(where, dtype=dtype)
            for task, rows in by_model[model].items():
                yield line(model, task, _asked(policy, tasks[task], rows))


def _asked(policy: Policy, task: Task, rows: Sequence[Row]) -> list[Moved]:
    chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    shown = track(chunks, f"asking about {task.name}", console=Console(stderr=True))
    return [moved for chunk in shown for moved in ask(policy, task, chunk)]


if __name__ == "__main__":
    main()
