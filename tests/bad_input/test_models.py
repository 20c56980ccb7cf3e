"""A missing or impossible history is nan from every method of a model, and an error at every door for tables."""

from dataclasses import astuple, fields, replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.survival import DiscreteWeibull, Geometric, TwoSegments

nan, inf = np.nan, np.inf
PURCHASES = [
    rm.NBD(0.385, 12.1),
    rm.BGNBD(0.243, 4.414, 0.793, 2.426),
    rm.MBGNBD(0.525, 6.183, 0.891, 1.614),
    rm.BGCNBD(0.5, 6.0, 0.9, 1.6, k=2),
    rm.MBGCNBD(0.5, 6.0, 0.9, 1.6, k=2),
    rm.ParetoNBD(0.553, 10.58, 0.606, 11.66),
    rm.BGBB(1.204, 0.75, 0.657, 2.783),
]
IMPOSSIBLE = [
    (2, nan, 38),
    (nan, 3, 9),
    (2, 3, nan),
    (None, 3, 9),
    (2, 3, inf),
    (2, 40, 30),
    (-1, 3, 9),
    (2, -3, 9),
    (0, 0, -9),
    (3, 0, 9),
    (0, 4, 9),
    (2.5, 3, 9),
]
OF_OPPORTUNITIES = [(4, 3, 9), (2, 2.5, 9), (2, 3, 9.5)]
METHODS = {
    "log_likelihood": lambda model, *history: model.log_likelihood(*history),
    "score": lambda model, *history: model.score(*history),
    "probability_alive": lambda model, *history: model.probability_alive(*history),
    "probability_staying": lambda model, *history: model.probability_staying(9, *history),
    "expected_purchases": lambda model, *history: model.expected_purchases(9, *history),
    "purchases_variance": lambda model, *history: model.purchases_variance(9, *history),
    "purchase_probability": lambda model, *history: model.purchase_probability(1, 9, *history),
    "purchase_probability later": lambda model, *history: model.purchase_probability(1, 9, *history, start=4),
    "discounted_expected_purchases": lambda model, *history: model.discounted_expected_purchases(0.1, *history),
}
CONTRACTS = [
    rm.ShiftedBetaGeometric(1.7, 1.2),
    rm.BetaDiscreteWeibull(1.0, 8.0, 1.8),
    Geometric(0.2),
    DiscreteWeibull(0.2, 0.7),
    TwoSegments(rate=0.1, extra=0.5, odds=1.0),
]
OF_TENURE = {
    "survival_function": lambda model, tenure: model.survival_function(tenure),
    "survival_function given": lambda model, tenure: model.survival_function(5, given=tenure),
    "retention_rate": lambda model, tenure: model.retention_rate(tenure),
    "hazard": lambda model, tenure: model.hazard(tenure),
    "survival_if_saved": lambda model, tenure: model.survival_if_saved(3, tenure),
    "survival_if_saved ahead": lambda model, tenure: model.survival_if_saved(tenure, 3),
    "expected_residual_lifetime": lambda model, tenure: model.expected_residual_lifetime(tenure),
    "log_likelihood": lambda model, tenure: model.log_likelihood(tenure, 10, 2),
    "score": lambda model, tenure: model.score(tenure, 10, 2),
}


def name(model):
    return type(model).__name__


