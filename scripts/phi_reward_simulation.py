"""Which phi-CCT reward trains what, and under which scaling: a simulation without a model.

A prompt either has impact (its inserted factor changed the label) or not, and all completions of a
group share that. The simulated policy does not see impact but a noisy signal of it: standard
normal, higher by `SEPARATION` where there is impact. It mentions the factor with a probability
that is logistic in the signal, and learns by policy gradients with the group-relative advantages
of GRPO as TRL computes them. What it earns is the formula of `rewards.phi_cct`.

It is trained on a pool in which half of the prompts have impact, or on the natural one in which few
have, and always judged on the natural one, by the exact phi of its probabilities. Beside it stands
the oracle: the best threshold on the signal. "M x I" pays mentions where there is impact and never
counts one against it. In the last two blocks the policy mentions hardly anything at first, so that
most groups hold no contrast.

    python scripts/phi_reward_simulation.py [--seeds 10] [--steps 300] [--impact 0.1]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rewards.phi_cct import earnings
from rl_faith.correlation import Rates
from rl_faith.evaluation.tables import plain_table
from rl_faith.stats import Estimate, bootstrap_mean

Array = NDArray[np.float64]
Scaling = Literal["group", "batch", "none"]
Pay = Callable[[Array, Array, Rates], Array]
SCALINGS: tuple[Scaling, ...] = ("group", "batch", "none")

SEPARATION = 1.5
"""Distance of the signal's two means, in standard deviations."""
PROMPTS, REPLIES = 32, 8
LEARNING_RATE = 0.5
MEMORY = 5_000
"""Explanations that the running rates remember."""
RARE = 0.02
"""Mention rate of an untrained model."""

PAYS: dict[str, Pay] = {
    "match": partial(earnings, "match"),
    "youden": partial(earnings, "youden"),
    "zproduct": partial(earnings, "zproduct"),
    "influence": partial(earnings, "influence"),
    "M x I": lambda impacts, mentions, rates: impacts * mentions,
}
NOISE = np.array([NormalDist().inv_cdf((i + 0.5) / 4000) for i in range(4000)])
"""The signal without impact, at equally likely values: means over it are exact enough."""


@dataclass(frozen=True)
class Setting:
    """How a run is set up.

    Attributes:
        impact: Share of prompts with impact in training; None for exactly half of every batch.
        start: Mention rate of the untrained policy.
    """

    impact: float | None
    scaling: Scaling
    start: float = 0.5

    @property
    def pool(self) -> str:
        """The pool's name."""
        return "balanced" if self.impact is None else "natural"

    def draw(self, rng: np.random.Generator) -> Array:
        """Impact of each prompt of a batch."""
        if self.impact is None:
            return (np.arange(PROMPTS) % 2).astype(float)
        return (rng.random(PROMPTS) < self.impact).astype(float)


@dataclass(frozen=True)
class Explainer:
    """Mentions the factor with probability sigmoid(slope * signal + bias)."""

    slope: float
    bias: float

    def mentions(self, signals: Array) -> Array:
        """Probability of a mention for each signal."""
        return 1 / (1 + np.exp(-np.clip(self.slope * signals + self.bias, -500, 500)))

    def moved(self, signals: Array, gradients: Array) -> "Explainer":
        """One step along the mean of `gradients`, those of the log-odds at each signal."""
        slope = self.slope + LEARNING_RATE * float((gradients * signals).mean())
        return Explainer(slope, self.bias + LEARNING_RATE * float(gradients.mean()))


def advantages(rewards: Array, scaling: Scaling) -> Array:
    """Group-relative advantages, shape (prompts, replies), as TRL's GRPOTrainer computes them."""
    centred: Array = rewards - rewards.mean(axis=1, keepdims=True)
    if scaling != "none":
        axis = 1 if scaling == "group" else None
        centred /= rewards.std(axis=axis, ddof=1, keepdims=True) + 1e-4
    return centred


