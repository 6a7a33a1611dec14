"""What models really reply, and what it counts as."""

import pytest

from rl_faith.styles import DELETION, STYLES, Explanation, Invalid, check_count

TWEET = "I hate this movie, it’s awful!!"
LABELS = ("Positive", "Negative")


def read(style: str, reply: str, text: str = TWEET, labels=LABELS) -> Explanation | Invalid:
    return STYLES[style].parse(reply, text, labels)


def listed(reply: str, text: str = TWEET):
    """The words of the attribution, or the reason why it does not count."""
    parsed = read("attribution", reply, text)
    return list(parsed.words) if isinstance(parsed, Explanation) else parsed.reason


def redacted(reply: str, text: str = TWEET):
    parsed = read("redaction", reply, text)
    return parsed.edited if isinstance(parsed, Explanation) else parsed.reason


def changed(reply: str, text: str = TWEET, labels=LABELS):
    parsed = read("counterfactual", reply, text, labels)
    return parsed.edited if isinstance(parsed, Explanation) else parsed.reason


@pytest.mark.parametrize(
    "reply",
    [
        *(
            "awful",
            "Awful.",
            " awful \n",
            "AWFUL!!",
            "Answer: awful",
            "answer: awful",
            "ANSWER:awful",
        ),
        *(
            "**Answer:** awful",
            "**Answer**: awful",
            "Answer: **awful**",
            "*Answer:* awful",
            "Answer：awful",
        ),
        *(
            "The answer is: awful",
            "My answer: awful",
            "Output: awful",
            "Word: awful",
            "> Answer: awful",
        ),
        *(
            'Answer: "awful"',
            "Answer: 'awful'",
            "Answer: “awful”.",
            "Answer: ‘awful’",
            "Answer: «awful»",
        ),
        *("Answer: `awful`", "```\nawful\n```", "```text\nAnswer: awful\n```", "```awful```"),
        *("- awful", "* awful", "• awful", "1. awful", "1) awful", "(1) awful", "Answer:\nawful"),
        *(
            "Sure!\nAnswer: awful",
            "Answer: awful\n\nThis word shows anger.",
            "Answer: awful\nIt is bad.",
        ),
        *(
            '{"words": ["awful"]}',
            '{"words": "awful"}',
            '```json\n{"words": ["awful"]}\n```',
            '["awful"]',
        ),
        *(
            "{'words': ['awful']}",
            '{"words": ["awful",]}',
            "{words: [awful]}",
            "{“words”: [“awful”]}",
        ),
        *(
            'Here it is: {"words": ["awful"]} Hope it helps!',
            '{"word": "awful"}',
            '{"Words": ["awful"]}',
        ),
        *('{"words": ["awful"]', 'Answer: {"words": ["awful"]}', '{"words": ["awful", "Awful"]}'),
        *(
            '{"words": ["awful"], "reason": "it is a bad word"}',
            'In {braces}: {"words": ["awful"]}',
        ),
    ],
)
def test_replies_that_name_one_word(reply):
    assert listed(reply) == ["awful"]


@pytest.mark.parametrize(
    "reply",
    [
        *(
            "words: hate, awful",
            "hate, awful",
            "Answer: hate, awful",
            "hate; awful",
            "- hate\n- awful",
            "1. hate\n2. awful",
        ),
        *(
            '"hate", "awful"',
            "‘hate’ ‘awful’",
            "[hate, awful]",
            '["hate", "awful"]',
            "['hate','awful']",
        ),
        *(
            '{"words": ["hate", "awful"]}',
            '{"words": "hate, awful"}',
            "{'words': ['hate', 'awful',]}",
        ),
        *('```json\n["hate", "awful"]\n```', "hate, awful\nBoth words are negative."),
    ],
)
def test_replies_that_list_two_words(reply):
    assert listed(reply) == ["hate", "awful"]


@pytest.mark.parametrize(
    "reply", ["Answer: hate, awful", "Answer: hate this", '{"words": ["I", "hate"]}']
)
def test_two_words_are_too_many_where_one_was_asked(reply):
    assert check_count(read("attribution", reply), "one").reason == "word_count"


@pytest.mark.parametrize(
    "reply",
    [
        *(
            "Answer: terrible",
            "Answer: awfully",
            "Answer: hate and fear",
            "The word awful matters most.",
        ),
        *(
            "I would say 'awful'",
            '{"words": ["awful", "terrible"]}',
            "awful (negative)",
            "Negative",
        ),
        *(
            '{"words": ["awful", "[REDACTED]"]}',
            "[REDACTED]",
            "[REDACTED] awful",
            '{"words": ["!!"]}',
        ),
        *(
            '{"words": [{"word": "awful"}]}',
            '{"words": [null]}',
            "Answer: aw ful",
        ),
    ],
)
def test_a_list_with_anything_but_words_of_the_input_does_not_count(reply):
    assert listed(reply) == "word_not_in_input"


