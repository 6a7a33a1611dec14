"""Labels and replies through an engine that writes tokens and tells their log-probabilities.

A label is read by letting the engine write one token and tell what chosen tokens would have cost:
no forward pass of ours, and prompts that begin alike share the engine's cached prefix.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from math import exp

from rl_faith.errors import ModelError
from rl_faith.policies.scoring import Ids, Row, ScoringPolicy, Table

# vLLM's limit on `logprob_token_ids`.
MOST_TOKENS = 128
Told = dict[int, float]
"""Log-probabilities by token."""


class OneTokenPolicy(ScoringPolicy):
    """Asks each place once, in an order in which shared prefixes meet; backends tell."""

    @abstractmethod
    def tell(self, prompts: Sequence[Ids], tokens: list[int]) -> list[Told]:
        """Log-probabilities of `tokens`, at most `MOST_TOKENS`, as the next one of each prompt."""

    def wanted(self, tokens: list[int]) -> list[int]:
        """The tokens to ask for so that `tokens` are known."""
        return tokens

    def read(self, rows: Sequence[Row], tokens: list[int]) -> dict[Row, Table]:
        """Log-probabilities (positions behind the prompt, tokens) for every row."""
        places = sorted({place for row in rows for place in _places(row)})
        told: dict[Ids, Told] = {place: {} for place in places}
        wanted = self.wanted(tokens)
        for i in range(0, len(wanted), MOST_TOKENS):
            answers = self.tell(places, wanted[i : i + MOST_TOKENS])
            for place, known in zip(places, answers, strict=True):
                told[place].update(known)
        return {row: [[told[p][t] for t in tokens] for p in _places(row)] for row in rows}


def _places(row: Row) -> Iterator[Ids]:
    """The sequences whose next token is wanted."""
    return (row.prompt + row.prefix[:k] for k in range(len(row.prefix) + 1))


def one_by_one(ask: Callable[[int], list[float]], count: int, tokens: Sequence[int]) -> list[Told]:
    """Tell tokens through an engine that names the cost of the written token only.

    Args:
        ask: Log-probability of a token behind each prompt, with that token the only one allowed.
        count: Of the prompts.
        tokens: All that are wanted.

    Raises:
        ModelError: the engine tells probabilities among the allowed tokens, which are always 1.
    """
    columns = [ask(token) for token in tokens]
    told = [{t: column[i] for t, column in zip(tokens, columns, strict=True)} for i in range(count)]
    if any(sum(map(exp, known.values())) > 1.01 for known in told):
        raise ModelError(
            "the engine tells probabilities among the allowed tokens only; "
            "start it with --logprobs-mode raw_logprobs"
        )
    return told
