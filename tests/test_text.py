import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from rl_faith.text import (
    REDACTED,
    align_redaction,
    changed_words,
    edit_distance,
    fold,
    positions_of,
    redact,
    replace,
    tokens,
    words,
)

# Where tokens touch, these are the characters that decide what belongs together.
PIECES = [
    *("good", "a", "I", "U.S.", "e.g", "x", "D", "3", "12", "$", "%", "°", "€", "redacted", "né"),
    *(
        ":)",
        ":",
        ")",
        "(",
        "[",
        "]",
        "<3",
        "^_^",
        "-_-",
        ":[",
        "xD",
        "8)",
        "'",
        "’",
        "-",
        "--",
        "_",
    ),
    *(
        "http://t.co/x",
        "www.",
        "@anna",
        "#",
        "@",
        "*",
        ".",
        "...",
        "!",
        "?",
        '"',
        "`",
        "\\",
        "{",
        "}",
    ),
    *("😂", "❤️", "👍🏽", "👨‍👩‍👧", "🇩", "🇪", "1️⃣", "©", "\u200d", "\ufe0f", "\u0301", "\u00ad"),
    *("[REDACTED]", "[ redacted ]", "Answer:", "```", "\n", " ", "  ", "\t", "\x00", "\ud800", "ﬁ"),
]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join),
    st.text(st.characters(), max_size=40),
)
plain_words = st.sampled_from(["bad", "good", "not", "so", "Bad", "it's", "😂", ":)", REDACTED])
sentences = st.lists(plain_words, max_size=9).map(" ".join)


def said(text: str) -> list[str]:
    return [word.text for word in words(text)]


