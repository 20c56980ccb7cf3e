"""Calendars that go on: forecasts and values of contracts after a fit with a season and events."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.fitting.result import stepped
from retention_models.fitting.uncertainty import uncertainty_of

MODEL = rm.ShiftedBetaGeometric(0.9, 12.0)
SEASON = np.array([0.6, 0.2, 0.0, 0.0, -0.2, -0.4, -0.4, -0.2, 0.0, 0.1, 0.2, 0.4])
EVENTS = {"price_rise": ["2022-09", "2022-10"]}
RISE = 0.8
MONTHLY = rm.Terms(annual_discount_rate=0.1, billing_period="M")


def weight(month):
    """How much a renewal counts in a month, counted from January 2021."""
    return np.exp(SEASON[month % 12] + RISE * np.isin(month, (20, 21)))


def survival(start, tenure):
    """Of contracts that begin in some month: the share that is there after each renewal up to ``tenure``."""
    return MODEL._log_survival(np.cumsum(weight(start + np.arange(1, tenure + 1))))


@pytest.fixture(scope="module")
def base():
    """A retention table of 40 cohorts by the truth itself, without chance, and the customers of the last month."""
    rows, active = [], []
    for cohort in range(40):
        label = str(pd.Period("2021-01", freq="M") + cohort)
        share = np.append(1.0, np.exp(survival(cohort, 47 - cohort)))
        n = 1e5 * share
        rows += [(label, t, n[t - 1], n[t - 1] - n[t]) for t in range(1, len(n))]
        active.append((label, len(n) - 1, n[-1]))
    table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    table.attrs = {"period": "M", "observation_end": "2024-12-31"}
    return table, pd.DataFrame(active, columns=["cohort", "tenure", "weight"])


@pytest.fixture(scope="module")
def found(base):
    dated = rm.logs.with_events(base[0], EVENTS)
    formula = rm.fitting.choose_calendar(rm.ShiftedBetaGeometric, dated)
    assert formula == "month + `price_rise`"
    return rm.fit(rm.ShiftedBetaGeometric, dated, calendar_covariates=formula)


def test_the_truth_is_found_and_its_future_told(base, found):
    """Forecast, value and saved value by hand: the season goes on, and no event comes again.

    The maximum is found to a small part of its standard errors, which 4 million customers make small.
    """
    _, today = base
    effects = found.params.filter(like="calendar")
    np.testing.assert_allclose(effects.to_numpy()[:11], SEASON[1:] - SEASON[0], atol=1e-4)
    assert effects["calendar[price_rise]"] == pytest.approx(RISE, abs=1e-4)
    n, tenure = today["weight"].to_numpy(), today["tenure"].to_numpy()
    stay = np.array([np.exp(survival(c, t + 24)[-25:] - survival(c, t)[-1]) for c, t in enumerate(tenure)])
    forecast = rm.forecast_retention(found, today, renewals=24)
    np.testing.assert_allclose(forecast["expected"], n @ stay[:, 1:], rtol=5e-5)
    within = rm.Terms(annual_discount_rate=0.1, billing_period="M", horizon=24)
    discount = 1.1 ** (-np.arange(24) / 12)
    assert rm.total_value(found, today, within)["value"].iloc[0] == pytest.approx(n @ stay[:, 1:] @ discount, rel=5e-5)
    leave = 1 - stay[:, 1]
    assert rm.saved_value(found, today, within)["leaving"].iloc[-1] == pytest.approx(n @ leave, rel=5e-5)
    new = 1 + np.exp(survival(47, 24)) @ 1.1 ** (-np.arange(1, 25) / 12)
    assert rm.value.discounted_lifetime(found, within) == pytest.approx(new, rel=5e-5)


def test_single_customers_follow_the_calendar_too(base, found):
    """The chance of each cohort to leave by hand, and sums as for all customers; failed payments are a tenth."""
    table, today = base
    forecast = rm.predict(found, today, 6)
    stay = [np.exp(survival(c, t + 6)[-6:] - survival(c, t)[-1]) for c, t in enumerate(today["tenure"])]
    np.testing.assert_allclose(forecast["probability_leaving"], 1 - np.array(stay)[:, -1], rtol=5e-5)
    np.testing.assert_allclose(forecast["expected_payments"], np.sum(stay, axis=1), rtol=5e-5)
    within, n = rm.Terms(annual_discount_rate=0.1, billing_period="M", horizon=24), today["weight"].to_numpy()
    risk, saved = rm.value.contracts_at_risk(found, today, within), rm.saved_value(found, today, within).loc["all"]
    assert n @ risk["value_at_risk"] == pytest.approx(saved["leaving"] * saved["value"], rel=1e-9)
    assert n @ risk["value"] == pytest.approx(rm.total_value(found, today, within)["value"].iloc[0], rel=1e-9)
    causes = table.assign(lost_payment=0.1 * table["lost"])
    removed = rm.value.value_of_removing_cause(found, today, within, causes, cause="payment").iloc[0]
    assert removed["value"] == pytest.approx(n @ risk["value"], rel=1e-9)
    assert 0 < removed["gain_lower"] < removed["gain"] < removed["gain_upper"] < removed["single_cause_gain"]


def test_errors_are_those_of_the_steps(base, found):
    """Slopes of the forecast by refitted parameters, against the delta method of the package."""
    _, today = base
    source = uncertainty_of(found)
    lower, upper = rm.forecast_retention(found, today, renewals=3).iloc[-1][["expected_lower", "expected_upper"]]
    step, slopes = 1e-4, []
    for i in range(len(found.covariance)):
        ends = [
            rm.forecast_retention(stepped(found, side * step * np.eye(len(found.covariance))[i]), today, renewals=3)
            for side in (1, -1)
        ]
        slopes.append((ends[0]["expected"].iloc[-1] - ends[1]["expected"].iloc[-1]) / (2 * step))
    error = np.linalg.norm(np.array(slopes) @ source.step_errors)
    assert (upper - lower) / (2 * 1.96) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("model", ["TwoSegments", "DiscreteWeibull", "Geometric", "FlooredBetaGeometric"])
def test_every_model_takes_the_calendar(base, model):
    """The score is the derivative of the likelihood, and of the maximum nothing is left."""
    dated = rm.logs.with_events(base[0], EVENTS)
    found = rm.fit(getattr(rm.survival, model), dated, calendar_covariates="price_rise")
    plain = rm.fit(getattr(rm.survival, model), dated)
    assert found.log_likelihood > plain.log_likelihood + 1_000
    assert found.params["calendar[price_rise]"] == pytest.approx(RISE, abs=0.12)
    n = len(found.covariance)
    for i in range(n):
        step = 3 * np.sqrt(np.diag(found.covariance))[i] / (found.params.iloc[i] if i < n - 1 else 1)
        around = [log_likelihood(stepped(found, side * step * np.eye(n)[i]), dated) for side in (-1, 1)]
        assert max(around) < found.log_likelihood
    assert log_likelihood(found, dated) == pytest.approx(found.log_likelihood, rel=1e-12)


def log_likelihood(fit, dated):
    """By the retention rates of the package's own predictions, cell by cell."""
    rate = rm.forecast.predict_retention(fit, dated, level=None)["retention_rate"]
    return float((dated["lost"] * np.log1p(-rate) + (dated["at_risk"] - dated["lost"]) * np.log(rate)).sum())


