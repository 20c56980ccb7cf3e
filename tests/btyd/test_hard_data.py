"""Small samples and hard data: every model ends in a finite, sensible answer, in any unit of time, or says why not."""

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.estimation.model import averaged_columns
from retention_models.fitting.result import Fit
from retention_models.logs.transactions.opportunities import opportunities

MODELS = [NBD, ParetoNBD, BGNBD, MBGNBD, BGCNBD, MBGCNBD]
# NBD lies in all that can leave, where nobody does; one stage in the models of k. BG and MBG lie in neither: who can
# leave right after the first purchase cannot be one who leaves only after a repeat one, whatever the chances.
NESTED = [(NBD, ParetoNBD), (NBD, BGNBD), (NBD, MBGNBD), (BGNBD, BGCNBD), (MBGNBD, MBGCNBD)]


def shop(seed, n, *parameters, k=1, ages=(20.0, 60.0)):
    """Customers of a simulated shop."""
    rng = np.random.default_rng(seed)
    return MBGCNBD(*parameters, k=k).simulate(rng.uniform(*ages, n), rng)


def in_unit(customers, factor):
    """The same customers, in a unit of time shorter by a factor."""
    times = {name: customers[name] * factor for name in ("recency", "T")}
    return customers.assign(**times, log_gaps=customers["log_gaps"] + customers["frequency"] * np.log(factor))


def cdnow(seed, n):
    customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30").sample(n, random_state=seed)
    return pd.DataFrame(customers[["frequency", "recency", "T", "log_gaps"]].to_dict("list"))


# Which data, and the horizon to look ahead.
CASES = {
    "few of CDNOW": (lambda seed: cdnow(seed, 30), 39.0),
    "more of CDNOW": (lambda seed: cdnow(seed, 60), 39.0),
    "nearly all bought once": (lambda seed: shop(seed, 300, 0.02, 0.3, 0.9, 2.0), 39.0),
    "nobody leaves": (lambda seed: shop(seed, 200, 1.0, 6.0, 1e-100, 1.0), 39.0),
    "very old and very young": (
        lambda seed: pd.concat(
            [
                shop(seed, 100, 0.8, 6.0, 0.8, 2.0, ages=(900.0, 1000.0)),
                shop(seed + 1, 100, 0.8, 6.0, 0.8, 2.0, ages=(0.0, 0.5)),
            ],
            ignore_index=True,
        ),
        39.0,
    ),
    "frequencies in the thousands": (lambda seed: shop(seed, 150, 2.0, 0.03, 0.1, 30.0), 10.0),
    "like clockwork": (lambda seed: shop(seed, 150, 2.0, 0.2, 0.1, 30.0, k=12), 10.0),
    "by the hour": (lambda seed: in_unit(shop(seed, 300, 0.8, 6.0, 0.8, 2.0), 168.0), 720.0),
}


def answered(model, customers, horizon):
    """A fit whose numbers have been checked, and the total that it expects."""
    fit = rm.fit(model, customers)
    columns = [customers[name].to_numpy(float) for name in (*model.columns, *averaged_columns(model))]
    assert fit.model.log_likelihood(*columns).sum() == pytest.approx(fit.log_likelihood, abs=1e-5, rel=1e-9)
    table = fit.table()[["estimate", "std_error", "lower", "upper"]]
    forecast, total = rm.predict(fit, customers.head(20), horizon), rm.predict_total(fit, customers, horizon).iloc[0]
    always = forecast.drop(columns="time_to_next_purchase_p90")
    some = [column[:20] for column in columns[: len(model.columns)]]
    worth = fit.model.discounted_expected_purchases(0.01, *some, horizon=horizon)
    assert all(np.all(np.isfinite(np.asarray(each, dtype=float))) for each in (table, always, total, worth))
    assert np.isfinite(fit.model.expected_purchases_new(horizon))
    assert np.all(forecast["probability_alive"].between(0, 1))
    assert 0 <= total["expected"] < 20 * customers["frequency"].sum() + 20
    return fit, total["expected"]


def agrees_with_other_units_and_simpler_models(customers, horizon):
    """Fit all models in two units of time: same answers in both, and the richer model fits no worse."""
    log_likelihood = {}
    for model in MODELS:
        fit, expected = answered(model, customers, horizon)
        _, again = answered(model, in_unit(customers, 7.0), 7.0 * horizon)
        assert again == pytest.approx(expected, rel=1e-3), model.__name__
        log_likelihood[model] = fit.log_likelihood
    for simpler, richer in NESTED:
        assert log_likelihood[richer] > log_likelihood[simpler] - 1e-5, (simpler, richer)


@pytest.mark.parametrize("name", CASES)
def test_hard_data_end_in_a_sensible_answer(name):
    make, horizon = CASES[name]
    customers = make(1)
    simpler, richer = (answered(model, customers, horizon)[0] for model in (MBGNBD, MBGCNBD))
    assert richer.log_likelihood > simpler.log_likelihood - 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_answers_do_not_depend_on_the_unit_and_richer_models_fit_no_worse(name, seed):
    make, horizon = CASES[name]
    agrees_with_other_units_and_simpler_models(make(seed), horizon)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n", [3, 10])
def test_a_handful_of_customers_gets_an_answer_or_an_error_that_says_why(model, n):
    customers = cdnow(1, n)
    if customers["frequency"].any():
        answered(model, customers, 39.0)
    else:
        with pytest.raises(ValueError, match=f"{model.__name__} is estimated from repeat purchases"):
            rm.fit(model, customers)


@pytest.mark.parametrize("model", [*MODELS, BGBB])
def test_weights_count_as_repeated_rows_and_a_fit_survives_json(model):
    log = rm.datasets.load_cdnow()
    customers = (
        opportunities(log, period="Q", calibration_end="1998-03-31", observation_end="1998-06-30")
        if model is BGBB
        else rm.summarize(log, calibration_end="1997-09-30").head(400)
    )
    names = [*model.columns, *averaged_columns(model)]
    repeated = rm.fit(model, pd.concat([customers[names]] * 2, ignore_index=True))
    weighted = rm.fit(model, customers[names].assign(weight=2))
    assert astuple(weighted.model) == pytest.approx(astuple(repeated.model), rel=1e-9)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood)
    assert weighted.n_customers == 2 * len(customers)
    again = Fit.from_json(weighted.to_json())
    assert again.model == weighted.model
    np.testing.assert_array_equal(again.covariance, weighted.covariance)
