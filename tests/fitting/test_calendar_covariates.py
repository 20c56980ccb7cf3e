"""Covariates of contracts: those of the customers, and those of the calendar."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import betaln, expit, logit

from retention_models.estimation.design import Design
from retention_models.evaluation.comparison import compare
from retention_models.fitting.calendar_covariates import PATH, calendar_objective, read_paths
from retention_models.fitting.estimate import fit
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.model_tests import likelihood_ratio, wald
from retention_models.fitting.result import Fit
from retention_models.forecast.retention import forecast_retention, retention_triangle
from retention_models.forecast.retention_rates import predict_retention
from retention_models.logs.contracts.calendar_events import with_calendar
from retention_models.logs.contracts.log import read_contracts
from retention_models.logs.contracts.retention import retention_table
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.floored import FlooredBetaGeometric
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.tables.customer_table import read_table
from retention_models.value.contracts import discounted_lifetime
from retention_models.value.customer import customer_value, total_value
from retention_models.value.saved_customers import saved_value
from retention_models.value.terms import Terms

TRUTH = {"alpha": 0.9, "beta": 2.6, "churn": 0.6, "calendar": 0.7}
PLAN = {"churn_covariates": "plan"}
THIRD = {ShiftedBetaGeometric: [], BetaDiscreteWeibull: [0.2], FlooredBetaGeometric: [-2.5]}  # a further log-parameter
BOTH = {"churn_covariates": "plan", "calendar_covariates": "price_rise"}


def log_survival(exposure, alpha=TRUTH["alpha"], beta=TRUTH["beta"], churn=0.0):
    mean, both = expit(logit(alpha / (alpha + beta)) + churn), alpha + beta
    return betaln(mean * both, (1 - mean) * both + exposure) - betaln(mean * both, (1 - mean) * both)


def business(rng, size=3000, cohorts=12, c=1.0, churn=TRUTH["churn"], calendar=TRUTH["calendar"]):
    """Monthly cohorts of two plans, a price rise in months 8 and 9 of the calendar."""
    rows = []
    for cohort in range(cohorts):
        for plan in (0, 1):
            tenure = np.arange(1, 14 - cohort)
            rise = np.isin(cohort + tenure, (8, 9)).astype(int)
            exposure = np.cumsum((tenure**c - (tenure - 1.0) ** c) * np.exp(calendar * rise))
            survival = np.exp(log_survival(exposure, churn=churn * plan))
            life = 1 + np.searchsorted(-survival, -rng.random(size))
            at_risk = [(life >= t).sum() for t in tenure]
            lost = [(life == t).sum() for t in tenure]
            rows.append(
                pd.DataFrame(
                    {
                        "cohort": cohort,
                        "plan": plan,
                        "tenure": tenure,
                        "price_rise": rise,
                        "at_risk": at_risk,
                        "lost": lost,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    return business(np.random.default_rng(1))


def objective(model, table):
    """The likelihood of a table with both covariates."""
    designs = {role: Design.from_formula(name, table) for role, name in (("churn", "plan"), ("calendar", "price_rise"))}
    blocks = {role: design.matrix(table) for role, design in designs.items()}
    blocks[PATH] = read_paths(table, ["cohort"], blocks["churn"])
    start = model.start(*(table[name].to_numpy(float) for name in model.columns), weight=np.ones(len(table)))
    rows = read_table(table, model.columns).with_covariates(blocks).by_tenure()
    return calendar_objective(start, rows, CovariateTerms(designs))[0]


@pytest.mark.parametrize("model", THIRD)
def test_the_score_is_the_derivative_of_the_log_likelihood(model, table):
    cells = objective(model, table)
    place = np.array([0.1, 0.9, *THIRD[model], 0.4, -0.3])
    steps = 1e-6 * np.eye(len(place))
    slope = [(cells.value(place + s) - cells.value(place - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(cells.gradient(place), slope, rtol=1e-5, atol=1e-3)


def test_survival_is_that_of_the_added_up_exposure(table):
    found = fit(ShiftedBetaGeometric, table, **BOTH)
    predicted = predict_retention(found, table)
    plan, rise = found.covariate_terms.coefficients
    path = table[(table["cohort"] == 0) & (table["plan"] == 1)]
    exposure = np.cumsum(np.exp(rise * path["price_rise"]))
    survival = np.exp(log_survival(exposure, found.model.alpha, found.model.beta, plan))
    np.testing.assert_allclose(predicted.loc[path.index, "survival"], survival, rtol=1e-10)
    rates = survival / np.append(1.0, survival[:-1])
    np.testing.assert_allclose(predicted.loc[path.index, "retention_rate"], rates, rtol=1e-10)
    assert (predicted["survival_lower"] < predicted["survival"]).all()


def test_the_truth_is_recovered_and_the_test_sees_it(table):
    found = fit(ShiftedBetaGeometric, table, **BOTH)
    estimates = found.table()
    truth = [TRUTH["alpha"], TRUTH["beta"], TRUTH["churn"], TRUTH["calendar"]]
    assert list(estimates.index) == ["alpha", "beta", "churn[plan]", "calendar[price_rise]"]
    assert np.all(np.abs(estimates["estimate"] - truth) < 3 * estimates["std_error"])
    plain = fit(ShiftedBetaGeometric, table)
    test = likelihood_ratio(plain, found)
    assert test.p_value < 1e-6
    assert found.aic < plain.aic
    assert "churn[plan], calendar[price_rise] make a difference" in str(test)
    assert list(wald(found).index) == ["churn[plan]", "calendar[price_rise]"]
    assert (wald(found)["p_value"] < 1e-6).all()


def test_ageing_and_covariates_are_told_apart():
    table = business(np.random.default_rng(2), size=6000, c=1.3)
    estimates = fit(BetaDiscreteWeibull, table, **BOTH).table()
    truth = [TRUTH["alpha"], TRUTH["beta"], 1.3, TRUTH["churn"], TRUTH["calendar"]]
    assert np.all(np.abs(estimates["estimate"] - truth) < 3 * estimates["std_error"])


@pytest.mark.parametrize("model", THIRD)
def test_without_effects_it_is_the_plain_model(model, table):
    plain = fit(model, table)
    place = np.append(np.log(np.maximum(plain.params, 1e-300)), [0.0, 0.0])
    assert objective(model, table).value(place) == pytest.approx(plain.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull])
def test_covariates_of_customers_and_paths_without_a_calendar_are_one_likelihood(model, table):
    """Without effects of the calendar the likelihood by path is that of the links, though computed in another way."""
    found = fit(model, table, churn_covariates="plan")
    cells = objective(model, table)
    place = np.append(np.log(found.params.iloc[:-1]), [found.params.iloc[-1] * cells.spread[0], 0.0])
    assert cells.value(place) == pytest.approx(found.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(cells.gradient(place)[:-1], 0, atol=1e-3)


def test_groups_told_apart_by_a_covariate_alone_share_their_concentration(table):
    """With one plan only, the baseline is that plan's own fit."""
    first = table[table["price_rise"] == 0]
    found = fit(ShiftedBetaGeometric, first, churn_covariates="plan")
    mean = {plan: float(fit(ShiftedBetaGeometric, first[first["plan"] == plan]).model.hazard(1)) for plan in (0, 1)}
    assert float(found.model.hazard(1)) == pytest.approx(mean[0], abs=0.01)
    shifted = expit(logit(found.model.hazard(1)) + found.covariate_terms.coefficients["churn[plan]"])
    assert float(shifted) == pytest.approx(mean[1], abs=0.01)


