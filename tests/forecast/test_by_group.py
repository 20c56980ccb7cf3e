import numpy as np
import pytest

import retention_models as rm
from retention_models.evaluation import (
    holdout_by_frequency,
    holdout_by_group,
    holdout_scores,
)


def test_groups_of_status_add_up_to_all(pareto, customers):
    groups = rm.forecast.status_by_group(pareto, customers, customers["frequency"].clip(upper=3))
    everybody = rm.forecast.status_by_group(pareto, customers).loc["all"]
    assert groups.index.tolist() == ["0", "1", "2", "3"]
    assert groups["customers"].sum() == everybody["customers"] == 2357
    assert np.isclose(groups["still_customers"].sum(), everybody["still_customers"])
    assert (groups["probability_alive_lower"] < groups["probability_alive"]).all()
    assert (groups["probability_alive"] < groups["probability_alive_upper"]).all()


@pytest.mark.slow
def test_status_is_the_mean_probability_and_its_interval_that_of_parameter_draws(pareto, customers):
    row = rm.forecast.status_by_group(pareto, customers).loc["all"]
    assert np.isclose(row["probability_alive"], rm.predict(pareto, customers, 39)["probability_alive"].mean())
    columns = [customers[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    drawn = pareto.draw(1000, np.random.default_rng(1)).probability_alive(*columns).mean(axis=-1)
    assert np.isclose(row["probability_alive_lower"], np.quantile(drawn, 0.025), atol=0.01)
    assert np.isclose(row["probability_alive_upper"], np.quantile(drawn, 0.975), atol=0.01)


def test_weights_count_customers(pareto, customers):
    compressed = rm.logs.compress(customers)
    assert np.allclose(rm.forecast.status_by_group(pareto, compressed), rm.forecast.status_by_group(pareto, customers))


def test_a_holdout_by_frequency_is_one_by_group(fits, customers):
    by_group = holdout_by_group(fits, customers, customers["frequency"].clip(upper=7))
    by_frequency = holdout_by_frequency(fits, customers, max_frequency=7)
    assert np.allclose(by_group.drop(columns=["came_back", "came_back_lower", "came_back_upper"]), by_frequency)


def test_a_holdout_of_one_group_is_that_of_all(pareto, customers):
    row = holdout_by_group(pareto, customers, ["all"] * len(customers)).loc["all"]
    score = holdout_scores(pareto, customers).loc["ParetoNBD"]
    assert np.isclose(row["customers"] * row["ParetoNBD"], score["expected"])
    assert np.isclose(row["customers"] * row["actual"], 1882)
    assert np.isclose(row["came_back"], (customers["holdout_frequency"] > 0).mean())


def test_new_customers_of_a_group_are_those_of_its_own_fit(customers):
    by_cohort = rm.fit(rm.BGNBD, customers, by="cohort")
    table = rm.forecast.new_customer_by_group(by_cohort, 39)
    assert table.index.tolist() == ["all", "1997-01", "1997-02", "1997-03"]
    alone = rm.fit(rm.BGNBD, customers[customers["first_purchase"] < "1997-02-01"])
    expected = alone.model.expected_purchases_new(np.array([39.0]))[0]
    assert np.isclose(table.loc["1997-01", "expected_purchases"], expected)
    assert table.loc["all", "customers"] == table["customers"].iloc[1:].sum()


def test_a_fit_without_groups_is_an_error(pareto):
    with pytest.raises(ValueError, match=r"the fit has no groups; make it with fit\(\.\.\., by=\.\.\.\)"):
        rm.forecast.new_customer_by_group(pareto, 39)
