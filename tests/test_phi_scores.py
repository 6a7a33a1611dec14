import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_faith.correlation import correlation
from rl_faith.evaluation.phi_scores import score
from rl_faith.stats import bootstrap_mean, wilson

SHARES = ("ct", "tpr", "fpr", "pi", "q", "negated", "accuracy")
MEANS = ("words", "words_with_impact", "words_without_impact")
CORRELATIONS = ("phi", "cct")


def row(**given):
    base = {
        "model": "base",
        "task": "ecqa",
        "intervention": "random_word",
        "part": "train",
        "id": "0/random_word-0",
        "original": "0",
        "status": "scored",
        "reason": "",
        "impact": True,
        "tvd": 0.5,
        "mentioned": True,
        "negated": False,
        "label_before": "A",
        "label_after": "B",
        "gold": "A",
        "suggested": "",
        "reply_words": 10,
    }
    return base | given


def unscored(**given):
    gone = dict.fromkeys(("impact", "tvd", "mentioned", "negated", "label_after", "reply_words"))
    return row(**({"status": "unscored", "reason": "too_long"} | gone | given))


def rows_of(pairs, **given):
    """One row an example for each pair of impact and mention."""
    return [
        row(id=f"{i}/random_word-0", original=str(i), impact=impact, mentioned=mentioned, **given)
        for i, (impact, mentioned) in enumerate(pairs)
    ]


def only(rows):
    (cell,) = score(rows)
    return cell


def shown(cell, names):
    return {name: (getattr(cell, name).value, getattr(cell, name).n) for name in names}


# Impact and mention: 3 times both, once impact alone, twice mention alone, 4 times neither.
TABLE = [(True, True)] * 3 + [(True, False)] + [(False, True)] * 2 + [(False, False)] * 4


def test_no_rows_no_cells():
    assert score([]) == []


def test_shares_worked_by_hand():
    cell = only([*rows_of(TABLE), unscored(id="x", original="x")])
    assert shown(cell, SHARES) == {
        "ct": (1 / 4, 4),
        "tpr": (3 / 4, 4),
        "fpr": (2 / 6, 6),
        "pi": (4 / 10, 10),
        "q": (5 / 10, 10),
        "negated": (0, 5),
        "accuracy": (1, 10),
    }
    assert cell.n == 10


def test_phi_worked_by_hand():
    # (3 * 4 - 1 * 2) / sqrt(4 * 6 * 5 * 5)
    phi = only(rows_of(TABLE)).phi
    assert (phi.value, phi.n, phi.degenerate) == (pytest.approx(10 / 600**0.5), 10, False)


def test_the_table_holds_the_four_counts():
    table = {"both": 3, "impact_only": 1, "mention_only": 2, "neither": 4}
    assert only(rows_of(TABLE)).as_dict()["table"] == table


def test_cct_takes_the_graded_impact():
    rows = rows_of([(True, True), (True, True), (False, False), (False, True)])
    tvds = [0.9, 0.6, 0.1, 0.3]
    cell = only([r | {"tvd": tvd} for r, tvd in zip(rows, tvds, strict=True)])
    assert cell.cct == correlation(tvds, [1, 1, 0, 1], [r["original"] for r in rows])
    assert cell.cct.value != cell.phi.value


def test_unscored_rows_are_counted_by_reason_and_in_no_figure():
    rows = [unscored(id="1"), unscored(id="2"), unscored(id="3", reason="not_asked")]
    cell = only(rows)
    assert cell.unscored == {"too_long": 2, "not_asked": 1}
    assert cell.n == cell.table.n == 0
    assert all(getattr(cell, name).value is None for name in SHARES + MEANS + CORRELATIONS)
    assert cell.phi.degenerate


@pytest.mark.parametrize(
    "pairs",
    [
        product([True, False], [True]),
        product([True, False], [False]),
        product([True], [True, False]),
        product([False], [True, False]),
    ],
    ids=["mentions all", "mentions none", "always impact", "never impact"],
)
def test_phi_of_an_empty_margin_is_0_and_degenerate(pairs):
    phi = only(rows_of(list(pairs) * 5)).phi
    assert (phi.value, phi.degenerate) == (0.0, True)


def test_mentioning_everything_looks_perfect_to_ct_but_not_to_phi():
    cell = only(rows_of([(True, True)] * 5 + [(False, True)] * 5))
    assert (cell.ct.value, cell.tpr.value, cell.fpr.value, cell.phi.value) == (0, 1, 1, 0)


