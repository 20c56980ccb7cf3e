"""A frame is opened once on its way, and its columns are checked once, however many functions it passes."""

import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.tables import customer_table

TERMS = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.1, margin=0.3)
MONTHLY = rm.Terms(annual_discount_rate=0.1, billing_period="M", price=10)


@pytest.fixture(scope="module")
def customers():
    summary = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    return summary.assign(month=summary["first_purchase"].dt.month_name())


@pytest.fixture(scope="module")
def fits(customers):
    return {name: rm.fit(getattr(rm, name), customers) for name in ("ParetoNBD", "BGNBD", "GammaGamma")}


@pytest.fixture(scope="module")
def kept():
    plans = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
    rows = [("all", plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in plans.items() for t in range(4)]
    return pd.DataFrame(rows, columns=["cohort", "plan", "tenure", "at_risk", "lost"])


@pytest.fixture
def counted(monkeypatch):
    """How often a frame is opened, and its rules are checked."""
    counts = {"opened": 0, "checked": 0}
    customers, check = customer_table.Customers, customer_table.check_rules

    class Counting(customers):
        def __init__(self, *arguments):
            counts["opened"] += 1
            super().__init__(*arguments)

    def checking(*arguments):
        counts["checked"] += 1
        check(*arguments)

    monkeypatch.setattr(customer_table, "Customers", Counting)
    monkeypatch.setattr(customer_table, "check_rules", checking)
    return counts


CALLS = {
    "fit": lambda fits, table: rm.fit(rm.ParetoNBD, table),
    "fit with covariates": lambda fits, table: rm.fit(rm.ParetoNBD, table, purchase_covariates="month"),
    "predict": lambda fits, table: rm.predict(fits["ParetoNBD"], table, 39),
    "predict_total": lambda fits, table: rm.predict_total(fits["ParetoNBD"], table, 39),
    "customer_value": lambda fits, table: rm.customer_value(fits["BGNBD"], table, TERMS, spend=fits["GammaGamma"]),
    "total_value": lambda fits, table: rm.total_value(
        fits["BGNBD"], table, TERMS, spend=fits["GammaGamma"], by="month"
    ),
    "value_by_horizon": lambda fits, table: rm.value.value_by_horizon(
        fits["BGNBD"], table, TERMS, horizons=[13, 26, 52], spend=fits["GammaGamma"]
    ),
    "value_by_segment": lambda fits, table: rm.value.value_by_segment(fits["BGNBD"], table, TERMS, "month"),
    "compare": lambda fits, table: rm.compare([fits["ParetoNBD"], fits["BGNBD"]], table),
    "status_by_group": lambda fits, table: rm.forecast.status_by_group(fits["BGNBD"], table, "month"),
    "holdout_scores": lambda fits, table: rm.evaluation.holdout_scores([fits["ParetoNBD"], fits["BGNBD"]], table),
}
OF_CONTRACTS = {
    "fit": lambda kept, today: rm.fit(rm.ShiftedBetaGeometric, kept, churn_covariates="plan"),
    "forecast_retention": lambda kept, today: rm.forecast_retention(kept, today, renewals=3, by="plan"),
    "customer_value": lambda kept, today: rm.customer_value(kept, today, MONTHLY),
    "total_value": lambda kept, today: rm.total_value(kept, today, MONTHLY, by="plan"),
    "saved_value": lambda kept, today: rm.saved_value(kept, today, MONTHLY),
    "predict_retention": lambda kept, today: rm.forecast.predict_retention(kept, today.assign(tenure=1)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_purchases_are_opened_and_checked_once(call, engine, customers, fits, counted):
    table = customers if engine == "pandas" else pl.from_pandas(customers.reset_index())
    call(fits, table)
    assert counted == {"opened": 1, "checked": 1}


@pytest.mark.parametrize("name", OF_CONTRACTS)
def test_contracts_are_opened_and_checked_once(name, kept, counted):
    today = pd.DataFrame({"plan": ["regular", "high end"], "tenure": [4, 2], "weight": [326, 653]})
    given = kept if name == "fit" else rm.fit(rm.ShiftedBetaGeometric, kept, churn_covariates="plan")
    counted.update(opened=0, checked=0)
    OF_CONTRACTS[name](given, today)
    assert counted == {"opened": 1, "checked": 1}
