"""Opening the policy that a recipe or the command line names."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rl_faith.errors import ModelError, RecipeError
from rl_faith.policies.base import Policy


class Wanted(Protocol):
    """The keys of a recipe that say who answers (see `rl_faith.recipes.kinds.BuildRecipe`)."""

    @property
    def policy(self) -> str:
        """The backend."""

    @property
    def dtype(self) -> str:
        """Of the weights; a server has chosen its own."""

    @property
    def base_urls(self) -> Sequence[str] | None:
        """Of the servers."""


@dataclass(frozen=True)
class Backend:
    """The same without a recipe."""

    policy: str = "transformers"
    dtype: str = "float32"
    base_urls: Sequence[str] | None = None


def open_policy(
    wanted: Wanted,
    model: str,
    labels: Iterable[tuple[str, ...]],
    device: str = "auto",
) -> Policy:
    """Open a model for questions.

    Args:
        wanted: A recipe, or a `Backend`.
        model: Hub id, folder, adapter folder, or "toy".
        labels: The label words of every task that will be asked.
        device: Of a transformers model.

    Raises:
        ModelError: the model cannot be loaded there, the backend is not installed, or two label
            words cannot be told apart.
        RecipeError: a server is wanted, and no URL says where.
    """
    policy = _opened(wanted, model, device)
    for words in labels:
        policy.check_labels(words)
    return policy


def _opened(wanted: Wanted, model: str, device: str) -> Policy:
    """Each backend is imported when it is asked for: vLLM takes seconds, where it is at all."""
    if wanted.policy == "vllm":
        return _engine(model, wanted.dtype)
    if wanted.policy == "server":
        if not wanted.base_urls:
            raise RecipeError("policy: server needs base_urls, such as http://127.0.0.1:8000")
        from rl_faith.policies.server import ServerPolicy  # noqa: PLC0415

        return ServerPolicy.connect(model, wanted.base_urls)
    from rl_faith.policies.transformers import TransformersPolicy  # noqa: PLC0415

    return TransformersPolicy.load(model, dtype=wanted.dtype, device=device)


def _engine(model: str, dtype: str) -> Policy:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ModelError(
            "policy: vllm answers in one process; start it without accelerate launch, or start a "
            "server for each device with scripts/serve.sh and use policy: server"
        )
    # Its own reports and warnings would drown ours.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    try:
        from rl_faith.policies.vllm import VLLMPolicy  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f"policy: vllm cannot be used here ({error}); rl-faith doctor says what is missing"
        ) from None
    return VLLMPolicy.load(model, dtype=dtype)
