"""Hostile texts in a report, in a real browser: they are text, and run nothing."""

import pytest
from chromium import browser, driver, report, requests, unfold_all  # noqa: F401
from report_rows import edit_row

from rl_faith.report.answers import LONGEST

pytestmark = pytest.mark.browser
HARM = "window.harm = 1"
HOSTILE = [
    f"</script><script>{HARM}</script>",
    f"<!--<script>{HARM}//",
    f"<img src=x onerror='{HARM}'>",
    f"'\"><svg onload='{HARM}'>",
    f"</bdi></dd><iframe srcdoc='<script>top.{HARM}</script>'>",
    f"javascript:{HARM}",
    "{{ harm }} ${harm} &lt;b&gt; &#x202e;",
]
MEGABYTE = "ab" * 500_000
IMAGE = f"<img src=x onerror={HARM.replace(' ', '')}>"  # the name of a model


@pytest.fixture(scope="module")
def hostile(report):
    """Hostile texts in every field, and in the name of a model."""
    texts = [*HOSTILE, MEGABYTE, "\u202egnp.exe\u202c", "half \ud800", "zero\0 \u2028 \u200b"]
    rows = []
    for i, text in enumerate(texts):
        for model in (IMAGE, "base"):
            row = edit_row(model, i, "so dull", "Answer: dull", new_p=0.2)
            fields = dict.fromkeys(("input", "reply", "edited", "context", "detail"), text)
            rows.append(row | fields | {"id": f"{i} {text[:99]}", "words": [text]})
    return report(rows)


@pytest.fixture
def attacked(browser, hostile):
    browser.open(hostile)
    unfold_all(browser)
    return browser


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_reply_is_text(attacked, text):
    replies = "return [...document.querySelectorAll('.ex-card dd')].map(d => d.textContent)"
    assert text in attacked.run(replies)


def test_hostile_texts_run_nothing(attacked):
    assert attacked.run("return window.harm") is None


def test_hostile_texts_make_no_element(attacked):
    assert attacked.all(":is(img, svg, iframe)") == []


def test_name_of_a_model_is_text(attacked):
    assert IMAGE in attacked.texts(".ex-card h3")


def test_hostile_texts_ask_for_nothing(attacked, hostile):
    assert requests(attacked) == [hostile.as_uri()]


def test_long_reply_is_cut_and_says_so(attacked):
    notes = [note.strip() for note in attacked.texts("dd em")]
    assert f"… cut here: {LONGEST:,} of 1,000,000 characters" in notes


@pytest.mark.parametrize("code", ["U+202E", "U+202C", "U+D800", "U+0000", "U+2028", "U+200B"])
def test_characters_that_do_not_show_are_named(attacked, code):
    assert code in attacked.texts("dd .ex-code")


def test_text_cannot_turn_the_page_around(attacked):
    shown = attacked.run("return document.getElementById('examples').innerText")
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("width", [320, 1280])
def test_hostile_texts_do_not_widen_the_page(browser, hostile, width):
    browser.emulate(
        "setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
    )
    browser.open(hostile)
    unfold_all(browser)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(wide) == 0
