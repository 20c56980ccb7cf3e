"""Intervals where the data hardly determine the parameters: what a likelihood-ratio test does not refute."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.datasets import load_published_retention
from retention_models.fitting.estimate import fit
from retention_models.fitting.pooled import fit_pooled
from retention_models.fitting.profile_region import needs_profile
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import uncertainty_of
from retention_models.forecast.retention import forecast_retention
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.tables.customer_table import Rows

YEARLY = rm.Terms(annual_discount_rate=0.1, billing_period="Y")


def published(customers, renewals):
    return load_published_retention().query("customers == @customers and tenure <= @renewals")


def estimate(found, quantity, tenure):
    return uncertainty_of(found).estimate(quantity, Rows((np.array([float(tenure)]),)))


def test_the_interval_is_that_of_the_profile_likelihood():
    """Against all parameters of a fine grid: mean chance to leave by concentration."""
    table = published("high end", 4)
    found = fit(ShiftedBetaGeometric, table)
    mean, both = np.meshgrid(np.linspace(0.10, 0.19, 500), np.exp(np.linspace(-1, 8, 900)))
    grid = ShiftedBetaGeometric((mean * both).reshape(-1, 1), ((1 - mean) * both).reshape(-1, 1))
    height = grid.log_likelihood(*(table[name].to_numpy(dtype=float) for name in grid.columns)).sum(axis=-1)
    exact = grid.survival_function(12)[height > found.log_likelihood - 1.9207]
    lower, upper = estimate(found, lambda model, tenure: model.survival_function(tenure), 12).interval(0.95)
    np.testing.assert_allclose([lower[0], upper[0]], [exact.min(), exact.max()], rtol=0.02)


def test_the_value_of_a_base_and_of_a_saved_customer_have_the_ends_of_a_direct_search():
    """By nested one-dimensional searches over c, the concentration and the mean, and by sequential programming."""
    terms = rm.Terms(price=20, annual_discount_rate=0.1, billing_period="Y")
    found = fit(BetaDiscreteWeibull, published("regular", 3))
    value = rm.customer_value(found, pd.DataFrame({"tenure": [3]}), terms).iloc[0]
    np.testing.assert_allclose(value[["value_lower", "value_upper"]], [65.7582, 135.1041], rtol=1e-5)
    new = pd.DataFrame({"tenure": [0], "weight": [1]})
    saved = rm.saved_value(fit(ShiftedBetaGeometric, published("high end", 3)), new, replace(terms, price=100))
    np.testing.assert_allclose(saved[["value_lower", "value_upper"]], [[355.841, 498.729]] * 2, rtol=1e-5)


def test_firm_fits_keep_their_standard_errors_and_vague_ones_are_those_with_a_note():
    for customers, renewals in (("regular", 4), ("regular", 7), ("high end", 4), ("high end", 7)):
        for model in (ShiftedBetaGeometric, BetaDiscreteWeibull):
            found = fit(model, published(customers, renewals))
            assert needs_profile(found) == bool(found.notes)
            hazard = estimate(found, lambda model, tenure: model.hazard(tenure), 1)
            assert (hazard.profile is None) != needs_profile(found)


def test_a_parameter_at_an_edge_does_not_narrow_the_interval():
    """Losses of customers who look alike: they may differ, and a fit on the edge must not rule it out."""
    table = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [100, 80, 64], "lost": [20, 16, 13]})
    found = fit(ShiftedBetaGeometric, table)
    assert "alpha ran to infinity" in found.notes[0]
    row = forecast_retention(found, pd.DataFrame({"tenure": [3], "weight": [1000]}), renewals=8).iloc[-1]
    assert row["expected_lower"] < 0.8 * row["expected"]
    assert row["expected_upper"] > 1.9 * row["expected"]
    assert row["survivors_lower"] < row["expected_lower"]
    assert row["survivors_upper"] > row["expected_upper"]


def test_intervals_hold_the_estimate_and_outlive_a_file():
    found = fit(BetaDiscreteWeibull, published("high end", 4))
    base = pd.DataFrame({"tenure": [0, 2, 4], "weight": [10, 20, 30]})
    again = Fit.from_json(found.to_json())
    for one in (found, again):
        each, total = rm.customer_value(one, base, YEARLY), rm.total_value(one, base, YEARLY, by="tenure")
        for frame in (each, total):
            assert (frame["value_lower"] < frame["value"]).all()
            assert (frame["value"] < frame["value_upper"]).all()
        assert (total["outcome_lower"] < total["value_lower"]).all()
        np.testing.assert_allclose(each["value_upper"] * [10, 20, 30], total["value_upper"], rtol=1e-9)
    pd.testing.assert_frame_equal(rm.customer_value(found, base, YEARLY), rm.customer_value(again, base, YEARLY))


@pytest.mark.parametrize("times", [1, 100])
def test_groups_forecast_together_have_the_intervals_of_each_alone(times):
    table = published("high end", 4).assign(weight=times)
    found = fit(ShiftedBetaGeometric, table)
    assert needs_profile(found) == (times == 1)
    base = pd.DataFrame({"tenure": [4, 0, 2, 4], "weight": [30, 20, 7, 5], "cohort": ["b", "a", "b", "a"]})
    together = forecast_retention(found, base, renewals=3, by="cohort")
    assert together["group"].tolist() == ["a"] * 3 + ["b"] * 3
    for cohort, rows in together.groupby("group"):
        alone = forecast_retention(found, base[base["cohort"] == cohort], renewals=3)
        pd.testing.assert_frame_equal(
            alone.drop(columns="group"), rows.drop(columns="group").reset_index(drop=True), rtol=1e-9
        )


def test_a_cohort_that_borrows_has_the_errors_of_its_pool():
    table = pd.concat([published("high end", 4).assign(cohort=i) for i in range(3)])
    cohort = fit_pooled(ShiftedBetaGeometric, table).groups["0"]
    assert estimate(cohort, lambda model, tenure: model.hazard(tenure), 1).profile is None


@pytest.mark.slow
def test_intervals_of_short_small_tables_cover():
    """200 cohorts of 200 customers and four renewals, three parameters: by standard errors 78 to 90 % are held."""
    truth, rng, held = BetaDiscreteWeibull(0.5, 0.9, 1.3), np.random.default_rng(0), []
    base = pd.DataFrame({"tenure": [0, 4]})
    worth = rm.customer_value(truth, base, YEARLY)["value"]
    chances = -np.diff(np.append(1.0, truth.survival_function(np.arange(1, 9))), append=0.0)
    for _ in range(200):
        counts = rng.multinomial(200, chances)
        at_risk = 200 - np.append(0, np.cumsum(counts[:3]))
        found = fit(BetaDiscreteWeibull, pd.DataFrame({"tenure": range(1, 5), "at_risk": at_risk, "lost": counts[:4]}))
        value = rm.customer_value(found, base, YEARLY)
        there = pd.DataFrame({"tenure": [4], "weight": [at_risk[3] - counts[3]]})
        row = forecast_retention(found, there, renewals=4).iloc[-1]
        inside = (value["value_lower"] <= worth) & (worth <= value["value_upper"])
        held.append([*inside, row["survivors_lower"] <= counts[8] <= row["survivors_upper"]])
    assert np.all(np.mean(held, axis=0) > 0.92)
