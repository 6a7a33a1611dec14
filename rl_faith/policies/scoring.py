"""Labels scored exactly by any backend that can read log-probabilities at given positions."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from rl_faith.policies.chat import Chat
from rl_faith.policies.usage import Usage
from rl_faith.questions import Answer, Conversation, Prediction, Question, Unanswered

Ids = tuple[int, ...]
Table = list[list[float]]
TOO_LONG = Unanswered("too_long")
_CACHED_ANSWERS = 500_000
_Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Row:
    """One sequence to read: a prompt and the beginning of a label.

    The log-probabilities wanted are those of every token behind the prompt and of the next one.
    """

    prompt: Ids
    prefix: Ids

    @property
    def ids(self) -> Ids:
        """The whole sequence."""
        return self.prompt + self.prefix


class ScoringPolicy(ABC):
    """Removes duplicates, caches, and puts the labels' tokens together; backends read and write.

    After the weights change, call `weights_changed()`: cached answers belong to one version.

    Attributes:
        usage: What was asked, and how long it took.
    """

    def __init__(self, chat: Chat, longest: int) -> None:
        self.chat, self.longest = chat, longest
        self.usage = Usage()
        self._version = 0
        self._answers: LRUCache[_Key, Prediction] = LRUCache(_CACHED_ANSWERS)

    @abstractmethod
    def read(self, rows: Sequence[Row], tokens: list[int]) -> dict[Row, Table]:
        """Log-probabilities (positions behind the prompt, tokens) for every row."""

    @abstractmethod
    def write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of each of several different prompts, to the end of the turn."""

    def weights_changed(self) -> None:
        """Start a new version of the weights: no earlier answer is used again."""
        self.weights_are(self._version + 1)

    def weights_are(self, version: int) -> None:
        """Say which weights answer from now on, so that answers of others are forgotten."""
        if version != self._version:
            self._version = version
            self._answers.clear()

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Raise ModelError when two label words cannot be told apart."""
        self.chat.check_labels(labels)

    def predict(self, questions: Sequence[Question]) -> list[Answer]:
        """Return log p(label | conversation) for every label, exact also for multi-token labels.

        A question longer than the model's context comes back as Unanswered("too_long").
        """
        with self.usage.timing():
            return self._predict(questions)

    def _predict(self, questions: Sequence[Question]) -> list[Answer]:
        texts = {c: self.chat.text(c) for c in {q.conversation for q in questions}}
        keys = [(texts[q.conversation], q.labels) for q in questions]
        answers: dict[_Key, Answer] = {}
        distinct = dict.fromkeys(keys)
        fresh = [k for k in distinct if k not in self._answers]
        self.usage.questions += len(keys)
        self.usage.distinct += len(distinct)
        self.usage.cached += len(distinct) - len(fresh)
        prompts = self.chat.ids([text for text, _ in fresh])
        scored = self._score([(p, labels) for p, (_, labels) in zip(prompts, fresh, strict=True)])
        answers.update(zip(fresh, scored, strict=True))
        for key in keys:
            if key not in answers:
                answers[key] = self._answers[key]
        self._answers.update({k: a for k, a in answers.items() if isinstance(a, Prediction)})
        return [answers[key] for key in keys]

    def generate(
        self, conversations: Sequence[Conversation], *, max_new_tokens: int
    ) -> list[str | Unanswered]:
        """Return greedy replies, without special tokens and surrounding white space."""
        with self.usage.timing():
            prompts = self.chat.ids([self.chat.text(c) for c in conversations])
            fitting = sorted({p for p in prompts if len(p) + max_new_tokens <= self.longest})
            written = self.write(fitting, max_new_tokens)
            replies = dict(zip(fitting, map(self.chat.reply, written), strict=True))
        self.usage.replies += len(prompts)
        return [replies.get(prompt, TOO_LONG) for prompt in prompts]

    def _score(self, asked: Sequence[tuple[Ids, tuple[str, ...]]]) -> list[Answer]:
        """One answer for each prompt and its labels."""
        rows: dict[Row, None] = {}
        for prompt, labels in asked:
            if self._fits(prompt, labels):
                rows.update(dict.fromkeys(_rows(prompt, map(self.chat.label_ids, labels))))
        wanted = {i for _, labels in asked for label in labels for i in self.chat.label_ids(label)}
        columns = {token: i for i, token in enumerate(sorted(wanted))}
        read = self.read(list(rows), list(columns))
        return [
            self._answer(prompt, labels, read, columns) if self._fits(prompt, labels) else TOO_LONG
            for prompt, labels in asked
        ]

    def _fits(self, prompt: Ids, labels: tuple[str, ...]) -> bool:
        return len(prompt) + max(len(self.chat.label_ids(x)) for x in labels) <= self.longest

    def _answer(
        self,
        prompt: Ids,
        labels: tuple[str, ...],
        read: dict[Row, Table],
        columns: dict[int, int],
    ) -> Prediction:
        rows = _rows(prompt, map(self.chat.label_ids, labels))
        logprobs = {}
        for label in labels:
            ids = self.chat.label_ids(label)
            row = next(r for r in rows if r.prefix[: len(ids) - 1] == ids[:-1])
            logprobs[label] = sum(read[row][k][columns[t]] for k, t in enumerate(ids))
        return Prediction(logprobs)


def _rows(prompt: Ids, labels: Iterable[Ids]) -> list[Row]:
    """The sequences to read so that every label's tokens are scored: one when all are single."""
    prefixes = sorted({label[:-1] for label in labels}, key=len, reverse=True)
    needed: list[Ids] = []
    for prefix in prefixes:
        if not any(longer[: len(prefix)] == prefix for longer in needed):
            needed.append(prefix)
    return [Row(prompt, prefix) for prefix in needed]
