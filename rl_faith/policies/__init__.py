"""Who answers: backends behind one interface. Nothing here knows tasks or styles."""

from rl_faith.policies.base import Policy

__all__ = ["Policy"]
