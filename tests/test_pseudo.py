"""Erasure attribution and the explanations built from it, on a policy with planted weights."""

from math import log

import pytest

from rl_faith.erasure import (
    Influence,
    erasure_questions,
    influences,
    leading_words,
    most_influential,
)
from rl_faith.pseudo import Source, construct
from rl_faith.questions import Prediction, Question, Unanswered
from rl_faith.replacements import (
    Chosen,
    read_replacement,
    replacement_question,
    tried,
    typical_words,
)
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


class Planted:
    """Answers by the planted weights, and remembers what was asked."""

    def __init__(self):
        self.asked: list[str] = []

    def predict(self, questions: list[Question]) -> list[Prediction]:
        texts = [q.conversation[0].content.partition("Text: ")[2] for q in questions]
        found = [text.partition("\n\nQuestion")[0] for text in texts]
        self.asked += found
        return [policy(text) for text in found]


# Words that are tried as replacements


def told(*texts: str) -> list[Example]:
    """Examples that begin with their gold label."""
    return [
        Example(str(i), text, label.title())
        for i, (label, _, text) in enumerate(text.partition(" ") for text in texts)
    ]


def test_the_words_most_typical_of_a_label_come_first():
    drawn = told(*["positive a good day", "negative a sad day"] * 5, "positive a rare day")
    found = typical_words(TASK, drawn)
    assert {label: typical[0] for label, typical in found.items()} == {
        "Positive": "good",
        "Negative": "sad",
    }


def test_a_word_that_is_frequent_everywhere_is_less_typical_than_any_of_the_label():
    drawn = told(*["positive a good day", "negative a sad day"] * 5)
    assert typical_words(TASK, drawn)["Positive"] == ["good", "a", "day", "sad"]


def test_a_word_seen_once_is_less_typical_than_one_seen_often():
    drawn = told("positive good", "positive good", "positive good once", "negative sad")
    assert typical_words(TASK, drawn)["Positive"][:2] == ["good", "once"]


@pytest.mark.parametrize("word", ["negative", "#Negative", "[REDACTED]"])
def test_a_label_is_no_replacement(word):
    found = typical_words(TASK, told(f"negative {word} sad", "positive good"))
    assert set(found["Negative"]) == {"sad", "good"}


def try_out(text: str, typical: list[str], chosen: int, answers: Planted | None = None):
    example = Example("x", text, "")
    influence = Influence(chosen, words(text)[chosen].text, 0.3, True)
    found = Chosen(TASK, [example], {"x": policy(text)}, {"x": [influence]})
    return tried(answers or Planted(), found, {"Positive": typical, "Negative": typical})


def test_of_the_typical_words_the_likeliest_for_the_second_label_is_taken():
    assert try_out("just a day", ["sad", "awful", ":("], 1) == {("x", 1): "awful"}


def test_of_equally_likely_words_the_first_is_taken():
    assert try_out("an awful day", ["good", "great"], 1) == {("x", 1): "good"}


def test_every_typical_word_is_tried_in_the_place_of_the_chosen_one():
    answers = Planted()
    try_out("an awful day", ["good", "great"], 1, answers)
    assert answers.asked == ["an good day", "an great day"]


def test_the_word_that_stands_there_is_not_tried():
    answers = Planted()
    try_out("an AWFUL day", ["awful", "great"], 1, answers)
    assert answers.asked == ["an great day"]


def test_where_no_trial_could_be_asked_there_is_no_replacement():
    answers = Planted()
    answers.predict = lambda questions: [Unanswered("too_long") for _ in questions]
    assert try_out("an awful day", ["great"], 1, answers)["x", 1].reason == "too_long"


def test_where_no_typical_word_fits_the_reason_says_so():
    assert try_out("an awful day", ["awful"], 1)["x", 1].reason == "no_typical_word"


# The fewest words that change the prediction together


def leading(text: str, answers: Planted | None = None):
    example = Example("x", text, "")
    erased = {"x": planted(example)}
    asked = answers or Planted()
    found = leading_words(asked, TASK, [example], {"x": policy(text)}, erased)["x"]
    return found if isinstance(found, Unanswered) else [i.word for i in found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just awful", ["awful"]),
        ("sad awful day", ["awful", "sad"]),
        ("just sad awful day :(", ["awful", ":("]),
        ("sad :( awful just", ["awful", ":("]),
    ],
)
def test_as_many_words_are_taken_as_change_the_prediction(text, words):
    assert leading(text) == words


def test_where_no_number_of_words_is_enough_the_first_is_taken_alone():
    answers = Planted()
    assert leading("at a day of the great sea side", answers) == ["at"]
    assert [text.count("[REDACTED]") for text in answers.asked] == [2, 3, 4, 5]


def test_no_word_no_leading_words():
    assert leading("!!") == []


def test_nothing_is_asked_where_one_word_is_enough():
    answers = Planted()
    leading("just awful", answers)
    assert answers.asked == []


def test_an_unanswered_joint_erasure_leaves_the_words_unanswered():
    answers = Planted()
    answers.predict = lambda questions: [Unanswered("too_long") for _ in questions]
    assert leading("sad awful day", answers) == Unanswered("too_long")


# Explanations


def source(*edits: tuple[int, str | Invalid]) -> Source:
    named = tuple(Influence(i, words(EXAMPLE.input)[i].text, 0.3, True) for i, _ in edits)
    return Source(named, tuple(new for _, new in edits))


AWFUL_SAD = source((0, "great"), (2, "nice"))


@pytest.mark.parametrize(
    ("style", "reply"),
    [
        ("attribution", "Answer: Awful"),
        ("redaction", "Answer: [REDACTED], just sad day :("),
        ("counterfactual", "Answer: Great, just sad day :("),
    ],
)
def test_a_one_word_explanation_is_built(style, reply):
    assert construct(STYLES[style], EXAMPLE, AWFUL_SAD, "one") == reply


@pytest.mark.parametrize(
    ("style", "reply"),
    [
        ("attribution", '{"words": ["Awful", "sad"]}'),
        ("redaction", '{"redacted_text": "[REDACTED], just [REDACTED] day :("}'),
        ("counterfactual", '{"edited_text": "Great, just nice day :("}'),
    ],
)
def test_an_explanation_without_word_budget_is_built(style, reply):
    assert construct(STYLES[style], EXAMPLE, AWFUL_SAD, "multi") == reply


REFUSED = Invalid("replacement_is_label", "a label word")


def test_without_a_replacement_there_is_no_counterfactual():
    assert construct(STYLES["counterfactual"], EXAMPLE, source((0, REFUSED)), "one") == REFUSED


def test_a_word_whose_replacement_is_refused_stays():
    reply = construct(STYLES["counterfactual"], EXAMPLE, source((0, REFUSED), (2, "nice")), "multi")
    assert reply == '{"edited_text": "Awful, just nice day :("}'


@pytest.mark.parametrize("style", ["attribution", "redaction"])
def test_the_other_styles_need_no_replacement(style):
    assert isinstance(construct(STYLES[style], EXAMPLE, source((0, REFUSED)), "one"), str)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("position", range(5))
def test_what_is_built_is_read_back_as_one_word(style, position):
    reply = construct(STYLES[style], EXAMPLE, source((position, "great")), "one")
    parsed = STYLES[style].parse(reply, EXAMPLE.input, TASK.label_words)
    assert isinstance(parsed, Explanation)
    assert parsed.count == 1
