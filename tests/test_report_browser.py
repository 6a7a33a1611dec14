"""The examples of a report in a real browser: shown, filtered, linked, in reach of all."""

import pytest
from chromium import browser, driver, report, requests  # noqa: F401
from report_rows import MODELS, edit_row, insertion, many
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from rl_faith.report.answers import outcome_of

pytestmark = pytest.mark.browser


EDITS = [
    *many(60),
    *(edit_row(m, 60, "so dull", "Answer: so", style="redaction", p=None) for m in MODELS),
]
INSERTIONS = [
    insertion(model, i, f"Can bird {i} fly?", "gladly", said, new_p=0.2 if i % 2 else 0.8)
    for i in range(4)
    for model, said in (("base", "Because of gladly."), ("rl", "That is how it is."))
]
ROWS = EDITS + INSERTIONS


@pytest.fixture(scope="module")
def page(report):
    return report(EDITS, INSERTIONS)


@pytest.fixture
def opened(browser, page):
    browser.open(page)
    return browser


def examples_with(**wanted) -> int:
    """How many examples some row is about that has these values."""
    return len({
        (row["task"], row["id"]) for row in ROWS
        if all(row.get(name) == value for name, value in wanted.items())
    })  # fmt: skip


# Filters


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("task", "strategyqa", examples_with(task="strategyqa")),
        ("style", "redaction", examples_with(style="redaction")),
        ("style", "word", examples_with(intervention="word")),
        ("words", "one", examples_with(budget="one")),
        ("model", "sft", examples_with(model="sft")),
        ("outcome", "unscored", examples_with(status="unscored")),
        ("outcome", "disclosed", examples_with(impact=True, mentioned=True)),
    ],
)
def test_list_filters(opened, name, value, count):
    opened.choose(name, value)
    assert opened.found == count


def test_outcome_is_that_of_the_model(opened):
    opened.choose("model", "rl")
    opened.choose("outcome", "faithful")
    assert opened.found == sum(r["model"] == "rl" and outcome_of(r) == "faithful" for r in ROWS)


@pytest.mark.parametrize("words", ["CAN BIRD 3", "because of gladly", "e59"])
def test_text_is_searched_in_input_reply_and_id(opened, words):
    opened.write(words)
    assert opened.found == {"CAN BIRD 3": 1, "because of gladly": 4, "e59": 1}[words]


def test_nothing_found_is_said(opened):
    opened.write("nowhere")
    assert (opened.found, opened.all("details")) == (0, [])


def test_everything_is_back_when_all_are_shown(opened):
    opened.choose("task", "strategyqa")
    opened.one("[type=reset]").click()
    opened.until(lambda: opened.address == "examples")
    assert opened.found == 65


def test_disagreements_stand_first(opened):
    marks = [set(chips) & set("✓✗") for chips in opened.texts(".ex-chips")]
    split = [len(found) == 2 for found in marks]
    assert split[0] and split == sorted(split, reverse=True)


def test_more_are_shown_from_the_first_new_one_on(opened):
    opened.one(".ex-more").send_keys(Keys.ENTER)
    assert len(opened.all("details")) == 50
    assert opened.run("return document.activeElement") == opened.all("summary")[25]


# One example


def test_models_stand_side_by_side(opened):
    opened.unfold()
    assert opened.texts("[open] .ex-card h3") == list(MODELS)
    assert len({card.location["y"] for card in opened.all("[open] .ex-card")}) == 1


def test_edit_is_a_visible_difference(opened):
    opened.write("CAN BIRD 3")
    opened.unfold()
    assert opened.texts(".ex-card ins") == ["gladly ", "gladly "]
    assert opened.all(".ex-card del") == []


def test_removed_and_inserted_words_are_told_without_colour(opened):
    opened.unfold()
    lines = "return getComputedStyle(arguments[0]).textDecorationLine"
    assert opened.run(lines, opened.one("del")) == "line-through"
    assert opened.run(lines, opened.one("ins")) == "underline"


