"""Whether regular timing is worth a model of its own."""

import numpy as np
import pytest

import retention_models as rm
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.evaluation import timing_check


def shop(k):
    model = MBGCNBD(r=1.5, alpha=3.0 / k, a=0.6, b=3.0, k=k)
    return model.simulate_transactions(np.full(600, 40.0), np.random.default_rng(k), start="2024-01-01", time_unit="W")


def test_random_timing_of_a_music_shop_will_do(log, customers):
    check = timing_check(log, customers)
    assert check.passed
    assert "111 % of the variance expected by chance" in check.detail
    assert check.detail.endswith("In MBG/CNBD-k the most likely k is 1, which is random timing.")


@pytest.mark.parametrize("k", [1, 3])
def test_the_regularity_put_into_a_shop_is_seen(k):
    log = rm.read_transactions(shop(k), amount=None)
    customers = rm.summarize(log)
    check = timing_check(log, customers)
    assert check.passed is (k == 1)
    assert f"the most likely k is {k}" in check.detail


def test_clockwork_is_left_to_models_of_contracts():
    log = rm.read_transactions(shop(12), amount=None)
    check = timing_check(log, rm.summarize(log))
    assert check.passed is None
    assert check.detail.endswith("purchases come at fixed dates, and MBG/CNBD-k is not fitted; see read_contracts.")


def test_a_fit_that_is_there_is_used(log, customers):
    check = timing_check(log, customers, cnbd=rm.fit(BGCNBD, customers))
    assert "In BG/CNBD-k the most likely k is 1" in check.detail
