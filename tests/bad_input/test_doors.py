"""Calls that cannot be meant, which fit no other table: each is refused at its door, by name, value, rule and remedy."""

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
    return SimpleNamespace(log=log, who=who)


def outcomes(g, assigned="1997-05-01", **options):
    return rm.purchase_outcomes(g.log, g.who.assign(assigned=assigned), **WINDOW | options)


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