def test_edit_that_is_applied_to_the_input_gives_the_edited_input(opened):
    opened.unfold()
    name = opened.address.rpartition("%2F")[2]
    row = next(row for row in EDITS if row["model"] == "base" and row["id"] == name)
    removed = "return [...arguments[0].childNodes].filter(n => n.nodeName !== 'DEL')"
    shown = opened.one(".ex-card:first-child bdi:has(del)")
    assert opened.run(f"{removed}.map(n => n.textContent).join('')", shown) == row["edited"]


def test_verdict_and_its_reason_are_shown(opened):
    opened.choose("outcome", "silent")
    opened.unfold()
    assert opened.texts(".ex-card header")[1] == (
        "rl\n✗ Mattered, not mentioned\n"
        "the insertion changes the answer; the reply does not mention it"
    )


def test_probabilities_before_and_after_have_bars(opened):
    opened.write("CAN BIRD 3")
    opened.unfold()
    cells = opened.texts(".ex-card:first-child tbody :is(th, td)")
    assert cells == ["Yes", "0.900", "0.200", "No", "0.100", "0.800"]
    widths = opened.run("return [...document.querySelectorAll('.ex-bar')].map(b => b.style.width)")
    assert widths[:4] == ["90%", "20%", "10%", "80%"]


def test_what_was_not_scored_says_why(opened):
    opened.choose("outcome", "unscored")
    opened.unfold()
    assert "Not scored\nlonger than the context" in opened.one(".ex-card").text


def test_models_that_were_not_asked_are_named(opened):
    opened.choose("task", "strategyqa")
    opened.unfold()
    assert "Not asked\nsft, sft-rl" in opened.one(".ex-asked").text


def test_older_rows_say_what_they_do_not_hold(browser, report):
    lost = ("probabilities", "new_probabilities", "reply", "edited")
    browser.open(report([{k: v for k, v in row.items() if k not in lost} for row in many(3)]))
    browser.unfold()
    card = browser.one(".ex-card").text
    assert "Reply\nnot recorded" in card
    assert "Probability (of other labels: not recorded)" in card


# The address


def test_link_opens_one_example(browser, page):
    browser.open(page, "#example=strategyqa/word/train/q2/word-0")
    (shown,) = browser.all("[open]")
    assert "Can bird 2 fly?" in shown.text
    assert 0 <= browser.run("return arguments[0].getBoundingClientRect().top", shown) < 100


def test_link_of_an_opened_example_leads_to_it(opened):
    opened.unfold(3)
    link = opened.one("[open] a").get_attribute("href")
    shown = opened.one("[open] .ex-input").text
    opened.driver.get("about:blank")
    opened.driver.get(link)
    opened.until(lambda: opened.all("[open]"))
    assert opened.one("[open] .ex-input").text == shown


def test_link_to_an_example_that_is_not_there_says_so(browser, page):
    browser.open(page, "#example=nowhere")
    assert browser.status == "The report does not hold the example nowhere"


def test_address_holds_the_filters(opened):
    opened.choose("task", "sentiment140")
    opened.choose("outcome", "faithful")
    opened.write("word1")
    opened.until(lambda: "text" in opened.address)
    count, address = opened.found, opened.address
    assert address == "task=sentiment140&outcome=faithful&text=word1"
    opened.driver.refresh()
    opened.until(lambda: not opened.status.startswith("Reading"))
    assert (opened.found, opened.address) == (count, address)


def test_back_goes_through_what_was_done(opened):
    opened.choose("task", "strategyqa")
    opened.choose("outcome", "silent")
    opened.unfold()
    opened.driver.back()
    opened.until(lambda: not opened.all("[open]"))
    assert opened.found == 2
    opened.driver.back()
    opened.until(lambda: opened.found == 4)
    opened.driver.back()
    opened.until(lambda: opened.found == 65)
    opened.driver.forward()
    opened.until(lambda: opened.found == 4)


def test_other_parts_of_the_page_can_be_linked(opened):
    opened.choose("task", "strategyqa")
    opened.driver.find_element(By.CSS_SELECTOR, "nav a").click()
    assert opened.found == 4


