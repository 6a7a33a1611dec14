"""What each style makes of any text, and of any reply however odd."""

import json
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rl_faith.errors import RecipeError
from rl_faith.styles import DELETION, STYLES, Explanation, Invalid, check_count, load_style
from rl_faith.text import REDACTED, fold, positions_of, redact, words

LABELS = ("Positive", "Negative")
TWEET = "@anna this movie was awful!! :( http://t.co/x1 it’s not <3"
PIECES = [
    *(
        "good",
        "Bad",
        "a",
        "U.S.",
        "it’s",
        "3.5",
        "$",
        "redacted",
        "positive",
        ":)",
        "xD",
        "<3",
        ":",
    ),
    *(
        "http://t.co/x",
        "@anna",
        "#win",
        "😂",
        "👍🏽",
        "🇩🇪",
        "né",
        "ﬁ",
        "\u200d",
        "\u0301",
        "\ud800",
    ),
    *(
        "[REDACTED]",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'",
        "“",
        "”",
        "`",
        "```",
        "Answer:",
        "Text: ",
        "words",
    ),
    *('{"a": 1', "...", "!", ",", "- ", "1. ", "\n", "\n\n", "\t", "\\", "*", "_", "\x00"),
]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.text(max_size=40),
).filter(words)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=9,
)
replies = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.text(st.characters()),
    json_values.map(json.dumps),
    st.builds(
        lambda key, value: json.dumps({key: value})[:-1],
        st.sampled_from(["words", "redacted_text", "edited_text"]),
        json_values,
    ),
)
one_word = st.sampled_from(["meh", "né", "7", "U.S", "👍🏽", "@bo", "don’t", "http://a.b/c"])


@st.composite
def redactions(draw):
    text = draw(texts)
    return text, draw(st.sets(st.integers(0, len(words(text)) - 1), min_size=1))


@pytest.mark.parametrize("name", STYLES)
@settings(deadline=None)
@given(reply=replies, text=texts | st.just(""))
def test_no_reply_raises(name, reply, text):
    assert isinstance(STYLES[name].parse(reply, text, LABELS), Explanation | Invalid)


@pytest.mark.parametrize("name", STYLES)
@settings(deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=6))
def test_what_counts_changes_the_input(name, pieces):
    text = "Bad 😂 good"
    parsed = STYLES[name].parse(" ".join(["Answer:", *pieces]), text, LABELS)
    assert isinstance(parsed, Invalid) or parsed.edited != text


HOSTILE = [
    *(
        "{",
        "[[",
        '{"a":',
        '{"words":[',
        "{'a': '",
        '" }',
        "\\",
        '"',
        "```",
        "[REDACTED] ",
        "[ redacted",
    ),
    *(
        "awful ",
        "Answer: \n",
        "the new ",
        " \n",
        "- ",
        ", ",
        ":)",
        "www.",
        "a.",
        "👨\u200d",
        "\u0301",
    ),
]


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_reply_is_read_in_linear_time(name, unit):
    def seconds(reply: str) -> float:
        start = time.process_time()
        STYLES[name].parse(reply, TWEET, LABELS)
        return time.process_time() - start

    # A quadratic reading of these takes minutes; a linear one 0.1 to 0.5 s.
    assert seconds((unit * 20_000)[:20_000]) < 5


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("opening", ["{", "[", '{"a":', '{"words":[', "{'edited_text': "])
def test_deep_nesting_is_no_answer(name, opening):
    parsed = STYLES[name].parse(opening * 2_000, TWEET, LABELS)
    assert isinstance(check_count(parsed, "one"), Invalid)


@pytest.mark.parametrize("name", STYLES)
def test_a_reply_longer_than_any_answer_does_not_count(name):
    reply = STYLES[name].express(TWEET, {4: "great"}, "one") + "\n" + "and so on " * 2_500
    assert isinstance(STYLES[name].parse(reply, TWEET, LABELS), Invalid)


def as_quoted(text: str) -> str:
    return f'"{text}"'


def as_answer(text: str) -> str:
    return f"Answer: {text}"


def as_json(text: str) -> str:
    return json.dumps({"redacted_text": text})


def as_fenced_json(text: str) -> str:
    return f"```json\n{json.dumps({'redacted_text': text}, ensure_ascii=False)}\n```"


@pytest.mark.parametrize("written", [as_answer, as_quoted, as_json, as_fenced_json])
@settings(max_examples=80, deadline=None)
@given(case=redactions())
def test_every_redaction_of_any_text_is_read_back(written, case):
    text, positions = case
    parsed = STYLES["redaction"].parse(written(redact(text, positions)), text, LABELS)
    found = words(text)
    expected = tuple(found[i].text for i in sorted(positions))
    assert parsed == Explanation(redact(text, positions), expected, len(positions))


@pytest.mark.parametrize("budget", ["one", "multi"])
@settings(max_examples=80, deadline=None)
@given(case=redactions())
def test_an_expressed_attribution_is_read_back(budget, case):
    text, (position, *_) = case
    word = words(text)[position].text
    parsed = STYLES["attribution"].parse(
        STYLES["attribution"].express(text, {position: ""}, budget), text, LABELS
    )
    assert isinstance(parsed, Explanation)
    assert (parsed.count, parsed.edited) == (1, redact(text, positions_of(text, [word])))


