import numpy as np
import pandas as pd
import pytest

from retention_models.evaluation import concentration, gain_table


def test_gain_counts_all_purchases_and_lift_averages_to_one(pareto, customers):
    table = gain_table(pareto, customers)
    assert np.isclose(table["gain"].iloc[-1], 1)
    assert np.isclose(table["lift"].mean(), 1)
    assert np.isclose(table["actual"].mean(), customers["holdout_frequency"].mean())
    assert table["expected"].is_monotonic_decreasing
    assert table.index.tolist() == list(range(1, 11))


def test_gain_does_not_depend_on_the_order_of_rows(pareto, customers):
    shuffled = customers.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(gain_table(pareto, shuffled), gain_table(pareto, customers))


def test_customers_with_the_same_forecast_share_their_purchases(pareto, customers):
    one = customers.iloc[[0] * 10].assign(holdout_frequency=[9, *[0] * 9])
    table = gain_table(pareto, one, groups=5)
    assert np.allclose(table["actual"], 0.9)
    assert np.allclose(table["lift"], 1)


def test_gain_without_purchases_is_zero(pareto, customers):
    table = gain_table(pareto, customers.assign(holdout_frequency=0))
    assert (table[["actual", "lift", "gain"]] == 0).all(axis=None)


def test_concentration_of_equal_values_is_the_diagonal():
    frame = concentration(np.ones(7))
    assert np.allclose(frame["customers"], frame["value"])


def test_concentration_orders_the_best_first():
    frame = concentration([0, 0, 10, 0], steps=4)
    assert frame["value"].tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, np.nan], [1.0, -2.0]])
def test_concentration_of_nothing_is_an_error(values):
    with pytest.raises(ValueError, match="finite numbers of 0 or more"):
        concentration(values)


def test_shares_of_what_is_partly_negative_are_an_error():
    with pytest.raises(ValueError, match="1 of 3 are negative or not a number, and the sum is 4"):
        concentration([5, -2, 1])
