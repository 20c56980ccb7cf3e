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

Y = Outcome(column="y", unit="EUR per customer", horizon=1, time_unit="M")
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
    return stepped_wedge(
        rows, Y, cluster="store", period="month", switched="on", rng=rng, **options, assigned_by="random"
    )


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


def tried(rows, clusters):
    """The p-value of any effect, by trying every order of the switching times."""
    shape = (clusters, -1)
    y, on = rows["y"].to_numpy().reshape(shape), rows["on"].to_numpy().reshape(shape).astype(bool)
    y = y - y[:, :1]

    def statistic(values, switched):
        gaps, weights = [], []
        for t in range(y.shape[1]):
            if 0 < switched[:, t].sum() < clusters:
                gaps.append(values[switched[:, t], t].mean() - values[~switched[:, t], t].mean())
                weights.append(switched[:, t].sum() * (~switched[:, t]).sum())
        return np.average(gaps, weights=weights)

    different = sorted({tuple(map(tuple, on[list(order)].astype(int))) for order in permutations(range(clusters))})

    def p_value(effect):
        rest = y - effect * on
        actual = abs(statistic(rest, on))
        return np.mean([abs(statistic(rest, np.array(order, dtype=bool))) >= actual - 1e-9 for order in different])

    return statistic(y, on), p_value, len(different)


def test_five_stores_are_tested_by_all_thirty_orders():
    """Two stores switch first, two second, one third: 5! / (2! 2!) = 30 orders, and no p-value below 1 in 30."""
    rows = simulated(np.random.default_rng(5), clusters=5, periods=4, effect=3.0, noise=0.3)
    effect = analysed(rows)
    estimate, p_value, orders = tried(rows, 5)
    assert orders == 30
    assert effect.estimate == pytest.approx(estimate)
    assert effect.p_value == pytest.approx(1 / 30)
    assert effect.checks[0].passed
    assert np.isfinite([effect.lower, effect.upper]).all()
    assert effect.interval(0.975) == (-np.inf, np.inf)
    assert analysed(rows, level=0.975).checks[0].passed is False
    for null in np.linspace(-1, 7, 33) + 0.0137:
        assert effect.law.p_value(float(null)) == pytest.approx(p_value(null)), null
    assert analysed(rows, np.random.default_rng(99)).law == effect.law


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [0.6, 0.8, 0.95])
def test_the_interval_is_that_of_trying_every_effect(seed, level):
    rows = simulated(np.random.default_rng(seed), clusters=5, periods=4, effect=1.0)
    effect = analysed(rows, level=level)
    _, p_value, _ = tried(rows, 5)
    assert effect.p_value == pytest.approx(p_value(0.0))
    for end, outward in ((effect.lower, -1e-6), (effect.upper, 1e-6)):
        if np.isfinite(end):
            assert p_value(end + outward) < 1 - level <= p_value(end - outward)


def test_random_orders_count_the_actual_one():
    """Of 12 stores there are 7,484,400 orders: 999 random ones and the actual one are tried."""
    rows = simulated(np.random.default_rng(5), clusters=12, effect=5.0, noise=0.1)
    effect = analysed(rows, draws=999)
    assert len(effect.law.lowest) == 1_000
    assert effect.p_value == 1 / 1_000
    assert effect.checks[0].passed


def test_orders_as_far_from_no_effect_as_the_actual_one_count_despite_rounding():
    """Two stores, 0.1 + 0.2 against 0.3: both orders are equally far, and the p-value is 1."""
    y = np.array([[0.0, 0.3, 0.1], [0.0, 0.1 + 0.2, 0.1], [0.0, 0.0, 0.1]])
    store, month = np.indices(y.shape)
    on = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1]])
    rows = pd.DataFrame({"store": store.ravel(), "month": month.ravel(), "on": on.ravel(), "y": y.ravel()})
    effect = analysed(rows, level=0.5)
    assert effect.p_value == tried(rows, 3)[1](0.0)
    assert effect.lower <= 0 <= effect.upper


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


@pytest.mark.slow
def test_the_exact_test_of_five_stores_is_as_often_wrong_as_it_says():
    """Under no effect every p-value of 1 / 30, 2 / 30, ... is as likely as another, apart from ties."""
    rng = np.random.default_rng(7)
    p = np.array([analysed(simulated(rng, clusters=5, periods=4)).p_value for _ in range(1_500)])
    for share in (1 / 30, 3 / 30, 10 / 30):
        error = 3 * np.sqrt(share * (1 - share) / len(p))
        assert np.mean(p <= share + 1e-9) == pytest.approx(share, abs=error)


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
        (
            lambda d: d.assign(on=(d["month"] > 2).astype(int)),
            "there is no period in which some clusters have switched",
        ),
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
            rng=np.random.default_rng(1), assigned_by="random"
        )  # fmt: skip


def test_its_value_is_worth_times_the_effect_less_the_cost():
    money = {"terms": rm.Terms(price=10.0), "costs": {"switched stores": Costs(contact=2.0)}}
    names = {"cluster": "store", "period": "month", "switched": "on"}
    rows = simulated(np.random.default_rng(1), effect=1.0)
    effect = stepped_wedge(
        rows, Outcome(column="y"), **money, **names, rng=np.random.default_rng(1), assigned_by="random"
    )
    assert (effect.cost, effect.value) == pytest.approx((2.0, 10 * effect.estimate - 2))
    assert effect.priced[1:] == pytest.approx((10 * effect.lower - 2, 10 * effect.upper - 2))
