"""Every door reads every kind of frame and file, with the result of a plain pandas frame."""

import gzip
import sys
from functools import cache, partial
from time import process_time

import duckdb
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main
from retention_models.interventions.campaign.interim import interim_looks
from retention_models.interventions.campaign.read import read_campaign
from retention_models.interventions.designs.encouragement import as_treated_difference
from retention_models.interventions.designs.from_counts import effects_of_counts
from retention_models.tables.frames import collect, on_engine

N = 240
RNG = np.random.default_rng(11)
ARM = np.array(["none", "mail"])[np.arange(N) % 2]
DAYS = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), unit="D")
BOUGHT = (RNG.random(N) < 0.4).astype(int)

# Columns that nobody asks for have names that the readers use, or that engines take for something else.
UNASKED = {"_zone": 1, "_whole_id": 1, "_zone date": 1, "_whole customer_id": 1, "a.b": 1, 'a "b"': 1, "Date": "x"}

LOG = pd.DataFrame(
    {
        "customer_id": np.arange(N) % 61,
        "date": DAYS.astype("datetime64[us]"),
        "amount": np.where(np.arange(N) % 50 == 3, np.nan, RNG.gamma(2, 15, N).round(2)),
        **UNASKED,
    }
)
ENDS = pd.Series(DAYS.astype("datetime64[us]")) + pd.to_timedelta(RNG.integers(5, 200, N), unit="D")
CONTRACTS = pd.DataFrame(
    {
        "customer_id": np.arange(N),
        "start": DAYS.astype("datetime64[us]"),
        "end": ENDS.where(np.arange(N) % 3 > 0),
        "why": np.array(["price", "moved"])[np.arange(N) % 2],
        "plan.type": np.array(["basic", "full"])[np.arange(N) // 3 % 2],
        "city": 10 + np.arange(N) % 2,
        **UNASKED,
    }
)
SNAPSHOT = pd.DataFrame(
    {
        "tenure": 1 + RNG.integers(0, 20, N),
        "churned": np.where(RNG.random(N) < 0.3, "Yes", "No"),
        "plan.type": np.array(["basic", "full"])[np.arange(N) % 2],
        **UNASKED,
    }
)
ROWS = pd.DataFrame(
    {
        "customer_id": np.arange(N),
        "arm": ARM,
        "region": np.array(["north", "south"])[np.arange(N) // 2 % 2],
        "bought": BOUGHT,
        "spend": (BOUGHT * RNG.gamma(2, 20, N)).round(2),
        "before": RNG.gamma(2, 10, N).round(2),
        "got": ((ARM == "mail") & (np.arange(N) % 6 > 1)).astype(int),
        "week": 8 + np.arange(N) // 60,
        **UNASKED,
    }
)
SURVIVAL = pd.DataFrame(
    {"arm": ARM, "tenure": 1 + RNG.integers(0, 12, N), "churned": RNG.random(N) < 0.5, "n": 1 + np.arange(N) % 3}
)
WEDGE = pd.DataFrame([(shop, month) for shop in range(12) for month in range(8, 13)], columns=["shop", "month"])
WEDGE["on"] = (WEDGE["month"] - 8 > WEDGE["shop"] // 3).astype(int)
WEDGE["kept"] = (0.6 + 0.05 * WEDGE["on"] + RNG.normal(0, 0.02, len(WEDGE))).round(4)
MAILING = pd.DataFrame(
    {
        "customer_id": np.arange(61),
        "assigned": pd.Timestamp("2024-06-01").as_unit("us"),
        "arm": ARM[:61],
        "_id": 5,
        "days": 3,
        "plan.type": "basic",
    }
)
SUMS = pd.DataFrame({"arm": ["none", "mail"], "n": [100, 110], "y": [40.5, 52.25], "y*y": [60.5, 70.25]})
MEANS = pd.DataFrame({"arm": ["none", "mail"], "n": [100, 110], "mean": [4.5, 5.25], "std_dev": [1.5, 1.25]})
COUNTS = pd.DataFrame({"arm": ["none", "mail"], "n": [100, 110], "y": [40, 52]})
PUBLISHED = COUNTS.rename(columns={"y": "count"}).assign(
    experiment="E-mail", outcome="visit", control=[True, False], share=[1, 1], unit="share of customers"
)
HISTORIES = pd.DataFrame(
    {"frequency": np.arange(N) % 3, "recency": np.arange(N) % 3 * 1.5, "T": 5.5, "weight": 1 + np.arange(N) % 2}
)

PLAN = rm.Plan(assigned_by="random", control="none")
WINDOW = {"horizon_days": 28, "offer_days": 7, "observation_end": "2024-10-31"}
ROLES = {"covariate": "before", "block": "region", "received": "got", "assigned": "week"}


def sorted_rows(frame, by):
    return collect(on_engine(frame)).sort_values(by, ignore_index=True)


def spells(contracts, plan="plan.type"):
    return rm.read_contracts(
        contracts,
        sampling="acquisition",
        observation_end="2024-11-30",
        cause="why",
        covariates=[plan, "city"],
    )


def spells_and_tables(contracts, plan="plan.type"):
    read = spells(contracts, plan)
    by = [plan, "city"]
    yield sorted_rows(read.frame, "customer_id")
    yield rm.retention_table(read, period="M", by=by)
    yield pd.DataFrame([read.set_aside, read.settled])


def tables_of(experiment):
    outcome = rm.Outcome(column=experiment.columns[0])
    return experiment.table(), rm.evidence_table(rm.differences(experiment, outcome)).table


def experiment(rows):
    return rm.Experiment.from_rows(rows, PLAN, arm="arm", outcomes=["bought", "spend"], block="region")


def outcomes(log, mailing):
    return sorted_rows(rm.purchase_outcomes(log, mailing, **WINDOW), "customer_id")


def campaign_tables(rows):
    campaign = read_campaign(rows, outcome=["bought", "spend"], **ROLES, looks=(0.4, 0.7), assigned_by="random")
    yield rm.evidence_table(campaign.effects).table
    yield interim_looks(campaign)
    yield pd.DataFrame({"reason": [reason for reason in campaign.reasons if "is read with decimal" not in reason]})


def chosen_campaign(rows):
    campaign = read_campaign(rows, assigned_by="random")
    return [campaign.table, pd.DataFrame({"reason": campaign.reasons})]


def curves(rows):
    test = rm.contract_experiment(rows, PLAN, arm="arm", time_unit="M", weight="n")
    yield from (rm.survival.curve_table({arm: curve}) for arm, curve in test.curves.items())
    yield pd.DataFrame({"n": test.sizes})


def wedge(rows):
    names = {"cluster": "shop", "period": "month", "switched": "on"}
    return rm.interventions.stepped_wedge(
        rows, rm.Outcome(column="kept"), **names, draws=500, rng=np.random.default_rng(1), assigned_by="random"
    )


DOORS = {
    "summarize": (LOG, lambda log: [rm.summarize(log, calibration_end="2024-08-31")]),
    "histories": (LOG, lambda log: [rm.logs.histories(log)]),
    "read_transactions": (LOG, lambda log: [sorted_rows(rm.read_transactions(log).frame, ["customer_id", "date"])]),
    "compress": (HISTORIES, lambda customers: [rm.logs.compress(customers)]),
    "read_contracts": (CONTRACTS, spells_and_tables),
    "retention_table_from_tenures": (
        SNAPSHOT,
        lambda rows: [rm.logs.retention_table_from_tenures(rows, sampling="window", by="plan.type")],
    ),
    "Experiment.from_rows": (ROWS, lambda rows: tables_of(experiment(rows))),
    "Experiment.from_sums": (SUMS, lambda sums: tables_of(rm.Experiment.from_sums(sums, PLAN, columns=["y"]))),
    "Experiment.from_means": (MEANS, lambda means: tables_of(rm.Experiment.from_means(means, PLAN, outcome="y"))),
    "Experiment.from_counts": (COUNTS, lambda counts: tables_of(rm.Experiment.from_counts(counts, PLAN, outcome="y"))),
    "effects_of_counts": (
        PUBLISHED,
        lambda counts: [rm.evidence_table(effects_of_counts(counts, assigned_by="random")).table],
    ),
    "contract_experiment": (SURVIVAL, curves),
    "stepped_wedge": (WEDGE, lambda rows: [rm.evidence_table([wedge(rows)]).table]),
    "purchase_outcomes, log": (LOG, lambda log: [outcomes(log, MAILING)]),
    "purchase_outcomes, assignments": (MAILING, lambda mailing: [outcomes(LOG, mailing)]),
    "as_treated_difference": (
        ROWS,
        lambda rows: [
            rm.evidence_table([as_treated_difference(rows, rm.Outcome(column="spend"), received="got")]).table
        ],
    ),
    "read_campaign": (ROWS, campaign_tables),
    "read_campaign, outcome chosen": (ROWS[["customer_id", "arm", "region", "bought"]], chosen_campaign),
}


@cache
def of_plain_frame(door):
    plain, read = DOORS[door]
    return list(read(plain))


def check_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(
            ours, theirs, check_dtype=False, check_index_type=False, check_column_type=False, rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("door", DOORS)
def test_every_door_reads_every_source_like_a_plain_frame(door, source):
    plain, read = DOORS[door]
    check_same(list(read(source(plain))), of_plain_frame(door))


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning")
def test_every_door_reads_spark_like_a_plain_frame(in_spark):
    """But for names with a dot that stay."""
    named = CONTRACTS.rename(columns={"plan.type": "plan"}), partial(spells_and_tables, plan="plan")
    doors = {**DOORS, "read_contracts": named}
    wrong = {}
    for door, (plain, read) in doors.items():
        for text in (False, True):
            try:
                check_same(list(read(in_spark(plain, text=text))), list(read(plain)))
            except Exception as error:
                wrong[door, text] = f"{error!r:.300}"
    assert wrong == {}


# What was read at one door and refused, or read otherwise, at another.


def european(frame, folder):
    frame.to_csv(folder / "eu.csv", index=False, sep=";", decimal=",")
    return folder / "eu.csv"


def test_a_test_of_contracts_reads_semicolons_and_pq(tmp_path):
    measured = {"arm": "arm", "time_unit": "M"}
    plain = rm.contract_experiment(SURVIVAL, PLAN, **measured)
    SURVIVAL.to_parquet(tmp_path / "x.pq")
    for file in (european(SURVIVAL, tmp_path), tmp_path / "x.pq"):
        assert rm.contract_experiment(file, PLAN, **measured).sizes == plain.sizes


@pytest.mark.parametrize(
    "words", [("Yes", "No"), ("yes", "no"), ("1", "0"), ("TRUE", "false"), (True, False), ("Y", "n")]
)
def test_yes_and_no_are_read_in_frames_as_in_files(words, tmp_path):
    said = ROWS.assign(bought=np.where(BOUGHT == 1, *np.array(words, dtype=object)))
    said.to_csv(tmp_path / "said.csv", index=False)
    for rows in (said, tmp_path / "said.csv"):
        pd.testing.assert_frame_equal(experiment(rows).table(), experiment(ROWS).table())


@pytest.mark.parametrize("make", [lambda rows, _: rows, european])
def test_blanks_around_an_arm_do_not_make_another_and_capitals_do(make, tmp_path):
    blank = ROWS["arm"].where(np.arange(N) % 3 > 0, "\t" + ROWS["arm"] + "\u00a0 ")
    assert experiment(make(ROWS.assign(arm=blank), tmp_path)).arms == ("none", "mail")
    capital = ROWS["arm"].where(np.arange(N) % 5 != 1, "Mail")
    assert experiment(make(ROWS.assign(arm=capital), tmp_path)).arms == ("none", "Mail", "mail")


def test_a_group_may_have_a_dot_in_its_name():
    by = {"plan.type": "basic"}
    snapshot = pd.DataFrame({"tenure": [1, 2], "churned": ["Yes", "No"], **by})
    assert "plan.type" in rm.logs.retention_table_from_tenures(snapshot, sampling="acquisition", by=list(by))
    assert set(rm.retention_table(spells(CONTRACTS), period="M", by="plan.type")["plan.type"]) == {"basic", "full"}


def test_a_column_with_a_name_of_the_reader_replaces_nothing(tmp_path):
    contracts = pd.DataFrame(
        {"customer_id": range(400), "start": "2024-01-01", "end": None, "_whole_id": 7, "_zone": 1}
    )
    contracts.to_csv(tmp_path / "contracts.csv", index=False)
    read = rm.read_contracts(tmp_path / "contracts.csv", sampling="acquisition", observation_end="2024-06-30")
    assert read.rows == 400
    assert sorted_rows(read.frame, "customer_id")["customer_id"].tolist() == list(range(400))


def test_assignments_may_have_columns_with_names_of_the_calculation():
    found = outcomes(LOG, MAILING)
    assert found[["_id", "days", "plan.type"]].drop_duplicates().to_dict("list") == {
        "_id": [5],
        "days": [3],
        "plan.type": ["basic"],
    }


def test_assignments_of_another_database_are_brought_to_the_log():
    elsewhere = duckdb.connect().from_df(MAILING)
    pd.testing.assert_frame_equal(outcomes(LOG, elsewhere), outcomes(LOG, MAILING), check_dtype=False)


@pytest.mark.slow
def test_a_wide_file_costs_what_its_columns_asked_for_cost(tmp_path):
    """Trimming every column took a minute for a thousand columns, and more than ten for ten thousand."""
    wide = pd.DataFrame(1, index=range(20), columns=[f"column{i}" for i in range(10_000)])
    pd.concat([LOG.head(20)[["customer_id", "date", "amount"]], wide], axis=1).to_csv(
        tmp_path / "wide.csv", index=False
    )
    started = process_time()
    read = rm.read_transactions(tmp_path / "wide.csv")
    assert process_time() - started < 20
    assert read.columns == read.frame.columns == ["customer_id", "date", "amount"]


def test_a_missing_column_is_named_with_the_first_of_those_there_are():
    wide = pd.DataFrame(1, index=[0], columns=[f"c{i}" for i in range(100)])
    with pytest.raises(
        ValueError, match=r"no column 'customer_id', 'date', 'amount'; it has c0, .* c19 and 80 more\. "
    ):
        rm.summarize(wide)


def test_doubled_columns_matter_only_if_they_are_asked_for(tmp_path):
    doubled = pd.DataFrame([[1, "2024-01-01", 2, 5, 6]], columns=["customer_id", "date", "amount", "x", "x"])
    doubled.to_csv(tmp_path / "doubled.csv", index=False)
    for log in (doubled, tmp_path / "doubled.csv"):
        assert rm.read_transactions(log).rows == 1
        with pytest.raises(ValueError, match="the log has more than one column called x; rename or drop all but one"):
            rm.read_transactions(log, amount="x")


def test_a_comma_is_that_of_decimals_or_of_thousands_by_the_column():
    written = {"12,5": 12.5, "0,621": 0.621, "-0,0625": -0.0625, "1,2345": 1.2345}
    rows = pd.DataFrame({"arm": ["a", "b"] * 4, "y": [*written, *written]})
    test = rm.Experiment.from_rows(rows, rm.Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"])
    assert test.table()["y"].tolist() == pytest.approx([(12.5 - 0.0625) / 2, (0.621 + 1.2345) / 2])
    unclear = pd.DataFrame({"arm": ["a", "b"] * 4, "y": ["1,234", "2"] * 4})
    with pytest.raises(ValueError, match=r"column 'y' has values such as '1,234' in 4 of 8 rows.*decimal='\.'"):
        rm.Experiment.from_rows(unclear, rm.Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"])
    stated = rm.Experiment.from_rows(
        unclear, rm.Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"], decimal="."
    )
    assert stated.table()["y"].tolist() == [1234.0, 2.0]


# Workbooks and compressed files.


def test_a_workbook_with_several_sheets_of_rows_is_asked_about(workbook, tmp_path):
    workbook(tmp_path / "log.xlsx", January=LOG, February=LOG, Notes=pd.DataFrame())
    with pytest.raises(ValueError, match=r"one sheet with rows; it has 2 \(January, February\): keep one"):
        rm.read_transactions(tmp_path / "log.xlsx")
    workbook(tmp_path / "empty.xlsx", January=pd.DataFrame())
    with pytest.raises(ValueError, match=r"one sheet with rows; it is empty"):
        rm.read_transactions(tmp_path / "empty.xlsx")


def test_empty_rows_of_a_workbook_are_none(workbook, tmp_path):
    log = LOG[["customer_id", "date", "amount"]].dropna().head(3).reset_index(drop=True)
    workbook(tmp_path / "log.xlsx", log=log.reindex([0, 5, 1, 2, 6]))
    read = rm.read_transactions(tmp_path / "log.xlsx")
    assert (read.rows, read.set_aside) == (3, {})


def test_a_workbook_without_rows_has_none(workbook, tmp_path):
    workbook(tmp_path / "log.xlsx", log=LOG.head(0))
    with pytest.raises(ValueError, match="the log has no rows"):
        rm.read_transactions(tmp_path / "log.xlsx")


def test_without_the_extra_a_workbook_names_it(workbook, tmp_path, monkeypatch, capsys):
    workbook(tmp_path / "log.xlsx", log=LOG)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'retention-models\[spreadsheets\]'"):
        rm.read_transactions(tmp_path / "log.xlsx")
    fit = ["fit", "--transactions", str(tmp_path / "log.xlsx"), "--output", str(tmp_path / "fit.json")]
    assert main(fit) == 1
    assert "pip install 'retention-models[spreadsheets]'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["log.xlsx", "log.csv.gz"])
def test_a_damaged_file_is_named(name, tmp_path):
    (tmp_path / name).write_bytes(b"customer_id,date,amount\n1,2024-01-01,1\n")
    with pytest.raises(ValueError, match=rf"{name} cannot be read: the file is damaged\. "):
        rm.read_transactions(tmp_path / name)


def test_a_compressed_file_that_ends_early_is_named(tmp_path):
    whole = gzip.compress(LOG.to_csv(index=False).encode())
    (tmp_path / "log.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"log\.csv\.gz cannot be read: the file is damaged"):
        rm.read_transactions(tmp_path / "log.csv.gz")


def test_values_that_are_carried_along_keep_their_type():
    contracts = CONTRACTS.assign(price=np.where(np.arange(N) % 2, 10.0, 20.0), mixed=[1, "x"] * (N // 2))
    read = rm.read_contracts(
        contracts, sampling="acquisition", observation_end="2024-11-30", covariates=["price", "mixed"]
    )
    assert read.frame["price"].dtype == float
    assert set(read.frame["mixed"].astype(str)) == {"1", "x"}
    assert rm.logs.compress(HISTORIES).dtypes.to_dict() == HISTORIES.dtypes.to_dict()
