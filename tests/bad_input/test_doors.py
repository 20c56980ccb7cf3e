"""Calls that cannot be meant and fit no other table: each is refused at its door, by name, value and rule."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm

nan, inf = float("nan"), float("inf")
WINDOW = {"horizon_days": 30, "offer_days": 10, "lookback_days": 30}


@pytest.fixture(scope="module")
def given(log):
    ids = rm.datasets.load_cdnow()["customer_id"].unique()[:1000]
    who = pd.DataFrame({"customer_id": ids, "assigned": "1997-05-01", "arm": ["a", "b"] * 500})
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "bought": [0, 1, 1, 0, 1, 1, 0, 0] * 50}).assign(
        spend=np.arange(400.0), orders=np.arange(400) % 7
    )
    test = rm.Experiment.from_rows(rows, rm.Plan(control="none"), arm="arm", outcomes=["bought", "spend", "orders"])
    return SimpleNamespace(log=log, who=who, rows=rows, test=test)


def outcomes(g, assigned="1997-05-01", **options):
    return rm.purchase_outcomes(g.log, g.who.assign(assigned=assigned), **WINDOW | options)


def differences(g, column, unit="", **terms):
    return rm.differences(g.test, rm.Outcome(column=column, unit=unit), rm.Terms(**terms))


def from_rows(g, plan=None, **names):
    plan = rm.Plan(control="none") if plan is None else plan
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
        "margin is the share of an amount that is earned, and the outcome is no amount (share of customers)",
    ),
    "margin of what is yes or no": (
        lambda g: differences(g, "bought", margin=0.4),
        "state what one unit of it earns, such as Terms(price=12)",
    ),
    "margin in a breakdown": (
        lambda g: rm.interventions.cost_breakdown(g.test, rm.Outcome(column="bought"), rm.Terms(margin=0.4)),
        "the outcome is no amount (bought per customer)",
    ),
    "currency": (
        lambda g: differences(g, "spend", "USD per customer", margin=0.4, currency="EUR"),
        "currency is 'EUR', but the outcome is in USD (USD per customer): state both in one currency",
    ),
    "a column by itself": (
        lambda g: rm.Outcome(column="spend", per="spend"),
        "per must be another column than 'spend': a column by itself is 1 for everybody",
    ),
    "cluster that is no name": (lambda g: from_rows(g, cluster=[]), "cluster must be a text; got []"),
    "arm that is no name": (lambda g: from_rows(g, arm=None), "arm must be a text; got None"),
    "outcomes as one text": (lambda g: from_rows(g, outcomes="bought"), "outcomes must be a list of texts"),
    "outcomes twice": (
        lambda g: from_rows(g, outcomes=["bought", "bought"]),
        "outcomes must name each only once; 'bought' stands more than once",
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
