"""Shares, means and differences, each with its n and a 95% interval.

Needs numpy alone. "Nothing to measure" is None and never NaN or 0, so that an empty cell of a
table cannot pass for a score.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054
"""The 97.5% quantile of the standard normal: two-sided 95%."""

_CHUNK = 100_000
"""Random draws held at once; small enough to stay in the processor's cache."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval.

    Attributes:
        value: The figure, in the unit of what was measured; None when `n` is 0.
        low: Lower end of the interval; None when `n` is 0.
        high: Upper end of the interval; None when `n` is 0.
        n: Rows (or pairs of rows) behind the figure.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the four fields, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Phi:
    """Phi coefficient in [-1, 1]; `degenerate` (with value 0.0) when a margin is empty."""

    value: float
    degenerate: bool


_NOTHING = Estimate(None, None, None, 0)


def wilson(successes: int, n: int) -> Estimate:
    """Share `successes / n` with its score interval (Wilson 1927, no continuity correction).

    Raises:
        ValueError: `successes` is not between 0 and `n`.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes out of {n} cannot be.")
    if n == 0:
        return _NOTHING
    share, z2 = successes / n, Z95**2
    centre = (successes + z2 / 2) / (n + z2)
    half = Z95 * sqrt(share * (n - successes) + z2 / 4) / (n + z2)
    # Rounding may push an end past the share when that is 0 or 1.
    return Estimate(
        share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)), n
    )


def share(flags: Sequence[bool]) -> Estimate:
    """Share of true `flags` with its Wilson interval."""
    return wilson(sum(flags), len(flags))


def bootstrap_mean(
    values: ArrayLike,
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean of `values` with its percentile bootstrap interval (Efron and Tibshirani 1993, 13.3).

    With `clusters`, whole clusters are drawn: rows of one example are not independent, and rows
    drawn one by one would make the interval too narrow. The result does not depend on the order
    of the rows. With few clusters (below about 20) the interval is too narrow, and with one
    cluster or equal values its width is 0: read it beside `n`.

    Args:
        values: One finite number a row.
        clusters: The example id of each row; None when every row is its own example.
        resamples: Bootstrap samples; 2000 settle the ends to about 3% of the interval's width.
        seed: Seed of the draws, so that the same rows give the same interval.

    Raises:
        ValueError: a value is not finite, or `clusters` has another length than `values`.
    """
    x = np.asarray(values, dtype=float)
    if not np.isfinite(x).all():
        raise ValueError("A mean was asked over values of which some are not finite numbers.")
    if x.size == 0:
        return _NOTHING
    means = _resampled_means(*_cluster_sums(x, clusters), resamples, seed)
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float(x.mean())
    # Sums of equal values in another order differ in the last bit.
    return Estimate(mean, min(mean, float(low)), max(mean, float(high)), x.size)


def _cluster_sums(
    x: NDArray[np.float64], clusters: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of rows of each cluster, in an order that the order of rows leaves alone."""
    if clusters is None:
        return np.sort(x), np.ones_like(x)
    if len(clusters) != x.size:
        raise ValueError(f"{x.size} values came with {len(clusters)} cluster ids.")
    _, code = np.unique(np.asarray(clusters), return_inverse=True)
    sums, sizes = np.bincount(code, weights=x).astype(float), np.bincount(code).astype(float)
    order = np.lexsort((sizes, sums))
    return sums[order], sizes[order]


def _resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Mean over all rows in each of `resamples` draws of clusters; shape (resamples,)."""
    rng, k = np.random.default_rng(seed), len(sums)
    means = []
    for start in range(0, resamples, step := max(1, _CHUNK // k)):
        drawn = rng.integers(0, k, size=(min(step, resamples - start), k))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def paired_difference(
    first: ArrayLike, second: ArrayLike, clusters: Sequence[str] | None = None, *, seed: int = 0
) -> Estimate:
    """Mean of `second - first` over the same examples in the same order, with its interval.

    Pairs are drawn together, so the variance that both models share through the examples' own
    difficulty falls out. Arguments and limits are those of `bootstrap_mean`.

    Raises:
        ValueError: the two differ in length, or a value is not finite.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{a.size} values cannot be paired with {b.size}.")
    return bootstrap_mean(b - a, clusters, seed=seed)


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided exact p value of McNemar's test (1947; exact binomial form).

    Args:
        first_only: Pairs in which only the first succeeds.
        second_only: Pairs in which only the second succeeds.

    Returns:
        p in (0, 1]; 1.0 when no pair differs. Below about 1e-308 it underflows to 0.0.
    """
    n, tail = first_only + second_only, min(first_only, second_only)
    ways = total = 1
    for i in range(tail):
        ways = ways * (n - i) // (i + 1)
        total += ways
    # Whole numbers until here: one rounding, and no overflow however many pairs differ.
    return min(1.0, float(2 * total / 2**n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust `p_values` for being looked at together (Holm 1979, step-down), in their order."""
    adjusted, least, m = [1.0] * len(p_values), 0.0, len(p_values)
    for rank, i in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (m - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def phi(both: int, first_only: int, second_only: int, neither: int) -> Phi:
    """Phi coefficient of the 2x2 table of two yes-no variables: their Pearson correlation."""
    first, second = both + first_only, both + second_only
    margins = first * (second_only + neither) * second * (first_only + neither)
    if margins == 0:
        return Phi(0.0, degenerate=True)
    return Phi((both * neither - first_only * second_only) / sqrt(margins), degenerate=False)
