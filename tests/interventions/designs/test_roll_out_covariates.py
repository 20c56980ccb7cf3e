"""Covariates in a roll-out: effects and errors of diff-diff, trends that differ by covariate, and input refused."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.designs.group_time import GroupTime
from retention_models.interventions.designs.group_time_influence import covariance
from retention_models.interventions.designs.roll_out_averages import Averages

STORED = json.loads((Path(__file__).parents[2] / "reference" / "roll_outs.json").read_text())
NAMES = {"panel_unit": "unit", "outcome": "y", "assigned_by": "rule", "per": None}
BOTH = ["x1", "x2"]


@pytest.fixture
def panel():
    return pd.DataFrame(STORED["panel"])


@pytest.fixture
def launches(panel):
    first = panel.drop_duplicates("unit").set_index("unit")["first"]
    return pd.DataFrame(STORED["covariates"]).assign(unit=first.index, first_treated=first.where(first > 0).to_numpy())


@pytest.mark.parametrize(
    "peer", STORED["adjusted"], ids=lambda x: f"{x['control_group']}-{x['anticipation']}-{x['base']}"
)
def test_effects_and_errors_are_those_of_diff_diff(panel, launches, peer):
    """As without covariates, averages of diff-diff count the periods of anticipation as treated."""
    keywords = {"control_group": peer["control_group"], "anticipation": peer["anticipation"]}
    found = rm.difference_in_differences(panel, launches, covariates=BOTH, **keywords, **NAMES)
    group_time = found._averages.group_time
    effects, starts = group_time.effects(*group_time.sums), group_time.starts[group_time.treated].tolist()
    for first, period, effect in peer["cells"]:
        if period >= first or peer["base"] == "universal":
            assert effects[starts.index(first), period] == pytest.approx(effect, abs=1e-9)
    if peer["anticipation"] == 0:
        assert found.overall()["estimate"].iloc[0] == pytest.approx(peer["overall"], abs=1e-9)
        error = math.sqrt(covariance(group_time, by_leaving_out=False)[0, 0])
        assert error == pytest.approx(peer["overall_se"] * math.sqrt(30 / 29), rel=1e-9)  # N - 1 in place of N


def test_covariates_stand_in_the_launches_or_in_the_panel(panel, launches):
    first = rm.difference_in_differences(panel, launches, covariates=BOTH, **NAMES)
    wide = panel.merge(launches[["unit", *BOTH]], on="unit")
    plain = launches.dropna().set_index("unit")["first_treated"]
    for rows, starts in ((wide, plain), (wide.drop(columns="x1"), launches[["unit", "first_treated", "x1"]])):
        other = rm.difference_in_differences(rows, starts, covariates=BOTH, **NAMES)
        pd.testing.assert_frame_equal(first.overall(), other.overall())
    scaled = launches.assign(x1=3 - 7 * launches["x1"], x2=launches["x2"] + launches["x1"])
    other = rm.difference_in_differences(panel, scaled, covariates=BOTH[::-1], **NAMES)
    pd.testing.assert_frame_equal(first.overall(), other.overall())
    assert next(check for check in first.checks if check.name == "Covariates").passed


def test_a_cohort_is_predicted_by_the_regression_of_the_untreated():
    """One cohort and two periods: the mean change, less that of a regression line at the mean covariate."""
    rng = np.random.default_rng(3)
    x, treated = rng.normal(0, 1, 20), np.arange(20) < 8
    before = rng.normal(0, 1, 20)
    change = 2 + 3 * x + 5 * treated + rng.normal(0, 0.1, 20)
    panel = pd.DataFrame({"unit": np.tile(range(20), 2), "period": np.repeat([0, 1], 20)})
    panel["y"], panel["x"] = np.concatenate([before, before + change]), np.tile(x, 2)
    found = rm.difference_in_differences(panel, dict.fromkeys(range(8), 1), covariates=["x"], **NAMES)
    line = np.polyfit(x[~treated], change[~treated], 1)
    assert found.overall()["estimate"].iloc[0] == pytest.approx((change - np.polyval(line, x))[treated].mean())


def by_hand(group_time):
    """The effects by a weighted regression in each cell."""
    g, found = group_time, np.full((len(group_time.treated), group_time.periods), np.nan)
    z = np.column_stack([np.ones(len(g.first)), g.covariates])
    for j, (k, base) in enumerate(zip(g.treated, g.bases, strict=True)):
        for t in range(g.periods):
            control = g.controls[j, g.cohort, t]
            if control.any():
                root = np.sqrt(g.weights[control])[:, None]
                change = g.values[:, t] - g.values[:, base]
                beta = np.linalg.lstsq(root * z[control], root[:, 0] * change[control], rcond=None)[0]
                own = g.cohort == k
                found[j, t] = np.average((change - z @ beta)[own], weights=g.weights[own])
    return found


@pytest.fixture
def weighted():
    rng, first = np.random.default_rng(4), np.array([3] * 5 + [5] * 6 + [9] * 13)
    values = rng.normal(0, 1, (24, 9)).cumsum(axis=1)
    return GroupTime(values, rng.gamma(2, 1, 24), first, covariates=rng.normal(0, 1, (24, 2)))


def test_weighted_effects_are_those_of_weighted_regressions(weighted):
    np.testing.assert_allclose(weighted.effects(*weighted.sums), by_hand(weighted), atol=1e-12)


def test_intervals_of_other_assignments_hold_the_covariates_at_their_units(weighted):
    order = np.roll(weighted.first, 7)
    moved = GroupTime(weighted.values, weighted.weights, order, covariates=weighted.covariates)
    under = weighted.aggregates(*weighted.sums_under(order[None]))
    assert under.simple[0] == pytest.approx(float(moved.estimates.simple))


def worlds(n, first, rng, count, effect=0.5, periods=16):
    """Values whose trend depends on a covariate, and early units have more of it."""
    for _ in range(count):
        x = rng.normal(0, 1, n) + 0.8 * (first < periods)
        noise = rng.normal(0, 1, (n, periods))
        trend = 0.15 * x[:, None] * np.arange(periods)
        yield trend + noise + effect * (np.arange(periods) >= first[:, None]), x[:, None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "treated", "inference"),
    [(20, 12, "jackknife"), (120, 60, "jackknife"), (420, 180, "influence"), (24, 3, "randomisation")],
)
def test_intervals_hold_the_effect_where_trends_depend_on_a_covariate(n, treated, inference):
    first = np.full(n, 16)
    first[:treated] = np.repeat([6, 8, 10], treated // 3)
    held, plain, count = 0, 0, 200 if inference == "randomisation" else 1_000
    for values, x in worlds(n, first, np.random.default_rng(9), count):
        averages = Averages.of(GroupTime(values, np.ones(n), first, covariates=x), 0)
        assert averages.inference == inference
        lower, upper = averages.law.interval(0.95)
        held += lower <= 0.5 <= upper
        lower, upper = Averages.of(GroupTime(values, np.ones(n), first), 0).law.interval(0.95)
        plain += lower <= 0.5 <= upper
    error = 2 * math.sqrt(0.05 * 0.95 / count)
    assert 0.93 - error <= held / count <= 0.98 + error
    assert plain < held


def test_comparisons_with_too_few_untreated_units_are_left_out_and_counted(panel, launches):
    starts = launches.assign(first_treated=launches["first_treated"].fillna(11).where(launches["unit"] < 29))
    found = rm.difference_in_differences(panel, starts, covariates=BOTH, **NAMES)
    check = next(check for check in found.checks if check.name == "Covariates")
    assert (check.passed, check.size) == (
        False,
        15 / 48,
    )  # one unit is untreated in period 11
    assert "15 of 48 comparisons are left out" in check.detail


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        (lambda f: f, ["x3"], "the covariate 'x3' is a column of neither the launches nor the panel"),
        (lambda f: f.assign(x1=f["x1"].where(f["unit"] > 1)), BOTH, "x1 is missing for 2 of 30 units .first: 0"),
        (lambda f: f[f["first_treated"].notna()], BOTH, "x1 is missing for 9 of 30 units .*without a launch need it"),
        (lambda f: f.assign(x2=1.0), BOTH, "the covariate x2 is the same for all 30 units"),
        (lambda f: f.assign(x2=f["x1"] * 2), BOTH, "the covariates x1, x2 follow from each other"),
        (lambda f: f, ["y"], "the covariate y varies over time in 30 of 30 units"),
        (lambda f: f, ["late"], "the covariate late is known only after the first launch for 30 of 30 units"),
        (lambda f: f, ["gap"], "the covariate gap is missing for 1 of 30 units"),
        (lambda f: f.assign(**{f"n{i}": np.sin(f["unit"] * (i + 1)) for i in range(29)}),
         [f"n{i}" for i in range(29)], "29 covariates and a constant explain anything in 30 units"),
        (lambda f: f.assign(**{f"n{i}": np.sin(f["unit"] * (i + 1)) for i in range(22)}),
         [f"n{i}" for i in range(22)], "with more units than 22 covariates and a constant"),
    ],
)  # fmt: skip
def test_covariates_that_cannot_be_used_are_refused(panel, launches, change, names, message):
    rows = panel.assign(late=panel["unit"].where(panel["period"] >= 5))
    rows["gap"] = rows["unit"].where(rows["unit"] != 3)
    with pytest.raises(ValueError, match=message):
        rm.difference_in_differences(rows, change(launches), covariates=names, **NAMES)


def test_a_unit_has_one_value_of_a_covariate(panel, launches):
    twice = pd.concat([launches, launches.tail(1).assign(x1=99.0)])
    with pytest.raises(ValueError, match=r"x1 has several values for 1 of 30 units .first: 29.; keep the one before"):
        rm.difference_in_differences(panel, twice, covariates=BOTH, **NAMES)
