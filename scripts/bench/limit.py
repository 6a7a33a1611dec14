"""How near `predict` comes to what this machine's matrix products allow.

A Llama of 30M random weights answers the questions of a GRPO reward batch (see predict.py), nothing
cached, every distinct question once. Its floating-point operations are those of the layers'
matrices, of attention over what each token sees, and of the head at the places that are read. What
prompts share at their beginning counts once; padding and masked-out places count for nothing. The
limit is the rate of plain matrix products of the same shapes: every weight matrix times as many
tokens as a forward pass of ours has.

    OMP_NUM_THREADS=1 python scripts/bench/limit.py [out.json]
"""

import sys
import time
from pathlib import Path
from statistics import median

import torch
from predict import by_predict, reward_questions, thirty_million
from timing import REPETITIONS, report, save

from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.policies.trees import trees
from rl_faith.questions import Question

TARGET = 0.6
PRODUCTS = 20


def main(out: Path) -> None:
    """Measure, print and save."""
    torch.set_num_threads(1)
    print("one thread; medians of", REPETITIONS, "repetitions, both sides taking turns")
    toy = TransformersPolicy.load("toy", device="cpu")
    questions, _ = reward_questions(toy)
    policy = TransformersPolicy(thirty_million(toy), toy.chat.tokenizer)
    by_predict(policy, questions)
    work, width = operations(policy, questions)
    reached, possible = [], []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        by_predict(policy, questions)
        reached.append(work / (time.perf_counter() - start))
        possible.append(product_rate(policy, width))
    share = median(r / p for r, p in zip(reached, possible, strict=True))
    row = {
        "way": "predict, 30M parameters",
        "GFLOP": work / 1e9,
        "tokens a pass": width,
        "GFLOP/s": median(reached) / 1e9,
        "limit": median(possible) / 1e9,
        "share": share,
        "target": TARGET,
        "reached": share >= TARGET,
    }
    report("achieved rate over that of plain matrix products", [row])
    save(out, {"rows": [row]})


def operations(policy: TransformersPolicy, questions: list[Question]) -> tuple[float, int]:
    """Floating-point operations that the questions need, and the tokens of a typical pass."""
    prompts = set(policy.chat.ids([policy.chat.text(q.conversation) for q in questions]))
    config, matrices = policy.model.config, layer_matrices(policy)
    (tree,) = trees(list(prompts), max_tokens=sys.maxsize)
    layers = 2.0 * len(tree.tokens) * sum(m.numel() for m in matrices)
    seen = sum(depth + 1 for depth in tree.depths)
    attention = 4.0 * seen * config.hidden_size * config.num_hidden_layers
    head = 2.0 * len(prompts) * config.hidden_size * config.vocab_size
    passes: list[int] = []
    hook = policy.model.register_forward_pre_hook(
        lambda _, __, given: passes.append(given["input_ids"].numel()), with_kwargs=True
    )
    by_predict(policy, questions)
    hook.remove()
    return layers + attention + head, int(median(passes))


def layer_matrices(policy: TransformersPolicy) -> list[torch.Tensor]:
    """Every weight matrix of the layers."""
    return [p for p in policy.model.model.layers.parameters() if p.ndim == 2]


@torch.no_grad()
def product_rate(policy: TransformersPolicy, width: int) -> float:
    """Operations a second of every layer's matrices times `width` tokens."""
    matrices = layer_matrices(policy)
    inputs = {m.shape[1]: torch.randn(width, m.shape[1]) for m in matrices}
    start = time.perf_counter()
    for _ in range(PRODUCTS):
        for matrix in matrices:
            torch.nn.functional.linear(inputs[matrix.shape[1]], matrix)
    taken = time.perf_counter() - start
    return PRODUCTS * 2.0 * width * sum(m.numel() for m in matrices) / taken


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".json"))
