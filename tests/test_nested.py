"""Likelihood-ratio tests of nested models of contracts."""

import numpy as np
import pandas as pd
import pytest

from retention_models.fitting import fit
from retention_models.nested import likelihood_ratio
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric

HIGH_END = pd.DataFrame(
    {"tenure": range(1, 8), "at_risk": [1000, 869, 743, 653, 593, 551, 517], "lost": [131, 126, 90, 60, 42, 34, 26]}
)


def test_ageing_of_the_published_high_end_is_seen():
    test = likelihood_ratio(fit(ShiftedBetaGeometric, HIGH_END), fit(BetaDiscreteWeibull, HIGH_END))
    assert test.statistic == pytest.approx(2 * (1611.158147 - 1605.314213), abs=4e-6)
    assert test.p_value == pytest.approx(0.000629, abs=5e-6)
    assert str(test).startswith("ShiftedBetaGeometric is not enough: BetaDiscreteWeibull gains 5.84 in log-likelihood")


def test_an_edge_halves_the_p_value():
    inside = likelihood_ratio(fit(Geometric, HIGH_END), fit(DiscreteWeibull, HIGH_END))
    edge = likelihood_ratio(fit(Geometric, HIGH_END), fit(ShiftedBetaGeometric, HIGH_END))
    assert "at an edge" in edge.detail
    assert "at an edge" not in inside.detail


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match="BetaDiscreteWeibull is no special case of Geometric"):
        likelihood_ratio(fit(BetaDiscreteWeibull, HIGH_END), fit(Geometric, HIGH_END))
    with pytest.raises(ValueError, match="fitted to the same data"):
        likelihood_ratio(fit(ShiftedBetaGeometric, HIGH_END), fit(BetaDiscreteWeibull, HIGH_END.head(5)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simpler", "richer", "truth"),
    [
        (ShiftedBetaGeometric, BetaDiscreteWeibull, ShiftedBetaGeometric(1.0, 3.0)),
        (Geometric, ShiftedBetaGeometric, Geometric(0.25)),
    ],
    ids=["inside", "edge"],
)
def test_five_percent_of_true_models_are_refuted(simpler, richer, truth):
    rng, refuted = np.random.default_rng(1), []
    tenure = np.arange(1, 11)
    for _ in range(1000):
        life = truth.simulate(np.full(3000, 10), rng)
        at_risk = np.array([(life["tenure"] >= t).sum() for t in tenure])
        lost = np.array([((life["tenure"] == t) & life["churned"]).sum() for t in tenure])
        table = pd.DataFrame({"tenure": tenure, "at_risk": at_risk, "lost": lost})
        refuted.append(likelihood_ratio(fit(simpler, table), fit(richer, table)).p_value < 0.05)
    assert np.mean(refuted) == pytest.approx(0.05, abs=0.02)
