"""Models of contracts: published estimates, and what must hold of each of them."""

import json
import pickle
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.estimation.likelihood import maximise
from retention_models.estimation.model import parameter_names
from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.estimate import fit
from retention_models.fitting.models import CONTRACTS, MODELS
from retention_models.fitting.result import Fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.floored import FlooredBetaGeometric
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments

ESTIMATES = runpy.run_path(str(Path(__file__).parents[1] / "reference" / "fader_hardie_2007.py"))["ESTIMATES"]

EXAMPLES = [
    ShiftedBetaGeometric(alpha=0.7, beta=1.2),
    ShiftedBetaGeometric(alpha=2.6, beta=9.0),
    BetaDiscreteWeibull(alpha=0.46, beta=0.78, c=1.28),
    BetaDiscreteWeibull(alpha=2.5, beta=6.0, c=0.8),
    Geometric(rate=0.25),
    DiscreteWeibull(rate=0.48, c=0.57),
    TwoSegments(odds=0.8, rate=0.09, extra=0.8),
    FlooredBetaGeometric(alpha=0.7, beta=1.2, floor=0.03),
    FlooredBetaGeometric(alpha=2.6, beta=9.0, floor=0.2),
]
each_example = pytest.mark.parametrize("model", EXAMPLES, ids=repr)
ESTIMATED = {model.__name__: parameter_names(model) for model in CONTRACTS}
NESTED = [
    (Geometric, ShiftedBetaGeometric),
    (Geometric, DiscreteWeibull),
    (Geometric, TwoSegments),
    (ShiftedBetaGeometric, BetaDiscreteWeibull),
    (DiscreteWeibull, BetaDiscreteWeibull),
    (Geometric, FlooredBetaGeometric),
    (ShiftedBetaGeometric, FlooredBetaGeometric),
]


@pytest.mark.parametrize(("cohort", "renewals", "name"), ESTIMATES)
def test_estimates_are_as_published(retention, cohort, renewals, name):
    parameters, errors, log_likelihood, survivors = ESTIMATES[cohort, renewals, name]
    found = fit(MODELS[name], retention(cohort, renewals))
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    np.testing.assert_allclose(found.params, parameters, atol=2e-6)
    assert round(1000 * float(found.model.survival_function(12)), 1) == survivors
    assert found.n_customers == 1000
    if errors:
        np.testing.assert_allclose(found.table()["std_error"], errors, atol=5e-5)


def test_the_high_end_is_underestimated_in_year_12_not_overestimated(retention):
    found = fit(ShiftedBetaGeometric, retention("high end", 7))
    assert 1000 * found.model.survival_function(12) < 394


def test_a_nearly_flat_fit_is_reported_and_a_firm_one_is_not(retention):
    flat = fit(ShiftedBetaGeometric, retention("high end", 4))
    assert flat.table().loc["beta", "std_error"] == pytest.approx(3.8, abs=0.05)
    assert any(note.startswith("beta is hardly determined") for note in flat.notes)
    assert fit(ShiftedBetaGeometric, retention("high end", 7)).notes == ()


@each_example
def test_score_is_the_derivative_of_the_log_likelihood(model):
    tenure, at_risk, lost = (
        np.array([1.0, 2, 3, 7, 40]),
        np.array([90.0, 60, 50, 20, 3]),
        np.array([30.0, 10, 0, 20, 1]),
    )
    for i, name in enumerate(ESTIMATED[type(model).__name__]):
        step = 1e-5 * getattr(model, name)
        ahead, behind = (shifted(model, name, sign * step) for sign in (1, -1))
        slope = (ahead.log_likelihood(tenure, at_risk, lost) - behind.log_likelihood(tenure, at_risk, lost)) / (
            2 * step
        )
        np.testing.assert_allclose(model.score(tenure, at_risk, lost)[:, i], slope, rtol=2e-6, atol=1e-6)


def shifted(model, name, step):
    values = {each: getattr(model, each) for each in ESTIMATED[type(model).__name__]}
    return type(model)(**{**values, name: values[name] + step})


