import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.evaluation import (
    calibration,
    gain_table,
    holdout_by_frequency,
    holdout_check,
    holdout_scores,
    status_by_frequency,
)


def test_by_frequency_gives_the_published_means(fits, customers, published):
    table, expected = holdout_by_frequency(fits, customers), published["by_frequency"]
    assert table.index.tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    assert table["customers"].tolist() == expected["customers"]
    assert table["actual"].round(3).tolist() == expected["actual"]
    for name in fits:  # within a few units of the last digit: the published maxima are a little off
        assert np.allclose(table[name], expected[name], atol={"Pareto/NBD": 1e-3, "BG/NBD": 2e-4}[name])


def test_by_frequency_adds_up_to_the_totals(fits, customers):
    table = holdout_by_frequency(fits, customers, max_frequency=2)
    assert table.index.tolist() == ["0", "1", "2+"]
    total = table[["actual", *fits]].mul(table["customers"], axis=0).sum()
    assert np.allclose(total.to_numpy(), [1882, *holdout_scores(fits, customers)["expected"]])


def test_one_time_buyers_are_all_alive_to_the_bg_nbd_and_few_came_back(fits, customers):
    table = status_by_frequency(fits, customers)
    once = customers[customers["frequency"] == 0]
    assert table.loc["0", "BG/NBD"] == 1
    assert table.loc["0", "customers"] == 1411
    assert np.isclose(table.loc["0", "came_back"], (once["holdout_frequency"] > 0).mean())
    mean = table[list(fits)].mul(table["customers"], axis=0).sum() / 2357
    assert np.allclose(mean, [0.446267, 0.813440], rtol=2e-4)  # published


def test_frequencies_that_nobody_has_are_left_away(fits, customers):
    table = status_by_frequency(fits, customers[customers["frequency"].isin([1, 3])])
    assert table.index.tolist() == ["1", "3"]


def test_scores_are_the_published_ones(fits, customers, published):
    table, totals = holdout_scores(fits, customers), published["totals"]
    assert table["actual"].tolist() == [totals["actual"]] * 2
    for name in fits:
        assert np.isclose(table.loc[name, "expected"], totals[name]["expected"], rtol=1e-4)
        assert np.isclose(table.loc[name, "mae"], totals[name]["mae"], rtol=3e-5)
    assert np.allclose(table["error"], 1882 / table["expected"] - 1)


