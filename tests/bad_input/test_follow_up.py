"""Logs that end too early, too late, or lack rows: who was observed how long, and what was set aside."""

import datetime as dt

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.cli import main
from retention_models.logs.transactions.checks.last_day import judge_last_day
from retention_models.tables.frames import collect, on_engine

LAST_DAY = "Last day of the log"
ROWS = "Rows that cannot be read"


@pytest.fixture(scope="module")
def log():
    return rm.datasets.load_cdnow()


@pytest.fixture(scope="module")
def everybody(log):
    return rm.summarize(log)


@pytest.fixture(scope="module")
def fit(everybody):
    return rm.fit(rm.ParetoNBD, everybody)


@pytest.fixture(scope="module")
def lapsed(log):
    """The rows of the customers who bought last before June 1997; the log runs to June 1998."""
    last = log.groupby("customer_id")["date"].transform("max")
    return log[last < "1997-06-01"]


def checks(table):
    return {check["name"]: check for check in table.attrs["checks"]}


# Who is observed how long


def test_customers_who_have_long_been_silent_are_observed_as_long_as_all(fit, everybody, lapsed):
    some = rm.summarize(lapsed)
    forecast = rm.predict(fit, some, 26)
    pd.testing.assert_frame_equal(forecast, rm.predict(fit, everybody, 26).loc[some.index], rtol=1e-12)
    assert forecast.attrs["observed"] == (
        "Observed until 1998-06-30, the last day of the fit; the last purchase in the table was on 1997-05-31."
    )


TERMS = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0.1)
DOORS = {
    "predict": lambda fit, table: rm.predict(fit, table, 26)["expected_purchases"].sum(),
    "predict_total": lambda fit, table: rm.predict_total(fit, table, 26)["expected"].iloc[0],
    "customer_value": lambda fit, table: rm.customer_value(fit, table, TERMS)["value"].sum(),
    "total_value": lambda fit, table: rm.total_value(fit, table, TERMS)["value"].iloc[0],
    "value_by_horizon": lambda fit, table: rm.value.value_by_horizon(fit, table, TERMS, horizons=[26])["value"].iloc[0],
    "status_by_group": lambda fit, table: rm.forecast.status_by_group(fit, table).to_numpy(float).sum(),
    "bootstrap": lambda fit, table: rm.predict(_replicates(fit), table, 26)["expected_purchases"].sum(),
}


def _replicates(fit):
    return rm.bootstrap(fit, rm.summarize(rm.datasets.load_cdnow()), replicates=3, rng=1)


@pytest.mark.parametrize("door", DOORS)
def test_at_every_door_the_end_is_that_of_the_fit(door, fit, everybody, lapsed):
    some = rm.summarize(lapsed)
    same = everybody.loc[some.index]
    assert DOORS[door](fit, some) == pytest.approx(DOORS[door](fit, same), rel=1e-10)


@pytest.mark.parametrize("source", [rm.logs.histories, rm.summarize])
@pytest.mark.parametrize("granularity", ["D", "W"])
def test_ages_reach_to_the_same_day_in_every_table(source, granularity, log, lapsed):
    fitted = rm.fit(rm.BGNBD, rm.summarize(log, granularity=granularity))
    some, stated = (
        source(lapsed, granularity=granularity, **days) for days in ({}, {"observation_end": fitted.observation_end})
    )
    found, expected = (rm.predict_total(fitted, table, 26)["expected"].iloc[0] for table in (some, stated))
    assert found == pytest.approx(expected, rel=1e-10)