@pytest.mark.parametrize(
    "reply",
    ["", " \n", "Answer:", "```\n```", '{"words": []}', '{"words": {}}', '{"words": ["hate", "awf'],
)
def test_a_reply_that_lists_nothing(reply):
    assert listed(reply) == "no_words"


def test_an_empty_list_is_not_filled_from_the_words_of_its_own_key():
    assert listed('{"words": []}', "mere words, all of it") == "no_words"


@pytest.mark.parametrize("word", ["it's", "It’s", "IT`S"])
def test_any_apostrophe_names_the_word(word):
    assert listed(f"Answer: {word}") == ["it’s"]


@pytest.mark.parametrize(
    "word", [":(", "#fail", "@anna", "http://t.co/x1", "50%", "😂", "well-made"]
)
def test_words_that_are_not_letters_can_be_listed(word):
    text = f"so {word} again"
    assert [listed(f"Answer: {word}", text), listed(f'{{"words": ["{word}"]}}', text)] == [
        [word]
    ] * 2


@pytest.mark.parametrize("word", ["fail", "anna", "made"])
def test_a_part_of_a_word_is_not_the_word(word):
    assert listed(f"Answer: {word}", "@anna #fail well-made") == "word_not_in_input"


def test_a_listed_word_is_redacted_wherever_it_stands():
    parsed = read("attribution", "Answer: no", "No, no good, NO")
    assert parsed == Explanation("[REDACTED], [REDACTED] good, [REDACTED]", ("No",), 1)


HATE = "I [REDACTED] this movie, it’s awful!!"


@pytest.mark.parametrize(
    "reply",
    [
        *(
            HATE,
            f"Answer: {HATE}",
            f"**Answer:** {HATE}",
            f"The answer is: {HATE}",
            f"Redacted text: {HATE}",
        ),
        *(
            f'Answer: "{HATE}"',
            f"“{HATE}”.",
            f"```\n{HATE}\n```",
            f"Answer:\n\n{HATE}",
            f"> {HATE}",
        ),
        *(f"Answer: {HATE}\nI chose hate.", f"Answer: {HATE}\n\nNote: [REDACTED] is hate."),
        *(
            f'{{"redacted_text": "{HATE}"}}',
            f"{{'redacted_text': '{HATE}'}}",
            f'{{"text": "{HATE}"}}',
        ),
        *(f'{{"redacted_text": "{HATE}",}}', f'```json\n{{"redacted_text": "{HATE}"}}\n```'),
        *(f'Sure! {{"redacted_text": "{HATE}"}} Done.', f'{{"redacted_text": "{HATE}", "n": 1}}'),
        *(f'"redacted_text": "{HATE}"', f'{{"redacted_text": "{HATE}"'),
        HATE.replace("REDACTED", "redacted"),
        HATE.replace("[REDACTED]", "**[REDACTED]**"),
        HATE.replace("’", "'"),
        HATE.replace("!!", ""),
        HATE.replace(",", ""),
        HATE.lower(),
        HATE.replace(" ", "  "),
    ],
)
def test_replies_that_redact_one_word(reply):
    assert redacted(reply) == HATE


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("I [REDACTED] [REDACTED] movie, it’s awful!!", ("hate", "this")),
        ("I [REDACTED] movie, it’s awful!!", ("hate", "this")),
        ("I [REDACTED] this movie, it’s [REDACTED]", ("hate", "awful")),
        ("[REDACTED]", ("I", "hate", "this", "movie", "it’s", "awful")),
    ],
)
def test_every_word_under_a_placeholder_is_counted(reply, words):
    assert (read("redaction", reply).words, read("redaction", reply).count) == (words, len(words))


def test_one_placeholder_for_two_words_is_not_a_one_word_redaction():
    parsed = read("redaction", "I [REDACTED] movie, it’s awful!!")
    assert check_count(parsed, "one").reason == "word_count"


def test_an_explanation_behind_the_answer_cannot_widen_the_redaction():
    assert redacted("Answer: [REDACTED]\nhate", "I\nhate") == "[REDACTED]\nhate"


@pytest.mark.parametrize(
    "reply",
    [
        "I [REDACTED] this film, it’s awful!!",
        "I really [REDACTED] this movie, it’s awful!!",
        "I [REDACTED] hate this movie, it’s awful!!",
        "I hate this movie, it’s awful [REDACTED]",
        "I [REDACTED] this movie",
        '{"redacted_text": "I [REDACTED] this mov',
        "I [REDACTED] this movie, it’s [RED",
        f"{HATE} because hate is negative",
        "Replace hate with [REDACTED]",
    ],
)
def test_a_redaction_that_changes_the_rest_does_not_count(reply):
    assert redacted(reply) == "rest_changed"


