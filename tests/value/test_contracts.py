"""What contracts are worth: published lifetimes and bases, identities, other libraries' curves, coverage."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.fitting.estimate import fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.curves import Curve
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments
from retention_models.value.contracts import (
    discounted_lifetime,
    discounted_residual_lifetime,
    retention_elasticity,
)
from retention_models.value.payments import PaymentStream, payment_schedule, survival_at_renewals

PUBLISHED = runpy.run_path(str(Path(__file__).parents[1] / "reference" / "fader_hardie_2007.py"))
YEARLY = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
MODELS = [
    ShiftedBetaGeometric(0.763665, 1.295830),
    BetaDiscreteWeibull(0.26, 1.72, 1.58),
    Geometric(0.3),
    TwoSegments(0.5, -np.log(0.9), np.log(1.8)),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=repr)

# Fader & Hardie (2010): five yearly cohorts of 10,000; a third keep with probability 0.9, two thirds with 0.5
BASE = pd.DataFrame({"tenure": range(5), "weight": [10_000, 6_334, 4_367, 3_264, 2_604]})
KEPT = [10_000, 6_334, 4_367, 3_264, 2_604]
TRIANGLE = pd.DataFrame(
    [(cohort, t, KEPT[t - 1], KEPT[t - 1] - KEPT[t]) for cohort in range(4) for t in range(1, 5 - cohort)],
    columns=["cohort", "tenure", "at_risk", "lost"],
)
TRUTH = TwoSegments(odds=0.5, rate=-np.log(0.9), extra=np.log(0.9 / 0.5))


def retention_table(cohort, renewals):
    kept = np.array(PUBLISHED["SURVIVORS"][cohort][: renewals + 1])
    return pd.DataFrame({"tenure": range(1, renewals + 1), "at_risk": kept[:-1], "lost": -np.diff(kept)})


@pytest.mark.parametrize("cohort", ["regular", "high end"])
def test_lifetimes_of_the_published_cohorts(cohort):
    lifetime, residual = PUBLISHED["LIFETIMES"][cohort]
    found = fit(ShiftedBetaGeometric, retention_table(cohort, 4))
    assert discounted_lifetime(found, YEARLY) == pytest.approx(lifetime, abs=5e-5)
    np.testing.assert_allclose(discounted_residual_lifetime(found, [1, 2, 3, 4, 5], YEARLY), residual, atol=5e-5)


@pytest.mark.parametrize(
    ("parameters", "residual"),
    [((3.80, 15.20), [3.31, 3.45, 3.59, 3.72, 3.84]), ((1 / 15, 4 / 15), [7.68, 9.46, 9.86, 10.06, 10.19])],
)
def test_residual_lifetimes_of_the_perils_paper(parameters, residual):
    found = discounted_residual_lifetime(ShiftedBetaGeometric(*parameters), np.arange(1, 6), YEARLY)
    np.testing.assert_allclose(found, residual, atol=5e-3)


def test_value_of_the_base_of_the_perils_paper():
    """The last year's renewals give the single retention rate of all cohorts, the whole triangle the pooled model."""
    last_year = TRIANGLE[TRIANGLE["cohort"] + TRIANGLE["tenure"] == 4]
    naive, pooled = fit(Geometric, last_year), fit(ShiftedBetaGeometric, TRIANGLE)
    assert BASE["weight"].sum() == 26_569
    assert naive.model.retention_rate(1) == pytest.approx(0.69138, abs=5e-6)
    assert rm.total_value(naive, BASE, YEARLY).loc["all", "value"] == pytest.approx(49_450, abs=0.5)
    np.testing.assert_allclose(pooled.params, [1.6671, 2.8566], atol=5e-5)
    assert rm.total_value(pooled, BASE, YEARLY).loc["all", "value"] == pytest.approx(73_342, abs=0.5)


def test_the_truth_behind_the_perils_paper():
    """By the exact shares of the loyal in each cohort, and by whole customers of both kinds."""
    assert rm.total_value(TRUTH, BASE, YEARLY).loc["all", "value"] == pytest.approx(79_416.50, abs=5e-3)
    loyal, fickle = [3333, 3000, 2700, 2430, 2187], [6667, 3334, 1667, 834, 417]
    np.testing.assert_array_equal(np.add(loyal, fickle), BASE["weight"])
    by_kind = [
        rm.total_value(Geometric(-np.log(kept)), BASE.assign(weight=number), YEARLY).loc["all", "value"]
        for kept, number in ((0.9, loyal), (0.5, fickle))
    ]
    assert sum(by_kind) == pytest.approx(79_409.92, abs=5e-3)


