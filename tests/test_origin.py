"""Where a gain comes from: replies that became valid, or better ones."""

import pytest
from report_material import material, row, rows

from rl_faith.evaluation.origin import trace
from rl_faith.report.sections.origin import origin


def reply(outcome, **given):
    """ "t": valid and faithful; "f": valid and not; "-": not valid."""
    valid = "valid" if outcome in "tf" else "invalid"
    return row("m", 0, outcome == "t", status=valid, **given)


def pairs(*outcomes):
    return [(reply(before), reply(after)) for before, after in outcomes]


def test_replies_that_became_valid_are_form():
    found = trace(pairs("-t", "-t", "-f", "ff"))
    assert (found.form.value, found.content.value) == (0.5, 0)


def test_better_words_in_replies_that_were_valid_are_content():
    found = trace(pairs("ft", "tf", "ft", "ff"))
    assert (found.form.value, found.content.value) == (0, 0.25)


def test_form_and_content_make_the_difference():
    found = trace(pairs("-t", "t-", "t-", "ft", "tt", "f-", "-f", "--"))
    assert (found.form.value, found.content.value) == (-1 / 8, 1 / 8)


def test_the_change_where_both_are_valid_is_of_these_alone():
    found = trace(pairs("-t", "-t", "ft", "ff"))
    assert (found.faithful.value, found.faithful.n) == (0.5, 2)


def test_who_never_explained_validly_has_form_alone():
    found = trace(pairs("-t", "-f"))
    assert (found.content.value, found.faithful.n) == (0, 0)


def test_words_that_flip_anyway_are_no_lift():
    brittle = [(reply("f", control=0.0), reply("t", control=1.0))]
    assert (trace(brittle).faithful.value, trace(brittle).lift.value) == (1, 0)


def test_a_word_that_turns_the_text_anywhere_tells_no_place():
    anywhere = [(reply("f", elsewhere=0.0), reply("t", elsewhere=1.0)), *pairs("ft")]
    assert (trace(anywhere).place.value, trace(anywhere).place.n) == (0, 1)


# The section of the report


def invalid(n, model):
    return [row(model, i, False, status="invalid", control=None) for i in range(n)]


def base(rate=0.2, n=200):
    """The baseline: half of its explanations valid."""
    return rows("base", rate, n) + [r | {"id": f"x{r['id']}"} for r in invalid(n, "base")]


def after(here, there):
    """The same examples: share faithful where the baseline was valid, and where it was not."""
    return rows("sft", here) + [r | {"id": f"x{r['id']}"} for r in rows("sft", there)]


def test_a_gain_of_form_is_called_so():
    found = origin(material(base() + after(0.2, 0.2)))
    assert (
        "1 clear only with replies that became valid (sft on snli attribution" in found.conclusion
    )


def test_a_gain_of_content_is_called_so():
    found = origin(material(base() + after(0.7, 0.2)))
    assert "1 clear where both explanations are valid as well (sft" in found.conclusion


def test_form_that_hides_worse_words_is_a_warning():
    found = origin(material(base(0.4) + after(0.2, 0.9)))
    assert found.warns
    assert "Where both are valid, explanations are clearly worse on sft" in found.conclusion


def test_of_too_few_pairs_nothing_is_told():
    few = rows("base", 0.2, 20) + invalid(200, "base")[20:]
    found = origin(material(few + rows("sft", 0.7)))
    assert "1 not to be told, with fewer than 50 pairs" in found.conclusion


def test_without_a_clear_gain_there_is_none_to_ask_about():
    found = origin(material(base() + after(0.2, 0.0)))
    assert found.conclusion.startswith("No gain over base is clear")


def test_several_styles_are_told_together_as_well():
    """Of 600 explanations 100 became faithful, all of them valid before."""
    edits = base() + rows("base", 0.2, style="redaction")
    edits += after(0.7, 0.0) + rows("sft", 0.2, style="redaction")
    first = origin(material(edits)).tables[0].rows[0]
    assert first[:4] == ("sft", "all", "all", "one word")
    assert first[6].estimate.value == pytest.approx(100 / 600)


def test_one_cell_is_not_told_twice():
    shown = origin(material(base() + after(0.7, 0.0))).tables[0].rows
    assert [row[:4] for row in shown] == [("sft", "snli", "attribution", "one word")]


@pytest.mark.parametrize("edits", [[], rows("base", 0.5)])
def test_one_model_alone_gained_nothing(edits):
    assert origin(material(edits)) is None
