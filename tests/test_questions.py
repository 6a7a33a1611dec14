from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_faith.questions import Message, Prediction, assistant, to_chat, user

EVEN = Prediction({"B": log(0.2), "A": log(0.2), "C": log(0.1)})
distributions = st.dictionaries(st.text(max_size=3), st.floats(-1e4, 0), min_size=1, max_size=5)


def test_a_conversation_is_given_to_chat_templates_as_dictionaries():
    assert to_chat((user("Good?"), assistant("Yes"))) == [
        {"role": "user", "content": "Good?"},
        {"role": "assistant", "content": "Yes"},
    ]


def test_messages_are_plain_tuples():
    assert user("Good?") == Message("user", "Good?") == ("user", "Good?")


def test_the_first_named_label_wins_a_tie():
    assert EVEN.label == "B"


def test_labels_are_ranked_most_probable_first_and_ties_as_named():
    assert EVEN.ranked() == ["B", "A", "C"]


def test_a_probability_is_a_share_of_the_labels_mass():
    assert EVEN.probability("C") == pytest.approx(0.2)


def test_the_mass_is_what_the_labels_have_together():
    assert EVEN.mass == pytest.approx(0.5)


def test_labels_too_improbable_for_a_float_still_have_probabilities():
    assert Prediction({"A": -2_000.0, "B": -2_000.0}).probability("A") == 0.5


@settings(deadline=None)
@given(distributions)
def test_probabilities_sum_to_one(logprobs):
    found = Prediction(logprobs)
    assert sum(found.probability(label) for label in logprobs) == pytest.approx(1)


@settings(deadline=None)
@given(distributions)
def test_the_label_is_ranked_first(logprobs):
    assert Prediction(logprobs).ranked()[0] == Prediction(logprobs).label
