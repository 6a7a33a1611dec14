"""What a model was trained on, from the recipes of the runs that made it."""

from collections.abc import Mapping
from dataclasses import dataclass

from rl_faith.report.reading import Read, Source, behind
from rl_faith.tasks import task_name

_DEEPEST = 10


@dataclass(frozen=True)
class Trained:
    """Tasks and explanation styles that a model has met in training."""

    tasks: frozenset[str]
    styles: frozenset[str]


def trained_on(made_by: Source, read: Read) -> Trained | None:
    """What a model was trained on, by the run that made it and those it started from.

    Returns:
        None where a recipe does not name tasks and styles.
    """
    named = {source.name: source for source in read.sources if source.log}
    tasks, styles = set[str](), set[str]()
    source: Source | None = made_by
    for _ in range(_DEEPEST):
        if source is None:
            break
        found = _named(source.recipe, "tasks"), _named(source.recipe, "styles")
        if not all(found) and source is made_by:
            return None
        tasks |= {task_name(name) for name in found[0]}
        styles |= found[1]
        source = behind(str(source.recipe.get("model_name_or_path", "")), named)
    return Trained(frozenset(tasks), frozenset(styles))


def _named(recipe: Mapping[str, object], key: str) -> set[str]:
    found = recipe.get(key)
    return {str(name) for name in found} if isinstance(found, list) else set()