# Everyone can use it


def test_keyboard_is_enough(opened):
    for _ in range(60):
        opened.driver.switch_to.active_element.send_keys(Keys.TAB)
        if opened.driver.switch_to.active_element == opened.all("summary")[0]:
            break
    focused = opened.driver.switch_to.active_element
    assert opened.run("return getComputedStyle(arguments[0]).outlineStyle", focused) == "solid"
    focused.send_keys(Keys.ENTER)
    opened.until(lambda: opened.all("[open]"))
    focused.send_keys(Keys.ENTER)
    opened.until(lambda: not opened.all("[open]"))


def test_controls_have_names(opened):
    named = [found.accessible_name for found in opened.all("form :is(select, input, button)")]
    assert named == [
        *("Task", "Style or insertion", "Words or phrases", "Outcome", "of the model", "Text"),
        "Show all",
    ]


def test_outcomes_are_read_aloud(opened):
    opened.write("CAN BIRD 3")
    name = " ".join(opened.one("summary").accessible_name.split())
    assert "Mattered, mentioned base" in name and "Mattered, not mentioned rl" in name


def test_changes_of_the_list_are_announced(opened):
    assert opened.one(".ex-status").aria_role == "status"


@pytest.mark.parametrize("width", [320, 800, 1280, 1920])
def test_page_is_never_wider_than_the_screen(browser, page, width):
    phone = width < 600
    browser.emulate(
        "setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=phone
    )
    browser.open(page)
    browser.unfold()
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(wide) == 0


def test_models_stand_below_each_other_on_a_phone(browser, page):
    browser.emulate(
        "setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
    )
    browser.open(page)
    browser.unfold()
    assert len({card.location["x"] for card in browser.all("[open] .ex-card")}) == 1


CONTRAST = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = light(getComputedStyle(document.body).backgroundColor);
return Object.fromEntries(arguments[0].map((selector) => {
  const ink = light(getComputedStyle(document.querySelector("#examples " + selector)).color);
  return [selector, (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)];
}));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(browser, page, scheme):
    """At least 4.5 to 1: Web Content Accessibility Guidelines 2.2, 1.4.3."""
    browser.emulate(
        "setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    browser.open(page)
    browser.unfold()
    texts = ["dd", "dt", "del", "ins", "a", ".ex-place", ".ex-note", ".ex-card li", "label"]
    texts += [f"[data-good={good}]" for good in ("true", "false")]
    found = browser.run(CONTRAST, texts)
    assert min(found.values()) >= 4.5, found


def test_dark_is_dark(browser, page):
    browser.emulate(
        "setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    browser.open(page)
    ground = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
    assert max(map(int, ground)) < 60


def test_what_is_open_is_printed_and_nothing_else(opened):
    opened.unfold()
    opened.emulate("setEmulatedMedia", media="print")
    assert opened.one("[open] .ex-card").is_displayed()
    assert opened.one("[open] summary").is_displayed()
    assert not opened.one("form").is_displayed()
    assert [item.is_displayed() for item in opened.all(".ex-list > li")][:3] == [True, False, False]


# Nothing else


def use(browser):
    """Does everything that can be done with the examples."""
    browser.choose("outcome", "faithful")
    browser.write("word")
    browser.unfold()
    browser.one("[type=reset]").click()
    browser.until(lambda: browser.found == 65)
    browser.one(".ex-more").click()
    browser.driver.back()


def test_console_stays_empty(opened):
    use(opened)
    assert opened.driver.get_log("browser") == []


def test_no_request_leaves_the_page(opened, page):
    use(opened)
    assert requests(opened) == [page.as_uri()]


def test_no_name_is_left_in_the_window(browser, page, tmp_path):
    names = "return Object.getOwnPropertyNames(window)"
    (tmp_path / "empty.html").write_text("<!doctype html>")
    browser.driver.get((tmp_path / "empty.html").as_uri())
    browser.all("*")  # the driver leaves a name of its own
    before = set(browser.run(names))
    browser.open(page)
    assert set(browser.run(names)) - before == set()