def test_the_naive_value_is_that_of_the_mean_retention_rate():
    pooled = fit(ShiftedBetaGeometric, TRIANGLE)
    assert pooled.data["retention_rate"] == pytest.approx(1 - TRIANGLE["lost"].sum() / TRIANGLE["at_risk"].sum())
    same = rm.total_value(fit(Geometric, TRIANGLE), BASE, YEARLY).loc["all", "value"]
    assert rm.total_value(pooled, BASE, YEARLY).loc["all", "naive_value"] == pytest.approx(same)


@each_model
@pytest.mark.parametrize(
    "terms",
    [
        YEARLY,
        rm.Terms(annual_discount_rate=0.15, billing_period="M"),
        rm.Terms(annual_discount_rate=0.05, billing_period=28, horizon=30),
    ],
    ids=repr,
)
def test_a_lifetime_is_the_first_payment_and_the_rest_a_period_later(model, terms):
    """DEL = 1 + DERL(1) / (1 + d), d being the rate of a period."""
    horizon = discounted_residual_lifetime(model, 1, terms)
    assert discounted_lifetime(model, terms) == pytest.approx(1 + horizon * payment_schedule(terms).discount, rel=1e-12)


@each_model
def test_both_moments_are_a_period_apart(model):
    n = np.array([1, 2, 7])
    before = discounted_residual_lifetime(model, n, YEARLY)
    after = discounted_residual_lifetime(model, n, YEARLY, moment="after_payment")
    np.testing.assert_allclose(after, before / 1.1, rtol=1e-12)


@each_model
def test_residual_lifetime_passes_from_one_renewal_to_the_next(model):
    """DERL(n) = r(n) (1 + DERL(n + 1) / (1 + d))."""
    n = np.arange(1, 8)
    now, next_ = (discounted_residual_lifetime(model, k, YEARLY) for k in (n, n + 1))
    np.testing.assert_allclose(now, model.retention_rate(n) * (1 + next_ / 1.1), rtol=1e-11)


def test_a_constant_retention_rate_has_closed_forms():
    r, d = 0.69138, 0.1
    model = Geometric(-np.log(r))
    assert discounted_lifetime(model, YEARLY) == pytest.approx((1 + d) / (1 + d - r), rel=1e-12)
    assert discounted_residual_lifetime(model, 4, YEARLY) == pytest.approx(r * (1 + d) / (1 + d - r), rel=1e-12)
    assert retention_elasticity(model, YEARLY) == pytest.approx(r / (1 + d - r), rel=1e-10)


@each_model
def test_elasticity_is_what_a_small_rise_of_all_retention_rates_does(model):
    class Raised:
        def __init__(self, factor):
            self.factor = factor

        def survival_function(self, tenure):
            return model.survival_function(tenure) * self.factor**tenure

    up, down = (discounted_lifetime(Raised(1 + step), YEARLY) for step in (1e-6, -1e-6))
    slope = (np.log(up) - np.log(down)) / 2e-6
    assert retention_elasticity(model, YEARLY) == pytest.approx(slope, rel=1e-6)


def test_a_year_is_twelve_months_whatever_is_paid_by_the_month():
    monthly = rm.Terms(annual_discount_rate=0.1, billing_period="M")
    assert payment_schedule(monthly).discount ** 12 == pytest.approx(1 / 1.1, rel=1e-14)
    assert payment_schedule(rm.Terms(annual_discount_rate=0.1, billing_period=7)).discount ** (
        365.25 / 7
    ) == pytest.approx(1 / 1.1, rel=1e-14)
    never = Geometric(1e-9)
    assert discounted_lifetime(never, monthly) == pytest.approx(1 / (1 - 1.1 ** (-1 / 12)), rel=1e-6)