def keys(text: str) -> list[str]:
    return [token.key for token in tokens(text) if token.kind != "mark"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thx @anna_b2!!", ["thx", "@anna_b2"]),
        ("ugh, #MondayMorning again...", ["ugh", "#MondayMorning", "again"]),
        ("RT @BBC: rain (again)", ["RT", "@BBC", "rain", "again"]),
        ("pics: http://t.co/aB3?x=1.", ["pics", "http://t.co/aB3?x=1"]),
        ("(see www.example.org/a_b)", ["see", "www.example.org/a_b"]),
        ("watch HTTPS://X.Y/z now", ["watch", "HTTPS://X.Y/z", "now"]),
        ("http://t.co/x😂", ["http://t.co/x", "😂"]),
    ],
)
def test_handles_hashtags_and_addresses_are_words(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    "emoji",
    [
        "😂",
        "❤",
        "❤️",
        "👍🏽",
        "👨‍👩‍👧‍👦",
        "👩🏽‍💻",
        "🏳️‍🌈",
        "🇩🇪",
        "#️⃣",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_an_emoji_is_one_word_wherever_it_sticks(emoji):
    assert said(f"so{emoji}!") == ["so", emoji]


def test_a_keycap_is_one_word():
    assert said("step 1️⃣, step 2️⃣") == ["step", "1️⃣", "step", "2️⃣"]


def test_emoji_in_a_row_are_a_word_each():
    assert said("😂😂🇩🇪🇫🇷👍🏽👍") == ["😂", "😂", "🇩🇪", "🇫🇷", "👍🏽", "👍"]


def test_trade_marks_are_not_emoji():
    assert said("Lego™ © 2009®") == ["Lego", "2009"]


@pytest.mark.parametrize(
    "emoticon",
    [":)", ":-(", ";D", "=P", "xD", ":'(", ":/", "<3", "</3", "^_^", "-_-", ">.<", "(:", ":*"],
)
def test_an_emoticon_standing_alone_is_a_word(emoticon):
    assert said(f"monday {emoticon}, again") == ["monday", emoticon, "again"]


@pytest.mark.parametrize("emoticon", [":D", ":P", "<3"])
def test_an_emoticon_of_letters_may_touch_an_emoji(emoticon):
    assert said(f"love {emoticon}😂") == ["love", emoticon, "😂"]


@pytest.mark.parametrize("number", ["30", "3.5"])
def test_less_than_a_number_is_no_heart(number):
    assert said(f"in <{number} days") == ["in", number, "days"]


@pytest.mark.parametrize("text", ["note:see", "a:)b", "so sad:(", "f(x)", ":dog", "x) see"])
def test_letters_and_marks_that_touch_are_no_emoticon(text):
    assert all(word.isalpha() for word in said(text))


@pytest.mark.parametrize(
    "word",
    [
        "don't",
        "don’t",
        "don´t",
        "rock'n'roll",
        "O'Brien’s",
        "well-made",
        "anti‑hero",
        "AT&T",
        "sh*t",
        "f**k",
        "T_T",
        "awe\u00adsome",
        "U.S.A",
        "a.m",
    ],
)
def test_apostrophes_and_hyphens_inside_belong_to_the_word(word):
    assert said(f"the {word}, yes") == ["the", word, "yes"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("goin' home", ["goin", "home"]),
        ("'quoted' “words” «here»", ["quoted", "words", "here"]),
        ("bad--really bad", ["bad", "really", "bad"]),
        ("so...cute", ["so", "cute"]),
        ("*sigh* _hello_ **bold**", ["sigh", "hello", "bold"]),
        ("love it!!!1", ["love", "it", "1"]),
        ("either/or (both)", ["either", "or", "both"]),
    ],
)
def test_punctuation_stuck_to_a_word_is_not_part_of_it(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    "number",
    [
        "7",
        "1,000.50",
        "3rd",
        "10k",
        "$3.50",
        "£20",
        "20€",
        "50%",
        "20°C",
        "10:30pm",
        "24/7",
        "5'11",
        "50-50",
        "½",
        "8:0",
    ],
)
def test_a_number_with_its_unit_is_one_word(number):
    assert said(f"only {number}!") == ["only", number]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Привет, мир!", ["Привет", "мир"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("我爱你。真的", ["我爱你", "真的"]),
        ("¿qué? ¡sí!", ["qué", "sí"]),
        ("cafe\u0301 noir", ["cafe\u0301", "noir"]),
    ],
)
def test_words_of_other_scripts(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    "text", ["", " \t\n", "!!! ... --", "\x00\x1b\u200b\u2060", "\u0301\ufe0f"]
)
def test_no_words_in_a_text_without_any(text):
    assert said(text) == []


def test_control_characters_part_words_and_are_no_tokens():
    assert [(t.text, t.kind) for t in tokens("a\x00b\u200bc")] == [(c, "word") for c in "abc"]


def test_repeated_words_come_repeatedly():
    assert said("no, no, NO") == ["no", "no", "NO"]


@pytest.mark.parametrize("text", ["[REDACTED]", "[redacted]", "[ Redacted ]"])
def test_a_placeholder_is_no_word_in_any_case(text):
    assert [(t.text, t.kind) for t in tokens(text)] == [(text, "placeholder")]


@pytest.mark.parametrize("text", ["REDACTED", "(redacted)", "[redact]", "[redacted word]"])
def test_what_only_looks_like_a_placeholder_is_a_word(text):
    assert all(t.kind != "placeholder" for t in tokens(text))


@settings(deadline=None)
@given(texts)
def test_tokens_stand_where_they_say(text):
    found = tokens(text)
    assert [t.text for t in found] == [text[t.start : t.end] for t in found]


@settings(deadline=None)
@given(texts)
def test_tokens_leave_out_only_what_is_invisible(text):
    covered = {i for t in tokens(text) for i in range(t.start, t.end)}
    left = {c for i, c in enumerate(text) if i not in covered}
    assert all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf") for c in left)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t", "don't"),
        ("DON`T", "don't"),
        ("café", "cafe\u0301"),
        ("STRASSE", "straße"),
        ("well‑made", "well-made"),
        ("❤️", "❤"),
        ("ﬁne", "fine"),
    ],
)
def test_spellings_that_count_as_the_same_word(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("👍🏽", "👍"), ("cafe", "café"), ("its", "it's")])
def test_spellings_that_do_not(one, other):
    assert fold(one) != fold(other)


