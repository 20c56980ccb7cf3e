"""Covariates of contracts: those of the customers, and those of the calendar."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import betaln, expit, logit

from retention_models.fitting.calendar_covariates import fit_covariates
from retention_models.fitting.contract_cells import Covariates, cells_of
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
from retention_models.forecast.retention import forecast_retention
from retention_models.logs.contracts.log import read_contracts
from retention_models.logs.contracts.retention import retention_table, with_calendar
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric

TRUTH = {"alpha": 0.9, "beta": 2.6, "churn": 0.6, "calendar": 0.7}
BOTH = {"churn": ["plan"], "calendar": ["price_rise"]}


def log_survival(exposure, alpha=TRUTH["alpha"], beta=TRUTH["beta"], churn=0.0):
    mean, both = expit(logit(alpha / (alpha + beta)) + churn), alpha + beta
    return betaln(mean * both, (1 - mean) * both + exposure) - betaln(mean * both, (1 - mean) * both)


def business(rng, size=3000, cohorts=12, c=1.0, churn=TRUTH["churn"], calendar=TRUTH["calendar"]):
    """Monthly cohorts of two plans, a price rise in months 8 and 9 of the calendar."""
    rows = []
    for cohort in range(cohorts):
        for plan in (0, 1):
            tenure = np.arange(1, 14 - cohort)
            rise = np.isin(cohort + tenure, (8, 9)).astype(int)
            exposure = np.cumsum((tenure**c - (tenure - 1.0) ** c) * np.exp(calendar * rise))
            survival = np.exp(log_survival(exposure, churn=churn * plan))
            life = 1 + np.searchsorted(-survival, -rng.random(size))
            at_risk = [(life >= t).sum() for t in tenure]
            lost = [(life == t).sum() for t in tenure]
            rows.append(
                pd.DataFrame(
                    {
                        "cohort": cohort,
                        "plan": plan,
                        "tenure": tenure,
                        "price_rise": rise,
                        "at_risk": at_risk,
                        "lost": lost,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    return business(np.random.default_rng(1))


@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull])
def test_the_score_is_the_derivative_of_the_log_likelihood(model, table):
    cells, _ = cells_of(
        table,
        Covariates(("plan",), ("price_rise",), ("cohort", "plan")),
        ages=model is BetaDiscreteWeibull,
        counts=True,
    )
    place = np.array([0.1, 0.9, *([0.2] if model is BetaDiscreteWeibull else []), 0.4, -0.3])
    steps = 1e-6 * np.eye(len(place))
    slope = [(cells.log_likelihood(place + s) - cells.log_likelihood(place - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(cells.score(place), slope, rtol=1e-5, atol=1e-3)


def test_survival_is_that_of_the_added_up_exposure(table):
    found = fit_covariates(ShiftedBetaGeometric, table, **BOTH)
    predicted = found.predict(table)
    plan, rise = found.coefficients
    path = table[(table["cohort"] == 0) & (table["plan"] == 1)]
    exposure = np.cumsum(np.exp(rise * path["price_rise"]))
    survival = np.exp(log_survival(exposure, found.model.alpha, found.model.beta, plan))
    np.testing.assert_allclose(predicted.loc[path.index, "survival"], survival, rtol=1e-10)
    rates = survival / np.append(1.0, survival[:-1])
    np.testing.assert_allclose(predicted.loc[path.index, "retention_rate"], rates, rtol=1e-10)
    assert (predicted["survival_lower"] < predicted["survival"]).all()


def test_the_truth_is_recovered_and_the_test_sees_it(table):
    found = fit_covariates(ShiftedBetaGeometric, table, **BOTH)
    estimates = found.table()
    truth = [TRUTH["alpha"], TRUTH["beta"], TRUTH["churn"], TRUTH["calendar"]]
    assert list(estimates.index) == ["alpha", "beta", "churn[plan]", "calendar[price_rise]"]
    assert np.all(np.abs(estimates["estimate"] - truth) < 3 * estimates["std_error"])
    assert found.against_plain().p_value < 1e-6
    assert found.aic < found.plain.aic
    assert str(found.against_plain()).startswith("The covariates make a difference")


def test_ageing_and_covariates_are_told_apart():
    table = business(np.random.default_rng(2), size=6000, c=1.3)
    estimates = fit_covariates(BetaDiscreteWeibull, table, **BOTH).table()
    truth = [TRUTH["alpha"], TRUTH["beta"], 1.3, TRUTH["churn"], TRUTH["calendar"]]
    assert np.all(np.abs(estimates["estimate"] - truth) < 3 * estimates["std_error"])


@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull])
def test_without_effects_it_is_the_plain_model(model, table):
    covariates = Covariates(("plan",), ("price_rise",), ("cohort", "plan"))
    plain = fit(model, table)
    cells, _ = cells_of(table, covariates, ages=model is BetaDiscreteWeibull, counts=True)
    place = np.append(np.log(plain.params), [0.0, 0.0])
    assert cells.log_likelihood(place) == pytest.approx(plain.log_likelihood, rel=1e-12)


def test_groups_told_apart_by_a_covariate_alone_share_their_concentration(table):
    """With one plan only, the baseline is that plan's own fit."""
    first = table[table["price_rise"] == 0]
    found = fit_covariates(ShiftedBetaGeometric, first, churn=["plan"])
    mean = {plan: float(fit(ShiftedBetaGeometric, first[first["plan"] == plan]).model.hazard(1)) for plan in (0, 1)}
    assert float(found.model.hazard(1)) == pytest.approx(mean[0], abs=0.01)
    shifted = expit(logit(found.model.hazard(1)) + found.coefficients["churn[plan]"])
    assert float(shifted) == pytest.approx(mean[1], abs=0.01)


