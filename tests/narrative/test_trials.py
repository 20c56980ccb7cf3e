"""The answer on what customers choose: keep, stop or test, and never by the difference of members and others."""

import numpy as np
import pytest

import retention_models as rm
from retention_models.narrative import trials_answer, trials_facts


def found(seed=5, unaffected=True, customers=5_000, **effect):
    shop = rm.scenario.club(seed, customers=customers, **effect)
    own, other = (shop.transactions[shop.transactions["category"] == name] for name in ("own", "other"))
    contacts = rm.read_contacts(shop.contacts, value="value")
    stated = {"kind": "membership", "rewards": "discount", "terms": rm.Terms(horizon=12, time_unit="W", price=20.0)}
    other = rm.read_transactions(other, amount=None) if unaffected else None
    return rm.target_trials(rm.read_transactions(own), contacts, unaffected=other, **stated)


@pytest.fixture(scope="module")
def strong():
    return found(gain=0.6)


@pytest.fixture(scope="module")
def nothing():
    return found(seed=4, gain=0.0, stay=0.0)


def headline(trials, **stated):
    answer = trials_answer(trials, trials.effect(intervention="club", **stated), currency="EUR")
    assert len(answer.headline.split()) <= 25
    assert 3 <= len(answer.figures) <= 5
    assert 1 <= len(answer.actions) <= 3
    assert all(len(text.split()) <= 50 for text in (*answer.actions, *answer.sureness))
    return answer.headline


def test_an_effect_that_pays_is_kept(strong):
    assert headline(strong).startswith("Keep “club”: EUR ")
    assert "a year" in headline(strong, reach=5_000)


def test_an_effect_that_costs_more_than_it_brings_is_changed(strong):
    assert headline(strong, running_cost=500.0) == "Change or stop “club”: it costs more than it brings."


def test_an_effect_that_may_not_pay_is_undecided(strong):
    value = strong.effect().value
    assert "changes orders; whether it pays is undecided: EUR -" in headline(
        strong, running_cost=float(np.round(value))
    )


def test_nothing_is_found_where_nothing_is_but_the_dashboard_is_shown(nothing):
    text = headline(nothing)
    assert not text.startswith("Keep")
    answer = trials_answer(nothing, nothing.effect())
    assert answer.figures[0].label == "Members against others"
    assert float(answer.figures[0].value.split()[0]) > 1.5
    assert "no evidence" in answer.figures[0].range


def test_without_something_untouched_it_is_not_proven():
    trials = found(gain=0.6, unaffected=False, customers=4_000)
    assert headline(trials) == (
        "Not proven that “club” keeps anyone: “unaffected outcome” is not testable. A test would settle it."
    )


def test_the_head_says_whose_data(strong):
    facts = trials_facts(strong, name="orders.csv")
    assert facts["data"] == "orders.csv"
    assert facts["horizon"] == "12 weeks"
    assert facts["joins"].startswith(f"{strong.joins:,} of ")


def test_a_range_of_a_change_has_its_unit_once(strong):
    effect = trials_answer(strong, strong.effect()).figures[1]
    assert effect.range.count("orders") == 1


def test_the_page_says_that_intervals_against_never_joining_are_too_narrow(strong):
    assert "never_joined" in strong.estimands
    assert "The interval against never joining is too narrow" in trials_answer(strong, strong.effect()).sureness[-1]
