"""A policy on a transformers model: label scoring by one forward pass, greedy generation."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from rl_faith.policies.batches import by_length
from rl_faith.policies.chat import Chat
from rl_faith.policies.loading import load_model, load_tokenizer
from rl_faith.policies.scoring import TOO_LONG, Ids, Row, ScoringPolicy, Table
from rl_faith.questions import Conversation, Unanswered

# Padded tokens per batch. A processor reads fastest what stays in its cache; writing goes token by
# token and gains from many rows at once.
_READ = {"cpu": 512}
_WRITTEN = {"cpu": 8_192}
_ELSEWHERE = 65_536


class TransformersPolicy(ScoringPolicy):
    """Answers with the current weights of `model`.

    After the weights change, call `weights_changed()`: cached answers belong to one version.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_tokens: int | None = None,
    ) -> None:
        self.model = model
        # Models without a limit, such as state space models, do not name one.
        config = model.config.get_text_config()
        longest = int(getattr(config, "max_position_embeddings", sys.maxsize))
        super().__init__(Chat(tokenizer), longest)
        self.read_tokens = max_tokens or _READ.get(model.device.type, _ELSEWHERE)
        self.written_tokens = max_tokens or _WRITTEN.get(model.device.type, _ELSEWHERE)

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
        read: dict[Row, Table] = {}
        with _asking(self.model):
            for batch in by_length([len(row.ids) for row in rows], max_tokens=self.read_tokens):
                chosen = [rows[i] for i in batch]
                read.update(zip(chosen, self._forward(chosen, tokens), strict=True))
        return read

    def _forward(self, rows: Sequence[Row], tokens: list[int]) -> list[Table]:
        """One forward pass, padded on the right: a causal model's positions never see padding."""
        width = max(len(row.ids) for row in rows)
        deepest = max(len(row.prefix) for row in rows) + 1
        device = self.model.device
        ids = torch.tensor([row.ids + (0,) * (width - len(row.ids)) for row in rows], device=device)
        # Rows with a shorter prefix read their last position again.
        places = torch.tensor(
            [
                [min(len(row.prompt) - 1 + k, len(row.ids) - 1) for k in range(deepest)]
                for row in rows
            ],
            device=device,
        )
        logits = self._logits(ids, places).float()
        tables: list[Table] = (logits[..., tokens] - logits.logsumexp(-1, keepdim=True)).tolist()
        return tables

    def _logits(self, ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Logits (rows, places, vocabulary) at `places` (rows, places) of `ids` (rows, tokens).

        The head sees those places only: over a large vocabulary it would cost more than the layers.
        """
        head = self.model.get_output_embeddings()
        hook = head.register_forward_pre_hook(
            lambda _, hidden: hidden[0].take_along_dim(places.unsqueeze(-1), dim=1)
        )
        try:
            return self.model(input_ids=ids, use_cache=False).logits
        finally:
            hook.remove()

    def generate(
        self, conversations: Sequence[Conversation], *, max_new_tokens: int
    ) -> list[str | Unanswered]:
        """Return greedy replies, without special tokens and surrounding white space."""
        texts = [self.chat.text(c) for c in conversations]
        distinct = list(dict.fromkeys(texts))
        prompts = self.chat.ids(distinct)
        fitting = [i for i, p in enumerate(prompts) if len(p) + max_new_tokens <= self.longest]
        replies: dict[str, str | Unanswered] = dict.fromkeys(distinct, TOO_LONG)
        lengths = [len(prompts[i]) + max_new_tokens for i in fitting]
        for batch in by_length(lengths, max_tokens=self.written_tokens):
            chosen = [fitting[i] for i in batch]
            with _asking(self.model):
                written = self._write([prompts[i] for i in chosen], max_new_tokens)
            replies.update(zip([distinct[i] for i in chosen], written, strict=True))
        return [replies[text] for text in texts]

    def _write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[str]:
        """Greedy continuation of prompts padded on the left."""
        tokenizer, width = self.chat.tokenizer, max(map(len, prompts))
        pad = tokenizer.pad_token_id
        ids = torch.tensor([(pad,) * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        # The model's own sampling defaults must not leak into a greedy run.
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=pad,
            eos_token_id=_end_tokens(self.model, tokenizer),
        )
        device = self.model.device
        whole = self.model.generate(
            input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=config
        )
        texts = tokenizer.batch_decode(whole[:, width:], skip_special_tokens=True)
        return [text.strip() for text in texts]


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
