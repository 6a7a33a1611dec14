"""The page and the Markdown of a report: what they show, and what they may not do."""

import json
from collections import Counter
from html.parser import HTMLParser

import pytest
from markupsafe import Markup
from report_material import insertions, material, rows, written

from rl_faith.report.document import to_document
from rl_faith.report.page import to_page
from rl_faith.report.sections import sections
from rl_faith.report.sections.grid import grid
from rl_faith.report.writing import report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a|b `c` [d](http://x) $\\frac{$",
    "\u202ereversed\u2066 and\nnewline",
)


# The page


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def values(self, name):
        return [attrs[name] for _, attrs in self.found if name in attrs]


def page_of(found, examples=None):
    written = list(sections(found))
    return to_page("A title", written, examples), written


@pytest.fixture(scope="module")
def hostile():
    names = ("base", *HOSTILE)
    cell = {"task": HOSTILE[0], "words": [HOSTILE[1]], "n": 60}
    edits = [r for name in names for b in ("one", "multi")
             for r in rows(name, 0.5, budget=b, **cell)]  # fmt: skip
    inserted = [r for name in names for r in insertions(name, lambda i, impact: i % 2 == 0)]
    return page_of(material(edits, inserted))


def test_hostile_names_are_shown_as_text(hostile):
    page, _ = hostile
    elements = Elements(page)
    assert "script" not in [tag for tag, _ in elements.found]
    assert "img" not in [tag for tag, _ in elements.found]
    assert not [name for _, attrs in elements.found for name in attrs if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_marks_that_turn_the_text_around_are_shown_as_such(hostile):
    page, sections = hostile
    for text in (page, to_document("x", sections)):
        assert "\u202e" not in text
        assert "\ufffdreversed\ufffd and" in text


def test_half_a_character_in_a_name_is_no_failure(tmp_path):
    run = written(tmp_path / "run", rows("half \ud800", 0.5, words=["x\udfff" * 99]))
    page = report([run], None, tmp_path / "out")
    assert "half \ufffd" in page.read_text(encoding="utf-8")
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["self_consistency"]["models"] == ["half \ud800"]


def test_markdown_shows_hostile_names_as_text(hostile):
    document = to_document(HOSTILE[0], hostile[1])
    assert "<script>" not in document.replace("\\<script\\>", "")
    assert "](http" not in document.replace("\\]", "")
    heads = [line.count(" | ") for line in document.splitlines() if line.startswith("| model")]
    assert heads


def test_markdown_is_a_grid_of_every_model_and_a_table_of_differences():
    cells = [{"style": style} for style in ("attribution", "redaction")]
    found = [r for c in cells for m in ("base", "sft") for r in rows(m, 0.2, n=60, **c)]
    text = to_document("x", list(filter(None, [grid(material(found))])))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0] == "| model | snli attribution | snli redaction |"
    assert lines[2] == "| base | 0.20 (0.12 to 0.32) | 0.20 (0.12 to 0.32) |"
    assert sum(line.startswith("| sft | snli |") for line in lines) == 2


def test_every_line_of_a_markdown_table_has_the_same_columns(hostile):
    for block in to_document("x", hostile[1]).split("\n\n"):
        if block.startswith("| "):
            widths = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(widths) == 1, block


def test_the_page_loads_nothing(hostile):
    page, _ = hostile
    elements = Elements(page)
    linked = elements.values("href") + elements.values("xlink:href") + elements.values("src")
    assert all(target.startswith("#") for target in linked)
    assert "@import" not in page
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in elements.found}
    policy = next(a["content"] for t, a in elements.found if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'none'")


def test_only_our_own_script_may_run():
    page, _ = page_of(material(rows("base", 0.5)), Markup("<section><script>1</script></section>"))
    allowed = "script-src 'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='"
    assert allowed in page


def test_ids_are_unique_and_what_refers_to_them_finds_them(hostile):
    elements = Elements(hostile[0])
    ids = Counter(elements.values("id"))
    assert max(ids.values()) == 1
    assert set(elements.values("aria-labelledby")) <= ids.keys()
    assert {h[1:] for h in elements.values("href")} <= ids.keys()


def test_every_plot_is_labelled_and_has_a_table(hostile):
    page, written = hostile
    drawn = [attrs for tag, attrs in Elements(page).found if tag == "svg"]
    assert drawn
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawn)
    assert all(section.tables for section in written if section.plots)


def test_plots_take_their_colours_from_the_page(hostile):
    drawn = "".join(part.split("</svg>")[0] for part in hostile[0].split("<svg")[1:])
    assert "var(--c1)" in drawn
    assert "#0072b2" not in drawn


def test_every_head_of_a_table_has_a_scope(hostile):
    heads = [attrs for tag, attrs in Elements(hostile[0]).found if tag == "th"]
    assert all(attrs.get("scope") in ("row", "col") for attrs in heads)
