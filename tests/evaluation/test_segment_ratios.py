"""Actual over expected purchases of segments: the ratio, its interval, and when a segment is misjudged."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation.segment_ratios import actual_over_expected


def test_a_ratio_is_that_of_the_sums_of_its_customers(customers, pareto):
    often = (customers["frequency"] > 2).map({True: "often", False: "seldom"})
    table = actual_over_expected(pareto, customers, often)
    expected = rm.predict(pareto, customers, 39, None)["expected_purchases"]
    for label, row in table.iterrows():
        own = often == label
        assert row["customers"] == own.sum()
        assert row["actual"] == customers.loc[own, "holdout_frequency"].sum()
        assert row["expected"] == pytest.approx(expected[own].sum(), rel=1e-6)
        assert row["ratio"] == pytest.approx((row["actual"] + 0.5) / (row["expected"] + 0.5))
    assert (table["ratio_lower"] < table["ratio"]).all()
    assert (table["ratio"] < table["ratio_upper"]).all()


def test_on_cdnow_late_customers_are_undervalued_and_champions_are_not():
    log = rm.read_transactions(rm.datasets.load_cdnow(full=True))
    customers = rm.summarize(log, calibration_end="1997-12-30")
    segments = rm.logs.rfm_segments(log.window(observation_end="1997-12-30"))["segment"]
    table = actual_over_expected(rm.fit(rm.MBGNBD, customers), customers, segments)
    assert table.loc[["at risk", "cannot lose them", "loyal"], "is_biased"].all()
    assert not table.loc["champion", "is_biased"]  # 5 % below, beyond chance, which changes no decision
    assert table.loc["champion", "ratio_upper"] < 1


@pytest.mark.slow
def test_intervals_hold_where_the_model_is_right():
    """2,400 segments of 600 shops, at the true parameters: 97.6 %, because the larger of two variances is taken."""
    model, rng, held = rm.MBGNBD(0.5, 6.0, 0.9, 1.6), np.random.default_rng(11), []
    for _ in range(600):
        T = rng.uniform(20, 60, 1500)
        log = model.simulate_transactions(T, rng, start="2023-01-02", time_unit="W").assign(amount=1.0)
        customers = rm.summarize(log, calibration_end="2023-10-29", time_unit="W")
        segments = rng.choice(list("abcd"), len(customers), p=[0.6, 0.3, 0.08, 0.02])
        truth = fit_at(model, customers)
        table = actual_over_expected(truth, customers, segments)
        held.append((table["ratio_lower"] <= 1) & (table["ratio_upper"] >= 1))
    inside = pd.concat(held)
    assert 0.95 <= inside.mean() <= 0.985


def fit_at(model, customers):
    """The fit of a model, at its true parameters."""
    from dataclasses import replace

    return replace(rm.fit(type(model), customers), model=model)


def test_a_segment_of_one_customer_has_no_interval(customers, pareto):
    alone = pd.Series(["others"] * (len(customers) - 1) + ["one"], customers.index)
    row = actual_over_expected(pareto, customers, alone).loc["one"]
    assert row[["ratio_lower", "ratio_upper"]].tolist() == [0.0, np.inf]
    assert not row["is_biased"]


def test_a_table_without_holdout_is_refused(customers, pareto):
    with pytest.raises(ValueError, match="so it has no holdout; make one with summarize"):
        actual_over_expected(pareto, customers.drop(columns="holdout_frequency"), ["a"] * len(customers))
