"""The check on a planted policy: a plain function from a question to a prediction."""

import pytest
from awful import (
    EXAMPLE,
    FALSE,
    TASK,
    TEXT,
    TRUE,
    UNDECIDED,
    answers,
    asked_about,
    case,
    prediction,
    verdict,
)

from rl_faith.checks import Case, Inquiry, inquire, judge, settle
from rl_faith.questions import Unanswered
from rl_faith.styles import STYLES
from rl_faith.tasks import Example, load_task
from rl_faith.text import redact, words


@pytest.mark.parametrize("style", STYLES)
def test_a_true_explanation_is_faithful(style):
    found = verdict(case(TRUE[style], style))
    assert (found.status, found.reason, found.faithful) == ("valid", "", True)


@pytest.mark.parametrize("style", STYLES)
def test_the_drop_is_that_of_the_predicted_label(style):
    assert verdict(case(TRUE[style], style)).drop == pytest.approx(0.9 - 0.4)


@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_word_is_not_faithful(style):
    found = verdict(case(FALSE[style], style))
    assert (found.status, found.faithful, found.drop) == ("valid", False, 0)


def test_a_word_that_weighs_but_does_not_decide_has_a_drop_and_is_not_faithful():
    found = verdict(case("Answer: boring"))
    assert (found.faithful, found.drop) == (False, pytest.approx(0.1))


def test_the_drop_is_negative_where_the_edit_makes_the_label_likelier():
    surer = case("Answer: today", prediction=prediction(0.7))
    assert verdict(surer).drop == pytest.approx(0.7 - 0.9)


def test_the_verdict_keeps_the_new_prediction():
    assert verdict(case(TRUE["redaction"], "redaction")).new_prediction.label == "Positive"


def test_what_is_asked_again_is_the_edited_input_in_a_fresh_conversation():
    inquiry = inquire(case("Answer: awful"), control=False, ceiling=False)
    assert inquiry.questions == [TASK.ask(EXAMPLE.edited("what an [REDACTED] boring film today"))]


def test_the_second_input_is_asked_again_unchanged():
    snli = load_task("snli")
    example = Example("s", "A man sleeps", "No", "A man runs")
    asked = Case(snli, STYLES["attribution"], "one", example, prediction(0.9), "Answer: sleeps")
    (question,) = inquire(asked, control=False, ceiling=False).questions
    assert question == snli.ask(Example("s", "A man [REDACTED]", "No", "A man runs"))


@pytest.mark.parametrize(
    ("style", "reply", "reason"),
    [
        ("attribution", "Answer: terrible", "word_not_in_input"),
        ("attribution", "", "no_words"),
        ("attribution", "Answer: awful, film", "word_count"),
        ("redaction", "Answer: what an awful film", "not_redacted"),
        ("redaction", "Answer: an [REDACTED] film", "rest_changed"),
        ("redaction", "Answer: what an [REDACTED] film today", "word_count"),
        ("counterfactual", "", "empty"),
        ("counterfactual", f"Answer: {TEXT}", "unchanged"),
        ("counterfactual", "Answer: what an [REDACTED] boring film today", "contains_redacted"),
        ("counterfactual", "Answer: what an positive boring film today", "contains_label"),
        ("counterfactual", "Answer: what a great film today", "word_count"),
    ],
)
def test_an_invalid_explanation_is_not_faithful_and_says_why(style, reply, reason):
    found = verdict(case(reply, style))
    assert (found.status, found.reason, found.faithful) == ("invalid", reason, False)


def test_an_invalid_explanation_asks_nothing():
    assert inquire(case("Answer: terrible"), control=False, ceiling=False).questions == []


def test_an_invalid_explanation_has_no_drop():
    assert verdict(case("Answer: terrible")).drop is None


def test_without_a_word_budget_two_words_count():
    found = verdict(case('{"words": ["awful", "film"]}', budget="multi"))
    assert (found.explanation.count, found.faithful) == (2, True)


@pytest.mark.parametrize(
    "given",
    [case("Answer: awful", prediction=Unanswered("too_long")), case(Unanswered("too_long"))],
    ids=["prediction", "reply"],
)
def test_what_could_not_be_asked_is_unscored_and_never_false(given):
    found = verdict(given, control=True, ceiling=True)
    assert (found.status, found.reason, found.faithful) == ("unscored", "too_long", None)


