"""Contract logs: which rows count, what a spell is, and how the sampling decides what a log can tell."""

from functools import partial

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.logs.contracts import log as module
from retention_models.logs.contracts.retention import retention_table
from retention_models.survival.curves import kaplan_meier

LOG = pd.DataFrame(
    {
        "customer_id": ["Ann", "Bob", "Bob", "Cem", "Dee", "Dee", "Eve", None, "Fay", "Gus", "Hal", "Ida", "Ida"],
        "start": ["2023-01-15", "2023-02-01", "2023-08-01", "2023-03-10", "2022-01-01", "2023-01-01", "2024-02-01",
                  "2023-01-01", "bad", "2023-03-01", "2023-01-01", "2023-01-01", "2023-03-01"],
        "end": ["2023-06-14", "2023-04-30", None, "2023-01-01", "2022-12-31", None, None, None, None, "never",
                "2024-05-01", "2023-12-01", "2023-09-30"],
        "why": ["price", "", None, "x", None, "early", None, None, None, None, "moved", "price", "moved"],
        "plan": list("aabbccddeefgh"),
    }
)  # fmt: skip
read_contracts = partial(module.read_contracts, max_set_aside=0.4)  # of 13 rows four are at fault
ACQUISITION = {"sampling": "acquisition", "observation_end": "2023-12-31"}


def dated(log):
    """The log with real dates, as engines that do not parse text need them."""
    good = log[(log["start"] != "bad") & (log["end"] != "never")]
    return good.assign(**{name: pd.to_datetime(good[name]) for name in ("start", "end")})


def engines(log, folder):
    log.to_csv(folder / "log.csv", index=False)
    log.to_parquet(folder / "log.parquet")
    columns = {name: log[name].astype(object).where(log[name].notna(), None).to_list() for name in log}
    return {
        "pandas": log,
        "polars": pl.DataFrame(columns),
        "lazy": pl.LazyFrame(columns),
        "duckdb": duckdb.connect().from_df(log),
        "csv": folder / "log.csv",
        "parquet": str(folder / "log.parquet"),
    }


def in_pandas(frame):
    """Any engine's frame in pandas, sorted, missing values alike."""
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        frame = pd.DataFrame(frame.to_dict(as_series=False))
    frame = frame if isinstance(frame, pd.DataFrame) else frame.df()
    frame = frame.sort_values(["customer_id", "spell"], ignore_index=True)
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    return frame.astype(object).where(frame.notna(), None)


def test_every_row_that_cannot_count_is_set_aside_for_its_first_reason():
    spells = read_contracts(LOG, **ACQUISITION)
    assert spells.set_aside == {
        "rows without a customer_id": 1,
        "rows without a readable start": 1,
        "rows without a readable end": 1,
        "contracts that end before they start": 1,
        "contracts that start after 2023-12-31": 1,
    }
    assert spells.rows == 6 == len(spells.frame)


def test_what_a_rule_decided_is_counted():
    assert read_contracts(LOG, **ACQUISITION, cause="why").settled == {
        "spells that end after 2023-12-31, still running then": 1,
        "ends without a cause, called unknown": 1,
        "contracts joined to another of the same customer": 2,
        "spells of customers who came back": 1,
    }


def test_spells_have_entry_tenure_end_and_cause():
    spells = read_contracts(LOG, **ACQUISITION, cause="why", covariates=["plan"])
    frame = spells.frame.set_index(["customer_id", "spell"])
    assert frame.loc[("Ann", 1), ["entry", "tenure", "churned", "cause"]].tolist() == [0, 150, True, "price"]
    assert frame.loc[("Bob", 1), "cause"] == "unknown"
    assert frame.loc[("Bob", 2), ["tenure", "churned"]].tolist() == [152, False]
    assert frame.loc[("Dee", 1), ["tenure", "churned", "plan"]].tolist() == [729, False, "c"]  # renewed the next day
    assert frame.loc[("Hal", 1), ["tenure", "churned"]].tolist() == [364, False]
    assert pd.isna(frame.loc[("Hal", 1), "end"])
    assert pd.isna(frame.loc[("Hal", 1), "cause"])
    assert frame.loc[("Ida", 1), ["tenure", "cause", "plan"]].tolist() == [334, "price", "g"]  # the last end's cause


def test_overlaps_may_be_kept_or_forbidden():
    kept = read_contracts(LOG, **ACQUISITION, overlaps="keep")
    assert kept.rows == 8
    assert kept.frame.loc[kept.frame["customer_id"] == "Ida", "spell"].tolist() == [1, 2]
    assert kept.settled["further contracts of the same customer, each a spell"] == 3
    with pytest.raises(ValueError, match="overlap in 1 spells, which overlaps='error' forbids"):
        read_contracts(LOG, **ACQUISITION, overlaps="error")
    assert read_contracts(LOG[LOG["customer_id"] != "Ida"], **ACQUISITION, overlaps="error").rows == 5