@each_example
def test_survival_is_the_product_of_retention_rates_and_hazard_their_complement(model):
    tenure = np.arange(1.0, 30)
    np.testing.assert_allclose(np.cumprod(model.retention_rate(tenure)), model.survival_function(tenure), rtol=1e-12)
    np.testing.assert_allclose(model.hazard(tenure), 1 - model.retention_rate(tenure), atol=1e-15)
    assert model.survival_function(0) == 1.0


@each_example
def test_survival_given_a_tenure_is_a_ratio_and_steps_at_renewals(model):
    np.testing.assert_allclose(
        model.survival_function([2, 5, 9], given=5),
        [1, 1, model.survival_function(9) / model.survival_function(5)],
        rtol=1e-14,
    )
    assert model.survival_function(3.9) == model.survival_function(3)


@each_example
def test_residual_lifetime_is_the_sum_of_what_survives(model):
    survival = model.survival_function(np.arange(1, 61), given=4)
    np.testing.assert_allclose(model.expected_residual_lifetime(4, horizon=56), survival[4:].sum(), rtol=1e-12)
    both = model.expected_residual_lifetime(np.array([0.0, 4.0]), horizon=10)
    np.testing.assert_allclose(both[1], model.expected_residual_lifetime(4, horizon=10), rtol=1e-14)


@each_example
def test_endless_residual_lifetime_passes_from_one_renewal_to_the_next(model):
    """e(t) = r(t+1) (1 + e(t+1)), and it is finite where the tail of S falls faster than 1/t."""
    tenure = np.array([0.0, 1, 5, 50])
    now, next_ = (model.expected_residual_lifetime(t) for t in (tenure, tenure + 1))
    np.testing.assert_allclose(now, model.retention_rate(tenure + 1) * (1 + next_), rtol=1e-9)
    heavy = {"ShiftedBetaGeometric": 1, "BetaDiscreteWeibull": getattr(model, "c", 1)}.get(type(model).__name__)
    endless = heavy is not None and model.alpha * heavy <= 1
    assert np.all(np.isinf(now)) if endless else np.all(np.isfinite(now))


@pytest.mark.parametrize("model", [DiscreteWeibull(0.48, 0.57), BetaDiscreteWeibull(2.5, 6.0, 0.8)], ids=repr)
def test_endless_residual_lifetime_is_the_limit_of_long_ones(model):
    horizon = 3_000_000
    long = model.expected_residual_lifetime(0, horizon=horizon)
    rest = model.survival_function(horizon) * horizon  # what a tail of t^-2 would still hold
    assert long <= model.expected_residual_lifetime(0) <= long + rest + 1e-7


@each_example
def test_simulated_customers_leave_as_the_model_says(model):
    rng = np.random.default_rng(1)
    spells = model.simulate(np.full(40_000, 6), rng)
    tenure = np.arange(1, 7)
    left = np.array([(spells["churned"] & (spells["tenure"] == t)).sum() for t in tenure])
    expected = -np.diff(np.append(1.0, model.survival_function(tenure)))
    np.testing.assert_allclose(left / 40_000, expected, atol=3.5 * np.sqrt(0.25 / 40_000))
    assert (spells.loc[~spells["churned"], "tenure"] == 6).all()


@each_example
def test_a_fit_recovers_the_simulated_truth(model):
    spells = model.simulate(np.tile(np.arange(6, 16), 3_000), np.random.default_rng(2))
    found = fit(type(model), counted(spells))
    table = found.table()
    truth = np.array([getattr(model, name) for name in table.index])
    z = np.log(table["estimate"] / truth) / (table["std_error"] / table["estimate"])
    assert np.all(np.abs(z) < 3.3)


def counted(spells):
    """A retention table by hand: at each renewal, those who came to it and those who left."""
    tenure = np.arange(1, spells["tenure"].max() + 1)
    at_risk = [(spells["tenure"] >= t).sum() for t in tenure]
    lost = [((spells["tenure"] == t) & spells["churned"]).sum() for t in tenure]
    return pd.DataFrame({"tenure": tenure, "at_risk": at_risk, "lost": lost})


