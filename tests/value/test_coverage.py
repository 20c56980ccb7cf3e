"""Intervals of value hold the true value about as often as they say, over simulated customer bases."""

from dataclasses import replace

import numpy as np
import pytest

import retention_models as rm

PURCHASES = rm.ParetoNBD(r=0.9, alpha=9.0, s=0.8, beta=18.0)
SPEND = rm.GammaGamma(p=6.25, q=3.74, v=15.44)
TERMS = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.1, margin=0.3)
CUSTOMERS = 600


def simulated(rng):
    """Customers by the week, first seen over half a year, with the amounts of their repeat purchases."""
    T = rng.integers(26, 53, CUSTOMERS).astype(float)
    customers = PURCHASES.simulate(T, rng)
    customers["monetary_value"] = SPEND.simulate(customers["frequency"], rng)["monetary_value"]
    return customers


def as_known(fit, truth):
    """A fit as it would be if the truth were known."""
    return replace(fit, model=truth)


def covered(seed):
    """Of one customer base: whether the intervals of the total, of the segments and of customers hold the truth."""
    rng = np.random.default_rng(seed)
    customers = simulated(rng)
    purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    truth = (as_known(purchases, PURCHASES), as_known(spend, SPEND))
    segment = np.where(customers["frequency"] > 0, "repeat", "once")
    ours, true = (rm.total_value(f, customers, TERMS, spend=s, by=segment) for f, s in ((purchases, spend), truth))
    total, all_true = (rm.total_value(f, customers, TERMS, spend=s) for f, s in ((purchases, spend), truth))
    few = customers.iloc[:20]
    each, each_true = (rm.customer_value(f, few, TERMS, spend=s) for f, s in ((purchases, spend), truth))

    def holds(table, value):
        return ((table["value_lower"] <= value["value"]) & (value["value"] <= table["value_upper"])).to_numpy()

    return holds(total, all_true)[0], *holds(ours, true), holds(each, each_true).mean()


@pytest.mark.slow
def test_value_intervals_cover_the_truth():
    """1,000 customer bases; 95 % intervals are to hold the truth in 93 to 97 % of them."""
    coverage = np.mean([covered(seed) for seed in range(1000)], axis=0)
    assert np.all((coverage > 0.93) & (coverage < 0.97)), coverage


@pytest.mark.slow
def test_value_intervals_cover_the_truth_in_a_few_bases():
    coverage = np.mean([covered(seed) for seed in range(12)], axis=0)
    assert np.all(coverage > 0.6), coverage
