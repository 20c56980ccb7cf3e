"""Second spells: customers who differ leave again soon, customers with a habit start anew."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.evaluation.returned_customers import second_spells

N = 12_000


def log_of(habit: bool, rng: np.random.Generator) -> pd.DataFrame:
    """Monthly contracts of customers who differ, or who all get more loyal alike; a third of the leavers come back."""
    model = rm.ShiftedBetaGeometric(1.0, 6.0)
    chance = rng.beta(1.0, 6.0, N)
    start = rng.integers(0, 36, N)

    def life():
        if not habit:
            return rng.geometric(chance)
        return model.simulate(np.full(N, 80), rng)["tenure"].to_numpy()

    first = life()
    gone = start + first
    again = gone + rng.integers(1, 4, N)
    back = (rng.random(N) < 0.33) & (again < 40)
    second = life()
    rows = [(np.arange(N), start, gone), (np.arange(N)[back], again[back], (again + second)[back])]
    month = pd.period_range("2020-01", periods=400, freq="M").to_timestamp()
    frames = [
        pd.DataFrame({"customer_id": who, "start": month[a], "end": month[np.minimum(z, 399)]}) for who, a, z in rows
    ]
    return pd.concat(frames, ignore_index=True)


def fitted(log):
    spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-12-31")
    firsts = rm.retention_table(spells, period="M", by="spell").query("spell == 1").drop(columns="spell")
    return rm.fit(rm.ShiftedBetaGeometric, firsts), spells


@pytest.mark.parametrize(("habit", "expected"), [(False, 1.0), (True, 0.0)])
def test_second_spells_tell_sorting_from_habit(habit, expected):
    fit, spells = fitted(log_of(habit, np.random.default_rng(5)))
    found = second_spells(fit, spells, period="M").iloc[0]
    assert found["sorting_share_lower"] < expected < found["sorting_share_upper"]
    assert found["sorting_share_upper"] - found["sorting_share_lower"] < 0.5
    assert found["if_sorting"] > found["if_habit"] + 100


def test_the_numbers_are_those_of_the_customers_who_came_back():
    days = {
        1: ("2023-01-01", "2023-03-01", "2023-06-01", "2023-08-01"),
        2: ("2023-01-01", "2023-02-01", "2023-05-01", None),
        3: ("2023-01-01", "2023-05-01", None, None),
    }
    rows = [(who, a, z) for who, (a, z, b, y) in days.items() for a, z in ((a, z), (b, y)) if a]
    log = pd.DataFrame(rows, columns=["customer_id", "start", "end"])
    model = rm.ShiftedBetaGeometric(1.0, 3.0)
    kept = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 700, 560], "lost": [300, 140, 90]})
    fit = rm.fit(rm.ShiftedBetaGeometric, kept)
    model = fit.model
    for source in (log, pl.from_pandas(log)):
        spells = rm.read_contracts(source, sampling="acquisition", observation_end="2023-12-31")
        found = second_spells(fit, spells, period="M").iloc[0]
        assert found[["customers", "renewals", "lost"]].tolist() == [2, 2 + 7, 1]
        hazards = []
        for left, last in ((2, 2), (1, 7)):
            curve = model.survival_if_saved(np.arange(last + 1), left)
            hazards += (1 - curve[1:] / curve[:-1]).tolist()
        assert found["if_sorting"] == pytest.approx(sum(hazards))
        assert found["if_habit"] == pytest.approx(model.hazard(np.append([1, 2], np.arange(1, 8))).sum())
        assert np.isnan(found["sorting_share"])  # too few to tell


def test_where_nobody_came_back_there_is_no_row():
    log = pd.DataFrame({"customer_id": [1, 2], "start": "2023-01-01", "end": ["2023-03-01", None]})
    kept = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 700, 560], "lost": [300, 140, 90]})
    fit = rm.fit(rm.ShiftedBetaGeometric, kept)
    spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-12-31")
    assert second_spells(fit, spells, period="M").empty
    plan = pd.concat([kept.assign(plan="a"), kept.assign(plan="b", lost=[200, 140, 90])])
    by_plan = rm.fit(rm.ShiftedBetaGeometric, plan, churn_covariates="plan")
    with pytest.raises(ValueError, match="the fit has covariates"):
        second_spells(by_plan, spells, period="M")
