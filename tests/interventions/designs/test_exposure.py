"""Exposures at one date: adjusted effects, what they rest on, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import retention_models as rm

HERE = Path(__file__).parents[2] / "reference"
BASE = {"treatment": "letter", "outcomes": "spend", "covariates": ["before", "town"], "assigned_by": "rule"}


@pytest.fixture(scope="module")
def rows():
    """Letters to good customers; the letter is worth 5."""
    rng, n = np.random.default_rng(7), 5_000
    before = rng.poisson(3.0, n)
    town = rng.choice(["Graz", "Linz", "Wels"], n)
    letter = rng.random(n) < 0.08 + 0.04 * before + 0.1 * (town == "Graz")
    spend = 10 * before + 3 * (town == "Linz") + 5 * letter + rng.normal(0, 10, n)
    frame = pd.DataFrame({"before": before, "town": town, "letter": letter.astype(int), "spend": spend})
    return frame.assign(bought=(spend > 20).astype(int), household=np.arange(n) // 2)


@pytest.mark.parametrize(
    "stated", [{}, {"folds": 1}, {"target": "overlap"}, {"target": "all"}, {"cluster": "household"}]
)
def test_each_way_finds_the_effect(rows, stated):
    (effect,) = rm.treatment_effect(rows, **BASE, **stated)
    assert effect.lower < 5 < effect.upper
    assert effect.estimate == pytest.approx(5, abs=1)
    naive = rows.groupby("letter")["spend"].mean()
    assert naive[1] - naive[0] > 10
    assert effect.design == "observational"
    assert effect.annual_value is None
    assert all(check.passed is not False for check in effect.checks)


def test_each_outcome_is_one_row_and_the_first_has_the_value(rows):
    spend = rm.Outcome(column="spend", unit="EUR per customer", horizon=56, time_unit="D")
    found = rm.treatment_effect(
        rows, rm.Terms(margin=0.3, currency="EUR"), **BASE | {"outcomes": [spend, "bought"]}, cost=0.5
    )
    assert [effect.outcome for effect in found] == ["spend", "bought"]
    assert found[0].value == pytest.approx(0.3 * found[0].estimate - 0.5)
    assert found[1].value is None
    assert found[0].horizon_text == "56 days"
    assert set(rm.evidence_table(found).table["design"]) == {"observational"}


def test_engines_agree_and_seeds_hardly_matter(rows, tmp_path):
    expected = rm.treatment_effect(rows, **BASE)[0]
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    for source in (pl.from_pandas(rows), path):
        assert rm.treatment_effect(source, **BASE)[0].estimate == pytest.approx(expected.estimate, rel=1e-9)
    other = rm.treatment_effect(rows, **BASE, rng=5)[0]
    assert abs(other.estimate - expected.estimate) < 0.3 * expected.std_error


def test_learners_of_scikit_learn_take_part(rows):
    small = {"max_depth": 5, "min_samples_leaf": 50}
    trees = {"learner": DecisionTreeClassifier(**small), "regressor": DecisionTreeRegressor(**small)}
    (effect,) = rm.treatment_effect(rows, **BASE, **trees, folds=3)
    assert effect.lower < 5 < effect.upper


def test_customers_without_a_counterpart_are_left_out_and_counted(rows):
    clear = rows.assign(before=np.where(rows["letter"] == 1, rows["before"] + 4, rows["before"]))
    (effect,) = rm.treatment_effect(clear, **BASE, target="all", trim=0.05)
    overlap = effect.checks[0]
    assert overlap.name == "Overlap"
    assert overlap.passed is False
    assert effect.n < len(rows)
    (same,) = rm.treatment_effect(clear, **BASE, target="overlap", trim=0.05)
    assert same.n == len(rows)


def test_earnings_after_a_training_are_told_with_their_weakness():
    trained = pd.read_csv(HERE / "nsw.csv").query("treat == 1")
    survey = pd.read_csv(HERE / "cps.csv.gz").assign(treat=0)
    both = pd.concat([trained, survey], ignore_index=True)
    covariates = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]
    stated = {"treatment": "treat", "outcomes": "re78", "covariates": covariates, "assigned_by": "choice"}
    (effect,) = rm.treatment_effect(both, **stated)
    assert effect.lower < 1794.34 < effect.upper  # the experiment
    hidden = next(check for check in effect.checks if check.name == "Hidden cause")
    assert "strongest covariate" in hidden.detail
    assert hidden.decides is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"letter": 2}, "letter must be 1 for those who were treated and 0 for others, which fails in 5,000 of 5,000"),
        ({"spend": np.nan}, "spend is missing or infinite in 5,000 of 5,000 rows; fill it in"),
        ({"letter": 0}, "0 rows are treated and 5,000 are not; each group needs 10 rows"),
    ],
)
def test_bad_columns_say_what_is_wrong(rows, change, message):
    with pytest.raises(ValueError, match=message):
        rm.treatment_effect(rows.assign(**change), **BASE)


def test_bad_arguments_say_what_is_wrong(rows):
    with pytest.raises(TypeError, match="assigned_by"):
        rm.treatment_effect(rows, treatment="letter", outcomes="spend", covariates=["before"])
    with pytest.raises(
        ValueError, match="spend has two roles: treatment, outcomes, covariates and cluster are different columns"
    ):
        rm.treatment_effect(rows, **BASE | {"covariates": ["spend"]})
    with pytest.raises(ValueError, match="target must be one of"):
        rm.treatment_effect(rows, **BASE, target="me")
    with pytest.raises(ValueError, match="a learner needs folds of 2 or more"):
        rm.treatment_effect(rows, **BASE, folds=1, learner=object())
    words = rows.assign(household="h" + rows["household"].astype(str))
    with pytest.raises(ValueError, match="household has 2,500 different words, more than 12; group them"):
        rm.treatment_effect(words, **BASE | {"covariates": ["household"]})
    with pytest.raises(ValueError, match=r"tell all [\d,]+ treated rows"):
        rm.treatment_effect(rows.assign(before=rows["letter"]), **BASE)
    with pytest.raises(ValueError, match="terms must have a margin"):
        rm.treatment_effect(rows, rm.Terms(), **BASE)
    with pytest.raises(ValueError, match="a ratio of sums cannot be adjusted"):
        rm.treatment_effect(rows, **BASE | {"outcomes": rm.Outcome(column="spend", per="bought")})


@pytest.fixture(scope="module")
def spenders():
    """A log in which good customers got a campaign that changes nothing."""
    rng, n, days = np.random.default_rng(4), 1_200, 200
    rate = rng.gamma(1.5, 0.05, n)
    bought = rng.random((n, days)) < rate[:, None]
    who, day = np.nonzero(bought)
    date = pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D")
    log = pd.DataFrame({"customer_id": who, "date": date, "amount": rng.gamma(4, 5, len(who)).round(2)})
    return log, np.flatnonzero(rng.random(n) < np.clip(rate * 5, 0.05, 0.9))


def test_several_methods_stand_beside_each_other(spenders):
    log, sent = spenders
    used = sent[::4]
    table = rm.interventions.exposure_by_method(log, sent, first_day="2026-05-01", horizon_days=50, redeemed=used)
    assert list(table.index) == [
        "received against not received",
        "redeemed against received only",
        "difference in differences",
        "within deciles of earlier spend",
        "weights and regression",
    ]
    naive = table.iloc[0]
    assert naive["estimate"] > 5 * naive["std_error"]
    adjusted = table.loc["weights and regression"]
    assert abs(adjusted["estimate"]) < 3 * adjusted["std_error"]
    assert (table["estimate"].iloc[2:] < 0.6 * naive["estimate"]).all()
    assert table.attrs["decision"] == "undecided"
    known = log[log["date"] < "2026-05-01"]["customer_id"].nunique()
    assert table.attrs["without_history"] == log["customer_id"].nunique() - known
    assert naive["customers"] + naive["others"] == known
    own = log.assign(amount=log["amount"].where(~log["customer_id"].isin(sent) | (log["date"] < "2026-05-01"), 400.0))
    gain = rm.interventions.exposure_by_method(own, sent, first_day="2026-05-01", horizon_days=50)
    assert gain.attrs["decision"] == "gain"


def test_an_exposure_that_cannot_be_compared_says_so(spenders):
    log, sent = spenders
    days = {"first_day": "2026-05-01", "horizon_days": 50}
    text = rm.interventions.exposure_by_method(log, [str(each) for each in sent], **days)
    pd.testing.assert_frame_equal(text, rm.interventions.exposure_by_method(log, sent, **days))
    strangers = rm.interventions.exposure_by_method(log, [*sent, 10**9], **days).attrs["unknown"]
    assert strangers == text.attrs["unknown"] + 1
    with pytest.raises(TypeError, match="received must be a column of ids"):
        rm.interventions.exposure_by_method(log, pd.DataFrame({"customer_id": sent}), **days)
    with pytest.raises(ValueError, match="customers with an order before 2026-05-01 received it"):
        rm.interventions.exposure_by_method(log, [10**9], **days)
    with pytest.raises(ValueError, match="who received it redeemed it; two who did"):
        rm.interventions.exposure_by_method(log, sent, **days, redeemed=[])
    with pytest.raises(ValueError, match="150 days before and from 2026-05-01 on are not all in the log"):
        rm.interventions.exposure_by_method(log, sent, first_day="2026-05-01", horizon_days=150)
    with pytest.raises(ValueError, match="no amounts, which spend needs"):
        rm.interventions.exposure_by_method(rm.read_transactions(log, amount=None), sent, **days)