def test_order_and_engine_do_not_matter(table):
    ours = fit_covariates(ShiftedBetaGeometric, table, **BOTH)
    shuffled = table.sample(frac=1, random_state=3)
    for theirs in (shuffled, pl.DataFrame(shuffled.to_dict("list"))):
        other = fit_covariates(ShiftedBetaGeometric, theirs, **BOTH)
        np.testing.assert_allclose(other.coefficients, ours.coefficients, rtol=1e-9)
    predicted = ours.predict(shuffled)
    np.testing.assert_allclose(predicted["survival"], ours.predict(table)["survival"].to_numpy()[shuffled.index])


def test_what_if_a_price_rise_had_not_been(table):
    found = fit_covariates(ShiftedBetaGeometric, table, **BOTH)
    without = found.predict(table.assign(price_rise=0))
    during = table["price_rise"] == 1
    assert (without.loc[during, "retention_rate"] > found.predict(table).loc[during, "retention_rate"]).all()


def test_renewals_nobody_was_observed_at_are_filled_in_unless_the_calendar_matters(table):
    late = table[table["tenure"] > 2]
    found = fit_covariates(ShiftedBetaGeometric, late, churn=["plan"])
    assert np.isfinite(found.log_likelihood)
    with pytest.raises(ValueError, match=r"renewals before those of a path have no row .* add rows with at_risk 0"):
        fit_covariates(ShiftedBetaGeometric, late, **BOTH)
    kept = table.assign(
        at_risk=table["at_risk"].where(table["tenure"] > 2, 0), lost=table["lost"].where(table["tenure"] > 2, 0)
    )
    estimates = fit_covariates(ShiftedBetaGeometric, kept, **BOTH).table()
    truth = [TRUTH["alpha"], TRUTH["beta"], TRUTH["churn"], TRUTH["calendar"]]
    assert np.all(np.abs(estimates["estimate"] - truth) < 3.5 * estimates["std_error"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "name at least one covariate"),
        ({"churn": ["colour"]}, "colour not in the table"),
        ({"churn": ["plan"], "path": ["region"]}, "region not in the table; path names the columns"),
        ({"calendar": ["price_rise"], "path": ["plan"]}, "price_rise has several values in the same path at tenure"),
        ({"churn": ["constant"]}, "constant is the same in all cells with customers"),
        ({"churn": ["word"]}, "word is missing, infinite or not a number"),
    ],
)
def test_covariates_that_cannot_be_are_named(arguments, message, table):
    with pytest.raises(ValueError, match=message):
        fit_covariates(ShiftedBetaGeometric, table.assign(constant=1, word="x"), **arguments)
    with pytest.raises(ValueError, match="Geometric takes no covariates"):
        fit_covariates(Geometric, table, churn=["plan"])


def test_a_log_leads_to_calendar_covariates():
    rng = np.random.default_rng(4)
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 500, 4000), "D")
    life = np.minimum(rng.geometric(rng.beta(1, 4, 4000)), 60)
    end = [s + pd.DateOffset(months=int(k)) for s, k in zip(start, life, strict=True)]
    log = pd.DataFrame({"customer_id": range(4000), "start": start, "end": end})
    spells = read_contracts(log, sampling="acquisition", observation_end="2022-12-31")
    table = with_calendar(retention_table(spells, period="M"))
    assert table.loc[table["cohort"] == "2021-11", "calendar"].head(3).tolist() == ["2021-12", "2022-01", "2022-02"]
    table["december"] = table["calendar"].str.endswith("-12").astype(int)
    found = fit_covariates(ShiftedBetaGeometric, table, calendar=["december"])
    assert abs(found.coefficients["calendar[december]"]) < 4 * found.table().loc["calendar[december]", "std_error"]
    with pytest.raises(ValueError, match="only renewals by the month or the year"):
        with_calendar(retention_table(spells, period=30))


