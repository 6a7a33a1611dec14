"""What do rewards teach: to explain validly, or to name what matters? Ours.

GRPO strengthens a reply by its reward minus the mean of its group. Where most of that tells valid
replies from invalid ones, the policy learns the format, whatever else the rewards are about.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import fmean


def form_share(
    rewards: Sequence[float | None], groups: Sequence[Hashable], valid: Sequence[bool]
) -> float | None:
    """Share of the spread of rewards within groups that lies between valid and invalid replies.

    The squares of reward minus group mean add up to those of the means of valid and invalid replies
    and those about these means (analysis of variance); this is the former's share of the whole.

    Args:
        rewards: What each completion earns in all; None where its group was not scored.
        groups: What each completion answers; equal for completions of one group.
        valid: Whether each is a valid explanation.

    Returns:
        0 (all about the words) to 1 (all about the format); None where nothing earns more or less
        than its group.
    """
    cells: dict[Hashable, dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    for reward, of, is_valid in zip(rewards, groups, valid, strict=True):
        if reward is not None:
            cells[of][is_valid].append(reward)
    whole = sum(_spread([r for part in of.values() for r in part]) for of in cells.values())
    within = sum(_spread(part) for of in cells.values() for part in of.values())
    return 1 - within / whole if whole > _NONE else None


_NONE = 1e-12
"""Equal rewards differ by rounding from their mean."""


def _spread(rewards: Sequence[float]) -> float:
    mean = fmean(rewards)
    return sum((reward - mean) ** 2 for reward in rewards)
