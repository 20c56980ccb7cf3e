"""What is read off a contract log that nobody has described, and what is asked."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from retention_models.logs.contracts.last_day import choose_observation_end
from retention_models.logs.contracts.settings import contract_settings
from retention_models.narrative.overviews import contract_overview
from retention_models.tables.days import period_name

DAY = "D"


def monthly(n=1500, *, seed=1, first="2021-01-01", span=900, last="2023-12-31"):
    """Contracts of whole months, followed from their starts until a day; open ones have no end."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, span, n), DAY)
    life = np.minimum(rng.geometric(rng.beta(1, 9, n)), 600)
    end = pd.Series([day + pd.DateOffset(months=int(m)) for day, m in zip(start, life, strict=True)])
    return pd.DataFrame({"customer_id": np.arange(n), "start": start, "end": end.where(end <= last)})


@pytest.fixture(scope="module")
def log():
    return monthly()


@pytest.fixture(scope="module")
def old_base():
    """Contracts begun over four years, with starts long before the first end that a log may hold."""
    return monthly(4000, first="2019-01-01", span=1700)


def test_a_log_followed_from_the_start_needs_no_word_of_its_design(log):
    plan = contract_settings(log)
    assert plan.spells.sampling == "acquisition"
    assert "Nobody said otherwise" in plan.reasons["sampling"]
    assert (plan.period, plan.renewals) == ("M", 8)
    assert plan.spells.observation_end == log[["start", "end"]].max().max().date()


def test_a_log_of_those_running_on_a_day_is_asked_about(old_base):
    kept = old_base[~(old_base["end"] <= "2023-01-01")]
    with pytest.raises(ValueError, match=r"how did contracts come into this log.*active_on.*window.*acquisition"):
        contract_settings(kept)
    plan = contract_settings(kept, sampling="active_on", observation_start="2023-01-01")
    assert plan.spells.sampling == "active_on"
    assert "as said" in plan.reasons["sampling"]


def test_what_a_design_needs_is_called_as_it_is_asked_for(old_base):
    with pytest.raises(ValueError, match="sampling 'window' needs observation_start, the first day"):
        contract_settings(old_base, sampling="window")


def test_a_snapshot_of_the_last_month_is_asked_about_and_counted_in_months_when_said(old_base):
    kept = old_base[~(old_base["end"] <= "2023-11-30")]
    with pytest.raises(ValueError, match="how did contracts come into this log"):
        contract_settings(kept)
    days = {"observation_start": "2023-11-30", "observation_end": "2023-12-31"}
    plan = contract_settings(kept, sampling="window", **days)
    assert (plan.period, plan.renewals, plan.origins) == ("M", 1, ())


def test_what_is_said_is_kept(log):
    plan = contract_settings(log, sampling="acquisition", observation_end="2023-06-30", period=30, renewals=5)
    assert (plan.period, plan.renewals) == (30, 5)
    assert plan.spells.observation_end == dt.date(2023, 6, 30)
    assert all("as asked" in plan.reasons[name] for name in ("observation_end", "period", "renewals"))


def test_earlier_days_leave_room_for_the_forecast(log):
    plan = contract_settings(log)
    assert 1 <= len(plan.origins) <= 4
    last = pd.Timestamp(plan.origins[-1]) + pd.DateOffset(months=plan.renewals)
    assert last <= pd.Timestamp(plan.spells.observation_end)
    assert list(plan.origins) == sorted(plan.origins)


def test_yearly_contracts_are_seen_to_be_so():
    rng = np.random.default_rng(2)
    start = pd.Timestamp("2014-01-01") + pd.to_timedelta(rng.integers(0, 2900, 800), DAY)
    end = pd.Series([s + pd.DateOffset(years=int(k)) for s, k in zip(start, rng.geometric(0.2, 800), strict=True)])
    log = pd.DataFrame({"customer_id": range(800), "start": start, "end": end.where(end <= "2023-12-31")})
    plan = contract_settings(log)
    assert plan.period == "Y"
    assert "near an anniversary" in plan.reasons["period"]