def test_how_close_contracts_are_joined_is_a_choice():
    log = pd.DataFrame({"customer_id": [1, 1], "start": ["2023-01-01", "2023-02-10"], "end": ["2023-01-31", None]})
    assert read_contracts(log, **ACQUISITION).rows == 2
    assert read_contracts(log, **ACQUISITION, join_within=10).rows == 1


@pytest.mark.parametrize("sampling", ["acquisition", "active_on"])
def test_all_engines_give_the_same_spells_and_table(sampling, tmp_path):
    begin = {"observation_start": "2023-02-10"} if sampling == "active_on" else {}
    arguments = {"sampling": sampling, "observation_end": "2023-12-31", "cause": "why", "covariates": ["plan"], **begin}
    reference = read_contracts(dated(LOG), **arguments)
    table = retention_table(reference, period="M", by="plan")
    for name, source in engines(dated(LOG), tmp_path).items():
        spells = read_contracts(source, **arguments)
        told = (spells.rows, spells.set_aside, spells.settled, spells.checks)
        assert told == (reference.rows, reference.set_aside, reference.settled, reference.checks), name
        pd.testing.assert_frame_equal(in_pandas(spells.frame), in_pandas(reference.frame), obj=f"spells of {name}")
        pd.testing.assert_frame_equal(
            retention_table(spells, period="M", by="plan"), table, check_dtype=False, obj=name
        )


def test_text_is_read_from_files_and_pandas_alike(tmp_path):
    LOG.to_csv(tmp_path / "log.csv", index=False)
    ours, theirs = (read_contracts(source, **ACQUISITION, cause="why") for source in (LOG, tmp_path / "log.csv"))
    assert (ours.set_aside, ours.settled, ours.rows) == (theirs.set_aside, theirs.settled, theirs.rows)


def test_text_in_polars_is_read_like_text_in_pandas():
    columns = {name: LOG[name].astype(object).where(LOG[name].notna(), None).to_list() for name in LOG}
    ours, theirs = (read_contracts(source, **ACQUISITION, cause="why") for source in (LOG, pl.DataFrame(columns)))
    assert (ours.set_aside, ours.settled, ours.rows) == (theirs.set_aside, theirs.settled, theirs.rows)


def test_causes_may_be_numbers():
    log = pd.DataFrame({"customer_id": [1, 2], "start": "2023-01-01", "end": ["2023-02-01", None], "why": [3, 4]})
    assert read_contracts(log, **ACQUISITION, cause="why").frame["cause"].iloc[0] == "3"


def test_a_log_without_any_end_is_read():
    log = pd.DataFrame({"customer_id": [1, 2], "start": ["2023-01-01", "2023-02-01"], "end": [None, None]})
    spells = read_contracts(log, **ACQUISITION)
    assert not spells.frame["churned"].any()
    assert spells.checks[1].passed is None
    polars = pl.DataFrame({"customer_id": [1, 2], "start": log["start"].to_list(), "end": [None, None]})
    polars = polars.with_columns(pl.col("start").str.to_date())
    assert read_contracts(polars, **ACQUISITION).rows == 2


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"observation_start": "2023-01-01"}, "sampling 'acquisition' follows contracts from their starts"),
        ({}, {"sampling": "window"}, "sampling 'window' needs observation_start"),
        ({}, {"sampling": "random"}, "sampling must be one of 'acquisition', 'active_on', 'window'"),
        (
            {},
            {"sampling": "window", "observation_start": "2024-01-01"},
            "observation_start 2024-01-01 does not lie before",
        ),
        ({}, {"observation_end": "someday"}, "observation_end must be a day such as '1997-09-30', not 'someday'"),
        ({}, {"observation_end": "05.06.2024"}, "observation_end must be a day such as .*, not '05.06.2024'"),
        ({}, {"end": "finish"}, r"has no column 'finish'; it has customer_id, start, end, why, plan\. Say which"),
        ({}, {"covariates": ["town"]}, "has no column 'town'"),
        ({"_zone": 1}, {"covariates": ["_zone"]}, "_zone: the spells have columns of that name, or that begin with _"),
        ({}, {"end": "start"}, "column 'start' cannot be start and end at once; name two different columns"),
        ({}, {"join_within": -1}, "join_within must be a whole number, 0 or more; got -1"),
        ({"tenure": 1}, {"covariates": ["tenure"]}, "covariates tenure: the spells have columns of that name"),
        ({"start": "x"}, {}, "no contract can be used: 1 row without a customer_id, 12 rows without a readable start"),
    ],
)
def test_contradictions_are_named(change, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_contracts(LOG.assign(**change), **{**ACQUISITION, **arguments})


def test_a_covariate_may_be_named_by_its_name_alone():
    spells = read_contracts(LOG, **ACQUISITION, covariates="plan")
    assert spells.covariates == ("plan",)
    assert read_contracts(LOG, **ACQUISITION, covariates=["plan", "plan"]).covariates == ("plan",)
    pd.testing.assert_frame_equal(spells.frame, read_contracts(LOG, **ACQUISITION, covariates=["plan"]).frame)


def test_what_is_no_frame_is_named_and_what_a_file_has_is_told(tmp_path):
    with pytest.raises(TypeError, match=r"the log must be the path of a file, or a frame of pandas.*not dict"):
        read_contracts({"customer_id": [1]}, **ACQUISITION)
    LOG.rename(columns={"end": "left"}).to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match=r"no column 'end'; it has customer_id, start, left, why, plan\."):
        read_contracts(tmp_path / "log.csv", **ACQUISITION)


