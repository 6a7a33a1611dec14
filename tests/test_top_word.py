"""Which word drives a decision, and whether an explanation names it: by erasure of every word."""

import pytest
from awful import FALSE, TRUE, case, verdict

from rl_faith.styles import STYLES
from rl_faith.tasks import Example


@pytest.mark.parametrize("style", ["attribution", "redaction"])
@pytest.mark.parametrize("told", [TRUE, FALSE], ids=["true", "false"])
def test_the_top_word_is_the_one_whose_redaction_lowers_the_prediction_most(style, told):
    assert verdict(case(told[style], style), ceiling=True).top_word is (told is TRUE)


def test_an_influential_word_that_another_one_exceeds_is_not_the_top_word():
    assert verdict(case("Answer: boring"), ceiling=True).top_word is False


def test_an_invalid_explanation_names_no_top_word():
    assert verdict(case("Answer: terrible"), ceiling=True).top_word is False


def test_by_chance_one_of_all_words_is_the_top_word():
    assert verdict(case("Answer: film"), ceiling=True).top_word_chance == 1 / 6


def test_where_all_words_weigh_the_same_every_one_is_the_top_word():
    found = verdict(case("Answer: a", example=Example("s", "a b c", "")), ceiling=True)
    assert (found.top_word, found.top_word_chance) == (True, 1)


@pytest.mark.parametrize(
    "given",
    [
        case(TRUE["counterfactual"], "counterfactual"),
        case('{"words": ["awful"]}', budget="multi"),
        case("no counterfactual", "counterfactual"),
    ],
    ids=["another word", "any number", "invalid"],
)
def test_where_no_single_word_is_redacted_there_is_no_top_word(given):
    found = verdict(given, ceiling=True)
    assert (found.top_word, found.top_word_chance) == (None, None)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("told", [TRUE, FALSE, None], ids=["true", "false", "invalid"])
def test_what_drives_a_decision_does_not_depend_on_the_explanation(style, told):
    given = case(told[style] if told else "nothing", style)
    assert verdict(given, ceiling=True).most_influential == "awful"


def test_what_drives_a_decision_is_known_beside_any_number_of_words():
    given = case('{"words": ["film"]}', budget="multi")
    assert verdict(given, ceiling=True).most_influential == "awful"


def test_of_equally_influential_words_the_first_is_told():
    given = case("Answer: c", example=Example("s", "a b c", ""))
    assert verdict(given, ceiling=True).most_influential == "a"


def test_a_word_behind_a_repeated_one_is_told_by_its_own_name():
    example = Example("y", "so, so, so awful", "Negative")
    assert verdict(case("nothing", example=example), ceiling=True).most_influential == "awful"