def test_order_and_engine_do_not_matter(table):
    ours = fit(ShiftedBetaGeometric, table, **BOTH)
    shuffled = table.sample(frac=1, random_state=3)
    for theirs in (shuffled, pl.DataFrame(shuffled.to_dict("list"))):
        other = fit(ShiftedBetaGeometric, theirs, **BOTH)
        np.testing.assert_allclose(other.covariate_terms.coefficients, ours.covariate_terms.coefficients, rtol=1e-9)
    predicted = predict_retention(ours, shuffled)
    np.testing.assert_allclose(
        predicted["survival"], predict_retention(ours, table)["survival"].to_numpy()[shuffled.index]
    )


def test_what_if_a_price_rise_had_not_been(table):
    found = fit(ShiftedBetaGeometric, table, **BOTH)
    without = predict_retention(found, table.assign(price_rise=0))
    during = table["price_rise"] == 1
    assert (without.loc[during, "retention_rate"] > predict_retention(found, table).loc[during, "retention_rate"]).all()


def test_renewals_nobody_was_observed_at_are_filled_in_unless_the_calendar_matters(table):
    late = table[table["tenure"] > 2]
    found = fit(ShiftedBetaGeometric, late, churn_covariates="plan")
    assert np.isfinite(found.log_likelihood)
    with pytest.raises(ValueError, match=r"renewals before those of a path have no row .* add rows with at_risk 0"):
        fit(ShiftedBetaGeometric, late, **BOTH)
    kept = table.assign(
        at_risk=table["at_risk"].where(table["tenure"] > 2, 0), lost=table["lost"].where(table["tenure"] > 2, 0)
    )
    estimates = fit(ShiftedBetaGeometric, kept, **BOTH).table()
    truth = [TRUTH["alpha"], TRUTH["beta"], TRUTH["churn"], TRUTH["calendar"]]
    assert np.all(np.abs(estimates["estimate"] - truth) < 3.5 * estimates["std_error"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"churn_covariates": "colour"}, "colour not in the table"),
        ({**BOTH, "calendar_by": ["region"]}, "region not in the table; calendar_by names the columns"),
        ({**BOTH, "calendar_by": []}, r"calendar\[price_rise\] has several values in the same path at tenure"),
        ({"calendar_covariates": "price_rise", "calendar_by": "plan"}, "has several values in the same path at tenure"),
        ({"churn_covariates": "constant"}, r"churn\[constant\] is the same for all .* customers: it can explain"),
        ({"calendar_covariates": "constant"}, r"calendar\[constant\] is the same in all cells with customers"),
        ({"churn_covariates": "missing"}, "missing"),
        ({"churn_covariates": "tenure"}, "tenure is what ShiftedBetaGeometric is to explain"),
        ({"calendar_covariates": "lost"}, "lost is what ShiftedBetaGeometric is to explain"),
        (
            {"purchase_covariates": "plan"},
            "takes no purchase_covariates; it takes churn_covariates, calendar_covariates",
        ),
        ({"churn_covariates": "plan", "robust": True}, "robust errors need a row for each customer"),
    ],
)
def test_covariates_that_cannot_be_are_named(arguments, message, table):
    with pytest.raises(ValueError, match=message):
        fit(
            ShiftedBetaGeometric,
            table.assign(constant=1, missing=table["plan"].where(table["tenure"] > 1)),
            **arguments,
        )
    with pytest.raises(ValueError, match="Geometric takes no churn_covariates; it takes calendar_covariates"):
        fit(Geometric, table, churn_covariates="plan")


