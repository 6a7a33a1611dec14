import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from rl_faith.stats import (
    Estimate,
    bootstrap_mean,
    clustered_share,
    holm,
    mcnemar,
    paired_difference,
    phi,
    share,
    wilson,
)

numbers = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40)
probabilities = st.lists(st.floats(0, 1), max_size=30)
counts = st.integers(0, 60)


@st.composite
def successes(draw):
    n = draw(st.integers(1, 10_000))
    return draw(st.integers(0, n)), n


def test_wilson_of_a_textbook_share():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263).as_dict() == pytest.approx(
        {"value": 81 / 263, "low": 0.2553, "high": 0.3662, "n": 263}, abs=5e-5
    )
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)


@given(successes())
def test_wilson_is_scipys(pair):
    ours, theirs = wilson(*pair), reference.binomtest(*pair).proportion_ci(0.95, "wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(successes())
def test_wilson_holds_the_share_and_stays_within_0_and_1(pair):
    e = wilson(*pair)
    assert 0 <= e.low <= e.value <= e.high <= 1


@given(successes())
def test_wilson_of_failures_is_the_mirror_image(pair):
    k, n = pair
    one, other = wilson(k, n), wilson(n - k, n)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)


@pytest.mark.parametrize("empty", [wilson(0, 0), share([]), bootstrap_mean([])])
def test_nothing_measured_is_none_and_not_zero(empty):
    assert empty == Estimate(None, None, None, 0)


@pytest.mark.parametrize("bad", [(-1, 5), (6, 5), (1, 0)])
def test_wilson_refuses_impossible_counts(bad):
    with pytest.raises(ValueError, match="cannot be"):
        wilson(*bad)


def test_bootstrap_of_a_mean_is_scipys_percentile_interval():
    values = np.random.default_rng(3).normal(2, 5, size=300)
    ours = bootstrap_mean(values)
    theirs = reference.bootstrap(
        (values,), np.mean, n_resamples=9999, method="percentile", rng=7
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.08 * width)


def test_bootstrap_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(11)
    intervals = [bootstrap_mean(rng.exponential(size=80), resamples=500) for _ in range(400)]
    assert 0.90 <= np.mean([e.low <= 1 <= e.high for e in intervals]) <= 0.98


@settings(deadline=None)  # other work on the machine must not fail a test
@given(numbers, st.randoms(use_true_random=False))
def test_bootstrap_does_not_depend_on_the_order_of_rows(values, random):
    clusters = [str(i % 7) for i in range(len(values))]
    rows = list(zip(values, clusters, strict=True))
    random.shuffle(rows)
    mixed, mixed_clusters = zip(*rows, strict=True)
    for a, b in [
        (bootstrap_mean(values, resamples=50), bootstrap_mean(mixed, resamples=50)),
        (
            bootstrap_mean(values, clusters, resamples=50),
            bootstrap_mean(mixed, mixed_clusters, resamples=50),
        ),
    ]:
        # Rounding may order two clusters of nearly equal sums either way.
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-6)


@settings(deadline=None)  # other work on the machine must not fail a test
@given(numbers)
def test_bootstrap_interval_holds_the_mean_and_stays_within_the_values(values):
    e = bootstrap_mean(values, resamples=50)
    assert e.low <= e.value <= e.high
    assert min(values) - 1e-9 <= e.low <= e.high <= max(values) + 1e-9


def test_bootstrap_is_the_same_for_the_same_seed_only():
    values = list(range(50))
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_bootstrap_in_pieces_draws_every_resample():
    # 30,000 rows are drawn three resamples at a time.
    values = np.random.default_rng(0).normal(size=30_000)
    e = bootstrap_mean(values, resamples=200)
    assert e.high - e.low == pytest.approx(2 * 1.96 / 30_000**0.5, rel=0.25)


def test_repeating_rows_of_a_cluster_does_not_narrow_the_interval():
    values = np.random.default_rng(5).normal(size=60)
    ids = [f"x{i}" for i in range(60)]
    once = bootstrap_mean(values, ids)
    often = bootstrap_mean(np.repeat(values, 10), list(np.repeat(ids, 10)))
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert often.n == 600


