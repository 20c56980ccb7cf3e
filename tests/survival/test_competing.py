"""Aalen-Johansen curves against a published study, by hand, and as parts of a whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_models.survival.competing import CauseCurves, aalen_johansen
from retention_models.survival.curves import kaplan_meier


def test_mgus2_is_as_published(study):
    rows = study("mgus2")
    curves = aalen_johansen(rows["tenure"], rows["cause"], weight=rows["weight"])
    assert curves.causes == ("dead", "pcm")
    assert curves.at_risk[0] == 1384
    published = [[0.3203670, 0.0341037], [0.5318177, 0.0637222], [0.7240280, 0.0998137]]
    np.testing.assert_allclose(curves.cumulative_incidence([60, 120, 240]), published, atol=5e-8)


def test_standard_errors_of_mgus2_agree_with_an_independent_program(study):
    # greenwood 0.8.0: AalenJohansen().fit(Surv(etime, event=...)).to_frame(), column std_error
    rows = study("mgus2")
    curves = aalen_johansen(rows["tenure"], rows["cause"], weight=rows["weight"])
    recorded = [0.012567372, 0.014059645, 0.015606345, 0.004889258, 0.006796848, 0.009784847]
    np.testing.assert_allclose(curves.table(at=[60, 120, 240])["std_error"], recorded, atol=5e-10)


ended = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 6), st.sampled_from(["", "price", "moved", "died"]), st.integers(1, 3)),
    min_size=1,
    max_size=25,
).filter(lambda rows: any(cause for _, _, cause, _ in rows))


@given(ended)
@settings(max_examples=80, deadline=None)
def test_causes_and_survival_add_up_to_one(rows):
    entry, length, cause, weight = (np.array(column) for column in zip(*rows, strict=True))
    curves = aalen_johansen(entry + length, cause, entry=entry, weight=weight)
    np.testing.assert_allclose(curves.incidence.sum(axis=1) + curves.overall.survival, 1, atol=1e-14)
    assert not curves.table().isna().any().any()
    assert (curves.table()["incidence_lower"] <= curves.table()["incidence"]).all()


@given(ended)
@settings(max_examples=80, deadline=None)
def test_with_one_cause_it_is_kaplan_meier_and_greenwood(rows):
    entry, length, cause, weight = (np.array(column) for column in zip(*rows, strict=True))
    curves = aalen_johansen(entry + length, np.where(cause == "", "", "left"), entry=entry, weight=weight)
    curve = kaplan_meier(entry + length, cause != "", entry=entry, weight=weight)
    np.testing.assert_allclose(curves.incidence[:, 0], 1 - curve.survival, atol=1e-14)
    np.testing.assert_allclose(curves.std_error[:, 0], curve.std_error, atol=1e-7)


def test_without_censoring_incidence_and_its_error_are_those_of_a_share():
    rng = np.random.default_rng(1)
    tenure, cause = rng.integers(1, 9, 150), rng.choice(["price", "moved"], 150)
    curves = aalen_johansen(tenure, cause)
    share = ((tenure[:, None] <= curves.tenure) & (cause == "price")[:, None]).mean(axis=0)
    np.testing.assert_allclose(curves.incidence[:, 1], share, atol=1e-14)
    np.testing.assert_allclose(curves.std_error[:, 1], np.sqrt(share * (1 - share) / 150), atol=1e-9)


def test_missing_and_empty_causes_are_customers_still_there():
    by_text = aalen_johansen([1, 2, 3], ["price", "", ""])
    by_none = aalen_johansen([1, 2, 3], ["price", None, float("nan")])
    np.testing.assert_array_equal(by_text.incidence, by_none.incidence)
    with pytest.raises(ValueError, match="no customer left for any cause"):
        aalen_johansen([1, 2], ["", ""])


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="for each tenure and cause"):
        CauseCurves(("price",), np.array([1.0]), np.array([2.0]), np.array([[1.0, 1.0]]))
    with pytest.raises(ValueError, match="lost must lie between 0 and at_risk"):
        CauseCurves(("price", "moved"), np.array([1.0]), np.array([2.0]), np.array([[2.0, 1.0]]))


@pytest.mark.slow
def test_intervals_of_incidence_cover():
    rng = np.random.default_rng(2)
    truth = 0.6 * (1 - np.exp(-1.0))
    held = []
    for _ in range(1000):
        event, censored = rng.exponential(10, 200), rng.uniform(5, 40, 200)
        cause = np.where(event > censored, "", np.where(rng.random(200) < 0.6, "price", "moved"))
        at = aalen_johansen(np.minimum(event, censored), cause).table(at=[10]).set_index("cause").loc["price"]
        held.append(at["incidence_lower"] <= truth <= at["incidence_upper"])
    assert 0.93 < np.mean(held) < 0.97
