"""Cohorts that borrow from each other."""

import re

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.estimate import fit
from retention_models.fitting.pooled import cohort_check, fit_pooled
from retention_models.fitting.result import Fit
from retention_models.forecast.retention import forecast_retention
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric


def cohorts(n, size, spread, rng):
    """A triangle of cohorts whose mean chance to leave and concentration vary, and the truth of each."""
    rows, truth = [], []
    for cohort in range(n):
        odds, both = 0.32 * np.exp(spread * rng.normal()), 3.3 * np.exp(0.7 * spread * rng.normal())
        mean = odds / (1 + odds)
        truth.append((mean * both, (1 - mean) * both))
        followed = 1 + cohort % 12
        life = ShiftedBetaGeometric(*truth[-1]).simulate(np.full(size, followed), rng)
        for t in range(1, followed + 1):
            came = (life["tenure"] >= t).sum()
            rows.append((f"c{cohort:03d}", t, came, ((life["tenure"] == t) & life["churned"]).sum()))
    table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    return table[table["at_risk"] > 0], np.array(truth)


def first_hazards(found):
    return np.array([float(group.model.hazard(1)) for group in found.groups.values()])


def test_pooling_is_nearer_to_the_truth_than_one_fit_for_all_and_than_each_alone():
    table, truth = cohorts(36, 300, 0.3, np.random.default_rng(1))
    true = truth[:, 0] / truth.sum(axis=1)
    pooled = fit_pooled(ShiftedBetaGeometric, table)
    own = table[table["tenure"] == 1].set_index("cohort").eval("lost / at_risk").to_numpy()
    together = float(pooled.model.hazard(1))
    errors = [np.sqrt(np.mean((found - true) ** 2)) for found in (first_hazards(pooled), own, together)]
    assert errors[0] < errors[1] < errors[2]


def test_a_cohort_that_alone_tells_nothing_of_its_parameters_has_a_fit():
    table, _ = cohorts(12, 300, 0.3, np.random.default_rng(2))
    youngest = table.groupby("cohort")["tenure"].max().idxmin()
    with pytest.raises(ValueError, match="2 parameters and needs customers at risk at as many tenures"):
        fit(ShiftedBetaGeometric, table[table["cohort"] == youngest])
    found = fit_pooled(ShiftedBetaGeometric, table).groups[youngest]
    assert found.n_customers == 300
    assert not found.table().isna().any().any()
    base = pd.DataFrame({"tenure": [1], "weight": [200]})
    assert forecast_retention(found, base, renewals=3)["expected"].is_monotonic_decreasing


def test_the_more_a_cohort_tells_the_less_it_borrows():
    table, _ = cohorts(24, 300, 0.3, np.random.default_rng(3))
    large = table.assign(at_risk=table["at_risk"] * 1000, lost=table["lost"] * 1000)
    own = fit(ShiftedBetaGeometric, large[large["cohort"] == "c011"])
    borrowed = fit_pooled(ShiftedBetaGeometric, large).groups["c011"]
    np.testing.assert_allclose(borrowed.params, own.params, rtol=1e-2)
    np.testing.assert_allclose(borrowed.covariance, own.covariance, rtol=0.05)


def test_cohorts_that_are_the_same_stay_together_and_the_note_says_how_far_apart_they_are():
    table, _ = cohorts(60, 2000, 0.0, np.random.default_rng(4))
    pooled = fit_pooled(ShiftedBetaGeometric, table)
    assert np.ptp(first_hazards(pooled)) < 0.03
    assert pooled.notes[-1].startswith(
        "Cohorts are partially pooled; from one to another the share who leave at the first renewal typically differs"
    )


def test_the_order_of_rows_and_a_model_of_three_parameters():
    table, _ = cohorts(24, 500, 0.2, np.random.default_rng(5))
    ours = fit_pooled(BetaDiscreteWeibull, table)
    theirs = fit_pooled(BetaDiscreteWeibull, table.sample(frac=1, random_state=1))
    for label, group in ours.groups.items():
        np.testing.assert_allclose(theirs.groups[label].params, group.params, rtol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-12)


def test_what_cannot_be_pooled_is_named():
    table, _ = cohorts(6, 200, 0.2, np.random.default_rng(6))
    with pytest.raises(ValueError, match="need at least three cohorts; cohort has 2"):
        fit_pooled(ShiftedBetaGeometric, table[table["cohort"] < "c002"].assign(tenure=lambda t: t["tenure"]))
    format_together = pd.DataFrame(
        {"tenure": [1, 2, 3] * 3, "at_risk": [1000, 800, 640] * 3, "lost": [200, 160, 128] * 3}
    )
    with pytest.raises(ValueError, match="alpha of ShiftedBetaGeometric ran to an edge with all cohorts together"):
        fit_pooled(ShiftedBetaGeometric, format_together.assign(cohort=np.repeat([1, 2, 3], 3)))
    assert len(fit_pooled(Geometric, format_together.assign(cohort=np.repeat([1, 2, 3], 3))).groups) == 3


