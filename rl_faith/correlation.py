"""How impact and mention go together: the 2x2 table, running sums, the correlation's interval.

Phi is the Pearson correlation of two yes-no variables, so that phi-CCT and CCT are one figure with
two kinds of impact (Siegel et al. 2024 and 2025). Needs numpy alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rl_faith.stats import Estimate, Phi, phi, resampled_sums

_LEAST_VARIANCE = 1e-12
"""Below it a variable counts as constant: impact and mention lie in [0, 1], and so small a
variance is rounding."""


@dataclass(frozen=True)
class Correlation(Estimate):
    """A correlation in [-1, 1] with its 95% interval.

    Attributes:
        degenerate: One of the two never varies, or there is nothing; a `value` of 0.0 then says
            that no correlation is defined, not that there is none.
    """

    degenerate: bool


@dataclass(frozen=True)
class Table2x2:
    """How often impact (the label changed) and mention came together.

    Attributes:
        both: Impact, and mentioned.
        impact_only: Impact, not mentioned: the explanation hides what mattered.
        mention_only: No impact, but mentioned.
        neither: Neither.
    """

    both: int
    impact_only: int
    mention_only: int
    neither: int

    @classmethod
    def of(cls, impacts: Sequence[bool], mentions: Sequence[bool]) -> "Table2x2":
        """Count the pairs."""
        pairs = Counter(zip(map(bool, impacts), map(bool, mentions), strict=True))
        kinds = [pairs[impact, mention] for impact in (True, False) for mention in (True, False)]
        both, impact_only, mention_only, neither = kinds
        return cls(both, impact_only, mention_only, neither)

    @property
    def n(self) -> int:
        """Pairs in all."""
        return self.both + self.impact_only + self.mention_only + self.neither

    @property
    def phi(self) -> Phi:
        """Phi-CCT (Siegel et al. 2025)."""
        return phi(self.both, self.impact_only, self.mention_only, self.neither)

    @property
    def tpr(self) -> float | None:
        """P(mention | impact); None without impact."""
        return _ratio(self.both, self.both + self.impact_only)

    @property
    def fpr(self) -> float | None:
        """P(mention | no impact); None when all have impact."""
        return _ratio(self.mention_only, self.mention_only + self.neither)

    @property
    def pi(self) -> float | None:
        """P(impact); None of nothing."""
        return _ratio(self.both + self.impact_only, self.n)

    @property
    def q(self) -> float | None:
        """P(mention); None of nothing."""
        return _ratio(self.both + self.mention_only, self.n)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class Rates:
    """What has been seen of impact and mention: the sums behind their means, spreads and phi.

    Sums, so that those of several processes add up. Impact is 0 or 1, or TVD in [0, 1] where the
    graded figures are wanted; the two must not be mixed.

    Attributes:
        n: Explanations; a fraction once old ones count for less.
        impact: Sum of impacts.
        mention: Sum of mentions.
        impact_squared: Sum of squared impacts.
        mention_squared: Sum of squared mentions.
        product: Sum of impact times mention.
    """

    n: float = 0.0
    impact: float = 0.0
    mention: float = 0.0
    impact_squared: float = 0.0
    mention_squared: float = 0.0
    product: float = 0.0

    def updated(self, impacts: ArrayLike, mentions: ArrayLike) -> "Rates":
        """Add explanations: one impact and one mention each.

        Raises:
            ValueError: the two differ in length, or one is not finite.
        """
        return self.merged(Rates(*_columns(impacts, mentions).sum(axis=1).tolist()))

    def merged(self, other: "Rates") -> "Rates":
        """Add what another process saw, of other explanations."""
        return Rates(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def limited(self, most: float) -> "Rates":
        """Let what was seen weigh no more than `most` explanations.

        Called after every update, it forgets exponentially once `most` have been seen: a policy in
        training is not the one it was, and its old mention rate must not hold for ever.
        """
        weight = min(1.0, most / self.n) if self.n else 1.0
        return Rates(*(weight * value for value in astuple(self)))

    @property
    def pi(self) -> float:
        """Mean impact; 0.0 of nothing."""
        return self.impact / self.n if self.n else 0.0

    @property
    def q(self) -> float:
        """Mean mention; 0.0 of nothing."""
        return self.mention / self.n if self.n else 0.0

    @property
    def sd_impact(self) -> float:
        """Standard deviation of impact; exactly 0.0 where it never varied."""
        return self._sd(self.impact_squared, self.pi)

    @property
    def sd_mention(self) -> float:
        """Standard deviation of mention; exactly 0.0 where it never varied."""
        return self._sd(self.mention_squared, self.q)

    def _sd(self, squares: float, mean: float) -> float:
        variance = squares / self.n - mean**2 if self.n else 0.0
        return sqrt(variance) if variance > _LEAST_VARIANCE else 0.0

    @property
    def degenerate(self) -> bool:
        """Whether impact or mention never varied."""
        return self.sd_impact == 0 or self.sd_mention == 0

    @property
    def phi(self) -> float:
        """Correlation of impact and mention; 0.0 where degenerate."""
        return float(_correlations(np.array(astuple(self)))) if self.n else 0.0

    def as_dict(self) -> dict[str, float]:
        """Return the sums, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, sums: dict[str, float]) -> "Rates":
        """Take up the sums of `as_dict`."""
        return cls(**sums)


