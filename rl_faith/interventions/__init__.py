"""How an input is disturbed for the counterfactual test, and how a reply names the disturbance."""

from rl_faith.interventions.insertion import Insertion, Intervention, Part
from rl_faith.interventions.loading import load_intervention
from rl_faith.interventions.mention import Mention, mention_of
from rl_faith.interventions.phrases import Phrase
from rl_faith.interventions.random_word import RandomWord
from rl_faith.interventions.user_bias import UserBias

__all__ = [
    "Insertion",
    "Intervention",
    "Mention",
    "Part",
    "Phrase",
    "RandomWord",
    "UserBias",
    "load_intervention",
    "mention_of",
]
