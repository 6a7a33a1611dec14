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
from torch.nn.functional import cross_entropy

from rl_faith.policies.chat import Chat
from rl_faith.policies.scoring import Ids
from rl_faith.questions import Question
from rl_faith.training.sharing import IGNORED


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
    """Mean over the prompts of -log p(reply | prompt), padded on the left."""
    rows = [prompt + reply for prompt, reply in zip(prompts, replies, strict=True)]
    width, last = max(map(len, rows)), max(map(len, replies))
    ids = torch.tensor([(0,) * (width - len(row)) + row for row in rows]).to(model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows]).to(ids.device)
    wanted = torch.tensor([(IGNORED,) * (last - len(reply)) + reply for reply in replies])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=last + 1
    ).logits[:, :-1]
    total = cross_entropy(
        logits.flatten(0, 1).float(), wanted.flatten().to(ids.device), reduction="sum"
    )
    return total / len(rows)
