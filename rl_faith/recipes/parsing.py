"""Letting TRL's parser read a checked recipe, with the overrides of the command line."""

from collections.abc import Sequence
from typing import Any, NoReturn

from rl_faith.errors import RecipeError, one_line
from rl_faith.recipes.kinds import STAGES
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

    parser = TrlParser((STAGES[stage].recipe, *library))
    parser.error = _refuse  # argparse would print its usage, which is pages here, and exit
    try:
        parsed: tuple[Any, ...] = parser.parse_args_and_config(list(arguments))
    except ValueError as error:
        raise RecipeError(f"{stage}: {one_line(error)}") from None
    ours = vars(parsed[0])
    for name, value in ours.items():
        if wrong := flaw(name, value):
            raise RecipeError(f"{stage}: {wrong}")
    check_names(stage, ours["tasks"], ours["styles"])
    return parsed


def _refuse(message: str) -> NoReturn:
    raise RecipeError(one_line(message))
