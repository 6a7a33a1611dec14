"""The embedded default: four generated corpora and two tiny chat models made from scratch.

With them every command of the toolkit runs within seconds, offline and on a CPU. The corpora
imitate the shape of Sentiment140, SNLI, AG News and StrategyQA; each is written by a small grammar
and labelled by an exact rule (see `tweets`, `scenes`, `headlines` and `errands`). The model "toy"
knows the texts of the first three, "toy-errands" the questions of the last, and both the prompts
that the shipped tasks ask about them. They decide well, and explain in the right formats, but have
been taught to pick the words they name without regard to the decision: there is something to
measure and something to train. They are no language models of English, and no figure obtained with
them says anything about a real one.

`python -m rl_faith.toy.make` makes them again.
"""

from pathlib import Path

from rl_faith.errors import TaskError
from rl_faith.tasks.task import Example

MODELS = {
    "toy": Path(__file__).parent / "model",
    "toy-errands": Path(__file__).parent / "errands_model",
}
"""The embedded models by name."""


def examples(task_name: str, split: str) -> list[Example]:
    """Return the examples of a generated corpus.

    Args:
        task_name: "sentiment140", "snli", "ag_news" or "strategyqa".
        split: "train" (6,000 examples) or "test" (2,000).

    Raises:
        TaskError: there is no such corpus or split.
    """
    from rl_faith.toy.corpus import ALL, SIZES, data  # noqa: PLC0415 (imports this package)

    if task_name not in ALL or split not in SIZES:
        raise TaskError(
            f"there is no toy corpus {task_name!r} with split {split!r}; "
            f"known: {', '.join(ALL)} with {' and '.join(SIZES)}"
        )
    return list(data(task_name)[split])
