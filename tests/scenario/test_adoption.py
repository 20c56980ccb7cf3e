"""Self-service that subscribers adopt by choice: by whom, and a truth that other worlds of the same draws show."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.scenario import Rules
from retention_models.scenario.adoption import adoption_survival
from retention_models.scenario.churn_process import SimulatedSpells
from retention_models.scenario.contracts import _calendar, _people

RULES = Rules(adoption=0.03, self_service=0.5, win_back=0.0)


@pytest.fixture(scope="module")
def business():
    return rm.scenario.subscriptions(1, customers=4_000, rules=RULES)


def worlds(rules, customers):
    """Spells, their months with self-service by choice, and when they end where it is withheld from adopters once."""
    rng, months = np.random.default_rng(2), 48
    people, calendar = _people(customers, rules, rng), _calendar(months, "2021-01", rules)
    start = rng.integers(0, months, customers)
    spells = SimulatedSpells.draw(np.arange(customers), start, people, months, rules, rng, adopts=True)
    factual = spells.simulate(calendar, rules, range(0))
    who = np.flatnonzero(factual[2] < months)
    draws = spells.adoption_draws.copy()
    draws[who, factual[2][who]] = 1.0
    withheld = replace(spells, adoption_draws=draws).simulate(calendar, rules, range(0))
    never = replace(spells, adoption_draws=np.ones_like(draws)).simulate(calendar, rules, range(0))
    none = np.zeros(customers, dtype=bool)
    survival = adoption_survival(spells, factual[2], calendar, rules, none, range(0))
    return factual[2], {"adopted": factual[0], "adopting_later": withheld[0], "never": never[0]}, survival


def test_the_truth_is_that_of_worlds_in_which_adoption_is_withheld():
    adopted, left, survival = worlds(replace(RULES, adoption=0.06), 10_000)
    who = adopted + 12 < 48
    after = np.arange(1, 13) + adopted[who, None]
    active = {policy: end[who, None] > after for policy, end in left.items()}
    for policy, kept in active.items():
        assert np.all(np.abs(kept.mean(axis=0) - survival[policy]) < 3.5 * np.sqrt(0.25 / who.sum())), policy
    for policy in ("adopting_later", "never"):
        pairs = active["adopted"].astype(float) - active[policy]
        error = pairs.std(axis=0) / np.sqrt(who.sum())
        difference = pairs.mean(axis=0) - (survival["adopted"] - survival[policy])
        assert np.all(np.abs(difference) < 3.5 * error), policy


def test_adoptions_are_contacts_within_the_contract(business):
    contacts = rm.read_contacts(business.self_service)
    assert contacts.kinds == {"self_service": len(business.self_service)}
    assert str(contacts.last_date) <= business.observation_end
    both = business.self_service.merge(business.contracts, on="customer_id")
    assert len(both) == len(business.self_service) > 500
    assert (both["date"] >= both["start"]).all()
    assert (both["end"].isna() | (both["date"] < both["end"])).all()


def test_customers_adopt_by_plan_and_tenure(business):
    plan = business.contracts.set_index("customer_id")["plan"]
    shares = plan.index.isin(business.self_service["customer_id"])
    by_plan = pd.Series(shares, plan.to_numpy()).groupby(level=0).mean()
    assert by_plan["premium"] > 1.3 * by_plan["basic"]
    eager = rm.scenario.subscriptions(1, customers=2_000, rules=replace(RULES, adoption=0.01, adoption_tenure=0.3))
    both = eager.self_service.merge(eager.contracts, on="customer_id")
    late = (both["date"] - both["start"]).dt.days
    assert late.median() > 200


def test_without_an_effect_the_truth_is_zero_and_adopters_still_stay_longer():
    """Immortal time: customers must have stayed to adopt."""
    shop = rm.scenario.subscriptions(3, customers=4_000, rules=replace(RULES, self_service=0.0))
    assert (shop.adoption_truth.abs() < 1e-12).all(axis=None)
    adopted = shop.contracts["customer_id"].isin(shop.self_service["customer_id"])
    days = (shop.contracts["end"].fillna(pd.Timestamp(shop.observation_end)) - shop.contracts["start"]).dt.days
    assert days[adopted].mean() > 1.3 * days[~adopted].mean()


def test_the_expected_survival_counts_self_service(business):
    active = business.contracts[business.contracts["end"].isna()]["customer_id"]
    has_it = active.isin(business.self_service["customer_id"]).to_numpy()
    plain = replace(business, rules=replace(RULES, self_service=0.0)).expected_survival(6)
    expected = business.expected_survival(6)
    assert np.all(expected[has_it] > plain[has_it])
    pd.testing.assert_frame_equal(expected[~has_it], plain[~has_it])


def test_nobody_adopts_by_default():
    shop = rm.scenario.subscriptions(4, customers=300)
    assert len(shop.self_service) == 0
    assert shop.adoption_truth.isna().all(axis=None)
    assert list(shop.adoption_truth) == ["as_joined", "never_joined"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"adoption": 3}, "adoption must be from 0 to 1; got 3"),
        ({"self_service": -0.1}, "self_service must be from 0 to 1"),
        ({"adoption_tenure": np.inf}, "adoption_tenure must be a number"),
    ],
)
def test_rules_of_adoption_that_cannot_be_are_named(rule, message):
    with pytest.raises(ValueError, match=message):
        Rules(**rule)
