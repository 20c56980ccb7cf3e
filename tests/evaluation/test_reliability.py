"""P(alive) is refuted where customers held for lost come back, and only there."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation.reliability import NO_SIGN

from .worlds import shop


def cut(log, day):
    return rm.summarize(log.assign(amount=1.0), calibration_end=day)


def test_on_cdnow_customers_held_for_lost_come_back(customers, pareto):
    table = rm.evaluation.alive_reliability(pareto, customers)
    alive = pareto.model.probability_alive(*(customers[name].to_numpy() for name in ("frequency", "recency", "T")))
    for limit, row in table.iterrows():
        below = alive <= limit
        assert row["customers"] == below.sum()
        assert row["probability_alive"] == pytest.approx(alive[below].mean())
        assert row["came_back"] == pytest.approx((customers["holdout_frequency"][below] > 0).mean())
        assert row["refuted"] == (row["came_back_lower"] > row["probability_alive"])
    check = rm.evaluation.alive_check(table)
    assert check.passed is False
    assert "Silence in this log is often a pause, so it cannot say who has left." in check.detail


@pytest.mark.parametrize("model", [rm.ParetoNBD(0.55, 10.6, 0.6, 11.7), rm.MBGNBD(0.5, 6.0, 0.9, 1.6)])
def test_where_the_model_is_right_nothing_is_refuted(model):
    log = model.simulate_transactions(np.full(2000, 90.0), np.random.default_rng(3), start="2023-01-02", time_unit="W")
    customers = cut(log, "2023-12-31")
    check = rm.evaluation.alive_check(rm.evaluation.alive_reliability(rm.fit(type(model), customers), customers))
    assert check.passed is True


def test_pauses_of_customers_who_never_leave_are_found():
    """Buyers who are on for half a year and off for half a year, in turns of their own."""
    rng = np.random.default_rng(4)
    days = [np.sort(rng.integers(0, 730, 24)) for _ in range(1500)]
    shift = rng.integers(0, 365, 1500)
    kept = [d[(d + s) % 365 < 182] for d, s in zip(days, shift, strict=True)]
    log = pd.DataFrame({"customer_id": np.repeat(range(1500), list(map(len, kept)))})
    log["date"] = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.concatenate(kept), "D")
    customers = cut(log, "2024-03-31")
    check = rm.evaluation.alive_check(rm.evaluation.alive_reliability(rm.fit(rm.MBGNBD, customers), customers))
    assert check.passed is False


def test_with_too_few_customers_it_cannot_be_tested(customers):
    few = customers.head(100)
    check = rm.evaluation.alive_check(rm.evaluation.alive_reliability(rm.fit(rm.BGNBD, few), few))
    assert check.passed is None
    assert check.detail == "Fewer than 30 customers have a P(alive) of at most 30 %."


def test_a_table_without_holdout_is_refused(customers, pareto):
    with pytest.raises(ValueError, match="so it has no holdout; make one with summarize"):
        rm.evaluation.alive_reliability(pareto, customers.drop(columns=["holdout_frequency", "holdout_duration"]))


@pytest.mark.slow
def test_of_clean_worlds_hardly_any_is_refuted():
    """Of 200 worlds without pauses, at most 5: four looks at one side of 2.5 standard errors are wrong in 2.5 %."""
    refuted = 0
    for seed in range(200):
        model = [rm.ParetoNBD(0.55, 10.6, 0.6, 11.7), rm.MBGNBD(0.5, 6.0, 0.9, 1.6)][seed % 2]
        rng = np.random.default_rng(seed)
        log = model.simulate_transactions(np.full(2000, 90.0), rng, start="2023-01-02", time_unit="W")
        customers = cut(log, "2023-12-31")
        table = rm.evaluation.alive_reliability(rm.fit(rm.MBGNBD, customers), customers)
        refuted += rm.evaluation.alive_check(table).passed is False
    assert refuted <= 5


# The pause, and logs without a sign of leaving.


@pytest.fixture(scope="module")
def pausing():
    """A shop of customers who buy in bursts, from which P(alive) learns that they have left."""
    return rm.read_transactions(shop("clumpy", np.random.default_rng([5, 1]), customers=800))


def cut_after(log, weeks):
    day = log.first_date + timedelta(7 * weeks)
    return rm.summarize(log, calibration_end=day, observation_end=day + timedelta(7 * 26))


def test_a_pause_from_an_earlier_day_forecasts_better_who_buys_again(pausing):
    earlier, later = (cut_after(pausing, weeks) for weeks in (50, 90))
    pause = rm.evaluation.fit_pause(rm.fit(rm.MBGNBD, earlier), earlier)
    assert 0.1 < pause < 0.5
    fit, bought = rm.fit(rm.MBGNBD, later), later["holdout_frequency"] > 0

    def log_loss(pause):
        none = rm.predict(fit, later, 26, None, pause=pause)["probability_no_purchase"]
        return -np.mean(np.log(np.where(bought, 1 - none, none)))

    assert log_loss(pause) < log_loss(0.0) - 0.01


def test_a_pause_is_the_maximum_of_its_likelihood(pausing):
    customers = cut_after(pausing, 90)
    fit = rm.fit(rm.MBGNBD, customers)
    pause, bought = rm.evaluation.fit_pause(fit, customers), customers["holdout_frequency"] > 0

    def loss(pause):
        none = rm.predict(fit, customers, 26, None, pause=pause)["probability_no_purchase"]
        return -np.sum(np.log(np.where(bought, 1 - none, none)))

    assert loss(pause) < min(loss(pause + 1e-3), loss(pause - 1e-3))


def test_a_pause_changes_the_chance_to_buy_and_nothing_else(customers, pareto):
    plain, paused, always = (rm.predict(pareto, customers, 39, pause=pause) for pause in (0.0, 0.3, 1.0))
    alive, none = plain["probability_alive"], plain["probability_no_purchase"]
    expected = 1 - (1 - none) * (alive + 0.3 * (1 - alive)) / alive
    assert paused["probability_no_purchase"].to_numpy() == pytest.approx(expected.to_numpy())
    assert always["probability_no_purchase"].to_numpy() == pytest.approx((1 - (1 - none) / alive).to_numpy(), abs=1e-9)
    same = ["probability_alive", "expected_purchases", "purchases_upper"]
    pd.testing.assert_frame_equal(paused[same], plain[same])
    times = paused["time_to_next_purchase_p90"]
    assert (times.notna() == (paused["probability_no_purchase"] <= 0.1)).all()
    assert (times.dropna() <= plain["time_to_next_purchase_p90"].reindex(times.dropna().index).fillna(39) + 1e-9).all()
    with pytest.raises(ValueError, match="pause must be a number from 0 to 1"):
        rm.predict(pareto, customers, 39, pause=1.2)


def test_where_p_alive_is_not_refuted_there_is_no_pause():
    model = rm.MBGNBD(0.5, 6.0, 0.9, 1.6)
    log = model.simulate_transactions(np.full(1000, 60.0), np.random.default_rng(3), start="2023-01-02", time_unit="W")
    customers = cut(log, "2023-09-30")
    assert rm.evaluation.fit_pause(rm.fit(rm.MBGNBD, customers), customers) == 0.0


@pytest.fixture(scope="module")
def faithful():
    """A log of customers who never leave."""
    model = rm.NBD(r=2.0, alpha=8.0)
    log = model.simulate_transactions(np.full(300, 60.0), np.random.default_rng(8), start="2023-01-02", time_unit="W")
    return cut(log, "2023-09-30")


@pytest.mark.parametrize("model", [rm.MBGNBD, rm.ParetoNBD, rm.NBD])
def test_a_log_without_a_sign_of_leaving_does_not_say_who_has_left(model, faithful):
    fit = rm.fit(model, faithful)
    forecast, status = rm.predict(fit, faithful, 26), rm.forecast.status_by_group(fit, faithful)
    for table in (forecast, status):
        assert (table["probability_alive_lower"] == 0).all()
        assert (table["probability_alive_upper"] == 1).all()
    check = rm.evaluation.alive_check(rm.evaluation.alive_reliability(fit, faithful), fit)
    assert (check.passed, check.detail) == (False, NO_SIGN)
    assert rm.evaluation.fit_pause(fit, faithful) == 0.0
    terms = rm.Terms(time_unit="W", annual_discount_rate=0.1, price=1.0)
    assert list(rm.value.value_by_horizon(fit, faithful, terms, horizons=(26,)).index) == ["26 weeks"]


def test_a_fit_that_saw_customers_leave_keeps_its_intervals(customers, pareto):
    forecast = rm.predict(pareto, customers, 39)
    assert (forecast["probability_alive_upper"] < 1).any()
    assert rm.evaluation.alive_check(rm.evaluation.alive_reliability(pareto, customers), pareto).detail != NO_SIGN