def test_a_month_of_days_is_counted_in_weeks():
    rng = np.random.default_rng(3)
    start = pd.Timestamp("2024-05-01") + pd.to_timedelta(rng.integers(0, 31, 900), DAY)
    end = pd.Series(start + pd.to_timedelta(rng.geometric(0.1, 900), DAY))
    log = pd.DataFrame({"customer_id": range(900), "start": start, "end": end.where(end <= "2024-05-31")})
    assert contract_settings(log).period == 7
    early = log[log["start"] < "2024-05-10"].assign(end=end.where(end <= "2024-05-10"))
    with pytest.raises(ValueError, match=r"only .* days are observed"):
        contract_settings(early)


def test_a_far_day_that_stands_for_open_is_no_last_day(log):
    told = contract_settings(log.assign(end=log["end"].mask(log["end"].isna() & (log.index % 2 == 0), "2099-12-31")))
    assert told.spells.observation_end == contract_settings(log).spells.observation_end
    assert "long after it (up to 2099-12-31)" in told.reasons["observation_end"]


def test_ends_that_may_be_plans_are_asked_about(log):
    planned = log.assign(end=log["end"].fillna(pd.Timestamp("2024-11-30")))
    plan = contract_settings(planned)
    assert plan.spells.observation_end == log["start"].max().date()
    assert "may be a plan" in plan.reasons["observation_end"]
    all_late = log.assign(end=log["start"] + pd.Timedelta(1200, DAY))
    with pytest.raises(ValueError, match=r"every contract has an end.*observation_end"):
        contract_settings(all_late)


def test_notices_given_before_the_extract_do_not_make_it_later(log):
    extract = pd.Timestamp("2023-06-19")
    assert extract == log["start"].max()
    rng = np.random.default_rng(4)
    ahead = (log["end"] > extract) & (log["end"] <= "2023-08-19")
    told = ahead & (rng.random(len(log)) < 0.3)
    plan = contract_settings(log.assign(end=log["end"].where((log["end"] <= extract) | told)))
    assert plan.spells.observation_end == extract.date()
    assert f"{told.sum()} contracts end later, up to 2023-08-" in plan.reasons["observation_end"]
    assert "These may be notices given: they count as still running" in plan.reasons["observation_end"]


def from_the_first(*, yearly=False, ends="last", ahead=0, told=0.5, drawn="2024-06-10", per_month=70, stop=None):
    """Contracts that start on the 1st of a month, as known on a day, with ``told`` of the ends of ``ahead`` months."""
    rng, months = np.random.default_rng(6), pd.period_range("2018-01", stop or drawn[:7], freq="M")
    first = pd.PeriodIndex(np.repeat(months.to_numpy(), per_month), freq="M")
    life = rng.geometric(rng.beta(1, 9, len(first))).clip(max=200)
    end = (first + life * (12 if yearly else 1)).to_timestamp() - pd.Timedelta(int(ends == "last"), DAY)
    late = end > drawn
    known = ~late | ((end <= pd.Timestamp(drawn) + pd.DateOffset(months=ahead)) & (rng.random(len(first)) < told))
    log = pd.DataFrame({"customer_id": range(len(first)), "start": first.to_timestamp(), "end": end.where(known)})
    return log, int((late & known).sum())


def end_of(log):
    """The last day that is chosen, and why."""
    days = (log[name].dropna().map(pd.Timestamp.toordinal).value_counts().sort_index() for name in ("start", "end"))
    return choose_observation_end(None, *days, running=int(log["end"].isna().sum()))


@pytest.mark.parametrize("yearly", [False, True])
@pytest.mark.parametrize("ends", ["first", "last"])
@pytest.mark.parametrize("drawn", ["2024-06-10", "2024-06-28"])
@pytest.mark.parametrize(("ahead", "told"), [(1, 0.2), (2, 0.3), (4, 0.3)])
def test_notices_are_found_where_all_contracts_start_on_the_first(yearly, ends, drawn, ahead, told):
    log, notices = from_the_first(yearly=yearly, ends=ends, drawn=drawn, ahead=ahead, told=told)
    until, reason = end_of(log)
    assert until == dt.date(2024, 6, 1)
    assert f"{notices} contracts end later, up to {log['end'].max().date()}." in reason
    assert "may be notices given: they count as still running" in reason