def correlation(
    impacts: ArrayLike,
    mentions: ArrayLike,
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Correlation:
    """Pearson correlation, which is phi for yes-no impact, with its percentile bootstrap interval.

    A draw in which one of the two never varies counts as 0: what phi is by definition there, and
    the cautious side, for such draws come from cells with hardly any impact or mention.

    Args:
        impacts: 0 or 1, or TVD in [0, 1].
        mentions: 0 or 1.
        clusters: The example id of each row; whole examples are drawn. None when every row is its
            own example.
        resamples: Bootstrap samples.
        seed: Seed of the draws.

    Raises:
        ValueError: lengths differ, or a value is not finite.
    """
    columns = _columns(impacts, mentions)
    if not (n := columns.shape[1]):
        return Correlation(None, None, None, 0, degenerate=True)
    rates = Rates(*columns.sum(axis=1).tolist())
    drawn = _correlations(resampled_sums(columns, clusters, resamples=resamples, seed=seed))
    low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    value = rates.phi
    ends = min(value, low), max(value, high)
    return Correlation(value, *ends, n, degenerate=rates.degenerate)


def _columns(impacts: ArrayLike, mentions: ArrayLike) -> NDArray[np.float64]:
    """What `Rates` sums, in the order of its fields; shape (6, rows)."""
    x, y = np.asarray(impacts, dtype=float), np.asarray(mentions, dtype=float)
    if x.shape != y.shape:
        raise ValueError(f"{x.size} impacts came with {y.size} mentions.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("A correlation was asked over values of which some are not finite.")
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])


def _correlations(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation from the sums of `Rates`, shape (6, ...); 0 where either variable is constant."""
    _, x, y, xx, yy, xy = sums / sums[0]
    variances = np.stack([xx - x * x, yy - y * y])
    varies = (variances > _LEAST_VARIANCE).all(axis=0)
    spread = np.sqrt(np.where(varies, variances.prod(axis=0), 1.0))
    return np.clip(np.where(varies, (xy - x * y) / spread, 0.0), -1.0, 1.0)


def correlation_difference(
    first: Sequence[tuple[ArrayLike, ArrayLike]],
    second: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Correlation of `second` minus that of `first`, drawing the same clusters of both together.

    Args:
        first: Impacts and mentions of each cluster.
        second: The same of another model, cluster by cluster; the two may differ in rows.
        resamples: Bootstrap samples.
        seed: Seed of the draws.

    Raises:
        ValueError: the numbers of clusters differ, or as `correlation`.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} clusters cannot be paired with {len(second)}.")
    if not first:
        return Estimate(None, None, None, 0)
    sums = [
        np.stack([_columns(*of).sum(axis=1) for of in side], axis=1) for side in (first, second)
    ]
    drawn = resampled_sums(np.concatenate(sums), None, resamples=resamples, seed=seed)
    differences = _correlations(drawn[6:]) - _correlations(drawn[:6])
    low, high = map(float, np.quantile(differences, [0.025, 0.975]))
    value = float(_correlations(sums[1].sum(axis=1)) - _correlations(sums[0].sum(axis=1)))
    return Estimate(value, min(value, low), max(value, high), len(first))