def test_opportunities_end_where_those_of_the_fit_do():
    donors = pd.DataFrame({"customer_id": np.arange(40) // 2, "date": pd.Timestamp("2018-05-01"), "amount": 5.0})
    donors["date"] += pd.to_timedelta(np.arange(40) % 5 * 365, unit="D")
    ends = pd.DataFrame({"customer_id": [99, 99], "date": pd.to_datetime(["2018-12-31", "2023-12-31"]), "amount": 5.0})
    fitted = rm.fit(rm.BGBB, rm.logs.opportunities(pd.concat([donors, ends])))
    early = pd.DataFrame({"customer_id": [1, 1], "date": pd.to_datetime(["2018-05-01", "2019-12-31"]), "amount": 5.0})
    some = rm.logs.opportunities(early)
    stated = rm.logs.opportunities(early, observation_end="2023-12-31")
    assert some["T"].tolist() == [1]
    assert stated["T"].tolist() == [5]
    pd.testing.assert_frame_equal(rm.predict(fitted, some, 2), rm.predict(fitted, stated, 2))


def test_a_day_that_was_stated_stays(fit, lapsed):
    then = rm.summarize(lapsed, observation_end="1997-12-31")
    forecast = rm.predict(fit, then, 26)
    assert forecast.attrs["observed"] == "Observed until 1997-12-31, as stated."
    np.testing.assert_allclose(
        forecast["expected_purchases"],
        fit.model.expected_purchases(26, *then[["frequency", "recency", "T"]].to_numpy().T),
    )
    cut = rm.summarize(lapsed, calibration_end="1997-04-30")
    assert rm.predict(fit, cut, 26).attrs["observed"] == "Observed until 1997-04-30, as stated."


def test_a_table_of_ones_own_is_taken_as_it_is(fit):
    own = pd.DataFrame({"frequency": [2], "recency": [30.0], "T": [39.0]})
    assert rm.predict(fit, own, 26).attrs["observed"] == (
        "Observed until 1998-06-30, the last day of the fit; the table names none."
    )
    assert rm.predict(fit, own, 26)["expected_purchases"].iloc[0] == fit.model.expected_purchases(26, 2, 30.0, 39.0)


def test_the_history_of_a_silent_customer_goes_on_to_the_end_of_the_fit(fit, log, lapsed):
    customer = lapsed["customer_id"].iloc[0]
    shown, whole = (rm.evaluation.alive_history(fit, rows, customer) for rows in (lapsed, log))
    assert shown.attrs["observation_end"] == "1998-06-30"
    pd.testing.assert_frame_equal(shown, whole)


@pytest.mark.parametrize("asked", [None, "1998-03-31"])
def test_the_command_line_scores_to_the_end_of_the_fit_and_says_so(asked, fit, log, lapsed, tmp_path, capsys):
    fit.to_json(tmp_path / "fit.json")
    lapsed.to_csv(tmp_path / "lapsed.csv", index=False)
    command = ["predict", "--fit", str(tmp_path / "fit.json"), "--transactions", str(tmp_path / "lapsed.csv")]
    command += ["--horizon", "26", "--output", str(tmp_path / "scores.csv")]
    assert main([*command, *(["--observation-end", asked] if asked else [])]) == 0
    scores = pd.read_csv(tmp_path / "scores.csv", index_col="customer_id")
    expected = rm.predict(fit, rm.summarize(log, observation_end=asked or "1998-06-30").loc[scores.index], 26)
    np.testing.assert_allclose(scores["expected_purchases"], expected["expected_purchases"], rtol=1e-10)
    said = capsys.readouterr().err
    if asked:
        assert "Observed until 1998-03-31, as asked." in said
    else:
        assert (
            "Observed until 1998-06-30, the last day of the fit; the last purchase in the log was on 1997-05-31."
            in said
        )


# A mistyped day


def with_day(log, *days):
    return pd.concat([log, *(log.head(1).assign(date=pd.Timestamp(day)) for day in days)])


SCORING = {
    "fit": lambda fit, table: rm.fit(rm.BGNBD, table),
    "predict": lambda fit, table: rm.predict(fit, table, 26),
    "predict_total": lambda fit, table: rm.predict_total(fit, table, 26),
    "customer_value": lambda fit, table: rm.customer_value(fit, table, TERMS),
    "total_value": lambda fit, table: rm.total_value(fit, table, TERMS),
    "status_by_group": lambda fit, table: rm.forecast.status_by_group(fit, table),
}


@pytest.mark.parametrize("days", [["2205-03-01"], ["1998-09-15"], ["1998-09-15", "1999-05-01"]], ids=str)
@pytest.mark.parametrize(
    "engine", [lambda frame: frame, pl.from_pandas, duckdb.from_df], ids=["pandas", "polars", "duckdb"]
)
def test_a_last_day_far_from_all_others_is_a_failed_check(days, engine, log):
    table = rm.logs.histories(engine(with_day(log, *days)))
    check = checks(table)[LAST_DAY]
    assert check["passed"] is False
    assert f"The last day is {days[-1]}, but the log has no rows for" in check["detail"]
    assert check["remedy"].endswith("observation_end='1998-06-30'")


@pytest.mark.parametrize("door", SCORING)
@pytest.mark.parametrize("day", ["2205-03-01", "1998-09-15"])
def test_nothing_is_scored_with_a_last_day_far_from_all_others(door, day, fit, log):
    table = rm.summarize(with_day(log, day))
    with pytest.raises(
        ValueError, match=f"the log cannot end there. The last day is {day}.*observation_end='1998-06-30'"
    ):
        SCORING[door](fit, table)
    stated = rm.summarize(with_day(log, day), observation_end="1998-06-30")
    SCORING[door](fit, stated)


def test_a_holdout_with_a_mistyped_day_is_refused(fit, log):
    table = rm.summarize(with_day(log, "1998-09-15"), calibration_end="1997-09-30")
    with pytest.raises(ValueError, match="the log cannot end there"):
        rm.evaluation.holdout_scores({"Pareto/NBD": fit}, table)


def test_the_settings_of_a_page_carry_the_failed_check(log):
    settings = rm.logs.choose_settings(with_day(log, "1998-09-15"))
    failed = [check for check in settings.checks if check.passed is False]
    assert [check.name for check in failed] == [LAST_DAY]
    assert "1 of 6,697 purchases are later" in failed[0].detail
    assert LAST_DAY in str(settings)
    stated = rm.logs.choose_settings(with_day(log, "1998-09-15"), observation_end="1998-06-30")
    assert [(check.name, check.passed) for check in stated.checks] == [(ROWS, True), (LAST_DAY, True)]


def test_other_doors_that_end_with_the_log_refuse_a_mistyped_day(log):
    stray = with_day(log, "1998-09-15")
    mailing = pd.DataFrame({"customer_id": log["customer_id"].unique(), "assigned": "1998-08-01", "arm": "mail"})
    with pytest.raises(ValueError, match="the log cannot end there"):
        rm.purchase_outcomes(stray, mailing, horizon_days=28, offer_days=14)
    with pytest.raises(ValueError, match="have windows that end after the log"):
        rm.purchase_outcomes(stray, mailing, horizon_days=28, offer_days=14, observation_end="1998-06-30")
    with pytest.raises(ValueError, match="the log cannot end there"):
        rm.evaluation.backtest(stray, rm.BGNBD, rm.Terms(horizon=26, time_unit="W"), origins=["1997-09-30"])
    ended = rm.read_transactions(stray).window(observation_end="1998-06-30")
    backtest = rm.evaluation.backtest(ended, rm.BGNBD, rm.Terms(horizon=26, time_unit="W"), origins=["1997-09-30"])
    assert len(backtest.table) == 1
    years = rm.logs.opportunities(with_day(log, "2205-03-31"), period="M")
    assert checks(years)[LAST_DAY]["passed"] is False
    with pytest.raises(ValueError, match="the log cannot end there"):
        rm.fit(rm.BGBB, years)


def test_the_last_day_of_ordinary_logs_belongs_to_them(everybody):
    assert checks(everybody)[LAST_DAY]["passed"] is True
    rng = np.random.default_rng(1)
    for _ in range(200):  # steady, weekly, and fading businesses
        steady = np.unique(rng.integers(0, 700, rng.integers(10, 400)))
        fading = np.unique(np.floor(rng.exponential(100, 300)))
        weekly = np.arange(0, 400, 7)
        for days in (steady, fading, weekly):
            check = judge_last_day(
                pd.DatetimeIndex(pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")),
                np.ones(len(days)),
                "purchases",
            )
            assert check.passed is not False or days is fading


def test_a_fading_business_is_rarely_taken_for_a_mistake():
    """Where purchases get rare, the last silence is the longest; in theory 0.7 % of such logs are refused."""
    rng, failed = np.random.default_rng(2), 0
    for _ in range(500):
        days = np.unique(np.floor(rng.exponential(1_000, 400)))
        index = pd.DatetimeIndex(pd.Timestamp("1990-01-01") + pd.to_timedelta(days, unit="D"))
        failed += judge_last_day(index, np.ones(len(days)), "purchases").passed is False
    assert failed <= 12


# What is set aside


def orders(n=1_000, **columns):
    frame = pd.DataFrame({"customer_id": np.arange(n) % 300, "date": "2024-01-01", "amount": 10.0})
    frame["date"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) % 200, unit="D")).strftime("%Y-%m-%d")
    return frame.assign(**columns)


def spoilt(n, column, value):
    rows = orders()
    rows[column] = rows[column].astype(object)
    rows.loc[rows.index[:n], column] = value
    return rows


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("customer_id", None, "rows without a customer_id"),
        ("customer_id", "nan", "rows without a customer_id"),
        ("date", "14 or so", "rows without a readable date"),
        ("amount", "on the house", "rows without a finite amount"),
    ],
)
def test_the_share_that_cannot_be_read_decides(column, value, reason, tmp_path):
    for n, passed in ((10, True), (11, False)):
        rows = spoilt(n, column, value).astype(str if column == "customer_id" else object)
        log = rm.read_transactions(rows)
        assert [(check.name, check.passed) for check in log.checks] == [(ROWS, passed)]
        assert log.set_aside == {reason: n}
        assert (ROWS in str(log)) is not passed
        assert checks(rm.summarize(log))[ROWS]["passed"] is passed
    half = spoilt(500, column, value).astype(str if column == "customer_id" else object)
    path = tmp_path / "half.csv"
    half.to_csv(path, index=False)
    for source in (half, pl.from_pandas(half.astype(str)), path):
        for read in (
            rm.read_transactions,
            rm.summarize,
            rm.logs.histories,
            rm.logs.choose_settings,
            rm.logs.check_log_start,
        ):
            with pytest.raises(
                ValueError, match=rf"50 % of the 1,000 rows cannot be read.*: 500 {reason}.*max_set_aside"
            ):
                read(source)
    assert rm.read_transactions(half, max_set_aside=0.5).checks[0].passed is False
    assert rm.summarize(half, max_set_aside=0.5).attrs["set_aside"] == {reason: 500}


