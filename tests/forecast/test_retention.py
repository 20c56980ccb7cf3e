"""Curves of groups and forecasts of who stays."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import bdtr
from scipy.stats import t as t_law

import retention_models as rm
from retention_models.fitting.estimate import fit
from retention_models.fitting.spell_curves import cause_curves, survival_curves
from retention_models.forecast.retention import _survivors, forecast_retention
from retention_models.logs.contracts.log import read_contracts
from retention_models.logs.contracts.retention import retention_table
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.curves import curve_table, kaplan_meier
from retention_models.survival.sbg import ShiftedBetaGeometric

RNG = np.random.default_rng(1)
FRAME = pd.DataFrame(
    {
        "plan": RNG.choice(["month", "year"], 60),
        "entry": RNG.integers(0, 3, 60),
        "tenure": RNG.integers(4, 20, 60) + 0.5,
        "churned": RNG.random(60) < 0.7,
        "cause": RNG.choice(["price", "moved"], 60),
        "weight": RNG.integers(1, 4, 60),
    }
)
REGULAR = pd.DataFrame(
    {"tenure": range(1, 8), "at_risk": [1000, 631, 468, 382, 326, 289, 262], "lost": [369, 163, 86, 56, 37, 27, 21]}
)


def test_curves_of_groups_are_those_of_their_rows():
    curves = survival_curves(FRAME, by="plan")
    assert list(curves) == ["month", "year"]
    month = FRAME[FRAME["plan"] == "month"]
    own = kaplan_meier(month["tenure"], month["churned"], entry=month["entry"], weight=month["weight"])
    np.testing.assert_array_equal(curves["month"].survival, own.survival)
    polars = survival_curves(pl.DataFrame(FRAME.to_dict("list")), by="plan")
    np.testing.assert_array_equal(polars["month"].survival, own.survival)
    everyone = survival_curves(FRAME.drop(columns="entry"))["all"]
    assert everyone.at_risk[0] == FRAME["weight"].sum()


def test_curves_by_cause_add_up_to_those_of_all_causes():
    curves, whole = cause_curves(FRAME, by="plan"), survival_curves(FRAME, by="plan")
    for plan, curve in curves.items():
        assert curve.causes == ("moved", "price")
        np.testing.assert_allclose(curve.overall.survival, whole[plan].survival)
    with pytest.raises(ValueError, match="cause not in the table"):
        cause_curves(FRAME.drop(columns="cause"))


def test_a_log_a_frame_and_a_table_lead_to_curves():
    log = pd.DataFrame(
        {"customer_id": range(4), "start": "2023-01-01", "end": ["2023-02-01", "2023-03-01", None, "2023-03-01"]}
    )
    spells = read_contracts(
        log.assign(why="price", plan=list("aabb")),
        sampling="acquisition",
        observation_end="2023-04-01",
        cause="why",
        covariates=["plan"],
    )
    days = survival_curves(spells)["all"]
    assert days.tenure.tolist() == [31, 59, 90]
    np.testing.assert_allclose(days.survival, [0.75, 0.25, 0.25])
    months = survival_curves(retention_table(spells, period="M"))["all"]
    assert months.tenure.tolist() == [1, 2, 3]
    np.testing.assert_allclose(months.survival, days.survival)
    assert set(survival_curves(spells, by="plan")) == {"a", "b"}
    assert cause_curves(spells)["all"].incidence[-1, 0] == pytest.approx(0.75)


def test_a_table_that_begins_late_gives_a_curve_that_begins_late():
    late = survival_curves(REGULAR[REGULAR["tenure"] > 3])["all"]
    assert late.start == 3
    assert late.survival_function(4) == pytest.approx(1 - 56 / 382)


def test_curves_of_groups_stand_in_one_frame():
    table = curve_table(survival_curves(FRAME, by="plan"), at=[5, 10], level=0.8)
    assert table.columns[0] == "group"
    assert table["group"].tolist() == ["month", "month", "year", "year"]
    causes = curve_table(cause_curves(FRAME, by="plan"), at=[10])
    assert causes[["group", "cause"]].to_numpy().tolist() == [
        ["month", "moved"], ["month", "price"], ["year", "moved"], ["year", "price"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"churned": 2}, "churned is neither True nor False for 60 of 60 rows"),
        ({"entry": -1}, "entry is negative"),
        ({"entry": 30}, "tenure does not exceed entry for 60 of 60 rows"),
        ({"tenure": np.nan}, "tenure is missing, infinite or not a number"),
    ],
)
def test_bad_spells_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        survival_curves(FRAME.assign(**change))


def test_a_forecast_is_the_share_that_survives_of_each_tenure():
    found = fit(ShiftedBetaGeometric, REGULAR)
    base = pd.DataFrame({"tenure": [0, 3, 7], "weight": [200, 100, 50], "cohort": ["b", "a", "a"]})
    forecast = forecast_retention(found, base, renewals=3)
    share = [found.model.survival_function(t + np.arange(1, 4), given=t) for t in (0, 3, 7)]
    np.testing.assert_allclose(forecast["expected"], np.array([200, 100, 50]) @ np.array(share))
    assert (forecast["customers"] == 350).all()
    by_cohort = forecast_retention(found, base, renewals=3, by="cohort")
    assert by_cohort["group"].tolist() == ["a"] * 3 + ["b"] * 3
    np.testing.assert_allclose(by_cohort.groupby("ahead")["expected"].sum(), forecast["expected"])
    assert (forecast["survivors_lower"] <= forecast["expected_lower"] + 1).all()
    assert (forecast["survivors_upper"] >= forecast["expected_upper"] - 1).all()


def test_the_published_cohort_fell_inside_the_interval():
    """Fader & Hardie (2007): four renewals forecast the eight that followed, 326 becoming 289, 262, ... 173."""
    found = fit(ShiftedBetaGeometric, REGULAR.head(4))
    forecast = forecast_retention(found, pd.DataFrame({"tenure": [4], "weight": [326]}), renewals=8)
    actual = np.array([289, 262, 241, 223, 207, 194, 183, 173])
    assert forecast["survivors_lower"].le(actual).all()
    assert forecast["survivors_upper"].ge(actual).all()


def test_survivors_without_doubt_about_the_probability_are_binomial():
    n, p = 40, np.array([0.0, 0.13, 0.8, 1.0])
    number = np.arange(n + 1)[:, None]
    for share in (0.025, 0.5, 0.975):
        exact = (bdtr(number, n, p) < share - 1e-12).sum(axis=0)
        np.testing.assert_array_equal(_survivors(n, p, [np.zeros(4)] * 2, share), exact)


def test_doubt_about_the_probability_widens_the_interval():
    p, error = np.array([0.6]), np.array([0.05])
    wide = [_survivors(1000, p, [error / p / (1 - p)] * 2, share)[0] for share in (0.025, 0.975)]
    assert wide[0] == pytest.approx(600 - 1.96 * np.hypot(50, np.sqrt(240)), abs=6)
    assert wide[1] == pytest.approx(600 + 1.96 * np.hypot(50, np.sqrt(240)), abs=6)


def test_a_forecast_needs_whole_renewals():
    found = fit(ShiftedBetaGeometric, REGULAR)
    for renewals in (0, -1, 1.5):
        with pytest.raises(ValueError, match="renewals must be a whole number, 1 or more"):
            forecast_retention(found, pd.DataFrame({"tenure": [1]}), renewals=renewals)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [ShiftedBetaGeometric(1.5, 4.0), BetaDiscreteWeibull(0.5, 0.9, 1.3)], ids=repr)
def test_forecast_intervals_hold_what_comes_true(truth):
    """1,000 cohorts of 2,000 seen for six renewals: 95 % intervals of the survivors after ten hold about 95 %."""
    rng = np.random.default_rng(3)
    held, tenures = [], np.arange(1, 7)
    for _ in range(1000):
        life = truth.simulate(np.full(2000, 30), rng)["tenure"].to_numpy()
        table = pd.DataFrame(
            {
                "tenure": tenures,
                "at_risk": [(life >= t).sum() for t in tenures],
                "lost": [(life == t).sum() for t in tenures],
            }
        )
        base = pd.DataFrame({"tenure": [6], "weight": [(life > 6).sum()]})
        row = forecast_retention(fit(type(truth), table), base, renewals=4).iloc[-1]
        held.append(row["survivors_lower"] <= (life > 10).sum() <= row["survivors_upper"])
    assert 0.93 < np.mean(held) < 0.975


def test_the_planning_range_adds_the_errors_of_earlier_forecasts():
    """By the formula in the docstring, for one group that is known without chance or parameter error."""
    fit = rm.fit(ShiftedBetaGeometric, pd.DataFrame({"tenure": [1, 2], "at_risk": [1e9, 8e8], "lost": [2e8, 1e8]}))
    base = pd.DataFrame({"tenure": [1, 2], "weight": [3e8, 5e8]})
    days = {"2020-12-31": "2021-12-31", "2021-12-31": "2022-12-31", "2022-12-31": "2023-12-31"}
    backtest = pd.DataFrame({"until": days}).rename_axis("origin")
    backtest = backtest.assign(customers=10**6, actual=[700_000, 500_000, 650_000], expected=600_000.0)
    backtest["churn_variance"], backtest["renewals"] = 0.001, 2
    planned = rm.forecast_retention(fit, base, renewals=3, past_errors=backtest)
    log_k = np.log(np.log(np.array([0.7, 0.5, 0.65])) / np.log(0.6))
    excess = np.mean(log_k**2 - 0.001)
    for level, percent in ((0.8, 80), (0.95, 95)):
        for i, ahead in enumerate((1, 2, 3)):
            sd = np.sqrt((3 * 0.05**2 + 3 * excess * np.sqrt(2 / ahead)) / 6)
            k = np.exp(t_law.ppf((1 + level) / 2, 6) * sd)
            for end, factor in (("lower", k), ("upper", 1 / k)):
                each = fit.model.survival_function(base["tenure"] + ahead, given=base["tenure"]) ** factor
                assert planned.loc[i, f"planning_{end}_{percent}"] == pytest.approx(each @ base["weight"], rel=2e-4)


def test_without_earlier_forecasts_the_stated_error_counts_and_ranges_are_nested():
    fit = rm.fit(ShiftedBetaGeometric, pd.DataFrame({"tenure": [1, 2], "at_risk": [900, 700], "lost": [200, 90]}))
    base = pd.DataFrame({"tenure": [0, 2], "weight": [0, 610], "plan": ["a", "b"]})
    empty = pd.DataFrame(columns=["renewals", "until", "customers", "actual", "expected", "churn_variance"])
    planned = rm.forecast_retention(fit, base, renewals=4, by="plan", past_errors=empty)
    b = planned[planned["group"] == "b"]
    names = ["planning_lower_95", "survivors_lower", "expected", "survivors_upper", "planning_upper_95"]
    assert (np.diff(b[names].to_numpy(dtype=float), axis=1) > 0).all()
    assert (b["planning_lower_80"] > b["planning_lower_95"]).all()
    assert planned.notna().all(axis=None)
    assert (planned.loc[planned["group"] == "a", "planning_upper_95"] == 0).all()
    with pytest.raises(TypeError, match=r"must be the frame of evaluation.backtest_retention"):
        rm.forecast_retention(fit, base, renewals=4, past_errors=base)
