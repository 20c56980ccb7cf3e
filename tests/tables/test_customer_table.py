"""The door for customer tables: what comes through, and what is said to what does not."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.core.distinct import distinct_rows
from retention_models.tables.customer_table import read_table

NAMES = ("frequency", "recency", "T")


@pytest.fixture
def customers():
    return pd.DataFrame(
        {"frequency": [2, 0, 2, 5], "recency": [3.5, 0, 3.5, 8.0], "T": [10.0, 4.0, 10.0, 9.0]},
        index=pd.Index(["a", "b", "c", "d"], name="customer_id"),
    )


def test_equal_histories_become_one_row_that_counts_twice_and_rows_are_sorted(customers):
    table = read_table(customers, NAMES)
    np.testing.assert_array_equal(table.weight, [1, 2, 1])
    np.testing.assert_array_equal(table.row, [1, 0, 1, 2])
    np.testing.assert_array_equal(table.columns[1][table.row], customers["recency"])
    assert list(table.index) == ["a", "b", "c", "d"]


def test_polars_and_pandas_give_the_same_table(customers):
    ours = read_table(customers, NAMES)
    for frame in (
        pl.DataFrame(customers.reset_index().to_dict("list")),
        pl.LazyFrame(customers.reset_index().to_dict("list")),
    ):
        theirs = read_table(frame, NAMES)
        np.testing.assert_array_equal(theirs.columns, ours.columns)
        assert list(theirs.index) == list(ours.index)
        assert theirs.sha256() == ours.sha256()


def test_fingerprint_knows_neither_order_nor_aggregation_but_every_value(customers):
    fingerprint = read_table(customers, NAMES).sha256()
    grouped = customers.groupby(list(NAMES), as_index=False).size().rename(columns={"size": "weight"})
    assert read_table(customers.iloc[::-1], NAMES).sha256() == fingerprint
    assert read_table(grouped, NAMES).sha256() == fingerprint
    assert read_table(customers.assign(T=customers["T"] + 1e-9), NAMES).sha256() != fingerprint


def test_distinct_rows_give_back_every_row():
    rng = np.random.default_rng(0)
    columns = (rng.integers(0, 5, 1000).astype(float), rng.integers(0, 7, 1000) / 7)
    distinct, row = distinct_rows(columns)
    assert len(distinct[0]) == 35
    np.testing.assert_array_equal([column[row] for column in distinct], columns)


def broken(customers, column, label, value):
    return customers.astype({column: object}).assign(**{column: lambda c: c[column].where(c.index != label, value)})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("frequency", 1.5, r"frequency is not a whole number for 1 of 4 customers \(first: customer_id c\)"),
        ("frequency", -1, r"frequency is negative for 1 of 4 customers"),
        ("frequency", "many", r"frequency is missing, infinite or not a number for 1 of 4"),
        ("frequency", 0, r"recency is above 0 without a repeat purchase for 1 of 4 customers"),
        ("recency", 11.0, r"recency exceeds T for 1 of 4 customers \(first: customer_id c\); was observation_end"),
        ("recency", -1.0, r"recency is negative"),
        ("recency", 0.0, r"recency is 0 in spite of repeat purchases for 1 of 4"),
        ("recency", None, r"recency is missing, infinite or not a number for 1 of 4"),
        ("T", np.inf, r"T is missing, infinite or not a number for 1 of 4"),
        ("T", np.nan, r"T is missing, infinite or not a number for 1 of 4"),
        ("T", -2.0, r"T is negative"),
    ],
)
def test_a_broken_rule_is_named_with_column_count_and_first_customer(customers, column, value, message):
    with pytest.raises(ValueError, match=message):
        read_table(broken(customers, column, "c", value), NAMES)


def test_negative_weights_are_an_error(customers):
    with pytest.raises(ValueError, match="weight is negative for 1 of 4"):
        read_table(customers.assign(weight=[1, 1, -1, 1]), NAMES)


def test_dates_where_numbers_belong_are_an_error(customers):
    with pytest.raises(ValueError, match="T holds dates or durations"):
        read_table(customers.assign(T=pd.Timestamp("2020-01-01")), NAMES)


def test_missing_and_doubled_columns_are_named(customers):
    with pytest.raises(
        ValueError, match=r"recency, T not in the table \(columns: frequency\); such a table comes from"
    ):
        read_table(customers[["frequency"]], NAMES)
    doubled = pd.concat([customers, customers[["T"]]], axis=1)
    with pytest.raises(ValueError, match="T appears more than once"):
        read_table(doubled, NAMES)


def test_an_empty_table_and_a_thing_that_is_no_table_are_errors(customers):
    with pytest.raises(ValueError, match="the table has no rows"):
        read_table(customers.iloc[:0], NAMES)
    with pytest.raises(TypeError, match=r"must be a dataframe .* not list"):
        read_table([1, 2], NAMES)