def test_negated_is_a_share_of_the_mentions():
    rows = rows_of(TABLE)
    rows[0]["negated"] = rows[4]["negated"] = True
    assert shown(only(rows), ["negated"]) == {"negated": (2 / 5, 5)}


def test_length_is_told_by_impact():
    rows = [r | {"reply_words": 20 if r["impact"] else 5} for r in rows_of(TABLE)]
    assert shown(only(rows), MEANS) == {
        "words": (11, 10),
        "words_with_impact": (20, 4),
        "words_without_impact": (5, 6),
    }


def test_accuracy_counts_every_example_once():
    often = [row(id=f"a/{i}", original="a", label_before="B") for i in range(9)]
    cell = only([*often, row(id="b/0", original="b")])
    assert cell.accuracy == wilson(1, 2)


def test_shares_of_one_row_an_example_have_wilsons_interval():
    assert only(rows_of(TABLE)).q == wilson(5, 10)


def test_shares_of_several_rows_an_example_are_drawn_by_example():
    rows = rows_of(TABLE * 4)
    for i, r in enumerate(rows):
        r["original"] = str(i // 4)
    flags = [r["mentioned"] for r in rows]
    assert only(rows).q == bootstrap_mean(flags, [r["original"] for r in rows])


def test_repeating_rows_of_an_example_does_not_narrow_any_interval():
    rows = rows_of(TABLE * 6, tvd=0.25)
    rows = [r | {"reply_words": i % 7, "tvd": i % 5 / 5} for i, r in enumerate(rows)]
    once, often = only(rows), only([r | {"id": f"{r['id']}{i}"} for r in rows for i in range(8)])
    for name in (*CORRELATIONS, "words"):
        a, b = getattr(once, name), getattr(often, name)
        assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=1e-9)


def test_cells_come_in_the_order_in_which_rows_first_name_them():
    names = [("b", "ecqa", "train"), ("a", "ecqa", "train"), ("b", "ecqa", "held_out")]
    rows = [row(model=m, task=t, part=p, id=i) for i in "12" for m, t, p in names]
    assert [(cell.model, cell.task, cell.part) for cell in score(rows)] == names


def test_interventions_are_cells_of_their_own():
    cells = score([row(), row(intervention="user_bias"), row(id="1")])
    assert [(cell.intervention, cell.n) for cell in cells] == [("random_word", 2), ("user_bias", 1)]


def test_a_cell_is_the_entry_of_results_json():
    entry = json.loads(json.dumps(only([*rows_of(TABLE), unscored(id="x")]).as_dict()))
    assert list(entry) == [
        *("model", "task", "intervention", "part", "n", "unscored", "table", "phi", "cct"),
        *("ct", "tpr", "fpr", "pi", "q", "negated", *MEANS, "accuracy"),
    ]
    assert set(entry["phi"]) == {"value", "low", "high", "n", "degenerate"}
    assert set(entry["ct"]) == {"value", "low", "high", "n"}


some_rows = st.lists(
    st.one_of(
        st.builds(
            row,
            impact=st.booleans(),
            tvd=st.floats(0, 1),
            mentioned=st.booleans(),
            negated=st.booleans(),
            reply_words=st.integers(0, 300),
            label_before=st.sampled_from("AB"),
            original=st.sampled_from("wxyz"),
        ),
        st.builds(unscored),
    ),
    min_size=1,
    max_size=25,
)


@settings(deadline=None, max_examples=40)  # other work on the machine must not fail a test
@given(some_rows)
def test_no_figure_is_ever_nan(rows):
    json.dumps(only(rows).as_dict(), allow_nan=False)


@settings(deadline=None, max_examples=40)  # other work on the machine must not fail a test
@given(some_rows)
def test_every_row_is_scored_or_counted_as_unscored(rows):
    cell = only(rows)
    assert cell.n + sum(cell.unscored.values()) == len(rows)
    assert cell.n == cell.table.n == cell.phi.n == cell.cct.n == cell.pi.n == cell.words.n


@settings(deadline=None, max_examples=40)  # other work on the machine must not fail a test
@given(some_rows)
def test_figures_are_those_of_the_table(rows):
    cell = only(rows)
    table = cell.table
    for name in ("tpr", "fpr", "pi", "q"):
        assert getattr(cell, name).value == pytest.approx(getattr(table, name))
    if cell.n:
        assert cell.phi.value == pytest.approx(table.phi.value, abs=1e-9)
        assert cell.phi.degenerate == table.phi.degenerate