@pytest.mark.slow
def test_intervals_of_cohorts_cover():
    """40 triangles of 30 cohorts: the intervals of the first hazards hold the truth in 95 % of 1,200 cohorts."""
    rng, held = np.random.default_rng(7), []
    for _ in range(40):
        table, truth = cohorts(30, 300, 0.3, rng)
        for group, (alpha, beta) in zip(fit_pooled(ShiftedBetaGeometric, table).groups.values(), truth, strict=True):
            hazard = float(group.model.hazard(1))
            slope = hazard * (1 - hazard) / group.params.to_numpy() * [1, -1]
            error = np.sqrt(slope @ group.covariance.to_numpy() @ slope)
            held.append(abs(hazard - alpha / (alpha + beta)) < 1.96 * error)
    assert 0.92 < np.mean(held) < 0.975


def test_the_check_of_cohorts_tells_like_ones_from_others():
    rng = np.random.default_rng(4)
    format_together, _ = cohorts(12, 400, 0.0, rng)
    frame, check = cohort_check(ShiftedBetaGeometric, format_together, renewals=6)
    assert check.passed
    assert frame["share"].is_monotonic_decreasing
    assert frame["share"].between(frame["share_lower"], frame["share_upper"]).all()
    other, _ = cohorts(12, 3000, 0.8, rng)
    frame, check = cohort_check(ShiftedBetaGeometric, other, renewals=6)
    assert check.passed is False
    assert frame["difference"].abs().idxmax() in check.detail


def test_the_check_of_cohorts_says_why_it_cannot_tell():
    frame, check = cohort_check(
        ShiftedBetaGeometric, cohorts(12, 400, 0.0, np.random.default_rng(4))[0].query("cohort == 'c011'"), renewals=6
    )
    assert frame.empty
    assert check.passed is None
    assert "need at least three cohorts" in check.detail


def test_the_check_of_cohorts_says_where_a_table_has_none():
    table = cohorts(3, 400, 0.0, np.random.default_rng(4))[0].groupby("tenure", as_index=False)[["at_risk", "lost"]]
    frame, check = cohort_check(ShiftedBetaGeometric, table.sum(), renewals=6)
    assert frame.empty
    assert check.passed is None
    assert check.detail == "The table has no column 'cohort', so there are no cohorts to compare."


def test_cohorts_that_are_the_same_are_not_said_to_differ_where_parameters_are_flat():
    rng, rows = np.random.default_rng(1), []
    for cohort in range(6):
        at_risk = 300
        for tenure in range(1, 7 - cohort):
            lost = rng.binomial(at_risk, 0.1)
            rows.append((cohort, tenure, at_risk, lost))
            at_risk -= lost
    table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    note = fit_pooled(ShiftedBetaGeometric, table).notes[-1]
    leave, stay = (int(number) for number in re.findall(r"by (\d+) %", note))
    assert leave <= 15
    assert stay <= 15


@pytest.fixture(scope="module")
def years():
    kept = {"2021": [1000, 690, 550, 468], "2022": [1000, 640, 489], "2023": [900, 610], "2024": [20, 11]}
    rows = [(c, t + 1, n[t], n[t] - n[t + 1]) for c, n in kept.items() for t in range(len(n) - 1)]
    return pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])


def test_forecasts_and_values_take_the_fit_of_the_own_cohort(years):
    pooled = fit_pooled(ShiftedBetaGeometric, years)
    today = pd.DataFrame({"cohort": ["2021", "2022", "2024"], "tenure": [3, 2, 1], "weight": [468, 489, 11]})
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=20)
    worth = rm.customer_value(pooled, today, terms)
    for i, label in enumerate(today["cohort"]):
        own = rm.customer_value(pooled.groups[label], today.iloc[[i]], terms).iloc[0]
        np.testing.assert_allclose(worth.iloc[i][:3].astype(float), own[:3].astype(float), rtol=1e-6)
    ahead = rm.forecast_retention(pooled, today, renewals=2, by="cohort")
    for label, rows in ahead.groupby("group"):
        own = rm.forecast_retention(pooled.groups[label], today[today["cohort"] == label], renewals=2)
        np.testing.assert_allclose(rows["expected"], own["expected"], rtol=1e-10)
        np.testing.assert_allclose(rows["expected_upper"], own["expected_upper"], rtol=1e-10)
    total, alone = (rm.total_value(pooled, today, terms, by=by) for by in (None, "cohort"))
    assert total["value"].iloc[0] == pytest.approx(alone["value"].sum())
    assert rm.saved_value(pooled, today, terms).loc["all", "customers"] == 968
    with pytest.raises(ValueError, match="by='cohort' is not a column of the table"):
        rm.customer_value(pooled, today.drop(columns="cohort"), terms)


