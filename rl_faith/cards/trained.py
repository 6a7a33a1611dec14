"""The card that a training stage writes into its output folder.

It is made from what the run directory holds (`recipe.yaml`, `provenance.json`, `held_out.jsonl`)
and from how far the training has come, so that it holds nothing that these do not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard, ModelCardData

from rl_faith.cards.evaluated import NOT_YET
from rl_faith.cards.figures import Cell, hub_data, hub_results, read_from, scores_table, whole
from rl_faith.cards.origin import hub_base, recipe_in, shown_path, tasks_and_data
from rl_faith.report.contents import Table
from rl_faith.report.document import to_table
from rl_faith.runs import Row, read_rows, write_atomically

_HELD_OUT = "held_out.jsonl"
_METHODS = {"sft": "Fine-tuned (SFT)", "grpo": "Reinforced (GRPO)"}
_FIGURES = (
    *("loss", "train_loss", "mean_token_accuracy", "reward", "kl"),
    *("faith/faithful_all", "faith/random_control"),
    *("faith/phi", "faith/tpr", "faith/fpr", "faith/accuracy"),
)
_LOADED_WHOLE = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{where}")
tokenizer = AutoTokenizer.from_pretrained("{where}")
```"""
_LOADED_ADAPTER = """\
```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("{where}")
tokenizer = AutoTokenizer.from_pretrained("{where}")
```"""
_LOCAL_BASE = """\
It is an adapter, and what it was trained from is no model of the Hub: PEFT alone finds it only
where `base_model_name_or_path` of `adapter_config.json` leads to it."""


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        name: Of the model on the Hub, or "" where it is not pushed.
        adapter: Whether an adapter is trained and not all weights.
        rows: Pairs or prompts to train on.
        step: Of the weights that the card stands beside.
        steps: Of the whole training.
        log: What was logged, as TRL keeps it in `log_history`.
    """

    name: str
    adapter: bool
    rows: int
    step: int
    steps: int
    log: Sequence[Mapping[str, Any]]


def add_held_out(folder: Path, step: int, cells: Sequence[Cell]) -> None:
    """Keep the scores of an evaluation on held-out examples, one line in `held_out.jsonl`.

    A run that goes on from a checkpoint judges some steps again; the later line replaces theirs.

    Raises:
        RunError: the disk is full, or the file is damaged.
    """
    file = folder / _HELD_OUT
    kept = [row for row in read_rows(file) if row["step"] < step]
    lines = [json.dumps(row) + "\n" for row in (*kept, {"step": step, "cells": cells})]
    write_atomically(file, "".join(lines))


def write_card(folder: Path, progress: Progress) -> None:
    """Write `README.md` into the output folder of a training.

    Raises:
        RunError: a file of the run is damaged.
    """
    recipe = recipe_in(folder)
    evaluations = [e for e in read_rows(folder / _HELD_OUT) if e["step"] <= progress.step]
    card = ModelCard.from_template(
        _metadata(folder, recipe, progress, evaluations),
        template_str=files(__package__).joinpath("card.md").read_text(encoding="utf-8"),
        **_texts(folder, recipe, progress, evaluations),
    )
    write_atomically(folder / "README.md", str(card))


def _metadata(
    folder: Path, recipe: Row, progress: Progress, evaluations: Sequence[Row]
) -> ModelCardData:
    tasks, data = tasks_and_data(recipe)
    cells = whole(evaluations[-1]["cells"]) if evaluations else []
    return ModelCardData(
        base_model=hub_base(str(recipe.get("model_name_or_path", ""))),
        datasets=sorted({name for task in tasks if (name := hub_data(task, data))}) or None,
        library_name="peft" if progress.adapter else "transformers",
        pipeline_tag="text-generation",
        tags=["rl-faith", "trl", str(recipe.get("stage", "")), "faithful-explanations"],
        model_name=progress.name.rpartition("/")[2] or folder.resolve().name,
        eval_results=hub_results(cells, data=data, split="train, held out") or None,
    )


def _texts(
    folder: Path, recipe: Row, progress: Progress, evaluations: Sequence[Row]
) -> dict[str, str]:
    base = str(recipe.get("model_name_or_path", "BASE"))
    where = progress.name or shown_path(str(folder))
    tasks, data = tasks_and_data(recipe)
    return {
        "name": progress.name or folder.resolve().name,
        "method": _METHODS.get(str(recipe.get("stage")), "Trained"),
        "base": shown_path(base),
        "where": where,
        # The toolkit takes an adapter from a folder only.
        "local": "FOLDER" if progress.adapter and progress.name else where,
        "task": tasks[0],
        "held_out": _held_out(evaluations, progress),
        "evaluation": NOT_YET,
        "data_text": _data(tasks, data, progress),
        "training": _training(progress),
        "recipe": yaml.safe_dump(_shown(recipe), sort_keys=False).strip(),
        "versions": _versions(folder),
        "loading": _loading(where, base, adapter=progress.adapter),
    }


def _held_out(evaluations: Sequence[Row], progress: Progress) -> str:
    if not evaluations:
        return "None: this run judged no explanations while it trained."
    first, last = evaluations[0], evaluations[-1]
    earlier: Sequence[Cell] = whole(first["cells"]) if first["step"] < last["step"] else []
    told = (
        "Greedy explanations of examples of the training split that were not trained on, at step "
        f"{last['step']}; the weights are those of step {progress.step}. 95% intervals."
    )
    before = f"at step {first['step']}"
    return f"{told}\n\n{scores_table(whole(last['cells']), earlier, before)}"


def _data(tasks: Sequence[str], data: str, progress: Progress) -> str:
    named = ", ".join(f"`{shown_path(task)}`" for task in tasks)
    return (
        f"Tasks {named} from {read_from(data)}; {progress.rows} rows to train on; "
        f"step {progress.step} of {progress.steps}."
    )


def _training(progress: Progress) -> str:
    lines = tuple(
        (key, *(f"{value:.4g}" for value in (known[0], known[-1])))
        for key in _FIGURES
        if (known := [entry[key] for entry in progress.log if key in entry])
    )
    taken = [entry["train_runtime"] for entry in progress.log if "train_runtime" in entry]
    told = [to_table(Table("", ("logged", "first", "last"), lines))] if lines else []
    return "\n\n".join([*told, *([f"It took {taken[-1]:.0f} seconds."] if taken else [])])


def _shown(value: Any) -> Any:
    """A value of a recipe without the folders of this machine."""
    if isinstance(value, dict):
        return {key: _shown(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_shown(held) for held in value]
    return shown_path(value) if isinstance(value, str) else value


def _versions(folder: Path) -> str:
    file = folder / "provenance.json"
    known = json.loads(file.read_text(encoding="utf-8"))["versions"] if file.is_file() else {}
    return ", ".join(f"{name} {number}" for name, number in known.items() if number) or "–"


def _loading(where: str, base: str, *, adapter: bool) -> str:
    if not adapter:
        return _LOADED_WHOLE.format(where=where)
    told = _LOADED_ADAPTER.format(where=where)
    return told if hub_base(base) == base else f"{_LOCAL_BASE}\n\n{told}"