@pytest.mark.slow
def test_intervals_of_coefficients_cover():
    """1,000 businesses of 24 paths: the intervals of both coefficients hold the truth in 95 % of them."""
    rng, held = np.random.default_rng(5), []
    for _ in range(1000):
        table = fit_covariates(ShiftedBetaGeometric, business(rng, size=300, cohorts=8), **BOTH).table().tail(2)
        truth = [TRUTH["churn"], TRUTH["calendar"]]
        held.append((table["lower"] <= truth) & (truth <= table["upper"]))
    assert np.all((np.mean(held, axis=0) > 0.93) & (np.mean(held, axis=0) < 0.97))


def test_a_formula_is_the_columns_it_makes():
    regular, high_end = [1000, 631, 468, 382, 326], [1000, 869, 743, 653, 593]
    plans = {"regular": regular, "high end": high_end}
    rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in plans.items() for t in range(4)]
    table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    numbers = table.assign(regular=(table["plan"] == "regular").astype(float), late=(table["tenure"] > 2).astype(float))
    one = fit_covariates(ShiftedBetaGeometric, table, churn="plan", calendar="I(tenure > 2)", path=[])
    other = fit_covariates(ShiftedBetaGeometric, numbers, churn=["regular"], calendar=["late"], path=[])
    assert list(one.coefficients.index) == ["churn[plan[T.regular]]", "calendar[I(tenure > 2)]"]
    np.testing.assert_allclose(one.table(), other.table(), rtol=1e-6)
    np.testing.assert_allclose(one.predict(table), other.predict(numbers), rtol=1e-6)
    with pytest.raises(ValueError, match="plan has a level that the fit has not seen"):
        one.predict(table.assign(plan="new"))
    with pytest.raises(ValueError, match="price not in the table"):
        fit_covariates(ShiftedBetaGeometric, table, churn="price", path=[])


def alike_within(rng, chances=(0.3, 0.1), cohorts=6, size=300):
    """Cohorts in whose halves every customer has the same chance to leave."""
    rows = []
    for cohort in range(cohorts):
        for x, chance in enumerate(chances):
            at_risk = size
            for tenure in range(1, cohorts + 1 - cohort):
                lost = rng.binomial(at_risk, chance)
                rows.append((f"c{cohort}", x, tenure, at_risk, lost))
                at_risk -= lost
    return pd.DataFrame(rows, columns=["cohort", "x", "tenure", "at_risk", "lost"])


def test_customers_whom_covariates_tell_apart_completely_are_fitted_at_the_limit():
    table = alike_within(np.random.default_rng(5))
    for model in (ShiftedBetaGeometric, BetaDiscreteWeibull):
        found = fit_covariates(model, table, churn=["x"])
        assert found.notes[0].startswith("alpha and beta ran to infinity")
        assert "Note: alpha and beta ran to infinity" in repr(found)
        assert found.table().loc["beta", "std_error"] == 0
        assert found.log_likelihood >= found.plain.log_likelihood
        shares = found.predict(table.drop_duplicates(["x", "tenure"]).query("tenure == 1"))
        assert ((shares["retention_rate_lower"] < [0.7, 0.9]) & (shares["retention_rate_upper"] > [0.7, 0.9])).all()


def test_a_nearly_flat_fit_with_covariates_is_reported(table):
    flat = alike_within(np.random.default_rng(2), size=40)
    notes = fit_covariates(ShiftedBetaGeometric, flat.assign(z=flat["tenure"] % 2), churn=["x"], calendar=["z"]).notes
    assert notes
    assert fit_covariates(ShiftedBetaGeometric, table, **BOTH).notes == ()


def test_customers_with_given_covariates_have_a_fit_for_forecasts_and_values(table):
    found = fit_covariates(ShiftedBetaGeometric, table, **BOTH)
    cells = pd.DataFrame({"cohort": "new", "plan": 1.0, "price_rise": 0.0, "tenure": range(1, 7)})
    expected = found.predict(cells)
    own = found.at({"plan": 1})
    np.testing.assert_allclose(own.model.survival_function(cells["tenure"]), expected["survival"], rtol=1e-9)
    forecast = forecast_retention(own, pd.DataFrame({"tenure": [0], "weight": [1000]}), renewals=6)
    np.testing.assert_allclose(forecast["expected_lower"], 1000 * expected["survival_lower"], rtol=1e-4)
    np.testing.assert_allclose(forecast["expected_upper"], 1000 * expected["survival_upper"], rtol=1e-4)
    for wrong in (None, {"plan": 1, "price_rise": 0}, {"age": 3}):
        with pytest.raises(ValueError, match="give a value for plan; got"):
            found.at(wrong)
    with pytest.raises(
        TypeError, match=r'churn must be a value for each covariate, such as {"plan": "premium"}; got 3'
    ):
        found.at(3)
    assert own.aic == pytest.approx(found.aic) == pytest.approx(Fit.from_json(own.to_json()).aic)
