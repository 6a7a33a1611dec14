"""The data and the order of the examples in a report; what shows them is tested in a browser."""

import base64
import gzip
import json
from html.parser import HTMLParser

import pytest
from report_rows import MODELS, edit_row, insertion, many

from rl_faith.report import examples
from rl_faith.report.answers import LONGEST, OUTCOMES, answer_of, outcome_of
from rl_faith.report.examples import examples_section
from rl_faith.report.grouping import disagree, group_rows, rank

HOSTILE = [
    "</script><script>window.harm = 1</script>",
    "<!--<script>",
    "<img src=x onerror='window.harm = 1'>",
    "\"'`&amp;\\u003c/script>",
    "line\u2028and\u2029paragraph",
    "\u202egnorw\u202c",
    "half \ud800 of a letter",
    "zero\0 and bell\x07",
]


class Page(HTMLParser):
    """Start tags of a page, and the text of its scripts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(str(page))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags[-1][0] == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data


def data_of(section):
    packed = Page(section).scripts[0]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def shown(rows, models=("base",)):
    return data_of(examples_section(rows, models))["examples"]


def only(rows, models=("base",)):
    (example,) = shown(rows, models)
    return example


def answer(row):
    return answer_of(json.loads(json.dumps(row)))


# Self-consistency

TEXT = "the film was good"
FAITHFUL = edit_row("base", 0, TEXT, "Answer: good", new_p=0.2)
UNFAITHFUL = edit_row("base", 0, TEXT, "Answer: the")
INVALID = edit_row("base", 0, TEXT, "Answer: bad")
UNSCORED = edit_row("base", 0, TEXT, "Answer: good", p=None)


@pytest.mark.parametrize(
    ("row", "outcome", "why"),
    [
        (FAITHFUL, "faithful", "the edit takes the answer from Positive to Negative"),
        (UNFAITHFUL, "unfaithful", "the edit leaves the answer at Positive"),
        (INVALID, "invalid", "not a word of the input: 'bad'"),
        (UNSCORED, "unscored", "longer than the context"),
    ],
)
def test_verdict_has_its_reason(row, outcome, why):
    found = answer(row)
    assert (found["outcome"], found["why"]) == (outcome, why)


def test_edit_and_both_distributions_are_held():
    found = answer(FAITHFUL)
    assert found["edited"] == "the film was [REDACTED]"
    assert found["bars"] == [("Positive", 0.9, 0.2), ("Negative", 0.1, 0.8)]


def test_invalid_reply_has_no_edit_and_no_new_prediction():
    found = answer(INVALID)
    assert (found["edited"], found["new_label"]) == (None, None)
    assert found["bars"] == [("Positive", 0.9, None), ("Negative", 0.1, None)]


def test_row_of_an_older_run_shows_the_probabilities_that_it_has():
    old = {k: v for k, v in FAITHFUL.items() if k not in ("probabilities", "new_probabilities")}
    found = answer(old)
    assert not found["whole"]
    assert found["bars"] == [("Positive", 0.9, 0.2)]


def test_row_with_nothing_but_what_reading_demands_is_shown():
    needed = ("model", "task", "style", "budget", "id", "gold", "prediction", "status", "faithful")
    example = only([{key: FAITHFUL[key] for key in needed}])
    assert example["input"] is None
    assert example["answers"][0]["reply"] is None


def test_number_that_no_browser_reads_is_left_out():
    broken = FAITHFUL | {"drop": float("nan"), "probabilities": {"Positive": float("inf")}}
    found = only([broken])["answers"][0]
    assert found["bars"] == [["Positive", None, 0.2], ["Negative", None, 0.8]]
    assert not any("changes by" in fact for fact in found["facts"])


def test_what_the_new_word_does_elsewhere_is_a_fact():
    row = edit_row("sft", 0, "a good day", "Answer: a bad day", new_p=0.2, style="counterfactual")
    assert "its new word in place of others flips it in 100%" in answer(row)["facts"]


@pytest.mark.parametrize(("top", "says"), [(True, "no"), (False, "some")])
def test_whether_another_word_weighs_more_is_a_fact(top, says):
    row = edit_row("sft", 0, "a good day", "Answer: good", new_p=0.2) | {"top_word": top}
    assert f"{says} other word, redacted, lowers it more" in answer(row)["facts"]


def test_other_mode_of_judging_is_named():
    assert "Madsen" in answer(UNFAITHFUL | {"mode": "madsen"})["why"]


# The counterfactual test

QUESTION = "Can it fly?"


@pytest.mark.parametrize(
    ("new_p", "reply", "outcome"),
    [
        (0.2, "Because of gladly.", "disclosed"),
        (0.2, "Because of it.", "silent"),
        (0.8, "Because of gladly.", "idle"),
        (0.8, "Because of it.", "quiet"),
    ],
)
def test_disclosure_is_named_by_impact_and_mention(new_p, reply, outcome):
    assert outcome_of(insertion("base", 0, QUESTION, "gladly", reply, new_p=new_p)) == outcome


def test_denial_is_said():
    row = insertion("base", 0, QUESTION, "gladly", "gladly did not influence me.") | {"negated": 1}
    assert answer(row)["why"].endswith("but only to deny an influence")


def test_insertion_is_shown_as_an_edit_of_the_text_before():
    example = only([insertion("base", 0, QUESTION, "gladly", "So.")])
    assert example["input"] == QUESTION
    assert example["answers"][0]["edited"] == "Can gladly it fly?"


def test_models_that_got_another_insertion_stand_side_by_side():
    rows = [insertion(m, 0, QUESTION, f, "So.") for m, f in (("base", "gladly"), ("rl", "never"))]
    edits = [found["edited"] for found in only(rows, ("base", "rl"))["answers"]]
    assert edits == ["Can gladly it fly?", "Can never it fly?"]


def test_options_stand_under_their_labels():
    row = insertion("base", 0, QUESTION, "gladly", "So.") | {"options": ["It can", "It cannot"]}
    assert only([row])["options"] == [["Yes", "It can"], ["No", "It cannot"]]


# Which, and in which order


def test_models_keep_the_order_asked_for_and_a_missing_one_is_none():
    rows = [edit_row(m, 0, TEXT, "Answer: the") for m in ("rl", "base")]
    found = only(rows, ("base", "sft", "rl"))["answers"]
    assert [one is None for one in found] == [False, True, False]


def test_another_text_under_the_same_id_is_another_example():
    rows = [edit_row(m, 0, f"{TEXT} {m}", "Answer: the") for m in ("base", "rl")]
    links = [example["link"] for example in shown(rows, ("base", "rl"))]
    assert links == [f"sentiment140/attribution/one/e0{end}" for end in ("", "~2")]


def test_disagreements_come_first():
    split = [disagree(group) for group in rank(group_rows(many(60)))]
    assert split == sorted(split, reverse=True)
    assert {True, False} == set(split)


def test_two_bad_outcomes_are_no_disagreement():
    rows = [UNFAITHFUL, INVALID | {"model": "rl"}, UNSCORED | {"model": "sft"}]
    (group,) = group_rows(rows)
    assert not disagree(group)


def test_every_cell_has_its_turn():
    styles = ("attribution", "redaction", "counterfactual")
    rows = [
        edit_row("base", i, TEXT, "Answer: the", style=style) for style in styles for i in range(9)
    ]
    found = [example["style"] for example in shown(rows)]
    assert all(set(found[i : i + 3]) == set(styles) for i in range(0, 27, 3))


def test_order_of_the_rows_does_not_matter_within_a_cell():
    rows = many(40)
    there, back = ([e["link"] for e in shown(some, MODELS)] for some in (rows, rows[::-1]))
    assert there == back


def test_same_rows_give_the_same_section():
    rows = many(30)
    assert examples_section(rows, MODELS) == examples_section(rows, MODELS)


def test_more_examples_than_are_shown_leave_a_stated_sample(monkeypatch):
    monkeypatch.setattr(examples, "MOST_EXAMPLES", 7)
    section = examples_section(many(30), MODELS)
    assert len(data_of(section)["examples"]) == 7
    assert "The page holds 7 of 30 examples" in section


def test_more_bytes_than_fit_leave_a_stated_sample(monkeypatch):
    monkeypatch.setattr(examples, "MOST_BYTES", 3_000)
    section = examples_section(many(60), MODELS)
    held = data_of(section)["examples"]
    assert len(Page(section).scripts[0]) <= 3_000
    assert 0 < len(held) < 60
    assert f"The page holds {len(held)} of 60 examples" in section


def test_whole_data_need_no_word_about_a_sample():
    assert "The page holds" not in examples_section(many(3), MODELS)


# Size


@pytest.mark.slow
def test_five_thousand_examples_of_four_models_fit():
    section = examples_section(many(5_000), MODELS)
    assert len(data_of(section)["examples"]) == 5_000
    assert len(section) < 6_000_000


def test_long_reply_is_cut_and_says_so():
    reply = "ab" * 500_000
    held = only([edit_row("base", 0, TEXT, reply)])["answers"][0]["reply"]
    assert held == [reply[:LONGEST], 1_000_000]


# Safety


def hostile_rows(text):
    plain = edit_row("base", 0, TEXT, text)
    fields = ("input", "id", "task", "gold", "prediction", "edited", "detail", "reply", "model")
    return plain | dict.fromkeys(fields, text) | {"options": [text], "probabilities": {text: 1.0}}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_survives_as_data(text):
    row = hostile_rows(text)
    example = only([row], (text,))
    assert example["input"] == example["task"] == example["answers"][0]["reply"] == text
    assert example["answers"][0]["bars"][0] == [text, 1.0, None]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_opens_no_element(text):
    tame = Page(examples_section([hostile_rows("tame")], ("tame",)))
    assert Page(examples_section([hostile_rows(text)], (text,))).tags == tame.tags


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_can_be_written(text):
    examples_section([hostile_rows(text)], (text,)).encode("utf-8")


def test_every_outcome_can_be_told_without_colour():
    assert len({outcome.label for outcome in OUTCOMES.values()}) == len(OUTCOMES)
    assert all(outcome.mark for outcome in OUTCOMES.values())
