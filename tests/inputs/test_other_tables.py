"""Contracts and experiments are read by the same forms as purchases."""

import runpy
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.campaign.interim import interim_looks

FORMS = runpy.run_path(str(Path(__file__).with_name("forms.py")))
AMOUNTS, WRITTEN_DAYS = FORMS["AMOUNTS"], FORMS["WRITTEN_DAYS"]
write_csv, to_workbook = FORMS["write_csv"], FORMS["to_workbook"]

KINDS = {
    "CSV": write_csv,
    "workbook": to_workbook,
    "pandas": lambda table, _: pd.DataFrame(table),
    "Polars": lambda table, _: pl.DataFrame(table),
    "DuckDB": lambda table, _: duckdb.from_df(pd.DataFrame(table)),
}

# Contracts

N = 60
RNG = np.random.default_rng(5)
STARTS = pd.Timestamp("2023-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), unit="D")
ENDS = STARTS + pd.to_timedelta(RNG.integers(20, 150, N), unit="D")
FOLLOWED = {"sampling": "acquisition", "observation_end": "2024-06-30"}


def contracts(write, active=""):
    """Of three contracts one is active: its end is blank, or what people write for none."""
    ends = [active if i % 3 == 0 else write(end) for i, end in enumerate(ENDS)]
    return {"customer_id": list(range(N)), "start": [write(start) for start in STARTS], "end": ends}


def iso(day):
    return day.strftime("%Y-%m-%d")


def spells(source, **options):
    frame = rm.read_contracts(source, **FOLLOWED, **options).frame
    return FORMS["nw"].from_native(frame).lazy().collect(backend="pandas").to_native().sort_values("customer_id")


def assert_same_spells(found):
    expected = spells(pd.DataFrame(contracts(iso)))
    for name in ("customer_id", "tenure", "churned"):
        assert found[name].tolist() == expected[name].tolist()


def test_iso_days_of_contracts_are_read(tmp_path):
    assert_same_spells(spells(write_csv(contracts(iso), tmp_path)))


FORMS_OF_DAYS = ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%Y", "%d.%m.%y", "%m/%d/%Y, no zeros"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMS_OF_DAYS)
def test_contracts_are_the_same_in_every_form(name, kind, tmp_path):
    assert_same_spells(spells(KINDS[kind](contracts(WRITTEN_DAYS[name].write), tmp_path)))


@pytest.mark.parametrize("active", ["", "NULL", "n/a", "-"])
def test_what_people_write_for_no_end_settles_and_spoils_nothing(active, tmp_path):
    assert_same_spells(spells(write_csv(contracts(WRITTEN_DAYS["%d/%m/%Y"].write, active), tmp_path)))


@pytest.mark.parametrize("name", ["yyyymmdd", "unix_s", "unix_days", "excel"])
def test_contracts_with_days_as_numbers_are_read(name, tmp_path):
    write = FORMS["DAYS"][name].write
    assert_same_spells(spells(write_csv(contracts(write), tmp_path)))
    assert_same_spells(spells(pl.DataFrame(contracts(write, None))))


def test_contracts_of_two_readings_are_refused_and_settled_by_date_format():
    table = pd.DataFrame({"customer_id": [1, 2], "start": ["01/02/2023", "03/04/2023"], "end": ["05/06/2023", None]})
    with pytest.raises(ValueError, match="date_format") as error:
        rm.read_contracts(table, **FOLLOWED)
    assert "0" in str(error.value)
    assert "/2023" in str(error.value)
    days = {"%d/%m/%Y": ("2023-02-01", "2023-06-05"), "%m/%d/%Y": ("2023-01-02", "2023-05-06")}
    for date_format, (start, end) in days.items():
        tenure = (pd.Timestamp(end) - pd.Timestamp(start)).days
        assert abs(spells(table, date_format=date_format)["tenure"].iloc[0] - tenure) <= 1


# Experiments

ARMS = ["none", "mail"] * (N // 2)
SPENT = np.where(np.arange(N) % 4 < 2, RNG.gamma(2, 900, N).round(2), 0.0)
SPENT[4] = 337_300.0


def experiment(source, **options):
    test = rm.Experiment.from_rows(
        source, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["spend"], **options
    )
    return test.table()["spend"].to_dict()


def outcomes(write):
    return {"customer_id": list(range(N)), "arm": ARMS, "spend": [write(value) for value in SPENT]}


EXPECTED = {arm: SPENT[np.array(ARMS) == arm].mean() for arm in ("none", "mail")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AMOUNTS)
def test_outcomes_are_the_same_in_every_form(name, kind, tmp_path):
    found = experiment(KINDS[kind](outcomes(AMOUNTS[name].write), tmp_path))
    assert found == pytest.approx(EXPECTED, rel=1e-10)


def test_one_outcome_in_hundreds_of_thousands_among_small_ones_is_read():
    rows = pd.DataFrame({"arm": ["none", "none", "mail", "mail"], "spend": ["337,300.00", "0.00", "12.50", "7.50"]})
    assert experiment(rows) == pytest.approx({"none": 168_650.0, "mail": 10.0})


def test_outcomes_of_two_readings_are_refused_and_settled_by_decimal():
    rows = pd.DataFrame({"arm": ["none", "none", "mail", "mail"], "spend": ["1,234", "2,345", "3,456", "4,567"]})
    with pytest.raises(ValueError, match="decimal") as error:
        experiment(rows)
    assert any(value in str(error.value) for value in rows["spend"])
    assert "4" in str(error.value)
    assert experiment(rows, decimal=".") == pytest.approx({"none": 1789.5, "mail": 4011.5})
    assert experiment(rows, decimal=",") == pytest.approx({"none": 1.7895, "mail": 4.0115})


def test_an_outcome_without_a_number_is_shown():
    rows = pd.DataFrame({"arm": ["none", "none", "mail", "mail"], "spend": ["12.50", "a lot", "3.40", "4.50"]})
    with pytest.raises(ValueError, match="a lot"):
        experiment(rows)


def test_covariates_are_read_by_the_same_forms():
    rows = pd.DataFrame(outcomes(AMOUNTS["1.234,50 €"].write)).assign(before=lambda d: d["spend"])
    test = rm.Experiment.from_rows(
        rows,
        rm.Plan(assigned_by="random", control="none"),
        arm="arm",
        outcomes=["spend"],
        covariates=["before"],
        customer_id=None,
    )
    assert test.table()["spend"].to_dict() == pytest.approx(EXPECTED)


# Yes and no

WORDS = [("Y", "N"), ("y", "n"), (" Y", "N "), ("Yes", "No"), ("TRUE", "FALSE"), ("1", "0")]
WORDS += [("ja", "nein"), ("Oui", "Non"), ("sí", "no"), ("SI", "NO"), ("sim", "NÃO")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", WORDS)
def test_y_and_n_are_yes_and_no_in_an_experiment(words, kind, tmp_path):
    yes, no = words
    bought = [yes if value > 0 else no for value in SPENT]
    source = KINDS[kind](outcomes(str) | {"spend": bought}, tmp_path)
    expected = {arm: (SPENT[np.array(ARMS) == arm] > 0).mean() for arm in ("none", "mail")}
    assert experiment(source) == pytest.approx(expected)


@pytest.mark.parametrize("words", WORDS)
def test_y_and_n_are_yes_and_no_in_a_snapshot(words, tmp_path):
    left = RNG.random(N) < 0.4
    table = {"tenure": RNG.integers(1, 9, N).tolist(), "churned": [words[0] if gone else words[1] for gone in left]}
    read = rm.logs.retention_table_from_tenures
    plain = read(pd.DataFrame(table).assign(churned=left), sampling="acquisition")
    for source in (write_csv(table, tmp_path), pd.DataFrame(table), pl.DataFrame(table)):
        pd.testing.assert_frame_equal(read(source, sampling="acquisition"), plain, check_dtype=False)


@pytest.mark.parametrize("other", ["maybe", "J"])
def test_a_third_word_among_y_and_n_is_refused_and_shown(other):
    rows = pd.DataFrame({"arm": ["none", "mail"] * 4, "spend": ["Y", "N", "N", "Y", "Y", "N", "Y", other]})
    with pytest.raises(ValueError, match=other):
        experiment(rows)


@pytest.mark.parametrize(("longest", "period", "counted"), [(732, 1, "days"), (2000, 7, "weeks"), (481, "M", "months")])
def test_tenures_that_cannot_be_months_are_asked_about(longest, period, counted):
    tenures = [1 + i * (longest - 1) // 199 for i in range(200)]
    table = pd.DataFrame({"tenure": tenures, "left": ["Y", "N", "N", "N"] * 50})
    names = {"tenure": "tenure", "churned": "left", "sampling": "window", "observation_end": "2024-06-30"}
    with pytest.raises(ValueError, match=rf"'tenure' reaches {longest:,}, which would be \d+ years of months: state"):
        rm.logs.choose_settings(table, **names)
    assert f"Time is counted in {counted}" in rm.logs.choose_settings(table, **names, period=period).reasons["period"]


# What a new user met


def test_days_of_assignment_in_text_are_days():
    rows = pd.DataFrame({"arm": ["none", "mail"] * 700, "spend": [float(i % 13) for i in range(1400)]})
    days = pd.Series(pd.date_range("2024-03-01", periods=14)).repeat(100).reset_index(drop=True)
    looks = []
    for written in (days, days.dt.strftime("%Y-%m-%d"), days.dt.strftime("%d.%m.%Y").str.lstrip("0")):
        table = rows.assign(assigned=written)
        planned = {"planned_customers": 3000, "looks": (0.1, 0.2, 0.3, 0.4)}
        campaign = rm.interventions.read_campaign(
            table, outcome="spend", assigned="assigned", control="none", **planned, assigned_by="random"
        )
        looks.append(interim_looks(campaign))
    for other in looks[1:]:
        pd.testing.assert_frame_equal(other, looks[0])


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "UTC"])
def test_times_of_shops_with_a_blank_before_the_offset_are_instants(zone, tmp_path):
    times = ["2023-01-02 07:15:15 +0100", "2023-01-09 23:30:00 +0100", "2023-03-01 00:10:00 +0100"]
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": times, "amount": 1.0})
    log.to_csv(tmp_path / "shop.csv", index=False)
    plain = log.assign(date=log["date"].str.replace(" +0100", "+01:00"))
    expected = rm.read_transactions(plain, time_zone=zone).frame["date"].tolist()
    assert rm.read_transactions(log, time_zone=zone).frame["date"].tolist() == expected
    assert sorted(rm.read_transactions(tmp_path / "shop.csv", time_zone=zone).frame.df()["date"]) == sorted(expected)


def test_a_stated_form_leaves_days_in_iso_as_they_are():
    starts = pd.Series(pd.date_range("2022-01-03", periods=300, freq="2D"))
    ends = (starts + pd.Timedelta(50, "D")).dt.strftime("%m/%d/%Y").where(starts.index % 2 == 0, "active")
    rows = pd.DataFrame({"customer_id": range(300), "start": starts.dt.strftime("%Y-%m-%d"), "end": ends})
    asked = {"sampling": "acquisition", "observation_end": "2023-12-31"}
    spells = rm.read_contracts(rows, **asked, date_format="%m/%d/%Y")
    assert spells.rows == 300
    assert spells.formats == {"end": "%m/%d/%Y"}
    assert sum(spells.settled.values()) == 150


def test_two_currencies_are_not_added_up():
    log = pd.DataFrame(
        {"customer_id": [1, 2, 3, 4], "date": "2024-01-05", "amount": ["$1.50", "€2.50", "$3.25", "4.10"]}
    )
    with pytest.raises(ValueError, match=r"'amount' mixes currencies: 2 rows with \$, 1 rows with €; convert them"):
        rm.read_transactions(log)
    with pytest.raises(ValueError, match="'amount' mixes currencies"):
        rm.read_transactions(log, decimal=".")
    log["currency"] = ["USD", "EUR", "USD", "USD"]
    assert rm.read_transactions(log, where="currency=USD").frame["amount"].tolist() == [1.5, 3.25, 4.1]


LATE = {
    "a second currency": ("amount", lambda rows: ("€" + rows).where(rows.index < 4500, "$" + rows), "mixes currencies"),
    "decimal commas": ("amount", lambda rows: rows.str.replace(".", ","), "mixes formats"),
    "another form of days": ("date", lambda rows: pd.to_datetime(rows).dt.strftime("%d/%m/%Y"), "mixes formats"),
}


@pytest.mark.parametrize("name", LATE)
def test_what_comes_late_in_a_long_file_counts_as_in_a_frame(name, tmp_path):
    days = pd.Series(pd.date_range("2023-01-01", periods=5000, freq="3h").strftime("%Y-%m-%d"))
    log = pd.DataFrame({"customer_id": range(5000), "date": days, "amount": [f"{i % 90}.5" for i in range(5000)]})
    column, change, words = LATE[name]
    log.loc[4000:, column] = change(log.loc[4000:, column])
    log.to_csv(tmp_path / "log.csv", index=False)
    for source in (log, tmp_path / "log.csv"):
        with pytest.raises(ValueError, match=rf"'{column}' {words}"):
            rm.read_transactions(source)