def test_scores_agree_with_their_definition_customer_by_customer(pareto, customers):
    x, t_x, T = (customers[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    actual = customers["holdout_frequency"].to_numpy()
    expected = pareto.model.expected_purchases(39.0, x, t_x, T)
    chance = pareto.model.purchase_probability(actual, 39.0, x, t_x, T)
    score = holdout_scores(pareto, customers).loc["ParetoNBD"]
    assert np.isclose(score["mae"], np.abs(expected - actual).mean())
    assert np.isclose(score["rmse"], np.sqrt(((expected - actual) ** 2).mean()))
    assert np.isclose(score["log_score"], -np.log(chance).mean())


@pytest.mark.parametrize("function", [holdout_by_frequency, holdout_scores, calibration])
def test_weights_equal_repeated_rows_and_polars_equals_pandas(function, pareto, customers):
    columns = ["frequency", "recency", "T", "holdout_frequency", "holdout_duration"]
    plain = function(pareto, customers)
    pd.testing.assert_frame_equal(function(pareto, rm.logs.compress(customers, columns)), plain)
    pd.testing.assert_frame_equal(function(pareto, pl.DataFrame(customers[columns].to_dict("list"))), plain)


def test_calibration_is_flat_where_the_model_is_true():
    truth = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
    frame = _simulated(truth, n=20_000)
    fit = rm.fit(rm.ParetoNBD, frame)
    table = calibration(fit, frame)
    assert np.allclose(table["density"], 1, atol=3 * np.sqrt(10 / len(frame)) + 0.02)


def test_calibration_shares_add_up_to_one(pareto, customers):
    table = calibration(pareto, customers, bins=7)
    assert np.isclose(table["share"].sum(), 1)
    assert np.allclose(table["density"] * (table["upper"] - table["lower"]), table["share"])
    assert table["lower"].iloc[0] == 0
    assert table["upper"].iloc[-1] == 1


def test_calibration_agrees_with_the_definition_of_czado_gneiting_and_held(pareto, customers):
    some = customers.iloc[:60]
    x, t_x, T = (some[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    reached = np.zeros(11)
    for i, count in enumerate(some["holdout_frequency"]):
        chance = [
            float(pareto.model.purchase_probability(np.array([k]), 39.0, x[[i]], t_x[[i]], T[[i]])[0])
            for k in range(count + 1)
        ]
        below, upto = sum(chance[:-1]), sum(chance)
        reached += [min(max((u - below) / (upto - below), 0), 1) for u in np.linspace(0, 1, 11)]
    assert np.allclose(calibration(pareto, some)["share"], np.diff(reached) / len(some))


def test_counts_in_the_thousands_are_judged_without_missing_values(pareto):
    frame = pd.DataFrame(
        {"frequency": [0, 2500], "recency": [0.0, 38.0], "T": [39.0, 39.0]}
        | {"holdout_frequency": [4000, 0], "holdout_duration": [39.0, 39.0]}
    )
    assert np.isfinite(holdout_scores(pareto, frame).to_numpy()).all()
    assert np.isfinite(calibration(pareto, frame).to_numpy()).all()


def test_the_check_passes_when_the_holdout_lies_inside(pareto, customers):
    check = holdout_check(pareto, customers)
    assert check.passed is True
    assert check.detail.startswith("1,666 purchases were expected in the holdout (95 % interval 1,")
    assert check.detail.endswith(" The actual number is 1,882.")


def test_the_check_fails_and_says_why_when_the_holdout_lies_outside(fits, customers):
    check = holdout_check(fits["BG/NBD"], customers)
    assert check.passed is False
    assert "The actual number is 1,882: 14 % more. The interval covers parameters and chance" in check.detail


def test_a_total_that_is_off_by_little_does_not_fail_however_narrow_the_interval(pareto, customers):
    """6 % fewer came than expected: outside the interval of 30 %, and nothing that a plan would notice."""
    fewer = customers.copy()
    buyers = fewer.index[fewer["holdout_frequency"] > 0][:316]
    fewer.loc[buyers, "holdout_frequency"] -= 1
    check = holdout_check(pareto, fewer, level=0.3)
    assert check.passed is True
    assert check.detail.endswith("(30 % interval 1,611 to 1,714). The actual number is 1,566: 6 % fewer.")


def test_a_narrower_interval_is_missed_more_easily(pareto, customers):
    assert holdout_check(pareto, customers, level=0.5).passed is False


def test_a_table_without_a_holdout_is_an_error(pareto, customers):
    with pytest.raises(ValueError, match="holdout_frequency and holdout_duration not in the table, so it has no"):
        holdout_scores(pareto, customers[["frequency", "recency", "T"]])


@pytest.mark.parametrize("count", [-1, 0.5])
def test_a_holdout_that_is_no_count_is_an_error(pareto, customers, count):
    wrong = customers.assign(
        holdout_frequency=customers["holdout_frequency"].astype(float).where(customers.index > 2, count)
    )
    with pytest.raises(ValueError, match="holdout_frequency is not a count for 2 customers"):
        holdout_scores(pareto, wrong)


def test_scores_of_different_durations_are_an_error(pareto, customers):
    mixed = customers.assign(holdout_duration=np.where(customers.index % 2, 39.0, 20.0))
    with pytest.raises(ValueError, match="holdout_duration has 2 values"):
        holdout_scores(pareto, mixed)


def test_a_holdout_in_which_nobody_bought_is_scored(pareto, customers):
    score = holdout_scores(pareto, customers.assign(holdout_frequency=0)).loc["ParetoNBD"]
    assert score["error"] == -1
    assert score["actual"] == 0


@pytest.fixture(scope="module")
def daily(log):
    return rm.fit(rm.BGNBD, rm.summarize(log, calibration_end="1997-09-30", time_unit="D"))


@pytest.mark.parametrize(
    "judge",
    [holdout_by_frequency, status_by_frequency, holdout_scores, calibration, gain_table, rm.forecast.status_by_group],
)
def test_a_fit_in_days_does_not_judge_a_table_in_weeks(judge, daily, customers):
    with pytest.raises(ValueError, match="fitted with time_unit 'D', the table was made with 'W'; summarize the log"):
        judge(daily, customers)


@pytest.mark.parametrize(
    ("judge", "wrong", "message"),
    [
        (holdout_by_frequency, {"max_frequency": -1}, "max_frequency must be a whole number, 0 or more; got -1"),
        (calibration, {"bins": 0}, "bins must be a whole number, 1 or more; got 0"),
        (gain_table, {"groups": 0}, "groups must be a whole number, 1 or more; got 0"),
    ],
)
def test_groups_and_bins_that_are_none_are_errors(judge, wrong, message, pareto, customers):
    with pytest.raises(ValueError, match=message):
        judge(pareto, customers, **wrong)


def test_no_fits_and_fits_that_expect_no_purchases_are_errors(customers):
    with pytest.raises(ValueError, match="there are no fits to compare"):
        holdout_scores({}, customers)
    with pytest.raises(ValueError, match="GammaGamma does not predict purchases"):
        calibration(rm.fit(rm.GammaGamma, customers), customers)


def _simulated(truth, n, horizon=39.0):
    """Customers of a known model with what they did afterwards."""
    rng = np.random.default_rng(5)
    start = pd.Timestamp("2024-01-01")
    log = truth.simulate_transactions(np.full(n, 2 * horizon), rng, start=start, time_unit="W")
    cut = start + pd.Timedelta(7 * horizon, "D")
    return rm.summarize(
        log,
        amount=None,
        granularity="s",
        calibration_end=(cut - pd.Timedelta(1, "D")).date(),
        observation_end=(start + pd.Timedelta(14 * horizon, "D") - pd.Timedelta(1, "D")).date(),
    )
