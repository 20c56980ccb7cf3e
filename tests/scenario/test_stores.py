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


def test_the_same_seed_gives_the_same_chain():
    first, second = (rm.scenario.chain(np.random.default_rng(5), customers=1_000) for _ in range(2))
    pd.testing.assert_frame_equal(first.transactions, second.transactions)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"stores": 2}, "stores"),
        ({"order": "name"}, "order must be one of"),
        ({"season": 2}, "season"),
        ({"weeks": 3}, "weeks"),
    ],
)
def test_a_chain_that_cannot_be_is_named(keywords, message):
    with pytest.raises(ValueError, match=message):
        rm.scenario.chain(1, **keywords)
