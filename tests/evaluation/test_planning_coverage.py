"""Planning ranges hold what they say, over ten kinds of simulated shop (see ``worlds``), known only at each origin."""

import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

import retention_models as rm

from .worlds import KINDS, shop

SHOPS = 10  # of each kind
DAYS_A_SHOP = 2  # from which it is forecast, in weeks 40 to 104
HORIZONS = (13, 26, 39)


def forecasts(kind, number):
    """Planning ranges of counts and of value from some days of a shop, and what came."""
    rng = np.random.default_rng([KINDS.index(kind), number])
    log = rm.read_transactions(shop(kind, rng))
    for week in rng.choice(np.arange(40, 105), DAYS_A_SHOP, replace=False):
        day = log.first_date + timedelta(7 * int(week))
        known = log.window(observation_end=day)
        customers = rm.summarize(known)
        fit, spend = rm.fit(rm.MBGNBD, customers), rm.fit(rm.GammaGamma, customers)
        for horizon in HORIZONS:
            past = rm.evaluation.past_errors(known, rm.MBGNBD, horizon=horizon)
            then = rm.summarize(log, calibration_end=day, observation_end=day + timedelta(7 * horizon))
            total = rm.predict_total(fit, customers, horizon, 0.8, past_errors=past)
            terms = rm.Terms(horizon=horizon, time_unit="W", annual_discount_rate=0.0, margin=1.0)
            value = rm.total_value(fit, customers, terms, spend=spend, level=0.8, past_errors=past)
            ends = total[["purchases_lower", "purchases_upper"]].iloc[0]
            yield {"of": "counts", **outcome(total.iloc[0], ends, then["holdout_frequency"].sum())}
            ends = value[["value_lower", "value_upper"]].iloc[0]
            yield {"of": "value", **outcome(value.iloc[0], ends, then["holdout_amount"].sum())}


def outcome(row, plain, actual):
    """Whether the planning ranges held, their width and interval score, and the score of the interval without them."""
    lower, upper = (np.log(row[f"planning_{end}_80"]) for end in ("lower", "upper"))
    return {
        **{f"held_{p}": row[f"planning_lower_{p}"] <= actual <= row[f"planning_upper_{p}"] for p in (80, 95)},
        "width": upper - lower,
        "score": score(lower, upper, actual),
        "plain_score": score(*np.log(plain), actual),
    }


def score(lower, upper, actual, level=0.8):
    """Interval score of the log of what came (Gneiting & Raftery 2007): the width, and 10 times what lies outside."""
    came = math.log(actual)
    return upper - lower + 2 / (1 - level) * (max(lower - came, 0) + max(came - upper, 0))


def by_kind():
    """Means of each kind, in counts and in value; kinds weigh alike."""
    rows = [{"kind": kind, **row} for kind in KINDS for number in range(SHOPS) for row in forecasts(kind, number)]
    return pd.DataFrame(rows).astype({"held_80": float, "held_95": float}).groupby(["of", "kind"], sort=False).mean()


@pytest.mark.slow
def test_planning_ranges_hold_what_they_say():
    table = by_kind()
    print(table.round(3).to_string())
    for of, most in (("counts", 0.88), ("value", 0.90)):
        kinds = table.loc[of]
        assert 0.78 <= kinds["held_80"].mean() <= most
        assert 0.93 <= kinds["held_95"].mean() <= 0.99
        assert (kinds["held_80"] >= 0.50).all()
        assert (kinds["held_95"] >= 0.88).all()
        assert kinds["score"].mean() < kinds["plain_score"].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_shop_of_each_kind_is_the_same_again_and_lasts(kind):
    log, again = (shop(kind, np.random.default_rng(3), customers=200) for _ in range(2))
    assert log.equals(again)
    assert log["customer_id"].nunique() == 200
    assert (log["amount"] > 0).all()
    assert (log["date"].max() - log["date"].min()).days > 7 * 130