def test_a_log_leads_to_calendar_covariates():
    rng = np.random.default_rng(4)
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 500, 4000), "D")
    life = np.minimum(rng.geometric(rng.beta(1, 4, 4000)), 60)
    end = [s + pd.DateOffset(months=int(k)) for s, k in zip(start, life, strict=True)]
    log = pd.DataFrame({"customer_id": range(4000), "start": start, "end": end})
    spells = read_contracts(log, sampling="acquisition", observation_end="2022-12-31")
    table = with_calendar(retention_table(spells, period="M"))
    assert table.loc[table["cohort"] == "2021-11", "calendar"].head(3).tolist() == ["2021-12", "2022-01", "2022-02"]
    table["december"] = table["calendar"].str.endswith("-12").astype(int)
    found = fit(ShiftedBetaGeometric, table, calendar_covariates="december")
    assert (
        abs(found.covariate_terms.coefficients["calendar[december]"])
        < 4 * found.table().loc["calendar[december]", "std_error"]
    )
    with pytest.raises(ValueError, match="calendar covariates need a period of a month or a year"):
        with_calendar(retention_table(spells, period=30))


@pytest.mark.slow
def test_intervals_of_coefficients_cover():
    """1,000 businesses of 24 paths: the intervals of both coefficients hold the truth in 95 % of them."""
    rng, held = np.random.default_rng(5), []
    for _ in range(1000):
        table = fit(ShiftedBetaGeometric, business(rng, size=300, cohorts=8), **BOTH).table().tail(2)
        truth = [TRUTH["churn"], TRUTH["calendar"]]
        held.append((table["lower"] <= truth) & (truth <= table["upper"]))
    assert np.all((np.mean(held, axis=0) > 0.93) & (np.mean(held, axis=0) < 0.97))


