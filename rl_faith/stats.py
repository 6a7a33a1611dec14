"""Shares, means and differences, each with its n and a 95% interval.

Needs numpy alone. "Nothing to measure" is None and never NaN or 0, so that an empty cell of a
table cannot pass for a score.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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


def clustered_share(flags: Sequence[bool], clusters: Sequence[str]) -> Estimate:
    """Share of true `flags`, several of which may come from one cluster.

    The interval is the bootstrap's over clusters; Wilson's where every row is its own cluster.
    Where all flags agree the bootstrap would have no width, so it is Wilson's as well, with one
    row a cluster: as wide as it would be if rows of a cluster always agreed.

    Raises:
        ValueError: the two differ in length.
    """
    single = dict(zip(clusters, flags, strict=True))
    if len(single) == len(flags) or len(set(flags)) == 1:
        return replace(share(list(single.values())), n=len(flags))
    return bootstrap_mean(flags, clusters)


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
    columns = np.stack([x, np.ones_like(x)])
    sums, sizes = resampled_sums(columns, clusters, resamples=resamples, seed=seed)
    low, high = np.quantile(sums / sizes, [0.025, 0.975])
    mean = float(x.mean())
    # Sums of equal values in another order differ in the last bit.
    return Estimate(mean, min(mean, float(low)), max(mean, float(high)), x.size)


def resampled_sums(
    columns: NDArray[np.float64], clusters: Sequence[str] | None, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Sum of every column in each of `resamples` draws of whole clusters.

    Whatever is a function of sums (a mean, a correlation) has its bootstrap from here.

    Args:
        columns: Finite numbers, shape (columns, rows); at least one row.
        clusters: The example id of each row; None when every row is its own example.
        resamples: How many draws, each of as many clusters as there are.
        seed: Seed of the draws.

    Returns:
        Shape (columns, resamples).

    Raises:
        ValueError: `clusters` has another length than there are rows.
    """
    sums = _cluster_sums(columns, clusters)
    rng, k = np.random.default_rng(seed), sums.shape[1]
    found = []
    for start in range(0, resamples, step := max(1, _CHUNK // k)):
        drawn = rng.integers(0, k, size=(min(step, resamples - start), k))
        found.append(np.stack([column[drawn].sum(axis=1) for column in sums]))
    return np.concatenate(found, axis=1)


def _cluster_sums(
    columns: NDArray[np.float64], clusters: Sequence[str] | None
) -> NDArray[np.float64]:
    """Sum of every column over each cluster, in an order that the order of rows leaves alone."""
    sums, rows = columns, columns.shape[1]
    if clusters is not None:
        if len(clusters) != rows:
            raise ValueError(f"{rows} values came with {len(clusters)} cluster ids.")
        _, code = np.unique(np.asarray(clusters), return_inverse=True)
        sums = np.stack([np.bincount(code, weights=column) for column in columns])
    return sums[:, np.lexsort(sums[::-1])]


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
