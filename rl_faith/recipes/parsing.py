"""Letting TRL's parser read a checked recipe, with the overrides of the command line."""

from collections.abc import Sequence
from typing import Any, NoReturn

from rl_faith.errors import RecipeError, one_line
from rl_faith.recipes.checking import stage_for
from rl_faith.recipes.values import check_names, flaw


def parse_recipe(stage: str, arguments: Sequence[str], *library: type) -> tuple[Any, ...]:
    """Let TRL parse a checked recipe with its overrides.

    Returns:
        Our dataclass of the stage, then one object of each class in `library`.

    Raises:
        RecipeError: a value of the wrong kind or out of range.
        TaskError: an override names a task that does not exist.
    """
    from trl import TrlParser  # noqa: PLC0415 - brings torch

    parser = TrlParser((stage_for(stage, arguments).recipe, *library))
    parser.error = _refuse  # argparse would print its usage, which is pages here, and exit
    try:
        parsed: tuple[Any, ...] = parser.parse_args_and_config(list(arguments))
    except ValueError as error:
        raise RecipeError(f"{stage}: {one_line(error)}") from None
    ours = vars(parsed[0])
    for name, value in ours.items():
        if wrong := flaw(name, value):
            raise RecipeError(f"{stage}: {wrong}")
    # Fine-tuning asks for no explanation: it takes those of a build, or none.
    budgets = [] if stage == "sft" else ours.get("budgets", [])
    check_names(stage, ours["tasks"] or [], ours.get("styles", []), budgets)
    return parsed


def _refuse(message: str) -> NoReturn:
    raise RecipeError(one_line(message))
