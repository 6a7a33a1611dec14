"""Reports of many examples and of a real evaluation, in a real browser."""

import json
import logging
from statistics import median

import pytest
from chromium import browser, driver, report  # noqa: F401
from report_rows import many

pytestmark = pytest.mark.browser
log = logging.getLogger(__name__)
MOST_MILLISECONDS = 200


# Many examples


@pytest.fixture(scope="module")
def large(report):
    return report(many(5_000))


FILTERING = """
const [done] = arguments;
const form = document.querySelector(".ex-filters");
const painted = () => new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
const timed = async (name, value) => {
  await painted();
  const start = performance.now();
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(
    new Event(name === "text" ? "input" : "change", {bubbles: true}));
  await painted();
  return performance.now() - start;
};
const all = [["text", "word1"], ["model", "rl"], ["outcome", "faithful"], ["text", "nowhere"],
  ["outcome", "unfaithful"], ["text", "answer"], ["model", ""], ["outcome", ""], ["text", ""]];
(async () => {
  form.scrollIntoView();
  const times = [];
  for (const [name, value] of [...all, ...all, ...all]) times.push(await timed(name, value));
  done(times);
})();
"""
"""Milliseconds from each change of a filter until the page is painted."""


@pytest.mark.slow
def test_five_thousand_examples_are_filtered_at_once(browser, large):
    browser.open(large)
    assert browser.found == 5_000
    times = browser.driver.execute_async_script(FILTERING)
    log.info("filtering takes %.0f ms, %.0f at most", median(times), max(times))
    assert median(times) < MOST_MILLISECONDS


@pytest.mark.slow
def test_only_what_is_shown_is_built(browser, large):
    browser.open(large)
    assert len(browser.all("details")) == 25


@pytest.mark.slow
def test_page_of_five_thousand_examples_is_under_ten_megabytes(large):
    assert large.stat().st_size < 10_000_000


# A real evaluation


@pytest.mark.slow
def test_report_of_an_evaluation_shows_what_it_judged(browser, tmp_path):
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    run, out = str(tmp_path / "run"), str(tmp_path / "page")
    recipe = ["--config", "recipes/toy/evaluate.yaml", "--models", "base=toy", "again=toy"]
    main(["evaluate", *recipe, "--examples_per_task", "3", "--out", run])
    main(["compare", run, "--report", out])
    browser.open(tmp_path / "page" / "index.html")
    browser.unfold()
    rows = [json.loads(line) for line in (tmp_path / "run" / "instances.jsonl").open()]
    row = next(row for row in rows if row["id"] == browser.address.rpartition("%2F")[2])
    assert row["input"] in browser.one("[open] summary").text
    assert browser.texts(".ex-card h3") == ["base", "again"]
    assert len(browser.all(".ex-card:first-child tbody tr")) == len(row["probabilities"])
