"""Is a gain there, and is it real? One judgement of each model, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from rl_faith.evaluation.audit import EVERYWHERE, Finding
from rl_faith.report.contents import listed
from rl_faith.report.formatting import difference
from rl_faith.stats import Estimate


@dataclass(frozen=True)
class Judged:
    """One model against the baseline.

    Attributes:
        name: The model, and where it was asked in several ways, how.
        gain: Change of the test's main figure.
        doubts: What the audit suspects behind a gain.
    """

    name: str
    gain: Estimate
    doubts: tuple[str, ...]

    @property
    def better(self) -> bool:
        """Whether the interval lies above 0."""
        return self.gain.low is not None and self.gain.low > 0

    @property
    def worse(self) -> bool:
        """Whether the interval lies below 0."""
        return self.gain.high is not None and self.gain.high < 0


def doubts(findings: Sequence[Finding], model: str, place: str = "") -> tuple[str, ...]:
    """What the audit suspects of a model; with `place`, there and in its decisions alone."""
    return tuple(
        f"{f.kind}{'' if f.where == EVERYWHERE else f' ({f.where})'}"
        for f in findings
        if f.model == model
        and f.verdict == "suspect"
        and (f.where == EVERYWHERE or f.where.endswith(place))
    )


def conclude(baseline: str, judged: Sequence[Judged]) -> tuple[str, bool]:
    """One sentence on all models, and whether it is a warning.

    Args:
        baseline: Name of the model that they are compared with.
        judged: The others; at least one.
    """
    ranked = sorted((j for j in judged if j.better), key=lambda j: -(j.gain.value or 0))
    real, doubtful = ([j for j in ranked if bool(j.doubts) is doubt] for doubt in (False, True))
    worse = [j.name for j in judged if j.worse]
    clauses = [_first(baseline, judged, real, doubtful)]
    if real[1:]:
        clauses.append(f"so {'is' if len(real) == 2 else 'are'} {_names(real[1:])}")
    if real and doubtful:
        clauses.append(f"what {_names(doubtful)} gained is doubtful")
    if worse:
        clauses.append(f"{listed(worse)} fell below {baseline}")
    return "; ".join(clauses) + ".", bool(worse or (doubtful and not real))


def _first(
    baseline: str, judged: Sequence[Judged], real: Sequence[Judged], doubtful: Sequence[Judged]
) -> str:
    if real:
        told = difference(real[0].gain)
        return (
            f"{real[0].name} is more faithful than {baseline}, by {told}, and the audit finds "
            "nothing against it"
        )
    if doubtful:
        told, why = difference(doubtful[0].gain), listed(doubtful[0].doubts)
        others = f", and so for {_names(doubtful[1:])}" if doubtful[1:] else ""
        return (
            f"The gain of {doubtful[0].name} over {baseline}, {told}, may not be real: the audit "
            f"finds {why}{others}"
        )
    best = max(judged, key=lambda j: j.gain.value if j.gain.value is not None else -2.0)
    return f"No clear gain over {baseline}: the most is {difference(best.gain)}, of {best.name}"


def _names(judged: Sequence[Judged]) -> str:
    return listed([j.name for j in judged])