def test_mixed_time_zones_are_an_error_unless_one_is_chosen():
    start = ["2023-01-01T23:30Z", "2023-01-01T23:30+02:00"]
    log = pd.DataFrame({"customer_id": [1, 2], "start": start, "end": [None, None]})
    with pytest.raises(ValueError, match="column 'start' mixes time zones"):
        read_contracts(log, **ACQUISITION)
    assert read_contracts(log, **ACQUISITION, time_zone="Europe/Berlin").frame["tenure"].tolist() == [363, 364]


# Sampling designs: the same business seen through three logs

RETENTION = np.array([0.7, 0.8, 0.85, 0.9])  # at the first, second, third and every later monthly renewal
TRUTH_12 = RETENTION[:3].prod() * RETENTION[3] ** 9
DAY = pd.Timestamp("2021-06-10"), pd.Timestamp("2022-06-10")
MONTH_BEFORE = DAY[1] - pd.DateOffset(months=1)


@pytest.fixture(scope="module")
def business():
    """Contracts since 2018, ending at their monthly renewals; survival is known."""
    rng = np.random.default_rng(2)
    n = 30_000
    start = pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 1620, n), "D")
    keeps = rng.random((n, 60)) < np.append(RETENTION[:3], np.full(57, RETENTION[3]))
    months = 1 + np.argmin(np.column_stack([keeps, np.zeros(n, dtype=bool)]), axis=1)
    whole = (start.to_numpy().astype("datetime64[M]") + months).astype("datetime64[ns]")
    last = pd.DatetimeIndex(whole).days_in_month
    end = pd.Series(pd.DatetimeIndex(whole) + pd.to_timedelta(np.minimum(start.day, last) - 1, "D"))
    return pd.DataFrame({"customer_id": range(n), "start": start, "end": end.where(end <= DAY[1])})


def since(business, begin):
    """What a log holds that knows nothing of contracts that had ended by a day."""
    return business[business["end"].isna() | (business["end"] > begin)]


@pytest.mark.parametrize(
    ("sampling", "begin"), [("acquisition", None), ("active_on", DAY[0]), ("window", MONTH_BEFORE)], ids=str
)
def test_each_design_read_as_what_it_is_finds_the_truth(business, sampling, begin):
    log = business if begin is None else since(business, begin)
    spells = read_contracts(log, sampling=sampling, observation_start=begin, observation_end=DAY[1])
    assert spells.checks[1].passed
    sums = retention_table(spells, period="M").groupby("tenure")[["at_risk", "lost"]].sum().loc[[1, 2, 3, 4, 10]]
    truth = RETENTION[[0, 1, 2, 3, 3]]
    error = np.sqrt(truth * (1 - truth) / sums["at_risk"])
    assert np.all(np.abs(1 - sums["lost"] / sums["at_risk"] - truth) < 3.5 * error)


def test_a_window_read_as_an_ordinary_cohort_is_far_off_and_the_check_says_so(business):
    log = since(business, MONTH_BEFORE)
    wrong = read_contracts(log, sampling="acquisition", observation_end=DAY[1])
    right = read_contracts(log, sampling="window", observation_start=MONTH_BEFORE, observation_end=DAY[1])
    naive, read = (
        kaplan_meier(s.frame["tenure"], s.frame["churned"], entry=s.frame["entry"]).survival_function(366)
        for s in (wrong, right)
    )
    assert naive > 0.6 > 2 * TRUTH_12
    assert read == pytest.approx(TRUTH_12, abs=0.06)
    assert not wrong.checks[1].passed
    assert "should have ended before. A log of the contracts that run on one day" in wrong.checks[1].detail


def test_survival_from_the_start_is_not_claimed_where_nobody_was_seen_there(business):
    log = since(business, DAY[0])
    log = log[log["start"] < "2020-01-01"]
    spells = read_contracts(log, sampling="active_on", observation_start=DAY[0], observation_end=DAY[1])
    assert not spells.checks[0].passed
    assert "Survival is that of customers who stayed so long" in spells.checks[0].detail
    table = retention_table(spells, period="M")
    assert table["tenure"].min() == 18
    assert table.attrs["checks"][0]["passed"] is False
    assert "customers who made 17 renewals" in table.attrs["checks"][0]["detail"]
    assert kaplan_meier(spells.frame["tenure"], spells.frame["churned"], entry=spells.frame["entry"]).start > 500


def test_a_log_that_holds_ends_its_design_would_not_is_doubted(business):
    spells = read_contracts(business, sampling="active_on", observation_start=DAY[0], observation_end=DAY[1])
    assert spells.checks[1].passed is False
    assert "Correct observation_start, if observation began before 2021-06-10" in spells.checks[1].remedy
    assert spells.set_aside["spells that ended by 2021-06-10, before observation began"] > 1000