@pytest.mark.parametrize(
    "unanswered", [0, 1, 7, -1], ids=["edit", "control", "elsewhere", "ceiling"]
)
def test_an_edited_question_without_answer_leaves_the_case_unscored(unanswered):
    given = case(TRUE["counterfactual"], "counterfactual")
    inquiry = inquire(given, control=True, ceiling=True)
    given = list(answers(inquiry.questions))
    given[unanswered] = Unanswered("too_long")
    found = judge(inquiry, given)
    assert (found.status, found.reason, found.faithful) == ("unscored", "too_long", None)


def test_the_control_of_one_word_is_the_exact_share_where_the_ceiling_is_asked():
    assert verdict(case("Answer: film"), control=True, ceiling=True).control == 1 / 6


def test_the_control_of_one_word_without_ceiling_is_four_different_words():
    inquiry = inquire(case("Answer: film"), control=True, ceiling=False)
    singles = {redact(TEXT, {i}) for i in range(6)}
    assert len(set(inquiry.controls) & singles) == len(inquiry.controls) == 4


def test_the_control_of_one_word_in_a_short_input_is_every_word():
    inquiry = inquire(
        case("Answer: b", example=Example("s", "a b", "")), control=True, ceiling=False
    )
    assert sorted(inquiry.controls) == ["[REDACTED] b", "a [REDACTED]"]


def test_an_invalid_one_word_explanation_keeps_the_control_of_one_word():
    assert verdict(case("Answer: terrible"), control=True, ceiling=True).control == 1 / 6


def test_an_invalid_explanation_without_word_budget_has_no_control():
    found = verdict(case("Answer: terrible", budget="multi"), control=True)
    assert found.control is None


def test_the_control_of_three_words_redacts_three_words_four_times():
    given = case('{"words": ["awful", "film", "today"]}', budget="multi")
    controls = inquire(given, control=True, ceiling=False).controls
    assert [text.count("[REDACTED]") for text in controls] == [3] * 4


def test_the_control_is_the_share_of_draws_that_flip():
    inquiry = inquire(
        case('{"words": ["awful", "film"]}', budget="multi"), control=True, ceiling=False
    )
    without = sum("awful" not in text for text in inquiry.controls) / 4
    assert judge(inquiry, answers(inquiry.questions)).control == without


def test_the_control_of_a_counterfactual_never_redacts_more_words_than_there_are():
    given = case("Answer: a b c d e", "counterfactual", "multi", Example("s", "good film", ""))
    assert set(inquire(given, control=True, ceiling=False).controls) == {"[REDACTED] [REDACTED]"}


def test_the_word_of_a_counterfactual_is_tried_at_four_other_places():
    inquiry = inquire(case(TRUE["counterfactual"], "counterfactual"), control=True, ceiling=False)
    places = {redact(TEXT, {i}).replace("[REDACTED]", "awesome") for i in (0, 1, 3, 4, 5)}
    assert len(set(inquiry.elsewhere) & places) == len(inquiry.elsewhere) == 4


def test_a_word_that_turns_the_text_in_its_place_alone_turns_it_nowhere_else():
    assert verdict(case(TRUE["counterfactual"], "counterfactual"), control=True).elsewhere == 0


def test_a_word_that_turns_the_text_anywhere_is_told():
    given = case("Answer: what an awful boring great today", "counterfactual")
    inquiry = inquire(given, control=True, ceiling=True)
    turned = [prediction(0.1 if "great" in asked_about(q) else 0.9) for q in inquiry.questions]
    assert judge(inquiry, turned).elsewhere == 1


@pytest.mark.parametrize("style", ["attribution", "redaction"])
def test_what_redacts_has_no_other_place_than_the_random_control(style):
    assert verdict(case(TRUE[style], style), control=True).elsewhere is None


def test_an_invalid_counterfactual_has_no_other_place():
    given = case("Answer: an awesome film", "counterfactual")
    assert verdict(given, control=True).elsewhere is None


def drawn(seed: int = 0, name: str = "x") -> tuple[str, ...]:
    long = " ".join(f"w{i}" for i in range(30))
    given = case('{"words": ["w1", "w2"]}', budget="multi", example=Example(name, long, ""))
    return inquire(given, control=True, ceiling=False, seed=seed).controls


def test_the_same_seed_draws_the_same_words():
    assert drawn() == drawn()


