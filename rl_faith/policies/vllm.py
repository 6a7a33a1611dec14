"""A policy on a vLLM engine that this process starts and ends."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

from transformers import PreTrainedTokenizerBase
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest

from rl_faith.errors import ModelError, one_line
from rl_faith.policies.chat import Chat
from rl_faith.policies.loading import load_tokenizer
from rl_faith.policies.one_token import OneTokenPolicy, Told, one_by_one
from rl_faith.policies.scoring import Ids
from rl_faith.policies.serving import Served, engine_settings, to_serve

_TAKES_TOKENS = "logprob_token_ids" in SamplingParams.__struct_fields__


class VLLMPolicy(OneTokenPolicy):
    """Answers with the weights that the engine was started with, and an adapter if there is one."""

    def __init__(
        self, engine: LLM, tokenizer: PreTrainedTokenizerBase, adapter: str | None = None
    ) -> None:
        config = engine.model_config
        super().__init__(
            Chat(tokenizer),
            min(config.max_model_len, config.hf_text_config.max_position_embeddings),
        )
        self._engine = engine
        self._adapter = LoRARequest(adapter, 1, adapter) if adapter else None
        # The engine runs in a process of its own, which would keep the memory until a collection.
        finalize(self, engine.llm_engine.engine_core.shutdown)

    @classmethod
    def load(cls, name: str, *, dtype: str = "float32") -> "VLLMPolicy":
        """Start an engine for a model or adapter by Hub id, folder or "toy".

        Raises:
            ModelError: nothing loadable there, or vLLM cannot serve it.
        """
        tokenizer = load_tokenizer(name)
        with TemporaryDirectory() as folder:
            served = to_serve(name, folder)
            try:
                policy = cls(_started(served, dtype), tokenizer, served.adapter)
                policy.check_adapter()
            # vLLM ends with anything from a refused setting to a dead process.
            except Exception as error:
                raise ModelError(f"vLLM cannot serve {name!r}: {one_line(error)[:300]}") from error
        return policy

    def check_adapter(self) -> None:
        """Load the adapter now: one that does not fit would fail amid the first question."""
        if self._adapter:
            self._engine.llm_engine.add_lora(self._adapter)

    def tell(self, prompts: Sequence[Ids], tokens: list[int]) -> list[Told]:
        """Log-probabilities of `tokens`, as the next one of each prompt."""
        if not _TAKES_TOKENS:
            return one_by_one(lambda token: self._alone(prompts, token), len(prompts), tokens)
        done = self._run(prompts, max_tokens=1, logprob_token_ids=tokens)
        return [{t: one.logprobs[0][t].logprob for t in tokens} for one in done]

    def _alone(self, prompts: Sequence[Ids], token: int) -> list[float]:
        done = self._run(prompts, max_tokens=1, logprobs=1, allowed_token_ids=[token])
        return [one.logprobs[0][token].logprob for one in done]

    def write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of each prompt."""
        end = [self.chat.tokenizer.eos_token_id]
        done = self._run(prompts, max_tokens=max_new_tokens, stop_token_ids=end)
        return [list(one.token_ids) for one in done]

    def _run(self, prompts: Sequence[Ids], **how: Any) -> list[Any]:
        if not prompts:
            return []
        done = self._engine.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            SamplingParams(temperature=0.0, detokenize=False, **how),
            use_tqdm=False,
            lora_request=self._adapter,
        )
        self.usage.prompt_tokens += sum(map(len, prompts))
        self.usage.reused_tokens += sum(one.num_cached_tokens or 0 for one in done)
        return [one.outputs[0] for one in done]


def _started(served: Served, dtype: str) -> LLM:
    lora = {"enable_lora": True, "max_lora_rank": served.rank} if served.adapter else {}
    return LLM(served.weights, dtype=dtype, **engine_settings(), **lora)