@pytest.mark.parametrize("yearly", [False, True])
@pytest.mark.parametrize("ends", ["first", "last"])
@pytest.mark.parametrize("drawn", ["2024-06-10", "2024-06-01", "2024-05-31", "2024-06-30"])
def test_no_notices_are_found_where_none_were_given(yearly, ends, drawn):
    log, _ = from_the_first(yearly=yearly, ends=ends, drawn=drawn)
    assert end_of(log)[0] == log[["start", "end"]].max().max().date()


@pytest.mark.parametrize(("stop", "ahead"), [("2024-02", 0), (None, 4)])
def test_ends_as_many_as_usual_without_a_start_are_asked_about(stop, ahead):
    """A business that stopped selling looks like one whose customers all have to give notice months before."""
    log, _ = from_the_first(stop=stop, ahead=ahead, told=1)
    last = log["end"].max().date()
    with pytest.raises(ValueError, match=f"If they ended, say observation_end='{last}'. If these are notices, say"):
        end_of(log)
    assert contract_settings(log, observation_end=last).spells.observation_end == last


def test_few_contracts_without_a_start_for_a_month_are_told():
    log, _ = from_the_first(per_month=1, ahead=3, told=1)
    until, reason = end_of(log)
    assert until > dt.date(2024, 6, 10)
    assert "No contract started after 2024-06-01: if later ends are notices given, and no facts, say" in reason


def test_a_business_that_stopped_selling_is_followed_on_and_told(log):
    plan = contract_settings(log)
    assert plan.spells.observation_end == log["end"].max().date()
    assert "No contract started after 2023-06-19: if later ends are notices" in plan.reasons["observation_end"]


def test_contracts_that_start_long_after_the_last_end_are_told_as_bookings(log):
    known = log[log["start"] <= "2023-03-01"]
    known = known.assign(end=known["end"].where(known["end"] <= "2023-03-01"))
    booked = log[(log["start"] > "2023-03-01") & (log["start"] <= "2023-05-15")].iloc[::4].assign(end=None)
    reason = contract_settings(pd.concat([known, booked])).reasons["observation_end"]
    assert "No contract ended after 2023-02-28, though some started: if these are bookings made ahead" in reason
    assert "bookings" not in contract_settings(known).reasons["observation_end"]


@pytest.mark.slow
def test_contracts_that_end_on_any_day_are_told(log):
    assert contract_settings(log).reasons["period"] == "Time is counted in months."
    rng = np.random.default_rng(5)
    end = log["start"] + pd.to_timedelta(rng.integers(1, 900, len(log)), DAY)
    any_day = log.assign(end=end.where(end <= "2023-12-31"))
    reason = contract_settings(any_day).reasons["period"]
    assert "% of the contracts ended near a renewal: they can end on other days" in reason
    assert "a later day than their start" not in reason
    assert contract_settings(any_day, period=7).reasons["period"] == "Time is counted in weeks, as asked."
    running = any_day[~(any_day["end"] <= "2022-12-31")]
    late = contract_settings(running, sampling="active_on", observation_start="2022-12-31")
    assert "from a later day than their start count from their first whole month in view on" in late.reasons["period"]


def test_a_month_of_contracts_that_end_on_any_day_is_counted_in_weeks(log):
    end = log["start"] + pd.to_timedelta(np.random.default_rng(5).integers(1, 900, len(log)), DAY)
    lately = log.assign(end=end.where(end <= "2023-12-31"))[~(end <= "2023-11-30")]
    days = {"observation_start": "2023-11-30", "observation_end": "2023-12-31"}
    assert contract_settings(lately, sampling="window", **days).period == 7


def test_a_start_that_lies_alone_is_called_a_mistake(log):
    for stray in ("1921-01-01", "2121-01-01"):
        with pytest.raises(ValueError, match=f"1 contract starts long .* all others .first: {stray}"):
            contract_settings(pd.concat([log, log.head(1).assign(customer_id=-1, start=pd.Timestamp(stray), end=None)]))


