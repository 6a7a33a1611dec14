"""Erasure attribution and the explanations built from it, on a policy with planted weights."""

from math import log

import pytest

from rl_faith.erasure import Influence, erasure_questions, influences, most_influential
from rl_faith.pseudo import Source, construct, read_replacement, replacement_question
from rl_faith.questions import Prediction, Unanswered
from rl_faith.styles import STYLES, Explanation, Invalid
from rl_faith.tasks import Example, load_task
from rl_faith.text import words

TASK = load_task("sentiment140")
SNLI = load_task("snli")
EXAMPLE = Example("x", "Awful, just sad day :(", "Negative")
WEIGHTS = {"awful": 0.3, "sad": 0.05, "just": -0.1, ":(": 0.1}


def policy(text: str) -> Prediction:
    negative = 0.5 + sum(WEIGHTS.get(word.key, 0) for word in words(text))
    return Prediction({"Positive": log(1 - negative), "Negative": log(negative)})


def planted(example: Example = EXAMPLE) -> list[Influence]:
    texts = [q.conversation[0].content for q in erasure_questions(TASK, example)]
    asked = [t.partition("Text: ")[2].partition("\n\nQuestion")[0] for t in texts]
    return influences(example, policy(example.input), [policy(t) for t in asked])


def test_each_word_is_redacted_in_turn():
    example = Example("x", "so, so bad!", "")
    expected = [
        example.edited(t)
        for t in ("[REDACTED], so bad!", "so, [REDACTED] bad!", "so, so [REDACTED]!")
    ]
    assert erasure_questions(TASK, example) == [TASK.ask(e) for e in expected]


def test_only_the_editable_input_is_redacted():
    example = Example("x", "A man runs", "", "A man sleeps")
    expected = [example.edited(f"A man {last}") for last in ("[REDACTED]",)]
    assert erasure_questions(SNLI, example)[2:] == [SNLI.ask(e) for e in expected]


def test_a_text_without_words_has_nothing_to_erase():
    assert erasure_questions(TASK, Example("x", "!!", "")) == []


def test_influences_are_the_planted_weights():
    expected = {"Awful": 0.3, "just": -0.1, "sad": 0.05, "day": 0, ":(": 0.1}
    assert {i.word: i.value for i in planted()} == pytest.approx(expected)


def test_influences_stand_in_the_order_of_the_words():
    assert [(i.position, i.word) for i in planted()] == list(
        enumerate(["Awful", "just", "sad", "day", ":("])
    )


def test_only_the_word_that_decides_flips():
    example = Example("x", "just awful", "")
    assert [(i.word, i.flips) for i in planted(example)] == [("just", False), ("awful", True)]


def test_the_most_influential_word_is_the_planted_one():
    assert most_influential(planted()).word == "Awful"


def test_of_equal_words_the_first_is_the_most_influential():
    assert most_influential(planted(Example("x", "so sad sad day", ""))).position == 1


def test_no_word_no_most_influential_one():
    assert most_influential([]) is None


def test_an_unanswered_question_leaves_all_influences_unanswered():
    answers = [policy("a"), Unanswered("too_long"), policy("b")]
    assert influences(Example("x", "a b c", ""), policy("a"), answers) == Unanswered("too_long")


def test_a_lost_answer_is_noticed():
    with pytest.raises(ValueError, match="shorter"):
        influences(EXAMPLE, policy("a"), [policy("a")])


def test_the_replacement_is_asked_for_the_second_most_probable_label():
    whole = Prediction({"Yes": log(0.2), "No": log(0.7), "Maybe": log(0.1)})
    example = Example("x", "A man runs", "No", "He sleeps")
    (message,) = replacement_question(SNLI, example, whole, 2)
    assert message.content.endswith(
        "Premise with redaction: A man [REDACTED]\nHypothesis: He sleeps\n"
        "Target label: Yes\nOutput word:"
    )


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        *(
            ("great", "great"),
            (" great\n", "great"),
            ("great.", "great"),
            ("Answer: great", "great"),
        ),
        *(('"great"', "great"), ("'great'.", "great"), ("“great”", "great"), ("great!", "great")),
        *(
            ("don't", "don't"),
            ("well-made", "well-made"),
            ("😂", "😂"),
            ("```\ngreat\n```", "great"),
        ),
    ],
)
def test_one_word_is_taken_as_the_replacement(reply, word):
    assert read_replacement(reply, TASK, "awful") == word


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "replacement_not_one_word"),
        ("...", "replacement_not_one_word"),
        ("very good", "replacement_not_one_word"),
        ("great: it is good", "replacement_not_one_word"),
        ("great\nIt is positive.", "replacement_not_one_word"),
        ("[REDACTED]", "replacement_not_one_word"),
        ("redacted", "replacement_is_label"),
        ("Positive", "replacement_is_label"),
        ("negative.", "replacement_is_label"),
        ("#positive", "replacement_is_label"),
        ("AWFUL", "replacement_unchanged"),
        ("'awful'", "replacement_unchanged"),
    ],
)
def test_a_replacement_that_is_refused(reply, reason):
    assert read_replacement(reply, TASK, "awful").reason == reason


@pytest.mark.parametrize(
    ("style", "reply"),
    [
        ("attribution", "Answer: Awful"),
        ("redaction", "Answer: [REDACTED], just sad day :("),
        ("counterfactual", "Answer: Great, just sad day :("),
    ],
)
def test_a_one_word_explanation_is_built(style, reply):
    assert construct(STYLES[style], EXAMPLE, Source(0, 0.3, "great"), "one") == reply


@pytest.mark.parametrize(
    ("style", "reply"),
    [
        ("attribution", '{"words": ["Awful"]}'),
        ("redaction", '{"redacted_text": "[REDACTED], just sad day :("}'),
        ("counterfactual", '{"edited_text": "Great, just sad day :("}'),
    ],
)
def test_an_explanation_without_word_budget_is_built(style, reply):
    assert construct(STYLES[style], EXAMPLE, Source(0, 0.3, "great"), "multi") == reply


REFUSED = Invalid("replacement_is_label", "a label word")


def test_without_a_replacement_there_is_no_counterfactual():
    assert construct(STYLES["counterfactual"], EXAMPLE, Source(0, 0.3, REFUSED), "one") == REFUSED


@pytest.mark.parametrize("style", ["attribution", "redaction"])
def test_the_other_styles_need_no_replacement(style):
    assert isinstance(construct(STYLES[style], EXAMPLE, Source(0, 0.3, REFUSED), "one"), str)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("position", range(5))
def test_what_is_built_is_read_back_as_one_word(style, position):
    reply = construct(STYLES[style], EXAMPLE, Source(position, 0.3, "great"), "one")
    parsed = STYLES[style].parse(reply, EXAMPLE.input, TASK.label_words)
    assert isinstance(parsed, Explanation)
    assert parsed.count == 1
