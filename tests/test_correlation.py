import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as reference
from scipy.stats.contingency import association

from rl_faith.correlation import Correlation, Rates, Table2x2, correlation

counts = st.integers(0, 60)
filled = st.integers(1, 60)
tvds = st.integers(0, 1000).map(lambda i: i / 1000)
pairs = st.lists(st.tuples(tvds, st.booleans()), min_size=1, max_size=60)


def rows_of(table: Table2x2) -> tuple[list[bool], list[bool]]:
    kinds = {
        (True, True): table.both,
        (True, False): table.impact_only,
        (False, True): table.mention_only,
        (False, False): table.neither,
    }
    rows = [kind for kind, count in kinds.items() for _ in range(count)]
    return [impact for impact, _ in rows], [mention for _, mention in rows]


# The 2x2 table


def test_table_counts_pairs():
    impacts = [True, True, True, False, False, False, False]
    mentions = [True, False, False, True, False, False, False]
    assert Table2x2.of(impacts, mentions) == Table2x2(1, 2, 1, 3)


def test_table_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="shorter"):
        Table2x2.of([True, False], [True])


def test_rates_of_a_table_worked_by_hand():
    table = Table2x2(both=30, impact_only=10, mention_only=20, neither=40)
    assert (table.n, table.tpr, table.fpr, table.pi, table.q) == (100, 30 / 40, 20 / 60, 0.4, 0.5)
    assert table.phi.value == pytest.approx(1000 / (40 * 60 * 50 * 50) ** 0.5)


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        (Table2x2(0, 0, 2, 3), {"tpr"}),
        (Table2x2(2, 3, 0, 0), {"fpr"}),
        (Table2x2(0, 0, 0, 0), {"tpr", "fpr", "pi", "q"}),
        (Table2x2(2, 0, 3, 0), set()),
    ],
    ids=["never impact", "always impact", "nothing", "always mentioned"],
)
def test_an_empty_margin_is_degenerate_and_leaves_none_for_what_it_divides(table, missing):
    assert (table.phi.value, table.phi.degenerate) == (0.0, True)
    assert {name for name in ("tpr", "fpr", "pi", "q") if getattr(table, name) is None} == missing


@given(filled, filled, filled, filled)
def test_phi_is_tpr_minus_fpr_scaled_by_the_rates(a, b, c, d):
    t = Table2x2(a, b, c, d)
    scale = (t.pi * (1 - t.pi) / (t.q * (1 - t.q))) ** 0.5
    assert t.phi.value == pytest.approx((t.tpr - t.fpr) * scale, abs=1e-9)


@given(filled, filled, filled, filled)
def test_phi_is_cramers_v_with_a_sign(a, b, c, d):
    expected = association(np.array([[a, b], [c, d]]), method="cramer")
    assert abs(Table2x2(a, b, c, d).phi.value) == pytest.approx(expected, abs=1e-9)


# Correlation with its interval


@given(counts, counts, counts, counts)
def test_correlation_of_yes_no_impact_is_phi(a, b, c, d):
    table = Table2x2(a, b, c, d)
    assume(table.n)
    e = correlation(*rows_of(table), resamples=5)
    assert (e.value, e.n) == (pytest.approx(table.phi.value, abs=1e-9), table.n)
    assert e.degenerate == table.phi.degenerate


@given(pairs)
def test_correlation_is_scipys_pearson(rows):
    impacts, mentions = zip(*rows, strict=True)
    e = correlation(impacts, mentions, resamples=5)
    if len(set(impacts)) == 1 or len(set(mentions)) == 1:
        assert (e.value, e.degenerate) == (0.0, True)
    else:
        expected = reference.pearsonr(impacts, np.array(mentions, dtype=float)).statistic
        assert e.value == pytest.approx(expected, abs=1e-6)


def test_correlation_worked_by_hand():
    # Covariance 0.4 / 4, variances 0.05 and 0.25: 0.1 / sqrt(0.0125).
    assert correlation([0.6, 0.6, 0.4, 0.0], [1, 1, 0, 0]).value == pytest.approx(
        0.1 / (0.06 * 0.25) ** 0.5
    )


def test_nothing_has_no_correlation():
    assert correlation([], []) == Correlation(None, None, None, 0, degenerate=True)


def test_a_constant_has_a_degenerate_correlation_with_an_interval_of_no_width():
    assert correlation([0.1] * 7, [1, 0] * 3 + [1]) == Correlation(0.0, 0.0, 0.0, 7, True)


def test_rounding_in_a_constant_is_no_variation():
    assert correlation([0.1 + 0.2, 0.3, 0.3, 0.3], [1, 0, 0, 1], resamples=5).degenerate


def test_a_draw_in_which_nothing_varies_counts_as_0():
    # The one row with impact is in about 64% of the draws: phi is 1 there, and undefined else.
    e = correlation([1] + [0] * 9, [1] + [0] * 9)
    assert (e.value, e.low, e.high) == (pytest.approx(1), 0.0, pytest.approx(1))


