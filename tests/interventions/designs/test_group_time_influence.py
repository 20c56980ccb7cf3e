"""The influence of a unit: the derivative by its weight, and a covariance that follows from sums."""

from dataclasses import replace

import numpy as np
import pytest

from retention_models.interventions.designs.group_time import GroupTime
from retention_models.interventions.designs.group_time_influence import Influence, covariance


def roll_out(p, control_group="not_yet_treated", anticipation=0, n=30):
    rng = np.random.default_rng(1)
    first = np.concatenate([np.repeat([3, 5, 8], 6), np.full(n - 18, 12)])
    values = 50 + rng.normal(0, 1, (n, 12)).cumsum(axis=1)
    covariates = rng.normal(0, 1, (n, p)) if p else None
    return GroupTime(values, rng.gamma(3, 1, n), first, anticipation, control_group, covariates)


CASES = [(0, "not_yet_treated", 0), (0, "never_treated", 1), (2, "not_yet_treated", 1), (3, "never_treated", 0)]


@pytest.mark.parametrize("case", CASES)
def test_an_influence_is_the_derivative_of_each_average_by_the_weight_of_the_unit(case):
    group_time = roll_out(*case)
    found = Influence.of(group_time).of_units(group_time)
    assert not found.sum(axis=0).round(9).any()
    for unit in (0, 8, 14, 29):
        ends = []
        for side in (1, -1):
            weights = group_time.weights.copy()
            weights[unit] *= 1 + side * 1e-5
            ends.append(replace(group_time, weights=weights).estimates.stacked())
        slope = (ends[0] - ends[1]) / 2e-5
        known = np.isfinite(slope)
        assert found[unit, known] == pytest.approx(slope[known], abs=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_leaving_out_a_unit_is_computing_without_it(case):
    group_time = roll_out(*case)
    left_out = group_time.left_out()
    for unit in (0, 8, 29):
        keep = np.delete(np.arange(30), unit)
        covariates = None if group_time.covariates is None else group_time.covariates[keep]
        parts = {name: getattr(group_time, name)[keep] for name in ("values", "weights", "first")}
        np.testing.assert_allclose(
            left_out[unit], replace(group_time, **parts, covariates=covariates).estimates.stacked(), atol=1e-9
        )


def test_the_covariance_from_sums_is_that_of_the_influences():
    group_time = roll_out(2, n=300)
    influence = Influence.of(group_time).of_units(group_time)
    known = ~np.isnan(group_time.estimates.stacked())
    expected = (300 / 299 * influence.T @ influence)[np.ix_(known, known)]
    np.testing.assert_allclose(covariance(group_time, by_leaving_out=False)[np.ix_(known, known)], expected, atol=1e-12)
    assert np.isnan(covariance(group_time, by_leaving_out=False)[~known]).all()