def test_a_cohort_nobody_has_seen_is_as_uncertain_as_cohorts_differ(years):
    pooled = fit_pooled(ShiftedBetaGeometric, years)
    stored = Fit.from_json(pooled.to_json())
    new, old = (pd.DataFrame({"cohort": [cohort], "tenure": [0], "weight": [500]}) for cohort in ("2025", "2021"))
    unknown, known = (rm.forecast_retention(stored, people, renewals=1).iloc[0] for people in (new, old))
    width = [row["expected_upper"] - row["expected_lower"] for row in (unknown, known)]
    assert width[0] > 1.2 * width[1]
    rates = [float(one.model.retention_rate(1)) for one in pooled.groups.values()]
    assert min(rates) < unknown["expected"] / 500 < max(rates)


def test_a_pooled_fit_is_compared_by_what_its_cohorts_effectively_estimate(years):
    pooled, plain = fit_pooled(ShiftedBetaGeometric, years), fit(ShiftedBetaGeometric, years)
    assert plain.log_likelihood < pooled.log_likelihood
    assert 2 < pooled.n_parameters < 8
    compared = rm.compare({"plain": plain, "pooled": pooled}, years)
    assert compared.frame.loc["pooled", "aic"] == pytest.approx(-2 * pooled.log_likelihood + 2 * pooled.n_parameters)


@pytest.mark.slow
def test_forecasts_hold_for_cohorts_that_were_seen_and_for_one_that_was_not():
    """200 businesses of 25 cohorts: 95 % intervals of expected retention, by the truth of the simulation."""
    rng, held = np.random.default_rng(3), []
    for _ in range(200):
        table, truth = cohorts(25, 400, 0.25, rng)
        names = list(dict.fromkeys(table["cohort"]))
        pooled = fit_pooled(ShiftedBetaGeometric, table[table["cohort"] != names[-1]])
        today = pd.DataFrame({"cohort": ["new", names[5]], "tenure": [0, 6]})
        ahead = forecast_retention(pooled, today, renewals=6, by="cohort").set_index(["group", "ahead"])
        inside = []
        for group, model, made in (("new", truth[-1], 0), (str(names[5]), truth[5], 6)):
            for renewals in (1, 6):
                expected = ShiftedBetaGeometric(*model).survival_function(made + renewals, given=made)
                row = ahead.loc[(group, renewals)]
                inside.append(row["expected_lower"] <= expected <= row["expected_upper"])
        held.append(inside)
    assert np.all(np.mean(held, axis=0) > 0.92)


def like_cohorts(rng):
    """24 cohorts of 60 customers who do not differ, and those who are still there, of each cohort some."""
    rows, there = [], []
    for cohort in range(24):
        life, age = rng.geometric(rng.beta(1.5, 8.0, 60)), 24 - cohort
        label = f"c{cohort:02d}"
        rows += [(label, t, (life >= t).sum(), (life == t).sum()) for t in range(1, age + 1)]
        there.append((label, age, (life > age).sum()))
    table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    return table, pd.DataFrame(there, columns=["cohort", "tenure", "weight"]).query("weight > 0")


def test_the_spread_of_cohorts_does_not_run_away():
    """A business in which the estimate without a guard leaves every scale: Newton then found no step."""
    table, there = like_cohorts(np.random.default_rng(58))
    pooled = fit_pooled(ShiftedBetaGeometric, table)
    assert np.exp(pooled.data["cohorts"]["mean"]) == pytest.approx(fit(ShiftedBetaGeometric, table).params, rel=0.1)
    plain, ahead = (
        forecast_retention(found, there, renewals=6).iloc[-1] for found in (fit(ShiftedBetaGeometric, table), pooled)
    )
    assert ahead["expected"] == pytest.approx(plain["expected"], rel=0.02)


def test_cohorts_that_say_too_little_are_refused():
    table, _ = cohorts(4, 20, 0.0, np.random.default_rng(33))
    with pytest.raises(ConvergenceError, match="too few to estimate how cohorts differ"):
        fit_pooled(ShiftedBetaGeometric, table)


@pytest.mark.slow
def test_sums_over_cohorts_hold_though_their_common_mean_is_estimated():
    """150 businesses whose cohorts do not differ: intervals of all who stay six renewals more, and of their value."""
    rng, held = np.random.default_rng(11), []
    truth, terms = ShiftedBetaGeometric(1.5, 8.0), rm.Terms(annual_discount_rate=0.1, billing_period="M", price=10)
    for _ in range(150):
        table, there = like_cohorts(rng)
        pooled = fit_pooled(ShiftedBetaGeometric, table)
        stay = there["weight"] @ truth.survival_function(there["tenure"] + 6, given=there["tenure"])
        ahead = forecast_retention(pooled, there, renewals=6).iloc[-1]
        worth, value = (
            rm.total_value(pooled, there, terms).iloc[0],
            rm.total_value(truth, there, terms)["value"].iloc[0],
        )
        held.append(
            (
                ahead["expected_lower"] <= stay <= ahead["expected_upper"],
                worth["value_lower"] <= value <= worth["value_upper"],
            )
        )
    assert np.all(np.mean(held, axis=0) > 0.91)
