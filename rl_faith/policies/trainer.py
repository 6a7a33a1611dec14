"""Asking the model that is being trained, with its weights of this very step.

Inside TRL's trainers a question goes the way the rollouts go: through the trainer's vLLM engine
where it has one, through the live model otherwise. Only public names of TRL are used; each has a
test in `tests/test_trl_contract.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from accelerate.utils import gather_object
from transformers import PreTrainedTokenizerBase
from trl.models import unwrap_model_for_generation

from rl_faith.policies.chat import Chat
from rl_faith.policies.one_token import OneTokenPolicy, Told
from rl_faith.policies.scoring import Ids, Row, Table
from rl_faith.policies.transformers import TransformersPolicy
from rl_faith.questions import Answer, Question


def live_policy(trainer: Any, tokenizer: PreTrainedTokenizerBase) -> "LivePolicy | EnginePolicy":
    """Return the policy that a GRPO trainer is training, as one that can be asked.

    Every process must call `predict` and `generate` equally often: gathering sharded weights and
    reaching a shared engine are collective.
    """
    if trainer.args.use_vllm:
        return EnginePolicy(trainer, Chat(tokenizer))
    return LivePolicy(trainer, tokenizer)


class LivePolicy(TransformersPolicy):
    """Answers with the trainer's own model; sharded weights are gathered while it is asked."""

    def __init__(self, trainer: Any, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(trainer.accelerator.unwrap_model(trainer.model), tokenizer)
        self._trainer = trainer

    def predict(self, questions: Sequence[Question]) -> list[Answer]:
        """As `TransformersPolicy.predict`; each step of the optimizer is a new version."""
        self.weights_are(self._trainer.state.global_step)
        return super().predict(questions)

    def sync(self) -> None:
        """Nothing to do: the model is the trainer's own."""

    def read(self, rows: Sequence[Row], tokens: list[int]) -> dict[Row, Table]:
        """As `TransformersPolicy.read`."""
        with self._gathered():
            return super().read(rows, tokens)

    def write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        """As `TransformersPolicy.write`."""
        with self._gathered():
            return super().write(prompts, max_new_tokens)

    @contextmanager
    def _gathered(self) -> Iterator[None]:
        trainer, args = self._trainer, self._trainer.args
        training, wrapped = self.model.training, trainer.model_wrapped
        with (
            unwrap_model_for_generation(
                wrapped,
                trainer.accelerator,
                gradient_checkpointing_kwargs=args.gradient_checkpointing_kwargs,
            ) as model,
            _uncompared(wrapped),
        ):
            self.model = model
            yield
        self.model.train(training)


@contextmanager
def _uncompared(wrapped: Any) -> Iterator[None]:
    """Without the hook by which ZeRO-3 compares each forward pass with the other processes.

    TRL takes off the hooks that put weights together, and leaves this one: processes with unequal
    numbers of questions would wait for each other for ever.
    """
    offload = getattr(getattr(wrapped, "optimizer", None), "parameter_offload", None)
    if offload is None:
        yield
        return
    offload.fwd_pre_hook.remove()
    try:
        yield
    finally:
        offload.fwd_pre_hook = offload.module.register_forward_pre_hook(
            lambda *_: offload.get_param_coordinator().reset_step()
        )


class EnginePolicy(OneTokenPolicy):
    """Answers through the vLLM engine that writes the trainer's rollouts, colocated or a server.

    TRL syncs the weights before each generation of rollouts, so while rewards are computed the
    engine holds the current policy.
    """

    def __init__(self, trainer: Any, chat: Chat) -> None:
        self._trainer, self._engine = trainer, trainer.vllm_generation
        super().__init__(chat, _longest(trainer))

    def sync(self) -> None:
        """Give the engine the current weights, where no rollout has just done so."""
        self._engine.sync_weights()

    def predict(self, questions: Sequence[Question]) -> list[Answer]:
        """As `OneTokenPolicy.predict`; each step of the optimizer is a new version."""
        self.weights_are(self._trainer.state.global_step)
        return super().predict(questions)

    def wanted(self, tokens: list[int]) -> list[int]:
        """A server is told once for all processes what to tell, so each asks for what all want."""
        return sorted({token for mine in gather_object([tokens]) for token in mine})

    def tell(self, prompts: Sequence[Ids], tokens: list[int]) -> list[Told]:
        """Log-probabilities of exactly these tokens, by one token per prompt."""
        how: dict[str, Any] = {"max_tokens": 1, "logprobs": None, "logprob_token_ids": tokens}
        if self._engine.mode == "server":
            how["logprobs"] = len(tokens)
        _, _, values, ids = self._call(prompts, {**how, "detokenize": False})
        return [dict(zip(k[0], v[0], strict=True)) for k, v in zip(ids, values, strict=True)]

    def write(self, prompts: Sequence[Ids], max_new_tokens: int) -> list[list[int]]:
        """The greedy continuation of each prompt."""
        written: list[list[int]] = self._call(prompts, {"max_tokens": max_new_tokens})[1]
        return written

    def _call(self, prompts: Sequence[Ids], how: dict[str, Any]) -> tuple[Any, ...]:
        """One call of the engine, with as many prompts from every process."""
        most = max(gather_object([len(prompts)]))
        if most == 0:
            return [], [], [], []
        padded = [list(p) for p in prompts] + [self._anything()] * (most - len(prompts))
        with self._asking(how):
            answer = self._engine.generate(prompts=padded, images=None, num_generations=1)
        return tuple(part[: len(prompts)] if part is not None else None for part in answer)

    def _anything(self) -> list[int]:
        """A prompt to ask when this process has nothing left to ask."""
        return [int(self.chat.tokenizer.eos_token_id)]

    @contextmanager
    def _asking(self, how: dict[str, Any]) -> Iterator[None]:
        """Greedy and without the rollouts' sampling settings, which come back afterwards."""
        engine = self._engine
        kept = engine.generation_kwargs, engine.structured_outputs_regex
        plain = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
        engine.generation_kwargs = {**plain, "repetition_penalty": 1.0, **how}
        engine.structured_outputs_regex = None
        try:
            yield
        finally:
            engine.generation_kwargs, engine.structured_outputs_regex = kept


def _longest(trainer: Any) -> int:
    config = trainer.accelerator.unwrap_model(trainer.model).config.get_text_config()
    limit = int(config.max_position_embeddings)
    engine = trainer.args.vllm_max_model_length
    # The engine needs room for the one token that it writes.
    return min(limit, engine or limit) - 1
