"""A number that cannot be meant, or a thing of another kind, is refused at the door: by name, value and rule."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models import evaluation, fitting, forecast, interventions, survival, value

nan, inf = float("nan"), float("inf")
YEARLY = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y")
WEEKLY = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.15, margin=0.3)
KEPT = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
BASE = pd.DataFrame({"tenure": [0, 4], "weight": [500, 326]})
VISIT = rm.Outcome(column="visit", unit="share of customers")
RATE, AMOUNT = interventions.Proportion(0.1), interventions.Mean(40.0)
CURVE = rm.kaplan_meier([1, 2, 3], [True, False, True])
EFFECT = {
    "intervention": "mail",
    "outcome": "bought",
    "unit": "share of customers",
    "estimand": "difference",
    "scale": "difference",
    "estimate": 0.1,
    "std_error": 0.05,
    "population": "all",
    "n": 100,
    "assigned_by": "random",
}


@pytest.fixture(scope="module")
def given(fits, customers, log):
    """What the calls below take."""
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [900, 1100], "visit": [90, 165]})
    test = rm.Experiment.from_counts(counts, rm.Plan(assigned_by="random", control="none"), outcome="visit")
    tenures = pd.DataFrame({"arm": ["none", "call"] * 60, "tenure": [3, 5, 9, 12] * 30, "churned": [1, 0, 0, 1] * 30})
    contracts = rm.contract_experiment(tenures, rm.Plan(assigned_by="random", control="none"), arm="arm", time_unit="M")
    rows = pd.DataFrame([(s, t) for s in range(6) for t in range(4)], columns=["store", "month"])
    return SimpleNamespace(
        fit=fits["BG/NBD"],
        spend=rm.fit(rm.GammaGamma, customers),
        contracts=rm.fit(rm.ShiftedBetaGeometric, KEPT),
        customers=customers,
        few=customers.head(50),
        log=log,
        test=test,
        effect=rm.differences(test, VISIT)[0],
        churn_test=contracts,
        wedge=rows.assign(switched=(rows["month"] > rows["store"] // 2).astype(int), kept=1.0),
        rows=pd.DataFrame({"arm": ["none", "mail"] * 40, "spend": [0.0, 5.0, 9.0, 4.0] * 20}),
    )


def from_rows(g, **ceiling):
    return rm.Experiment.from_rows(
        g.rows, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["spend"], **ceiling
    )


def changed(**parts):
    return rm.Effect(**{**EFFECT, **parts})


def retail(**changed):
    return rm.scenario.retail(rm.ParetoNBD(0.55, 10.6, 0.6, 11.7), 1, **changed)


def purchase_outcomes(g, **changed):
    who = pd.DataFrame({"customer_id": [1, 2], "assigned": "1997-05-01", "arm": ["none", "mail"]})
    return rm.purchase_outcomes(g.log, who, **{"horizon_days": 30, "offer_days": 10} | changed)


NUMBERS = {  # call with a number, numbers that cannot be, words of the error
    "power effect": (lambda g, x: interventions.power(RATE, x, 8000), [nan, inf, "0.02", None], "effect must be"),
    "power n": (lambda g, x: interventions.power(RATE, 0.02, x), [nan, inf, -1, 0, "8000", None, True], "n must be"),
    "power share": (lambda g, x: interventions.power(RATE, 0.02, 800, share=x), [nan, 0, 1, "5", None], "share must"),
    "power level": (
        lambda g, x: interventions.power(RATE, 0.02, 800, level=x),
        [nan, 0, 1, "95", 95],
        "level must lie",
    ),
    "sample_size effect": (lambda g, x: interventions.sample_size(AMOUNT, x), [nan, inf, "2", None], "effect must be"),
    "sample_size power": (lambda g, x: rm.sample_size(RATE, 0.02, power=x), [nan, "0.8", None, 1, 0.01], "power must"),
    "detectable n": (lambda g, x: interventions.minimum_detectable_effect(RATE, x), [nan, inf, -5, "9"], "n must be"),
    "Clustered size": (lambda g, x: interventions.Clustered(RATE, size=x, icc=0.1), [nan, inf, 0, "2"], "size must be"),
    "Clustered icc": (lambda g, x: interventions.Clustered(RATE, size=2, icc=x), [nan, -1, 2, "0.1"], "icc must be"),
    "Proportion": (lambda g, x: interventions.Proportion(x), [nan, 0, 1, "0.1", None], "rate must lie between 0 and 1"),
    "holm": (lambda g, x: interventions.holm([0.1, x]), [nan, 2, -1, "0.5", None], "from 0 to 1"),
    "holm of one": (lambda g, x: interventions.holm(x), [0.05, nan, "0.05", None], "must be a list of numbers"),
    "benjamini_hochberg": (lambda g, x: interventions.benjamini_hochberg([0.1, x]), [nan, 2, -1], "from 0 to 1"),
    "e_value": (lambda g, x: interventions.e_value(x), [nan, -1, "2", None], "needs a ratio above 0"),
    "interim_look": (lambda g, x: interventions.interim_look(g.effect, [x]), [nan, 0, 2, "0.5", None], "fractions"),
    "interim_look list": (lambda g, x: interventions.interim_look(g.effect, x), [nan, 0.5, None, []], "fractions"),
    "bounds level": (lambda g, x: interventions.sequential_bounds([0.5], x), [nan, 0, 1, "95", None], "level must lie"),
    "Terms price": (lambda g, x: rm.Terms(price=x), [nan, inf, "9.9", True, [1, nan], []], "price must be an amount"),
    "Terms loss": (lambda g, x: rm.Terms(price=x, billing_period="M"), [-1, -0.5], "price must be 0 or more"),
    "Terms time_unit": (lambda g, x: rm.Terms(time_unit=x), [nan, 7, "7", "weeks!"], "time_unit must be one of"),
    "Effect n": (lambda g, x: changed(n=x), [3.5, nan, inf, 0, -1, "100", None, True], "n must be a whole number"),
    "Effect cost": (lambda g, x: changed(cost=x), [nan, inf, "1", True], "cost must be a finite number"),
    "Effect estimate": (lambda g, x: changed(estimate=x), [nan, inf, "1", None], "estimate must be a finite number"),
    "Effect std_error": (lambda g, x: changed(std_error=x), [nan, -1, "1"], "std_error must be a number, 0 or more"),
    "Effect level": (lambda g, x: changed(level=x), [nan, 0, 1, "95", None], "level must lie between 0 and 1"),
    "Effect unit": (lambda g, x: changed(unit=x), [nan, None, "", 3], "unit must be a text"),
    "effect level": (lambda g, x: g.effect.interval(x), [nan, "95", 95, None], "level must lie between 0 and 1"),
    "Outcome column": (lambda g, x: rm.Outcome(column=x), [None, nan, "", 3], "column must be a text"),
    "Plan control": (lambda g, x: rm.Plan(assigned_by="random", control=x), [None, nan], "control must name the arm"),
    "caps": (lambda g, x: from_rows(g, caps={"spend": x}), [nan, inf, "9", None], "the ceiling of spend in caps must"),
    "winsorise": (lambda g, x: from_rows(g, winsorise={"spend": x}), [nan, 0.2, 1, "0.9"], "spend in winsorise must"),
    "differences level": (lambda g, x: rm.differences(g.test, VISIT, level=x), [nan, "95", None], "level must lie"),
    "retention_difference": (
        lambda g, x: interventions.retention_difference(g.churn_test, horizon=x),
        [nan, inf, 0, -1, "6", None],
        "horizon must be a number above 0",
    ),
    "rmst_difference rate": (
        lambda g, x: interventions.rmst_difference(g.churn_test, horizon=6, rate=x),
        [nan, -1, "0.1", None, True],
        "rate must be a number, 0 or more",
    ),
    "incremental_value": (
        lambda g, x: interventions.incremental_value(
            g.churn_test, rm.Terms(price=10.0), horizon=6, rate=0.1, residual_lifetime=x
        ),
        [nan, inf, -1, "9"],
        "residual_lifetime must be a number, 0 or more",
    ),
    "predict level": (lambda g, x: rm.predict(g.fit, g.few, 39, level=x), [nan, 0, 1, "95", 95], "level must lie"),
    "conf_int level": (lambda g, x: g.fit.conf_int(x), [nan, 0, 1, "95"], "level must lie between 0 and 1"),
    "draw": (lambda g, x: g.fit.draw(x), [nan, -1, "5", None, 2.5], "n must be a whole number, 0 or more"),
    "bootstrap": (lambda g, x: rm.bootstrap(g.fit, g.customers, replicates=x), [nan, 1, "9", None], "replicates must"),
    "compare": (lambda g, x: rm.compare([g.fit, g.fit], g.customers, replicates=x), [nan, -1, "9"], "replicates must"),
    "likelihood_ratio": (
        lambda g, x: fitting.likelihood_ratio(g.contracts, rm.fit(rm.BetaDiscreteWeibull, KEPT), replicates=x),
        [nan, -1, "9", None],
        "replicates must be a whole number, 0 or more",
    ),
    "paying_customers": (
        lambda g, x: value.paying_customers(pd.DataFrame({"break_even_uplift": [0.1]}), uplifts=[x]),
        [nan, inf, -1, "0.1", None],
        "each of uplifts must be a number, 0 or more",
    ),
    "value_by_horizon": (
        lambda g, x: value.value_by_horizon(g.fit, g.few, WEEKLY, horizons=[x]),
        [nan, 0, -1, "5", None],
        "horizon must be a number above 0",
    ),
    "residual_lifetime": (
        lambda g, x: value.discounted_residual_lifetime(g.contracts.model, x, YEARLY),
        [nan, inf, 0, 1.5, "2", True],
        "payments must be whole numbers",
    ),
    "residual horizon": (
        lambda g, x: g.contracts.model.expected_residual_lifetime(1, horizon=x),
        [nan, -1, "5", None, 1e9],
        "horizon must be a number from 0 to 1e+07",
    ),
    "spend_independence": (
        lambda g, x: value.spend_independence_check(g.spend, g.customers, tolerance=x),
        [nan, -1, "0.1", None],
        "tolerance must be a number, 0 or more",
    ),
    "cohort_check": (
        lambda g, x: fitting.cohort_check(rm.ShiftedBetaGeometric, KEPT.assign(cohort="a"), renewals=1, tolerance=x),
        [nan, -1, "0.1", None],
        "tolerance must be a number, 0 or more",
    ),
    "concentration": (lambda g, x: evaluation.concentration([1.0, x]), [nan, inf, -1, "9"], "values must be finite"),
    "alive_history": (lambda g, x: evaluation.alive_history(g.fit, g.log, 1, steps=x), [nan, 0, "9"], "steps must be"),
    "backtest origins": (
        lambda g, x: evaluation.backtest(g.log, rm.BGNBD, rm.Terms(horizon=10, time_unit="W"), origins=x),
        [3, "1997-09-30"],
        "origins must be a list of days",
    ),
    "restricted_mean": (lambda g, x: CURVE.restricted_mean(x), [nan, inf, "2", None, 0], "horizon must be a finite"),
    "quantile": (lambda g, x: CURVE.quantile(x), [nan, 0, 1, "0.5", None], "share must lie between 0 and 1"),
    "since": (lambda g, x: CURVE.since(x), [nan, "1", None], "tenure must be a finite number"),
    "renewals": (
        lambda g, x: rm.logs.choose_settings(pd.DataFrame(), start="start", renewals=x),
        [-1, 0, 1.5, "3"],
        "renewals must be a whole number, 1 or more",
    ),
    "Plan shares": (
        lambda g, x: rm.Plan(assigned_by="random", control="none", shares={"none": x, "mail": 1}),
        [nan, inf, "1", True, 0, -1, None, 10**400],
        "the planned share of none in shares must be a number above 0",
    ),
    "Plan all shares": (
        lambda g, x: rm.Plan(assigned_by="random", control="none", shares=x),
        ["x", 5, nan, {}, [1, 2]],
        "shares must give each arm its planned share, such as {'none': 1, 'mail': 2}",
    ),
    "Plan unit": (
        lambda g, x: rm.Plan(assigned_by="random", control="none", unit=x),
        [None, "", 3],
        "unit must be a text",
    ),
    "Outcome per": (lambda g, x: rm.Outcome(column="a", per=x), [nan, "", 3], "per must be a text"),
    "Outcome adjust_for": (
        lambda g, x: rm.Outcome(column="a", adjust_for=x),
        ["before", 3, None],
        "adjust_for must be a list of texts, such as ('spend_before',)",
    ),
    "non_inferiority bool": (
        lambda g, x: interventions.non_inferiority(g.effect, 0.1, higher_is_better=x),
        ["no", None, 1, nan],
        "higher_is_better must be True or False",
    ),
    "differences bool": (
        lambda g, x: rm.differences(g.test, VISIT, pairwise=x),
        ["no", None, 1],
        "pairwise must be True or False",
    ),
    "e_value scale": (
        lambda g, x: interventions.e_value(1.5, x),
        ["hazard", "Ratio", None],
        "scale must be one of 'difference', 'ratio', 'hazard ratio'",
    ),
    "fit robust": (lambda g, x: rm.fit(rm.BGNBD, g.few, robust=x), ["no", None, 1], "robust must be True or False"),
    "load_cdnow full": (lambda g, x: rm.datasets.load_cdnow(full=x), ["no", None], "full must be True or False"),
    "GammaGamma.simulate": (
        lambda g, x: rm.GammaGamma(6.0, 3.0, 15.0).simulate([x, 1], 1),
        [-1, nan, inf, 2.5],
        "frequency must be a whole number, 0 or more",
    ),
    "parameters": (
        lambda g, x: rm.BGNBD(x, 5.0, 1.0, 2.0),
        ["2", True, None, nan, inf, 0, -1, 10**400],
        "BGNBD: r must be positive and finite",
    ),
    "stages": (
        lambda g, x: rm.BGCNBD(1.0, 2.0, 1.0, 1.0, k=x),
        ["2", True, None, nan, inf, 0, 1.5],
        "BGCNBD: k must be a whole number, 1 or more",
    ),
    "too many stages": (
        lambda g, x: rm.BGCNBD(1.0, 2.0, 1.0, 1.0, k=x),
        [1_001, 10**6],
        "BGCNBD: k must be at most 1,000",
    ),
    "horizon of 400 digits": (
        lambda g, x: rm.predict(g.fit, g.few, x),
        [10**400],
        "horizon must be a number above 0",
    ),
    "draw too many": (lambda g, x: g.fit.draw(x), [10**7, 10**400], "n must be"),
    "concentration steps": (
        lambda g, x: evaluation.concentration([2, 1], steps=x),
        [10**7],
        "steps must be at most 1,000,000",
    ),
    "alive_history too many": (
        lambda g, x: evaluation.alive_history(g.fit, g.log, 1, steps=x),
        [10**7],
        "steps must be at most 1,000,000",
    ),
    "calibration too many": (
        lambda g, x: evaluation.calibration(g.fit, g.customers, bins=x),
        [10**7],
        "bins must be at most 1,000,000",
    ),
    "gain_table too many": (
        lambda g, x: evaluation.gain_table(g.fit, g.customers, groups=x),
        [10**7],
        "groups must be at most 1,000,000",
    ),
    "earlier_origins too many": (
        lambda g, x: evaluation.earlier_origins(g.log, horizon=26, count=x),
        [10**6],
        "count must be at most 10,000",
    ),
    "history_matrix too many": (
        lambda g, x: evaluation.history_matrix(g.fit, T=30, horizon=5, max_frequency=x),
        [10**7],
        "max_frequency must be at most 1,000,000",
    ),
    "history_matrix horizon": (
        lambda g, x: evaluation.history_matrix(g.fit, T=30, horizon=x),
        [1e308],
        "horizon must be a number above 0, from 1e-09 to 1e+09",
    ),
    "BGBB.simulate": (
        lambda g, x: rm.BGBB(1.0, 1.0, 1.0, 1.0).simulate([x], 1),
        [10**6, 10**9],
        "the largest T must be a number from 0 to 100000",
    ),
    "BGBB.log_likelihood": (
        lambda g, x: rm.BGBB(1.0, 1.0, 1.0, 1.0).log_likelihood(1, 2, x),
        [10**6, 10**9],
        "a history has at most 100,000 opportunities since the last one taken",
    ),
    "contracts simulate": (
        lambda g, x: rm.BetaDiscreteWeibull(0.01, 5.0, 0.1).simulate([x], 1),
        [10**9],
        "the largest T must be a number from 0 to 1e+07",
    ),
    "round_tenures": (
        lambda g, x: fitting.round_tenures({"all": CURVE}, count=x),
        [0, nan, "8"],
        "count must be a whole number, 1 or more",
    ),
    "with_intervals": (
        lambda g, x: rm.narrative.with_intervals(KEPT, level=x),
        [95, nan, "95"],
        "level must lie between 0 and 1",
    ),
    "p_value_text": (
        lambda g, x: rm.narrative.p_value_text(x),
        [-3, 5, "0.1", None, inf],
        "p_value must be a number from 0 to 1",
    ),
    "retail mean_amount": (lambda g, x: retail(mean_amount=x), [nan, 0, "40"], "mean_amount must be a number above 0"),
    "retail history_days": (
        lambda g, x: retail(history_days=x),
        [0, nan, 1.5],
        "history_days must be a whole number, 1 or more",
    ),
    "retail new_customers": (
        lambda g, x: retail(new_customers=x),
        [-1, 0.5, nan],
        "new_customers must be a whole number, 0 or more",
    ),
    "retail mailed_on": (lambda g, x: retail(mailed_on=x), ["soon", 3], "mailed_on must be a day such as"),
    "Rules remembered": (
        lambda g, x: rm.scenario.Rules(remembered=x),
        [-1, "3", 1.5, nan, True],
        "remembered must be a whole number, 0 or more",
    ),
    "Rules price_months": (
        lambda g, x: rm.scenario.Rules(price_months=x),
        ["20", 20, (-1,), (1.5,)],
        "price_months must be a list of months, whole numbers from 0 on",
    ),
    "outcomes horizon_days": (
        lambda g, x: purchase_outcomes(g, horizon_days=x),
        [nan, inf, 30.5, "30", None, True, 10**400],
        "horizon_days must be a whole number, 1 or more",
    ),
    "outcomes offer_days": (
        lambda g, x: purchase_outcomes(g, offer_days=x),
        [nan, -1, 0.5, "10"],
        "offer_days must be a whole number, 0 or more",
    ),
    "outcomes lookback_days": (
        lambda g, x: purchase_outcomes(g, lookback_days=x),
        [nan, 0, 0.5, "30"],
        "lookback_days must be a whole number, 1 or more",
    ),
    "outcomes observation_end": (
        lambda g, x: purchase_outcomes(g, observation_end=x),
        [0, nan, "", "soon"],
        "observation_end must be a day such as '1997-09-30'",
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_cannot_be_meant_is_refused(name, given):
    call, numbers, words = NUMBERS[name]
    for number in numbers:
        with pytest.raises(ValueError, match=re.escape(words)):
            call(given, number)


FITS = {  # call with something in place of a fit
    "bootstrap": lambda g, x: rm.bootstrap(x, g.customers),
    "wald": lambda g, x: fitting.wald(x),
    "likelihood_ratio": lambda g, x: fitting.likelihood_ratio(x, g.fit, g.customers),
    "likelihood_ratio richer": lambda g, x: fitting.likelihood_ratio(g.fit, x, g.customers),
    "compare": lambda g, x: rm.compare([g.fit, x], g.customers),
    "alive_history": lambda g, x: evaluation.alive_history(x, g.log, 1),
    "history_matrix": lambda g, x: evaluation.history_matrix(x, T=3, horizon=3),
    "holdout_scores": lambda g, x: evaluation.holdout_scores([x], g.customers),
    "predict": lambda g, x: rm.predict(x, g.customers, 39),
    "predict_new": lambda g, x: forecast.predict_new(x, g.customers, 39),
    "predict_total": lambda g, x: rm.predict_total(x, g.customers, 39),
    "forecast_retention": lambda g, x: rm.forecast_retention(x, BASE, renewals=2),
    "customer_value": lambda g, x: rm.customer_value(x, g.customers, WEEKLY),
    "total_value": lambda g, x: rm.total_value(x, g.customers, WEEKLY),
    "saved_value": lambda g, x: rm.saved_value(x, BASE, YEARLY),
    "spend_by_frequency": lambda g, x: value.spend_by_frequency(x, g.customers),
    "discounted_lifetime": lambda g, x: value.discounted_lifetime(x, YEARLY),
}


@pytest.mark.parametrize("name", FITS)
def test_what_is_no_fit_is_refused_by_type(name, given):
    for other in (None, rm.BGNBD, given.customers, 3, "fit"):
        with pytest.raises(TypeError, match=r"fit of a model|fit is needed|a fit, a model|must be the Fit|takes fits"):
            FITS[name](given, other)


def test_a_bootstrap_is_no_fit_for_a_likelihood_ratio_test(given):
    resampled = rm.bootstrap(given.fit, given.customers, replicates=2, rng=1)
    with pytest.raises(TypeError, match=r"a fit is needed, as fit\(...\) returns it; got a Bootstrap"):
        fitting.likelihood_ratio(resampled, given.fit, given.customers)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: interventions.interim_look(x, [0.5]), "effect must be of type Effect"),
        (lambda x: interventions.non_inferiority(x, 0.1), "effect must be of type Effect"),
        (lambda x: rm.differences(x, VISIT), "test must be of type Experiment"),
        (lambda x: interventions.retention_difference(x, horizon=3), "test must be of type ContractExperiment"),
        (
            lambda x: interventions.power(x, 0.1, 100),
            "outcome must be a Proportion, Mean, Ratio, Survival or Clustered",
        ),
        (rm.evidence_table, "evidence_table needs effects"),
    ],
)
@pytest.mark.parametrize("other", [None, 3, rm.BGNBD])
def test_things_of_another_kind_are_refused_by_type(call, words, other):
    with pytest.raises(TypeError, match=words):
        call(other)


def test_one_effect_is_a_table_of_one(given):
    assert str(rm.evidence_table(given.effect)) == str(rm.evidence_table([given.effect]))


def test_a_roll_out_without_any_difference_is_refused(given):
    names = {"cluster": "store", "period": "month", "switched": "switched"}
    with pytest.raises(ValueError, match="kept is 1 in every cluster and period"):
        interventions.stepped_wedge(
            given.wedge, rm.Outcome(column="kept"), **names, rng=np.random.default_rng(1), assigned_by="random"
        )


def test_options_that_nothing_would_use_are_refused(given):
    with pytest.raises(ValueError, match="calendar_by='x' is used only with calendar_covariates"):
        rm.fit(rm.ShiftedBetaGeometric, KEPT, calendar_by="x")
    with pytest.raises(ValueError, match="start belongs to a log with dates"):
        rm.logs.choose_settings(pd.DataFrame(), start="since", tenure="tenure")


@pytest.mark.parametrize("price", [-1, -0.5])
def test_a_price_below_0_is_one_of_an_outcome_of_which_less_is_better(given, price):
    assert rm.differences(given.test, VISIT, rm.Terms(price=price))[0].value == pytest.approx(price * 0.05)
    with pytest.raises(ValueError, match="price must be 0 or more"):
        rm.Terms(price=price, horizon=52, time_unit="W")


def test_no_level_means_no_intervals_in_any_table_of_values(given):
    tables = [
        rm.customer_value(given.fit, given.few, WEEKLY, spend=given.spend, level=None),
        rm.total_value(given.fit, given.few, WEEKLY, spend=given.spend, level=None),
        value.value_by_segment(given.fit, given.few, WEEKLY, ["all"] * 50, spend=given.spend, level=None),
        value.value_by_horizon(given.fit, given.few, WEEKLY, horizons=[10], spend=given.spend, level=None),
        rm.customer_value(given.contracts, BASE, YEARLY, level=None),
        rm.total_value(given.contracts, BASE, YEARLY, level=None),
        rm.saved_value(given.contracts, BASE, YEARLY, level=None),
    ]
    for table in tables:
        assert "value" in table
        assert not [name for name in table if name.endswith(("_lower", "_upper"))]


def test_the_power_for_a_huge_effect_is_one():
    """The distribution function of scipy has no value so far out."""
    assert interventions.power(AMOUNT, 1e12, 8000) == 1.0
    exact = interventions.power(AMOUNT, 3000.0, 6)
    assert 0.99 < exact <= 1.0


def test_a_curve_table_has_only_tenures_that_are_numbers():
    with pytest.raises(ValueError, match="finite and strictly increasing"):
        survival.curve_table({"all": CURVE}, at=[nan])
