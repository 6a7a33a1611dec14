"""Where a trained model comes from: its base model, its tasks and its data."""

import json
import re
from pathlib import Path
from typing import Any

from rl_faith.plain_yaml import read_yaml
from rl_faith.recipes import ALL_TASKS
from rl_faith.runs import Row
from rl_faith.toy import MODELS

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def recipe_in(folder: Path) -> Row:
    """The recipe that a run directory keeps; empty where it keeps none."""
    file = folder / "recipe.yaml"
    found = read_yaml(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return dict(found) if isinstance(found, dict) else {}


def hub_base(name: str) -> str | None:
    """The model of the Hub at the bottom of `name`, through the runs and adapters above it.

    None where there is no such model: it is embedded, or a folder that says nothing of its origin.
    """
    seen = set()
    while Path(name).is_dir() and name not in seen:
        seen.add(name)
        name = str(recipe_in(Path(name)).get("model_name_or_path") or _base_of_adapter(Path(name)))
    return name if name not in MODELS and _HUB_ID.fullmatch(name) else None


def _base_of_adapter(folder: Path) -> str:
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return str(config.get("base_model_name_or_path") or "")


def tasks_and_data(recipe: Row) -> tuple[list[str], str]:
    """The tasks of a training recipe, and where their data come from, which a build may say."""
    build: Any = recipe.get("build") or recipe.get("pool")
    source = recipe_in(Path(build)) if build else {}
    tasks = recipe.get("tasks") or source.get("tasks") or ALL_TASKS
    return list(tasks), str(source.get("data") or recipe.get("data") or "hub")


def shown_path(text: str) -> str:
    """A path as others may see it: without the folders of this machine."""
    return Path(text).name if Path(text).is_absolute() else text
