"""Model cards: what a trained model says about itself, to people and to the Hub."""

from rl_faith.cards.evaluated import add_evaluation
from rl_faith.cards.trained import Progress, add_held_out, write_card

__all__ = ["Progress", "add_evaluation", "add_held_out", "write_card"]
