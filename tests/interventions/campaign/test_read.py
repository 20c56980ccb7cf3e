"""A test that nobody has looked at: what is chosen from its rows, what is told of it, what it says to do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import ndtri

import retention_models as rm
from retention_models.core.formatting import three_digits
from retention_models.interventions.campaign import interim, views
from retention_models.interventions.campaign.read import read_campaign
from retention_models.interventions.planning.sequential import interim_look
from retention_models.narrative.campaign import recommendation


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


ROLES = {"outcome": ("bought",), "amount": "amount", "covariate": ("before",), "received": "got", "redeemed": "used"}
MONEY = stated(margin=0.5, cost={"mail": 0.2, "gift": 0.4}, redemption_cost=1.0, currency="EUR")
MONEY_OF_ONE_FEWER = stated(worth=40.0, cost={"mail": 0.2, "gift": 0.4}, currency="EUR")
SHARES = {"none": 1, "mail": 1, "gift": 1}
PLANNED = rm.Plan(control="none", assigned_by="random", smallest_gain=0.005)


@pytest.fixture(scope="module")
def rows():
    """A mailing in which the gift works, the mail does little, and letters reach those who buy more anyway."""
    rng, n = np.random.default_rng(5), 6_000
    arm = np.array(["none", "mail", "gift"])[np.arange(n) % 3]
    before = rng.poisson(1.0, n)
    bought = rng.random(n) < 0.15 + 0.1 * (before > 0) + 0.1 * (arm == "gift")
    got = (arm != "none") & (rng.random(n) < 0.5 + 0.4 * (before > 0))
    return pd.DataFrame(
        {
            "customer_id": rng.permutation(n),
            "arm": arm,
            "bought": bought.astype(int),
            "amount": (bought * rng.lognormal(3, 0.6, n)).round(2),
            "before": before,
            "got": got.astype(int),
            "used": (got & bought & (arm == "gift")).astype(int),
            "week": np.arange(n) // 1_500,
        }
    )


@pytest.fixture(scope="module")
def campaign(rows):
    return read_campaign(rows, **ROLES, **MONEY, planned_shares=SHARES, horizon=30, time_unit="D", assigned_by="random")


def test_the_checksum_follows_the_data_and_not_the_order_of_sums(rows, campaign):
    cells = campaign.experiment.cells
    noise = np.random.default_rng(3)
    summed = [replace(cell, mean=cell.mean + 1e-13 * noise.standard_normal(len(cell.mean))) for cell in cells]
    again = replace(campaign, experiment=replace(campaign.experiment, cells=tuple(summed)))
    assert again.checksum == campaign.checksum
    one_more = rows.assign(used=rows["used"].where(rows["customer_id"] != 7, rows["used"] + 1))
    changed = read_campaign(one_more, **ROLES, **MONEY, horizon=30, time_unit="D", assigned_by="random")
    twice = read_campaign(
        rows.assign(amount=rows["amount"] * 2), **ROLES, **MONEY, horizon=30, time_unit="D", assigned_by="random"
    )
    assert len({campaign.checksum, changed.checksum, twice.checksum}) == 3


@pytest.mark.slow
def test_a_file_and_every_frame_tell_the_same(rows, campaign, tmp_path):
    words = rows.assign(bought=rows["bought"].map({1: "yes", 0: "no"}))
    words.to_csv(tmp_path / "test.csv", index=False)
    words.to_csv(tmp_path / "european.csv", index=False, sep=";", decimal=",")
    rows.to_parquet(tmp_path / "test.parquet")
    sources = [tmp_path / name for name in ("test.csv", "european.csv", "test.parquet")]
    for source in (*sources, pl.DataFrame(rows.to_dict("list"))):
        other = read_campaign(
            source, **ROLES, **MONEY, planned_shares=SHARES, horizon=30, time_unit="D", assigned_by="random"
        )
        pd.testing.assert_frame_equal(rm.evidence_table(other.effects).table, rm.evidence_table(campaign.effects).table)
        forms = [reason for reason in other.reasons if "is read with decimal comma" in reason]
        assert len(forms) == (1 if "european" in str(source) else 0)
        assert [reason for reason in other.reasons if reason not in forms] == list(campaign.reasons)
        assert other.provenance == campaign.provenance


def test_an_experiment_reads_a_file_as_a_campaign_does(rows, campaign, tmp_path):
    words = rows.assign(bought=rows["bought"].map({1: "yes", 0: "no"}))
    words.to_csv(tmp_path / "european.csv", index=False, sep=";", decimal=",")
    measured = {"outcomes": ["bought", "amount"], "covariates": ["before"]}
    test = rm.Experiment.from_rows(
        tmp_path / "european.csv", rm.Plan(assigned_by="random", control="none"), arm="arm", **measured
    )
    expected = campaign.experiment.table()[test.table().columns]
    pd.testing.assert_frame_equal(test.table(), expected)


def test_its_effects_are_those_of_the_experiment(rows, campaign):
    test = rm.Experiment.from_rows(
        rows,
        rm.Plan(assigned_by="random", control="none", shares=SHARES),
        arm="arm",
        outcomes=["bought"],
        covariates=["before"],
    )
    outcome = rm.Outcome(column="bought", unit="share of customers", horizon=30, time_unit="D", adjust_for=("before",))
    for expected, found in zip(rm.differences(test, outcome), campaign.effects, strict=False):
        assert found.estimate == pytest.approx(expected.estimate)
        assert found.std_error == pytest.approx(expected.std_error)


def test_what_was_not_said_is_chosen_and_told(rows):
    told = read_campaign(rows[["customer_id", "arm", "bought"]], **stated(), assigned_by="random")
    assert [outcome.column for outcome in told.outcomes] == ["bought"]
    assert told.experiment.plan.control == "none"
    for reason in ("no other column of numbers", "goes by the name of a control", "planned_shares", "no value", "cost"):
        assert reason in str(told)
    assert told.priced is None
    assert not told.costs


@pytest.mark.parametrize(
    ("change", "roles", "prices", "message"),
    [
        (lambda d: d, {"covariate": "bought"}, {}, "'bought' is said to be known before the assignment"),
        (lambda d: d, {"cluster": "amount", "amount": "amount"}, {}, "'amount' says who was assigned to what"),
        (lambda d: d, {"block": "region"}, {}, "the test has no column 'region' for block; it has customer_id, arm"),
        (lambda d: d, {}, {"margin": 0.3}, "margin is a share of an amount"),
        (lambda d: d, {}, {"redemption_cost": 1.0}, "redemption_cost needs the column that counts redemptions"),
        (lambda d: d, {"amount": "amount"}, {"margin": 0.3, "worth": 2.0}, "price and margin both value an outcome"),
        (
            lambda d: d,
            {"lower_is_better": "before"},
            {},
            "lower_is_better names 'before', which is not one of the outcomes",
        ),
        (
            lambda d: d,
            {"amount": "amount", "lower_is_better": "amount"},
            {"margin": 0.3},
            "less of an amount cannot be better and earn a margin",
        ),
        (lambda d: d, {"outcome": None}, {}, "the outcome was not named .*, and not one but 6 columns of numbers"),
        (
            lambda d: d.assign(week=d["week"].where(d["week"] > 0)),
            {"assigned": "week"},
            {},
            "week is missing for 1,500",
        ),
        (
            lambda d: d.assign(arm=d["arm"].replace("none", "control").replace("mail", "none")),
            {},
            {},
            "the control is not stated",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(rows, change, roles, prices, message):
    with pytest.raises(ValueError, match=message):
        read_campaign(change(rows), **({"outcome": "bought"} | roles), **stated(**prices), assigned_by="random")


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"margin": 30}, r"margin must be the share .*; got 30; did you mean 0.3\?"),
        ({"margin": float("nan")}, "margin must be the share of the amount that is earned.*; got nan$"),
        ({"worth": float("inf")}, "price must be an amount of money, or a list of such amounts; got inf"),
        ({"worth": -30.0}, "got -30.0. If lower is better, name the outcome in lower_is_better"),
        ({"cost": -1.0}, "cost must be a cost of 0 or more; got -1.0"),
        ({"cost": {"mail": float("nan")}}, "mail must be a cost of 0 or more; got nan"),
        ({"redemption_cost": -2.0}, "redemption_cost must be a cost of 0 or more"),
    ],
)
def test_prices_that_cannot_be_are_refused(rows, prices, message):
    with pytest.raises(ValueError, match=message):
        read_campaign(rows, outcome="bought", **stated(**prices), assigned_by="random")


def churned(rows, prices=MONEY_OF_ONE_FEWER):
    roles = {"outcome": "churned", "lower_is_better": "churned", "redeemed": "used"}
    return read_campaign(rows.assign(churned=1 - rows["bought"]), **roles, **prices, assigned_by="random")


def test_where_less_is_better_fewer_is_worth_money_and_what_one_fewer_has_cost_is_told(rows):
    told, mirrored = churned(rows), read_campaign(rows, outcome="bought", **MONEY_OF_ONE_FEWER, assigned_by="random")
    assert "Less of it is better (lower_is_better)." in str(told)
    assert "One fewer of “churned” is counted as EUR 40.0 earned (price)." in str(told)
    for less, more in zip(told.effects, mirrored.effects, strict=True):
        assert less.estimate == pytest.approx(-more.estimate)
        assert less.priced == pytest.approx(more.priced)
    costs, expected = (views.costs_per_retained(campaign) for campaign in (told, mirrored))
    assert costs == {
        arm: sentence.replace("each additional customer", "each customer fewer") for arm, sentence in expected.items()
    }
    assert recommendation(told) == recommendation(mirrored).replace("bought", "churned").replace(
        "each additional customer", "each customer fewer"
    )


def test_a_verdict_without_money_says_that_less_is_better(rows):
    told = churned(rows, stated(cost=0.5))
    text = recommendation(told)
    assert text.startswith("Use “gift”. With “gift”, “churned” (less is better) is ")
    assert " percentage points lower (" in text
    assert "“churned”: each customer fewer cost" in recommendation(told)


def test_households_are_the_units_where_they_were_assigned(rows):
    told = read_campaign(
        rows.assign(household=rows["arm"] + (rows.index // 6).astype(str)),
        outcome="bought",
        cluster="household",
        **stated(),
        planned_shares=SHARES,
        assigned_by="random",
    )
    assert told.experiment.plan.unit == "household"
    assert list(told.table) == ["customers", "units", "bought"]
    assert views.with_ceiling(told) is None
    assert views.difference_by_method(told).index.get_level_values("way").unique().tolist() == ["means as they are"]


def test_other_ways_are_the_plain_means_cuped_and_lin(campaign):
    ways = views.difference_by_method(campaign).loc["gift"]
    lin = rm.differences(campaign.experiment, campaign.main_outcome, adjustment="Lin")
    assert ways.loc["adjusted (Lin, HC2)", "std_error"] == pytest.approx(
        next(effect.std_error for effect in lin if effect.intervention == "gift")
    )
    assert ways.loc["adjusted (CUPED)", "std_error"] < ways.loc["means as they are", "std_error"]


def test_the_naive_comparison_stands_beside_the_assigned_one(campaign):
    found = {effect.intervention: effect for effect in views.effects_by_delivery(campaign)}
    assert list(found) == [f"{arm}{kind}" for arm in ("gift", "mail") for kind in ("", ", received", ", got, naive")]
    assert found["mail, got, naive"].design == "observational"
    assert found["mail, got, naive"].lower > 0.02 > abs(found["mail"].estimate)


def test_an_arm_that_reached_everyone_has_no_naive_row(rows):
    everyone = rows.assign(got=(rows["arm"] != "none").astype(int))
    told = read_campaign(everyone, outcome="bought", received="got", **stated(), assigned_by="random")
    assert [e.intervention for e in views.effects_by_delivery(told)] == [
        "gift",
        "gift, received",
        "mail",
        "mail, received",
    ]
    assert views.effects_by_delivery(read_campaign(rows, outcome="bought", **stated(), assigned_by="random")) == []


def test_too_few_who_received_are_told_instead_of_compared(rows):
    first = rows.index[rows["arm"] == "mail"][0]
    told = read_campaign(
        rows.assign(got=(rows.index == first).astype(int)),
        outcome="bought",
        received="got",
        **stated(),
        assigned_by="random",
    )
    found = {effect.intervention: effect for effect in views.effects_by_delivery(told)}
    assert list(found) == ["gift", "mail", "mail, received"]
    (check,) = [check for check in found["mail"].checks if check.name == "As-treated comparison"]
    assert check.passed is None
    assert check.detail.startswith("There is no such comparison within mail: arm 'received' holds 1 customer: with")


def test_what_redemptions_gave_away_to_purchases_made_anyway_is_a_line(rows):
    counted = rows.assign(purchases=2 * rows["bought"])
    told = read_campaign(
        counted, **ROLES | {"outcome": ("bought", "purchases")}, **MONEY, planned_shares=SHARES, assigned_by="random"
    )
    table = views.cost_breakdown_by_arm(told)
    means = told.experiment.table()
    gained = means.loc["gift", "purchases"] - means.loc["none", "purchases"]
    assert table.loc[("gift", "subsidised purchases"), "amount"] == pytest.approx(gained - means.loc["gift", "used"])
    assert "subsidised purchases" not in table.loc["mail"].index


def test_the_money_of_an_arm_adds_up(campaign):
    table = views.cost_breakdown_by_arm(campaign)
    assert table.loc[("gift", "contacts"), "amount"] == -0.4
    for arm in ("mail", "gift"):
        parts = table.loc[arm, "amount"]
        assert parts.drop("net value").sum() == pytest.approx(parts["net value"])
    assert "redemptions" not in table.loc["mail"].index


def test_a_few_spenders_who_decide_are_named(rows):
    rich = rows.assign(amount=rows["amount"].where(rows.index != 2, 90_000.0))
    told = read_campaign(rich, amount="amount", **stated(), assigned_by="random")
    cut = views.with_ceiling(told)
    check = views.ceiling_check(views.ceiling_table(told, cut))
    assert check.passed is False
    assert check.detail == "These differences depend on the largest spenders: gift of amount."
    assert "These checks failed: “Ceiling”." in recommendation(told, [check])


def test_where_hardly_anybody_bought_the_ceiling_is_that_of_buyers(rows):
    rare = rows.assign(amount=np.where(rows.index < 5, [10.0, 20, 30, 40, 5000] + [0] * (len(rows) - 5), 0.0))
    told = read_campaign(rare, amount="amount", **stated(), assigned_by="random")
    cut = views.with_ceiling(told)
    assert "0.0" not in cut.ceilings["amount"]
    assert cut.ceilings["amount"].startswith("amount above 4,980 counts as that: 1 of 6,000 customers, 0.389 %")
    assert views.ceiling_table(told, cut).loc[("amount", "mail"), "same_story"]


def test_a_model_of_purchases_is_held_against_the_arms_of_a_shop(tmp_path):
    model = rm.MBGNBD(r=0.5, alpha=30.0, a=0.5, b=2.0)
    arms = np.array(["none", "mail"])[np.arange(2_000) % 2]
    seen = model.simulate(np.full(2_000, 56.0), np.random.default_rng(3))
    rows = pd.DataFrame({"arm": arms, "purchases": seen["frequency"], "days_to_last": seen["recency"]})
    rows["days_to_next"] = np.where(rows["purchases"] > 0, 3.0, 56.0)
    rows.to_csv(tmp_path / "test.csv", index=False)
    told = read_campaign(tmp_path / "test.csv", outcome="purchases", **stated(), assigned_by="random")
    (check,) = views.purchase_models(told, rm.MBGNBD)
    assert check.passed
    assert check.detail.startswith("mail: MBGNBD, fitted to each arm's purchases since the assignment, expects")
    at_once = read_campaign(rows.assign(days_to_last=0.0), outcome="purchases", **stated(), assigned_by="random")
    (check,) = views.purchase_models(at_once, rm.MBGNBD)
    assert check.passed is None
    assert "cannot be fitted to the arms: recency is 0 in spite of repeat purchases" in check.detail


def test_rows_without_days_of_purchases_have_no_model_of_them(campaign):
    assert views.purchase_models(campaign, rm.MBGNBD) == []


QUARTERS = (0.25, 0.5, 0.75)


def looked_at(rows, **options):
    asked = {"outcome": "bought", "assigned": "week", "looks": QUARTERS, "assigned_by": "random"} | options
    return read_campaign(rows, **stated(), **asked)


def test_looks_that_cannot_be_judged_say_why_and_spend_nothing(rows):
    late = rows.assign(amount=np.where(rows["week"] > 0, rows["amount"], 0.0))
    table = interim.interim_looks(looked_at(late, outcome="amount"))
    first, second = table.loc[(1, 0.25, "gift")], table.loc[(2, 0.5, "gift")]
    assert first["verdict"].startswith("cannot be judged: amount is the same for every customer")
    assert pd.isna(first["z"])
    assert (first["effect_lower"], first["effect_upper"]) == (-np.inf, np.inf)
    half = read_campaign(late[late["week"] < 2], outcome="amount", level=0.975, **stated(), assigned_by="random")
    assert second["bound"] == pytest.approx(interim_look(half.effects[0], [0.5]).bound)
    assert table["verdict"].iloc[-1] in ("stop", "go on")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d[(d["arm"] != "gift") | (d["week"] > 1)], "cannot be judged: no customer was in gift yet"),
        (
            lambda d: d.assign(region=np.where((d["week"] > 1) & (d.index % 2 == 1), "b", "a")).query(
                "region == 'a' or week > 2 or arm != 'gift'"
            ),
            "cannot be judged: block 'b' has no customers in gift",
        ),
    ],
    ids=["arm", "block"],
)
def test_an_arm_or_block_that_begins_later_has_looks_from_then_on(rows, change, reason):
    changed = change(rows)
    block = "region" if "region" in changed else None
    table = interim.interim_looks(looked_at(changed, block=block, planned_shares=SHARES, looks=(0.25, 0.5, 0.7)))
    gift = table.xs("gift", level="arm")["verdict"].tolist()
    assert any(verdict.startswith(reason) for verdict in gift)
    assert gift[-1] == "stop"


def test_only_planned_looks_are_taken_and_they_count_towards_the_planned_customers(rows):
    told = looked_at(rows, planned_customers=12_000)
    table = interim.interim_looks(told)
    assert table.index.get_level_values("share").unique().tolist() == [0.25, 0.5]
    expected = interim_look(
        read_campaign(rows, outcome="bought", level=0.975, **stated(), assigned_by="random").effects[0], [0.25, 0.5]
    )
    assert table.loc[(2, 0.5, "gift"), "bound"] == pytest.approx(expected.bound)
    assert "Of 12,000 planned customers 6,000 are in the test. Looks count towards all of them." in str(told)
    unsaid = looked_at(rows)
    assert "Looks take the 6,000 customers in the test as all that were planned (planned_customers)." in str(unsaid)
    more = looked_at(rows, planned_customers=5_000)
    assert "There are more customers, 6,000, than were planned, 5,000. Looks take them as the plan." in str(more)
    with pytest.raises(ValueError, match="planned_customers is the planned number of customers, 1 or more; got 0"):
        looked_at(rows, planned_customers=0)
    with pytest.raises(ValueError, match=r"looks must be fractions of the planned customers.*got \[0.5, 1.2\]"):
        looked_at(rows, looks=[0.5, 1.2])
    assert interim.interim_looks(looked_at(rows, looks=None)) is None
    assert "Looks" not in str(looked_at(rows, looks=None))
    untimed = looked_at(rows, assigned=None)
    assert interim.interim_looks(untimed) is None
    assert "Looks were planned, but no column says when customers came into the test (assigned)" in str(untimed)


def test_the_looks_of_a_plan_are_taken_unasked(rows):
    plan = rm.Plan(control="none", shares=SHARES, assigned_by="random", customers=12_000, looks=(0.5,))
    told = read_campaign(rows, outcome="bought", assigned="week", **stated(), plan=plan)
    assert interim.interim_looks(told).index.get_level_values("share").unique().tolist() == [0.5]
    assert told.planned_customers == 12_000


def test_looks_are_those_of_the_customers_so_far_and_corrected_for_the_arms(rows):
    table = interim.interim_looks(looked_at(rows))
    assert table.index.get_level_values("share").unique().tolist() == [0.25, 0.5, 0.75, 1.0]
    half = read_campaign(rows[rows["week"] < 2], outcome="bought", level=0.975, **stated(), assigned_by="random")
    expected = interim_look(half.effects[0], [0.25, 0.5])
    found = table.loc[(2, 0.5, "gift")]
    assert found["z"] == pytest.approx(expected.z)
    assert found["bound"] == pytest.approx(expected.bound)
    assert found["effect_upper"] == pytest.approx(expected.effect.upper)


def test_looks_are_at_the_value_where_the_outcome_that_decides_has_a_price(rows):
    told = read_campaign(rows, **ROLES, assigned="week", looks=(0.5,), **MONEY, assigned_by="random")
    found = interim.interim_looks(told).loc[(1, 0.5, "gift")]
    half = read_campaign(
        rows[rows["week"] < 2], **ROLES | {"covariate": None}, level=0.975, **MONEY, assigned_by="random"
    )
    gift = next(e for e in half.effects if (e.intervention, e.outcome) == ("gift", "amount"))
    expected = interim_look(gift, [0.5]).effect
    assert found[["effect", "effect_lower", "effect_upper"]].tolist() == pytest.approx(expected.priced)
    assert found["z"] == pytest.approx(gift.value / gift.value_law.std_error)


def test_looks_by_day_and_by_number_are_taken_when_the_planned_share_has_come_in(rows, tmp_path):
    fifths = (0.2, 0.4, 0.6, 0.8)
    day = (pd.Timestamp("2025-01-01") + pd.to_timedelta(rows.index // 100, unit="D")).strftime("%Y-%m-%d")
    rows.assign(week=day).to_csv(tmp_path / "test.csv", index=False)
    table = interim.interim_looks(looked_at(tmp_path / "test.csv", looks=fifths))
    np.testing.assert_allclose(table.index.get_level_values("share").unique(), [0.2, 0.4, 0.6, 0.8, 1.0], atol=0.02)
    rows.assign(week=rows.index % 12).to_csv(tmp_path / "numbers.csv", index=False)
    numbers = interim.interim_looks(looked_at(tmp_path / "numbers.csv", looks=fifths))
    np.testing.assert_allclose(numbers.index.get_level_values("share").unique(), np.array([3, 5, 8, 10, 12]) / 12)


def test_there_is_nothing_to_look_at_before_the_end_without_an_order(rows, campaign):
    assert interim.interim_looks(campaign) is None
    assert interim.interim_looks(looked_at(rows, assigned_by="unknown")) is None
    assert interim.interim_looks(looked_at(rows, planned_customers=40_000)) is None
    at_once = interim.interim_looks(looked_at(rows.assign(week=1)))
    assert at_once.index.get_level_values("share").unique().tolist() == [1.0]


def test_the_arm_that_pays_is_rolled_out(campaign):
    sentence = recommendation(campaign)
    assert sentence.startswith("Roll out “gift”. “gift” earned EUR ")
    assert "Its lead over “mail”" in sentence
    assert "“bought”: each additional customer cost" in sentence
    assert "(Intervals of 97.5 %, 95 % for all 2 arms together.)" in sentence


@pytest.mark.parametrize(
    ("prices", "beginning"),
    [
        (stated(worth=40.0, cost=30.0), "Roll out none of the arms: even the best loses money. “gift” lost 26"),
        (stated(worth=10.0, cost=1.1), "Keep “none”: a gain of 1.10 or more is excluded. “gift” earned -0."),
        (stated(worth=10.0, cost=0.75), "Keep “none”: a gain of 0.75 or more is excluded. “gift” earned 0."),
        (stated(worth=10.0, cost=0.75) | {"smallest_gain": 0.1}, "Keep testing “gift” with "),
        (stated(worth=10.0, cost=0.75) | {"smallest_gain": 0.4}, "Keep “none”, unless a gain below 0.40 matters: "),
        (stated(), "Use “gift”. With “gift”, “bought” is "),
    ],
)
def test_the_verdict_says_how_sure_it_is(rows, prices, beginning):
    told = read_campaign(rows, outcome="bought", covariate="before", **prices, assigned_by="random")
    assert recommendation(told).startswith(beginning)


def test_without_prices_an_arm_that_is_worse_is_not_used():
    """A game that moved its gate: players who came back after 7 days."""
    came_back = [1] * 190 + [0] * 810, [1] * 130 + [0] * 870
    rows = pd.DataFrame(
        {"version": ["gate_30"] * 1000 + ["gate_40"] * 1000, "retention_7": [*came_back[0], *came_back[1]]}
    )
    told = read_campaign(rows, arm="version", control="gate_30", outcome="retention_7", assigned_by="random")
    text = recommendation(told)
    assert text.startswith(
        "Keep “gate_30”. With “gate_40”, “retention_7” is 6.00 percentage points lower (2.79 to 9.21), a fall of 32 %."
    )


def test_nothing_found_says_what_would_have_been(rows):
    told = read_campaign(rows[rows["arm"] != "gift"], outcome="bought", **stated(), assigned_by="random")
    text = recommendation(told)
    assert text.startswith(
        "No arm is shown to have changed “bought”. The largest difference in “bought” is that of “mail”"
    )
    assert " percentage points or more would have been found four times in five" in text
    planned = recommendation(replace(told, experiment=replace(told.experiment, plan=PLANNED)))
    assert planned.startswith("Keep testing “mail” with ")
    assert (
        " customers per group, to measure its effect to within 0.500 percentage points. The largest difference"
        in planned
    )


def test_the_change_that_would_have_been_found_is_that_of_the_smallest_arm(rows):
    format_together = rows.assign(bought=rows.index // 3 % 2)
    told = read_campaign(
        format_together[(rows["arm"] != "gift") | (rows.index < 600)],
        outcome="bought",
        **stated(),
        assigned_by="random",
    )
    widest = max(rm.differences(told.experiment, told.main_outcome), key=lambda effect: effect.std_error)
    assert widest.intervention == "gift"
    needed = three_digits(100 * (ndtri(0.9875) + ndtri(0.8)) * widest.std_error)
    assert (
        f"A change of {needed} percentage points or more would have been found in each arm four times in five"
        in recommendation(told)
    )


def test_no_decision_stands_on_a_broken_assignment(rows):
    lost = rows[(rows["arm"] != "gift") | (rows.index % 4 > 0)]
    told = read_campaign(lost, outcome="bought", **stated(worth=100.0), planned_shares=SHARES, assigned_by="random")
    assert recommendation(told).startswith(
        "Do not decide by this test. A check failed: Sample ratio. Customers assigned: gift 1,500"
    )


def test_the_rows_of_a_file_are_read_once(rows, tmp_path):
    """Nothing asks for the file again once it was read, whatever is asked of the test."""
    path = tmp_path / "test.csv"
    rows.to_csv(path, index=False)
    looks = {"assigned": "week", "looks": QUARTERS}
    found = read_campaign(path, **ROLES, **MONEY, **looks, planned_shares=SHARES, assigned_by="random")
    path.unlink()
    cut = views.with_ceiling(found)
    tables = [views.difference_by_method(found), views.ceiling_table(found, cut), interim.interim_looks(found)]
    assert all(len(table) for table in tables)
    assert len(views.effects_by_delivery(found)) > 0
    assert found.experiment.n("none", "mail", "gift") == len(rows)


@pytest.mark.parametrize("as_text", ["{}", "wave {}"], ids=["numbers", "words"])
def test_waves_in_text_are_in_the_order_of_their_numbers_or_refused(as_text, rows):
    waves = rows.assign(week=rows.index // 500 + 1)
    texts = waves.assign(week=waves["week"].map(as_text.format))
    if as_text == "{}":
        pd.testing.assert_frame_equal(interim.interim_looks(looked_at(texts)), interim.interim_looks(looked_at(waves)))
        return
    for source in (texts, pl.from_pandas(texts)):
        with pytest.raises(ValueError, match=r"column 'week' must hold days or numbers for assigned, .* 'wave 1'"):
            looked_at(source)


def test_a_plan_of_households_without_their_column_fails_its_check(rows):
    plan = rm.Plan(control="none", unit="household", assigned_by="random")
    failed = [
        check.name for check in read_campaign(rows, outcome="bought", plan=plan).experiment.checks if not check.passed
    ]
    assert failed == ["Sample ratio", "Unit of assignment"]


@pytest.mark.parametrize("planned", ["rule", "choice"])
def test_a_plan_without_chance_is_not_made_random_by_a_word(planned, rows):
    plan = rm.Plan(control="none", assigned_by=planned, measured_from="2024-04-01")
    with pytest.raises(
        ValueError, match=f"assigned_by='random' contradicts the plan of the test, which says '{planned}'"
    ):
        read_campaign(rows, outcome="bought", plan=plan, assigned_by="random")


@pytest.mark.parametrize("kind", [int, bool])
def test_the_control_may_be_a_number_or_truth_value(kind, rows):
    told = read_campaign(
        rows.assign(arm=(rows["arm"] != "none").astype(kind)), outcome="bought", control=kind(0), assigned_by="random"
    )
    assert told.experiment.arms == (str(kind(0)), str(kind(1)))


def test_where_nobody_spent_the_other_outcomes_are_compared_without_a_value(rows):
    nobody = rows.assign(bought=0, amount=0.0)
    told = read_campaign(nobody, outcome="bought", amount="amount", **MONEY, redeemed="used", assigned_by="random")
    assert [effect.outcome for effect in told.effects] == ["bought", "bought"]
    assert all(effect.lower < 0 < effect.upper and effect.value is None for effect in told.effects)
    assert "“amount” is 0 for every customer: there is nothing to compare in it, and no value." in told.reasons
    alone = read_campaign(nobody, amount="amount", **stated(margin=0.5), assigned_by="random")
    assert {(effect.unit, effect.value) for effect in alone.effects} == {("share of customers", None)}
    assert recommendation(alone).startswith("No arm is shown to have changed “amount”")


CONTRACTS = {"tenure": "months", "churned": "left", "horizon": 6, "time_unit": "M", "assigned_by": "random"}


def test_where_nobody_left_customers_are_compared_and_their_time_is_not(rows):
    told = read_campaign(rows.assign(months=12, left=0), **stated(worth=20.0), **CONTRACTS)
    assert {effect.outcome for effect in told.effects} == {"still a customer"}
    assert all(effect.lower < 0 < effect.upper and effect.value is None for effect in told.effects)
    assert any("“time as a customer” is 6 for every customer" in reason for reason in told.reasons)
    assert views.relative_lifts(told) == []


def test_contracts_of_a_customer_who_is_there_twice_are_refused(rows):
    spells = rows.assign(months=rows.index % 12 + 1, left=rows.index % 2)
    twice = pd.concat([spells, spells.head(3)])
    with pytest.raises(ValueError, match="customer_id repeats: 6,003 rows for 6,000 customers"):
        read_campaign(twice, **CONTRACTS)
    assert read_campaign(spells, **CONTRACTS).experiment.n("none") == 2_000


def test_looks_at_contracts_are_said_to_be_none(rows):
    spells = rows.assign(months=rows.index % 12 + 1, left=rows.index % 2)
    told = read_campaign(spells, **CONTRACTS, assigned="week", looks=(0.5,))
    assert interim.interim_looks(told) is None
    assert any(reason.startswith("Looks were planned, but there is none at contracts") for reason in told.reasons)