def test_payment_in_arrears_comes_a_period_later():
    advance, arrears = (
        rm.Terms(annual_discount_rate=0.1, billing_period="M", price=30, payment=p) for p in ("advance", "arrears")
    )
    for value in (discounted_lifetime, lambda m, t: discounted_residual_lifetime(m, 3, t)):
        assert value(MODELS[0], arrears) == pytest.approx(
            value(MODELS[0], advance) * payment_schedule(arrears).discount, rel=1e-12
        )


def test_a_schedule_of_margins_follows_the_payments():
    """A free start, half price at the first renewal, the full price from then on."""
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=[0, 5, 10])
    model, full = MODELS[0], rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=10)
    survival = model.survival_function(1)
    expected = discounted_lifetime(model, full) - 10 - 5 * survival / 1.1
    assert discounted_lifetime(model, terms) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(
        discounted_residual_lifetime(model, [2, 5], terms),
        discounted_residual_lifetime(model, [2, 5], full),
        rtol=1e-12,
    )


def test_a_horizon_counts_so_many_renewals():
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", horizon=3)
    survival = MODELS[1].survival_function(np.arange(1, 4) + 2, given=2)
    found = discounted_residual_lifetime(MODELS[1], 3, terms)
    assert found == pytest.approx((survival / 1.1 ** np.arange(3)).sum(), rel=1e-12)


def test_endless_values_leave_nothing_away():
    long = rm.Terms(annual_discount_rate=0.1, billing_period="M", horizon=60_000)
    heavy = ShiftedBetaGeometric(0.05, 0.2)
    endless = discounted_residual_lifetime(heavy, [1, 50], rm.Terms(annual_discount_rate=0.1, billing_period="M"))
    np.testing.assert_allclose(endless, discounted_residual_lifetime(heavy, [1, 50], long), rtol=1e-11)


def test_values_stand_by_customer_and_add_up_by_segment():
    found = fit(BetaDiscreteWeibull, retention_table("regular", 7))
    customers = pd.DataFrame({"customer_id": list("abcd"), "tenure": [0, 3, 3, 12]})
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=20)
    each = rm.customer_value(found, customers, terms)
    assert list(each.index) == list("abcd")
    assert each.loc["b"].equals(each.loc["c"])
    np.testing.assert_allclose(each["value"], 20 * discounted_residual_lifetime(found, [1, 4, 4, 13], YEARLY))
    total = rm.total_value(found, customers, terms, by=["new", "old", "old", "old"])
    assert total["customers"].to_dict() == {"new": 1, "old": 3}
    assert total.loc["old", "value"] == pytest.approx(each["value"].iloc[1:].sum())
    assert total.loc["new", "value_lower"] == pytest.approx(each.loc["a", "value_lower"])
    weighted = rm.total_value(found, pd.DataFrame({"tenure": [0, 3, 12], "weight": [1, 2, 1]}), terms)
    whole = rm.total_value(found, customers, terms)
    pd.testing.assert_frame_equal(weighted, whole)
    assert (whole["outcome_upper"] > whole["value_upper"]).all()


@each_model
@pytest.mark.parametrize(
    "terms", [YEARLY, rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=[3, 2, 1], horizon=4)], ids=repr
)
def test_the_chance_in_a_customers_value_is_that_of_simulated_ones(model, terms):
    given = 2
    life = model.simulate(np.full(400_000, 300), np.random.default_rng(1))["tenure"].to_numpy()
    ahead = life[life > given] - given - 1
    paid = payment_schedule(terms).discounted_margins(400)[given + 1 :] / payment_schedule(terms).discount ** (
        given + 1
    )
    worth = np.append(0.0, np.cumsum(paid))[np.minimum(ahead, min(payment_schedule(terms).horizon, 297)).astype(int)]
    survival = survival_at_renewals(model, given, payment_schedule(terms))
    stream = PaymentStream(survival, payment_schedule(terms), "before_renewal")
    mean, variance = stream.mean(np.array([given]))[0], stream.variance(np.array([given]))[0]
    assert mean == pytest.approx(worth.mean(), abs=4 * worth.std() / np.sqrt(len(worth)))
    assert variance == pytest.approx(worth.var(), rel=0.03)


