"""Names of columns, ids, the last day and the kind of a file are taken as meant, or the true reason is given."""

import datetime as dt
import gzip
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.cli import main

LOG = pd.DataFrame(
    {
        "customer_id": [14096, 14096, 14097, 14098],
        "date": ["2024-01-05", "2024-02-14", "2024-01-20", "2024-03-01"],
        "amount": [20.0, 30.0, 15.0, 12.5],
    }
)
TEXT = LOG.to_csv(index=False)


def write(path, text=TEXT, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


# Ids


@pytest.mark.parametrize("blank", [False, True])
def test_whole_numbers_with_a_point_and_a_zero_are_whole_numbers_in_a_file(blank, tmp_path):
    ids = LOG["customer_id"].astype(float)
    text = LOG.assign(customer_id=ids.where(LOG.index != 3) if blank else ids).to_csv(index=False)
    assert "14096.0" in text
    customers = rm.summarize(rm.read_transactions(write(tmp_path / "log.csv", text), max_set_aside=0.5))
    assert customers.index.tolist() == [14096, 14097] + [14098] * (not blank)
    assert customers.index.dtype == np.int64


def test_ids_with_other_decimals_keep_them(tmp_path):
    path = write(tmp_path / "log.csv", TEXT.replace("14096,", "14096.5,"))
    assert "14096.5" in set(map(str, rm.summarize(path).index))


# Days


LAST_DAYS = {
    "datetime64": np.datetime64("2024-06-30"),
    "datetime64 with a time": np.datetime64("2024-06-30T14:30"),
    "datetime64 in nanoseconds": np.datetime64("2024-06-30T14:30:00", "ns"),
    "Timestamp": pd.Timestamp("2024-06-30"),
    "Timestamp with a time": pd.Timestamp("2024-06-30 14:30"),
    "datetime with a time": dt.datetime(2024, 6, 30, 14, 30),
    "date": dt.date(2024, 6, 30),
}


@pytest.mark.parametrize("name", LAST_DAYS)
def test_the_last_day_is_that_of_a_moment(name):
    expected = rm.summarize(LOG, observation_end="2024-06-30")
    pd.testing.assert_frame_equal(rm.summarize(LOG, observation_end=LAST_DAYS[name]), expected)
    window = rm.read_transactions(LOG).window(observation_end=LAST_DAYS[name])
    pd.testing.assert_frame_equal(rm.summarize(window), expected)
    contracts = pd.DataFrame({"customer_id": [1, 2], "start": ["2024-01-01"] * 2, "end": ["2024-02-01", None]})
    spells = rm.read_contracts(contracts, sampling="acquisition", observation_end=LAST_DAYS[name])
    same = rm.read_contracts(contracts, sampling="acquisition", observation_end="2024-06-30")
    assert spells.frame["tenure"].tolist() == same.frame["tenure"].tolist()


@pytest.mark.parametrize("wrong", [np.datetime64("NaT"), pd.NaT])
def test_no_moment_is_no_last_day(wrong):
    with pytest.raises(ValueError, match="observation_end"):
        rm.summarize(LOG, observation_end=wrong)


def test_a_summary_takes_its_columns_by_position():
    log = LOG.set_axis(["id", "when", "paid"], axis=1)
    expected = rm.summarize(log, customer_id="id", date="when", amount="paid")
    pd.testing.assert_frame_equal(rm.summarize(log, "id", "when", "paid"), expected)


# Names of columns


NEARLY = {  # as the file names it, as it is asked for
    "capitals": ("Customer_ID", "customer_id"),
    "small letters": ("customer_id", "Customer_Id"),
    "a blank before": (" Order ID", "Order ID"),
    "a blank behind": ("Order ID ", "Order ID"),
    "a blank between": ("Customer ID", "CustomerID"),
    "capitals and a blank": ("Customer ID", "customer id"),
    "two blanks": ("Customer  ID", "Customer ID"),
}


@pytest.mark.parametrize("name", NEARLY)
def test_a_name_that_differs_by_case_or_blanks_is_suggested(name, tmp_path, capsys):
    named, asked = NEARLY[name]
    log = LOG.rename(columns={"customer_id": named})
    suggestion = rf"(?i:did you mean).*{re.escape(named)}"
    path = write(tmp_path / "log.csv", log.to_csv(index=False))
    is_plain = named == " ".join(named.split())  # blanks around a name in a file do not matter
    for source in (log, pl.from_pandas(log), *([path] if is_plain else [])):
        with pytest.raises(ValueError, match=suggestion):
            rm.read_transactions(source, customer_id=asked)
        with pytest.raises(ValueError, match=suggestion):
            rm.summarize(source, asked)
    if not is_plain:
        return
    command = ["fit", "--transactions", str(path), "--customer-id", asked, "--output", str(tmp_path / "fit.json")]
    assert main(command) == 1
    assert re.search(suggestion, capsys.readouterr().err)


def test_contracts_and_experiments_suggest_a_name_too():
    contracts = pd.DataFrame({"customer_id": [1], "Start": ["2024-01-01"], "end": [None]})
    with pytest.raises(ValueError, match=r"(?i:did you mean).*Start"):
        rm.read_contracts(contracts, sampling="acquisition", observation_end="2024-06-30")
    rows = pd.DataFrame({"arm": ["a", "a", "b", "b"], "Spend": [1.0, 2, 3, 4]})
    with pytest.raises(ValueError, match=r"(?i:did you mean).*Spend"):
        rm.Experiment.from_rows(rows, rm.Plan(assigned_by="random", control="a"), arm="arm", outcomes=["spend"])


def test_nothing_is_suggested_for_a_name_that_is_another():
    with pytest.raises(ValueError, match="no column 'buyer'") as error:
        rm.read_transactions(LOG, customer_id="buyer")
    assert "did you mean" not in str(error.value).lower()


# Files that are not what their name says


def parquet(path):
    pl.DataFrame(LOG.to_dict("list")).write_parquet(path)


FILES = {
    "gzip": (lambda path: path.write_bytes(gzip.compress(TEXT.encode())), r"(?i)gzip|\.gz|compressed"),
    "Parquet": (parquet, "(?i)parquet"),
    "UTF-16 without a mark": (lambda path: path.write_text(TEXT, encoding="utf-16-le"), "(?i)utf-16"),
}


@pytest.mark.parametrize("ending", [".csv", ".txt"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_than_its_name_says_gets_the_true_reason(name, ending, tmp_path, capsys):
    make, reason = FILES[name]
    path = tmp_path / f"orders{ending}"
    make(path)
    with pytest.raises(ValueError, match=reason) as error:
        rm.read_transactions(path)
    assert path.name in str(error.value)
    assert "latin" not in str(error.value)
    assert main(["fit", "--transactions", str(path), "--output", str(tmp_path / "fit.json")]) == 1
    assert re.search(reason, capsys.readouterr().err)


# Messages


TEMPLATE = re.compile(r"\{[A-Za-z_][\w.\[\]]*(![rsa])?(:[^}]*)?\}")
FAULTS = {
    "amounts in words": {"amount": ["a", "b", "c", "d"]},
    "amounts missing": {"amount": [None] * 4},
    "amounts of truth": {"amount": [True, False, True, False]},
    "amounts as lists": {"amount": [[1], [2], [3], [4]]},
    "amounts of two readings": {"amount": ["1,234", "2,345", "3,456", "4,567"]},
    "amounts as days": {"amount": pd.to_datetime(LOG["date"])},
    "days in words": {"date": ["a", "b", "c", "d"]},
    "days missing": {"date": [None] * 4},
    "days of truth": {"date": [True, False, True, False]},
    "days of two readings": {"date": ["3/4/2024"] * 4},
    "days as numbers": {"date": [1.5, 2.5, 3.5, 4.5]},
    "days as lists": {"date": [[1], [2], [3], [4]]},
    "ids missing": {"customer_id": [None] * 4},
    "ids of several types": {"customer_id": [1, "a", 2.5, None]},
}


@pytest.mark.parametrize("name", FAULTS)
def test_no_message_is_a_template(name):
    for call in (rm.read_transactions, rm.summarize, rm.logs.histories, rm.logs.choose_settings):
        with pytest.raises((ValueError, TypeError)) as error:
            call(LOG.assign(**FAULTS[name]))
        assert not TEMPLATE.search(str(error.value)), str(error.value)


@pytest.mark.parametrize("name", [name for name in FAULTS if name.startswith("amounts") and "truth" not in name])
def test_no_message_about_an_experiment_is_a_template(name):
    rows = LOG.assign(**FAULTS[name], arm=["a", "a", "b", "b"])
    with pytest.raises((ValueError, TypeError)) as error:
        rm.Experiment.from_rows(
            rows, rm.Plan(assigned_by="random", control="a"), arm="arm", outcomes=["amount"], customer_id=None
        )
    assert not TEMPLATE.search(str(error.value)), str(error.value)


# What a function advises, it takes


FIT = rm.fit(rm.NBD, rm.NBD(0.8, 6).simulate([30.0] * 200, 1))
TAKE_A_LOG = {
    "choose_settings": rm.logs.choose_settings,
    "check_accounts": rm.logs.check_accounts,
    "check_last_day": rm.logs.check_last_day,
    "check_regularity": rm.logs.check_regularity,
    "cohort_retention": lambda log: rm.logs.cohort_retention(log, period="M"),
    "purchases_per_period": lambda log: rm.logs.purchases_per_period(log, period="M"),
    "overview": rm.narrative.overview,
    "tracking": lambda log: rm.evaluation.tracking(FIT, log),
    "alive_history": lambda log: rm.evaluation.alive_history(FIT, log, 14096),
}


@pytest.mark.parametrize("name", TAKE_A_LOG)
def test_a_function_without_names_of_columns_says_how_to_read_the_log(name):
    with pytest.raises(ValueError, match=r"Read the log first, with read_transactions\(log, customer_id") as error:
        TAKE_A_LOG[name](LOG.drop(columns="amount"))
    assert "Say which is which" not in str(error.value)
    TAKE_A_LOG[name](rm.read_transactions(LOG.drop(columns="amount"), amount=None))
