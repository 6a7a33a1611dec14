"""A policy on a transformers model: label scoring by one forward pass, greedy generation."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from rl_faith.policies.batches import by_length, padded_tokens
from rl_faith.policies.chat import Chat
from rl_faith.policies.forward import read_padded, read_tree, takes_trees
from rl_faith.policies.loading import load_model, load_tokenizer
from rl_faith.policies.memory import Budget, tokens_read, tokens_written
from rl_faith.policies.scoring import Ids, Row, ScoringPolicy, Table
from rl_faith.policies.trees import distinct_tokens, trees
from rl_faith.policies.writing import continued, empty_cache, padded

# At most so many tokens per batch. A processor reads fastest what stays in its cache; writing goes
# token by token and gains from many rows at once. A tree's mask grows with its square.
_READ = {"cpu": 512}
_LAID = {"cpu": 256}
_WRITTEN = {"cpu": 8_192}
_ELSEWHERE = 65_536
_LAID_ELSEWHERE = 4_096
# A tree may have this share of the padded tokens; at more, masked attention costs what it spares.
_WORTH = 0.8


class TransformersPolicy(ScoringPolicy):
    """Answers with the current weights of `model`.

    After the weights change, call `weights_changed()`: cached answers belong to one version.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model
        # Models without a limit, such as state space models, do not name one.
        config = model.config.get_text_config()
        longest = int(getattr(config, "max_position_embeddings", sys.maxsize))
        super().__init__(Chat(tokenizer), longest)
        device = model.device.type
        room, kept = tokens_read(model), tokens_written(model)
        self._reading = Budget(min(_READ.get(device, _ELSEWHERE), room))
        self._laid = Budget(min(_LAID.get(device, _LAID_ELSEWHERE), room))
        self._writing = Budget(min(_WRITTEN.get(device, _ELSEWHERE), kept))

    @classmethod
    def load(
        cls, name: str, *, dtype: str = "float32", device: str = "auto"
    ) -> "TransformersPolicy":
        """Load a model or adapter by Hub id, folder or "toy" (see `load_model`)."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(load_model(name, dtype).to(device), load_tokenizer(name))

    def read(self, rows: Sequence[Row], tokens: list[int]) -> dict[Row, Table]:
        """Log-probabilities (positions behind the prompt, tokens) for every row."""
        sequences = [row.ids for row in rows]
        lengths = list(map(len, sequences))
        self.usage.prompt_tokens += sum(lengths)
        padded = padded_tokens(lengths, max_tokens=self._reading.tokens)
        with _asking(self.model):
            # Trees are worth their mask where they spare enough.
            if distinct_tokens(sequences) <= _WORTH * padded and self._takes_trees:
                return self._laid.spend(rows, partial(self._read_trees, tokens))
            return self._reading.spend(rows, partial(self._read_batches, tokens))

    @cached_property
    def _takes_trees(self) -> bool:
        return takes_trees(self.model)

    def _read_batches(
        self, tokens: list[int], rows: Sequence[Row], max_tokens: int
    ) -> Iterator[dict[Row, Table]]:
        for batch in by_length([len(row.ids) for row in rows], max_tokens=max_tokens):
            chosen = [rows[i] for i in batch]
            yield dict(zip(chosen, read_padded(self.model, chosen, tokens), strict=True))

    def _read_trees(
        self, tokens: list[int], rows: Sequence[Row], max_tokens: int
    ) -> Iterator[dict[Row, Table]]:
        for tree in trees([row.ids for row in rows], max_tokens=max_tokens):
            whole = sum(map(len, tree.sequences.values()))
            self.usage.reused_tokens += whole - len(tree.tokens)
            yield read_tree(self.model, rows, tree, tokens)

    def write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of each of several different prompts."""
        with _asking(self.model):
            written = self._writing.spend(prompts, partial(self._write_batches, max_new_tokens))
        return [written[prompt] for prompt in prompts]

    def _write_batches(
        self, max_new_tokens: int, prompts: Sequence[Ids], max_tokens: int
    ) -> Iterator[dict[Ids, list[int]]]:
        lengths = [len(prompt) + max_new_tokens for prompt in prompts]
        for batch in by_length(lengths, max_tokens=max_tokens):
            chosen = [prompts[i] for i in batch]
            yield dict(zip(chosen, self._write(chosen, max_new_tokens), strict=True))

    def _write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        tokenizer = self.chat.tokenizer
        # The model's own sampling defaults must not leak into a greedy run.
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=_end_tokens(self.model, tokenizer),
        )
        ids, mask = padded(prompts, tokenizer.pad_token_id, self.model.device)
        cache = empty_cache(self.model) if self._takes_trees else {}
        return continued(self.model, ids, mask, config, cache)


@contextmanager
def _asking(model: PreTrainedModel) -> Iterator[None]:
    """No dropout and no gradients, also where a trainer is busy with the model.

    Not `inference_mode`: its tensors would stay behind in the model, and training would trip.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Every token that ends a turn: a chat model often has another one than its tokenizer says."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return sorted({end for end in [*ends, tokenizer.eos_token_id] if end is not None})
