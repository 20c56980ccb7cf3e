"""The answer on a roll-out: keep and extend, stop, keep measuring, or not decidable."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.narrative import roll_out_answer, roll_out_facts

TERMS = rm.Terms(price=2.0, currency="EUR")


def rolled(gain, units=24, treated=12, noise=1.0, trend=0.0, periods=16):
    rng = np.random.default_rng(1)
    rows = [
        (u, t, 100 + rng.normal(0, noise) + (gain * (t >= 8) + trend * t) * (u < treated))
        for u in range(units) for t in range(periods)
    ]  # fmt: skip
    panel = pd.DataFrame(rows, columns=["store", "period", "orders"])
    launches = dict.fromkeys(range(treated), 8)
    return rm.difference_in_differences(panel, launches, panel_unit="store", outcome="orders", assigned_by="rule")


@pytest.mark.parametrize(
    ("roll_out", "money", "headline"),
    [
        (rolled(10), {"reach": 40, "periods_a_year": 12, "time_unit": "M"}, "Keep and extend “club”: EUR "),
        (rolled(10), {}, "per unit and period."),
        (rolled(-10), {}, "Stop “club”: it loses money."),
        (rolled(0), {}, "Keep measuring “club”: a gain and a loss are both possible."),
        (rolled(10), {"running_cost": 19.0}, "“club”: it changes orders; whether it pays is undecided: EUR -"),
        (rolled(5, trend=2.0), {}, "Do not decide by this roll-out: “Parallel trends before launch” failed."),
        (
            rolled(9, units=12, treated=1),
            {},
            "Not decidable from this roll-out: too few units could have launched “club”.",
        ),
    ],
)
def test_the_headline_says_what_to_do(roll_out, money, headline):
    answer = roll_out_answer(roll_out, roll_out.effect(TERMS, intervention="club", **money), currency="EUR")
    assert headline in answer.headline
    assert len(answer.headline.split()) <= 25
    assert 3 <= len(answer.figures) <= 5
    assert len(answer.actions) <= 3


def test_without_money_the_outcome_decides():
    roll_out = rolled(10)
    answer = roll_out_answer(roll_out, roll_out.effect(intervention="club"))
    assert answer.headline == "It works: keep “club”."
    assert (
        roll_out_answer(rolled(-10), rolled(-10).effect(intervention="club")).headline
        == "Stop “club”: the outcome falls."
    )


@pytest.mark.parametrize(
    ("gain", "headline"), [(-0.1, "It works: keep “club”."), (0.1, "Stop “club”: the outcome rises.")]
)
def test_less_churn_is_better_and_counts_in_percentage_points(gain, headline):
    rng = np.random.default_rng(2)
    rows = [
        (u, t, 200, rng.binomial(200, 0.5 + gain * (t >= 8) * (u < 12))) for u in range(24) for t in range(16)
    ]  # fmt: skip
    panel = pd.DataFrame(rows, columns=["store", "period", "at_risk", "lost"])
    found = rm.difference_in_differences(
        panel, dict.fromkeys(range(12), 8), panel_unit="store", outcome="churn", assigned_by="rule"
    )
    answer = roll_out_answer(found, found.effect(intervention="club"))
    assert answer.headline == headline
    assert answer.figures[0].value.endswith(" pp")
    priced = roll_out_answer(found, found.effect(TERMS, intervention="club"), currency="EUR")
    assert priced.headline.startswith("Keep and extend" if gain < 0 else "Stop “club”: it loses money.")


def test_facts_say_which_units_and_periods():
    assert roll_out_facts(rolled(1), name="stores.csv") == {
        "data": "stores.csv", "period": "0 to 15", "units": "24", "treated": "12",
    }  # fmt: skip
