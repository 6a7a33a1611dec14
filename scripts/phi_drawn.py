"""Do explanations tell what mattered when they are drawn, where the greedy ones are silent?

    python scripts/phi_drawn.py runs/phi/evaluate esnli sft=runs/phi/sft rl=runs/phi/rl

Evaluation is greedy: a model that names an insertion in two of five cases may name none when it
always says what is likeliest, and phi is then not defined. Here explanations of the insertions of a
finished evaluation are drawn at temperature 1, as RL draws them, and held against the impact that
its rows tell of. Printed, by model and kind of insertion: how often they mention what was inserted,
where it mattered and where not, and phi with its 95% interval. Ours.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
from rich.console import Console
from rich.progress import track
from transformers import GenerationConfig

from rl_faith.correlation import Table2x2, correlation
from rl_faith.errors import exit_on_error
from rl_faith.evaluation.models import parse_models
from rl_faith.insertion_rows import insertion_of
from rl_faith.interventions import mention_of
from rl_faith.plain_yaml import read_yaml
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.policies.writing import padded
from rl_faith.report.formatting import text
from rl_faith.rows import example_of
from rl_faith.runs import Row, read_rows
from rl_faith.tasks import Task, load_task

_BATCH = 16
_HEAD = ("model", "insertions", "n", "phi, drawn", "TPR, FPR", "q, greedy q")


def drawn(policy: TransformersPolicy, prompts: Sequence[str], draws: int) -> list[list[str]]:
    """Several replies to each prompt, at temperature 1."""
    tokenizer = policy.chat.tokenizer
    how = GenerationConfig(
        do_sample=True,
        top_k=0,
        num_return_sequences=draws,
        max_new_tokens=40,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    ids, mask = padded(policy.chat.ids(prompts), tokenizer.pad_token_id, policy.model.device)
    with torch.inference_mode():
        said = policy.model.generate(input_ids=ids, attention_mask=mask, generation_config=how)
    replies = tokenizer.batch_decode(said[:, ids.shape[1] :], skip_special_tokens=True)
    return [replies[i : i + draws] for i in range(0, len(replies), draws)]


def mentions(
    policy: TransformersPolicy, task: Task, rows: Sequence[Row], draws: int
) -> list[list[bool]]:
    """Whether each reply drawn for each row names what was inserted."""
    asked = [task.ask_explanation(example_of(row), row["label_after"]) for row in rows]
    prompts = [policy.chat.text(conversation) for conversation in asked]
    parts = range(0, len(rows), _BATCH)
    said: list[list[str]] = []
    for start in track(parts, "drawing", console=Console(stderr=True)):
        said += drawn(policy, prompts[start : start + _BATCH], draws)
    return [
        [mention_of(reply, insertion_of(row)).found for reply in replies]
        for row, replies in zip(rows, said, strict=True)
    ]


def line(name: str, kind: str, rows: Sequence[Row], found: Sequence[Sequence[bool]]) -> list[str]:
    """One row of the table: all drawn replies to one kind of insertion."""
    draws = len(found[0])
    impacts = [bool(row["impact"]) for row in rows for _ in range(draws)]
    examples = [row["original"] for row in rows for _ in range(draws)]
    told = [mentioned for replies in found for mentioned in replies]
    table = Table2x2.of(impacts, told)
    greedy = sum(row["mentioned"] for row in rows) / len(rows)
    phi = correlation(impacts, told, examples)
    rates = f"{table.tpr or 0:.2f}, {table.fpr or 0:.2f}"
    return [name, kind, str(len(rows)), text(phi), rates, f"{table.q or 0:.2f}, {greedy:.2f}"]


def chosen(evaluation: Path, task: str, name: str, most: int) -> dict[str, list[Row]]:
    """Scored rows of a model on a task, at most so many of each kind of insertion."""
    asked = (name, task, "scored")
    rows = read_rows(evaluation / "instances.jsonl")
    kept = [row for row in rows if (row["model"], row["task"], row["status"]) == asked]
    Random(0).shuffle(kept)
    kinds = sorted({row["intervention"] for row in kept})
    return {kind: [row for row in kept if row["intervention"] == kind][:most] for kind in kinds}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evaluation", type=Path, help="of test: counterfactual, finished")
    parser.add_argument("task", help="the name of one of its tasks")
    parser.add_argument("models", nargs="+", help="NAME=MODEL, as the evaluation names them")
    parser.add_argument("--draws", type=int, default=4, help="replies to each insertion (4)")
    parser.add_argument("--insertions", type=int, default=250, help="most of each kind (250)")
    parser.add_argument("--dtype", default="bfloat16", help="as of the evaluation (bfloat16)")
    given = parser.parse_args()
    with exit_on_error():
        names = read_yaml((given.evaluation / "recipe.yaml").read_text(encoding="utf-8"))["tasks"]
        tasks = {task.name: task for task in map(load_task, names)}
        if given.task not in tasks:
            parser.error(f"{given.evaluation} asked {', '.join(tasks)}, not {given.task}")
        table = [list(_HEAD), ["---"] * len(_HEAD)]
        for name, model in parse_models(given.models).items():
            kinds = chosen(given.evaluation, given.task, name, given.insertions)
            if not kinds:
                parser.error(f"{given.evaluation} holds no rows of {name} on {given.task}")
            policy = TransformersPolicy.load(model, dtype=given.dtype)
            torch.manual_seed(0)
            for kind, rows in kinds.items():
                found = mentions(policy, tasks[given.task], rows, given.draws)
                table.append(line(name, kind, rows, found))
    sys.stdout.writelines(f"| {' | '.join(cells)} |\n" for cells in table)


if __name__ == "__main__":
    main()
