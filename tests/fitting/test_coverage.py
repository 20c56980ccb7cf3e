"""95 % intervals hold the truth in 93 to 97 % of simulated businesses: the delta method, the bootstrap, and counts."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.fitting.resampling import bootstrap

HORIZON = 39.0
TRUTHS = (rm.BGNBD(r=0.2426, alpha=4.414, a=0.793, b=2.426), rm.ParetoNBD(r=0.5533, alpha=10.58, s=0.606, beta=11.66))
FEW = pd.DataFrame({"frequency": [0, 1, 3, 8], "recency": [0.0, 20.0, 10.0, 35.0], "T": 39.0})
HISTORY = ["frequency", "recency", "T"]


def business(truth, n, rng):
    """Customers first seen over twelve weeks and observed for 27 to 39, and what each bought in the 39 weeks after."""
    T = 27 + rng.integers(0, 85, n) / 7
    log = truth.simulate_transactions(T + HORIZON, rng, start="2020-01-01", time_unit="W")
    customer = log["customer_id"].to_numpy()
    age = (log["date"] - log.groupby("customer_id")["date"].transform("min")).dt.total_seconds().to_numpy() / 604_800
    early = age <= T[customer]
    frequency = np.bincount(customer, early, n) - 1
    recency = np.zeros(n)
    np.maximum.at(recency, customer[early], age[early])
    customers = pd.DataFrame({"frequency": frequency, "recency": np.where(frequency > 0, recency, 0.0), "T": T})
    return customers, np.bincount(customer, ~early, n)


def expected(model, customers):
    return model.expected_purchases(HORIZON, *(customers[name].to_numpy(dtype=float) for name in HISTORY))


def inside(table, value, name=""):
    return ((table[f"{name}lower"] <= value) & (value <= table[f"{name}upper"])).to_numpy()


def delta_coverage(truth, n, replicates):
    """Of parameters, four customers' expectations, all purchases expected, all that came, and counts of customers."""
    held = defaultdict(list)
    for seed in range(replicates):
        customers, bought = business(truth, n, np.random.default_rng(seed))
        found = rm.fit(type(truth), customers)
        each, total = rm.predict(found, customers, HORIZON), rm.predict_total(found, customers, HORIZON)
        held["parameters"].append(inside(found.table(), [getattr(truth, name) for name in found.params.index]))
        few = rm.predict(found, FEW, HORIZON)
        held["customers"].append(inside(few, expected(truth, FEW), "expected_purchases_"))
        held["total expected"].append(inside(total, expected(truth, customers).sum(), "expected_"))
        held["total"].append(inside(total, bought.sum(), "purchases_"))
        counts = inside(each, bought, "purchases_")
        held["counts"].append(counts.mean())
        held["counts of buyers"].append(counts[each["expected_purchases"] > 1].mean())
    return {name: np.mean(values, axis=0) for name, values in held.items()}


def bootstrap_coverage(truth, n, replicates, weightings):
    """Of parameters and four customers' expectations."""
    held = defaultdict(list)
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        customers, _ = business(truth, n, rng)
        again = bootstrap(rm.fit(type(truth), customers), customers, replicates=weightings, rng=rng)
        held["parameters"].append(inside(again.table(), [getattr(truth, name) for name in again.draws]))
        lower, upper = again.interval(lambda model, *few: model.expected_purchases(HORIZON, *few), FEW)
        true = expected(truth, FEW)
        held["customers"].append((lower <= true) & (true <= upper))
    return {name: np.mean(values, axis=0) for name, values in held.items()}


def assert_covered(coverage):
    for name, shares in coverage.items():
        assert np.all((shares >= 0.93) & (shares <= 0.97)), f"{name}: {shares}"


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "n"), [(TRUTHS[0], 1500), (TRUTHS[1], 3000)], ids=["BGNBD", "ParetoNBD"])
def test_intervals_by_the_delta_method_cover_the_truth(truth, n):
    """Measured over 1,000 businesses of 1,500 customers each.

    BG/NBD: parameters .950 .945 .967 .965; expectations of four customers .944 .938 .943 .952; total expected .947;
    total .954; counts .961, of customers expected to buy more than once .959.

    Pareto/NBD: parameters .935 .937 .921 .947; expectations .953 .925 .941 .919; total expected .928; total .947;
    counts .966, .959. There s is known to 40 %, which is too little for the log scale: estimates that fall too low also
    seem too sure, so that whatever misses does so on one side. Hence 3,000 customers.
    """
    assert_covered(delta_coverage(truth, n=n, replicates=1000))


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "n"), [(TRUTHS[0], 1500), (TRUTHS[1], 3000)], ids=["BGNBD", "ParetoNBD"])
def test_intervals_by_the_bootstrap_cover_the_truth(truth, n):
    """Measured over 1,000 businesses with 100 weightings each.

    BG/NBD, 1,500 customers: parameters .940 .940 .944 .947; expectations of four customers .943 .936 .945 .952.

    Pareto/NBD, 3,000 customers, over the first 323 of the businesses: parameters .960 .950 .947 .950; expectations
    .957 .957 .944 .947. All thousand take about half an hour.
    """
    assert_covered(bootstrap_coverage(truth, n=n, replicates=1000, weightings=100))


def test_intervals_cover_the_truth_in_a_few_businesses():
    coverage = delta_coverage(TRUTHS[0], n=1000, replicates=8)
    assert all(np.mean(shares) > 0.7 for shares in coverage.values()), coverage
    again = bootstrap_coverage(TRUTHS[0], n=1000, replicates=4, weightings=50)
    assert all(np.mean(shares) > 0.6 for shares in again.values()), again
