"""The models that an evaluation names."""

from collections.abc import Sequence

from rl_faith.errors import RecipeError


def parse_models(models: Sequence[str]) -> dict[str, str]:
    """Read "name=where" entries; a bare "where" is its own name.

    Raises:
        RecipeError: no model, or two of the same name.
    """
    pairs = [entry.split("=", 1) if "=" in entry else [entry, entry] for entry in models]
    names = [name for name, _ in pairs]
    if not names or len(set(names)) < len(names):
        raise RecipeError(f"models must be one or more different name=where, not {list(models)}")
    return {name: where for name, where in pairs}  # noqa: C416 - pairs are lists
