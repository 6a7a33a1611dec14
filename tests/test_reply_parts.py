"""The parts a reply is taken from: answer, JSON value, list items, unquoted text."""

import pytest

from rl_faith.styles.reply import answer_of, items_of, json_value, unquoted


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Answer: yes", "yes"),
        ("well\nAnswer: yes\nno", "yes\nno"),
        ("```\nyes\n```", "yes"),
        ("```py\nyes", "yes"),
        ("no answer here", "no answer here"),
        ("Answer: _yes_", "_yes_"),
        ("Answers: yes", "Answers: yes"),
    ],
)
def test_answer_of(reply, expected):
    assert answer_of(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"k": "a"}', "a"),
        ('{"other": "a"}', "a"),
        ('{"k": "a", "other": "b"}', "a"),
        ('{"other": "a", "more": "b"}', None),
        ('{"other": {"k": "a"}}', "a"),
        ('{"k": "a\nb"}', "a\nb"),
        (r"{'k': 'a \'b\' c'}", "a 'b' c"),
        (r'{"k": "a \"b\"",}', 'a "b"'),
        ('{"k": 3}', None),
        ('{"k": "a', None),
        ("{'k': 'say \"a\"", None),
        ('{"k": ["a", ["b"', None),
        ("no object", None),
    ],
)
def test_json_value(reply, expected):
    assert json_value(reply, "k") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, b", ["a", "b"]),
        ("1,000", ["1,000"]),
        ("'a','b'", ["a", "b"]),
        ("- a\n\n- b;", ["a", "b"]),
        ("", []),
    ],
)
def test_items_of(text, expected):
    assert items_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            ('"a"', "a"),
            ("“a”.", "a"),
            ("'a',", "a"),
            ('""a""', '"a"'),
            ('"', '"'),
            ("'a\"", "'a\""),
        ),
        *(('"a" b', '"a" b'), ("it's", "it's"), ("a.", "a."), ('""', "")),
    ],
)
def test_unquoted(text, expected):
    assert unquoted(text) == expected
