"""Curves of contracts over a calendar in which months count more or less."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_law

from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.floored import FlooredBetaGeometric
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.over_calendar import OverCalendar
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments

MODELS = [
    ShiftedBetaGeometric(0.9, 12.0),
    BetaDiscreteWeibull(1.3, 9.0, 0.8),
    FlooredBetaGeometric(0.9, 12.0, 0.01),
    TwoSegments(0.7, 0.02, 0.2),
    Geometric(0.1),
    DiscreteWeibull(0.2, 0.7),
]
KNOWN, COMING = np.array([1.0, 2.0, 0.5, 1.2, 0.7]), np.array([0.8, 1.6, 1.1])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_in_a_calendar_of_equal_months_it_is_the_model(model):
    flat = OverCalendar(model, np.array([0, 3]), (np.ones(4), np.ones(12)))
    tenure = np.array([4.0, 30.0])
    for name in ("retention_rate", "hazard", "survival_function"):
        np.testing.assert_allclose(getattr(flat, name)(tenure), getattr(model, name)(tenure), rtol=1e-11)
    np.testing.assert_allclose(
        flat.survival_if_saved(np.array([[0.0], [7.0]]), tenure), model.survival_if_saved([[0], [7]], tenure), rtol=1e-9
    )
    rows = flat.by_row().survival_function(np.arange(9))
    np.testing.assert_allclose(rows, np.tile(model.survival_function(np.arange(9)), (2, 1)), rtol=1e-12)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[2]], ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("start", [0, 2, 5])
def test_customers_stay_through_the_weights_of_their_months(model, start):
    """By numerical integration over the customers' own chances, month by month."""
    weights = np.append(KNOWN, np.tile(COMING, 4))[start : start + 9]
    law, floor = beta_law(model.alpha, model.beta), getattr(model, "floor", 0.0)
    over = OverCalendar(model, np.array([start]), (KNOWN, COMING))

    def mean(function):
        return quad(lambda chance: law.pdf(chance) * function(chance), 0, 1, epsabs=0, epsrel=1e-10)[0]

    def stay(chance, months):
        return (1 - chance) ** months.sum() * np.exp(-floor * months.sum())

    assert over.survival_function(9)[0] == pytest.approx(mean(lambda c: stay(c, weights)), rel=1e-7)
    given = mean(lambda c: stay(c, weights)) / mean(lambda c: stay(c, weights[:4]))
    assert over.survival_function(9, given=4)[0] == pytest.approx(given, rel=1e-7)
    leaving = mean(lambda c: stay(c, weights[:4]) * (1 - stay(c, weights[4:5])))
    kept = mean(lambda c: stay(c, weights[:4]) * (1 - stay(c, weights[4:5])) * stay(c, weights[5:]))
    assert over.hazard(5)[0] == pytest.approx(leaving / mean(lambda c: stay(c, weights[:4])), rel=1e-7)
    assert over.survival_if_saved(4, 5)[0] == pytest.approx(kept / leaving, rel=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_slopes_of_staying_are_its_derivatives(model):
    before, exposure, step = np.array([0.5, 4.0, 30.0]), np.array([0.7, 1.0, 5.0]), 1e-6
    names = [field.name for field in fields(model)]
    numeric = [
        (replace(model, **{name: getattr(model, name) + step}).log_stay(before, exposure)
         - replace(model, **{name: getattr(model, name) - step}).log_stay(before, exposure)) / (2 * step)
        for name in names
    ]  # fmt: skip
    numeric += [
        (model.log_stay(before + a, exposure + b) - model.log_stay(before - a, exposure - b)) / (2 * step)
        for a, b in ((step, 0), (0, step))
    ]
    slopes = [np.broadcast_to(slope, 3) for slope in model.log_stay_slopes(before, exposure)]
    np.testing.assert_allclose(slopes, numeric, rtol=1e-5, atol=1e-8)


def test_years_to_come_repeat_and_a_missing_tenure_stays_missing():
    over = OverCalendar(MODELS[0], np.array([5]), (KNOWN, COMING))
    exposure = over._exposure(np.arange(7.0))
    np.testing.assert_allclose(np.diff(exposure), np.tile(COMING, 2))
    assert np.isnan(over.survival_function(np.nan)).all()