def test_few_rows_with_much_of_the_amount_are_much():
    rows = spoilt(5, "date", "?")
    rows.loc[rows.index[:5], "amount"] = 200.0
    log = rm.read_transactions(rows)
    assert log.checks[0].passed is False
    assert log.checks[0].detail == (
        "0.5 % of the 1,000 rows cannot be read, with 9.1 % of the amount: 5 rows without a readable date."
    )
    rows.loc[rows.index[:5], "amount"] = 20_000.0
    with pytest.raises(ValueError, match="with 91 % of the amount"):
        rm.read_transactions(rows)


def test_refunds_and_what_was_asked_for_is_no_fault_of_the_log():
    rows = orders()
    rows.loc[:399, "amount"] = -5.0
    log = rm.read_transactions(rows, refunds="set_aside")
    assert log.set_aside == {"rows with a negative amount": 400}
    assert log.checks[0].passed is True
    assert rm.summarize(rows, observation_end="2024-01-20").attrs["set_aside"]["rows after observation_end"] > 400


@pytest.mark.parametrize("share", [-0.1, 1.1, "0.5", None, float("nan"), True])
def test_the_share_that_may_be_set_aside_is_a_share(share):
    with pytest.raises(ValueError, match="max_set_aside must be a number from 0 to 1"):
        rm.read_transactions(orders(), max_set_aside=share)


