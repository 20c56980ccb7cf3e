"""Roll-outs: effects equal to those of diff-diff, identities, intervals that hold, and input that is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.designs.few_units import all_noisy, count_assignments
from retention_models.interventions.designs.group_time import GroupTime
from retention_models.interventions.designs.group_time_influence import covariance
from retention_models.interventions.designs.roll_out_averages import Averages

STORED = json.loads((Path(__file__).parents[2] / "reference" / "roll_outs.json").read_text())
NAMES = {"panel_unit": "unit", "outcome": "y", "assigned_by": "rule"}


@pytest.fixture
def panel():
    return pd.DataFrame(STORED["panel"])


@pytest.fixture
def launches(panel):
    return panel.drop_duplicates("unit").query("first > 0").set_index("unit")["first"]


@pytest.fixture
def roll_out(panel, launches):
    return rm.difference_in_differences(panel, launches, per=None, **NAMES)


@pytest.mark.parametrize(
    "peer", STORED["results"], ids=lambda x: f"{x['control_group']}-{x['anticipation']}-{x['base']}"
)
def test_group_time_effects_are_those_of_diff_diff(panel, launches, peer):
    """With a varying base, diff-diff compares periods before launch with the one before; here the base is one period.

    With anticipation, its averages count the periods of anticipation as treated; here they begin at the launch.
    """
    keywords = {"control_group": peer["control_group"], "anticipation": peer["anticipation"]}
    found = rm.difference_in_differences(panel, launches, per=None, **keywords, **NAMES)
    group_time = found._averages.group_time
    effects, starts = group_time.effects(*group_time.sums), group_time.starts[group_time.treated].tolist()
    for first, period, effect in peer["cells"]:
        if period >= first or peer["base"] == "universal":
            assert effects[starts.index(first), period] == pytest.approx(effect, abs=1e-9)
    study = found.event_study()["estimate"]
    for since, effect in peer["event"].items():
        if int(since) >= 0:
            assert study[int(since)] == pytest.approx(effect, abs=1e-9)
    if peer["anticipation"] == 0:
        assert found.overall()["estimate"].iloc[0] == pytest.approx(peer["overall"], abs=1e-9)
        assert found.by_group()["estimate"].tolist() == pytest.approx(list(peer["group"].values()), abs=1e-9)
        error = math.sqrt(covariance(group_time, by_leaving_out=False)[0, 0])
        assert error == pytest.approx(peer["overall_se"] * math.sqrt(30 / 29), rel=1e-6)  # N - 1 in place of N


def test_one_cohort_and_two_periods_are_the_difference_of_two_differences():
    panel = pd.DataFrame({"unit": list("aabbccdd"), "period": [0, 1] * 4, "y": [1.0, 5, 2, 7, 3, 4, 4, 6]})
    found = rm.difference_in_differences(panel, {"a": 1, "b": 1}, per=None, **NAMES)
    assert found.overall()["estimate"].iloc[0] == pytest.approx((4 + 5) / 2 - (1 + 2) / 2)
    assert found.inference == "randomisation"


def test_the_order_of_rows_and_the_engine_do_not_matter(panel, launches, roll_out, tmp_path):
    mixed = panel.sample(frac=1, random_state=1)
    panel.to_csv(tmp_path / "panel.csv", index=False)
    frame = launches.rename("first_treated").reset_index()
    for rows, starts in (
        (mixed, frame.iloc[::-1]),
        (pl.from_pandas(panel), pl.from_pandas(frame)),
        (tmp_path / "panel.csv", frame),
    ):
        other = rm.difference_in_differences(rows, starts, per=None, **NAMES)
        pd.testing.assert_frame_equal(other.overall(), roll_out.overall())


def test_days_are_periods_as_well(panel, launches, roll_out):
    day = pd.Timestamp("2025-01-06") + pd.to_timedelta(7 * panel["period"], unit="D")
    later = {unit: pd.Timestamp("2025-01-06") + pd.Timedelta(7 * first + 3, "D") for unit, first in launches.items()}
    other = rm.difference_in_differences(panel.assign(period=day), later, per=None, **NAMES)
    assert other.overall().iloc[0].tolist() == pytest.approx(roll_out.overall().iloc[0].tolist())
    assert other.by_group().index[0] == pd.Timestamp("2025-02-03")


def test_averages_are_weighted_means_of_the_effects(roll_out):
    group_time = roll_out._averages.group_time
    effects, weight = group_time.effects(*group_time.sums), np.array([7.0, 8, 6])
    post = np.arange(12) >= group_time.starts[group_time.treated][:, None]
    assert roll_out.overall()["estimate"].iloc[0] == pytest.approx(
        (effects * post * weight[:, None]).sum() / (post * weight[:, None]).sum()
    )
    assert roll_out.by_group()["estimate"].tolist() == pytest.approx(
        [row[own].mean() for row, own in zip(effects, post, strict=True)]
    )
    assert roll_out.overall("group")["estimate"].iloc[0] == pytest.approx(weight @ roll_out.by_group()["estimate"] / 21)
    assert roll_out.overall("calendar")["estimate"].iloc[0] == pytest.approx(roll_out.by_period()["estimate"].mean())
    assert roll_out.overall("dynamic")["estimate"].iloc[0] == pytest.approx(
        roll_out.event_study()["estimate"].loc[0:].mean()
    )


def test_leaving_out_a_unit_is_computing_without_it(roll_out):
    group_time = roll_out._averages.group_time
    for unit in (0, 10, 29):
        kept = np.delete(np.arange(30), unit)
        less = GroupTime(group_time.values[kept], group_time.weights[kept], group_time.first[kept])
        assert group_time.left_out()[unit, 0] == pytest.approx(float(less.estimates.simple))


def test_a_band_is_wider_than_each_interval_and_bins_are_means(roll_out):
    study = roll_out.event_study()
    assert -1 not in study.index
    known = study.dropna()
    assert (known["band_lower"] <= known["lower"] + 1e-12).all()
    assert (known["band_upper"] >= known["upper"] - 1e-12).all()
    binned = roll_out.event_study(bins=2)
    assert binned["estimate"].iloc[-1] == pytest.approx(study["estimate"].loc[4:].mean())
    assert len(binned) == 4


def test_relative_effects_are_weighted_by_the_base():
    """Two units of 100 and 10 orders; the large one gains 10 %, the small one 50 %."""
    rows = [
        (unit, t, base * (1 + gain * (t >= 4)))
        for unit, base, gain in (("a", 100, 0.1), ("b", 10, 0.5), ("c", 50, 0), ("d", 20, 0))
        for t in range(8)
    ]
    panel = pd.DataFrame(rows, columns=["unit", "period", "y"])
    found = rm.difference_in_differences(panel, {"a": 4, "b": 4}, **NAMES)
    assert found.overall()["estimate"].iloc[0] == pytest.approx(15 / 110)
    alike = rm.difference_in_differences(panel, {"a": 4, "b": 4}, weights="panel_unit", **NAMES)
    assert alike.overall()["estimate"].iloc[0] == pytest.approx(0.3)
    sized = rm.difference_in_differences(panel.assign(customers=5.0), {"a": 4, "b": 4}, per="customers", **NAMES)
    assert sized.overall()["estimate"].iloc[0] == pytest.approx((10 + 5) / 2 / 5)


def test_two_way_fixed_effects_are_the_regression(roll_out, panel, launches):
    treated = (panel["period"] >= panel["unit"].map(launches).fillna(99)).astype(float)
    x = pd.get_dummies(panel[["unit", "period"]].astype(str)).astype(float).assign(treated=treated)
    slope = np.linalg.lstsq(x.to_numpy(), panel["y"].to_numpy(), rcond=None)[0][-1]
    found = roll_out.two_way_fixed_effects().iloc[0]
    assert found["estimate"] == pytest.approx(slope)
    assert 0 <= found["negative_cells"] < 1


def world_without_effect(rng, stores=40, weeks=78, season=0.3):
    """The panel of ``scenario.chain`` without an effect, drawn by store and week: large stores launch first."""
    size = np.exp(rng.normal(0, 0.7, stores))
    first = np.full(stores, weeks)
    for wave, members in enumerate(np.array_split(np.argsort(-size)[:28], 3)):
        first[members] = weeks * (4 + 2 * wave) // 12
    rate = 2_000 * size / size.sum()
    course = 1 + season * np.cos(2 * np.pi * (np.arange(weeks) - 50) / 52)
    orders = rng.poisson(rate[:, None] * course * np.exp(rng.normal(0, 0.03, (stores, weeks))))
    panel = pd.DataFrame({"unit": np.repeat(range(stores), weeks), "period": np.tile(range(weeks), stores)})
    launches = {unit: week for unit, week in enumerate(first.tolist()) if week < weeks}
    return panel.assign(y=orders.ravel()), launches


def means_without_effect(worlds):
    """The default and the levels, as shares of sales, over worlds without an effect; and the error of the default."""
    rng, found, levels = np.random.default_rng(0), [], []
    for _ in range(worlds):
        roll_out = rm.difference_in_differences(*world_without_effect(rng), **NAMES)
        found.append(float(roll_out._averages.group_time.estimates.simple))
        levels.append(float(roll_out._levels.group_time.estimates.simple) / roll_out.panel.outcome.mean())
    return np.mean(found), np.mean(levels), np.std(found) / math.sqrt(worlds)


def test_a_season_makes_levels_wrong_and_the_default_right():
    """No effect, launch by size: levels take the season of large stores for an effect."""
    found, levels, error = means_without_effect(20)
    assert abs(found) < 3 * error
    assert levels > 0.1


@pytest.mark.slow
def test_the_bias_without_an_effect_is_below_half_a_percent_of_sales():
    found, levels, error = means_without_effect(1_000)
    assert error < 0.0015
    assert abs(found) < 0.005
    assert levels > 0.15


def test_the_row_of_evidence_is_money_per_unit_and_period(roll_out, panel, launches):
    found = rm.difference_in_differences(panel, launches, **NAMES)
    row = found.effect(
        rm.Terms(price=3.0, currency="EUR"),
        intervention="club",
        running_cost=0.5,
        reach=40,
        periods_a_year=52,
        time_unit="W",
    )
    base = panel[panel["unit"].isin(launches.index) & (panel["period"] < 2)]["y"].mean()
    assert row.estimate == pytest.approx(found.overall()["estimate"].iloc[0] * base)
    assert row.value == pytest.approx(3 * row.estimate - 0.5)
    assert row.annual_value[0] == pytest.approx(40 * 52 * row.value)
    assert (row.design, row.assigned_by) == ("quasi-experimental", "rule")
    assert rm.Effect.from_json(row.to_json()) == row
    chance = rm.difference_in_differences(panel, launches, **NAMES | {"assigned_by": "random"}).effect()
    assert chance.design == "randomised"


def test_a_share_is_weighted_by_the_customers_at_risk():
    """Churn falls by 10 points among 100 customers at risk, and by 40 among 10; it rises by 2 without the club."""
    rows = [
        (unit, t, at_risk, at_risk * (0.5 + 0.02 * (t >= 4) - gain * (t >= 4)))
        for unit, at_risk, gain in (("a", 100, 0.1), ("b", 10, 0.4), ("c", 50, 0.0), ("d", 20, 0.0))
        for t in range(8)
    ]
    panel = pd.DataFrame(rows, columns=["unit", "period", "at_risk", "lost"])
    panel["churn"] = panel["lost"] / panel["at_risk"]
    stated = {"panel_unit": "unit", "assigned_by": "rule"}
    found = rm.difference_in_differences(panel, {"a": 4, "b": 4}, outcome="churn", **stated)
    assert found.overall()["estimate"].iloc[0] == pytest.approx(-(100 * 0.1 + 10 * 0.4) / 110)
    alike = rm.difference_in_differences(panel, {"a": 4, "b": 4}, outcome="churn", per=None, **stated)
    assert alike.overall()["estimate"].iloc[0] == pytest.approx(-0.25)
    assert str(found).startswith("churn: -0.127")
    assert "of customers at risk" in str(found)
    row = found.effect(rm.Terms(price=3.0), running_cost=2.0)
    assert row.estimate == pytest.approx(-7.0)  # customers lost per unit and period
    assert row.unit == "customers lost per unit and period"
    assert row.value == pytest.approx(3 * 7 - 2)
    assert found.cost_per_additional(running_cost=2.0).sentence.startswith("churn: each one fewer cost")
    with pytest.raises(ValueError, match="the panel lacks the columns lost of event_panel"):
        rm.difference_in_differences(panel.drop(columns="lost"), {"a": 4}, outcome="churn", **stated)
    with pytest.raises(ValueError, match="cannot be divided by lost as well"):
        rm.difference_in_differences(panel, {"a": 4}, outcome="churn", per="lost", **stated)


@pytest.fixture
def costly(panel, launches):
    """The roll-out with discounts of 1.5 on three orders in each treated cell, and rewards of 0.2."""
    treated = panel["period"] >= panel["unit"].map(launches).fillna(99)
    panel = panel.assign(discounts=4.5 * treated, redeemed=3 * treated, rewards=0.2 * treated)
    return rm.difference_in_differences(panel, launches, amounts=["discounts", "redeemed", "rewards"], **NAMES)


def test_costs_of_a_programme_are_lines_that_add_up(costly):
    terms, spent = rm.Terms(price=3.0, currency="EUR"), {"running_cost": 0.5, "discounts": "discounts", "rewards": 0.2}
    table = costly.cost_breakdown(terms, redemptions="redeemed", reach=40, periods_a_year=52, **spent)
    row = costly.effect(terms, reach=40, periods_a_year=52, time_unit="W", **spent)
    amount = table["amount"]
    assert amount["gross gain"] == pytest.approx(3 * row.estimate)
    assert amount[["running cost", "discounts", "rewards"]].tolist() == pytest.approx([-0.5, -4.5, -0.2])
    assert amount["net value"] == pytest.approx(amount.drop(["net value", "subsidised purchases"]).sum())
    assert amount["subsidised purchases"] == pytest.approx(-(4.5 - 1.5 * row.estimate))
    assert row.value == pytest.approx(amount["net value"])
    assert row.cost == pytest.approx(5.2)
    assert table.loc["net value", ["a_year", "a_year_lower", "a_year_upper"]].tolist() == pytest.approx(
        list(row.annual_value)
    )
    assert (table["lower"] <= table["amount"]).all()
    assert (table["amount"] <= table["upper"]).all()


def test_the_register_counts_what_is_left_after_all_costs(costly):
    efforts = pd.DataFrame({"effort": ["club"], "kind": ["loyalty programme"], "reach": [40]})
    spent = {"running_cost": 0.5, "discounts": "discounts", "rewards": "rewards"}
    scale = {"intervention": "club", "reach": 40, "periods_a_year": 52, "time_unit": "W"}
    row = costly.effect(rm.Terms(price=30.0, currency="EUR"), **spent, **scale)
    register = rm.read_register(efforts, as_of="2026-01-31", currency="EUR").add(row, data="stores")
    evidence = register.evidence.iloc[0]
    assert evidence["annual_value"] == pytest.approx(40 * 52 * (30 * row.estimate - 5.2))
    assert (evidence["effort"], evidence["state"]) == ("club", "proven")


def test_the_cost_of_an_additional_order_is_the_cost_over_the_effect(costly):
    spent = {"discounts": "discounts", "rewards": "rewards"}
    cost, row = costly.cost_per_additional(currency="EUR", **spent), costly.effect()
    assert cost.estimate == pytest.approx(4.7 / row.estimate)
    assert (cost.lower, cost.upper) == pytest.approx((4.7 / row.upper, 4.7 / row.lower))
    assert cost.sentence.startswith("y: each additional one cost EUR ")
    with pytest.raises(ValueError, match="the programme cost 0 and changed the outcome by"):
        costly.cost_per_additional()


def test_a_cost_has_no_upper_limit_where_no_effect_is_not_ruled_out():
    rng = np.random.default_rng(5)
    rows = [(u, t, 100 + rng.normal(0, 9)) for u in range(20) for t in range(12)]
    found = rm.difference_in_differences(
        pd.DataFrame(rows, columns=["unit", "period", "y"]), dict.fromkeys(range(10), 6), **NAMES
    )
    cost = found.cost_per_additional(running_cost=1.0)
    assert math.isinf(cost.upper)
    assert cost.lower == pytest.approx(1 / found.effect().upper)
    assert "without upper limit" in cost.sentence


@pytest.mark.parametrize(
    ("spent", "message"),
    [
        ({"discounts": "gifts"}, "discounts names 'gifts', which was not read with the panel"),
        ({"running_cost": -1}, "running_cost must be an amount of 0 or more, or a column"),
        ({"discounts": "discounts", "redemptions": "gifts"}, "redemptions names 'gifts'"),
    ],
)  # fmt: skip
def test_costs_that_nobody_knows_are_refused(costly, spent, message):
    with pytest.raises(ValueError, match=message):
        costly.cost_breakdown(rm.Terms(price=1.0), **spent)


@pytest.mark.slow
def test_money_of_a_simulated_chain_is_that_of_its_truth():
    """Without an effect of the club, all that members are given goes to subsidised purchases; with one, less does."""
    business = rm.scenario.chain(5, customers=40_000, effect=0.4, members=0.5, discount=0.2)
    spent = ["discounts", "discounted_orders"]
    panel = rm.interventions.event_panel(
        business.transactions, panel_unit="store", outcomes=["orders", *spent], discount="discount"
    )
    found = rm.difference_in_differences(
        panel, business.launches, panel_unit="store", outcome="orders", amounts=spent, assigned_by="rule"
    )
    terms = rm.Terms(price=6.0)
    table = found.cost_breakdown(terms, discounts="discounts", redemptions="discounted_orders")["amount"]
    treated = panel.merge(found.panel.launches.dropna(), on="store")
    since = treated[treated["period"] >= treated["first_treated"]]
    assert -table["discounts"] == pytest.approx(since.groupby("store")["discounts"].mean().mean())
    assert since["discounts"].sum() == pytest.approx(business.discounts, rel=0.03)
    share = table["subsidised purchases"] / table["discounts"]  # half of the additional orders are those of members
    anyway = 1 - 2 * (1 - business.subsidised / business.discounts)
    assert share == pytest.approx(anyway, abs=0.1)


def test_negative_amounts_are_refused(panel, launches):
    with pytest.raises(ValueError, match="discounts is below 0 in 360 of 360 rows; state amounts of money as positive"):
        rm.difference_in_differences(panel.assign(discounts=-1.0), launches, amounts=["discounts"], **NAMES)


def simulated(rng, first, periods=24, effect=0.0):
    n = len(first)
    noise = rng.normal(0, 1, (n, periods))
    for t in range(1, periods):
        noise[:, t] = 0.5 * noise[:, t - 1] + 0.8 * noise[:, t]
    treated = np.arange(periods) >= first[:, None]
    return rng.normal(0, 1, n)[:, None] + np.cumsum(rng.normal(0, 0.1, periods)) + noise + effect * treated


def waves(n, without=0.25, periods=24):
    first = np.full(n, periods)
    for wave, units in enumerate(np.array_split(np.arange(round(n * (1 - without))), 3)):
        first[units] = 8 + 4 * wave
    return first


DESIGNS = {
    "8 in waves": (waves(8), 0.92, 0.985),
    "12 one after the other": (np.arange(12) + 8, 0.92, 0.985),
    "20 in waves": (waves(20), 0.92, 0.985),
    "50 in waves": (waves(50), 0.92, 0.985),
    "1 of 50": (np.array([10] + [24] * 49), 0.92, 0.98),
    "2 of 20": (np.array([10, 12] + [24] * 18), 0.92, 0.98),
    "3 of 20": (np.array([10, 12, 14] + [24] * 17), 0.92, 0.98),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_hold_the_effect_as_often_as_they_say(name):
    first, low, high = DESIGNS[name]
    rng, held, worlds = np.random.default_rng(4), 0, 1_000
    for seed in range(worlds):
        law = Averages.of(GroupTime(simulated(rng, first, effect=0.5), np.ones(len(first)), first), seed).law
        lower, upper = law.interval(0.95)
        held += lower <= 0.5 <= upper
    error = 2 * math.sqrt(0.05 * 0.95 / worlds)
    assert low - error <= held / worlds <= min(high + error, 1)


@pytest.mark.slow
def test_p_values_are_uniform_without_an_effect():
    first, rng = waves(12), np.random.default_rng(6)
    p = [Averages.of(GroupTime(simulated(rng, first), np.ones(12), first), 0).law.p_value(0.0) for _ in range(300)]
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_one_of_twenty_units_is_not_decidable_and_says_with_which_p():
    rng = np.random.default_rng(3)
    rows = [(u, t, 100 + rng.normal() + 9 * (u == 0 and t >= 6)) for u in range(20) for t in range(12)]
    panel = pd.DataFrame(rows, columns=["unit", "period", "y"])
    found = rm.difference_in_differences(panel, {0: 6}, **NAMES)
    assert found.overall()["p_value"].iloc[0] == pytest.approx(1 / 20)
    check = found.checks[0]
    assert (check.name, check.passed, check.size) == ("Decidable roll-out", False, 20.0)
    assert "Launch in further units" in check.remedy
    assert not rm.evidence_table([found.effect(rm.Terms(price=1.0))]).table["rank"].notna().any()


def test_assignments_are_counted_and_noisy_units_are_found():
    assert count_assignments(np.array([1, 2, 3, 4])) == 24
    assert count_assignments(np.array([5, 5, 5, 9, 9, 9])) == 20
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (12, 20)) * np.where(np.arange(12) < 2, 9, 1)[:, None]
    assert all_noisy(values, np.array([10, 10] + [20] * 10))
    assert not all_noisy(values, np.array([20] * 10 + [10, 10]))


def test_a_trend_before_launch_fails_and_names_its_size():
    rng = np.random.default_rng(2)
    rows = [(u, t, 50 + rng.normal() + (0.8 * t if u < 10 else 0)) for u in range(30) for t in range(14)]
    found = rm.difference_in_differences(
        pd.DataFrame(rows, columns=["unit", "period", "y"]), dict.fromkeys(range(10), 8), per=None, **NAMES
    )
    check = next(check for check in found.checks if check.name == "Parallel trends before launch")
    assert check.passed is False
    assert check.size > check.limit


@pytest.mark.slow
def test_the_test_of_trends_rarely_fails_where_nothing_is_wrong():
    rng, failed = np.random.default_rng(8), 0
    for _ in range(60):
        first = waves(14)
        values = 20 + simulated(rng, first)
        rows = [(u, t, values[u, t]) for u in range(14) for t in range(24)]
        panel = pd.DataFrame(rows, columns=["unit", "period", "y"])
        launches = {u: int(f) for u, f in enumerate(first) if f < 24}
        found = rm.difference_in_differences(panel, launches, per=None, **NAMES)
        failed += found.checks[1].passed is False
    assert failed / 60 <= 0.15


def test_other_launches_at_the_same_time_are_found(panel, launches):
    found = rm.difference_in_differences(panel, launches, other_launches=launches, per=None, **NAMES)
    assert found.checks[-1].passed is False
    later = dict.fromkeys(launches.index[:3], 11)
    assert rm.difference_in_differences(panel, launches, other_launches=later, per=None, **NAMES).checks[-1].passed


def test_units_treated_before_the_panel_are_left_out_and_counted(panel, launches):
    found = rm.difference_in_differences(panel, launches.to_dict() | {29: -3}, per=None, **NAMES)
    assert dict(found.panel.left_out) == {"treated before the panel begins": 1}
    assert "1 unit treated before the panel begins" in found.checks[-2].detail


@pytest.mark.parametrize(
    ("change", "keywords", "message"),
    [
        (lambda f: f.iloc[1:], {}, "1 of 360 cells of unit and period have no row"),
        (lambda f: pd.concat([f, f.iloc[:2]]), {}, "unit and period stand twice in 2 of 362 rows"),
        (lambda f: f.assign(y=f["y"].where(f.index > 4)), {}, "y is missing in 5 of 360 rows"),
        (lambda f: f[f["unit"] == 1], {"launches": {1: 5}}, "the panel has 1 unit; it takes two"),
        (lambda f: f[f["period"] != 5], {}, "no row of any unit for the time between 4 and 6"),
        (lambda f: f.assign(y=-f["y"]), {"per": "base"}, "y is below 0 in 360 cells"),
        (lambda f: f.assign(n=0.0), {"per": "n"}, "n must be above 0 in each cell, which fails for 360"),
        (lambda f: f, {"launches": {}}, "no unit of the panel was treated"),
        (lambda f: f, {"launches": dict.fromkeys(range(30), 6)}, "all units were first treated in the same period"),
        (lambda f: f, {"launches": {1: 40}}, "first_treated lies after the last period for 1 units"),
        (lambda f: f, {"launches": {"z": 4}}, "1 launched units are not in the panel"),
        (lambda f: f, {"launches": pd.DataFrame({"unit": [1, 1], "first_treated": [4, 5]})}, "launched more than once"),
        (lambda f: f, {"launches": {1: 0}}, "no period lies before the first launch"),
        (lambda f: f, {"control_group": "always"}, "control_group must be one of"),
        (lambda f: f, {"anticipation": 9}, "no period lies before the first launch"),
        (lambda f: f.assign(period="x" + f["period"].astype(str)), {}, "period must be numbers or days"),
        (lambda f: f.assign(y=f["y"].where(f.index > 1, np.inf)), {}, "y is infinite in 2 of 360 rows"),
        (lambda f: f.assign(y=3.0), {}, "y is 3 in each unit and period: there is nothing to compare"),
        (lambda f: f.assign(y=(f["unit"] > 25) * 1.0), {"per": "base"}, "no treated unit has any y in the base period"),
        (lambda f: f, {"launches": {1: "2025-01-01"}}, "must both be days, or both numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(panel, launches, change, keywords, message):
    stated = {"launches": launches, "per": None} | keywords
    with pytest.raises(ValueError, match=message):
        rm.difference_in_differences(change(panel), **stated, **NAMES)


@pytest.mark.parametrize("launched", [{0: 5}, {0: 11}, {u: 4 + u % 4 for u in range(12)}, {0: 4, 1: 6, 2: 6, 3: 6}])
def test_averages_that_one_unit_decides_have_no_error_and_nothing_breaks(launched):
    rng = np.random.default_rng(7)
    rows = [(u, t, 100 + rng.normal()) for u in range(12) for t in range(12)]
    found = rm.difference_in_differences(pd.DataFrame(rows, columns=["unit", "period", "y"]), launched, **NAMES)
    for kind in ("simple", "group", "dynamic", "calendar"):
        row = found.overall(kind).iloc[0]
        assert math.isfinite(row["estimate"])
        assert pd.isna(row["std_error"]) == pd.isna(row["lower"]) == pd.isna(row["p_value"])
    for table in (found.event_study(), found.event_study(bins=3), found.by_group(), found.by_period(), found.levels()):
        assert len(table)
        assert np.isfinite(table["estimate"].astype(float)).all()
    effect = found.effect(rm.Terms(price=1.0))
    assert rm.Effect.from_json(effect.to_json()) == effect
    assert rm.narrative.roll_out_answer(found, effect).headline
    rm.plots.plot_event_study(found.event_study(bins=4))


def test_months_may_be_written_as_text(panel, launches, roll_out):
    month = pd.Series(pd.period_range("2024-01", periods=12, freq="M").astype(str))
    texts = {unit: month[first] for unit, first in launches.items()}
    other = rm.difference_in_differences(panel.assign(period=panel["period"].map(month)), texts, per=None, **NAMES)
    assert other.overall()["estimate"].iloc[0] == pytest.approx(roll_out.overall()["estimate"].iloc[0])


def test_who_decided_must_be_stated(panel, launches):
    with pytest.raises(TypeError, match="state who decided"):
        rm.difference_in_differences(panel, launches, panel_unit="unit", outcome="y")


def test_a_constant_outcome_and_unknown_averages_are_refused(panel, launches, roll_out):
    with pytest.raises(ValueError, match="kind must be one of"):
        roll_out.overall("mean")
    with pytest.raises(ValueError, match="bins must be"):
        roll_out.event_study(bins=0)
    with pytest.raises(ValueError, match="margin, for an amount, or a price"):
        roll_out.effect(rm.Terms(currency="EUR"))
