"""Make the embedded model: `python -m rl_faith.toy.make --out DIR --seed 0`.

Trains the tokenizer, then the model from random weights on generated conversations, and saves both
in the form that `from_pretrained` reads. Takes about twenty minutes on one core. The seed fixes the
data and the initial weights; the last digits still depend on the machine's arithmetic.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import cos, pi
from pathlib import Path
from random import Random

import torch
from rich.progress import Progress
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rl_faith.toy.dialogues import Dialogue, dialogues
from rl_faith.toy.tokenizer import ASSISTANT, END, PAD, USER, train_tokenizer

_PART = 24  # Conversations of similar length, which need little padding.
_PARTS = 2  # Parts of one step: different lengths are different kinds of conversation.
_POOL = 40  # Parts sorted by length together.
_PEAK_RATE = 2e-3
_WARM_UP = 200
_IGNORE = -100
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Token ids and what to predict at each place, both (conversations, length)."""

    ids: torch.Tensor
    targets: torch.Tensor


def make(out: Path, seed: int, steps: int) -> None:
    """Train tokenizer and model and save them under `out`."""
    torch.manual_seed(seed)
    tokenizer = train_tokenizer()
    model = LlamaForCausalLM(_config(tokenizer))
    _train(model, _batches(tokenizer, seed), steps)
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
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
    )


def _encode(tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue) -> tuple[list[int], list[int]]:
    """Token ids of a conversation and, place by place, the target or `_IGNORE`."""
    ids: list[int] = []
    targets: list[int] = []
    last = len(dialogue.conversation) - 1
    for i, message in enumerate(dialogue.conversation):
        start = USER if message.role == "user" else ASSISTANT
        turn = tokenizer(f"{start}{message.content}{END}")["input_ids"]
        learn = message.role == "assistant" and (dialogue.learn_label or i == last)
        ids += turn
        targets += [_IGNORE, *(turn[1:] if learn else [_IGNORE] * (len(turn) - 1))]
    return ids, targets


def _batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[list[Batch]]:
    """Endless steps, each of several parts of conversations of similar length."""
    source, rng = dialogues(seed), Random(seed)
    while True:
        pool = [_encode(tokenizer, dialogue) for dialogue in islice(source, _PART * _POOL)]
        pool.sort(key=lambda pair: len(pair[0]))
        parts = [
            _collate(pool[start : start + _PART], tokenizer.pad_token_id)
            for start in range(0, len(pool), _PART)
        ]
        rng.shuffle(parts)
        yield from (parts[i : i + _PARTS] for i in range(0, len(parts), _PARTS))


def _collate(pairs: list[tuple[list[int], list[int]]], pad: int) -> Batch:
    length = len(pairs[-1][0])
    ids = [ids + [pad] * (length - len(ids)) for ids, _ in pairs]
    targets = [targets + [_IGNORE] * (length - len(targets)) for _, targets in pairs]
    return Batch(torch.tensor(ids), torch.tensor(targets))


def _train(model: LlamaForCausalLM, batches: Iterator[list[Batch]], steps: int) -> None:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    model.train()
    with Progress() as progress:
        bar = progress.add_task("training", total=steps)
        for step, parts in enumerate(islice(batches, steps), 1):
            loss = _backward(model, parts)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            progress.update(bar, advance=1, description=f"training, loss {loss:.3f}")
            if step % 100 == 0:
                log.info("step %d of %d: loss %.3f", step, steps, loss)


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to 2% of the peak rate."""
    if step < _WARM_UP:
        return (step + 1) / _WARM_UP
    return 0.02 + 0.98 * 0.5 * (1 + cos(pi * (step - _WARM_UP) / max(1, steps - _WARM_UP)))


def _backward(model: LlamaForCausalLM, parts: list[Batch]) -> float:
    """Add the gradient of the mean cross-entropy of the learnt tokens; return that mean."""
    count = sum(int((part.targets != _IGNORE).sum()) for part in parts)
    total = 0.0
    for part in parts:
        loss = _loss(model, part) / count
        loss.backward()
        total += loss.item()
    return total


def _loss(model: LlamaForCausalLM, part: Batch) -> torch.Tensor:
    """Summed cross-entropy; padding is on the right, so that it needs no mask."""
    hidden = model.model(input_ids=part.ids[:, :-1]).last_hidden_state
    learnt = part.targets[:, 1:] != _IGNORE
    logits = model.lm_head(hidden[learnt])
    return torch.nn.functional.cross_entropy(logits, part.targets[:, 1:][learnt], reduction="sum")


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
    parser = argparse.ArgumentParser(description="Make the embedded model and its tokenizer.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6000)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(args.out, args.seed, args.steps)


if __name__ == "__main__":
    main()