def test_nothing_can_be_said_where_nobody_left_or_nobody_is_left(log):
    with pytest.raises(ValueError, match="none of 1,500 contracts has ended by"):
        contract_settings(log.assign(end=None))
    german = log.assign(end=log["end"].dt.strftime("%d.%m.%Y"))
    assert contract_settings(german).spells.formats == {"end": "%d.%m.%Y"}
    vague = log.assign(end=log["end"].dt.strftime("%Y, week %W"))
    with pytest.raises(ValueError, match=r"cannot be read: 1,016 rows without a readable end.*such as '20"):
        contract_settings(vague)
    with pytest.raises(ValueError, match=r"beside 1,016 rows without a readable end: .* with days such as 2024-01-31"):
        contract_settings(vague, max_set_aside=0.7)
    gone = log.assign(end=log["start"] + pd.Timedelta(40, DAY))
    with pytest.raises(ValueError, match="no customer is left to value"):
        contract_settings(gone, observation_end="2024-12-31")


def test_one_cohort_followed_over_time_is_a_log_from_the_start():
    log = monthly(800, span=1, first="2022-03-01")
    plan = contract_settings(log)
    assert plan.spells.sampling == "acquisition"


def test_tenures_without_dates_are_a_snapshot_of_a_day(tmp_path):
    tenure, left = [str(t) for t in range(40)] * 25, (["Yes"] + ["No"] * 3) * 250
    file = tmp_path / "telecom.csv"
    pd.DataFrame({"months": [*tenure, "?"], "Churn": [*left, "No"], "plan": "x"}).to_csv(file, index=False)
    columns = {"tenure": "months", "churned": "Churn", "covariates": "plan"}
    plan = contract_settings(file, sampling="window", observation_end="2024-05-31", **columns)
    assert (plan.period, plan.renewals, plan.spells.rows) == ("M", 1, 1000)
    assert plan.spells.set_aside == {"rows without a readable tenure": 1}
    assert plan.reasons["observation_end"] == (
        "The table holds the customers of 2024-05-31, and those who left in the month before."
    )
    assert "customers cannot be compared by the month in which they started" in plan.reasons["cohorts"]
    assert "looks 1 renewal ahead. The table has no dates, so this forecast cannot" in plan.reasons["renewals"]
    assert plan.origins == ()
    asked = contract_settings(file, sampling="window", observation_end="2024-05-31", renewals=3, **columns)
    assert "looks 3 renewals ahead, as asked." in asked.reasons["renewals"]
    facts = contract_overview(plan.spells, name=file)["telecom.csv"].to_dict()
    assert facts == {
        "day of the table": "2024-05-31",
        "customers": "1,000",
        "left in the last month": "250 (25 %)",
        "still customers": "750",
        "tenure in months": "0 to 39",
        "set aside: rows without a readable tenure": "1",
    }
    assert plan.reasons["period"] == "Time is counted in months, as 'months' is."
    with pytest.raises(ValueError, match="say so, sampling 'window'"):
        contract_settings(file, observation_end="2024-05-31", **columns)
    with pytest.raises(ValueError, match="describes the customers of one day; state that day: observation_end"):
        contract_settings(file, sampling="window", **columns)
    with pytest.raises(ValueError, match="the table has no column 'churned'; it has months, Churn, plan"):
        contract_settings(file, sampling="window", observation_end="2024-05-31", tenure="months")
    with pytest.raises(
        ValueError, match=r"do not show when since 2023-05-31 a customer left.*leave out observation_st"
    ):
        contract_settings(
            file, sampling="window", observation_start="2023-05-31", observation_end="2024-05-31", **columns
        )
    for answer, left in (("Yes", "40 of 40"), ("No", "0 of 40")):
        table = pd.DataFrame({"months": range(40), "Churn": answer, "plan": "x"})
        with pytest.raises(ValueError, match=f"{left} customers left, by column 'Churn'"):
            contract_settings(table, sampling="window", observation_end="2024-05-31", **columns)


def test_the_overview_counts_what_was_set_aside_and_settled(log):
    faulty = pd.concat([log, log.head(3).assign(end=log["start"] - pd.Timedelta(9, DAY))])
    facts = contract_overview(contract_settings(faulty).spells, name="folder/my.csv")
    assert facts.columns.tolist() == ["my.csv"]
    assert facts.loc["set aside: contracts that end before they start", "my.csv"] == "3"


def test_periods_have_names():
    assert [period_name(p) for p in ("M", "Y", 7, 1, 30)] == ["month", "year", "week", "day", "30-day period"]
