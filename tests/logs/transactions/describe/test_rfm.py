import duckdb
import pandas as pd

import retention_models as rm
from retention_models.logs.transactions.describe.rfm import rfm_segments

LOG = pd.DataFrame(
    {
        "customer_id": [1, 2, 3, 4, 5, 5, 5, 5],
        "date": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", *["2024-05-01"] * 2,
                                "2024-05-02", "2024-05-03"]),
        "amount": [10.0, 20.0, 30.0, 40.0, 1.0, 1.0, 1.0, 1.0],
    }
)  # fmt: skip


def test_scores_rank_customers_into_fifths():
    table = rfm_segments(LOG)
    assert table["recency_score"].tolist() == [1, 2, 3, 4, 5]
    assert table["monetary_score"].tolist() == [2, 3, 4, 5, 1]


def test_equal_customers_get_equal_scores_whatever_the_order_of_rows():
    table = rfm_segments(LOG)
    assert table["purchases"].tolist() == [1, 1, 1, 1, 3]
    assert table["frequency_score"].tolist() == [1, 1, 1, 1, 5]
    pd.testing.assert_frame_equal(rfm_segments(LOG.sample(frac=1, random_state=1)), table)


def test_segments_are_named_by_recency_and_frequency():
    assert rfm_segments(LOG)["segment"].tolist() == [
        "hibernating",
        "hibernating",
        "about to sleep",
        "promising",
        "champion",
    ]


def test_days_count_up_to_the_end_of_the_observation():
    assert rfm_segments(LOG).loc[4, "days_since_last"] == 32
    assert rfm_segments(rm.read_transactions(LOG).window(observation_end="2024-05-13")).loc[4, "days_since_last"] == 42


def test_a_log_without_money_has_no_monetary_score():
    assert not {"spend", "monetary_score"} & set(rfm_segments(rm.read_transactions(LOG, amount=None)))


def test_segments_are_the_same_on_duckdb():
    pd.testing.assert_frame_equal(rfm_segments(duckdb.connect().from_df(LOG)), rfm_segments(LOG))


def test_buying_once_scores_lowest_for_frequency_however_many_did():
    table = rfm_segments(rm.datasets.load_cdnow())
    assert (table.loc[table["purchases"] == 1, "frequency_score"] == 1).all()
    assert (table.loc[table["purchases"] > 1, "frequency_score"] > 1).all()


def test_only_customers_first_seen_late_enough_take_part():
    late = rfm_segments(rm.read_transactions(LOG).window(acquired_after="2024-03-01"))
    pd.testing.assert_frame_equal(late, rfm_segments(LOG[LOG["customer_id"] > 2]))
