import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.logs.transactions.settings import ENOUGH, purchase_settings


def log(customers: int, gap: float, days: int, *, spread: float = 0.5, start: str = "2024-01-01") -> pd.DataFrame:
    """Customers acquired over the first part of a log, who buy at random ``gap`` days on average."""
    rng = np.random.default_rng(3)
    first = rng.uniform(0, days * spread, customers)
    moments = first[:, None] + np.c_[np.zeros(customers), rng.exponential(gap, (customers, 60)).cumsum(axis=1)]
    customer = np.broadcast_to(np.arange(customers)[:, None], moments.shape)
    seen = moments < days
    date = pd.Timestamp(start) + pd.to_timedelta(moments[seen].astype(int), unit="D")
    return pd.DataFrame({"customer_id": customer[seen], "date": date, "amount": 1.0})


def test_everything_is_chosen_from_the_log() -> None:
    plan = purchase_settings(rm.datasets.load_cdnow())
    assert (plan.time_unit, plan.horizon) == ("W", 26)
    assert (plan.calibration_end, plan.observation_end) == (dt.date(1997, 12, 30), dt.date(1998, 6, 30))
    assert plan.acquired_after is None, "a cohort has no old customers"
    assert plan.has_holdout


def test_what_is_given_stays_and_is_said_to_be_asked_for() -> None:
    plan = purchase_settings(
        rm.datasets.load_cdnow(),
        calibration_end="1997-09-30",
        observation_end="1998-03-31",
        time_unit="D",
        horizon=30.5,
    )
    assert (plan.calibration_end, plan.observation_end) == (dt.date(1997, 9, 30), dt.date(1998, 3, 31))
    assert (plan.time_unit, plan.horizon) == ("D", 30.5)
    assert all("as asked" in reason for reason in plan.reasons.values())


@pytest.mark.parametrize(("gap", "days", "unit"), [(2, 120, "D"), (20, 400, "W"), (365, 1800, "W")])
def test_the_rhythm_gives_the_unit(gap: float, days: int, unit: str) -> None:
    plan = purchase_settings(log(1_000, gap, days))
    assert plan.time_unit == unit
    holdout = (plan.observation_end - plan.calibration_end).days
    assert plan.horizon == holdout / {"D": 1, "W": 7}[unit]
    assert holdout % 7 == 0
    assert days / 3 - 8 < holdout <= days / 3


def test_the_plan_fits_summarize() -> None:
    transactions = log(300, 10, 200)
    plan = purchase_settings(transactions)
    dates = {name: getattr(plan, name) for name in ("calibration_end", "observation_end", "acquired_after")}
    customers = rm.summarize(transactions, **dates, time_unit=plan.time_unit)
    assert customers["holdout_duration"].eq(plan.horizon).all()
    assert f"{customers['frequency'].sum():,} repeat purchases" in plan.reasons["calibration_end"]


def test_a_holdout_leaves_enough_to_learn_from() -> None:
    transactions = log(80, 60, 180, spread=0.9)
    plan = purchase_settings(transactions)
    days = (plan.observation_end - plan.calibration_end).days
    assert 0 < days < 180 // 3 // 7 * 7
    learnt = rm.summarize(transactions, calibration_end=plan.calibration_end)["frequency"].sum()
    earlier = rm.summarize(transactions, calibration_end=plan.calibration_end - dt.timedelta(days=7))["frequency"].sum()
    assert earlier < ENOUGH <= learnt
    assert "because more would leave too few to learn from" in plan.reasons["calibration_end"]


@pytest.mark.parametrize("transactions", [log(5_000, 3, 15), log(40, 300, 400)], ids=["short", "few"])
def test_a_log_too_short_for_a_holdout_says_so(transactions: pd.DataFrame) -> None:
    plan = purchase_settings(transactions)
    assert not plan.has_holdout
    assert plan.calibration_end is None
    assert plan.horizon >= 1
    assert plan.reasons["calibration_end"].startswith("Nothing is kept back to judge the forecast by: the log covers")
    assert "a third of the length of the log" in plan.reasons["horizon"]


def test_a_cut_at_the_end_is_no_holdout() -> None:
    plan = purchase_settings(rm.datasets.load_cdnow(), calibration_end="1998-06-30")
    assert not plan.has_holdout
    assert plan.reasons["calibration_end"] == "Nothing is kept back to judge the forecast by, as asked."


