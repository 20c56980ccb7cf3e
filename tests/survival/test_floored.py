"""The floored beta-geometric against integrals over its customers, and where its floor runs to 0."""

import mpmath
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.survival.floored import FlooredBetaGeometric

MODELS = [(0.7, 1.2, 0.03), (2.6, 9.0, 0.2), (0.3, 5.0, 1e-4), (40.0, 300.0, 0.01)]


def mean(alpha, beta, function):
    """The mean of a function of a customer's own chance to leave, at 40 digits."""
    with mpmath.workdps(40):
        weight = mpmath.beta(alpha, beta)
        return mpmath.quad(
            lambda p: function(p) * p ** (alpha - 1) * (1 - p) ** (beta - 1) / weight, [0, 1e-3, 0.05, 0.3, 1]
        )


@pytest.mark.parametrize(("alpha", "beta", "floor"), MODELS)
def test_the_curve_is_the_mean_over_customers(alpha, beta, floor):
    model = FlooredBetaGeometric(alpha, beta, floor)
    for tenure in (1, 5, 40):
        expected = mean(alpha, beta, lambda p, t=tenure: ((1 - p) * mpmath.exp(-floor)) ** t)
        assert float(model.survival_function(tenure)) == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize(("alpha", "beta", "floor"), MODELS)
def test_those_saved_leave_again_as_their_own_chances_say(alpha, beta, floor):
    model, keep = FlooredBetaGeometric(alpha, beta, floor), mpmath.exp(-floor)
    for at, later in ((1, 3), (6, 10)):

        def would_leave(p, at=at):
            return ((1 - p) * keep) ** (at - 1) * (1 - (1 - p) * keep)

        both = mean(alpha, beta, lambda p, later=later: would_leave(p) * ((1 - p) * keep) ** later)
        assert float(model.survival_if_saved(later, at)) == pytest.approx(
            float(both / mean(alpha, beta, would_leave)), rel=1e-9
        )


@pytest.mark.parametrize(("alpha", "beta", "floor"), MODELS)
def test_the_endless_sum_is_the_sum_of_its_terms(alpha, beta, floor):
    """Sum of q / (1 - q) over those who are left after a tenure, q being a customer's chance to renew."""
    model = FlooredBetaGeometric(alpha, beta, floor)
    for tenure in (0, 12):

        def ahead(p):
            q = (1 - p) * mpmath.exp(-floor)
            return q / (1 - q)

        expected = mean(alpha, beta + tenure, ahead)
        assert float(model.expected_residual_lifetime(tenure)) == pytest.approx(float(expected), rel=1e-7)


def test_a_floor_is_recovered_and_a_log_without_one_says_so():
    truth = FlooredBetaGeometric(0.9, 4.0, 0.04)
    spells = truth.simulate(np.full(60_000, 40), np.random.default_rng(2))
    found = rm.fit(FlooredBetaGeometric, table(spells))
    errors = np.sqrt(np.diag(found.covariance)) / found.params
    assert (np.abs(np.log(found.params / [0.9, 4.0, 0.04])) < 3 * errors).all()
    plain = table(rm.ShiftedBetaGeometric(0.9, 4.0).simulate(np.full(2_000, 20), np.random.default_rng(5)))
    at_edge, without = rm.fit(FlooredBetaGeometric, plain), rm.fit(rm.ShiftedBetaGeometric, plain)
    assert at_edge.log_likelihood >= without.log_likelihood - 1e-6
    if "floor" not in at_edge.covariance:
        assert any("floor ran to 0 and is held there" in note for note in at_edge.notes)


def table(spells):
    return rm.logs.retention_table_from_tenures(spells, sampling="acquisition")


def test_a_floor_bounds_what_lies_beyond_the_data():
    """A log of a floored business: without the floor, the model promises too long lives."""
    truth = FlooredBetaGeometric(0.6, 3.0, 0.03)
    spells = truth.simulate(np.full(20_000, 24), np.random.default_rng(7))
    floored, plain = (rm.fit(model, table(spells)).model for model in (FlooredBetaGeometric, rm.ShiftedBetaGeometric))
    far = 120
    expected = float(truth.survival_function(far))
    assert abs(np.log(float(floored.survival_function(far)) / expected)) < 0.35
    assert float(plain.survival_function(far)) > 3 * expected


def test_a_floored_fit_is_stored_and_read_again(tmp_path):
    spells = FlooredBetaGeometric(0.9, 4.0, 0.04).simulate(np.full(3_000, 20), np.random.default_rng(2))
    found = rm.fit(FlooredBetaGeometric, table(spells))
    found.to_json(tmp_path / "fit.json")
    assert rm.Fit.from_json(tmp_path / "fit.json").model == found.model
    base = pd.DataFrame({"tenure": [0, 5], "weight": [100, 50]})
    terms = rm.Terms(price=10.0, annual_discount_rate=0.1, billing_period="M")
    worth = rm.total_value(found, base, terms).iloc[0]
    assert worth["value_lower"] < worth["value"] < worth["value_upper"]
