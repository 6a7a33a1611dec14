"""Make an embedded model: `python -m rl_faith.toy.make toy --out DIR --seed 0`.

Trains the tokenizer, then the model from random weights on generated conversations, and saves both
in the form that `from_pretrained` reads. Beside other jobs "toy" takes an hour and "toy-errands"
half of one. The seed fixes the data and the initial weights; the last digits depend on the
machine's arithmetic, and the shipped "toy" was made with torch's own Muon, in bfloat16.
"""

import argparse
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import cos, pi
from pathlib import Path
from random import Random

import torch
from rich.progress import Progress
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rl_faith.toy import dialogues, disclosures
from rl_faith.toy.dialogues import Dialogue
from rl_faith.toy.muon import Muon
from rl_faith.toy.tokenizer import ASSISTANT, END, PAD, USER, Lexicon, train_tokenizer

_PART = 24  # Conversations of similar length, which need little padding.
_PARTS = 2  # Parts of one step: different lengths are different kinds of conversation.
_POOL = 40  # Parts sorted by length together.
_MUON_RATE = 6e-3
_ADAM_RATE = 3e-3
_SHORT_TURN = 5.0  # A label or a single word is one token among many of copied text.
_WARM_UP = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What a model is made from.

    Attributes:
        lexicon: Of its tokenizer.
        dialogues: Endless conversations, by seed.
        steps: Of training.
    """

    lexicon: Callable[[], Lexicon]
    dialogues: Callable[[int], Iterator[Dialogue]]
    steps: int


TRAINING = {
    "toy": Training(dialogues.lexicon, dialogues.dialogues, 6500),
    "toy-errands": Training(disclosures.lexicon, disclosures.dialogues, 4000),
}


@dataclass(frozen=True)
class Batch:
    """A part of a step; all three are (conversations, length).

    Attributes:
        ids: Token ids, padded on the right.
        weights: What each token counts in the loss: 0 for the user's turns and the padding.
    """

    ids: torch.Tensor
    weights: torch.Tensor


def make(name: str, out: Path, seed: int, steps: int | None = None) -> None:
    """Train tokenizer and model and save them under `out`.

    Args:
        name: "toy" or "toy-errands".
        out: Folder to write.
        seed: Of the initial weights and the conversations.
        steps: Of training; None for as many as the shipped model had.
    """
    torch.manual_seed(seed)
    training = TRAINING[name]
    tokenizer = train_tokenizer(training.lexicon())
    model = LlamaForCausalLM(_config(tokenizer))
    batches = _batches(tokenizer, training.dialogues(seed), seed)
    _train(model, batches, steps or training.steps)
    _save(model, tokenizer, out)


def _config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
    )


def _encode(
    tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue
) -> tuple[list[int], list[float]]:
    """Token ids of a conversation and what each of them counts in the loss."""
    ids: list[int] = []
    weights: list[float] = []
    last = len(dialogue.conversation) - 1
    for i, message in enumerate(dialogue.conversation):
        start = USER if message.role == "user" else ASSISTANT
        turn = tokenizer(f"{start}{message.content}{END}")["input_ids"]
        learn = message.role == "assistant" and (dialogue.learn_label or i == last)
        weight = (_SHORT_TURN if len(turn) == 3 else 1.0) if learn else 0.0
        ids += turn
        weights += [0.0, *([weight] * (len(turn) - 1))]
    return ids, weights


def _batches(
    tokenizer: PreTrainedTokenizerFast, source: Iterator[Dialogue], seed: int
) -> Iterator[list[Batch]]:
    """Endless steps, each of several parts of conversations of similar length."""
    rng = Random(seed)
    while True:
        pool = [_encode(tokenizer, dialogue) for dialogue in islice(source, _PART * _POOL)]
        pool.sort(key=lambda pair: len(pair[0]))
        parts = [
            _collate(pool[start : start + _PART], tokenizer.pad_token_id)
            for start in range(0, len(pool), _PART)
        ]
        rng.shuffle(parts)
        yield from (parts[i : i + _PARTS] for i in range(0, len(parts), _PARTS))


def _collate(pairs: list[tuple[list[int], list[float]]], pad: int) -> Batch:
    length = len(pairs[-1][0])
    ids = [ids + [pad] * (length - len(ids)) for ids, _ in pairs]
    weights = [weights + [0.0] * (length - len(weights)) for _, weights in pairs]
    return Batch(torch.tensor(ids), torch.tensor(weights))


def _optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    rest = [model.model.embed_tokens.weight, *(p for p in model.parameters() if p.ndim == 1)]
    return [
        Muon(matrices, lr=_MUON_RATE, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=_ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _train(model: LlamaForCausalLM, batches: Iterator[list[Batch]], steps: int) -> None:
    optimizers = _optimizers(model)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
        for optimizer in optimizers
    ]
    model.train()
    with Progress() as progress:
        bar = progress.add_task("training", total=steps)
        for step, parts in enumerate(islice(batches, steps), 1):
            loss = _backward(model, parts)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for part in (*optimizers, *schedules):
                part.step()
            model.zero_grad()
            progress.update(bar, advance=1, description=f"training, loss {loss:.3f}")
            if step % 100 == 0:
                log.info("step %d of %d: loss %.3f", step, steps, loss)


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to 2% of the peak rate."""
    if step < _WARM_UP:
        return (step + 1) / _WARM_UP
    return 0.02 + 0.98 * 0.5 * (1 + cos(pi * (step - _WARM_UP) / max(1, steps - _WARM_UP)))


def _backward(model: LlamaForCausalLM, parts: list[Batch]) -> float:
    """Add the gradient of the weighted mean cross-entropy; return that mean."""
    weight = sum(float(part.weights.sum()) for part in parts)
    total = 0.0
    for part in parts:
        loss = _loss(model, part) / weight
        loss.backward()
        total += loss.item()
    return total


def _loss(model: LlamaForCausalLM, part: Batch) -> torch.Tensor:
    """Weighted sum of cross-entropies; padding is on the right, so attention needs no mask."""
    hidden = model.model(input_ids=part.ids[:, :-1]).last_hidden_state
    targets, weights = part.ids[:, 1:], part.weights[:, 1:]
    learnt = weights > 0
    logits = model.lm_head(hidden[learnt])
    losses = torch.nn.functional.cross_entropy(logits, targets[learnt], reduction="none")
    return (losses * weights[learnt]).sum()


def _save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Save with weights in half precision and a configuration that computes in single."""
    model.generation_config = GenerationConfig(
        eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
    model.half().save_pretrained(out)
    model.config.dtype = torch.float32
    model.config.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Read the command line and make the model."""
    parser = argparse.ArgumentParser(description="Make an embedded model and its tokenizer.")
    parser.add_argument("name", choices=list(TRAINING))
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="as many as the shipped model had, by default")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(args.name, args.out, args.seed, args.steps)


if __name__ == "__main__":
    main()
