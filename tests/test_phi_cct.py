"""The phi-CCT reward, and the simulation that shows which form trains what."""

import math
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from conftest import load_script
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.phi_cct import earnings
from rewards.phi_cct import phi_cct as pay
from rl_faith.correlation import Rates, Table2x2

FORMS = ["match", "youden", "zproduct", "influence"]
RATES = Rates().updated([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0, 0, 0])


class Disclosure(NamedTuple):
    """What the reward reads of a disclosure."""

    status: str = "scored"
    impact: bool | None = True
    tvd: float | None = 0.75
    mentioned: bool | None = True
    frozen_impact: bool | None = False
    frozen_tvd: float | None = 0.25


def phi_cct(disclosures, rates, *arguments, **more):
    """The reward, with the same rates for every kind of impact."""
    kinds = ("impact", "tvd", "frozen_impact", "frozen_tvd")
    return pay(disclosures, dict.fromkeys(kinds, rates), *arguments, **more)


UNSCORED = Disclosure("unscored", None, None, None)
KINDS = [Disclosure(frozen_impact=i, mentioned=m) for i in (True, False) for m in (True, False)]

filled = st.integers(1, 60)
any_rates = st.lists(
    st.tuples(st.integers(0, 20).map(lambda i: i / 20), st.booleans()), max_size=30
).map(lambda rows: Rates().updated([x for x, _ in rows], [m for _, m in rows]))


def all_of(a, b, c, d):
    """Impacts and mentions of the rows of a 2x2 table."""
    impacts = np.array([1.0] * (a + b) + [0.0] * (c + d))
    return impacts, np.array([1.0] * a + [0.0] * b + [1.0] * c + [0.0] * d)


# What each form pays


def test_match_pays_where_mention_and_impact_agree():
    assert phi_cct(KINDS, RATES) == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # pi = 0.4, q = 0.5, phi = 10 / sqrt(600)
        ("youden", [0.6 / 0.24, 0, -0.4 / 0.24, 0]),
        ("zproduct", [1.5**0.5, -(1.5**0.5), -((2 / 3) ** 0.5), (2 / 3) ** 0.5]),
        (
            "influence",
            [
                1.5**0.5 - 5 / 600**0.5 * 2.5,
                -(1.5**0.5) - 5 / 600**0.5 * 2.5,
                -((2 / 3) ** 0.5) - 5 / 600**0.5 * (5 / 3),
                (2 / 3) ** 0.5 - 5 / 600**0.5 * (5 / 3),
            ],
        ),
    ],
)
def test_forms_worked_by_hand(form, expected):
    assert phi_cct(KINDS, RATES, form) == pytest.approx(expected)


def test_graded_match_is_how_near_mention_is_to_tvd():
    given = [
        Disclosure(frozen_tvd=0.3, mentioned=True),
        Disclosure(frozen_tvd=0.3, mentioned=False),
    ]
    assert phi_cct(given, RATES, graded=True) == pytest.approx([0.3, 0.7])


def test_unscored_earns_none_in_its_place():
    values = phi_cct([UNSCORED, KINDS[0], UNSCORED, KINDS[1]], RATES)
    assert values == [None, 1.0, None, 0.0]


@pytest.mark.parametrize(
    ("graded", "policy", "expected"),
    [(False, "frozen", 0), (False, "current", 1), (True, "frozen", 0.25), (True, "current", 0.75)],
)
def test_impact_is_that_of_the_policy_asked_for(graded, policy, expected):
    assert phi_cct([Disclosure()], RATES, graded=graded, policy=policy) == [expected]


def test_a_frozen_impact_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="no frozen_impact"):
        phi_cct([Disclosure(frozen_impact=None)], RATES)


def test_rates_are_those_of_the_kind_of_impact():
    rates = {"impact": RATES, "frozen_impact": Rates()}
    assert pay([Disclosure()], rates, "zproduct", policy="frozen") == [0]
    assert pay([Disclosure()], rates, "zproduct", policy="current") != [0]


