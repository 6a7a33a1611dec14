"""A policy on a transformers model: label scoring by one forward pass, greedy generation."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from cachetools import LRUCache
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from rl_faith.policies.batches import by_length
from rl_faith.policies.chat import Chat
from rl_faith.policies.loading import load_model, load_tokenizer
from rl_faith.questions import Answer, Conversation, Prediction, Question, Unanswered

Ids = tuple[int, ...]
Table = list[list[float]]
_CACHED_ANSWERS = 500_000
# Padded tokens per batch. A processor reads fastest what stays in its cache; writing goes token by
# token and gains from many rows at once.
_READ = {"cpu": 512}
_WRITTEN = {"cpu": 8_192}
_ELSEWHERE = 65_536
_TOO_LONG = Unanswered("too_long")


@dataclass(frozen=True)
class _Row:
    """One sequence to read: a prompt and the beginning of a label.

    The log-probabilities wanted are those of every token behind the prompt and of the next one.
    """

    prompt: Ids
    prefix: Ids

    @property
    def ids(self) -> Ids:
        return self.prompt + self.prefix


class TransformersPolicy:
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
        self.chat = Chat(tokenizer)
        self.read_tokens = max_tokens or _READ.get(model.device.type, _ELSEWHERE)
        self.written_tokens = max_tokens or _WRITTEN.get(model.device.type, _ELSEWHERE)
        # Models without a limit, such as state space models, do not name one.
        config = model.config.get_text_config()
        self.longest = int(getattr(config, "max_position_embeddings", sys.maxsize))
        self.version = 0
        self.asked = self.distinct = 0
        self._answers: LRUCache[tuple[str, tuple[str, ...], int], Prediction] = LRUCache(
            _CACHED_ANSWERS
        )

    @classmethod
    def load(
        cls, name: str, *, dtype: str = "float32", device: str = "auto"
    ) -> "TransformersPolicy":
        """Load a model or adapter by Hub id, folder or "toy" (see `load_model`)."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(load_model(name, dtype).to(device), load_tokenizer(name))

    def weights_changed(self) -> None:
        """Start a new version of the weights: no earlier answer is used again."""
        self.version += 1

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Raise ModelError when two label words cannot be told apart."""
        self.chat.check_labels(labels)

    def predict(self, questions: Sequence[Question]) -> list[Answer]:
        """Return log p(label | conversation) for every label, exact also for multi-token labels.

        A question longer than the model's context comes back as Unanswered("too_long").
        """
        texts = {c: self.chat.text(c) for c in {q.conversation for q in questions}}
        keys = [(texts[q.conversation], q.labels, self.version) for q in questions]
        answers: dict[tuple[str, tuple[str, ...], int], Answer] = {}
        fresh = [k for k in dict.fromkeys(keys) if k not in self._answers]
        self.asked, self.distinct = self.asked + len(keys), self.distinct + len(fresh)
        prompts = self.chat.ids([text for text, _, _ in fresh])
        scored = self._score(
            [(p, labels) for p, (_, labels, _) in zip(prompts, fresh, strict=True)]
        )
        answers.update(zip(fresh, scored, strict=True))
        for key in keys:
            if key not in answers:
                answers[key] = self._answers[key]
        self._answers.update({k: a for k, a in answers.items() if isinstance(a, Prediction)})
        return [answers[key] for key in keys]

    def _score(self, asked: Sequence[tuple[Ids, tuple[str, ...]]]) -> list[Answer]:
        """One answer for each prompt and its labels."""
        rows: dict[_Row, None] = {}
        for prompt, labels in asked:
            if self._fits(prompt, labels):
                rows.update(dict.fromkeys(_rows(prompt, map(self.chat.label_ids, labels))))
        wanted = {i for _, labels in asked for label in labels for i in self.chat.label_ids(label)}
        columns = {token: i for i, token in enumerate(sorted(wanted))}
        with _asking(self.model):
            read = self._read(list(rows), list(columns))
        return [
            self._answer(prompt, labels, read, columns) if self._fits(prompt, labels) else _TOO_LONG
            for prompt, labels in asked
        ]

    def _fits(self, prompt: Ids, labels: tuple[str, ...]) -> bool:
        return len(prompt) + max(len(self.chat.label_ids(x)) for x in labels) <= self.longest

    def _answer(
        self,
        prompt: Ids,
        labels: tuple[str, ...],
        read: dict[_Row, Table],
        columns: dict[int, int],
    ) -> Prediction:
        rows = _rows(prompt, map(self.chat.label_ids, labels))
        logprobs = {}
        for label in labels:
            ids = self.chat.label_ids(label)
            row = next(r for r in rows if r.prefix[: len(ids) - 1] == ids[:-1])
            logprobs[label] = sum(read[row][k][columns[t]] for k, t in enumerate(ids))
        return Prediction(logprobs)

    def _read(self, rows: Sequence[_Row], tokens: list[int]) -> dict[_Row, Table]:
        """Log-probabilities (positions behind the prompt, tokens) for every row."""
        read: dict[_Row, Table] = {}
        for batch in by_length([len(row.ids) for row in rows], max_tokens=self.read_tokens):
            chosen = [rows[i] for i in batch]
            read.update(zip(chosen, self._forward(chosen, tokens), strict=True))
        return read

    def _forward(self, rows: Sequence[_Row], tokens: list[int]) -> list[Table]:
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
        replies: dict[str, str | Unanswered] = dict.fromkeys(distinct, _TOO_LONG)
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


def _rows(prompt: Ids, labels: Iterable[Ids]) -> list[_Row]:
    """The sequences to read so that every label's tokens are scored: one when all are single."""
    prefixes = sorted({label[:-1] for label in labels}, key=len, reverse=True)
    needed: list[Ids] = []
    for prefix in prefixes:
        if not any(longer[: len(prefix)] == prefix for longer in needed):
            needed.append(prefix)
    return [_Row(prompt, prefix) for prefix in needed]


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Every token that ends a turn: a chat model often has another one than its tokenizer says."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return sorted({end for end in [*ends, tokenizer.eos_token_id] if end is not None})
