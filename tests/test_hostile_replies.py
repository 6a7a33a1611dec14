"""Ten thousand replies that mean harm or nothing: none crashes or stalls what reads replies."""

import json
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rl_faith.checks import Case, inquire, settle
from rl_faith.interventions import Insertion, mention_of
from rl_faith.questions import Prediction
from rl_faith.styles import STYLES, Explanation, Invalid
from rl_faith.tasks import Example, Task
from rl_faith.text import REDACTED, align_redaction, edit_distance, fold, redact

TASK = Task(name="t", question="{input}?", labels={"Good": ("1",), "Bad": ("0",)}, columns={})
TEXTS = [
    "I hate this movie, it’s awful!!",
    "@anna No, no good :( http://t.co/x1 5% 👨‍👩‍👧",
    "so [REDACTED] today, and {input} \u202eback\u202c",
    "positive " * 8,
]
MILLION = 1_000_000
ZALGO = "a" + "\u0300" * (MILLION // 2) + "\u0323" * (MILLION // 2)
TEACHER = Example("x", "A man is here.", "Good")
INSERTION = Insertion("both", "calmly", TEACHER, TEACHER, "input", ("calmly", "teacher"))
REPEATABLE = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}

PIECES = [
    *("Answer:", "**Answer**:", "words", "edited_text", REDACTED, "[redacted", "REDACTED]", "[ ]"),
    *(
        "{",
        "}",
        '{"words": [',
        '{"edited_text": "',
        "'redacted_text': '",
        '"',
        "'",
        "“",
        "```json\n",
    ),
    *(
        "hate",
        "awful",
        "calmly",
        "teacher",
        "not",
        "because",
        "Good",
        "\\",
        "\\u12",
        ":",
        ",",
        "- ",
    ),
    *("\n", "\r\n", "\u2028", "\x00", "\x1b[31m", "\u202e", "\u200f", "\u200d", "\u0301", "\ud800"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["words", "edited_text", "redacted_text", ""]), inner)
    ),
    max_leaves=6,
)
WRAPPINGS = [
    *("{}", "Answer: {}", '"{}"', "```\n{}\n```", "> {}", "{}\n\nI changed a word.", "{} {}"),
    *('{{"edited_text": "{}"}}', '{{"redacted_text": "{}"', "{{'words': ['{}',]}}"),
]


@st.composite
def edits(draw):
    """An input with some of its pieces replaced, doubled or taken out, in a form models use."""
    parts = draw(st.sampled_from(TEXTS)).split(" ")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(parts)))
        parts[at : at + draw(st.integers(0, 2))] = draw(
            st.lists(st.sampled_from(PIECES), max_size=2)
        )
    text = " ".join(parts)
    return draw(st.sampled_from(WRAPPINGS)).format(text, text)


def cut(reply: str) -> st.SearchStrategy[str]:
    return st.integers(0, len(reply)).map(lambda end: reply[:end])


REPLIES = st.one_of(
    edits(),
    edits().flatmap(cut),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.text(st.characters(), max_size=40),
    VALUES.map(json.dumps),
    VALUES.map(json.dumps).flatmap(cut),
)


def even(questions) -> list[Prediction]:
    return [Prediction(dict.fromkeys(question.labels, -1.0)) for question in questions]


@pytest.mark.parametrize("budget", ["one", "multi"])
@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=1_500, **REPEATABLE)
@given(reply=REPLIES, text=st.sampled_from(TEXTS))
def test_every_reply_is_valid_or_invalid(style, budget, reply, text):
    example = Example("x", text, "Good")
    (whole,) = even([TASK.ask(example)])
    case = Case(TASK, STYLES[style], budget, example, whole, reply)
    (verdict,) = settle([inquire(case, control=True, ceiling=True)], even)
    assert verdict.status in ("valid", "invalid")


@settings(max_examples=1_000, **REPEATABLE)
@given(reply=REPLIES)
def test_every_reply_mentions_the_factor_or_does_not(reply):
    assert mention_of(reply, INSERTION).found or not mention_of(reply, INSERTION).negated


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"words": [', "]}")])
def test_json_nested_up_to_pythons_limit_raises_nothing(style, opening, closing):
    for depth in [1, 100, *range(450, 500, 3), *range(940, 1_000, 3), 5_000]:
        reply = f'{{"words": [{opening * depth}1{closing * depth}]}}'
        found = STYLES[style].parse(reply, TEXTS[0], TASK.label_words)
        assert isinstance(found, Explanation | Invalid)


def seconds(function, *arguments) -> float:
    begun = process_time()
    function(*arguments)
    return process_time() - begun


LONG_REPLIES = {
    "words": "a " * (MILLION // 2),
    "placeholders": f"{REDACTED} " * (MILLION // 11),
    "openings": '{"words": [' * (MILLION // 11),
    "mentions": "not calmly, " * (MILLION // 12),
    "accents": ZALGO,
}


# Each takes a second or two where the work is linear, and minutes or days where it is quadratic.
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", LONG_REPLIES)
def test_a_reply_of_a_megabyte_takes_seconds(style, kind):
    parse, reply = STYLES[style].parse, LONG_REPLIES[kind]
    assert seconds(parse, reply, TEXTS[0], TASK.label_words) < 15


@pytest.mark.parametrize("kind", LONG_REPLIES)
def test_a_mention_in_a_megabyte_is_found_in_seconds(kind):
    assert seconds(mention_of, LONG_REPLIES[kind], INSERTION) < 30


def test_a_pile_of_accents_is_folded_in_linear_time():
    assert seconds(fold, ZALGO) < 5


def test_accents_of_another_order_are_still_the_same_word():
    assert fold("a\u0323\u0300") == fold("a\u0300\u0323") == fold("ạ\u0300")


def test_many_words_are_redacted_in_linear_time():
    text = "a " * 100_000
    assert seconds(redact, text, tuple(range(100_000))) < 5


def test_a_long_input_is_aligned_in_linear_time():
    text = " ".join(f"w{i % 999}" for i in range(50_000))
    assert seconds(align_redaction, text, f"{REDACTED} w5 {REDACTED}") < 5


def test_long_texts_are_compared_in_seconds():
    assert seconds(edit_distance, "a b c d " * 10_000, "b a d c " * 10_000) < 15


@pytest.mark.parametrize(
    ("style", "reply"),
    [("attribution", "a"), ("redaction", REDACTED), ("counterfactual", "b " * 9_000)],
)
def test_a_long_input_of_one_word_is_edited_in_seconds(style, reply):
    assert seconds(STYLES[style].parse, reply, "a " * 50_000, TASK.label_words) < 15
