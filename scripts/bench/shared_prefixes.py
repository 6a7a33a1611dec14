"""What forward and backward passes of SFT take with common beginnings read once, and padded.

Batches of 16 labelled texts of like lengths go through one trainer in the two layouts by turns. On
the embedded model, or on one's own; a processor takes five minutes for 135M parameters:

    OMP_NUM_THREADS=1 python scripts/bench/shared_prefixes.py [out.json] \
        [--model NAME --data FOLDER --task FILE]
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from timing import REPETITIONS, report, rows_of, save, side_by_side
from trl import SFTConfig

from rl_faith.training.arguments import parse_training
from rl_faith.training.carded import CardedSFTTrainer
from rl_faith.training.prefixes import collate, read_trees
from rl_faith.training.sft import make_trainer

RECIPE = "recipes/toy/sft-predictions.yaml"
BATCH = 16
OURS, PADDED = "common beginnings once", "padded"

Rows = Sequence[Mapping[str, Any]]


def trainer_for(given: argparse.Namespace, out: str) -> CardedSFTTrainer:
    """One whose batches are padded, with a model that takes both layouts."""
    told = {
        "output_dir": out, "model_name_or_path": given.model, "data": given.data,
        "tasks": given.task, "examples_per_task": 4 * BATCH * REPETITIONS,
    }  # fmt: skip
    arguments = [part for key, value in told.items() for part in (f"--{key}", str(value))]
    return make_trainer(*parse_training("sft", ["--config", RECIPE, *arguments], SFTConfig)[:3])


def passes(
    trainer: CardedSFTTrainer, batches: Sequence[Rows], lay: Callable[[Rows], Any]
) -> Callable[[int], float]:
    """The loss of one batch and its gradients."""

    def once(repetition: int) -> float:
        trainer.model.zero_grad()
        loss = trainer.compute_loss(trainer.model, lay(batches[repetition]))
        loss.backward()
        return float(loss.detach())

    return once


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--model", default="toy")
    parser.add_argument("--data", default="toy")
    parser.add_argument("--task", default="sentiment140")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as out:
        trainer = trainer_for(given, out)
        read_trees(trainer.model, trainer.model.dtype)
        rows = sorted(trainer.train_dataset, key=lambda row: len(row["input_ids"]))
        batches = [rows[i : i + BATCH] for i in range(0, len(rows), 4 * BATCH)]
        ways = {
            OURS: passes(trainer, batches, collate),
            PADDED: passes(trainer, batches, trainer.data_collator),
        }
        seconds, losses = side_by_side(ways)
    found = rows_of(seconds, ours=OURS, targets={})
    apart = max(abs(a - b) for a, b in zip(*losses.values(), strict=True))
    report(f"SFT on {BATCH} labelled texts, {given.model}; losses differ by {apart:.0e}", found)
    save(given.out, {"model": Path(given.model).name, "task": Path(given.task).stem, "rows": found})


if __name__ == "__main__":
    main()