def columns_of(rows):
    return np.array(rows, dtype=float).T


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", PURCHASES, ids=name)
def test_impossible_histories_are_nan_and_change_no_other(model, method):
    possible = [(0, 0, 9), (2, 3, 9), (5, 8, 9)]
    impossible = IMPOSSIBLE + OF_OPPORTUNITIES * model.counts_opportunities
    mixed = METHODS[method](model, *columns_of([*impossible, *possible]))
    assert np.isnan(mixed[: len(impossible)]).all()
    alone = METHODS[method](model, *columns_of(possible))
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(mixed[len(impossible) :], alone, rtol=1e-14)
    for history in impossible:
        assert np.isnan(METHODS[method](model, *history)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", PURCHASES, ids=name)
def test_impossible_histories_are_nan_for_draws_and_customers_of_their_own(model, method):
    frequency, recency, T = columns_of([(2, 3, 9), (2, nan, 9), (0, 0, 9)])
    parts = {f.name: v for f, v in zip(fields(model), astuple(model), strict=True) if f.name not in model.fixed}
    draws = replace(model, **{key: np.full((4, 1), value) for key, value in parts.items()})
    own = replace(model, **{key: np.full(3, value) for key, value in parts.items()})
    one = METHODS[method](model, frequency, recency, T)
    for shape, many in (((4, *one.shape), draws), (one.shape, own)):
        found = METHODS[method](many, frequency, recency, T)
        np.testing.assert_allclose(found, np.broadcast_to(one, shape), rtol=1e-9)
    counts = model.purchase_probability(np.arange(3)[:, None], 9, frequency, recency, T)
    assert counts.shape == (3, 3)
    assert np.isnan(counts[:, 1]).all()
    assert np.isfinite(counts[:, [0, 2]]).all()


@pytest.mark.parametrize("model", PURCHASES, ids=name)
@pytest.mark.parametrize("history", [(2, nan, 38), (2, 40, 30), (-1, 3, 9)])
def test_a_model_of_the_future_needs_possible_histories(model, history):
    for ask in (model.conditional_on_alive, model.future_process):
        with pytest.raises(ValueError, match="frequency, recency, T: 1 of 1 rows are missing or impossible"):
            ask(*history)


@pytest.mark.parametrize("method", ["log_likelihood", "score", "expected_spend"])
def test_impossible_amounts_are_nan(method):
    model = rm.GammaGamma(6.25, 3.74, 15.4)
    found = getattr(model, method)(*columns_of([(nan, 10), (2, nan), (-1, 10), (2, -3), (2, inf), (1.5, 3), (2, 10)]))
    assert np.isnan(found[:-1]).all()
    assert np.isfinite(found[-1]).all()


@pytest.mark.parametrize("method", ["log_likelihood", "score"])
def test_amounts_of_customers_who_never_paid_have_no_likelihood(method):
    found = getattr(rm.GammaGamma(6.25, 3.74, 15.4), method)(*columns_of([(0, 0), (2, 0), (2, 10)]))
    assert np.isnan(found[:-1]).all()
    assert np.isfinite(found[-1]).all()


@pytest.mark.parametrize("method", OF_TENURE)
@pytest.mark.parametrize("model", CONTRACTS, ids=name)
def test_impossible_tenures_are_nan_and_change_no_other(model, method):
    found = OF_TENURE[method](model, np.array([nan, -1.0, inf, 1.0, 2.0]))
    assert np.isnan(found[:3]).all()
    assert np.isfinite(found[3:]).all()
    np.testing.assert_allclose(found[3:], OF_TENURE[method](model, np.array([1.0, 2.0])), rtol=1e-14)
    assert np.isnan(OF_TENURE[method](model, nan)).all()


@pytest.mark.parametrize(
    "row", [(1, nan, 2), (1, 10, nan), (1, 10, 20), (1, -1, 0), (1, 10, -1), (0, 10, 2), (1.5, 10, 2)]
)
@pytest.mark.parametrize("model", CONTRACTS, ids=name)
def test_impossible_numbers_at_risk_are_nan(model, row):
    assert np.isnan(model.log_likelihood(*row)).all()
    assert np.isnan(model.score(*row)).all()


@pytest.mark.parametrize(
    "history", [(2, nan, 38), (2, 40, 30), (2, 3, nan), (-1, 3, 9), (3, 0, 9), (0, 4, 9), (2.5, 3, 9)]
)
def test_tables_with_impossible_histories_are_refused(history, fits):
    table = pd.DataFrame([(1, 2, 9), history, (0, 0, 9)], columns=["frequency", "recency", "T"])
    with pytest.raises(ValueError, match="1 of 3 rows"):
        rm.fit(rm.BGNBD, table)
    for door in (rm.predict, rm.predict_total):
        with pytest.raises(ValueError, match="1 of 3 rows"):
            door(fits["BG/NBD"], table, 39)


def test_curves_know_nothing_at_a_missing_tenure():
    curve = rm.kaplan_meier([1, 2, 3], [True, False, True])
    causes = rm.survival.aalen_johansen([1, 2, 3], ["price", "", "price"])
    for read in (curve.survival_function, curve.number_at_risk, causes.cumulative_incidence):
        found = read([nan, 1.0])
        assert np.isnan(found[0]).all()
        assert np.isfinite(found[1]).all()
