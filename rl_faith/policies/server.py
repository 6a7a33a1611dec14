"""A policy that asks one or more `vllm serve`: nothing but the tokenizer is loaded here."""

import logging
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, TypeVar

from transformers import PreTrainedTokenizerBase

from rl_faith.errors import ModelError
from rl_faith.policies.chat import Chat
from rl_faith.policies.fleet import Body, Fleet, Server, models_at
from rl_faith.policies.loading import load_tokenizer, resolve
from rl_faith.policies.one_token import OneTokenPolicy, Told, one_by_one
from rl_faith.policies.scoring import Ids

log = logging.getLogger(__name__)
T = TypeVar("T")
Choice = dict[str, Any]

# Enough that HTTP costs little, few enough that several servers get their share.
_PROMPTS_PER_REQUEST = 64
# A server would fill in what it leaves open from the model's own defaults for sampling.
_GREEDY = {"temperature": 0.0, "repetition_penalty": 1.0}
_TOKEN = "token_id:"


class ServerPolicy(OneTokenPolicy):
    """Answers through OpenAI-compatible servers of vLLM that all serve the same model.

    Args:
        fleet: Where to ask.
        tokenizer: Of the model served there.
        longest: Tokens of the servers' context.
    """

    def __init__(self, fleet: Fleet, tokenizer: PreTrainedTokenizerBase, longest: int) -> None:
        super().__init__(Chat(tokenizer), longest)
        self._fleet = fleet
        self._takes_tokens = True

    @classmethod
    def connect(
        cls,
        name: str,
        base_urls: Sequence[str],
        *,
        timeout: float = 600.0,
        patience: float = 40.0,
    ) -> "ServerPolicy":
        """Find the servers among `base_urls` that serve a model or adapter.

        Args:
            name: As the servers call it, or where they loaded it from.
            base_urls: With or without /v1 at the end.
            timeout: As in `Fleet`.
            patience: As in `Fleet`.

        Raises:
            ModelError: a server is not there, none of them serves the model, or its tokenizer
                cannot be loaded here.
        """
        tokenizer = load_tokenizer(name)
        found = {url: models_at(url) for url in map(_root, base_urls)}
        cards = {url: card for url, told in found.items() if (card := _card(told, name))}
        if not cards:
            told = "; ".join(
                f"{url} serves {', '.join(card['id'] for card in cards) or 'nothing'}"
                for url, cards in found.items()
            )
            raise ModelError(
                f"no server serves {name!r}: {told}; start one with scripts/serve.sh {name}"
            )
        servers = [Server(url, card["id"]) for url, card in cards.items()]
        longest = min(_context(card, tokenizer) for card in cards.values())
        return cls(Fleet(servers, timeout=timeout, patience=patience), tokenizer, longest)

    def tell(self, prompts: Sequence[Ids], tokens: list[int]) -> list[Told]:
        """Log-probabilities of `tokens`, as the next one of each prompt."""
        if self._takes_tokens:
            told = self._told(prompts, logprob_token_ids=tokens)
            if all(known.keys() >= set(tokens) for known in told):
                return told
            log.info("the servers do not know logprob_token_ids; asking for each token by itself")
            self._takes_tokens = False
        return one_by_one(lambda token: self._alone(prompts, token), len(prompts), tokens)

    def _alone(self, prompts: Sequence[Ids], token: int) -> list[float]:
        told = self._told(prompts, allowed_token_ids=[token])
        if not all(token in known for known in told):
            raise ModelError(
                "the servers take neither logprob_token_ids nor allowed_token_ids; "
                "serve the model with vLLM"
            )
        return [known[token] for known in told]

    def _told(self, prompts: Sequence[Ids], **how: Any) -> list[Told]:
        named = {"max_tokens": 1, "logprobs": 1, "return_tokens_as_token_ids": True}
        return self._ask(prompts, {**named, **how}, _first_step)

    def write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of each prompt."""
        end = [self.chat.tokenizer.eos_token_id]
        how = {"max_tokens": max_new_tokens, "return_token_ids": True, "stop_token_ids": end}
        return self._ask(prompts, how, _tokens)

    def _ask(
        self, prompts: Sequence[Ids], how: dict[str, Any], read: Callable[[Choice], T]
    ) -> list[T]:
        """What `read` makes of the choice for each prompt; neighbours share a request."""
        size = _PROMPTS_PER_REQUEST
        parts = [prompts[i : i + size] for i in range(0, len(prompts), size)]
        bodies = [{**_GREEDY, **how, "prompt": part} for part in parts]
        answers = self._fleet.ask(
            bodies, lambda body, told: ([read(c) for c in _choices(body, told)], _reused(told))
        )
        self.usage.prompt_tokens += sum(map(len, prompts))
        self.usage.reused_tokens += sum(reused for _, reused in answers)
        return [one for told, _ in answers for one in told]


def _choices(body: Body, answer: dict[str, Any]) -> list[Choice]:
    """One for each prompt, in their order."""
    choices = {int(choice["index"]): choice for choice in answer["choices"]}
    return [choices[i] for i in range(len(body["prompt"]))]


def _reused(answer: dict[str, Any]) -> int:
    """Tokens of the prompts that were in the server's cache, as far as it tells."""
    details = (answer.get("usage") or {}).get("prompt_tokens_details") or {}
    return int(details.get("cached_tokens") or 0)


def _first_step(choice: Choice) -> Told:
    """Log-probabilities of the one token written, as far as the server tells them."""
    step = choice["logprobs"]["top_logprobs"][0]
    told = {int(name.removeprefix(_TOKEN)): float(value) for name, value in step.items()}
    if wrong := [value for value in told.values() if not isfinite(value)]:
        raise ValueError(f"the log-probability of a token is {wrong[0]}")
    return told


def _tokens(choice: Choice) -> list[int]:
    """The tokens of a reply."""
    told = [int(token) for token in choice["token_ids"]]
    if told and min(told) < 0:
        raise ValueError(f"a token has the number {min(told)}")
    return told


def _root(url: str) -> str:
    return url.rstrip("/").removesuffix("/v1")


def _card(told: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """How a server lists the model; an adapter's root is its folder."""
    names = {name, resolve(name)}
    return next((card for card in told if names & {card["id"], card.get("root")}), None)


def _context(card: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> int:
    return int(card.get("max_model_len") or tokenizer.model_max_length)
