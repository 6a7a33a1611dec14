"""How fast sampled explanations are written with rows that have ended dropped, and with all kept.

Eight tweets, a redaction of each sampled eight times at temperature 1, by the same `generate` and
the same weights. On the embedded model, or on one's own (then with --data, a folder):

    OMP_NUM_THREADS=1 python scripts/bench/writing.py [out.json] [--model M --task T --data D]
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from timing import report, rows_of, save, side_by_side
from transformers import GenerationConfig

from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.policies.writing import continued, empty_cache, padded
from rl_faith.tasks import load_examples, load_task

TEXTS, REPLIES, MOST = 8, 8, 64
"""Tweets, replies to each, and tokens of a reply."""
KEPT, DROPPED = "all rows until the last ends", "rows that have ended dropped"


def asked(policy: TransformersPolicy, task_name: str, data: str) -> list[tuple[int, ...]]:
    """Token ids of the prompts, each as often as it is replied to."""
    task = load_task(task_name)
    examples = load_examples(task, "train", source=data, n=TEXTS, seed=0)
    requests = [task.ask_why(e, task.label_words[0], "redaction", "one") for e in examples]
    ids = policy.chat.ids([policy.chat.text(request) for request in requests])
    return [prompt for prompt in ids for _ in range(REPLIES)]


def write(
    policy: TransformersPolicy, prompts: list[tuple[int, ...]], seed: int, *, drops: bool
) -> list[list[int]]:
    """Sample a reply to each prompt."""
    tokenizer, model = policy.chat.tokenizer, policy.model
    config = GenerationConfig(
        do_sample=True,
        max_new_tokens=MOST,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    ids, mask = padded(prompts, tokenizer.pad_token_id, model.device)
    with torch.no_grad():
        return continued(model, ids, mask, config, empty_cache(model) if drops else {})


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--model", default="toy")
    parser.add_argument("--task", default="sentiment140")
    parser.add_argument("--data", default="toy")
    given = parser.parse_args()
    torch.set_num_threads(1)
    policy = TransformersPolicy.load(given.model, device="cpu")
    prompts = asked(policy, given.task, given.data)
    ways = {KEPT: False, DROPPED: True}
    seconds, replies = side_by_side(
        {way: partial(write, policy, prompts, drops=drops) for way, drops in ways.items()}
    )
    rows = rows_of(seconds, ours=DROPPED, targets={})
    for row in rows:
        lengths = [[len(reply) for reply in batch] for batch in replies[row["way"]]]
        row["tokens of all rows, needed"] = sum(map(sum, lengths)) // len(lengths)
        row["to the last"] = sum(len(n) * max(n) for n in lengths) // len(lengths)
    report(f"64 sampled redactions, {Path(given.model).name}", rows)
    save(given.out, {"model": Path(given.model).name, "rows": rows})


if __name__ == "__main__":
    main()
