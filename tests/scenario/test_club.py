"""The simulated club: who joins, what members differ in without any effect, and a truth that experiments find."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import retention_models as rm
from retention_models.scenario import membership

WINDOW = 84  # days


@pytest.fixture(scope="module")
def no_effect():
    return rm.scenario.club(1, gain=0.0, stay=0.0)


@pytest.fixture(scope="module")
def shop():
    return rm.scenario.club(3, customers=3_000, discount=0.1)


def in_days(dates):
    return (pd.DatetimeIndex(dates) - pd.Timestamp("2024-01-01")).days.to_numpy()


def orders_after(log, customers, days):
    """The number of orders of each customer in the twelve weeks after a day of their own."""
    key = np.sort(log["customer_id"].to_numpy() * 100_000 + in_days(log["date"]))
    begin = np.asarray(customers) * 100_000 + days
    return np.searchsorted(key, begin + WINDOW, side="right") - np.searchsorted(key, begin, side="right")


def anchors(shop, category="own"):
    """Orders of the club's category with the customer's day of joining, and the orders of the next twelve weeks."""
    own = shop.transactions.query("category == 'own'").sort_values(["customer_id", "date"], ignore_index=True)
    joined = own["customer_id"].map(shop.joins.set_index("customer_id")["date"])
    counted = shop.transactions[shop.transactions["category"] == category]
    later = orders_after(counted, own["customer_id"], in_days(own["date"]))
    frame = own.assign(number=own.groupby("customer_id").cumcount() + 1, joined=joined, later=later)
    return frame[frame["date"] <= pd.Timestamp(shop.observation_end) - pd.Timedelta(WINDOW, "D")]


def test_the_logs_are_read_as_an_analyst_has_them(shop):
    contacts = rm.read_contacts(shop.joins)
    assert contacts.kinds == {"membership": len(shop.joins)}
    assert shop.joins["customer_id"].is_unique
    log = rm.read_transactions(shop.transactions)
    assert log.set_aside == {}
    assert str(log.last_date) == shop.observation_end == "2025-12-28"
    assert shop.transactions["customer_id"].nunique() == 3_000


def test_members_buy_far_more_than_others_where_joining_changes_nothing(no_effect):
    """The number that would be believed: the twelve weeks after joining, against those who never join."""
    own = no_effect.transactions.query("category == 'own'")
    first = own.groupby("customer_id")["date"].min()
    others = first[~first.index.isin(no_effect.joins["customer_id"])].sort_values()
    latest = pd.Timestamp(no_effect.observation_end) - pd.Timedelta(WINDOW, "D")
    joins = no_effect.joins[no_effect.joins["date"].between(others.iloc[0], latest)]
    customers = others.searchsorted(joins["date"], side="right")
    compared = others.index[(np.random.default_rng(1).random(len(joins)) * customers).astype(int)]
    members, never = (orders_after(own, who, in_days(joins["date"])).mean() for who in (joins["customer_id"], compared))
    assert no_effect.potential_outcomes.loc["never", "orders"] == pytest.approx(3.48, abs=0.1)
    assert members - never == pytest.approx(2.6, abs=0.25)


def test_at_an_order_those_who_join_hardly_differ_from_those_alike_who_do_not(no_effect):
    """One week's orders, those with as many orders in the half year before: nothing is left of the difference."""
    rows = anchors(no_effect)
    rows = rows[(rows["number"] > 1) & ~(rows["joined"] < rows["date"])]
    key = rows["customer_id"].to_numpy() * 100_000 + in_days(rows["date"])
    own = no_effect.transactions.query("category == 'own'")
    every = np.sort(own["customer_id"].to_numpy() * 100_000 + in_days(own["date"]))
    recent = np.searchsorted(every, key, side="left") - np.searchsorted(every, key - 182, side="left")
    joins = (rows["joined"] == rows["date"]).rename("joins")
    means = rows.groupby([joins, np.minimum(recent, 15)])["later"].agg(["mean", "count"])
    difference = np.average(means.loc[True, "mean"] - means.loc[False, "mean"], weights=means.loc[True, "count"])
    plain = rows.loc[joins, "later"].mean() - rows.loc[~joins, "later"].mean()
    assert plain > 0.3
    assert abs(difference) < 0.2
    chance = joins.groupby(np.minimum(recent, 15)).mean()
    assert chance.loc[10:].mean() > 1.3 * chance.loc[:2].mean()


def test_a_third_of_the_comparison_customers_join_within_twelve_weeks(no_effect):
    rows = anchors(no_effect)
    compared = rows[(rows["number"] > 1) & ~(rows["joined"] <= rows["date"])]
    later = (compared["joined"] - compared["date"]).dt.days <= WINDOW
    assert later.mean() == pytest.approx(1 / 3, abs=0.03)


