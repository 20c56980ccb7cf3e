import duckdb
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.narrative.business import business_traits


def shop(days_between, customers=60, purchases=6, first_day=0, amount=1.0):
    """Customers who buy every so many days, one new customer every day from ``first_day`` on."""
    first = first_day + np.repeat(np.arange(customers), purchases)
    day = first + days_between * np.tile(np.arange(purchases), customers)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(customers), purchases),
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D"),
            "amount": amount,
        }
    )


def kind(log, trait):
    return business_traits(log).loc[trait, "kind"]


def test_clockwork_is_told_from_chance():
    assert kind(shop(30), "leaving") == "regular purchases, perhaps payments of a contract"
    assert kind(rm.datasets.load_cdnow(), "leaving") == "purchases without a contract"
    assert kind(shop(30, customers=5), "leaving") == "too few purchases"


def test_a_log_in_which_nobody_is_new_any_more_is_one_cohort():
    assert kind(shop(30), "coming") == "one cohort, without new customers"
    assert kind(shop(1, purchases=2), "coming") == "a steady number of new customers"


@pytest.mark.parametrize(
    ("days_between", "rhythm"),
    [(2, "every few days"), (14, "every week or two"), (30, "every few weeks"), (91, "every few months")],
)
def test_rhythm_is_that_of_the_usual_gap(days_between, rhythm):
    assert kind(shop(days_between), "rhythm") == f"a purchase {rhythm}"


def test_returning_counts_new_customers_who_came_back():
    assert kind(shop(30), "returning") == "most customers return"
    once = shop(30).drop_duplicates("customer_id")
    some = pd.concat([once, shop(30, customers=3)])
    assert kind(some, "returning") == "most customers buy only once"


def test_the_best_are_those_who_spent_most_or_bought_most_where_there_is_no_money():
    rich = pd.concat([shop(30), shop(30, customers=1, amount=1000.0)])
    assert kind(rich, "the best") == "a few customers account for most"
    without = rm.read_transactions(rich, amount=None)
    assert business_traits(without).loc["the best", "measured"].endswith("of the purchases")
    assert kind(without, "the best") == "customers contribute about equally"


def test_only_customers_first_seen_late_enough_count():
    log = rm.datasets.load_cdnow()
    late = log[log.groupby("customer_id")["date"].transform("min") >= "1997-02-15"]
    whole, those = (rm.read_transactions(rows).window(observation_end="1998-06-30") for rows in (log, late))
    asked = business_traits(whole.window(acquired_after="1997-02-15")).loc[["coming", "returning", "the best"]]
    pd.testing.assert_frame_equal(asked, business_traits(those).loc[asked.index])


def test_a_business_is_the_same_on_duckdb():
    log = rm.datasets.load_cdnow()
    pd.testing.assert_frame_equal(business_traits(duckdb.connect().from_df(log)), business_traits(log))
