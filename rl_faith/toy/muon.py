"""Muon (Jordan et al. 2024) in single precision.

`torch.optim.Muon` orthogonalises in bfloat16, which a processor without it takes thirty times as
long for. The constants are those of torch's, with `adjust_lr_fn="match_rms_adamw"`.
"""

from collections.abc import Iterable
from math import sqrt

import torch

_COEFFICIENTS = (3.4445, -4.775, 2.0315)
_STEPS = 5
_MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Momentum whose update is orthogonalised; for matrices alone."""

    def __init__(
        self, matrices: Iterable[torch.nn.Parameter], *, lr: float, weight_decay: float
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: None = None) -> None:
        """Take one step; a matrix without gradient stays."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._move(matrix, group["lr"], group["weight_decay"])

    def _move(self, matrix: torch.nn.Parameter, rate: float, decay: float) -> None:
        buffer = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        buffer.lerp_(matrix.grad, 1 - _MOMENTUM)
        update = _orthogonal(matrix.grad.lerp(buffer, _MOMENTUM))
        matrix.mul_(1 - rate * decay)
        matrix.add_(update, alpha=-rate * 0.2 * sqrt(max(matrix.shape)))


def _orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Newton-Schulz iteration towards the nearest matrix with singular values of about 1."""
    a, b, c = _COEFFICIENTS
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide
