"""Inserting factors and asking again: what is asked, in which order, and of whom."""

import pytest
from planted import DECIDING, EXAMPLES, TASK, WORDS, Planted, tells_the_truth

from rl_faith.checks import Probe, disclose
from rl_faith.checks.counterfactual import total_variation
from rl_faith.disclosing import disclosure
from rl_faith.insertion_rows import insertion_of, insertion_row
from rl_faith.interventions import mention_of
from rl_faith.probing import probe
from rl_faith.questions import Prediction, Unanswered

ORDERS = ("predict_explain", "explain_predict")


def probes(order="predict_explain", policy=None):
    return probe(
        policy or Planted(tells_the_truth), TASK, EXAMPLES, [WORDS], order=order,
        max_new_tokens=64, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_every_insertion_is_probed_once(order):
    ids = [one.insertion.example.id for one in probes(order)]
    assert len(ids) == len(set(ids)) == len(EXAMPLES) * 6


@pytest.mark.parametrize("order", ORDERS)
def test_the_answer_is_that_to_the_input_with_the_insertion(order):
    for one in probes(order):
        assert (one.after.label == "No") == (one.insertion.factor in DECIDING)
        assert one.before.label == "Yes"


@pytest.mark.parametrize("order", ORDERS)
def test_the_explanation_is_that_of_the_input_with_the_insertion(order):
    for one in probes(order):
        assert (one.insertion.factor in one.reply) == (one.insertion.factor in DECIDING)


def test_the_explanation_is_asked_for_behind_the_decision():
    asked = []

    class Listening(Planted):
        def generate(self, conversations, *, max_new_tokens):
            asked.extend(conversations)
            return super().generate(conversations, max_new_tokens=max_new_tokens)

    probes(policy=Listening(tells_the_truth))
    assert {tuple(m.role for m in c) for c in asked} == {("user", "assistant", "user")}
    assert {c[1].content for c in asked} == {"Yes", "No"}


def test_reasoning_stands_before_the_decision_in_the_other_order():
    asked = []

    class Listening(Planted):
        def predict(self, questions):
            asked.extend(q.conversation for q in questions)
            return super().predict(questions)

    probes("explain_predict", Listening(tells_the_truth))
    assert {tuple(m.role for m in c) for c in asked} == {("user", "assistant", "user")}


def test_every_input_is_asked_about_once():
    policy = Planted(tells_the_truth)
    found = probes(policy=policy)
    assert policy.usage.questions == len(EXAMPLES) + len(found)


# What came of it


def probed(**changed):
    first = probes()[0]
    given = {"before": first.before, "after": first.after, "reply": first.reply, **changed}
    return Probe(TASK, first.insertion, **given)


@pytest.mark.parametrize("where", ["before", "after", "reply"])
def test_what_could_not_be_asked_is_unscored_with_its_reason(where):
    found = disclose(probed(**{where: Unanswered("too_long", "longer than the context")}))
    assert (found.status, found.reason, found.impact) == ("unscored", "too_long", None)


def test_graded_impact_is_half_the_summed_difference():
    from math import log  # noqa: PLC0415

    one, other = ({"a": log(0.7), "b": log(0.3)}, {"a": log(0.2), "b": log(0.8)})
    assert total_variation(Prediction(one), Prediction(other)) == pytest.approx(0.5)


def test_a_row_leads_back_to_its_insertion():
    for one in probes():
        assert insertion_of(insertion_row("policy", disclose(one))) == one.insertion


# Disclosures to train on


@pytest.mark.parametrize("mention", [True, False])
def test_a_disclosure_names_the_factor_exactly_when_told_to(mention):
    for one in probes():
        said = disclosure(one.insertion, mention=mention, seed=0)
        assert mention_of(said, one.insertion).found == mention


def test_a_disclosure_that_names_the_factor_does_not_deny_it():
    for one in probes():
        said = disclosure(one.insertion, mention=True, seed=0)
        assert not mention_of(said, one.insertion).negated
