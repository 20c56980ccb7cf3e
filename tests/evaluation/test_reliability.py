"""P(alive) is refuted where customers held for lost come back, and only there."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm


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
