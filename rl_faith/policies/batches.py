"""Grouping sequences into batches of similar length. Pure."""

from collections.abc import Iterator, Sequence


def by_length(lengths: Sequence[int], *, max_tokens: int) -> Iterator[list[int]]:
    """Yield batches of indices, longest first, each of at most `max_tokens` padded tokens.

    Longest first, so that a batch too large for the memory fails at once and not at the end.
    A single sequence longer than `max_tokens` makes a batch of its own.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > max_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def padded_tokens(lengths: Sequence[int], *, max_tokens: int) -> int:
    """Tokens of all these batches, padding included."""
    batches = by_length(lengths, max_tokens=max_tokens)
    return sum(lengths[batch[0]] * len(batch) for batch in batches)
