"""On a processor, TRL's fused head scores the tokens that are trained on, and no others."""

import torch
from trl.trainer import utils

_on_triton = utils._use_triton


def score_trained_tokens() -> None:
    """Let the head of TRL's trainers leave out the prompt where there is no compiler either.

    TRL 1.16 does so on devices with Triton. Elsewhere it keeps the shapes, for devices that would
    compile anew, and scores every token of every prompt over the whole vocabulary. The loss is the
    same.
    """
    utils._use_triton = _scores_few


def _scores_few(device: torch.device) -> bool:
    return device.type == "cpu" or bool(_on_triton(device))
