"""Whether asking grows evenly: seconds for 1,000, 4,000 and 16,000 different questions.

Questions about toy test examples with random words redacted, all three tasks in turn, nothing
cached, on the embedded model. The figure of each number is its time per question over that of the
first; 1 is linear.

    OMP_NUM_THREADS=1 python scripts/bench/growth.py [out.json]
"""

import itertools
import sys
from pathlib import Path
from random import Random
from statistics import median

import torch
from timing import REPETITIONS, report, save, side_by_side

from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Question
from rl_faith.recipes import ALL_TASKS
from rl_faith.tasks import load_examples, load_task
from rl_faith.text import redact, words

COUNTS = (1_000, 4_000, 16_000)
WITHIN = 0.15


def main(out: Path) -> None:
    """Measure, print and save."""
    torch.set_num_threads(1)
    print("one thread; medians of", REPETITIONS, "repetitions, ways taking turns")
    policy = TransformersPolicy.load("toy", device="cpu")
    asked = questions(max(COUNTS))
    ways = {f"{n:,} questions": lambda _, n=n: by_us(policy, asked[:n]) for n in COUNTS}
    by_us(policy, asked[: COUNTS[0]])
    seconds, _ = side_by_side(ways)
    first = seconds[f"{COUNTS[0]:,} questions"]
    rows = []
    for n, taken in zip(COUNTS, seconds.values(), strict=True):
        each = median(t / f for t, f in zip(taken, first, strict=True)) / (n / COUNTS[0])
        rows.append(
            {
                "way": f"{n:,} questions",
                "seconds": median(taken),
                "a question, times the first": each,
                "target": 1 + WITHIN,
                "reached": each <= 1 + WITHIN,
            }
        )
    report("different questions in one call, embedded model", rows)
    save(out, {"rows": rows})


def questions(count: int) -> list[Question]:
    """Different questions in no order."""
    rng, found = Random(0), dict[Question, None]()
    tasks = [load_task(name) for name in sorted(ALL_TASKS)]
    piles = [load_examples(task, "test", source="toy", n=2_000, seed=0) for task in tasks]
    for task, examples in itertools.cycle(zip(tasks, piles, strict=True)):
        if len(found) >= count:
            break
        example = rng.choice(examples)
        size = len(words(example.input))
        gone = rng.sample(range(size), rng.randint(0, min(3, size)))
        found[task.ask(example.edited(redact(example.input, gone)))] = None
    return list(found)


def by_us(policy: TransformersPolicy, asked: list[Question]) -> int:
    """This toolkit, with nothing cached."""
    policy.weights_changed()
    return len(policy.predict(asked))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
