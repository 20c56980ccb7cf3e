"""The Bayesian bootstrap: weights of customers, limits kept and counted, and draws that take the place of a fit's."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.cnbd import MBGCNBD
from retention_models.btyd.nbd import NBD
from retention_models.estimation import bayesian_bootstrap
from retention_models.estimation.estimates import POSITIVE, middle
from retention_models.estimation.likelihood import maximise
from retention_models.estimation.newton import ConvergenceError, Objective
from retention_models.estimation.with_covariates import maximise_with_covariates
from retention_models.fitting import resampling
from retention_models.fitting.estimate import fitted_table
from retention_models.fitting.resampling import bootstrap


@pytest.fixture(scope="module")
def customers():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


@pytest.fixture(scope="module")
def bgnbd(customers):
    return rm.fit(rm.BGNBD, customers)


@pytest.fixture(scope="module")
def again(bgnbd, customers):
    return bootstrap(bgnbd, customers, replicates=200, rng=np.random.default_rng(1))


def rows(customers, model):
    table = rm.logs.compress(customers)
    return tuple(table[name].to_numpy(dtype=float) for name in model.columns), table["weight"].to_numpy(dtype=float)


@pytest.mark.parametrize("model", [rm.BGNBD, rm.ParetoNBD, NBD], ids=lambda model: model.__name__)
def test_a_replicate_is_the_estimate_under_its_weights(customers, model):
    columns, weight = rows(customers, model)
    estimate = rm.fit(model, customers).model
    objective = Objective.from_start(estimate, columns, weight)
    (maximum,) = bayesian_bootstrap.reweighted_estimates(
        objective, objective.log_parameters(estimate), 1, np.random.default_rng(5)
    )
    drawn = np.random.default_rng(5).standard_gamma(weight)
    anew = maximise(model, dict(zip(model.columns, columns, strict=True)), drawn).model
    anew = np.array([getattr(anew, name) for name in rm.fit(model, customers).params.index])
    np.testing.assert_allclose(np.exp(maximum.u), anew, rtol=2e-4)


@pytest.fixture(scope="module")
def shop():
    """Customers of whom those from the web buy more often and leave sooner, and their fit."""
    rng = np.random.default_rng(1)
    web = rng.integers(0, 2, 600)
    truth = rm.ParetoNBD(1.0, 8 * np.exp(-0.5 * web), 1.0, 25 * np.exp(-0.6 * web))
    customers = truth.simulate(rng.integers(30, 60, 600), rng).assign(channel=np.where(web == 1, "web", "mail"))
    return customers, rm.fit(rm.ParetoNBD, customers, purchase_covariates="channel", dropout_covariates="channel")


@pytest.fixture(scope="module")
def again_with_covariates(shop):
    customers, found = shop
    return bootstrap(found, customers, replicates=100, rng=np.random.default_rng(2))


def test_with_covariates_a_replicate_is_the_estimate_under_its_weights(shop):
    customers, found = shop
    objective, start = resampling._objective(found, customers)
    (maximum,) = bayesian_bootstrap.reweighted_estimates(objective, start, 1, np.random.default_rng(5))
    drawn = np.random.default_rng(5).standard_gamma(objective.weight)
    table = fitted_table(found, customers)
    covariates = found.covariate_terms.by_link(rm.ParetoNBD, table.covariates)
    anew = maximise_with_covariates(found.model, table.columns, drawn, covariates)
    expected = [getattr(anew.optimum.model, name) for name in ("r", "alpha", "s", "beta")]
    np.testing.assert_allclose(
        objective.estimates(maximum), [*expected, *anew.coefficients.values()], rtol=2e-3, atol=2e-4
    )


def test_with_covariates_the_replicates_spread_as_the_robust_errors(shop, again_with_covariates):
    customers, _ = shop
    formulas = {"purchase_covariates": "channel", "dropout_covariates": "channel"}
    robust = rm.fit(rm.ParetoNBD, customers, robust=True, **formulas).table()
    table = again_with_covariates.table()
    coefficients = ["purchase[channel[T.web]]", "dropout[channel[T.web]]"]
    assert list(table.index) == list(robust.index)
    np.testing.assert_allclose(table.loc[coefficients, "std_error"], robust.loc[coefficients, "std_error"], rtol=0.3)
    off = table.loc[coefficients, ["lower", "upper"]].sub(table.loc[coefficients, "estimate"], axis=0)
    expected = np.array([-1.96, 1.96]) * table.loc[coefficients, ["std_error"]].to_numpy()
    np.testing.assert_allclose(off, expected, rtol=0.35)


def test_with_covariates_draws_and_intervals_are_those_of_each_customer(shop, again_with_covariates):
    customers, found = shop
    few = customers.head(3)
    model = again_with_covariates.draw(7, np.random.default_rng(3), few)
    assert np.shape(model.alpha) == (7, 3)
    with pytest.raises(ValueError, match="pass the customers whose parameters are drawn"):
        again_with_covariates.draw(7, np.random.default_rng(3))
    lower, upper = again_with_covariates.interval(lambda model, *own: model.expected_purchases(26, *own), few)
    expected = rm.predict(found, few, 26)
    estimate = expected["expected_purchases"].to_numpy()
    assert np.all((lower < estimate) & (estimate < upper))
    np.testing.assert_allclose(
        np.log(upper / lower),
        np.log(expected["expected_purchases_upper"] / expected["expected_purchases_lower"]),
        rtol=0.4,
    )


def test_spread_of_the_replicates_is_that_of_the_robust_errors(customers, again):
    robust = rm.fit(rm.BGNBD, customers, robust=True).table()["std_error"]
    assert (again.table()["std_error"] / robust).between(0.75, 1.25).all()


def test_weights_of_one_row_a_customer_and_of_one_row_a_history_spread_alike(bgnbd, customers):
    compressed = bootstrap(bgnbd, rm.logs.compress(customers), replicates=200, rng=np.random.default_rng(1))
    each = bootstrap(bgnbd, customers, replicates=200, rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(compressed.draws, each.draws)


@pytest.mark.parametrize("n", [19, 50, 100, 1000])
def test_a_further_draw_lies_in_the_middle_of_the_others_with_its_chance(n):
    rng = np.random.default_rng(1)
    draws, further = rng.standard_normal((n, 20_000)), rng.standard_normal(20_000)
    low, high = middle(draws, 0.9)
    assert np.mean((low < further) & (further < high)) == pytest.approx(0.9, abs=0.007)


def test_ends_reach_further_on_the_side_where_the_replicates_are_and_hold_the_estimate():
    draws = np.exp(np.random.default_rng(1).gamma(2.0, 1.0, (999, 1)))
    lower, upper = POSITIVE.from_draws(np.exp([2.0]), draws, 0.95)
    assert np.log(upper) - 2 > 1.3 * (2 - np.log(lower))
    lower, upper = POSITIVE.from_draws(np.exp([20.0]), draws, 0.95)
    assert lower < np.exp(20.0) == upper
    assert np.array_equal(POSITIVE.from_draws(np.zeros(1), draws, 0.95), np.zeros((2, 1)))


def test_draws_take_the_place_of_those_of_the_fit(again):
    model = again.draw(7, np.random.default_rng(2))
    assert model.r.shape == (7, 1)
    assert set(model.a[:, 0]) <= set(again.draws["a"])
    assert model.expected_purchases(39.0, np.array([0.0, 2.0]), np.array([0.0, 30.0]), np.full(2, 39.0)).shape == (7, 2)


def test_an_interval_of_any_quantity_holds_its_estimate(bgnbd, again):
    columns = {"frequency": [0.0, 2.0], "recency": [0.0, 30.0], "T": [39.0, 39.0]}
    lower, upper = again.interval(lambda model, *own: model.expected_purchases(39.0, *own), pd.DataFrame(columns))
    expected = bgnbd.model.expected_purchases(39.0, *map(np.array, columns.values()))
    assert np.all((lower < expected) & (expected < upper))


@pytest.fixture(scope="module")
def resampled(customers):
    return bootstrap(rm.fit(rm.BGNBD, customers), customers, replicates=300, rng=1)


def test_forecasts_take_a_bootstrap_and_have_its_intervals(customers, resampled):
    forecast = rm.predict(resampled, customers, 26)
    plain = rm.predict(resampled.fit, customers, 26)
    estimates = ["probability_alive", "expected_purchases"]
    pd.testing.assert_frame_equal(forecast[estimates], plain[estimates])
    lower, upper = resampled.interval(lambda model, *own: model.expected_purchases(26, *own), customers)
    np.testing.assert_allclose(forecast["expected_purchases_lower"], lower)
    np.testing.assert_allclose(forecast["expected_purchases_upper"], upper)
    assert (forecast["probability_alive_lower"] <= forecast["probability_alive"]).all()
    assert (forecast["probability_alive"] <= forecast["probability_alive_upper"]).all()
    assert (forecast["purchases_upper"] >= forecast["expected_purchases"].astype(int)).all()


def test_a_total_by_bootstrap_is_the_quantile_of_the_totals_of_its_replicates(customers, resampled):
    total = rm.predict_total(resampled, customers, 26).iloc[0]
    columns = [customers[name].to_numpy(float)[None] for name in ("frequency", "recency", "T")]
    models = rm.BGNBD(**{name: resampled.draws[name].to_numpy()[:, None] for name in resampled.draws})
    sums = models.expected_purchases(26, *columns).sum(axis=1)
    ends = POSITIVE.from_draws(np.array([total["expected"]]), sums[:, None], 0.95)
    np.testing.assert_allclose(total[["expected_lower", "expected_upper"]].astype(float), np.ravel(ends), rtol=1e-9)


@pytest.mark.slow
def test_values_and_comparisons_take_a_bootstrap(customers, resampled):
    spend = rm.fit(rm.GammaGamma, customers)
    terms = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.1, margin=0.3)
    own = rm.customer_value(resampled, customers, terms, spend=bootstrap(spend, customers, replicates=200, rng=2))
    plain = rm.customer_value(resampled.fit, customers, terms, spend=spend)
    np.testing.assert_allclose(own["value"], plain["value"], rtol=1e-12)
    width = [np.log(frame["value_upper"] / frame["value_lower"]).median() for frame in (own, plain)]
    assert width[0] == pytest.approx(width[1], rel=0.5)
    total, of_fit = (rm.total_value(one, customers, terms, spend=spend) for one in (resampled, resampled.fit))
    assert total["value"].iloc[0] == pytest.approx(of_fit["value"].iloc[0])
    assert total["value_lower"].iloc[0] != of_fit["value_lower"].iloc[0]
    by_horizon = rm.value.value_by_horizon(resampled, customers, terms, horizons=[26, 52], spend=spend)
    assert by_horizon.loc["52 weeks", "value_lower"] == pytest.approx(total["value_lower"].iloc[0])
    compared = rm.compare([resampled, rm.fit(rm.ParetoNBD, customers)], customers)
    assert compared.name in ("BGNBD", "ParetoNBD")
    assert rm.evaluation.holdout_scores(resampled, customers).index.tolist() == ["BGNBD"]


def test_gaps_of_customers_who_share_a_history_are_weighted_one_by_one(customers):
    found = rm.fit(MBGCNBD, customers)
    again = bootstrap(found, customers, replicates=20, rng=np.random.default_rng(1))
    assert again.notes[-1] == "k was held at 1."
    assert len(again.draws) == 20


def test_replicates_at_a_limit_are_kept_and_counted():
    customers = rm.BGNBD(0.25, 4.4, 0.8, 2.4).simulate(np.full(150, 35.0), np.random.default_rng(4))
    found = rm.fit(rm.BGNBD, customers)
    again = bootstrap(found, customers, replicates=60, rng=np.random.default_rng(1))
    assert 0 < again.at_limit.sum() <= 60
    assert len(again.draws) == 60
    assert "replicates, which are kept" in repr(again)
    table = again.table()
    assert np.isfinite(table.drop(columns="at_limit").to_numpy()).all()
    assert table["at_limit"].tolist() == again.at_limit.tolist()


def test_a_parameter_without_drop_out_is_at_its_limit_in_most_replicates():
    customers = NBD(0.8, 8.0).simulate(np.full(300, 30.0), np.random.default_rng(3))
    found = rm.fit(rm.BGNBD, customers)
    assert found.notes
    again = bootstrap(found, customers, replicates=10, rng=np.random.default_rng(1))
    assert again.table().loc[["r", "alpha"], "std_error"].gt(0).all()
    assert again.notes[0] == found.notes[0]


def test_failures_are_counted_and_said(monkeypatch, bgnbd, customers):
    calls = iter(range(10))

    def fails_twice(objective, u, gradient, inverse):
        if next(calls) < 2:
            raise ConvergenceError("no maximum")
        return nearby(objective, u, gradient, inverse)

    nearby = bayesian_bootstrap._nearby
    monkeypatch.setattr(bayesian_bootstrap, "_nearby", fails_twice)
    again = bootstrap(bgnbd, customers, replicates=5, rng=np.random.default_rng(1))
    assert (again.failures, len(again.draws)) == (2, 3)
    assert "2 of 5 replicates have no maximum and are left out." in again.notes
    assert "2 of 5 replicates" in again._repr_html_()


def test_none_found_is_an_error(monkeypatch, bgnbd, customers):
    monkeypatch.setattr(resampling, "reweighted_estimates", lambda *args, **kwargs: [None, None])
    with pytest.raises(ConvergenceError, match="none of 2 reweighted likelihoods"):
        bootstrap(bgnbd, customers, replicates=2, rng=np.random.default_rng(1))


def test_what_cannot_be_bootstrapped_is_refused(bgnbd, customers):
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="these 2,356 customers are not the ones that BGNBD was fitted to"):
        bootstrap(bgnbd, customers.iloc[1:], rng=rng)
    with pytest.raises(ValueError, match="replicates must be a whole number, 2 or more"):
        bootstrap(bgnbd, customers, replicates=1, rng=rng)
    kept = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 869, 743], "lost": [131, 126, 90]})
    with pytest.raises(ValueError, match="a retention table has only their sums"):
        bootstrap(rm.fit(rm.ShiftedBetaGeometric, kept), kept, rng=rng)