def test_lifetimes_and_counts_are_those_of_a_gamma_poisson_shop_by_days():
    """The mean number of orders in the first year and the share without any, by the mixture."""
    rng = np.random.default_rng(1)
    (a, rate), (b, leaving) = membership.RATE, membership.LEAVING
    rates, leaves = rng.gamma(a, rate / a, 100_000), rng.gamma(b, leaving / b, 100_000)
    until = np.minimum(rng.exponential(1 / leaves), 52)
    shop = rm.scenario.club(
        2, customers=5_000, joining=1e-3, selection_strength=0.0, gain=0.0, stay=0.0, horizon_weeks=1
    )
    own = shop.transactions.query("category == 'own'")
    first = own.groupby("customer_id")["date"].min()
    early = first.index[first <= pd.Timestamp(shop.observation_end) - pd.Timedelta(364, "D")]
    year = own[own["date"] - own["customer_id"].map(first) <= pd.Timedelta(364, "D")]
    counts = year["customer_id"].value_counts().reindex(early) - 1
    stays = np.exp(-leaves / 7)
    mean = (-np.expm1(-rates / 7) * stays * (1 - stays**364) / (1 - stays)).mean()  # at most one order a day
    assert abs(counts.mean() - mean) < 3 * counts.sem()
    assert (counts == 0).mean() == pytest.approx(np.exp(-rates * until).mean(), abs=0.03)
    weekday = own["date"].dt.day_of_week.value_counts(normalize=True)
    assert weekday.between(0.13, 0.155).all()


def test_every_join_is_at_an_order_or_up_to_a_week_before_the_first(shop):
    rows = anchors(shop)
    joined = shop.joins.merge(rows.groupby("customer_id")["date"].min().rename("first"), on="customer_id")
    before = (joined["first"] - joined["date"]).dt.days
    own = shop.transactions.query("category == 'own'")
    at_order = joined.merge(own, on=["customer_id", "date"])
    early = before > 0
    assert len(at_order) + early.sum() == len(joined)
    assert early.sum() > 20
    assert before.max() <= 7
    assert shop.joined_customers < len(joined) < len(shop.joins)


def test_in_the_app_customers_join_on_any_day():
    shop = rm.scenario.club(3, customers=2_000, horizon_weeks=4, where="app")
    own = shop.transactions.query("category == 'own'")
    with_order = shop.joins.merge(own, on=["customer_id", "date"])
    assert 0.1 < len(with_order) / len(shop.joins) < 0.5
    assert 0.35 < len(shop.joins) / 2_000 < 0.6
    truth = shop.truth.loc[["never_joined", "as_joined"], "orders"]
    assert truth["never_joined"] > truth["as_joined"] > 0


def test_the_other_category_knows_nothing_of_the_club():
    """The same seed with and without an effect: no order of the other category changes."""
    shops = [rm.scenario.club(4, customers=1_000, gain=size, stay=size, horizon_weeks=1) for size in (0.0, 0.5)]
    other, same = (shop.transactions.query("category == 'other'")[["customer_id", "date"]] for shop in shops)
    pd.testing.assert_frame_equal(other.reset_index(drop=True), same.reset_index(drop=True))
    own = [shop.transactions.query("category == 'own'") for shop in shops]
    assert len(own[1]) > 1.1 * len(own[0])
    counts = [log["customer_id"].value_counts().reindex(range(1_000), fill_value=0) for log in (own[0], other)]
    assert np.corrcoef(counts)[0, 1] > 0.5


def test_members_get_discounts_after_joining_and_only_there(shop):
    log = shop.transactions.merge(shop.joins.rename(columns={"date": "joined"}), on="customer_id", how="left")
    due = (log["date"] > log["joined"]) & (log["category"] == "own")
    assert np.allclose(log.loc[due, "discount"], 0.1 * log.loc[due, "amount"], atol=0.0051)
    assert (log.loc[~due, "discount"] == 0).all()


def test_most_discounts_are_for_subsidised_purchases(shop):
    means = shop.potential_outcomes
    assert means.loc["never", "discounts"] == 0
    assert means.loc["joined", "discounts"] == pytest.approx(0.1 * means.loc["joined", "amount"])
    assert means.loc["never", "orders"] > 0.8 * means.loc["joined", "orders"]
    assert shop.truth.loc["never_joined", "discounts"] > shop.truth.loc["as_joined", "discounts"] > 0


def test_without_an_effect_the_truth_is_exactly_zero(no_effect):
    assert (no_effect.truth.drop(columns="discounts") == 0).all(axis=None)
    latent = rm.scenario.club(
        6, customers=300, weeks=20, horizon_weeks=2, gain=0.0, stay=0.0, selection="latent", where="app"
    )
    assert (latent.truth.drop(columns="discounts") == 0).all(axis=None)