@settings(deadline=None)
@given(st.text(st.characters()))
def test_fold_has_nothing_left_to_do(word):
    assert fold(fold(word)) == fold(word)


@pytest.mark.parametrize(
    ("text", "positions", "expected"),
    [
        ("awful!! just awful", {0}, "[REDACTED]!! just awful"),
        ("I love it 😂😂", {1, 4}, "I [REDACTED] it 😂[REDACTED]"),
        ("“great” day :)", {0, 2}, "“[REDACTED]” day [REDACTED]"),
        ("nothing", set(), "nothing"),
    ],
)
def test_redact_leaves_the_rest_as_it_is(text, positions, expected):
    assert redact(text, positions) == expected


@st.composite
def redactions(draw):
    text = draw(texts.filter(words))
    return text, draw(st.sets(st.integers(0, len(words(text)) - 1), min_size=1))


@settings(max_examples=200, deadline=None)
@given(redactions())
def test_redacting_a_word_leaves_its_neighbours_the_same_words(case):
    text, positions = case
    expected = [t.text for t in tokens(text)]
    starts = [t.start for t in tokens(text)]
    for i in positions:
        expected[starts.index(words(text)[i].start)] = REDACTED
    assert [t.text for t in tokens(redact(text, positions))] == expected


@settings(max_examples=200, deadline=None)
@given(redactions())
def test_a_redaction_is_aligned_with_the_words_it_redacted(case):
    text, positions = case
    assert align_redaction(text, redact(text, positions)) == tuple(sorted(positions))


@pytest.mark.parametrize(
    ("text", "redacted", "expected"),
    [
        ("so good :)", "so [redacted] :)", (1,)),
        ("it's bad", "[REDACTED] bad", (0,)),
        ("it’s bad", "it's [REDACTED]", (1,)),
        ("I am awful!!", "i am [REDACTED]", (2,)),
        ("really bad!! day", "really **[REDACTED]** day.", (1,)),
        ("one two three", "one [REDACTED]", (1, 2)),
        ("a b c b d", "a [REDACTED] b [REDACTED]", (1, 2, 4)),
        ("bad bad bad", "bad [REDACTED] bad", (1,)),
        ("[REDACTED] is bad", "[REDACTED] is [REDACTED]", (1,)),
        ("[REDACTED] is bad", "[REDACTED] is bad", ()),
    ],
)
def test_alignment_of_what_models_write(text, redacted, expected):
    assert align_redaction(text, redacted) == expected


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("so good", "so good"),
        ("so good", "so great [REDACTED]"),
        ("so good", "so [REDACTED] good"),
        ("so good", "so good [REDACTED]"),
        ("so good", "[REDACTED] [REDACTED] [REDACTED]"),
        ("a b", "[REDACTED] a"),
        ("bad !!", "bad [REDACTED]"),
        ("see http://t.co/x", "see http://[REDACTED]"),
        ("love it 😂", "[REDACTED] it"),
        ("", "[REDACTED]"),
    ],
)
def test_no_alignment_where_other_words_changed(text, redacted):
    assert align_redaction(text, redacted) is None


@settings(deadline=None)
@given(redactions())
def test_a_placeholder_may_stand_for_a_run(case):
    text, positions = case
    first, last = words(text)[min(positions)], words(text)[max(positions)]
    drawn = text[: first.start] + REDACTED + text[last.end :]
    assert len(align_redaction(text, drawn)) == max(positions) - min(positions) + 1


def test_replace_keeps_a_leading_capital():
    assert replace("Great day", 0, "awful") == "Awful day"


