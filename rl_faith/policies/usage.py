"""What a policy was asked, and how long it took."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any


@dataclass
class Usage:
    """Counters that grow as a policy is asked.

    Attributes:
        questions: About labels.
        distinct: Of these, without those asked twice in one call.
        cached: Of the distinct ones, those answered in an earlier call.
        replies: Texts wanted.
        prompt_tokens: Of all prompts that the model had to read.
        reused_tokens: Of these, those at the beginning that another prompt had brought already.
        asking_seconds: Spent in the policy.
        seconds: Since counting began; 0 in a policy itself, which cannot know.
    """

    questions: int = 0
    distinct: int = 0
    cached: int = 0
    replies: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    asking_seconds: float = 0.0
    seconds: float = 0.0

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Count what passes meanwhile as spent in the policy."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.asking_seconds += time.perf_counter() - start


class Meter:
    """Reads a policy's counters from time to time."""

    def __init__(self, usage: Usage) -> None:
        self._usage, self._before, self._start = usage, Usage(**vars(usage)), time.perf_counter()

    def read(self) -> Usage:
        """What came since the last reading, or since the meter was made."""
        now = time.perf_counter()
        new = Usage(**{k: v - vars(self._before)[k] for k, v in vars(self._usage).items()})
        new.seconds = now - self._start
        self._before, self._start = Usage(**vars(self._usage)), now
        return new


def total(parts: Iterable[Usage]) -> Usage:
    """The sum of counters."""
    kept = list(parts)
    return Usage(**{f.name: sum(getattr(part, f.name) for part in kept) for f in fields(Usage)})


def throughput(usage: Usage) -> dict[str, Any]:
    """The counters, and the rates that follow from them; None where there was nothing."""
    return {
        **{name: round(value, 3) for name, value in vars(usage).items()},
        "questions_per_second": _rate(usage.questions, usage.asking_seconds),
        "prefix_hit_rate": _rate(usage.reused_tokens, usage.prompt_tokens),
        "asking_share": _rate(usage.asking_seconds, usage.seconds),
    }


def _rate(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
