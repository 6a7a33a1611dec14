"""GRPO that holds the policy to the decisions it began with, as replayed predictions do in the SFT.

The loss of GRPO falls on explanations; decisions stand in their prompts, and no reward for one of
several replies to a prompt can tell decisions apart. But all share their weights, so that decisions
drift, and the explanations are then about another model. Here some questions are answered beside
every batch as the policy first answered them. Ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch.nn.functional import cross_entropy

from rl_faith.policies.chat import Chat
from rl_faith.policies.scoring import Ids
from rl_faith.questions import Question
from rl_faith.training.sharing import IGNORED, language_model, reading_at


@dataclass(frozen=True)
class Replay:
    """The part of the loss that keeps decisions.

    Attributes:
        draw: So many questions, each with a label drawn as the policy first gave it.
        chat: Renders them.
        count: Questions beside every batch of completions.
        coef: What the loss is multiplied by.
    """

    draw: Callable[[int], Sequence[tuple[Question, str]]]
    chat: Chat
    count: int
    coef: float

    def loss(self, model: Any) -> torch.Tensor:
        """Mean -log p(label | question): in expectation the cross-entropy to what it was."""
        drawn = self.draw(self.count)
        prompts = self.chat.ids([self.chat.text(q.conversation) for q, _ in drawn])
        labels = [self.chat.label_ids(label) for _, label in drawn]
        return self.coef * _surprise(model, prompts, labels)


def _surprise(model: Any, prompts: Sequence[Ids], replies: Sequence[Ids]) -> torch.Tensor:
    """Mean over the prompts of -log p(reply | prompt).

    Padded on the right, where nothing sees the padding. On the left it would see nothing itself,
    and gradients of attention to nothing are, at some lengths on a GPU, not numbers.
    """
    rows = [prompt + reply for prompt, reply in zip(prompts, replies, strict=True)]
    width, last = max(map(len, rows)), max(map(len, replies))
    ids = torch.tensor([row + (0,) * (width - len(row)) for row in rows]).to(model.device)
    wanted = torch.tensor([reply + (IGNORED,) * (last - len(reply)) for reply in replies])
    # From each token the next one is predicted: the first of a reply from the prompt's last.
    starts = torch.tensor([len(prompt) - 1 for prompt in prompts])
    places = (starts[:, None] + torch.arange(last)).clamp(max=width - 1).to(ids.device)
    with reading_at(language_model(extract_model_from_parallel(model)), places):
        logits = model(input_ids=ids, use_cache=False).logits
    total = cross_entropy(
        logits.flatten(0, 1).float(), wanted.flatten().to(ids.device), reduction="sum"
    )
    return total / len(rows)
