"""The stored observational studies give the stored and published effects, by a few lines of numpy."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix

HERE = Path(__file__).parent / "reference"
REFERENCE = json.loads((HERE / "causal.json").read_text())


def propensity(formula, rows):
    """The fitted chances of a logit, by Newton on columns of mean 0 and standard deviation 1."""
    design = model_matrix(formula, rows)
    treated, columns = design.lhs.to_numpy(float)[:, 0], design.rhs.to_numpy(float)[:, 1:]
    columns = np.column_stack([np.ones(len(rows)), (columns - columns.mean(axis=0)) / columns.std(axis=0)])
    beta = np.zeros(columns.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-columns @ beta))
        information = columns.T @ (columns * (chance * (1 - chance))[:, None])
        beta += np.linalg.solve(information, columns.T @ (treated - chance))
    return treated, chance


def weighted_difference(treated, outcome, weights):
    means = [np.average(outcome[treated == arm], weights=weights[treated == arm]) for arm in (1, 0)]
    return means[0] - means[1]


def test_earnings_after_a_training_against_the_population_survey():
    study, found = REFERENCE["cps"], REFERENCE["cps"]["found"]
    trained = pd.read_csv(HERE / "nsw.csv").query("treat == 1")
    rows = pd.concat([trained, pd.read_csv(HERE / "cps.csv.gz").assign(treat=0)]).astype(float)
    treated, chance = propensity(study["propensity"], rows)
    weights = np.where(treated == 1, 1, chance / (1 - chance))
    earnings, inside = rows["re78"].to_numpy(), (chance >= 0.1) & (chance <= 0.9)
    assert weighted_difference(treated, earnings, np.ones(len(rows))) == pytest.approx(-8497.516, abs=0.001)
    assert weighted_difference(treated, earnings, weights) == pytest.approx(found["ipw_att"]["estimate"], abs=0.01)
    controls = weights[treated == 0]
    assert controls.sum() ** 2 / (controls**2).sum() == pytest.approx(found["ipw_att"]["ess_controls"], abs=0.001)
    trimmed = weighted_difference(treated[inside], earnings[inside], weights[inside])
    assert trimmed == pytest.approx(found["ipw_att_trimmed"]["estimate"], abs=0.01)
    assert int(inside[treated == 1].sum()) == found["ipw_att_trimmed"]["treated"]


def test_weight_after_quitting_smoking():
    study, rows = REFERENCE["nhefs"], pd.read_csv(HERE / "nhefs.csv.gz").astype(float)
    treated, chance = propensity(study["propensity"], rows)
    gain, weights = rows["wt82_71"].to_numpy(), np.where(treated == 1, 1 / chance, 1 / (1 - chance))
    assert len(rows) == 1_566
    assert weighted_difference(treated, gain, np.ones(len(rows))) == pytest.approx(2.541, abs=0.0005)
    assert weighted_difference(treated, gain, weights) == pytest.approx(3.44054, abs=0.000005)
    assert round(study["found"]["ipw_weights_known"]["std_error"], 5) == 0.52549
    odds = np.where(treated == 1, 1, chance / (1 - chance))
    assert weighted_difference(treated, gain, odds) == pytest.approx(study["found"]["ipw_att"]["estimate"], abs=1e-7)


def test_birth_weights_of_mothers_who_smoke():
    study, rows = REFERENCE["cattaneo"], pd.read_csv(HERE / "cattaneo.csv.gz").astype(float)
    treated, chance = propensity(study["propensity"], rows)
    weight, weights = rows["bweight"].to_numpy(), np.where(treated == 1, 1 / chance, 1 / (1 - chance))
    outcomes = model_matrix(study["outcome"], rows).rhs.to_numpy(float)
    expected = [
        outcomes @ np.linalg.lstsq(outcomes[treated == arm], weight[treated == arm], rcond=None)[0] for arm in (1, 0)
    ]
    residual = weight - np.where(treated == 1, *expected)
    robust = np.mean(expected[0] - expected[1] + np.where(treated == 1, weights, -weights) * residual)
    found, published = study["found"]["logit"], study["published_probit"]
    assert weighted_difference(treated, weight, weights) == pytest.approx(found["ipw"]["estimate"], abs=1e-6)
    assert robust == pytest.approx(found["aipw"]["estimate"], abs=1e-6)
    for name, estimate, error in (("ipw", -230.68864, 25.81524), ("aipw", -230.98920, 26.21056)):
        assert (round(published[name]["estimate"], 5), round(published[name]["std_error"], 5)) == (estimate, error)
        assert study["found"]["probit"][name]["estimate"] == pytest.approx(estimate, abs=0.000005)
