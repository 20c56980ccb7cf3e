import pandas as pd

import retention_models as rm
from retention_models.narrative.overviews import overview

LOG = pd.DataFrame(
    {
        "customer_id": ["a", "a", "a", "b", "c"],
        "date": ["2024-01-05", "2024-01-05", "2024-02-10", "2024-01-20", "2024-01-21"],
        "amount": [1.0, 2.0, 3.0, 4.0, None],
    }
)


def test_an_overview_counts_customers_purchases_and_what_was_set_aside():
    facts = overview(LOG)["this log"]
    assert facts.to_dict() == {
        "rows that count": "4",
        "first day": "2024-01-05",
        "last day": "2024-02-10",
        "customers": "2",
        "who bought only once": "1 (50 %)",
        "purchases": "3",
        "mean amount of a purchase": "3.33",
        "total amount": "10",
        "set aside: rows without a finite amount": "1",
    }


def test_an_overview_shows_gross_returned_and_net_up_to_the_last_day():
    rows = pd.concat([LOG, pd.DataFrame({"customer_id": ["a"], "date": ["2024-03-01"], "amount": [-1.0]})])
    facts = overview(rows)["this log"]
    assert facts[["gross amount", "returned", "net amount"]].tolist() == ["10", "1", "9"]
    assert facts["purchases"] == "3"
    before = overview(rm.read_transactions(rows).window(observation_end="2024-02-15"))["this log"]
    assert before[["gross amount", "returned", "net amount"]].tolist() == ["10", "0", "10"]


def test_it_keeps_to_the_days_asked_for_and_counts_what_lies_outside():
    facts = overview(rm.read_transactions(LOG).window(acquired_after="2024-01-10", observation_end="2024-02-01"))[
        "this log"
    ]
    assert facts["customers"] == "1"
    assert facts["last day"] == "2024-02-01"
    assert facts["set aside: rows after observation_end"] == "1"
    assert facts["set aside: customers first seen before acquired_after"] == "1"


def test_a_log_without_money_has_no_mean_amount():
    assert "mean amount of a purchase" not in overview(rm.read_transactions(LOG, amount=None)).index


def test_the_name_of_a_log_is_the_last_part_of_its_path():
    assert overview(LOG, name="/home/me/secret/orders.csv").columns.tolist() == ["orders.csv"]