@pytest.mark.parametrize("budget", ["one", "multi"])
@settings(max_examples=80, deadline=None)
@given(case=redactions())
def test_an_expressed_redaction_is_read_back(budget, case):
    text, (position, *_) = case
    reply = STYLES["redaction"].express(text, {position: ""}, budget)
    parsed = STYLES["redaction"].parse(reply, text, LABELS)
    assert parsed == Explanation(redact(text, {position}), (words(text)[position].text,), 1)


@pytest.mark.parametrize("budget", ["one", "multi"])
@settings(max_examples=80, deadline=None)
@given(case=redactions(), new=one_word)
@example(case=("good ``` good", {0}), new="http://a.b/c")
def test_an_expressed_counterfactual_is_read_back(budget, case, new):
    text, (position, *_) = case
    assume(fold(new) != words(text)[position].key)
    reply = STYLES["counterfactual"].express(text, {position: new}, budget)
    parsed = STYLES["counterfactual"].parse(reply, text, LABELS)
    assert isinstance(parsed, Explanation)
    assert (parsed.count, [fold(w) for w in parsed.words]) == (1, [fold(new)])


@pytest.mark.parametrize("name", STYLES)
def test_one_word_replies_begin_as_the_prompt_asks(name):
    assert STYLES[name].express(TWEET, {1: "that"}, "one").startswith("Answer: ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("attribution", {"words": ["awful"]}),
        ("redaction", {"redacted_text": "so [REDACTED]!"}),
        ("counterfactual", {"edited_text": "so great!"}),
    ],
)
def test_multi_word_replies_are_the_json_that_the_prompt_asks_for(name, expected):
    assert json.loads(STYLES[name].express("so awful!", {1: "great"}, "multi")) == expected


def test_single_edits_redact_each_word_in_turn():
    expected = {0: "[REDACTED], no!", 1: "no, [REDACTED]!"}
    assert STYLES["redaction"].single_edits("no, no!") == expected


def test_the_ceiling_of_counterfactuals_is_that_of_redaction():
    edits = [STYLES[name].single_edits(TWEET) for name in ("counterfactual", "redaction")]
    assert edits[0] == edits[1]


def test_single_edits_of_attribution_redact_a_word_wherever_it_stands():
    assert STYLES["attribution"].single_edits("no, NO! bad") == {
        0: "[REDACTED], [REDACTED]! bad",
        2: "no, NO! [REDACTED]",
    }


@pytest.mark.parametrize("name", STYLES)
def test_a_text_without_words_has_no_single_edits(name):
    assert STYLES[name].single_edits("!!! ...") == {}


def moved(edited: str) -> list[str]:
    explanation = STYLES["counterfactual"].parse(edited, "a good day", ("Positive", "Negative"))
    assert isinstance(explanation, Explanation)
    return STYLES["counterfactual"].moved_edits("a good day", explanation)


def test_the_word_of_a_counterfactual_can_stand_in_every_other_place():
    assert moved("a bad day") == ["bad good day", "a good bad"]


def test_a_word_that_the_text_has_is_not_put_in_its_own_place():
    assert moved("a day day") == ["day good day"]


@pytest.mark.parametrize(
    "edited", ["a day", "a very good day", "one bad day"], ids=["less", "more", "two"]
)
def test_only_the_replacement_of_one_word_has_another_place(edited):
    assert moved(edited) == []


def test_the_one_word_budget_refuses_two_words():
    parsed = check_count(Explanation("x", ("a", "b"), 2), "one")
    assert (parsed.reason, parsed.detail) == ("word_count", "2 words instead of one")


@pytest.mark.parametrize(("count", "budget"), [(1, "one"), (1, "multi"), (5, "multi")])
def test_other_counts_pass(count, budget):
    parsed = Explanation("x", ("a",) * count, count)
    assert check_count(parsed, budget) is parsed


def test_the_word_count_leaves_another_reason_alone():
    parsed = Invalid("empty", "no text in the reply")
    assert check_count(parsed, "one") is parsed


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_loaded_by_its_name(name):
    assert load_style(name).name == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [("counterfactuals", "did you mean 'counterfactual'?"), ("xyz", "known: attribution, red")],
)
def test_an_unknown_style_is_an_error_with_a_hint(name, hint):
    with pytest.raises(RecipeError, match=f"unknown style '{name}'") as error:
        load_style(name)
    assert hint in str(error.value)


def test_a_deleted_word_is_shown_as_a_deletion():
    parsed = STYLES["counterfactual"].parse("Answer: good", "not good", LABELS)
    assert parsed == Explanation("good", (DELETION,), 1)


def test_a_placeholder_of_the_input_may_stay_in_a_counterfactual():
    parsed = STYLES["counterfactual"].parse(f"Answer: {REDACTED} great", f"{REDACTED} bad", LABELS)
    assert parsed == Explanation(f"{REDACTED} great", ("great",), 1)