@pytest.mark.parametrize("model", CONTRACTS, ids=lambda m: m.__name__)
def test_rows_of_any_order_and_aggregation_give_the_same_fit(model, retention):
    table = retention("regular", 7)
    half = table.assign(at_risk=table["at_risk"] // 2, lost=table["lost"] // 2)
    halves = pd.concat(
        [half, table.assign(at_risk=table["at_risk"] - half["at_risk"], lost=table["lost"] - half["lost"])]
    )
    rng = np.random.default_rng(3)
    shuffled = halves.iloc[rng.permutation(len(halves))]
    ours, theirs = fit(model, table), fit(model, shuffled)
    assert theirs.log_likelihood == ours.log_likelihood
    assert theirs.data["sha256"] == ours.data["sha256"]
    pd.testing.assert_frame_equal(theirs.table(), ours.table())
    assert fit(model, pl.DataFrame(shuffled.to_dict("list"))).log_likelihood == ours.log_likelihood


def test_cohorts_are_fitted_apart_and_compared(retention):
    table = pd.concat([retention(cohort, 7).assign(cohort=cohort) for cohort in ("regular", "high end")])
    found = fit(ShiftedBetaGeometric, table, by="cohort")
    np.testing.assert_allclose(
        found.groups["regular"].params, ESTIMATES["regular", 7, "ShiftedBetaGeometric"][0], atol=2e-6
    )
    assert found.checks[0].passed is False
    assert "share of new customers still there after renewal 4" in found.checks[0].detail


def test_weights_count_rows(retention):
    table = retention("regular", 4)
    weighted = table.assign(at_risk=table["at_risk"] / 10, lost=table["lost"] / 10, weight=10)
    assert fit(ShiftedBetaGeometric, weighted).log_likelihood == pytest.approx(
        fit(ShiftedBetaGeometric, table).log_likelihood, rel=1e-13
    )


def test_customers_first_seen_late_need_nothing_extra():
    """Left truncation: only tenures above the entry are seen, and the same parameters are found."""
    truth, rng = ShiftedBetaGeometric(0.9, 2.5), np.random.default_rng(4)
    spells = truth.simulate(np.full(60_000, 12), rng)
    entry = rng.integers(0, 5, len(spells))
    seen = spells["tenure"] > entry
    tenure = np.arange(1, 13)
    at_risk = [(seen & (entry < t) & (spells["tenure"] >= t)).sum() for t in tenure]
    lost = [(seen & (entry < t) & (spells["tenure"] == t) & spells["churned"]).sum() for t in tenure]
    found = fit(ShiftedBetaGeometric, pd.DataFrame({"tenure": tenure, "at_risk": at_risk, "lost": lost})).table()
    assert np.all(np.abs(found["estimate"] - [0.9, 2.5]) < 3 * found["std_error"])


@pytest.mark.parametrize(("nested", "richer"), NESTED, ids=lambda m: m.__name__)
@pytest.mark.parametrize("cohort", ["regular", "high end"])
def test_a_richer_model_is_never_less_likely(nested, richer, cohort, retention):
    for renewals in (3, 4, 7, 12):
        table = retention(cohort, renewals)
        assert fit(richer, table).log_likelihood >= fit(nested, table).log_likelihood - 1e-6


def test_special_cases_agree():
    tenure = np.arange(1, 20)
    sbg, geometric = ShiftedBetaGeometric(0.7, 1.2), Geometric(0.3)
    np.testing.assert_allclose(
        BetaDiscreteWeibull(0.7, 1.2, 1.0).survival_function(tenure), sbg.survival_function(tenure), rtol=1e-13
    )
    np.testing.assert_allclose(
        DiscreteWeibull(0.3, 1.0).survival_function(tenure), geometric.survival_function(tenure), rtol=1e-13
    )
    format_together = ShiftedBetaGeometric(1e7, 1e7 / np.expm1(0.3))
    np.testing.assert_allclose(format_together.retention_rate(tenure), geometric.retention_rate(tenure), rtol=1e-6)
    one_kind = TwoSegments(odds=1e9, rate=0.3, extra=1.0)
    np.testing.assert_allclose(one_kind.survival_function(tenure), geometric.survival_function(tenure), rtol=1e-7)


def test_two_segments_of_the_perils_paper():
    """A third keep with probability 0.9, two thirds with 0.5: the loyal come to dominate."""
    model = TwoSegments(odds=0.5, rate=-np.log(0.9), extra=np.log(0.9 / 0.5))
    tenure = np.arange(5)
    np.testing.assert_allclose(model.survival_function(tenure), (0.9**tenure + 2 * 0.5**tenure) / 3)
    np.testing.assert_allclose(
        10_000 * model.survival_function([1, 2, 3, 4]), [6333.3, 4366.7, 3263.3, 2603.7], atol=0.05
    )
    np.testing.assert_allclose(model.share_loyal(4), 0.9**4 / (0.9**4 + 2 * 0.5**4))


def test_equal_chances_end_at_the_limit_with_a_note():
    table = counted(Geometric(0.2).simulate(np.full(500, 3), np.random.default_rng(0)))
    constant = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 800, 640, 512], "lost": [200, 160, 128, 103]})
    for rows in (table, constant):
        found = fit(ShiftedBetaGeometric, rows)
        assert not found.table().isna().any().any()
    assert "all customers have the same chance to leave" in " ".join(found.notes)
    assert found.model.retention_rate(2) == pytest.approx(0.8, abs=1e-3)