def test_clusters_of_one_row_are_no_clusters():
    values = [0.1, 0.5, 0.2, 0.9]
    assert bootstrap_mean(values, ["a", "b", "c", "d"]) == bootstrap_mean(values)


def test_cluster_mean_weighs_rows_and_not_clusters():
    assert bootstrap_mean([1, 1, 1, 0], ["a", "a", "a", "b"]).value == 0.75


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bootstrap_refuses_values_that_are_no_numbers(bad):
    with pytest.raises(ValueError, match="not finite"):
        bootstrap_mean([1.0, bad])


def test_bootstrap_refuses_cluster_ids_of_another_length():
    with pytest.raises(ValueError, match="cluster ids"):
        bootstrap_mean([1.0, 2.0], ["a"])


def test_clustered_share_of_single_rows_is_wilsons():
    assert clustered_share([True, False, True], ["a", "b", "c"]) == wilson(2, 3)


def test_clustered_share_is_bootstrapped_over_clusters():
    flags, clusters = [True, True, False, False, True, False], list("aabbcc")
    assert clustered_share(flags, clusters) == bootstrap_mean(flags, clusters)


@pytest.mark.parametrize("flag", [True, False])
def test_clustered_share_of_equal_flags_is_as_wide_as_one_row_a_cluster(flag):
    e, single = clustered_share([flag] * 12, list("abcd") * 3), wilson(4 * flag, 4)
    assert (e.value, e.low, e.high, e.n) == (single.value, single.low, single.high, 12)


def test_clustered_share_of_nothing_is_none():
    assert clustered_share([], []) == Estimate(None, None, None, 0)


def test_clustered_share_refuses_cluster_ids_of_another_length():
    with pytest.raises(ValueError, match="longer"):
        clustered_share([True, False], ["a"])


def test_paired_difference_is_second_minus_first():
    e = paired_difference([True, False, False, False], [True, True, True, False])
    assert (e.value, e.n) == (0.5, 4)


def test_pairing_removes_what_both_models_share():
    rng = np.random.default_rng(2)
    difficulty = rng.normal(0, 10, size=200)
    e = paired_difference(difficulty, difficulty + 1 + rng.normal(0, 0.1, size=200))
    assert e.high - e.low < 0.1


def test_paired_difference_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_difference([1], [1, 2])


@given(counts, counts)
def test_mcnemar_is_scipys_exact_binomial(b, c):
    expected = reference.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_worked_by_hand():
    # One of six: 2 * (1 + 6) / 64.
    assert mcnemar(1, 5) == 14 / 64


def test_mcnemar_of_very_many_pairs_neither_overflows_nor_fails():
    assert mcnemar(10_000, 10_300) == pytest.approx(
        reference.binomtest(10_000, 20_300).pvalue, rel=1e-9
    )
    assert mcnemar(0, 5_000) == 0.0


def test_holm_worked_by_hand():
    # Holm (1979): factors 4, 3, 2, 1 over the ordered values, never falling again.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(probabilities)
def test_holm_lies_between_the_plain_value_and_bonferroni(ps):
    for p, adjusted in zip(ps, holm(ps), strict=True):
        assert p <= adjusted <= min(1.0, len(ps) * p) + 1e-15


@given(probabilities)
def test_holm_keeps_the_order_of_values(ps):
    ordered = [adjusted for _, adjusted in sorted(zip(ps, holm(ps), strict=True))]
    assert ordered == sorted(ordered)


@given(counts, counts, counts, counts)
def test_phi_is_pearsons_correlation(a, b, c, d):
    ours = phi(a, b, c, d)
    if ours.degenerate:
        assert ours.value == 0.0
        assert 0 in (a + b, c + d, a + c, b + d)
        return
    x, y = [1] * (a + b) + [0] * (c + d), [1] * a + [0] * b + [1] * c + [0] * d
    assert ours.value == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)
    assert abs(ours.value) <= 1 + 1e-12


def test_phi_worked_by_hand():
    # (30 * 40 - 10 * 20) / sqrt(40 * 60 * 50 * 50)
    assert phi(30, 10, 20, 40).value == pytest.approx(1000 / 6_000_000**0.5)


def test_stats_need_neither_torch_nor_scipy():
    code = (
        "import sys, rl_faith.stats; sys.exit(bool({'torch', 'scipy', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