@pytest.mark.parametrize(
    "reply",
    [
        "",
        TWEET,
        f"Answer: {TWEET}",
        "I REDACTED this movie, it’s awful!!",
        "I ___ this movie",
        "{}",
    ],
)
def test_a_reply_without_placeholder_redacts_nothing(reply):
    assert redacted(reply) == "not_redacted"


def test_a_placeholder_of_the_input_itself_is_no_redaction():
    assert redacted("Answer: so [REDACTED] today", "so [REDACTED] today") == "not_redacted"


LOVE = "I love this movie, it’s awful!!"


@pytest.mark.parametrize(
    "reply",
    [
        *(
            LOVE,
            f"Answer: {LOVE}",
            f"**Answer:** {LOVE}",
            f"The answer is: {LOVE}",
            f"Edited text: {LOVE}",
        ),
        *(f'Answer: "{LOVE}"', f"“{LOVE}”.", f"```\n{LOVE}\n```", f"Answer:\n\n{LOVE}"),
        *(f"Answer: {LOVE}\nI changed a word.", f"Answer: {LOVE}\n\nI hate became I love."),
        *(
            f'{{"edited_text": "{LOVE}"}}',
            f"{{'edited_text': '{LOVE}'}}",
            f'{{"edited_text": "{LOVE}",}}',
        ),
        *(f'```json\n{{"edited_text": "{LOVE}"}}\n```', f'Sure! {{"edited_text": "{LOVE}"}} Done.'),
        *(
            f'{{"text": "{LOVE}"}}',
            f'{{"edited_text": "{LOVE}", "why": "love"}}',
            f'{{"edited_text": "{LOVE}"',
        ),
    ],
)
def test_replies_that_change_one_word(reply):
    assert (changed(reply), read("counterfactual", reply).count) == (LOVE, 1)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("I love this movie, it's awful", ("love",)),
        ("I hate this movie, it’s not awful!!", ("not",)),
        ("I hate this movie, awful!!", (DELETION,)),
        ("I love this movie, it’s great!!", ("love", "great")),
        ("hate this great movie, it’s awful!!", (DELETION, "great")),
    ],
)
def test_the_words_of_a_counterfactual_are_those_brought_in_or_taken_out(reply, words):
    assert read("counterfactual", f"Answer: {reply}").words == words


def test_a_counterfactual_with_two_edits_is_too_much_where_one_was_asked():
    parsed = read("counterfactual", "I love this movie, it’s great!!")
    assert check_count(parsed, "one").reason == "word_count"


@pytest.mark.parametrize(
    "reply",
    [TWEET, TWEET.lower(), TWEET.replace("’", "'"), "I hate this movie; it’s awful.", f'"{TWEET}"'],
)
def test_a_change_of_case_or_punctuation_is_no_edit(reply):
    assert changed(f"Answer: {reply}") == "unchanged"


@pytest.mark.parametrize("reply", ["", "Answer:", "...", "```\n```", '{"edited_text": ""}'])
def test_a_reply_without_words_is_no_edit(reply):
    assert changed(reply) == "empty"


@pytest.mark.parametrize(
    "reply",
    [
        '{"edited_text": "I love this',
        "{'edited_text': 'I love it’s",
        '{"edited_text": I love this movie}',
        '{"edited_text": ["I love this movie"]}',
        '{"text": "I love this movie", "note": "changed"}',
    ],
)
def test_json_without_a_finished_text_is_no_edit(reply):
    assert changed(reply) == "empty"


@pytest.mark.parametrize("word", ["[REDACTED]", "[redacted]"])
def test_a_counterfactual_may_not_redact(word):
    assert changed(f"Answer: I {word} this movie, it’s awful!!") == "contains_redacted"


@pytest.mark.parametrize(
    "word", ["positive", "Negative", "#positive", "positive-ish", "positive’s"]
)
def test_a_counterfactual_may_not_bring_in_a_label(word):
    assert changed(f"Answer: I hate this {word} movie, it’s awful!!") == "contains_label"


@pytest.mark.parametrize("word", ["positively", "positiveness", "nonpositive"])
def test_a_word_that_only_begins_or_ends_like_a_label_may_come_in(word):
    assert read("counterfactual", f"Answer: I {word} this movie, it’s awful!!").words == (word,)


def test_a_label_of_several_words_may_not_come_in():
    assert (
        changed("Answer: new world politics", "new song", ("World politics",)) == "contains_label"
    )


def test_a_label_word_of_the_input_may_stay():
    assert changed("Answer: a positive mess", "a positive day") == "a positive mess"


def test_a_label_word_of_the_input_may_not_be_doubled():
    assert changed("Answer: positive positive day", "a positive day") == "contains_label"


def test_apostrophes_in_single_quoted_json_do_not_end_the_text():
    reply = "{'edited_text': 'I don't hate this movie, it's awful!!'}"
    assert changed(reply) == "I don't hate this movie, it's awful!!"


def test_quotes_of_the_text_are_kept():
    assert changed('Answer: "Hi" she wept', '"Hi" she said') == '"Hi" she wept'