def test_leaving_at_once_or_never_ends_at_the_limit_with_a_note():
    rows = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 700, 700], "lost": [300, 0, 0]})
    for model in (ShiftedBetaGeometric, BetaDiscreteWeibull, DiscreteWeibull):
        found = fit(model, rows)
        (note,) = found.notes
        assert "leaves at the first renewal, or never" in note or "a customer who renews once never leaves" in note
        assert found.model.retention_rate(1) == pytest.approx(0.7, abs=1e-6)
        assert not found.table().isna().any().any()


@pytest.mark.parametrize("model", CONTRACTS, ids=lambda m: m.__name__)
def test_fits_are_stored_as_plain_text(model, retention):
    found = fit(model, retention("regular", 7))
    again = Fit.from_json(found.to_json())
    assert again.model == found.model
    assert json.loads(found.to_json())["model"]["class"] == model.__name__
    assert pickle.loads(pickle.dumps(found.model)) == found.model


def test_draws_broadcast_over_tenures(retention):
    found = fit(BetaDiscreteWeibull, retention("regular", 7))
    drawn = found.draw(500, np.random.default_rng(5))
    survival = drawn.survival_function(np.arange(13))
    assert survival.shape == (500, 13)
    assert np.quantile(survival[:, 12], [0.025, 0.975])[0] < 0.173 < np.quantile(survival[:, 12], [0.025, 0.975])[1]


@pytest.mark.parametrize("model", CONTRACTS, ids=lambda m: m.__name__)
def test_parameters_must_be_positive(model):
    names = ESTIMATED[model.__name__]
    with pytest.raises(ValueError, match=f"{model.__name__}: {names[0]} must be positive and finite; got -1"):
        model(**{**dict.fromkeys(names, 1.0), names[0]: -1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lost": 0}, "is estimated from customers who leave, but lost is 0 in all rows"),
        ({"lost": [1000, 631, 468, 382]}, "is estimated from customers who stay"),
        ({"lost": 2000}, r"lost exceeds at_risk for 4 of 4 rows \(first: row 0\)"),
        ({"lost": [-1, 0, 0, 1]}, "lost is negative for 1 of 4 rows"),
        ({"tenure": [0, 1, 2, 3]}, "tenure is below 1 for 1 of 4 rows .* 1 for the first"),
        ({"tenure": [1.5, 2, 3, 4]}, "tenure is not a whole number"),
        ({"tenure": 1}, "has 2 parameters and needs customers at risk at as many tenures; the table has 1"),
        ({"at_risk": [np.nan, 1, 1, 1]}, "at_risk is missing, infinite or not a number"),
    ],
)
def test_bad_tables_are_named(retention, change, message):
    table = retention("regular", 4)
    with pytest.raises(ValueError, match=message):
        fit(ShiftedBetaGeometric, table.assign(**change))
    with pytest.raises(ValueError, match=r"at_risk not in the table .* retention_table\(spells\)"):
        fit(ShiftedBetaGeometric, table.drop(columns="at_risk"))
    with pytest.raises(ValueError, match="robust errors need a row for each customer"):
        fit(ShiftedBetaGeometric, table, robust=True)