def grouped(name, mentioned, status="scored"):
    probe = SimpleNamespace(
        task=SimpleNamespace(name="t"),
        insertion=SimpleNamespace(example=SimpleNamespace(id=name)),
    )
    return SimpleNamespace(**Disclosure(status, mentioned=mentioned)._asdict(), probe=probe)


def test_groups_without_contrast_are_left_unscored_when_wished():
    given = [grouped("a", True), grouped("a", False), grouped("b", True), grouped("b", True)]
    assert phi_cct(given, RATES, policy="current") == [1, 0, 1, 1]
    assert phi_cct(given, RATES, policy="current", drop_constant=True) == [1, 0, None, None]


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="known: match, youden"):
        phi_cct(KINDS, RATES, form="accuracy")


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="known: frozen, current"):
        phi_cct(KINDS, RATES, policy="past")


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize(
    "rates",
    [Rates(), Rates().updated([0, 0], [0, 0]), Rates().updated([1, 1], [1, 1])],
    ids=["nothing seen", "neither ever", "both always"],
)
def test_nothing_is_paid_as_long_as_nothing_has_varied(form, rates):
    assert phi_cct(KINDS, rates, form) == [0, 0, 0, 0]


@given(any_rates, st.sampled_from(FORMS), st.booleans())
def test_every_value_is_finite(rates, form, graded):
    assert all(map(math.isfinite, phi_cct(KINDS, rates, form, graded=graded)))


# What each form expects


@given(filled, filled, filled, filled)
def test_the_mean_of_match_is_accuracy(a, b, c, d):
    impacts, mentions = all_of(a, b, c, d)
    mean = earnings("match", impacts, mentions, Rates()).mean()
    assert mean == pytest.approx((a + d) / (a + b + c + d))


@given(filled, filled, filled, filled)
def test_the_mean_of_youden_is_tpr_minus_fpr(a, b, c, d):
    impacts, mentions = all_of(a, b, c, d)
    table, rates = Table2x2(a, b, c, d), Rates().updated(impacts, mentions)
    mean = earnings("youden", impacts, mentions, rates).mean()
    assert mean == pytest.approx(table.tpr - table.fpr, abs=1e-9)


@given(filled, filled, filled, filled)
def test_the_mean_of_zproduct_is_phi(a, b, c, d):
    impacts, mentions = all_of(a, b, c, d)
    mean = earnings("zproduct", impacts, mentions, Rates().updated(impacts, mentions)).mean()
    assert mean == pytest.approx(Table2x2(a, b, c, d).phi.value, abs=1e-9)


@given(filled, filled, filled, filled)
def test_the_mean_of_influence_is_0(a, b, c, d):
    impacts, mentions = all_of(a, b, c, d)
    mean = earnings("influence", impacts, mentions, Rates().updated(impacts, mentions)).mean()
    assert mean == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("mention", [0.0, 1.0])
@pytest.mark.parametrize("impact", [0.0, 0.3, 1.0])
def test_influence_is_what_a_little_more_of_this_explanation_changes_in_phi(
    graded, mention, impact
):
    rng = np.random.default_rng(1)
    seen = rng.random(200) if graded else (rng.random(200) < 0.2).astype(float)
    mentions = (rng.random(200) < 0.2 + 0.5 * seen).astype(float)
    whole = Rates().updated(seen, mentions).limited(1)
    more = Rates().updated([impact], [mention])
    bit = 1e-6
    change = (whole.limited(1 - bit).merged(more.limited(bit)).phi - whole.phi) / bit
    (paid,) = earnings("influence", np.array([impact]), np.array([mention]), whole)
    assert paid == pytest.approx(change, abs=1e-4)