def test_an_effect_on_leaving_alone_keeps_customers():
    truth = rm.scenario.club(7, customers=1_000, weeks=40, gain=0.0, stay=0.8).truth
    assert (truth["active"] > 0.05).all()
    assert (truth["orders"] > 0).all()


def test_latent_selection_goes_beyond_what_was_observed():
    """Among those with equal orders of late, joiners at the till have the higher rate."""
    shop = rm.scenario.club(
        8, customers=6_000, gain=0.0, stay=0.0, selection="latent", selection_strength=0.2, horizon_weeks=1
    )
    rows = anchors(shop)
    rows = rows[(rows["number"] == 2) & ~(rows["joined"] < rows["date"])]
    joins = rows["joined"] == rows["date"]
    assert rows.loc[joins, "later"].mean() > rows.loc[~joins, "later"].mean() + 0.4


@pytest.mark.parametrize("where", ["till", "app"])
def test_the_same_seed_gives_the_same_shop(where):
    one, two = (
        rm.scenario.club(rng, customers=300, weeks=30, horizon_weeks=2, where=where)
        for rng in (9, np.random.default_rng(9))
    )
    pd.testing.assert_frame_equal(one.transactions, two.transactions)
    pd.testing.assert_frame_equal(one.joins, two.joins)
    pd.testing.assert_frame_equal(one.truth, two.truth)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"customers": 0}, "customers must be a whole number, 1 or more"),
        ({"weeks": 12}, "weeks must be a whole number, 13 or more"),
        ({"where": "shop"}, "where must be one of"),
        ({"selection": "none"}, "selection must be one of"),
        ({"stay": 20}, "stay must be a number from 0 to 1"),
        ({"joining": 0.0}, "joining must lie between 0 and 1"),
        ({"gain": -2}, "gain must be a number, -1 or more"),
        ({"begins": "today"}, "begins must be a day"),
        ({"customers": 3, "joining": 1e-6}, "nobody joined early enough"),
    ],
)
def test_a_club_that_cannot_be_is_named(keywords, message):
    with pytest.raises(ValueError, match=message):
        rm.scenario.club(1, **keywords)


def randomised(customers, weeks, gain, stay, rng):
    """Outcomes over twelve weeks of customers whose first decision to join, after the first order, is randomised.

    Written apart from the package, by calendar days: a third join, a third do not at this order and may later, a third
    never do. One row a customer: the group, orders and whether the customer is still active.
    """
    (a, rate), (b, leaving) = membership.RATE, membership.LEAVING
    days = 7 * weeks
    entry, rates, leaves = (
        rng.integers(0, days, customers),
        rng.gamma(a, rate / a, customers) / 7,
        rng.gamma(b, leaving / b, customers) / 7,
    )
    orders, present = np.zeros((days, customers), bool), np.zeros(customers, bool)
    decided, group, since = np.full(customers, 10**6), np.full(customers, -1), np.full(customers, 10**6)
    totals, still = np.zeros(customers), np.zeros(customers, bool)
    for day in range(days):
        member = since < day
        present &= rng.random(customers) < np.exp(-leaves * np.where(member, 1 - stay, 1))
        buys = present & (rng.random(customers) < 1 - np.exp(-rates * np.where(member, 1 + gain, 1)))
        new = entry == day
        totals += buys & (day > decided) & (day <= decided + WINDOW)
        still = np.where(day == decided + WINDOW, present, still)
        recent = orders[max(day - 182, 0) : day].sum(axis=0)
        wants = (buys | new) & (since > day) & (rng.random(customers) < expit(logit(0.07) + 0.14 * recent))
        randomise = wants & ~new & (decided > day)
        group[randomise] = rng.integers(0, 3, randomise.sum())
        decided[randomise] = day
        since[wants & (new | (group == 0) | ((group == 1) & ~randomise))] = day
        decided[wants & new] = -(10**6)
        present |= new
        orders[day] = buys | new
    counted = (group >= 0) & (decided + WINDOW < days)
    return pd.DataFrame({"group": group, "orders": totals, "bought": totals > 0, "active": still})[counted]


@pytest.mark.slow
def test_the_truth_is_what_an_experiment_at_the_till_finds():
    rows = randomised(200_000, 40, 0.5, 0.5, np.random.default_rng(1)).groupby("group")
    mean, error = rows.mean(), rows.sem()
    truth = rm.scenario.club(1, customers=60_000, weeks=40, gain=0.5, stay=0.5).truth
    for estimand, group in (("as_joined", 1), ("never_joined", 2)):
        difference = mean.loc[0] - mean.loc[group]
        bound = 3.5 * np.hypot(error.loc[0], error.loc[group])
        assert (abs(truth.loc[estimand, mean.columns] - difference) < bound).all(), (truth, difference, bound)