def test_a_curve_without_a_model_is_worth_what_it_has_seen():
    curve = Curve([1, 2, 3, 4], [1000, 700, 560, 476], [300, 140, 84, 30])
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", horizon=2)
    survival = curve.survival_function([3, 4]) / curve.survival_function(2)
    value = rm.customer_value(curve, pd.DataFrame({"tenure": [2]}), terms)
    assert value["value"].iloc[0] == pytest.approx(survival[0] + survival[1] / 1.1)
    with pytest.raises(
        ValueError, match="survival is needed up to renewal 5, but the external model has no renewals beyond 4"
    ):
        rm.customer_value(curve, pd.DataFrame({"tenure": [3]}), terms)
    with pytest.raises(ValueError, match="give the terms a horizon"):
        discounted_lifetime(curve, YEARLY)
    gone = Curve([1, 2], [10, 5], [5, 5])
    assert rm.customer_value(gone, pd.DataFrame({"tenure": [0, 4]}), terms)["value"].tolist() == [0.5, 0.0]


class LikeLifelines:
    durations = pd.Series([3.0, 12.0])

    def predict_survival_function(self, customers, times=None):
        assert list(customers.columns) == ["age"]
        curves = np.exp(-np.outer(np.maximum(times, 1), customers["age"] / 100))  # as lifelines does at time 0
        return pd.DataFrame(curves, index=times, columns=customers.index)


class Step:
    def __init__(self, rate):
        self.x, self.rate = np.arange(1.0, 13.0), rate

    def __call__(self, times):
        assert np.all(times >= 1)
        return np.exp(-self.rate * times)


class LikeScikitSurvival:
    def predict_survival_function(self, customers, return_array=False):
        return [Step(age / 100) for age in customers["age"]]


@pytest.mark.parametrize("model", [LikeLifelines(), LikeScikitSurvival()], ids=["lifelines", "scikit-survival"])
def test_curves_of_other_libraries_join(model):
    customers = pd.DataFrame({"tenure": [0, 5, 5], "age": [20, 20, 40], "weight": [1, 1, 2]}, index=list("abc"))
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", horizon=6)
    rates = np.array([0.2, 0.2, 0.4])
    ahead = np.arange(1, 7)
    expected = (np.exp(-np.outer(rates, ahead)) / 1.1 ** (ahead - 1)).sum(axis=1)
    value = rm.customer_value(model, customers, terms)
    np.testing.assert_allclose(value["value"], expected)
    assert list(value.columns) == ["value"]
    assert list(value.index) == list("abc")
    np.testing.assert_allclose(rm.customer_value(model, pl.from_pandas(customers), terms)["value"], expected)
    with pytest.raises(TypeError, match="customer_value takes it"):
        discounted_lifetime(model, terms)
    total = rm.total_value(model, customers, terms)
    assert total.loc["all"].to_list() == pytest.approx([4, expected @ [1, 1, 2]])
    with pytest.raises(ValueError, match="has no renewals beyond 12; shorten the horizon"):
        rm.customer_value(model, customers.assign(tenure=9), terms)
    with pytest.raises(ValueError, match="give the terms a horizon"):
        rm.customer_value(model, customers, YEARLY)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"annual_discount_rate": 15}, "annual_discount_rate must be .*; got 15; did you mean 0.15?"),
        ({"annual_discount_rate": -0.1}, "annual_discount_rate must be 0 or above"),
        ({"annual_discount_rate": 0}, "with annual_discount_rate 0 a value needs a horizon"),
        ({"billing_period": "W"}, "billing_period must be 'M', 'Y' or a number of days"),
        ({"price": []}, "price must be an amount of money"),
        ({"price": np.nan}, "price must be an amount of money"),
        ({"payment": "never"}, "payment must be one of 'advance', 'arrears'"),
        ({"horizon": 0.5}, "horizon must be a whole number of billing periods, 1 or more"),
        ({"horizon": 1.9}, "whole number of billing periods, 1 or more, or numpy.inf; got 1.9"),
        ({"horizon": 2, "time_unit": "W"}, "counts billing periods .*time_unit is 'W': state the horizon in"),
    ],
)
def test_bad_terms_are_named(terms, message):
    with pytest.raises(ValueError, match=message):
        discounted_lifetime(MODELS[0], rm.Terms(**{"annual_discount_rate": 0.1, "billing_period": "Y", **terms}))


