"""Forecasts of who stays, made at earlier dates and held against what came true."""

import re

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation import backtest_check
from retention_models.evaluation.backtest_contracts import backtest_retention
from retention_models.forecast.churn_errors import churn_factors, churn_variance
from retention_models.logs.contracts.log import read_contracts, truncate_spells
from retention_models.logs.contracts.retention import active_customers, renewals_since, retention_table
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric


@pytest.fixture(scope="module")
def spells():
    """Monthly contracts of customers who differ, from 2018 to 2022."""
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 1400, 6000), "D")
    life = rng.geometric(rng.beta(0.8, 4, 6000)).clip(max=90)
    end = pd.to_datetime([s + pd.DateOffset(months=int(k)) for s, k in zip(start, life, strict=True)])
    log = pd.DataFrame({"customer_id": range(6000), "start": start, "end": end, "why": "price"})
    return read_contracts(log, sampling="acquisition", observation_end="2022-06-30", cause="why")


def test_as_of_an_earlier_day_is_what_a_log_of_that_day_would_have_said(spells):
    then = truncate_spells(spells, "2020-05-31")
    log = spells.frame[spells.frame["start"] <= "2020-05-31"]
    log = log.assign(end=log["end"].where(log["end"] <= "2020-05-31"))
    known = read_contracts(
        log[["customer_id", "start", "end", "cause"]],
        sampling="acquisition",
        observation_end="2020-05-31",
        cause="cause",
    )
    assert then.rows == known.rows
    pd.testing.assert_frame_equal(
        then.frame.sort_values("customer_id", ignore_index=True)[known.frame.columns], known.frame, check_dtype=False
    )
    pd.testing.assert_frame_equal(retention_table(then, period="M"), retention_table(known, period="M"))
    with pytest.raises(ValueError, match="day must lie within the observation, which ends on 2022-06-30"):
        truncate_spells(spells, "2023-01-01")


def test_renewals_since_follow_exactly_the_customers_of_that_day(spells):
    since = renewals_since(spells, "2021-06-15", period="M", renewals=12)
    base = active_customers(truncate_spells(spells, "2021-06-15"), period="M").groupby("tenure")["weight"].sum()
    assert since.groupby("tenure")["weight"].sum().to_dict() == base.to_dict()
    still = spells.frame[(spells.frame["start"] <= "2021-06-15")]
    stayed = still["end"].isna() | (still["end"] > pd.Timestamp("2022-06-15"))
    assert since.loc[since["made"] == 12, "weight"].sum() == stayed.sum()
    with pytest.raises(ValueError, match="12 renewals after 2021-08-01 run to 2022-08-01, and observation ends on"):
        renewals_since(spells, "2021-08-01", period="M", renewals=12)


@pytest.mark.slow
def test_forecasts_of_contracts_that_end_on_any_day_come_true():
    rng = np.random.default_rng(2)
    start = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1200, 40_000), "D")
    life = np.ceil(rng.exponential(365 / -np.log(0.7), 40_000))
    log = pd.DataFrame({"customer_id": range(40_000), "start": start, "end": start + pd.to_timedelta(life, "D")})
    spells = read_contracts(log, sampling="acquisition", observation_end="2023-12-31")
    backtest = backtest_retention(Geometric, spells, period=365, origins=["2022-06-30", "2022-12-31"], renewals=1)
    assert backtest["inside"].all()
    np.testing.assert_allclose(backtest["error"], 0, atol=0.015)


@pytest.mark.slow
def test_the_right_model_comes_true_and_equal_customers_do_not(spells):
    origins = ["2020-06-30", "2021-06-30"]
    right, wrong = (
        backtest_retention(model, spells, period="M", origins=origins, renewals=12)
        for model in (ShiftedBetaGeometric, Geometric)
    )
    assert right["inside"].all()
    assert not wrong["inside"].any()
    assert (wrong["error"] > 0.05).all()
    assert right["error"].abs().max() < 0.1
    assert backtest_check(right).passed is True
    assert backtest_check(wrong).passed is False
    assert list(right.index) == origins
    assert (right["actual"] == wrong["actual"]).all()


def test_an_origin_at_which_too_little_was_known_is_named(spells):
    first = pd.Timestamp(spells.observation_end) - pd.DateOffset(months=1)
    with pytest.raises(ValueError, match=rf"at the origin {first.date()}: .*; choose a later one"):
        backtest_retention(BetaDiscreteWeibull, spells, period=10_000, origins=[first.date()], renewals=0)


def test_without_origins_there_is_an_empty_table(spells):
    none = backtest_retention(ShiftedBetaGeometric, spells, period="M", origins=[], renewals=12)
    some = backtest_retention(ShiftedBetaGeometric, spells, period="M", origins=["2021-06-30"], renewals=12)
    assert none.empty
    assert none.columns.tolist() == some.columns.tolist()
    check = backtest_check(none)
    assert check.passed is None
    assert "no earlier date" in check.detail