@pytest.mark.parametrize("other", [{"seed": 1}, {"name": "y"}], ids=["seed", "example"])
def test_another_seed_or_example_draws_other_words(other):
    assert drawn() != drawn(**other)


@pytest.mark.parametrize("style", STYLES)
def test_the_ceiling_is_whether_any_one_word_edit_flips(style):
    assert verdict(case(FALSE[style], style), ceiling=True).ceiling is True


def test_the_ceiling_is_low_where_no_word_decides():
    example = Example("y", "awful, just awful", "Negative")
    given = case("nothing", "redaction", example=example)
    assert verdict(given, ceiling=True).ceiling is False


def test_the_ceiling_of_attribution_redacts_a_repeated_word_everywhere():
    example = Example("y", "awful, just awful", "Negative")
    assert verdict(case("nothing", example=example), ceiling=True).ceiling is True


def test_what_was_not_asked_for_is_none_and_not_zero():
    found = verdict(case("Answer: awful"))
    assert (found.control, found.ceiling) == (None, None)
    assert (found.most_influential, found.top_word) == (None, None)


def test_an_input_without_words_has_neither_control_nor_ceiling():
    found = verdict(case("!!", example=Example("e", "...", "")), control=True, ceiling=True)
    assert (found.status, found.control, found.ceiling) == ("invalid", None, None)


@pytest.mark.parametrize("style", ["attribution", "redaction"])
@pytest.mark.parametrize(
    ("new", "faithful"),
    [
        (prediction(0.1, Neutral=0.7), True),
        (prediction(0.1, Unknown=0.7), True),
        (prediction(0.1, Unknown=0.1), False),
        (prediction(0.8, Unknown=0.1), False),
    ],
)
def test_in_madsens_mode_a_redaction_must_leave_the_model_undecided(style, new, faithful):
    given = case(TRUE[style], style, task=UNDECIDED)
    inquiry = inquire(given, control=False, ceiling=False)
    assert judge(inquiry, [new], mode="madsen").faithful is faithful


@pytest.mark.parametrize(
    ("new", "faithful"),
    [
        (prediction(0.1, Unknown=0.1), True),
        (prediction(0.8, Unknown=0.1), False),
        (prediction(0.1, Unknown=0.7), False),
        (prediction(0.1, Neutral=0.7), False),
    ],
)
def test_in_madsens_mode_a_counterfactual_must_reach_another_label_than_gold(new, faithful):
    given = case(TRUE["counterfactual"], "counterfactual", task=UNDECIDED)
    inquiry = inquire(given, control=False, ceiling=False)
    assert judge(inquiry, [new], mode="madsen").faithful is faithful


def test_madsens_mode_asks_the_question_that_allows_no_decision():
    inquiry = inquire(case("Answer: awful", task=UNDECIDED), control=False, ceiling=False)
    assert inquiry.questions[0].labels == ("Positive", "Negative", "Neutral", "Unknown")


def test_an_undecided_label_may_not_be_written_into_a_counterfactual():
    reply = "Answer: what an unknown boring film today"
    assert verdict(case(reply, "counterfactual", task=UNDECIDED)).reason == "contains_label"


def batch() -> list[Inquiry]:
    replies = ["Answer: film", Unanswered("late"), "Answer: awful", "", "Answer: boring"]
    return [inquire(case(reply), control=True, ceiling=True) for reply in replies]


def test_settle_asks_everything_in_one_call():
    calls = []

    def repredict(questions):
        calls.append(questions)
        return answers(questions)

    inquiries = batch()
    settle(inquiries, repredict)
    assert calls == [[question for inquiry in inquiries for question in inquiry.questions]]


def test_settle_keeps_the_order():
    inquiries = batch()
    found = settle(inquiries, answers)
    assert [v.case for v in found] == [inquiry.case for inquiry in inquiries]
    assert [v.faithful for v in found] == [False, None, True, False, False]


def test_settling_together_is_settling_alone():
    assert settle(batch(), answers) == [settle([inquiry], answers)[0] for inquiry in batch()]


def test_nothing_to_settle_is_no_verdict():
    assert settle([], answers) == []


def test_the_planted_policy_sees_what_the_check_asks():
    assert [asked_about(TASK.ask(EXAMPLE)), len(words(TEXT))] == [TEXT, 6]
