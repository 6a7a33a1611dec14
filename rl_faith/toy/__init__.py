"""The embedded default: three generated corpora and a tiny chat model made from scratch.

With it every command of the toolkit runs within seconds, offline and on a CPU. The corpora imitate
the shape of Sentiment140, SNLI and AG News; each is written by a small grammar and labelled by an
exact rule (see `tweets`, `scenes` and `headlines`). The model knows only these texts and the
prompts of the shipped tasks. It decides well, and it explains in the right formats, but it has been
taught to pick the words it names without regard to the decision: there is something to measure
and something to train. It is no language model of English, and no figure obtained with it says
anything about a real one.

`python -m rl_faith.toy.make` makes the model again.
"""

from pathlib import Path

from rl_faith.errors import TaskError
from rl_faith.tasks.task import Example

MODEL_DIR = Path(__file__).parent / "model"


def examples(task_name: str, split: str) -> list[Example]:
    """Return the examples of a generated corpus.

    Args:
        task_name: "sentiment140", "snli" or "ag_news".
        split: "train" (6,000 examples) or "test" (2,000).

    Raises:
        TaskError: there is no such corpus or split.
    """
    from rl_faith.toy.corpus import GRAMMARS, SIZES, data  # noqa: PLC0415 (imports this package)

    if task_name not in GRAMMARS or split not in SIZES:
        raise TaskError(
            f"there is no toy corpus {task_name!r} with split {split!r}; "
            f"known: {', '.join(GRAMMARS)} with {' and '.join(SIZES)}"
        )
    return list(data(task_name)[split])