def test_a_stored_fit_goes_on_alike(base, found):
    again = rm.Fit.from_json(found.to_json())
    ahead = [rm.forecast_retention(each, base[1], renewals=5)["expected"] for each in (found, again)]
    np.testing.assert_allclose(*ahead, rtol=1e-12)


def test_events_and_customers_that_do_not_belong_are_named(base, found):
    table, today = base
    with pytest.raises(ValueError, match="'strike' falls into 2031-01, and the renewals of the table are from 2021-02"):
        rm.logs.with_events(table, {"strike": ["2031-01"]})
    with pytest.raises(ValueError, match="event 'tenure' has the name of a column"):
        rm.logs.with_events(table, {"tenure": ["2022-01"]})
    with pytest.raises(ValueError, match=r"event 'strike': .*; write months such as '2022-09'"):
        rm.logs.with_events(table, {"strike": ["spring"]})
    with pytest.raises(ValueError, match="the column cohort is missing: the fit has calendar covariates"):
        rm.forecast_retention(found, today.drop(columns="cohort"), renewals=2)
    with pytest.raises(ValueError, match=r"cohort is before the first month of the fit's calendar, 2021-02, in 1 rows"):
        rm.forecast_retention(found, today.assign(cohort=["2019-05", *today["cohort"][1:]]), renewals=2)


def test_a_log_that_began_before_it_was_observed_has_complete_calendars(base):
    """Rows with nobody at risk are added for the renewals that nobody saw."""
    table = base[0][base[0].groupby("cohort").cumcount() >= 5].reset_index(drop=True)
    table.attrs = base[0].attrs
    dated = rm.logs.with_events(table, EVENTS)
    assert dated.groupby("cohort")["tenure"].min().eq(1).all()
    late = rm.fit(rm.ShiftedBetaGeometric, dated, calendar_covariates="month + price_rise")
    assert late.params["calendar[price_rise]"] == pytest.approx(RISE, abs=1e-3)


def test_churn_by_month_adds_up_and_is_explained_by_its_calendar(base, found):
    dated = rm.logs.with_events(base[0], EVENTS)
    churn = rm.evaluation.churn_by_month(found, dated)
    np.testing.assert_allclose(churn["expected"], churn["churn"], rtol=1e-4)
    assert churn["lost"].sum() == pytest.approx(base[0]["lost"].sum())
    assert churn.index[churn["event"] == "price_rise"].tolist() == EVENTS["price_rise"]
    plain = rm.evaluation.churn_by_month(rm.fit(rm.ShiftedBetaGeometric, base[0]), dated)
    assert plain.loc["2022-09", "churn"] > 1.5 * plain.loc["2022-09", "expected"]
    with pytest.raises(ValueError, match="the table has no column 'calendar'"):
        rm.evaluation.churn_by_month(found, base[0])