@pytest.mark.slow
@pytest.mark.parametrize("model", [EXAMPLES[1], EXAMPLES[2]], ids=repr)
def test_intervals_of_parameters_cover(model):
    """1,000 bases of 4,000 customers in five cohorts of 8 to 12 renewals: 95 % intervals hold the truth as often.

    On data that hardly determine a parameter, so that a note says so, they hold it less often.
    """
    rng, names = np.random.default_rng(6), ESTIMATED[type(model).__name__]
    held = []
    for _ in range(1000):
        table = fit(type(model), counted(model.simulate(np.repeat(np.arange(8, 13), 800), rng))).table()
        held.append([table.loc[name, "lower"] <= getattr(model, name) <= table.loc[name, "upper"] for name in names])
    assert np.all((np.mean(held, axis=0) > 0.93) & (np.mean(held, axis=0) < 0.97))


def late(lost, at_risk=(100, 100, 100, 100)):
    return pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": at_risk, "lost": lost})


@pytest.mark.parametrize("model", [DiscreteWeibull, BetaDiscreteWeibull])
def test_losses_at_the_last_renewal_alone_do_not_say_how_fast_the_chance_to_leave_grows(model):
    with pytest.raises(ValueError, match="no customer was lost before renewal 4, the last of the table"):
        fit(model, late([0, 0, 0, 50]))
    assert fit(model, late([0, 1, 3, 50], (100, 100, 99, 96))).model.c > 5


def test_a_limit_below_what_was_already_reached_is_no_maximum():
    table = late([0, 0, 0, 50])
    columns = {name: table[name].to_numpy(dtype=float) for name in table}
    with pytest.raises(ConvergenceError, match="no maximum of the likelihood was found"):
        maximise(DiscreteWeibull, columns, np.ones(4))


def test_a_table_that_begins_late_says_what_is_extrapolated(retention):
    found = fit(ShiftedBetaGeometric, retention("regular", 12).query("tenure > 4"))
    assert found.notes[-1].startswith("Nobody was observed before renewal 5")
    assert not any("observed before" in note for note in fit(ShiftedBetaGeometric, retention("regular", 12)).notes)


@each_example
def test_what_is_no_number_of_renewals_cannot_be_simulated(model):
    for bad in (-1, 1.5, np.nan):
        with pytest.raises(ValueError, match="T counts renewals: whole numbers from 0 on"):
            model.simulate([1, bad], np.random.default_rng(1))
    assert len(model.simulate([], np.random.default_rng(1))) == 0


def test_a_model_with_arrays_of_parameters_cannot_be_simulated():
    with pytest.raises(ValueError, match="ShiftedBetaGeometric has arrays of parameters"):
        ShiftedBetaGeometric(np.array([[1.0], [2.0]]), 3.0).simulate([3, 3], np.random.default_rng(1))


@pytest.mark.parametrize(("n", "lost"), [(100, (0, 0, 3, 50)), (1000, (0, 0, 3, 50)), (500, (0, 0, 0, 30, 200))])
def test_losses_that_come_all_at_once_are_a_discrete_weibull(n, lost):
    """The way from the usual start to this limit is too long for 200 steps."""
    at_risk = n - np.concatenate([[0], np.cumsum(lost)[:-1]])
    kept = pd.DataFrame({"tenure": np.arange(1, len(lost) + 1), "at_risk": at_risk, "lost": lost})
    found, limit = fit(BetaDiscreteWeibull, kept), fit(DiscreteWeibull, kept)
    assert found.log_likelihood == pytest.approx(limit.log_likelihood, abs=1e-4)
    assert any("all customers have the same chances to leave (discrete Weibull)" in note for note in found.notes)
    np.testing.assert_allclose(
        found.model.retention_rate([1, 2, 3, 4]), limit.model.retention_rate([1, 2, 3, 4]), rtol=1e-3
    )