def test_a_formula_is_the_columns_it_makes():
    regular, high_end = [1000, 631, 468, 382, 326], [1000, 869, 743, 653, 593]
    plans = {"regular": regular, "high end": high_end}
    rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in plans.items() for t in range(4)]
    table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    table["is_late"] = table["tenure"] > 2
    numbers = table.assign(regular=(table["plan"] == "regular").astype(float), late=(table["tenure"] > 2).astype(float))
    one = fit(ShiftedBetaGeometric, table, churn_covariates="plan", calendar_covariates="C(is_late)", calendar_by=[])
    other = fit(ShiftedBetaGeometric, numbers, churn_covariates="regular", calendar_covariates="late", calendar_by=[])
    assert list(one.covariate_terms.coefficients.index) == ["churn[plan[T.regular]]", "calendar[C(is_late)[T.True]]"]
    np.testing.assert_allclose(one.table(), other.table(), rtol=1e-6)
    np.testing.assert_allclose(predict_retention(one, table), predict_retention(other, numbers), rtol=1e-6)
    with pytest.raises(ValueError, match="plan has a level that the fit has not seen"):
        predict_retention(one, table.assign(plan="new"))
    with pytest.raises(ValueError, match="price not in the table"):
        fit(ShiftedBetaGeometric, table, churn_covariates="price")


def alike_within(rng, chances=(0.3, 0.1), cohorts=6, size=300):
    """Cohorts in whose halves every customer has the same chance to leave."""
    rows = []
    for cohort in range(cohorts):
        for x, chance in enumerate(chances):
            at_risk = size
            for tenure in range(1, cohorts + 1 - cohort):
                lost = rng.binomial(at_risk, chance)
                rows.append((f"c{cohort}", x, tenure, at_risk, lost))
                at_risk -= lost
    return pd.DataFrame(rows, columns=["cohort", "x", "tenure", "at_risk", "lost"])


def test_customers_whom_covariates_tell_apart_completely_are_fitted_at_the_limit():
    table = alike_within(np.random.default_rng(5))
    for model in (ShiftedBetaGeometric, BetaDiscreteWeibull):
        found = fit(model, table, churn_covariates="x")
        assert found.notes[0].startswith("alpha ran to infinity and is held there")
        assert "This holds among customers with the same covariates." in found.notes[0]
        assert "Note: alpha ran to infinity" in repr(found)
        assert found.table().loc["alpha", "std_error"] == 0
        assert found.log_likelihood >= fit(model, table).log_likelihood
        shares = predict_retention(found, table.drop_duplicates(["x", "tenure"]).query("tenure == 1"))
        assert ((shares["retention_rate_lower"] < [0.7, 0.9]) & (shares["retention_rate_upper"] > [0.7, 0.9])).all()