@pytest.mark.parametrize("text", ["GREAT day", "great day"])
def test_replace_writes_the_word_as_given_otherwise(text):
    assert replace(text, 0, "awful") == "awful day"


@pytest.mark.parametrize(
    ("text", "position", "new", "expected"),
    [
        ("so😂good", 1, "very", "so very good"),
        ("1.😂", 1, "5", "1. 5"),
        ("😂!", 0, "ok", "ok!"),
        ("a😂b", 1, ":)", "a :) b"),
    ],
)
def test_replace_keeps_words_apart(text, position, new, expected):
    assert replace(text, position, new) == expected


@settings(max_examples=200, deadline=None)
@given(redactions(), st.sampled_from(["meh", "né", "7", "U.S", "👍🏽", "🇫🇷", "@bo", "it's"]))
def test_replace_changes_one_word_only(case, new):
    text, (position, *_) = case
    expected = [w.key for w in words(text)]
    expected[position] = fold(new)
    assert [w.key for w in words(replace(text, position, new))] == expected


def test_positions_of_are_all_occurrences_in_any_case():
    assert positions_of("No, it's NO good; no’one", ["no", "IT’S", "absent"]) == (0, 1, 2)


def dynamic_programming(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
            diagonal, row[j] = row[j], best
    return row[-1]


@settings(deadline=None)
@given(sentences | texts, sentences | texts)
def test_edit_distance_is_that_of_a_plain_dynamic_programme(a, b):
    assert edit_distance(a, b) == dynamic_programming(keys(a), keys(b))


@settings(deadline=None)
@given(sentences | texts, sentences | texts)
def test_edit_distance_is_rapidfuzz_on_the_words(a, b):
    assert edit_distance(a, b) == Levenshtein.distance(keys(a), keys(b))


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("I love it", "I hate it", 1),
        ("I love it!", "i LOVE it", 0),
        ("I love it", "I it", 1),
        ("I love it", "I really love it", 1),
        ("I don’t", "I don't", 0),
        ("so :) today", "so :( today", 1),
        ("so good today", "so [REDACTED] today", 1),
        ("", "two words", 2),
    ],
)
def test_edit_distance_counts_words_and_no_punctuation(a, b, distance):
    assert edit_distance(a, b) == distance


@settings(deadline=None)
@given(sentences | texts, sentences | texts)
def test_changed_words_take_out_and_bring_in_exactly_the_difference(a, b):
    changes = changed_words(a, b)
    spoken = Counter(keys(a))
    spoken.subtract(fold(old) for old, _ in changes if old)
    spoken.update(fold(new) for _, new in changes if new)
    assert +spoken == Counter(keys(b))


@settings(deadline=None)
@given(sentences | texts, sentences | texts)
def test_there_are_as_many_changed_words_as_edits(a, b):
    assert len(changed_words(a, b)) == edit_distance(a, b)


@settings(deadline=None)
@given(sentences, sentences)
def test_changed_words_applied_in_order_give_the_new_words(a, b):
    assert reachable(keys(a), keys(b), changed_words(a, b))


def reachable(old: list[str], new: list[str], changes: list[tuple[str, str]]) -> bool:
    """Whether walking along `old` and making each change somewhere, in order, can give `new`."""
    states = {(0, 0, 0)}
    while states and (len(old), len(new), len(changes)) not in states:
        states = {s for state in states for s in steps(old, new, changes, *state)}
    return bool(states)


def steps(old, new, changes, i, j, k):
    if i < len(old) and j < len(new) and old[i] == new[j]:
        yield i + 1, j + 1, k
    if k < len(changes):
        taken, given_ = fold(changes[k][0]), fold(changes[k][1])
        fits_old = not taken or (i < len(old) and old[i] == taken)
        if fits_old and (not given_ or (j < len(new) and new[j] == given_)):
            yield i + bool(taken), j + bool(given_), k + 1
