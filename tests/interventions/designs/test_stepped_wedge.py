"""The stepped wedge: by hand, exactly by enumeration, in simulation, and with switches that cannot be."""

from itertools import permutations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.designs.stepped_wedge import stepped_wedge

Y = Outcome(column="y", unit="EUR per customer", horizon="one month")
WEIGHT = {1: 2 / 3, 2: 2 / 3}  # switched x not yet / clusters, for three clusters


def simulated(rng, clusters=12, periods=7, effect=0.0, noise=1.0):
    start = rng.permutation(np.resize(np.arange(1, periods), clusters))
    level = rng.normal(0, 2, clusters)[:, None] + 0.3 * np.arange(periods)
    on = np.arange(periods) >= start[:, None]
    y = level + rng.normal(0, noise, on.shape) + effect * on
    store, month = np.indices(on.shape)
    columns = {"store": store, "month": month, "on": on.astype(int), "y": y}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def analysed(rows, rng=None, **options):
    rng = rng or np.random.default_rng(0)
    return stepped_wedge(rows, Y, cluster="store", period="month", switched="on", rng=rng, **options)


def by_hand():
    """Three stores that switch in months 1, 2, 3; y counted from month 0."""
    y = np.array([[5.0, 8, 9, 9], [1, 1, 3, 4], [2, 3, 2, 6]])
    on = np.array([[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    store, month = np.indices(y.shape)
    rows = pd.DataFrame({"store": store.ravel(), "month": month.ravel(), "on": on.ravel(), "y": y.ravel()})
    gain = y - y[:, :1]
    return rows, gain, on


def test_the_estimate_by_hand():
    """Month 1: 3 - (0 + 1)/2 = 2.5, month 2: (4 + 2)/2 - 0 = 3; both weigh 2/3; month 3 has no one to compare."""
    rows, _, _ = by_hand()
    effect = analysed(rows)
    assert effect.estimate == pytest.approx((2.5 + 3) / 2)
    assert effect.design == "randomised"
    assert effect.checks[0].passed is False
    assert (effect.lower, effect.upper) == (-np.inf, np.inf)


def test_the_interval_is_that_of_trying_every_effect():
    """Five stores: all 120 orders dealt alike; an effect stands if at least 20 % of them are as far from it."""
    rng = np.random.default_rng(5)
    rows = simulated(rng, clusters=5, periods=6, effect=1.0)
    effect = analysed(rows, draws=9_999, level=0.8)
    y = rows["y"].to_numpy().reshape(5, 6)
    on = rows["on"].to_numpy().reshape(5, 6).astype(bool)
    y = y - y[:, :1]

    def statistic(values, switched):
        gaps, weights = [], []
        for t in range(6):
            if 0 < switched[:, t].sum() < 5:
                gaps.append(values[switched[:, t], t].mean() - values[~switched[:, t], t].mean())
                weights.append(switched[:, t].sum() * (~switched[:, t]).sum())
        return np.average(gaps, weights=weights)

    assert effect.estimate == pytest.approx(statistic(y, on))

    def p_value(tried):
        rest = y - tried * on
        actual = abs(statistic(rest, on))
        return np.mean([abs(statistic(rest, on[list(order)])) >= actual - 1e-12 for order in permutations(range(5))])

    width = effect.upper - effect.lower
    assert p_value(effect.lower - 0.1 * width) < 0.21
    assert p_value(effect.lower + 0.1 * width) > 0.19
    assert p_value(effect.upper - 0.1 * width) > 0.19
    assert p_value(effect.upper + 0.1 * width) < 0.21


def test_months_before_the_first_switch_take_out_the_stores_levels():
    rows = simulated(np.random.default_rng(1), effect=1.0, noise=0.1)
    shifted = rows.assign(y=rows["y"] + 100 * rows["store"])
    np.testing.assert_allclose(analysed(rows).estimate, analysed(shifted).estimate)


def test_customers_rows_and_engines_give_the_same_numbers():
    rows = simulated(np.random.default_rng(2), effect=1.0)
    many = pd.concat([rows.assign(y=rows["y"] - 1), rows.assign(y=rows["y"] + 1)])
    one, other = analysed(rows), analysed(pl.DataFrame(many.to_dict("list")).lazy())
    np.testing.assert_allclose([one.estimate, one.lower, one.upper], [other.estimate, other.lower, other.upper])
    assert (one.n, other.n) == (84, 168)


@pytest.mark.slow
def test_it_covers_the_truth_and_rejects_nothing_as_often_as_promised():
    covered, rejected = [], []
    for seed in range(1_000):
        rng = np.random.default_rng(seed)
        effect = analysed(simulated(rng, clusters=10, periods=6, effect=0.7), rng, draws=399)
        covered.append(effect.lower <= 0.7 <= effect.upper)
        none = analysed(simulated(rng, clusters=10, periods=6), rng, draws=399)
        rejected.append(none.p_value < 0.05)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.021)  # three standard errors
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.021)  # three standard errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="on"), "no column 'on'; it has"),
        (lambda d: d[(d["store"] > 0) | (d["month"] > 1)], "2 of 84 cluster-periods have no rows"),
        (lambda d: d.assign(y=d["y"].where(d["store"] > 0)), "y is missing, not finite or no number for 7 of 84 rows"),
        (
            lambda d: d.assign(on=d["on"].where(d.index % 7 > 0)),
            "on is missing, not finite or no number for 12 of 84 rows",
        ),
        (
            lambda d: pd.concat([d, d.head(1).assign(y=np.nan)]),
            "y is missing, not finite or no number for 1 of 85 rows",
        ),
        (lambda d: d.assign(store=d["store"].where(d["store"] > 0)), "store is missing for 7 of 84 rows"),
        (lambda d: d.assign(y=d["y"].astype(str) + "x"), "y is missing, not finite or no number for 84 of 84 rows"),
        (lambda d: d.assign(on=d["on"] * 2), "switched must be 0 or 1"),
        (lambda d: pd.concat([d, d.assign(on=1)]), "the same for all rows of a cluster in a period"),
        (lambda d: d.assign(on=1 - d["on"]), "clusters switch back"),
        (lambda d: d.assign(on=(d["month"] > 2).astype(int)), "in no period have some clusters switched"),
    ],
)
def test_switches_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        analysed(change(simulated(np.random.default_rng(3))))


@pytest.mark.parametrize("outcome", [Outcome(column="y", per="on"), Outcome(column="y", adjust_for=("before",))])
def test_what_a_wedge_cannot_do_is_refused(outcome):
    with pytest.raises(ValueError, match="leave out per and adjust_for"):
        stepped_wedge(
            simulated(np.random.default_rng(1)), outcome, cluster="store", period="month", switched="on",
            rng=np.random.default_rng(1),
        )  # fmt: skip


def test_its_value_is_worth_times_the_effect_less_the_cost():
    money = {"terms": rm.Terms(price=10.0), "costs": {"switched stores": Costs(contact=2.0)}}
    names = {"cluster": "store", "period": "month", "switched": "on"}
    rows = simulated(np.random.default_rng(1), effect=1.0)
    effect = stepped_wedge(rows, Outcome(column="y"), **money, **names, rng=np.random.default_rng(1))
    assert (effect.cost, effect.value) == pytest.approx((2.0, 10 * effect.estimate - 2))
    assert effect.priced[1:] == pytest.approx((10 * effect.lower - 2, 10 * effect.upper - 2))