def test_a_nearly_flat_fit_with_covariates_is_reported(table):
    flat = alike_within(np.random.default_rng(2), size=40)
    notes = fit(
        ShiftedBetaGeometric, flat.assign(z=flat["tenure"] % 2), churn_covariates="x", calendar_covariates="z"
    ).notes
    assert notes
    assert fit(ShiftedBetaGeometric, table, **BOTH).notes == ()


@pytest.mark.parametrize("asked", [{"churn_covariates": "plan"}, BOTH])
def test_forecasts_values_and_json_know_a_contract_fit_with_covariates(table, asked):
    found = fit(ShiftedBetaGeometric, table, **asked)
    cells = pd.DataFrame({"cohort": "new", "plan": 1.0, "price_rise": 0.0, "tenure": range(1, 7)})
    expected = predict_retention(found, cells)
    forecast = forecast_retention(found, pd.DataFrame({"tenure": [0], "plan": [1], "weight": [1000]}), renewals=6)
    np.testing.assert_allclose(forecast["expected"], 1000 * expected["survival"], rtol=1e-9)
    np.testing.assert_allclose(forecast["expected_lower"], 1000 * expected["survival_lower"], rtol=1e-6)
    again = Fit.from_json(found.to_json())
    pd.testing.assert_frame_equal(again.table(), found.table())
    pd.testing.assert_frame_equal(predict_retention(again, cells), expected)
    assert again.aic == found.aic
    today = pd.DataFrame({"tenure": [0, 3, 3], "plan": [0, 0, 1]})
    terms = Terms(annual_discount_rate=0.1, billing_period="M", price=10)
    worth = customer_value(found, today, terms)
    assert worth["value"].iloc[1] > worth["value"].iloc[2], "the second plan leaves sooner"
    single = customer_value(found, today.iloc[[2]], terms)
    np.testing.assert_allclose(single.to_numpy()[0, :3], worth.to_numpy()[2, :3], rtol=1e-12)
    total = total_value(found, today, terms, by="plan")
    np.testing.assert_allclose(total["value"], [worth["value"].iloc[:2].sum(), worth["value"].iloc[2]], rtol=1e-12)
    saved = saved_value(found, today, terms)
    assert (saved.loc[3, "value_lower"] < saved.loc[3, "value"] < saved.loc[3, "renewing_value"]).all()
    with pytest.raises(ValueError, match="plan not in the table"):
        customer_value(found, today[["tenure"]], terms)
    with pytest.raises(ValueError, match=r"the fit has covariates \(churn\[plan\]"):
        discounted_lifetime(found, terms)


def test_values_with_covariates_are_those_of_the_group_when_groups_differ_in_nothing_else(table):
    """The value of a plan is that of the model with the parameters of this plan."""
    found = fit(BetaDiscreteWeibull, table, churn_covariates="plan")
    mean, both = found.model.alpha / (found.model.alpha + found.model.beta), found.model.alpha + found.model.beta
    moved = expit(logit(mean) + found.covariate_terms.coefficients.iloc[0])
    own = BetaDiscreteWeibull(alpha=moved * both, beta=(1 - moved) * both, c=found.model.c)
    terms = Terms(annual_discount_rate=0.1, billing_period="M", price=10)
    today = pd.DataFrame({"tenure": [0, 2, 7], "plan": 1})
    np.testing.assert_allclose(
        customer_value(found, today, terms)["value"], customer_value(own, today, terms)["value"], rtol=1e-10
    )