def contracts(word, n=400):
    """Contracts of which most still run; their end is the word."""
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D")
    end = start + pd.to_timedelta(rng.integers(30, 900, n), unit="D")
    runs = end > pd.Timestamp("2023-01-01")
    ends = pd.Series(end.strftime("%Y-%m-%d"), dtype=object).where(~runs, word)
    return pd.DataFrame({"customer_id": range(n), "start": start.strftime("%Y-%m-%d"), "end": ends}), int(runs.sum())


NONE = [
    "NULL",
    "null",
    "None",
    "nan",
    "NaN",
    "NaT",
    "-",
    "--",
    "n/a",
    "N/A",
    "<NA>",
    "#N/A",
    "0000-00-00",
    "1900-01-01",
]
NONE += ["0001-01-01", "1970-01-01", " NULL ", "open", "Active"]
BLANK, LATER = ["", " ", None], ["9999-12-31", "9999-12-31 23:59:59", "2999-01-01"]
SAID = "ends that are a word or a day for none, such as NULL, n/a or 1900-01-01, read as still running"


def read_ends(source, observation_end="2023-01-01"):
    return rm.read_contracts(source, sampling="acquisition", observation_end=observation_end)


def test_what_people_write_for_no_end_is_no_end():
    """All in one log: each word in the end of some contracts."""
    words = [*NONE, *BLANK, *LATER]
    frame, running = contracts(None, 400 * len(words))
    still = frame["end"].isna()
    frame.loc[still, "end"] = np.array(words, dtype=object)[np.arange(running) % len(words)]
    spells = read_ends(frame)
    assert spells.rows == len(frame)
    assert not spells.set_aside
    assert spells.settled[SAID] == frame.loc[still, "end"].isin(NONE).sum()
    assert not spells.frame.sort_values("customer_id")["churned"][still.to_numpy()].any()
    assert spells.frame["churned"].sum() == (~still).sum()