@pytest.mark.slow
def test_the_variance_of_churn_is_that_of_simulated_logs():
    """The relative variance of the churn of 500 customers, over worlds that the model itself draws."""
    model, factors, variances = ShiftedBetaGeometric(1.5, 9.0), [], []
    rng = np.random.default_rng(4)
    for _ in range(200):
        made = model.simulate(np.full(500, 24), rng)
        life = np.where(made["churned"], made["tenure"], 100)
        known = pd.DataFrame({"tenure": range(1, 13)})
        known["at_risk"] = [(life >= t).sum() for t in known["tenure"]]
        known["lost"] = [(life == t).sum() for t in known["tenure"]]
        n = int((life > 12).sum())
        base = pd.DataFrame({"tenure": [12], "weight": [n]})
        forecast = rm.forecast_retention(rm.fit(ShiftedBetaGeometric, known), base, renewals=12)
        variances.append(churn_variance(forecast, 0.95)[-1])
        factors.append(churn_factors(np.array(n), np.array((life > 24).sum()), forecast["expected"].iloc[-1]))
    spread = np.var(np.log(factors))
    assert spread == pytest.approx(np.mean(variances), rel=0.35)


@pytest.mark.slow
def test_events_and_a_season_explain_the_errors_that_they_made():
    """A scenario with a price rise, a competitor and a season: forecasts that know of them come closer."""
    business = rm.scenario.subscriptions(np.random.default_rng(6), customers=6_000)
    spells = read_contracts(business.contracts, sampling="acquisition", observation_end="2024-12-28")
    window = {"period": "M", "origins": ["2022-12-28"], "renewals": 12}
    events = {"price_rise": ["2022-09", "2022-10"], "competitor": ["2023-07"]}
    plain, told = (backtest_retention(ShiftedBetaGeometric, spells, **window, events=e) for e in (None, events))
    assert not plain["inside"].any()
    assert told["inside"].all()
    assert (told["error"].abs() < plain["error"].abs() / 2).all()
    assert (told["actual"] == plain["actual"]).all()
    competitor_unknown = backtest_retention(ShiftedBetaGeometric, spells, **window, events={})
    assert competitor_unknown.loc["2022-12-28", "expected"] < told.loc["2022-12-28", "expected"]


@pytest.mark.slow
def test_groups_with_models_of_their_own_are_added_up():
    """Plans of which the fickle one came lately: one model for all expects far too many of its customers to stay."""
    rng = np.random.default_rng(7)
    n = 3_000
    plan = rng.choice(["starter", "team"], n, p=[0.6, 0.4])
    chance = np.where(plan == "starter", rng.beta(1.0, 6.0, n), rng.beta(1.2, 60.0, n))
    month = np.where(plan == "starter", 47 * rng.beta(4, 1.2, n), rng.integers(0, 48, n)).astype(int)
    life = rng.geometric(chance)
    first = pd.period_range("2021-01", periods=400, freq="M").to_timestamp()
    log = pd.DataFrame({"customer_id": range(n), "start": first[month], "end": first[np.minimum(month + life, 399)]})
    spells = read_contracts(
        log.assign(plan=plan), sampling="acquisition", observation_end="2024-12-31", covariates=["plan"]
    )
    window = {"period": "M", "origins": ["2023-12-31"], "renewals": 12}
    pooled, by_plan = (backtest_retention(ShiftedBetaGeometric, spells, **window, by=by) for by in (None, "plan"))
    assert pooled["error"].iloc[0] < -0.05
    assert by_plan["inside"].all()
    assert abs(by_plan["error"].iloc[0]) < 0.03
    kept, today = (make(spells, period="M", by="plan") for make in (retention_table, active_customers))
    terms = rm.Terms(price=10, annual_discount_rate=0.1, billing_period="M", horizon=24)
    fit = rm.fit(ShiftedBetaGeometric, kept, by="plan")
    worth = rm.value.contract_value_by_group(fit, today, terms, by="plan", renewals=12)
    assert worth.drop(index="all")["value"].sum() == pytest.approx(worth.loc["all", "value"])
    assert worth.loc["all", "pooled_value"] == pytest.approx(rm.total_value(fit, today, terms)["value"].iloc[0])
    still = (month <= 47) & (month + life > 47)
    truth = 10 * ((1 - chance[still])[:, None] ** np.arange(1, 25) @ 1.1 ** (-np.arange(24) / 12)).sum()
    assert worth.loc["all", "value"] == pytest.approx(truth, rel=0.05)
    assert worth.loc["all", "pooled_value"] > 1.05 * truth
    check = rm.value.one_model_check(worth)
    assert check.passed is False
    assert re.match(r"The value by one model for all customers differs by \+\d+\.\d % from the sum over", check.detail)
    both = rm.value.value_by_evidence(fit, today, terms, kept, by="plan", past_errors=by_plan)
    alone = [
        rm.value.value_by_evidence(fit.groups[p], today[today["plan"] == p], terms, kept, past_errors=by_plan)
        for p in ("starter", "team")
    ]
    for name in ("value", "planning_lower_95", "planning_upper_80"):
        assert both.loc["seen", name] == pytest.approx(sum(table.loc["seen", name] for table in alone))
    assert rm.value.one_model_check(worth.loc[["team", "all"]]).passed is None
    with pytest.raises(ValueError, match="the fit has no groups: fit the model with by='plan'"):
        rm.value.contract_value_by_group(fit.groups["team"], today, terms, by="plan", renewals=12)
    with pytest.raises(ValueError, match="the fit has no groups: fit the model with by='plan'"):
        rm.value.value_by_evidence(fit.groups["team"], today, terms, kept, by="plan")
