"""Published experiments: their counts, and the effects that follow."""

import math

import numpy as np
import pandas as pd
import pytest

from retention_models.datasets import load_published_experiments
from retention_models.interventions.designs.from_counts import effects_of_counts


@pytest.fixture(scope="module")
def published():
    return load_published_experiments()


@pytest.mark.parametrize(
    ("experiment", "arm", "outcome", "rate"),
    [
        ("E-mail", "no e-mail", "visit", 0.106167277),
        ("E-mail", "men's e-mail", "visit", 0.182756840),
        ("E-mail", "women's e-mail", "visit", 0.151400383),
        ("E-mail", "no e-mail", "conversion", 0.005726087),
        ("E-mail", "men's e-mail", "conversion", 0.012531093),
        ("E-mail", "women's e-mail", "conversion", 0.008837144),
        ("Voter mail", "no mail", "voted", 0.296638),
        ("Voter mail", "civic duty", "voted", 0.314538),
        ("Voter mail", "Hawthorne", "voted", 0.322375),
        ("Voter mail", "self", "voted", 0.345151),
        ("Voter mail", "neighbours", "voted", 0.377948),
        ("Matching-gift mail", "no match", "gave", 0.0178582),
        ("Matching-gift mail", "matching gift", "gave", 0.0220386),
    ],
)
def test_counts_give_the_published_rates(published, experiment, arm, outcome, rate):
    row = published.query("experiment == @experiment and arm == @arm and outcome == @outcome").iloc[0]
    digits = len(str(rate)) - 2
    assert round(row["count"] / row["n"], digits) == rate
    assert row["mean"] == pytest.approx(rate, abs=0.6 * 10**-digits)


def test_the_e_mails_spend_has_no_counts_and_so_no_effect(published):
    spend = published[published["outcome"] == "spend"]
    assert spend["count"].isna().all()
    assert spend["mean"].tolist() == [0.652789355, 1.422616511, 1.077201571]
    with pytest.raises(ValueError, match="count is missing, not finite or no number in 3 of 3 rows"):
        effects_of_counts(spend)


def test_every_row_names_its_source(published):
    assert published["source"].str.len().min() > 20
    assert published.groupby(["experiment", "outcome"])["control"].sum().eq(1).all()


def test_effects_of_the_e_mail(published):
    effects = effects_of_counts(published[published["outcome"] == "visit"])
    men = effects[0]
    assert men.intervention == "E-mail: men's e-mail"
    assert men.estimate == pytest.approx(0.182756840 - 0.106167277, abs=2e-9)
    p, q = 3894 / 21307, 2262 / 21306
    assert men.std_error == pytest.approx(math.sqrt(p * (1 - p) / 21306 + q * (1 - q) / 21305))
    assert [check.passed for check in men.checks] == [True, True]


def test_the_voter_mail_fails_the_check_of_its_unit(published):
    effects = effects_of_counts(published[published["experiment"] == "Voter mail"])
    assert len(effects) == 4
    for effect in effects:
        assert [check.name for check in effect.failed] == ["Unit of assignment"]
    assert effects[3].std_error == pytest.approx(0.0027, abs=5e-5)  # by households it is about 0.0032


def test_ratios_of_counts(published):
    cards = published[published["experiment"] == "Stamp card"]
    assert effects_of_counts(cards, scale="ratio")[0].estimate == pytest.approx(51 / 28)
    with pytest.raises(ValueError, match="scale must be 'difference' or 'ratio'"):
        effects_of_counts(cards, scale="hazard ratio")


def test_an_experiment_has_one_control(published):
    cards = published[published["experiment"] == "Stamp card"]
    for control in (True, False):
        with pytest.raises(ValueError, match=r"Stamp card has \d controls for completed"):
            effects_of_counts(cards.assign(control=control))


def test_matching_gifts_raise_the_share_who_give(published):
    """Karlan & List (2007), table 2A: 0.004 (0.001)."""
    effect = effects_of_counts(published[published["experiment"] == "Matching-gift mail"])[0]
    assert (round(effect.estimate, 3), round(effect.std_error, 3)) == (0.004, 0.001)
    assert np.all([check.passed for check in effect.checks])


def test_a_horizon_comes_with_its_unit_or_not_at_all(published):
    found = {effect.outcome: effect for effect in effects_of_counts(published.dropna(subset="count"))}
    assert [found[name].horizon_text for name in ("visit", "voted", "completed")] == [
        "2 weeks",
        "not stated",
        "9 months",
    ]
    assert (found["completed"].horizon, found["completed"].time_unit) == (9, "M")
    cards = published[published["experiment"] == "Stamp card"]
    assert effects_of_counts(cards.drop(columns=["horizon", "time_unit"]))[0].horizon is None
    with pytest.raises(
        ValueError, match="horizon must be a number above 0, with its unit in time_unit; got '9 months'"
    ):
        effects_of_counts(cards.assign(horizon="9 months"))


def counts_of(**columns):
    return pd.DataFrame({"experiment": "e", "outcome": "o", "arm": ["a", "b"], "control": [True, False]} | columns)


def test_arms_that_were_not_assigned_alike_make_no_experiment():
    size = {"n": [90, 90], "count": [30, 41]}
    with pytest.raises(ValueError, match="assignment of e is random, rule for o: state one for all of its arms"):
        effects_of_counts(counts_of(**size, assignment=["random", "rule"]))
    (effect,) = effects_of_counts(counts_of(**size, assignment=[None, "rule"]), assigned_by="random")
    assert (effect.assigned_by, effect.design) == ("rule", "observational")


def test_an_experiment_without_shares_may_stand_beside_one_with_them():
    table = pd.concat([counts_of(n=90, count=30, share=0.5), counts_of(n=90, count=30).assign(experiment="f")])
    known, unknown = effects_of_counts(table, assigned_by="random")
    assert [effect.checks[0].passed for effect in (known, unknown)] == [True, None]