def test_interval_is_scipys_percentile_interval():
    rng = np.random.default_rng(3)
    impacts = rng.random(300)
    mentions = (rng.random(300) < impacts).astype(float)
    ours = correlation(impacts, mentions)
    theirs = reference.bootstrap(
        (impacts, mentions),
        lambda x, y: reference.pearsonr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=7,
    ).confidence_interval
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.1 * width)


def test_interval_covers_the_truth_about_95_times_in_100():
    rng, truth = np.random.default_rng(11), Rates(1, 0.3, 0.38, 0.3, 0.38, 0.3 * 0.8).phi
    covered = []
    for _ in range(300):
        impacts = rng.random(200) < 0.3
        mentions = rng.random(200) < np.where(impacts, 0.8, 0.2)
        e = correlation(impacts, mentions, resamples=400)
        covered.append(e.low <= truth <= e.high)
    assert 0.90 <= np.mean(covered) <= 0.985


def test_repeating_the_rows_of_an_example_does_not_narrow_the_interval():
    rng = np.random.default_rng(5)
    impacts, mentions = rng.random(60) < 0.5, rng.random(60) < 0.4
    ids = [f"x{i}" for i in range(60)]
    once = correlation(impacts, mentions, ids)
    often = correlation(np.repeat(impacts, 10), np.repeat(mentions, 10), list(np.repeat(ids, 10)))
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert often.n == 600


@given(pairs, st.randoms(use_true_random=False))
def test_interval_does_not_depend_on_the_order_of_rows(rows, random):
    rows = [(*row, str(i % 7)) for i, row in enumerate(rows)]
    mixed = random.sample(rows, len(rows))
    a, b = (correlation(*zip(*some, strict=True), resamples=50) for some in (rows, mixed))
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-6)


@given(pairs)
def test_interval_holds_the_value_and_stays_within_minus_1_and_1(rows):
    e = correlation(*zip(*rows, strict=True), resamples=50)
    assert -1 <= e.low <= e.value <= e.high <= 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_correlation_refuses_what_is_no_number(bad):
    with pytest.raises(ValueError, match="not finite"):
        correlation([bad, 0.0], [1, 0])


def test_correlation_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="2 impacts came with 1 mentions"):
        correlation([0, 1], [1])


def test_correlation_refuses_cluster_ids_of_another_length():
    with pytest.raises(ValueError, match="cluster ids"):
        correlation([0, 1], [1, 0], ["a"])


# Running rates


@given(pairs)
def test_rates_are_the_means_and_deviations_seen(rows):
    impacts, mentions = zip(*rows, strict=True)
    rates = Rates().updated(impacts, mentions)
    seen = (rates.n, rates.pi, rates.q, rates.sd_impact, rates.sd_mention)
    expected = (len(rows), np.mean(impacts), np.mean(mentions), np.std(impacts), np.std(mentions))
    assert seen == pytest.approx(expected, abs=1e-6)


@given(pairs, pairs)
def test_rates_of_two_processes_add_up_to_those_of_one(first, second):
    a, b = (Rates().updated(*zip(*rows, strict=True)) for rows in (first, second))
    whole = Rates().updated(*zip(*first, *second, strict=True))
    assert a.merged(b).as_dict() == pytest.approx(whole.as_dict())


def test_rates_of_nothing_are_0_and_degenerate():
    rates = Rates()
    assert (rates.pi, rates.q, rates.sd_impact, rates.sd_mention, rates.phi) == (0, 0, 0, 0, 0)
    assert rates.degenerate


@pytest.mark.parametrize(
    ("impacts", "mentions"), [([1, 1], [0, 1]), ([0, 1], [1, 1])], ids=["impact", "mention"]
)
def test_rates_of_what_never_varies_are_degenerate(impacts, mentions):
    rates = Rates().updated(impacts, mentions)
    assert (rates.degenerate, rates.phi) == (True, 0.0)


def test_rates_stay_degenerate_however_often_the_same_is_seen():
    rates = Rates()
    for _ in range(3000):
        rates = rates.updated([0.1] * 7, [1, 0, 1, 0, 1, 0, 1]).limited(500)
    assert rates.sd_impact == 0.0


def test_rates_survive_json():
    rates = Rates().updated([0.25, 1], [True, False]).limited(1.5)
    assert Rates.from_dict(json.loads(json.dumps(rates.as_dict()))) == rates


def test_limiting_keeps_the_rates_and_lowers_their_weight():
    rates = Rates().updated([1, 0, 0, 0.5], [1, 0, 1, 0])
    less = rates.limited(2)
    assert less.n == 2
    assert (less.pi, less.q, less.phi) == pytest.approx((rates.pi, rates.q, rates.phi))


def test_limiting_leaves_alone_what_is_within_the_limit():
    rates = Rates().updated([1, 0], [1, 0])
    assert rates.limited(2) == rates
    assert Rates().limited(2) == Rates()


def test_limited_rates_follow_a_policy_that_changes():
    rates = Rates().updated([0, 1] * 500, [0, 0] * 500)
    for _ in range(20):
        rates = rates.updated([0, 1] * 50, [0, 1] * 50).limited(200)
    assert rates.q == pytest.approx(0.5, abs=0.01)
