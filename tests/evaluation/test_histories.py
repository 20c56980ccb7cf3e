import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation import alive_history, history_matrix


def test_the_matrix_holds_what_the_model_says(pareto):
    frame = history_matrix(pareto, T=39, horizon=26, max_frequency=3, steps=5)
    assert frame["frequency"].tolist() == [1] * 5 + [2] * 5 + [3] * 5
    assert frame["recency"].iloc[:5].tolist() == [7.8, 15.6, 23.4, 31.2, 39.0]
    arguments = frame["frequency"].to_numpy(float), frame["recency"].to_numpy(), np.full(15, 39.0)
    assert np.array_equal(frame["probability_alive"], pareto.model.probability_alive(*arguments))
    assert np.array_equal(frame["expected_purchases"], pareto.model.expected_purchases(26, *arguments))
    assert frame.attrs == {"T": 39.0, "horizon": 26.0, "time_unit": "weeks"}


def test_a_matrix_without_a_future_is_an_error(pareto):
    with pytest.raises(ValueError, match="T and horizon must be above 0"):
        history_matrix(pareto, T=39, horizon=0)


def test_the_probability_falls_in_silence_and_rises_with_a_purchase(pareto, log):
    frame = alive_history(pareto, log, 1)
    assert frame["date"].is_monotonic_increasing
    assert frame["purchase"].sum() == 4
    rise = frame["probability_alive"].diff()
    assert (rise[frame["purchase"]].iloc[1:] > 0).all()
    assert (rise[~frame["purchase"]].iloc[1:] <= 0).all()
    assert frame["probability_alive"].iloc[0] == 1


def test_the_history_ends_with_what_the_summary_knows(pareto, log, customers):
    end = alive_history(pareto, log, 1, observation_end="1997-09-30").iloc[-1]
    assert np.allclose(
        end[["frequency", "recency", "T"]].astype(float), customers.loc[1, ["frequency", "recency", "T"]]
    )
    assert end["date"] == pd.Timestamp("1997-09-30")


def test_an_unknown_customer_is_an_error(pareto, log):
    with pytest.raises(ValueError, match="customer_id 'x' has no purchase"):
        alive_history(pareto, log, "x")


@pytest.mark.parametrize("granularity", ["D", "W", "h"])
def test_a_history_measures_time_as_its_fit_does(log, granularity):
    customers = rm.summarize(log, calibration_end="1997-09-28", time_unit="D", granularity=granularity)
    fit = rm.fit(rm.BGNBD, customers)
    end = alive_history(fit, log, 1, observation_end="1997-09-28").iloc[-1]
    names = ["frequency", "recency", "T"]
    assert np.allclose(end[names].astype(float), customers.loc[1, names])
    with pytest.raises(ValueError, match="was fitted with time_unit 'D', the log is to be read with 'W'"):
        alive_history(fit, log, 1, time_unit="W")


def test_a_model_of_spend_has_no_history_of_being_alive(log, customers):
    spend = rm.fit(rm.GammaGamma, customers)
    with pytest.raises(ValueError, match="GammaGamma does not predict purchases"):
        alive_history(spend, log, 1)
    with pytest.raises(ValueError, match="GammaGamma does not predict purchases"):
        history_matrix(spend, T=39, horizon=26)
