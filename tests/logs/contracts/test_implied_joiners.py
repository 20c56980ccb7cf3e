"""Survivors in a window of time, against the number who must have joined to leave so many."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.logs.contracts.retention_counts import check_implied_joiners

TRUTH = rm.ShiftedBetaGeometric(0.9, 8.0)


def window(rng, joined, months, hazard):
    """Customers of a month ago by tenure, who came at a steady pace, and who of them left by ``hazard``."""
    ages = np.arange(1, months + 1)
    came = rng.binomial(joined, TRUTH.survival_function(ages - 1))
    lost = rng.binomial(came, hazard(ages))
    return pd.DataFrame({"tenure": ages, "at_risk": came, "lost": lost})


def test_a_steady_business_explains_its_survivors():
    """Of 200 steady businesses hardly any is refused."""
    rng = np.random.default_rng(3)
    checks = [check_implied_joiners(window(rng, 300, 60, TRUTH.hazard)) for _ in range(200)]
    assert sum(check.passed is False for check in checks) <= 2


def test_a_month_of_high_churn_cannot_explain_customers_of_long_ago():
    table = window(np.random.default_rng(3), 500, 72, lambda ages: np.full(len(ages), 0.25))
    check = check_implied_joiners(table)
    assert check.passed is False
    tenure = table["tenure"].to_numpy()
    survival = np.concatenate([[1.0], np.cumprod(1 - table["lost"] / table["at_risk"])[:-1]])
    joined = table["at_risk"] / survival
    worst = tenure[int(np.argmax(joined.where(table["at_risk"] >= 10)))]
    assert abs(int(check.detail.split("renewal ")[1].split(".")[0]) - worst) <= 6
    assert "must have joined then. Today 500 join. Churn in this window is not that of earlier times" in check.detail


def test_a_growing_business_is_no_contradiction():
    rng = np.random.default_rng(5)
    ages = np.arange(1, 49)
    came = rng.binomial((2_000 * 0.93**ages).astype(int) + 1, TRUTH.survival_function(ages - 1))
    table = pd.DataFrame({"tenure": ages, "at_risk": came, "lost": rng.binomial(came, TRUTH.hazard(ages))})
    assert check_implied_joiners(table).passed is True


def test_few_customers_decide_nothing():
    few = pd.DataFrame({"tenure": [1, 2], "at_risk": [5, 3], "lost": [1, 1]})
    assert check_implied_joiners(few).passed is None


@pytest.mark.parametrize("sampling", ["window", "acquisition"])
def test_tables_of_a_window_are_checked_and_others_are_not(sampling):
    table = window(np.random.default_rng(3), 500, 72, lambda ages: np.full(len(ages), 0.25))
    kept, lost = table["at_risk"] - table["lost"], table["lost"]
    rows = pd.concat(
        [
            pd.DataFrame({"tenure": np.repeat(table["tenure"], n), "churned": churned})
            for n, churned in ((kept, "No"), (lost, "Yes"))
        ]
    )
    found = rm.logs.retention_table_from_tenures(rows, sampling=sampling).attrs["checks"]
    failed = [check["name"] for check in found if check["passed"] is False]
    assert failed == (["Implied number of new customers"] if sampling == "window" else [])
