"""The log-rank test against a published value, by hand, and under no difference."""

import numpy as np
import pytest

from retention_models.survival.curves import Curve, kaplan_meier
from retention_models.survival.logrank import log_rank


def curves_by(rows):
    return {
        group: kaplan_meier(part["tenure"], part["cause"] != "", weight=part["weight"])
        for group, part in rows.groupby("group")
    }


def test_waltons_is_as_published(study):
    test = log_rank(curves_by(study("waltons")))
    assert test.statistic == pytest.approx(122.24913, abs=5e-6)
    assert test.degrees == 1


def test_observed_and_expected_add_up(study):
    table = log_rank(curves_by(study("lung"))).table
    assert table["lost"].sum() == pytest.approx(table["expected"].sum())
    assert table["lost"].to_dict() == {"men": 112, "women": 53}


def test_two_groups_by_hand():
    test = log_rank({"a": kaplan_meier([1, 3], [1, 1]), "b": kaplan_meier([2, 3], [1, 0])})
    expected = 1 / 2 + 1 / 3 + 1 / 2
    variance = 1 / 4 + 2 / 9 + 1 / 4
    assert test.statistic == pytest.approx((2 - expected) ** 2 / variance)


def test_the_order_of_groups_does_not_matter_and_three_have_two_degrees(study):
    rows = study("mgus2").assign(group=lambda d: d["tenure"] % 3)
    curves = curves_by(rows)
    test, again = log_rank(curves), log_rank(dict(reversed(curves.items())))
    assert test.degrees == 2
    assert again.statistic == pytest.approx(test.statistic, rel=1e-10)


def test_groups_that_were_never_at_risk_together_are_not_compared():
    early, late = Curve([1.0], [2.0], [1.0]), Curve([5.0], [2.0], [1.0], start=4.0)
    with pytest.raises(ValueError, match="the groups cannot be compared"):
        log_rank({"a": early, "b": late})
    with pytest.raises(ValueError, match="at least two groups; there is 1"):
        log_rank({"a": early})


@pytest.mark.slow
def test_p_values_are_uniform_under_no_difference():
    rng = np.random.default_rng(3)
    p = []
    for _ in range(1000):
        groups = [rng.geometric(0.2, 150) for _ in range(3)]
        curves = {str(i): kaplan_meier(np.minimum(t, 8), t <= 8) for i, t in enumerate(groups)}
        p.append(log_rank(curves).p_value)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(p) == pytest.approx(0.5, abs=0.03)
