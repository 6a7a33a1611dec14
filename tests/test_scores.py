import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_faith.evaluation.scores import score

FIELDS = ("accuracy", "valid", "faithful_valid", "faithful_all")
MEANS = ("random_control", "lift", "ceiling", "top_word", "top_word_chance", "drop")


def row(**given):
    base = {
        "model": "base",
        "task": "snli",
        "style": "attribution",
        "budget": "one",
        "id": "0",
        "gold": "Yes",
        "prediction": "Yes",
        "status": "valid",
        "reason": "",
        "count": 1,
        "faithful": True,
        "drop": 0.5,
        "control": 0.25,
        "ceiling": True,
        "top_word": True,
        "top_word_chance": 0.1,
    }
    return base | given


def valid(**given):
    return row(**given)


def invalid(**given):
    gone = {"count": None, "drop": None, "control": None}
    return row(**({"status": "invalid", "reason": "not in x", "faithful": False} | gone | given))


def unscored(**given):
    gone = dict.fromkeys(("count", "drop", "control", "ceiling", "top_word", "top_word_chance"))
    return row(**({"status": "unscored", "reason": "too long", "faithful": None} | gone | given))


def only(rows):
    (cell,) = score(rows)
    return cell


def test_no_rows_no_cells():
    assert score([]) == []


def test_shares_worked_by_hand():
    rows = [valid(id="1"), valid(id="2", faithful=False, prediction="No"), invalid(id="3")]
    cell = only([*rows, unscored(id="4")])
    shares = {name: (getattr(cell, name).value, getattr(cell, name).n) for name in FIELDS}
    assert shares == {
        "accuracy": (2 / 3, 3),
        "valid": (2 / 3, 3),
        "faithful_valid": (1 / 2, 2),
        "faithful_all": (1 / 3, 3),
    }
    assert cell.n == 3


def test_unscored_rows_are_counted_by_reason_and_in_no_figure():
    rows = [unscored(id="1"), unscored(id="2"), unscored(id="3", reason="no reply")]
    cell = only(rows)
    assert cell.unscored == {"too long": 2, "no reply": 1}
    assert cell.n == 0
    assert all(getattr(cell, name).value is None for name in FIELDS + MEANS)


def test_never_valid_has_no_faithful_valid_but_a_faithful_all_of_zero():
    cell = only([invalid(id="1"), invalid(id="2")])
    assert (cell.faithful_valid.value, cell.faithful_all.value) == (None, 0.0)


def test_means_are_over_rows_that_have_the_value():
    rows = [valid(id="1", control=0.5, drop=0.2), invalid(id="2", ceiling=False, top_word=False)]
    unasked = {"ceiling": None, "top_word": None, "top_word_chance": None}
    cell = only([*rows, valid(id="3", control=None, drop=-0.4, **unasked)])
    means = {name: (getattr(cell, name).value, getattr(cell, name).n) for name in MEANS}
    assert means == {
        "random_control": (0.5, 1),
        "lift": (0.5, 1),
        "ceiling": (0.5, 2),
        "top_word": (0.5, 2),
        "top_word_chance": (0.1, 2),
        "drop": (pytest.approx(-0.1), 2),
    }


def test_lift_counts_an_invalid_row_with_a_control_as_unfaithful():
    cell = only([valid(id="1", control=0.25), invalid(id="2", control=0.25)])
    assert cell.lift.value == pytest.approx(0.25)


def test_lift_of_a_model_that_flips_on_anything_is_zero():
    assert only([valid(id=str(i), control=1.0) for i in range(5)]).lift.value == 0


def test_cells_come_in_the_order_in_which_rows_first_name_them():
    names = [("b", "snli"), ("a", "snli"), ("b", "ag_news")]
    rows = [row(model=model, task=task, id=i) for i in "12" for model, task in names]
    assert [(cell.model, cell.task) for cell in score(rows)] == names


def test_multi_word_rows_are_also_scored_by_number_of_words():
    rows = [valid(id="1", budget="multi", count=2), invalid(id="2", budget="multi")]
    rows.append(valid(id="3", budget="multi", count=7, faithful=False))
    cells = score(rows)
    assert [(cell.budget, cell.n) for cell in cells] == [
        ("multi", 3),
        *((1, 0), (2, 1), (3, 0), (4, 0), (5, 0)),
    ]
    assert cells[2].faithful_all.value == 1.0


def test_one_word_rows_are_not_split():
    assert [cell.budget for cell in score([valid()])] == ["one"]


def test_a_cell_is_the_entry_of_results_json():
    entry = json.loads(json.dumps(only([valid(), unscored(id="2")]).as_dict()))
    assert list(entry) == [
        *("model", "task", "style", "budget", "n", "unscored"),
        *(*FIELDS, *MEANS),
    ]
    assert entry["unscored"] == {"too long": 1}
    assert set(entry["faithful_all"]) == {"value", "low", "high", "n"}


any_row = st.one_of(
    st.builds(valid, faithful=st.booleans(), control=st.none() | st.floats(0, 1)),
    st.builds(invalid),
    st.builds(unscored),
)


@settings(deadline=None)  # other work on the machine must not fail a test
@given(st.lists(any_row, min_size=1, max_size=25))
def test_every_row_is_scored_or_counted_as_unscored(rows):
    rows = [r | {"id": str(i)} for i, r in enumerate(rows)]
    cell = only(rows)
    assert cell.n + sum(cell.unscored.values()) == len(rows)
    assert (cell.valid.n, cell.faithful_all.n) == (cell.n, cell.n)


@settings(deadline=None)  # other work on the machine must not fail a test
@given(st.lists(any_row, min_size=1, max_size=25))
def test_faithful_all_is_valid_times_faithful_valid(rows):
    cell = only(rows)
    if cell.faithful_valid.value is not None:
        product = cell.valid.value * cell.faithful_valid.value
        assert cell.faithful_all.value == pytest.approx(product)