def gradient_of_phi(pi, tpr, fpr, bit=1e-6):
    """How phi changes with TPR and with FPR."""

    def phi(tpr, fpr):
        q = pi * tpr + (1 - pi) * fpr
        return Rates(1, pi, q, pi, q, pi * tpr).phi

    up, down = phi(tpr + bit, fpr) - phi(tpr - bit, fpr), phi(tpr, fpr + bit) - phi(tpr, fpr - bit)
    return up / (2 * bit), down / (2 * bit)


@pytest.mark.parametrize(("pi", "tpr", "fpr"), [(0.1, 0.4, 0.1), (0.5, 0.9, 0.3), (0.3, 0.2, 0.6)])
def test_the_gradient_of_influence_is_the_gradient_of_phi(pi, tpr, fpr):
    q = pi * tpr + (1 - pi) * fpr
    rates = Rates(1, pi, q, pi, q, pi * tpr)
    paid = earnings("influence", np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0]), rates)
    # The mean reward is linear in TPR and FPR: a mention more is a silence less.
    slopes = pi * (paid[0] - paid[1]), (1 - pi) * (paid[2] - paid[3])
    assert slopes == pytest.approx(gradient_of_phi(pi, tpr, fpr), abs=1e-5)


# The simulation


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    return load_script("phi_reward_simulation")


@settings(deadline=None)  # other work on the machine must not fail a test
@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.booleans(), min_size=8, max_size=8)), min_size=2)
)
def test_under_group_scaling_all_forms_give_the_same_advantages(simulation, groups):
    mentions = np.array([said for _, said in groups], dtype=float)
    impacts = np.broadcast_to(np.array([[i] for i, _ in groups], dtype=float), mentions.shape)
    # Without variation in the batch alone, phi would not be defined.
    rates = Rates().updated(impacts.ravel(), mentions.ravel()).merged(RATES)
    first, *others = (
        simulation.advantages(earnings(form, impacts, mentions, rates), "group") for form in FORMS
    )
    for other in others:
        # TRL divides by the deviation plus 1e-4, which weighs more where rewards are small.
        assert other == pytest.approx(first, abs=0.01)


@pytest.fixture(scope="module")
def reached(simulation):
    """Phi reached on the natural pool, one short run each."""

    def run(form, impact, scaling):
        setting = simulation.Setting(impact, scaling)
        return simulation.reach(form, setting, impact=0.1, steps=150, seeds=3).phi.value

    return run


def test_on_a_balanced_pool_match_trains_as_well_as_any_form(reached):
    phis = [reached(form, None, "group") for form in FORMS]
    assert min(phis) > 0.25
    assert max(phis) - min(phis) < 0.01


@pytest.mark.parametrize("form", FORMS)
def test_where_impact_is_rare_group_scaling_silences_every_form(form, reached):
    assert reached(form, 0.1, "group") < 0.1


@pytest.mark.parametrize("scaling", ["batch", "none"])
def test_where_impact_is_rare_match_collapses_and_influence_does_not(scaling, reached):
    match, influence = (reached(form, 0.1, scaling) for form in ("match", "influence"))
    assert match < 0.1
    assert influence > 0.25


def test_where_impact_is_rare_influence_beats_the_forms_that_are_deaf_to_false_alarms(reached):
    youden, zproduct, influence = (reached(form, 0.1, "batch") for form in FORMS[1:])
    assert influence > max(youden, zproduct)


def test_paying_only_for_mentions_makes_the_policy_mention_everything(simulation):
    explainer = simulation.train(
        simulation.PAYS["M x I"], simulation.Setting(None, "group"), steps=150, seed=0
    )
    _, tpr, fpr = simulation.judge(explainer, 0.1)
    assert min(tpr, fpr) > 0.75


def test_the_oracle_is_above_all_that_is_reached(simulation, reached):
    assert (
        reached("influence", 0.1, "batch")
        < simulation.oracle(0.1)
        == pytest.approx(0.415, abs=0.005)
    )