def test_a_horizon_shorter_than_the_rhythm_is_said_to_be() -> None:
    reason = purchase_settings(rm.datasets.load_cdnow(), horizon=2).reasons["horizon"]
    assert reason.endswith("Half of the gaps between purchases are longer than that: many who come back do so later.")


def test_a_log_from_the_middle_of_lives_gets_a_day_from_which_customers_are_new() -> None:
    shop = rm.ParetoNBD(r=2.0, alpha=8.0, s=1.5, beta=60.0)
    everybody = shop.simulate_transactions(
        np.linspace(1, 156, 4_000), np.random.default_rng(5), start="2021-01-04", time_unit="W"
    )
    cut = everybody[everybody["date"] >= "2023-01-04"].assign(amount=1.0)
    plan = purchase_settings(cut)
    assert plan.acquired_after is None, "it is suggested, not done"
    suggested = plan.reasons["acquired_after"].split("acquired_after='")[1][:10]
    asked = purchase_settings(cut, acquired_after=suggested)
    assert asked.acquired_after == dt.date.fromisoformat(suggested)
    assert "acquired_after" not in asked.reasons
    assert "acquired_after" not in purchase_settings(everybody.assign(amount=1.0)).reasons


def test_purchases_far_from_all_others_are_taken_for_misdated() -> None:
    transactions = log(300, 10, 200)
    for stray, cure in (("1970-01-01", "acquired_after='2024-01-01'"), ("2106-02-07", "observation_end='2024-07-18'")):
        wrong = transactions.copy()
        wrong.loc[5, "date"] = pd.Timestamp(stray)
        with pytest.raises(ValueError, match=rf"column 'date' has 1 purchase (up to|from) {stray}.*{cure}"):
            purchase_settings(wrong)
        name, day = cure.split("=")
        assert purchase_settings(wrong, **{name: day.strip("'")}).has_holdout


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        *(
            ({"horizon": asked}, "horizon must be a number of weeks from a day to a century")
            for asked in (0, 0.1, 6_000, 1e300, float("inf"), "abc")
        ),
        ({"time_unit": "month"}, "time_unit must be one of"),
        ({"calibration_end": "1999-01-01"}, "calibration_end 1999-01-01 lies after the last purchase"),
        ({"observation_end": "soon"}, "observation_end must be a day"),
    ],
)
def test_contradictions_are_refused(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        purchase_settings(rm.datasets.load_cdnow(), **keywords)


def test_without_repeat_purchases_there_is_no_forecast_and_all_else_is_chosen() -> None:
    once = pd.DataFrame({"customer_id": range(50), "date": pd.date_range("2024-01-01", periods=50), "amount": 1.0})
    settings = purchase_settings(once)
    assert not settings.has_forecast
    assert not settings.has_holdout
    assert settings.reasons["horizon"] == "There is no forecast: it takes 10 repeat purchases, and the log has 0."
    assert settings.time_unit == "W"
    few = pd.concat([once, once.head(9).assign(date=pd.Timestamp("2024-02-19"))])
    assert not purchase_settings(few).has_forecast
    assert purchase_settings(pd.concat([few, once.iloc[[20]].assign(date="2024-02-19")])).has_forecast


def test_every_engine_gives_the_same_plan(tmp_path) -> None:
    transactions = log(300, 10, 200)
    transactions.to_csv(tmp_path / "log.csv", index=False)
    expected = purchase_settings(transactions)
    frames = (pl.from_pandas(transactions), pl.from_pandas(transactions).lazy(), duckdb.from_df(transactions))
    for source in (*frames, tmp_path / "log.csv"):
        assert purchase_settings(source) == expected


def test_a_plan_shows_its_reasons() -> None:
    plan = purchase_settings(rm.datasets.load_cdnow(), time_unit="30D")
    assert str(plan).splitlines() == list(plan.reasons.values())
    assert "Time is measured in units of 30D" in str(plan)
    assert "looks 6 times 30D ahead" in str(plan)
    assert plan._repr_html_().count("<li>") == len(plan.reasons)


def test_purchases_after_a_silence_many_times_as_long_as_all_the_rest_are_misdated_however_many() -> None:
    wrong = log(300, 30, 200)
    many = len(wrong) // 20
    wrong.loc[wrong.index[:many], "date"] = pd.Timestamp("2099-12-31")
    with pytest.raises(ValueError, match="purchases from 2099-12-31 on, long after the others"):
        purchase_settings(wrong)
    seasons = pd.concat([log(100, 10, 60), log(100, 10, 60, start="2026-01-01")])
    assert purchase_settings(seasons).observation_end.year == 2026
