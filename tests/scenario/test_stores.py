"""The simulated chain: who launches when, and a truth that follows from the log."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm


def test_large_stores_launch_first_unless_the_order_is_random():
    by_size = rm.scenario.chain(1, customers=4_000)
    orders = by_size.transactions["store"].value_counts().reindex(by_size.launches["store"])
    launched = by_size.launches["first_treated"]
    early, never = orders[(launched == launched.min()).to_numpy()], orders[launched.isna().to_numpy()]
    assert early.min() > never.max() * 0.9
    assert (by_size.assigned_by, rm.scenario.chain(1, order="random").assigned_by) == ("rule", "random")


def test_the_effect_shows_in_the_log():
    worlds = [rm.scenario.chain(3, customers=20_000, effect=effect) for effect in (0.0, 0.5)]
    plain, more = (len(world.transactions) for world in worlds)
    assert more - plain == pytest.approx(worlds[1].additional_orders, rel=0.1)
    assert worlds[0].effect == 0


def test_a_second_effort_coincides_in_some_stores():
    world = rm.scenario.chain(2, coincidence=0.5)
    both = world.launches.merge(world.other_launches, on="store").dropna()
    assert 5 < len(both) < 25
    assert ((both["first_treated_y"] - both["first_treated_x"]).dt.days <= 7).all()


def test_members_get_a_discount_since_the_launch_and_the_truth_says_how_much():
    world = rm.scenario.chain(4, customers=12_000, effect=0.3, members=0.5, discount=0.2)
    log = world.transactions.merge(world.launches, on="store")
    since = log["date"] >= log["first_treated"]
    assert (log.loc[~since, "discount"] == 0).all()
    given = log[log["discount"] > 0]
    assert (given["discount"] / (given["amount"] + given["discount"])).round(2).median() == 0.2
    assert (log["discount"] > 0)[since].mean() == pytest.approx(0.5, abs=0.03)
    assert log["discount"].sum() == pytest.approx(world.discounts, rel=0.03)
    without = rm.scenario.chain(4, customers=12_000, effect=0.0, members=0.5, discount=0.2)
    assert without.discounts == without.subsidised == pytest.approx(world.subsidised, rel=0.05)  # other members
    assert world.additional_amount == pytest.approx(20 * world.additional_orders)


def test_offers_to_members_change_no_order():
    plain, offered = (rm.scenario.chain(4, customers=2_000, members=members) for members in (0.0, 0.6))
    orders = ["customer_id", "date", "store"]
    pd.testing.assert_frame_equal(plain.transactions[orders], offered.transactions[orders])
    assert plain.discounts == plain.transactions["discount"].sum() == 0


def test_the_same_seed_gives_the_same_chain():
    first, second = (rm.scenario.chain(np.random.default_rng(5), customers=1_000) for _ in range(2))
    pd.testing.assert_frame_equal(first.transactions, second.transactions)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"stores": 2}, "stores"),
        ({"order": "name"}, "order must be one of"),
        ({"season": 2}, "season"),
        ({"members": 2}, "members"),
        ({"discount": -0.1}, "discount"),
        ({"weeks": 3}, "weeks"),
    ],
)
def test_a_chain_that_cannot_be_is_named(keywords, message):
    with pytest.raises(ValueError, match=message):
        rm.scenario.chain(1, **keywords)
