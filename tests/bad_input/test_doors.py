"""Calls that cannot be meant and fit no other table: each is refused at its door, by name, value and rule."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import retention_models as rm
from retention_models import evaluation, fitting, value
from retention_models.report.parameters import parse_settings, set_parameters

nan, inf = float("nan"), float("inf")
YEARLY = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y")
WEEKLY = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.15, margin=0.3)
KEPT = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
WINDOW = {"horizon_days": 30, "offer_days": 10, "lookback_days": 30}


@pytest.fixture(scope="module")
def given(log, customers, fits):
    ids = rm.datasets.load_cdnow()["customer_id"].unique()[:1000]
    who = pd.DataFrame({"customer_id": ids, "assigned": "1997-05-01", "arm": ["a", "b"] * 500})
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "bought": [0, 1, 1, 0, 1, 1, 0, 0] * 50}).assign(
        spend=np.arange(400.0), orders=np.arange(400) % 7
    )
    test = rm.Experiment.from_rows(
        rows, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["bought", "spend", "orders"]
    )
    contracts = pd.DataFrame({"customer_id": range(6), "start": "2023-01-15", "end": ["2023-03-01", None] * 3})
    return SimpleNamespace(
        log=log,
        who=who,
        rows=rows,
        test=test,
        customers=customers,
        fit=fits["BG/NBD"],
        spend=rm.fit(rm.GammaGamma, customers),
        contracts=contracts.assign(plan=["a", "b"] * 3),
    )


def outcomes(g, assigned="1997-05-01", **options):
    return rm.purchase_outcomes(g.log, g.who.assign(assigned=assigned), **WINDOW | options)


def differences(g, column, unit="", **terms):
    return rm.differences(g.test, rm.Outcome(column=column, unit=unit), rm.Terms(**terms))


def contracts(g, **options):
    days = {"sampling": "acquisition", "observation_end": "2023-06-30"}
    return rm.read_contracts(g.contracts, **days | {"covariates": ["plan"]} | options)


def tenures(**options):
    table = pd.DataFrame({"tenure": [1, 2, 3, 4], "churned": [1, 0, 0, 1]})
    return rm.logs.retention_table_from_tenures(table, sampling="acquisition", **options)


def from_rows(g, plan=None, **names):
    plan = rm.Plan(assigned_by="random", control="none") if plan is None else plan
    return rm.Experiment.from_rows(g.rows, plan, **{"arm": "arm", "outcomes": ["bought"]} | names)


DOORS = {  # call, words of the error
    "outcomes long before the log": (
        lambda g: outcomes(g, "1950-01-01"),
        "1,000 of 1,000 assignments are before the log, which begins about 1996-12-30",
    ),
    "outcomes just before the log": (
        lambda g: outcomes(g, "1996-12-20"),
        "correct the days, leave these customers out, or read an earlier log",
    ),
    "outcomes with lookbacks of two lengths": (
        lambda g: outcomes(g, ["1997-01-15", "1997-05-01"] * 500),
        "500 of 1,000 assignments look back to days before the log, which begins about 1996-12-30, and so less far "
        "than others: lookback_days must be at most 16",
    ),
    "outcomes of nobody": (
        lambda g: rm.purchase_outcomes(g.log, g.who.head(0), **WINDOW),
        "the table of assignments has no rows: nobody was assigned",
    ),
    "margin of a share by its unit": (
        lambda g: differences(g, "orders", "share of customers", margin=0.4),
        "margin is the share of an amount that is earned, but the outcome is not an amount (share of customers)",
    ),
    "margin of what is yes or no": (
        lambda g: differences(g, "bought", margin=0.4),
        "state what one unit of it earns, such as Terms(price=12)",
    ),
    "margin in a breakdown": (
        lambda g: rm.interventions.cost_breakdown(g.test, rm.Outcome(column="bought"), rm.Terms(margin=0.4)),
        "the outcome is not an amount (bought per customer)",
    ),
    "currency": (
        lambda g: differences(g, "spend", "USD per customer", margin=0.4, currency="EUR"),
        "currency is 'EUR', but the outcome is in USD (USD per customer): state both in one currency",
    ),
    "a column by itself": (
        lambda g: rm.Outcome(column="spend", per="spend"),
        "per must be another column than 'spend': a column divided by itself is 1 for all customers",
    ),
    "cluster that is no name": (lambda g: from_rows(g, cluster=[]), "cluster must be a text; got []"),
    "arm that is no name": (lambda g: from_rows(g, arm=None), "arm must be a text; got None"),
    "outcomes as one text": (lambda g: from_rows(g, outcomes="bought"), "outcomes must be a list of texts"),
    "arm of a campaign": (
        lambda g: rm.interventions.read_campaign(g.rows, arm=None, assigned_by="random"),
        "arm must be a text; got None",
    ),
    "cluster of a campaign": (
        lambda g: rm.interventions.read_campaign(g.rows, arm="arm", cluster=[], assigned_by="random"),
        "cluster must be a text; got []",
    ),
    "cause that is no name": (lambda g: contracts(g, cause=[]), "cause must be a text; got []"),
    "covariate that is no name": (lambda g: contracts(g, covariates=[0]), "each of covariates must be a text; got 0"),
    "time zone that is no name": (
        lambda g: contracts(g, time_zone=5),
        "time_zone must be the name of a time zone, such as 'Europe/Berlin'; got 5",
    ),
    "groups twice": (
        lambda g: rm.retention_table(contracts(g), period="M", by=["plan", "plan"]),
        "by must name each item only once; 'plan' appears more than once",
    ),
    "tenure that is no name": (lambda g: tenures(tenure=None), "tenure must be a text; got None"),
    "churned that is no name": (lambda g: tenures(churned=None), "churned must be a text; got None"),
    "tenures of nobody": (
        lambda g: rm.logs.retention_table_from_tenures(
            pd.DataFrame({"tenure": [], "churned": []}, dtype=float), sampling="acquisition"
        ),
        "no row of the table can be used: it has none",
    ),
    "cohorts without first purchases": (
        lambda g: rm.logs.cohort_labels(pd.DataFrame({"a": [1]})),
        "the table of customers has no column first_purchase; pass the result of summarize(...)",
    ),
    "compress by nothing": (lambda g: rm.logs.compress(g.customers, columns=[]), "columns is empty"),
    "timing of another model": (
        lambda g: evaluation.timing_check(g.log, g.customers, cnbd=g.fit),
        "cnbd must be a fit of MBGCNBD or BGCNBD, not of BGNBD",
    ),
    "history of a model of opportunities": (
        lambda g: evaluation.alive_history(rm.fit(rm.BGBB, rm.logs.opportunities(g.log, period="M")), g.log, 1),
        "BGBB counts opportunities, and alive_history follows the days of a log",
    ),
    "a grid of too many points": (
        lambda g: evaluation.history_matrix(g.fit, T=30, horizon=5, max_frequency=10**5),
        "max_frequency times steps must be at most 1,000,000; got 6000000",
    ),
    "a moment of purchases": (
        lambda g: rm.customer_value(g.fit, g.customers, WEEKLY, spend=g.spend, moment="nonsense"),
        "moment must be one of 'before_renewal', 'after_payment', not 'nonsense'",
    ),
    "a moment of all purchases": (
        lambda g: rm.total_value(g.fit, g.customers, WEEKLY, spend=g.spend, moment="nonsense"),
        "moment must be one of",
    ),
    "spend of no customers": (lambda g: value.fit_spend(pd.DataFrame({"a": [1]})), "frequency not in the table"),
    "payments of nobody": (
        lambda g: value.discounted_residual_lifetime(rm.ShiftedBetaGeometric(1.0, 1.0), [], YEARLY),
        "payments is empty",
    ),
    "cohorts by a column that is not there": (
        lambda g: fitting.cohort_check(rm.ShiftedBetaGeometric, KEPT, renewals=1, by="plann"),
        "by='plann' is not a column of the table; it has tenure, at_risk, lost",
    ),
    "a folder for a fit": (lambda g: rm.Fit.from_json("/tmp"), "'/tmp' is a folder; pass the JSON text, or the path"),
    "nothing for a fit": (lambda g: rm.Fit.from_json(""), "this is no fit written by to_json: the text is empty"),
    "outcomes twice": (
        lambda g: from_rows(g, outcomes=["bought", "bought"]),
        "outcomes must name each item only once; 'bought' appears more than once",
    ),
}


@pytest.mark.parametrize("name", DOORS)
def test_a_call_that_cannot_be_meant_is_refused(name, given):
    call, words = DOORS[name]
    with pytest.raises(ValueError, match=re.escape(words)):
        call(given)


def test_a_lookback_that_is_cut_for_everybody_alike_stays(given):
    found = outcomes(given, "1997-01-10").df()
    assert len(found) == 1000
    assert np.isfinite(found["purchases_before"]).all()


OTHER_KINDS = {  # call, words of the error
    "a name for a plan": (lambda g: from_rows(g, "none"), "plan must be of type Plan, not str"),
    "contracts that were not read": (
        lambda g: rm.retention_table(g.contracts, period="M"),
        "contracts must be those that read_contracts(...) returns, or a snapshot; got DataFrame",
    ),
    "active contracts that were not read": (
        lambda g: rm.logs.active_customers(g.contracts, period="M"),
        "pass the result of read_contracts(...)",
    ),
    "a log-rank test of causes": (
        lambda g: rm.survival.log_rank(dict.fromkeys("ab", rm.survival.aalen_johansen([1, 2, 3], ["x", "", "x"]))),
        "compares curves of kaplan_meier or survival_curves; 'a' is of type CauseCurves",
    ),
    "the path of a table for the table": (lambda g: value.fit_spend("orders.csv"), "customers must be a dataframe"),
    "rules that are none": (
        lambda g: rm.scenario.subscriptions(1, rules={}),
        "rules must be of type Rules, not dict",
    ),
    "an outcome by its name": (lambda g: rm.differences(g.test, "bought"), "outcome must be of type Outcome, not str"),
    "a programme by its name": (
        lambda g: rm.interventions.programme_effect(g.test, "bought"),
        "outcome must be of type Outcome, not str",
    ),
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_a_thing_of_another_kind_is_refused_by_type(name, given):
    call, words = OTHER_KINDS[name]
    with pytest.raises(TypeError, match=re.escape(words)):
        call(given)


def test_an_amount_keeps_its_value_in_its_own_currency(given):
    effect = differences(given, "spend", "EUR per customer", margin=0.4, currency="EUR")[0]
    assert effect.value == pytest.approx(0.4 * effect.estimate)


def test_a_setting_that_is_nested_too_deeply_is_a_text():
    assert parse_settings([f"margin={'-' * 100_000}1"])["margin"].endswith("-1")
    assert parse_settings([f"margin={'(' * 100_000}"])["margin"].startswith("(")


def test_infinity_within_a_setting_is_written_as_code():
    held = {"a": [1e999, (-1e999,)], "b": {"c": 1e999}, "d": {1e999}, "e": ((), [], {}), "f": (1, "inf")}
    notebook = new_notebook(cells=[new_code_cell("\n".join(f"{name} = 0" for name in held))])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    set_parameters(notebook, held)
    found = {}
    exec(notebook.cells[0].source, found)
    assert {name: found[name] for name in held} == held


def test_an_output_that_cannot_be_written_is_named_as_it_was_asked_for(given, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        given.fit.to_json(tmp_path / "no folder" / "fit.json")
    assert caught.value.filename == str(tmp_path / "no folder" / "fit.json")


@pytest.mark.parametrize(("a", "b"), [(1e100, 2.0), (1e300, 2.0), (2.0, 1e300)])
def test_extreme_chances_of_leaving_have_their_limit(a, b):
    """a to infinity: every customer leaves after the first repeat purchase; b to infinity: nobody does."""
    r, alpha, ahead = 0.2, 5.0, 5.0
    limit = r * ahead / alpha if b > a else 1 - (alpha / (alpha + ahead)) ** r
    assert rm.BGNBD(r, alpha, a, b).expected_purchases_new(ahead) == pytest.approx(limit)
