"""The value of contracts by what was seen, and the models that fit about equally well."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.value.by_evidence import value_by_evidence

TERMS = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M")


@pytest.fixture(scope="module")
def business():
    """A log of contracts, its retention table and the customers of today."""
    simulated = rm.scenario.subscriptions(np.random.default_rng(6), customers=2_000)
    spells = rm.logs.choose_settings(simulated.contracts, start="start", cause="cause").spells
    return rm.retention_table(spells, period="M"), rm.logs.active_customers(spells, period="M")


@pytest.fixture(scope="module")
def backtest():
    """Two earlier forecasts, one of which expected too few survivors."""
    rows = {"2022-12-31": ("2023-12-31", 1000, 640, 600.0), "2023-12-31": ("2024-12-31", 1200, 700, 700.0)}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["until", "customers", "actual", "expected"])
    return frame.assign(renewals=12, churn_variance=0.002)


@pytest.fixture(scope="module")
def fit(business):
    return rm.fit(rm.ShiftedBetaGeometric, business[0])


def test_the_parts_are_the_values_within_their_horizons_and_add_up(business, fit, backtest):
    kept, today = business
    parts = value_by_evidence(fit, today, TERMS, kept, past_errors=backtest)
    seen = int(kept["tenure"].max())
    assert parts["renewals"].tolist() == [12, seen, np.inf]
    for part, renewals in (("tested", 12), ("seen", seen)):
        within = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M", horizon=renewals)
        expected = rm.total_value(fit, today, within, past_errors=backtest).iloc[0]
        for name in ("value", "value_lower", "value_upper", "planning_lower_80", "planning_upper_95"):
            assert parts.loc[part, name] == pytest.approx(expected[name])
    whole = rm.total_value(fit, today, TERMS).iloc[0]["value"]
    assert parts.loc["seen", "value"] + parts.loc["beyond", "value"] == pytest.approx(whole)
    assert parts["share"].tolist() == pytest.approx((parts["value"] / whole).tolist())


def test_the_share_at_rare_tenures_is_that_of_payments_there(business, fit, backtest):
    """By the definition: every payment within the horizon, at each customer's own tenure."""
    kept, today = business
    reached = kept.groupby("tenure")["at_risk"].sum()
    seen, common = int(reached.index.max()), reached[reached >= 30].index.max()
    whole = rare = 0.0
    for tenure, n in zip(today["tenure"], today["weight"], strict=True):
        ahead = np.arange(1, seen + 1)
        payments = n * fit.model.survival_function(tenure + ahead, given=tenure) * 1.1 ** (-(ahead - 1) / 12)
        whole, rare = whole + payments.sum(), rare + payments[tenure + ahead > common].sum()
    parts = value_by_evidence(fit, today, TERMS, kept, past_errors=backtest)
    assert parts.loc["seen", "share_at_rare_tenures"] == pytest.approx(rare / whole, rel=1e-9)
    assert parts.loc["tested", "share_at_rare_tenures"] < parts.loc["seen", "share_at_rare_tenures"]


def test_without_a_discount_there_is_nothing_beyond_and_without_a_backtest_nothing_tested(business, fit):
    kept, today = business
    free = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.0, billing_period="M")
    parts = value_by_evidence(fit, today, free, kept)
    assert parts.index.tolist() == ["seen"]
    assert parts["share"].tolist() == [1.0]


def test_what_cannot_have_been_tested_is_refused(business, fit, backtest):
    kept, today = business
    with pytest.raises(ValueError, match=r"past_errors look 400 renewals ahead, and the log is only \d+ renewals long"):
        value_by_evidence(fit, today, TERMS, kept, past_errors=backtest.assign(renewals=400))
    with pytest.raises(TypeError, match=r"past_errors of contracts must be the frame of evaluation.backtest_retention"):
        value_by_evidence(fit, today, TERMS, kept, past_errors=backtest.drop(columns="until"))
    with pytest.raises(ValueError, match="at_risk is 0 in every row"):
        value_by_evidence(fit, today, TERMS, kept.assign(at_risk=0, lost=0))


def test_models_that_agree_on_what_was_seen_differ_beyond():
    """The log of notebook 04: sBG and two segments fit alike, and promise very different values beyond it."""
    simulated = rm.scenario.subscriptions(np.random.default_rng(6), customers=6_000)
    spells = rm.logs.choose_settings(simulated.contracts, start="start", cause="cause").spells
    kept, today = rm.retention_table(spells, period="M"), rm.logs.active_customers(spells, period="M")
    found = rm.fitting.contract_alternatives(kept)
    assert next(iter(found)) == "ShiftedBetaGeometric"
    assert {"ShiftedBetaGeometric", "TwoSegments"} <= set(found)
    parts = {name: value_by_evidence(each, today, TERMS, kept) for name, each in found.items()}
    seen, beyond = (
        [parts[name].loc[part, "value"] for name in ("ShiftedBetaGeometric", "TwoSegments")]
        for part in ("seen", "beyond")
    )
    assert seen[0] == pytest.approx(seen[1], rel=0.02)
    assert beyond[0] > 1.7 * beyond[1]
    assert sum(column[1] for column in (seen, beyond)) == pytest.approx(567_711, abs=1)


def test_a_model_that_ran_to_a_limit_is_not_heard_twice():
    spells = rm.survival.Geometric(0.1).simulate(np.full(4_000, 20), np.random.default_rng(3))
    found = rm.fitting.contract_alternatives(rm.logs.retention_table_from_tenures(spells, sampling="acquisition"))
    assert len(found) < 4
    assert list(found) == sorted(found, key=lambda name: found[name].aic)


def test_where_no_model_can_be_fitted_every_reason_is_told():
    nobody = pd.DataFrame({"tenure": [1, 2], "at_risk": [100, 100], "lost": [0, 0]})
    with pytest.raises(ValueError, match=r"no contract model can be fitted: ShiftedBetaGeometric: .*TwoSegments: "):
        rm.fitting.contract_alternatives(nobody)


def test_the_share_at_rare_tenures_knows_the_covariates_of_customers():
    rows = [(plan, t, n, int(n * h)) for plan, h in (("a", 0.02), ("b", 0.3)) for t, n in ((1, 900), (2, 400), (3, 10))]
    kept = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    fit = rm.fit(rm.ShiftedBetaGeometric, kept, churn_covariates="plan")
    shares = {}
    for plan in ("a", "b"):
        base = pd.DataFrame({"tenure": [0], "weight": [10.0], "plan": [plan]})
        shares[plan] = value_by_evidence(fit, base, TERMS, kept).loc["seen", "share_at_rare_tenures"]
    assert shares["a"] > shares["b"] + 0.02  # who stays pays more of it late


def test_groups_that_pay_nothing_are_worth_nothing_and_leave_no_share_open():
    kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 25], "lost": [369, 163, 86, 4]})
    plans = pd.concat([kept.assign(plan="free"), kept.assign(plan="trial")])
    base = pd.DataFrame({"plan": ["free", "trial"], "tenure": [1, 3], "weight": [50, 60], "price": [0.0, 0.0]})
    fit = rm.fit(rm.ShiftedBetaGeometric, plans, by="plan")
    terms = rm.Terms(price="price", annual_discount_rate=0.1, billing_period="Y")
    parts = value_by_evidence(fit, base, terms, plans, by="plan")
    assert (parts[["value", "share", "share_at_rare_tenures"]].loc["seen"] == 0).all()
    assert parts.notna().all(axis=None)