def train(pay: Pay, setting: Setting, *, steps: int, seed: int) -> Explainer:
    """Train one explainer from `setting.start`, where it pays no heed to the signal."""
    explainer = Explainer(0.0, log(setting.start / (1 - setting.start)))
    rng, rates = np.random.default_rng(seed), Rates()
    for _ in range(steps):
        impacts = setting.draw(rng)[:, None]
        signals = SEPARATION * impacts + rng.standard_normal((PROMPTS, 1))
        likely = explainer.mentions(signals)
        mentions = (rng.random((PROMPTS, REPLIES)) < likely).astype(float)
        each = np.broadcast_to(impacts, mentions.shape)
        rates = rates.updated(each.ravel(), mentions.ravel()).limited(MEMORY)
        gained = advantages(pay(each, mentions, rates), setting.scaling)
        explainer = explainer.moved(signals, gained * (mentions - likely))
    return explainer


def rates_of(tpr: float, fpr: float, impact: float) -> Rates:
    """The rates of a pool with this share of impact."""
    q = impact * tpr + (1 - impact) * fpr
    return Rates(1.0, impact, q, impact, q, impact * tpr)


def judge(explainer: Explainer, impact: float) -> tuple[float, float, float]:
    """Phi on a pool with this share of impact, TPR and FPR, all exact."""
    tpr = float(explainer.mentions(NOISE + SEPARATION).mean())
    fpr = float(explainer.mentions(NOISE).mean())
    return rates_of(tpr, fpr, impact).phi, tpr, fpr


def oracle(impact: float) -> float:
    """Phi of the best rule there is: a mention where the signal is above some threshold."""
    above = [(1 - NormalDist(SEPARATION).cdf(t), 1 - NormalDist().cdf(t)) for t in NOISE]
    return max(rates_of(tpr, fpr, impact).phi for tpr, fpr in above)


@dataclass(frozen=True)
class Outcome:
    """What one reward reached on the natural pool: means over seeds."""

    setting: Setting
    pay: str
    phi: Estimate
    tpr: float
    fpr: float


def reach(pay: str, setting: Setting, *, impact: float, steps: int, seeds: int) -> Outcome:
    """Train with one reward once per seed, and judge."""
    trained = [train(PAYS[pay], setting, steps=steps, seed=seed) for seed in range(seeds)]
    phi, tpr, fpr = zip(*(judge(explainer, impact) for explainer in trained), strict=True)
    return Outcome(setting, pay, bootstrap_mean(phi), float(np.mean(tpr)), float(np.mean(fpr)))


def settings(impact: float) -> list[Setting]:
    """Every pool and scaling to try."""
    natural = [Setting(impact, scaling) for scaling in SCALINGS]
    rare = [Setting(impact, scaling, RARE) for scaling in SCALINGS[1:]]
    return [Setting(None, "group"), *natural, *rare]


def table(outcomes: list[Outcome], impact: float) -> Table:
    """The outcomes, one row each."""
    best = oracle(impact)
    made = plain_table(f"phi where {impact:.0%} have impact; oracle {best:.2f}", gap=2)
    for name in ("pool", "scaling", "start", "reward"):
        made.add_column(name, no_wrap=True)
    for name in ("phi", "95%", "TPR", "FPR", "mentions"):
        made.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        made.add_row(*cells(outcome, impact), end_section=outcome.pay == list(PAYS)[-1])
    return made


def cells(o: Outcome, impact: float) -> list[str]:
    """One row of the table."""
    figures = (o.tpr, o.fpr, rates_of(o.tpr, o.fpr, impact).q)
    return [
        *(o.setting.pool, o.setting.scaling, f"{o.setting.start:g}", o.pay),
        *(f"{o.phi.value:.2f}", f"[{o.phi.low:.2f}, {o.phi.high:.2f}]"),
        *(f"{value:.2f}" for value in figures),
    ]


def main() -> None:
    """Run everything and print one table."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="runs of each (default: 10)")
    parser.add_argument("--steps", type=int, default=300, help="updates of a run (default: 300)")
    parser.add_argument("--impact", type=float, default=0.1, help="natural share (default: 0.1)")
    given = vars(parser.parse_args())
    outcomes = [
        reach(pay, setting, **given) for setting in settings(given["impact"]) for pay in PAYS
    ]
    Console().print(table(outcomes, given["impact"]))


if __name__ == "__main__":
    main()
