"""Tables of tenures without dates: how customers came into them, units, text, and words for churned."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.core.check import Check
from retention_models.logs.contracts.retention import active_customers
from retention_models.logs.contracts.settings import contract_settings
from retention_models.logs.contracts.snapshot import read_snapshot
from retention_models.logs.contracts.tenures import CALENDAR_SLACK, count_periods
from retention_models.narrative.overviews import contract_overview

read = rm.logs.retention_table_from_tenures
END = pd.Timestamp("2024-12-31")
DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
AS_OF = {"observation_end": "2024-12-31"}


def dated_log(add_periods, customers=6000, last_day=0, seed=3):
    """Contracts that end at a renewal (or ``last_day`` days beside it), each followed from its start."""
    rng = np.random.default_rng(seed)
    start = END - pd.to_timedelta(rng.integers(1, 900, customers), unit="D")
    theta = rng.beta(0.8, 3.0, customers)
    renewals = rng.geometric(theta)
    end = pd.DatetimeIndex([add_periods(day, min(int(n), 60)) for day, n in zip(start, renewals, strict=True)])
    end = (end + pd.Timedelta(last_day, "D")).where(end <= END)
    return pd.DataFrame({"customer_id": range(customers), "start": start, "end": end})


def tenures_of(log):
    """The same customers without dates: days as a customer, and whether the customer left."""
    left = log["end"].notna()
    return pd.DataFrame({"days": (log["end"].fillna(END) - log["start"]).dt.days, "left": left})


def without_cohorts(table):
    return table.groupby("tenure")[["at_risk", "lost"]].sum()


CONTRACTS = {
    28: lambda day, n: day + pd.Timedelta(28 * n, "D"),
    "M": lambda day, n: day + pd.DateOffset(months=n),
    "Y": lambda day, n: day + pd.DateOffset(years=n),
}


def both_tables(period, last_day):
    log = dated_log(CONTRACTS[period], last_day=last_day)
    spells = rm.read_contracts(log, sampling="acquisition", **AS_OF)
    dated = rm.retention_table(spells, period=period)
    columns = {"tenure": "days", "churned": "left", "tenure_unit": "D", "period": period}
    return dated, rm.retention_table(
        read_snapshot(tenures_of(log), sampling="acquisition", **AS_OF, **columns), period=period
    )


@pytest.mark.parametrize("last_day", [0, -1])
def test_days_of_tenure_give_the_table_and_the_fit_of_the_dated_log(last_day):
    dated, counted = both_tables(28, last_day)
    pd.testing.assert_frame_equal(
        counted.set_index("tenure")[["at_risk", "lost"]], without_cohorts(dated), check_dtype=False
    )
    models = [rm.fit(rm.ShiftedBetaGeometric, table).model for table in (dated, counted)]
    assert models[0].alpha == pytest.approx(models[1].alpha, rel=1e-6)
    assert models[0].beta == pytest.approx(models[1].beta, rel=1e-6)


@pytest.mark.parametrize("last_day", [0, -1])
@pytest.mark.parametrize("period", ["M", "Y"])
def test_losses_at_renewals_of_the_calendar_are_dated_right_although_months_differ_in_length(period, last_day):
    dated, counted = both_tables(period, last_day)
    expected, found = without_cohorts(dated), counted.set_index("tenure")[["at_risk", "lost"]]
    pd.testing.assert_series_equal(found["lost"], expected["lost"].reindex(found.index), check_dtype=False)
    assert (found["at_risk"] / expected["at_risk"] - 1).abs().head(12).max() < 0.03


def test_months_of_the_calendar_are_less_than_three_days_longer_than_as_many_mean_months():
    starts = pd.date_range("1999-01-01", "2004-12-31")
    for months in range(1, 121):
        days = ((starts + pd.DateOffset(months=months)) - starts).days
        assert days.max() - months * 365.25 / 12 < CALENDAR_SLACK


def test_losses_on_any_day_are_dated_by_the_mean_month_without_slack():
    tenure = pd.Series(np.arange(1, 700))
    table = pd.DataFrame({"tenure": tenure, "churned": tenure % 2 == 0})
    snapshot = read_snapshot(table, sampling="acquisition", tenure_unit="D", **AS_OF)
    assert list(snapshot.settled) == ["rows with a tenure in days counted in whole months"]
    lost = snapshot.frame.query("churned").set_index("tenure")["weight"]
    assert lost.to_dict() == np.ceil(tenure[tenure % 2 == 0] / 30.4375).astype(int).value_counts().to_dict()


def test_what_calendar_slack_has_settled_is_counted():
    table = pd.DataFrame({"tenure": [31, 62, 92, 200], "churned": [1, 1, 1, 0]})
    snapshot = read_snapshot(table, sampling="acquisition", tenure_unit="D", **AS_OF)
    assert snapshot.settled["rows of customers who left up to 3 days after a renewal and count as lost at it"] == 3
    assert snapshot.frame.query("churned")["tenure"].tolist() == [1, 2, 3]


def any_day_log(customers=20_000, months=24):
    rng = np.random.default_rng(8)
    start = END - pd.to_timedelta(rng.integers(0, 30 * months, customers), unit="D")
    end = start + pd.to_timedelta(np.floor(rng.exponential(300, customers)), unit="D")
    return pd.DataFrame({"customer_id": range(customers), "start": start, "end": end.where(end <= END)})


def test_without_dates_only_losses_before_a_renewal_that_was_not_due_come_on_top():
    log = any_day_log()
    dated = without_cohorts(rm.retention_table(rm.read_contracts(log, sampling="acquisition", **AS_OF), period=30))
    options = {"tenure": "days", "churned": "left", "tenure_unit": "D", "period": 30, "sampling": "acquisition"}
    found = read(tenures_of(log), **options).set_index("tenure")
    renewal = np.maximum(np.ceil((log["end"] - log["start"]).dt.days / 30), 1)
    due = (END - log["start"]).dt.days // 30
    early = renewal[log["end"].notna() & (renewal > due)].astype(int).value_counts().reindex(found.index, fill_value=0)
    for column in ("at_risk", "lost"):
        assert (found[column] - dated[column].reindex(found.index, fill_value=0)).tolist() == early.tolist()
    shares = [table["lost"] / table["at_risk"] for table in (found, dated)]
    assert 1.0 < (shares[0] / shares[1])[11:13].mean() < 1.08


@pytest.mark.parametrize("unit", DAYS)
@pytest.mark.parametrize("period", [1, 7, 28, "M", "Y"])
def test_active_customers_count_completed_periods_and_lost_ones_started_periods(unit, period):
    length = DAYS[period] if isinstance(period, str) else period
    tenure = pd.Series([0.3, 0.9, 1.0, 1.4, 2.0, 3.2]) * length / DAYS[unit]
    for left, expected in ((False, [0, 0, 1, 1, 2, 3]), (True, [1, 1, 1, 2, 2, 4])):
        _, found = count_periods(tenure * 0, tenure, pd.Series([left] * 6), unit, period)
        assert found.tolist() == expected


def test_a_customer_who_left_on_the_first_day_is_lost_at_the_first_renewal_as_in_a_dated_log():
    table = read(
        pd.DataFrame({"tenure": [0, 70], "churned": [1, 0]}), sampling="acquisition", tenure_unit="D", period=30
    )
    assert table[["at_risk", "lost"]].to_numpy().tolist() == [[2, 1], [1, 0]]


@pytest.mark.parametrize("length", [1, 30])
def test_whole_periods_after_the_entry_count_as_in_a_log_that_begins_with_active_customers(length):
    """Contracts that end on any day, and those that end at renewals, whose renewals all were due."""
    log = any_day_log(4000).query("start < '2024-06-01'")
    begin, until = pd.Timestamp("2024-05-31"), pd.Timestamp("2024-12-27")
    days = length * np.ceil((log["end"] - log["start"]).dt.days / length)
    log["end"] = log["start"] + pd.to_timedelta(days, "D")
    due = log["start"] + pd.to_timedelta(30 * np.ceil(days / 30), "D")
    log = log[(due <= until) | ~(log["end"] <= until)]
    spells = rm.read_contracts(log, sampling="active_on", observation_start=begin.date(), observation_end="2024-12-27")
    log = log.assign(end=log["end"].where(log["end"] <= "2024-12-27"))
    log = log[log["end"].isna() | (log["end"] > begin)]
    dated = without_cohorts(rm.retention_table(spells, period=30))
    table = pd.DataFrame(
        {
            "tenure": (log["end"].fillna(pd.Timestamp("2024-12-27")) - log["start"]).dt.days,
            "entry": (begin - log["start"]).dt.days,
            "churned": log["end"].notna(),
        }
    )
    found = read(table, sampling="active_on", entry="entry", tenure_unit="D", period=30).set_index("tenure")
    pd.testing.assert_frame_equal(found, dated, check_dtype=False)


def test_a_window_of_tenures_in_days_has_the_churn_of_all_customers_who_leave_on_any_day():
    rng = np.random.default_rng(5)
    start, life = rng.uniform(0, 1461, 400_000), np.ceil(rng.exponential(1 / rng.gamma(0.7, 1 / 60, 400_000)))
    length = np.ceil(np.minimum(life, 1461 - start))
    table = pd.DataFrame({"days": length, "left": life < 1461 - start})[start + life > 1461 - 30]
    columns = {"tenure": "days", "churned": "left", "tenure_unit": "D", "period": 30, "sampling": "window"}
    found = read(table, **columns).set_index("tenure").loc[:6]
    expected = [((life > 30 * (t - 1)) & (life <= 30 * t)).sum() / (life > 30 * (t - 1)).sum() for t in range(1, 7)]
    share = found["lost"] / found["at_risk"]
    z = (share - expected) / np.sqrt(share * (1 - share) / found["at_risk"])
    assert abs(z).max() < 3
    assert abs(z.sum()) / np.sqrt(6) < 2
    rule = "rows of active customers counted at the nearest 30-day period, as customers left on any day"
    assert read(table, **columns).attrs["settled"][rule] == (~table["left"]).sum()


def test_days_with_fractions_are_read_and_the_unit_is_stated():
    table = pd.DataFrame({"tenure": ["12.5", "45.25", "100", "70"], "churned": ["1", "0", "0", "1"]})
    plan = contract_settings(
        table, tenure="tenure", churned="churned", sampling="acquisition", tenure_unit="D", **AS_OF
    )
    found = plan.spells.frame[["tenure", "churned"]].to_numpy().tolist()
    assert found == [[1, False], [1, True], [3, False], [3, True]]
    assert plan.reasons["period"] == (
        "Time is counted in months, converted from 'tenure', which is in days. A customer who left within a month "
        "counts as lost at its end."
    )
    assert plan.spells.settled == {"rows with a tenure in days counted in whole months": 4}


def test_a_unit_that_is_the_period_changes_nothing_and_fractions_remain_an_error():
    table = pd.DataFrame({"tenure": [1, 2, 5, 9], "churned": [1, 0, 1, 0]})
    plain = read(table, sampling="window")
    for asked in ({"tenure_unit": "M"}, {"tenure_unit": "D", "period": 1}, {"tenure_unit": "W", "period": 7}):
        pd.testing.assert_frame_equal(read(table, sampling="window", **asked), plain)
    refused = (
        r"2 rows whose tenure is negative or no whole number.*'tenure' has values such as 1\.5, which are no whole "
        r"months. If it counts another unit, state tenure_unit: 'D' \(days\)"
    )
    with pytest.raises(ValueError, match=refused):
        read(table.assign(tenure=[1.5, 2.5, 5, 9]), sampling="window", tenure_unit="M")


def test_whole_years_cannot_be_counted_in_months():
    table = pd.DataFrame({"tenure": [1, 2, 3, 4], "churned": [1, 0, 1, 0]})
    with pytest.raises(ValueError, match=r"'tenure' holds whole years, such as 4, in all rows.* State period='Y'"):
        read(table, sampling="acquisition", tenure_unit="Y", period="M")
    years = read_snapshot(table, sampling="acquisition", tenure_unit="Y", **AS_OF)
    assert (years.period, years.frame["tenure"].tolist()) == ("Y", [1, 2, 3, 4])
    with pytest.raises(ValueError, match="tenure_unit must be one of 'D', 'W', 'M', 'Y', not 'Q'"):
        read(table, sampling="acquisition", tenure_unit="Q")


# How customers came into the table

RENEWALS = pd.DataFrame({"tenure": [1, 1, 2, 3, 5, 8, 40], "churned": ["Yes", "No", "Yes", "No", "Yes", "No", "No"]})


def test_with_sampling_acquisition_customers_are_at_risk_from_the_first_renewal_on():
    plan = rm.logs.choose_settings(RENEWALS, tenure="tenure", churned="churned", sampling="acquisition", **AS_OF)
    table = rm.retention_table(plan.spells, period="M")
    pd.testing.assert_frame_equal(table, read(RENEWALS, sampling="acquisition"))
    assert table.loc[:2, "at_risk"].tolist() == [7, 5, 4]
    assert table.attrs["sampling"] == "acquisition"
    assert (plan.renewals, plan.origins) == (10, ())
    assert plan.reasons["sampling"].startswith("All customers who ever came count, each from the start")
    assert plan.reasons["observation_end"].endswith("and those who left earlier.")
    assert str(plan.spells) == "7 customers followed from the start to 2024-12-31, tenure in months."
    assert active_customers(plan.spells, period="M")["weight"].sum() == 4
    assert rm.fitting.survival_curves(plan.spells)["all"].survival[-1] == pytest.approx(6 / 7 * 4 / 5 * 2 / 3)
    assert contract_overview(plan.spells).loc["left", "this log"] == "3 (43 %)"


def test_the_sampling_of_a_table_of_tenures_is_asked_for_in_plain_words():
    names = {"tenure": "tenure", "churned": "churned"}
    for ask in (
        lambda: rm.logs.choose_settings(RENEWALS, **names),
        lambda: contract_settings(RENEWALS, **names, **AS_OF),
        lambda: read_snapshot(RENEWALS, **AS_OF),
        lambda: read(RENEWALS, sampling=None),
    ):
        with pytest.raises(ValueError, match=r"are customers who left earlier still in the table\?") as error:
            ask()
        assert "'acquisition'" in str(error.value)
        assert "'window'" in str(error.value)
    with pytest.raises(
        ValueError, match=r"sampling 'active_on' needs the tenure .*retention_table_from_tenures\(entry"
    ):
        contract_settings(RENEWALS, **names, sampling="active_on", **AS_OF)
    with pytest.raises(ValueError, match="state that day: observation_end"):
        contract_settings(RENEWALS, **names, sampling="acquisition")


def test_a_window_of_several_periods_is_that_of_the_retention_table_and_fails_the_same_check():
    plan = contract_settings(RENEWALS, tenure="tenure", churned="churned", sampling="window", window=3, **AS_OF)
    table, expected = rm.retention_table(plan.spells, period="M"), read(RENEWALS, sampling="window", window=3)
    pd.testing.assert_frame_equal(table, expected)
    assert table.attrs["checks"] == expected.attrs["checks"]
    assert [check.passed for check in plan.spells.checks] == [True, False, None, True]
    assert "7 customers of 2024-12-31 and of the 3 months before" in str(plan.spells)
    assert "left in the last 3 months" in contract_overview(plan.spells).index
    assert (
        plan.reasons["sampling"]
        == "Only the last 3 months of each customer count as observed (sampling 'window'), as said."
    )
    for refused in (
        lambda: read(RENEWALS, sampling="acquisition", window=3),
        lambda: read_snapshot(RENEWALS, sampling="acquisition", window=3, **AS_OF),
    ):
        with pytest.raises(ValueError, match="window=3 belongs to sampling 'window', not 'acquisition'; leave it out"):
            refused()


def test_units_and_windows_are_for_tables_of_tenures():
    log = any_day_log(300)
    for asked in ({"tenure_unit": "D"}, {"window": 2}):
        with pytest.raises(ValueError, match="tenure_unit and window belong to a table of tenures: name its column"):
            contract_settings(log, **asked)


# Text with a unit


@pytest.mark.parametrize(
    ("words", "period", "tenures"),
    [
        (["12 months", "1 month", "7 Months", "3 mths."], "M", [12, 1, 7, 3]),
        (["3 yrs", "1 year", "2 years", "10 yr"], "Y", [3, 1, 2, 10]),
        (["45 days", "1 day", "100d", "12.5 days"], "M", [2, 0, 4, 0]),
    ],
)
def test_tenures_in_text_have_the_unit_that_they_say(words, period, tenures, tmp_path):
    table = pd.DataFrame({"tenure": words, "churned": ["yes", "no", "yes", "no"]})
    table.to_csv(tmp_path / "tenures.csv", index=False)
    for source in (table, pl.DataFrame(table.to_dict("list")), tmp_path / "tenures.csv"):
        snapshot = read_snapshot(source, sampling="acquisition", **AS_OF)
        assert snapshot.period == period
        assert sorted(snapshot.frame.loc[snapshot.frame.index.repeat(snapshot.frame["weight"]), "tenure"]) == sorted(
            tenures
        )


def test_texts_with_several_units_are_refused_with_an_example_and_the_rows_of_each():
    table = pd.DataFrame({"since": ["12 months", "45 days", "3 months", "7"], "churned": [1, 0, 1, 0]})
    refused = (
        "'since' mixes units: 1 rows without a unit, such as '7'; 1 rows in days, such as '45 days'; 2 rows in months, "
        "such as '12 months'. Bring all rows to one unit"
    )
    with pytest.raises(ValueError, match=refused):
        read(table, tenure="since", sampling="acquisition")
    with pytest.raises(ValueError, match=r"'since' has 2 rows in months, such as '12 months', but tenure_unit is 'D'"):
        read(table.iloc[[0, 2]], tenure="since", sampling="acquisition", tenure_unit="D")


def test_tenures_that_are_no_number_are_shown():
    table = pd.DataFrame({"tenure": ["long", "1 year 3 months", "5"], "churned": [1, 0, 1]})
    with pytest.raises(
        ValueError, match=r"2 rows without a readable tenure; column 'tenure' has values such as '1 year 3 m"
    ):
        read(table, sampling="acquisition")


# Words for churned

WORDS = [
    *(("ja", "nein"), ("Oui", "Non"), ("sí", "no"), ("SI", "NO"), ("sim", "não"), ("SIM", "NÃO")),
    *(("Churned", "Stayed"), ("left", "active"), ("Lost", "Retained"), ("cancelled", "current"), ("Canceled", "open")),
    *(
        ("closed", "running"),
        ("exited", "renewed"),
        ("ended", "joined"),
        ("expired", "existing"),
        ("churn", "No churn"),
    ),
    *(("terminated", "not churned"), ("attrited", "existing"), ("Attrited Customer", "Existing_Customer")),
    ("inactive", "ACTIVE"),
]


@pytest.mark.parametrize(("churned", "stayed"), WORDS)
def test_words_for_churned_are_read_and_stated(churned, stayed, tmp_path):
    left = np.arange(20) % 3 == 0
    table = pd.DataFrame({"tenure": np.arange(20) % 7 + 1, "churned": np.where(left, churned, stayed)})
    plain = read(table.assign(churned=left), sampling="window")
    table.to_csv(tmp_path / "words.csv", index=False)
    others = [pl.DataFrame(table.to_dict("list")), tmp_path / "words.csv", table.astype({"churned": "category"})]
    for source in (table, *(others if (churned, stayed) == WORDS[0] else [])):
        found = read(source, sampling="window")
        pd.testing.assert_frame_equal(found, plain)
        expected = {f"rows with {churned!r} in 'churned' read as churned": 7}
        if stayed.lower() != "no":
            expected[f"rows with {stayed!r} in 'churned' read as still a customer"] = 13
        assert found.attrs["settled"] == expected
        assert read_snapshot(source, sampling="window", **AS_OF).settled == expected


@pytest.mark.parametrize(("churned", "stayed"), [("Yes", "No"), ("TRUE", "false"), ("1", "0"), (True, False), (1, 0)])
def test_yes_and_no_need_no_statement(churned, stayed):
    table = pd.DataFrame({"tenure": [1, 2, 3], "churned": [churned, stayed, stayed]})
    assert read(table, sampling="window").attrs["settled"] == {}


@pytest.mark.parametrize("words", [("Gone", "Active"), ("churned", "here")])
def test_an_unknown_word_for_one_outcome_is_refused_however_rare(words):
    table = pd.DataFrame({"tenure": range(1, 101), "Status": np.where(np.arange(100) < 5, *words)})
    if words[0] == "churned":
        table["Status"] = table["Status"].iloc[::-1].to_numpy()
    unknown = "Gone" if "Gone" in words else "here"
    rows = int((table["Status"] == unknown).sum())
    for door in (
        lambda: read(table, churned="Status", sampling="window", max_set_aside=1),
        lambda: read_snapshot(table, churned="Status", sampling="window", max_set_aside=1, **AS_OF),
    ):
        with pytest.raises(ValueError, match=f"'Status' has {rows} rows with words such as '{unknown}'") as error:
            door()
        assert "attrited customer" in str(error.value)
        assert "existing customer" in str(error.value)


def test_many_unknown_words_are_refused_and_few_are_set_aside_and_counted():
    status = ["churned"] * 20 + ["stayed"] * 60 + ["on hold"] * 20
    table = pd.DataFrame({"tenure": [1 + i % 9 for i in range(100)], "churned": status})
    with pytest.raises(ValueError, match=r"'churned' has 20 rows with words such as 'on hold'.* max_set_aside=0.1"):
        read(table, sampling="window", max_set_aside=0.1)
    few = read(table, sampling="window")
    assert few.attrs["set_aside"] == {"rows that do not say whether the customer left": 20}
    assert few.attrs["checks"][-1]["passed"] is False


def test_tenures_too_long_for_months_are_settled_by_their_unit():
    table = pd.DataFrame({"days": range(1, 733), "left": ["Y", "N", "N", "N"] * 183})
    names = {"tenure": "days", "churned": "left", "sampling": "acquisition"}
    with pytest.raises(ValueError, match=r"'days' reaches 732, which would be 61 years of months: state tenure_unit"):
        contract_settings(table, **names, **AS_OF)
    plan = contract_settings(table, **names, **AS_OF, tenure_unit="D")
    assert plan.spells.frame["tenure"].max() == 24
    assert plan.renewals == 6


# Tenures that cannot be in the unit assumed

DOORS = {
    "table": lambda table, **asked: read(table, sampling="acquisition", **asked),
    "snapshot": lambda table, **asked: read_snapshot(table, sampling="acquisition", **asked, **AS_OF),
    "settings": lambda table, **asked: contract_settings(
        table, sampling="acquisition", **{"tenure": "tenure", "churned": "churned"} | asked, **AS_OF
    ),
}
UNLIKELY_MONTHS = [
    (
        range(1, 3001, 50),
        r"reaches 2,951, .* 246 years of months: state tenure_unit.*50 of 60 rows .* 'D' \(days\) would",
    ),
    (np.arange(60) % 9 * 12, "only multiples of 12, such as 12 and 24, in 60 rows.*tenure_unit='M' and period='Y'"),
    (np.arange(60) % 9 * 30, "only multiples of 30, such as 30 and 60, in 60 rows.*State tenure_unit='D' if it counts"),
    (np.arange(60) % 9 * 7, "only multiples of 7, such as 7 and 14, in 60 rows.*tenure_unit='D'.* days of whole weeks"),
    (np.arange(60) / 7, r"51 rows whose tenure is negative or no whole number.*state tenure_unit: 'D' \(days\)"),
]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("tenure", "message"), UNLIKELY_MONTHS)
def test_tenures_that_are_hardly_months_are_asked_about_at_every_door(door, tenure, message):
    table = pd.DataFrame({"tenure": tenure, "churned": np.arange(60) % 3 == 0})
    with pytest.raises(ValueError, match=message):
        DOORS[door](table)
    assert DOORS[door](table, tenure_unit="D") is not None


@pytest.mark.parametrize("door", DOORS)
def test_a_column_named_after_another_unit_is_asked_about_unless_the_unit_is_stated(door):
    table = pd.DataFrame({"tenure_days": range(60), "churned": np.arange(60) % 3 == 0})
    with pytest.raises(
        ValueError, match=r"'tenure_days' has values such as 59 in 60 rows.*months, and its name says days"
    ):
        DOORS[door](table, tenure="tenure_days")
    for unit in ("D", "M"):
        assert DOORS[door](table, tenure="tenure_days", tenure_unit=unit) is not None
    assert DOORS[door](table, tenure="tenure_days", period=1) is not None


@pytest.mark.parametrize(("unit", "longest"), [("D", 30_000), ("W", 4000), ("M", 800), ("Y", 70)])
def test_a_unit_that_is_stated_is_believed_unless_no_business_is_so_old(unit, longest):
    table = pd.DataFrame({"tenure": [1, 2, 3, longest], "churned": [1, 0, 1, 0]})
    with pytest.raises(
        ValueError, match=r"years of .*correct or leave out these rows.* 1 of 4 rows are longer than 60"
    ):
        read(table, sampling="acquisition", tenure_unit=unit)
    half = read(table.assign(tenure=[1, 2, 3, longest // 2]), sampling="acquisition", tenure_unit=unit)
    assert half["at_risk"].iloc[0] > 0


def test_months_beyond_ten_years_are_shown_in_years():
    table = pd.DataFrame({"tenure": range(1, 366), "churned": np.arange(365) % 3 == 0})
    reason = DOORS["settings"](table).reasons["period"]
    assert "It reaches 365, which is 30 years. If it counts days or weeks, state tenure_unit." in reason


def test_losses_at_tenure_zero_are_told_as_those_of_completed_periods():
    table = pd.DataFrame({"tenure": [0, 0, 1, 2, 3], "churned": [1, 0, 1, 0, 1]})
    for checks in (
        [Check(**check) for check in read(table, sampling="acquisition").attrs["checks"]],
        read_snapshot(table, sampling="acquisition", **AS_OF).checks,
    ):
        (told,) = [check for check in checks if check.name == "Losses at tenure 0"]
        assert told.passed is False
        assert "1 of 3 customers who left did so at tenure 0" in told.detail
    fine = read_snapshot(table.query("tenure > 0"), sampling="acquisition", **AS_OF)
    assert all(check.passed for check in fine.checks)


def test_active_customers_of_tenures_in_days_are_those_of_the_dated_log():
    log = any_day_log()
    spells = rm.read_contracts(log, sampling="acquisition", **AS_OF)
    dated = active_customers(spells, period=30).groupby("tenure")["weight"].sum()
    columns = {"tenure": "days", "churned": "left", "tenure_unit": "D", "period": 30}
    snapshot = read_snapshot(tenures_of(log), sampling="acquisition", **AS_OF, **columns)
    pd.testing.assert_series_equal(active_customers(snapshot, period=30).set_index("tenure")["weight"], dated)
    assert snapshot.frame["weight"].sum() == len(log)