@pytest.mark.parametrize("word", ["NULL", " n/a ", "1900-01-01", "0000-00-00", " ", "9999-12-31"], ids=repr)
@pytest.mark.parametrize("engine", ["csv", "polars", "duckdb"])
def test_what_is_no_end_is_none_in_every_source(word, engine, tmp_path):
    frame, running = contracts(word)
    frame.to_csv(tmp_path / "contracts.csv", index=False)
    sources = {"csv": tmp_path / "contracts.csv", "polars": pl.from_pandas(frame), "duckdb": duckdb.from_df(frame)}
    spells = read_ends(sources[engine])
    assert spells.rows == 400
    assert spells.settled.get(SAID, 0) == (0 if word in (" ", "9999-12-31") else running)
    churned = collect(on_engine(spells.frame).select(nw.col("churned").cast(nw.Int64).sum()))
    assert churned["churned"].tolist() == [400 - running]


def test_placeholders_among_dates_that_are_dates_are_no_ends():
    frame, running = contracts("1900-01-01")
    dated = frame.assign(start=pd.to_datetime(frame["start"]), end=pd.to_datetime(frame["end"]))
    for source in (dated, pl.from_pandas(dated), duckdb.from_df(dated)):
        spells = rm.read_contracts(source, sampling="acquisition", observation_end="2023-01-01")
        assert spells.settled == {SAID: running}


def test_an_old_contract_may_end_on_an_old_day():
    old = pd.DataFrame(
        {"customer_id": [1, 2, 3], "start": ["1969-01-01"] * 3, "end": ["1970-01-01", None, "1971-01-01"]}
    )
    spells = rm.read_contracts(old, sampling="acquisition", observation_end="1972-01-01")
    assert spells.frame["churned"].tolist() == [True, False, True]
    assert not spells.settled


def test_ends_in_a_form_nobody_can_read_are_refused_where_they_are_many():
    frame, _ = contracts(None)
    frame["end"] = pd.to_datetime(frame["end"]).dt.strftime("%Y, week %W")
    with pytest.raises(ValueError, match=r"rows cannot be read: \d+ rows without a readable end.*such as '20"):
        rm.read_contracts(frame, sampling="acquisition", observation_end="2023-01-01")
    with pytest.raises(ValueError, match="rows cannot be read"):
        rm.logs.choose_settings(frame, start="start")
    rest = rm.read_contracts(frame, sampling="acquisition", observation_end="2023-01-01", max_set_aside=0.5)
    assert {check.name: check.passed for check in rest.checks}[ROWS] is False
    assert ROWS in str(rest)
    assert checks(rm.retention_table(rest, period="M"))[ROWS]["passed"] is False


def test_few_ends_that_cannot_be_read_are_a_failed_check_of_the_page():
    frame, _ = contracts(None)
    frame.loc[:7, "end"] = "soon"
    settings = rm.logs.choose_settings(frame, start="start", observation_end="2023-01-01")
    failed = [check for check in settings.spells.checks if check.name == ROWS]
    assert failed[0].passed is False
    assert failed[0].detail == "2 % of the 400 rows cannot be read: 8 rows without a readable end."


@pytest.mark.parametrize("door", ["table", "settings"])
def test_tenures_that_cannot_be_read_are_refused_where_they_are_many(door):
    table = pd.DataFrame({"tenure": ["5"] * 60 + ["?"] * 40, "churned": ["Yes", "No"] * 50})
    doors = {
        "table": lambda **share: rm.logs.retention_table_from_tenures(table, sampling="window", **share),
        "settings": lambda **share: rm.logs.choose_settings(
            table, tenure="tenure", churned="churned", sampling="window", observation_end="2024-06-30", **share
        ),
    }
    with pytest.raises(ValueError, match="40 % of the 100 rows cannot be read: 40 rows without a readable tenure"):
        doors[door]()
    assert doors[door](max_set_aside=0.4) is not None


def test_the_command_line_takes_the_share(tmp_path, capsys):
    spoilt(300, "date", "?").to_csv(tmp_path / "log.csv", index=False)
    command = [
        "fit",
        "--transactions",
        str(tmp_path / "log.csv"),
        "--model",
        "BGNBD",
        "--output",
        str(tmp_path / "f.json"),
    ]
    assert main(command) == 1
    assert "30 % of the 1,000 rows cannot be read" in capsys.readouterr().err
    assert main([*command, "--max-set-aside", "0.3"]) == 0
    assert f"{ROWS}: FAILED" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--max-set-aside", "30"])


def test_the_end_of_a_fit_is_a_day(fit):
    assert fit.observation_end == dt.date(1998, 6, 30)