def test_a_cohort_of_two_plans_is_forecast_by_those_who_are_left(table):
    found = fit(ShiftedBetaGeometric, table, churn_covariates="plan")
    cohort = table[table["cohort"] == 3]
    triangle = retention_triangle(found, cohort, renewals=1).iloc[-1]
    last = cohort[cohort["tenure"] == cohort["tenure"].max()]
    ahead = last.assign(tenure=last["tenure"] + 1)
    rate = predict_retention(found, ahead, level=None)["retention_rate"]
    left = last["at_risk"] - last["lost"]
    expected = (left * rate).sum() / cohort.loc[cohort["tenure"] == 1, "at_risk"].sum()
    assert triangle["share"] == pytest.approx(expected, rel=0.01)


def test_plans_that_differ_are_better_explained_by_the_plan(table):
    fits = {
        "plain": fit(ShiftedBetaGeometric, table),
        "plan": fit(ShiftedBetaGeometric, table, churn_covariates="plan"),
    }
    comparison = compare(fits, table)
    assert comparison.name == "plan"
    np.testing.assert_allclose(comparison.frame["aic"], [one.aic for one in fits.values()])
    by_group = fit(ShiftedBetaGeometric, table, churn_covariates="plan", by="cohort")
    assert len(by_group.groups) >= 8
    assert by_group.checks[0].passed is not None


@pytest.mark.parametrize(
    ("model", "asked", "log_likelihood", "estimates"),
    [
        (ShiftedBetaGeometric, PLAN, -120510.53478410814, [0.950998, 2.441630, 0.610665]),
        (ShiftedBetaGeometric, BOTH, -118680.41936961957, [0.889429, 2.581960, 0.603280, 0.719656]),
        (BetaDiscreteWeibull, PLAN, -120508.54355350576, [1.041482, 2.657761, 0.968601, 0.609656]),
        (BetaDiscreteWeibull, BOTH, -118679.81518674485, [0.925531, 2.679205, 0.984659, 0.602874, 0.716161]),
    ],
)
def test_likelihood_and_estimates_are_those_of_the_likelihood_by_path_of_0_2_0(
    table, model, asked, log_likelihood, estimates
):
    """Version 0.2.0 fitted contracts with covariates by a likelihood and a Newton's method of their own."""
    found = fit(model, table, **asked)
    assert found.log_likelihood == pytest.approx(log_likelihood, rel=1e-12)
    np.testing.assert_allclose(found.params, estimates, atol=2e-6)


@pytest.mark.slow
def test_intervals_of_forecasts_and_values_with_covariates_cover():
    """1,000 businesses of two plans: intervals of survival and of value hold the truth in 95 % of them."""
    rng, held = np.random.default_rng(11), []
    terms = Terms(annual_discount_rate=0.1, billing_period="M", price=10, horizon=24)
    today = pd.DataFrame({"tenure": [0, 5], "plan": [1, 0]})
    mean, both = expit(logit(TRUTH["alpha"] / (TRUTH["alpha"] + TRUTH["beta"])) + TRUTH["churn"]), 3.5
    plans = ShiftedBetaGeometric(mean * both, (1 - mean) * both), ShiftedBetaGeometric(TRUTH["alpha"], TRUTH["beta"])
    survival = [plans[0].survival_function(6), plans[1].survival_function(11, given=5)]
    value = [customer_value(plan, today.iloc[[i]], terms)["value"].iloc[0] for i, plan in enumerate(plans)]
    for _ in range(1000):
        found = fit(ShiftedBetaGeometric, business(rng, size=300, cohorts=8, calendar=0.0), **PLAN)
        ahead = forecast_retention(found, today, renewals=6, by="plan").query("ahead == 6").set_index("group")
        worth = customer_value(found, today, terms)
        ends = ahead.loc[["1", "0"], ["expected_lower", "expected_upper"]].to_numpy()
        held.append(
            [
                *((ends[:, 0] <= survival) & (survival <= ends[:, 1])),
                *((worth["value_lower"] <= value) & (value <= worth["value_upper"])),
            ]
        )
    assert np.all((np.mean(held, axis=0) > 0.93) & (np.mean(held, axis=0) < 0.97))