def test_bad_customers_are_named():
    for tenure, message in ((-1, "tenure is negative"), (1.5, "tenure is not a whole number")):
        with pytest.raises(ValueError, match=message):
            rm.customer_value(MODELS[0], pd.DataFrame({"tenure": [tenure]}), YEARLY)
    with pytest.raises(ValueError, match="payments must be whole numbers from 1 on"):
        discounted_residual_lifetime(MODELS[0], 0, YEARLY)
    with pytest.raises(ValueError, match="moment must be 'before_renewal' or 'after_payment'"):
        discounted_residual_lifetime(MODELS[0], 1, YEARLY, moment="now")


@pytest.mark.slow
def test_intervals_of_a_bases_value_and_outcome_cover():
    """1,000 businesses of five cohorts: one interval holds the true expectation, the other what is paid in the end."""
    truth, rng = ShiftedBetaGeometric(2.0, 6.0), np.random.default_rng(7)
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=10, horizon=20)
    paid = np.append(
        0.0, np.cumsum(payment_schedule(terms).discounted_margins(20)[1:] / payment_schedule(terms).discount)
    )
    held = []
    for _ in range(1000):
        followed = np.repeat(np.arange(2, 7), 600)
        life = truth.simulate(np.full(len(followed), 30), rng)["tenure"].to_numpy()
        tenures = np.arange(1, 7)
        at_risk = np.array([((life >= t) & (followed >= t)).sum() for t in tenures])
        lost = np.array([((life == t) & (followed >= t)).sum() for t in tenures])
        found = fit(ShiftedBetaGeometric, pd.DataFrame({"tenure": tenures, "at_risk": at_risk, "lost": lost}))
        active = life > followed
        base = pd.DataFrame({"tenure": followed[active]})
        row = rm.total_value(found, base, terms).iloc[0]
        expected = rm.total_value(truth, base, terms)["value"].iloc[0]
        outcome = paid[np.minimum(life[active] - followed[active] - 1, 20)].sum()
        held.append(
            [
                row["value_lower"] <= expected <= row["value_upper"],
                row["outcome_lower"] <= outcome <= row["outcome_upper"],
            ]
        )
    assert np.all((np.mean(held, axis=0) > 0.93) & (np.mean(held, axis=0) < 0.97))


def test_values_that_lose_money_have_intervals_too():
    found = fit(ShiftedBetaGeometric, retention_table("regular", 4))
    base = pd.DataFrame({"tenure": [0, 3], "weight": [10, 5]})
    gain, loss = (
        rm.total_value(found, base, rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=m)).iloc[0]
        for m in (5, [-5])
    )
    assert loss["value"] == pytest.approx(-gain["value"])
    for kind in ("value", "outcome"):
        assert loss[f"{kind}_lower"] < loss["value"] < loss[f"{kind}_upper"]
    each = rm.customer_value(found, base, rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=[0, -5, 5]))
    assert (each["value_lower"] < each["value"]).all()
    assert (each["value"] < each["value_upper"]).all()


def test_what_is_no_model_with_a_survival_is_named():
    base = pd.DataFrame({"tenure": [0]})
    with pytest.raises(TypeError, match=r"an object with survival_function\(tenure\) is needed; got ShiftedBetaG"):
        rm.customer_value(ShiftedBetaGeometric, base, YEARLY)
    with pytest.raises(
        TypeError, match=r"fit must be the Fit of a model of purchases, .* or of contracts, .*; got a str"
    ):
        rm.customer_value("sBG", base, YEARLY)
    with pytest.raises(ValueError, match="weight is 0 in all rows"):
        rm.total_value(MODELS[0], base.assign(weight=0), YEARLY)


@pytest.mark.parametrize("rate", [0, 1e-7])
def test_hardly_any_discount_needs_a_horizon(rate):
    with pytest.raises(
        ValueError,
        match="a value needs a horizon: without discounting, the value of customers who never leave is infinite",
    ):
        discounted_lifetime(MODELS[0], rm.Terms(annual_discount_rate=rate, billing_period="M"))
    assert payment_schedule(rm.Terms(annual_discount_rate=rate, billing_period="M", horizon=12)).renewals == 12
