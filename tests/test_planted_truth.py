"""Metrics and rewards order policies of known truth as the truth does; where not, it is shown."""

from statistics import fmean

import pytest
from planted import DECIDING, EXAMPLES, EXPLAINERS, PLACES, TASK, WORDS, Planted

from rewards.format import format as format_reward
from rewards.phi_cct import phi_cct
from rewards.self_consistency import self_consistency
from rl_faith.checks import Case, disclose, inquire, settle
from rl_faith.correlation import Rates
from rl_faith.evaluation.phi_scores import score_cell
from rl_faith.explaining import predict_labels
from rl_faith.insertion_rows import insertion_row
from rl_faith.probing import probe
from rl_faith.styles import load_style
from rl_faith.tasks import Example

FORMS = ("match", "youden", "zproduct", "influence")
KEY = ("policy", "sky", "random_word", "train")


@pytest.fixture(scope="module")
def disclosures():
    return {
        name: [
            disclose(one)
            for one in probe(
                Planted(explain), TASK, EXAMPLES, [WORDS], order="predict_explain",
                max_new_tokens=64, seed=0,
            )
        ]
        for name, explain in EXPLAINERS.items()
    }  # fmt: skip


@pytest.fixture(scope="module")
def cells(disclosures):
    rows = {name: [insertion_row("policy", d) for d in of] for name, of in disclosures.items()}
    return {name: score_cell(KEY, of) for name, of in rows.items()}


def test_half_of_the_insertions_matter(cells):
    assert {cell.pi.value for cell in cells.values()} == {0.5}


@pytest.mark.parametrize(
    ("name", "phi"),
    [
        ("tells_the_truth", 1),
        ("lies", -1),
        ("mentions_all", 0),
        ("mentions_nothing", 0),
        ("denies_all", 0),
    ],
)
def test_phi_is_what_the_explanations_are_worth(cells, name, phi):
    assert cells[name].phi.value == pytest.approx(phi)
    assert cells[name].cct.value == pytest.approx(phi)


@pytest.mark.parametrize("name", ["mentions_all", "mentions_nothing", "denies_all"])
def test_phi_of_always_the_same_is_marked_as_not_defined(cells, name):
    assert cells[name].phi.degenerate


def test_ct_takes_mentioning_everything_for_the_truth(cells):
    assert cells["tells_the_truth"].ct.value == cells["mentions_all"].ct.value == 0


def test_the_rate_of_false_mentions_tells_them_apart(cells):
    assert (cells["tells_the_truth"].fpr.value, cells["mentions_all"].fpr.value) == (0, 1)


def test_matching_strings_takes_a_denial_for_a_mention(cells):
    assert cells["denies_all"].q.value == cells["mentions_all"].q.value == 1


def test_polarity_tells_denials_from_mentions(cells):
    assert (cells["denies_all"].negated.value, cells["mentions_all"].negated.value) == (1, 0)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_reward_prefers_truth_to_silence_to_lies(disclosures, form, graded):
    # What has been seen is a policy that mentions at random.
    kind = "tvd" if graded else "impact"
    some = [float(getattr(d, kind)) for d in disclosures["lies"]]
    rates = {kind: Rates().updated(some * 2, [1.0] * len(some) + [0.0] * len(some))}
    paid = {
        name: fmean(phi_cct(of, rates, form, graded=graded, policy="current"))
        for name, of in disclosures.items()
    }
    assert paid["tells_the_truth"] > paid["mentions_nothing"] > paid["lies"]
    assert paid["tells_the_truth"] > paid["mentions_all"] > paid["lies"]


def test_no_form_pays_for_a_denial_less_than_for_a_mention(disclosures):
    rates = {"impact": Rates().updated([0, 1, 0, 1], [0, 0, 1, 1])}
    paid = [
        phi_cct(disclosures[name], rates, form, policy="current")
        for form in FORMS
        for name in ("mentions_all", "denies_all")
    ]
    assert paid[::2] == paid[1::2]


# Self-consistency


def verdicts(reply, *, brittle=False):
    """Verdicts on explanations of questions in which one of seven words decides."""
    policy = Planted(None, brittle=brittle)
    examples = [
        Example(f"e{i}", f"I look at the {word} old {place}", "No")
        for i, place in enumerate(PLACES)
        for word in DECIDING[:1]
    ]
    decided = predict_labels(policy, TASK, examples)
    cases = [
        Case(TASK, load_style("attribution"), "one", e, decided[e.id], f"Answer: {reply(e.input)}")
        for e in examples
    ]
    inquiries = [inquire(case, control=True, ceiling=True) for case in cases]
    return settle(inquiries, policy.predict)


@pytest.fixture(scope="module")
def explained():
    return {
        "truthful": verdicts(lambda text: DECIDING[0]),
        "random": verdicts(lambda text: text.split()[hash_of(text) % 7]),
        "brittle": verdicts(lambda text: "look", brittle=True),
    }


def hash_of(text):
    return sum(map(ord, text))


def paid(verdicts, variant):
    return fmean(self_consistency(verdicts, variant))


def test_flips_pay_the_truthful_more_than_the_random(explained):
    assert paid(explained["truthful"], "flip") == 1 > paid(explained["random"], "flip")


def test_flips_take_brittleness_for_truth(explained):
    assert paid(explained["brittle"], "flip") == paid(explained["truthful"], "flip") == 1


def test_lift_pays_the_truthful_and_neither_of_the_others(explained):
    assert paid(explained["truthful"], "lift") > 0.8
    assert paid(explained["brittle"], "lift") <= 0.2
    assert paid(explained["random"], "lift") < 0.2


def test_the_drop_orders_truthful_and_random(explained):
    assert paid(explained["truthful"], "drop") > paid(explained["random"], "drop")


def test_format_tells_none_of_them_apart(explained):
    assert {fmean(format_reward(of)) for of in explained.values()} == {1.0}


def test_the_control_shows_the_brittle_one(explained):
    controls = {name: fmean(v.control for v in of) for name, of in explained.items()}
    assert controls["brittle"] > 0.8
    assert controls["truthful"] < 0.2
