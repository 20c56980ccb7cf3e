"""Files as programs lay them out: separators, no header, encodings; amounts by item; currencies in a column."""

import gzip
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retention_models as rm
from retention_models.cli import main

write_workbook = runpy.run_path(str(Path(__file__).parents[1] / "tables" / "conftest.py"))["write_workbook"]

LOG = pd.DataFrame(
    {
        "customer_id": ["Müller", "Müller", "Ødegård", "Ødegård", "Łuk"],
        "date": ["2024-01-05", "2024-02-09", "2024-01-20", "2024-03-01", "2024-03-02"],
        "amount": [20.0, 30.5, 15.0, 12.25, 7.0],
    }
)
EXPECTED = rm.summarize(LOG)
SOURCES = [
    lambda log, _: log,
    lambda log, _: pl.from_pandas(log),
    lambda log, path: log.to_csv(path, index=False) or path,
]


def same(log, **reading):
    pd.testing.assert_frame_equal(rm.summarize(log, **reading), EXPECTED, check_dtype=False)


@pytest.mark.parametrize(
    ("separator", "stated"), [("~", "~"), ("\t", "tab"), (";", ";"), (" ", "space"), (" ", " "), ("#", "#"), (":", ":")]
)
def test_any_separator_can_be_stated(separator, stated, tmp_path):
    LOG.to_csv(tmp_path / "log.txt", sep=separator, index=False)
    same(tmp_path / "log.txt", separator=stated)


def test_a_stated_separator_overrides_a_more_frequent_one(tmp_path):
    header = "customer_id;date;amount;a,b,c,d,e\n"
    rows = LOG.to_csv(sep=";", index=False, header=False, lineterminator=";x\n")
    (tmp_path / "log.csv").write_text(header + rows)
    with pytest.raises(ValueError, match="the log has no column 'customer_id'"):
        rm.summarize(tmp_path / "log.csv")
    same(tmp_path / "log.csv", separator=";")


def test_blanks_of_any_number_separate_as_one(tmp_path):
    # as in the file of CDNOW: columns of fixed width, blanks around, and no header
    lines = [f"  {who:>9}  {day:%Y%m%d} {n}  {amount:>7.2f} \n" for who, day, n, amount in zip(
        ["00001", "00001", "00002"], pd.to_datetime(["1997-01-01", "1997-01-18", "1997-01-12"]), [1, 2, 1],
        [11.77, 12.0, 77.0], strict=True,
    )]  # fmt: skip
    (tmp_path / "CDNOW_master.txt").write_text("".join(lines))
    read = {"customer_id": "1", "date": "2", "amount": "4", "separator": "space", "no_header": True}
    log = rm.read_transactions(tmp_path / "CDNOW_master.txt", **read)
    assert log.rows == 3
    assert log.formats == {"2": "%Y%m%d"}
    assert rm.summarize(log).index.tolist() == ["00001", "00002"]  # leading zeros are part of a name


def test_a_line_with_too_few_values_is_named_also_between_blanks(tmp_path):
    (tmp_path / "log.txt").write_text("1  20240101  5\n\n2 20240102\n")
    with pytest.raises(ValueError, match=r"log\.txt has 2 instead of 3 in line 3"):
        rm.read_transactions(tmp_path / "log.txt", customer_id="1", date="2", amount="3", separator=" ", no_header=True)


def test_without_a_header_columns_are_called_by_their_numbers(tmp_path):
    LOG.to_csv(tmp_path / "log.csv", index=False, header=False)
    same(tmp_path / "log.csv", no_header=True, customer_id="1", date="2", amount="3")
    write_workbook(
        tmp_path / "log.xlsx", log=LOG.iloc[1:].set_axis(["Müller", "2024-01-05", 20.0], axis=1)
    )  # its first row as names
    same(tmp_path / "log.xlsx", no_header=True, customer_id="1", date="2", amount="3")


def test_a_first_line_of_values_is_told_from_names(tmp_path):
    (tmp_path / "log.csv").write_text("1,2024-01-05,20.0\n2,2024-01-05,20.0\n")
    with pytest.raises(ValueError, match="Its first line holds values: state no_header=True, and call columns by"):
        rm.read_transactions(tmp_path / "log.csv")


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "cp1250", "utf-16", "utf-16-le", "utf-8", "utf-8-sig", "mac_roman"]
)
def test_files_in_any_encoding_are_read_where_it_is_stated(encoding, tmp_path):
    log = LOG.assign(customer_id=LOG["customer_id"].str.encode(encoding, "replace").str.decode(encoding))
    log.to_csv(tmp_path / "log.csv", index=False, encoding=encoding)
    pd.testing.assert_frame_equal(rm.summarize(tmp_path / "log.csv", encoding=encoding), rm.summarize(log))


@pytest.mark.parametrize("ending", [".csv", ".txt", ".csv.gz"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_text_marked_as_utf_16_is_read_as_it_is(ending, separator, tmp_path):
    text = LOG.to_csv(index=False, sep=separator).encode("utf-16")
    (tmp_path / f"log{ending}").write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    same(tmp_path / f"log{ending}")


def test_a_file_that_is_not_what_the_encoding_says_is_refused(tmp_path):
    (tmp_path / "log.csv").write_bytes(LOG.to_csv(index=False).encode("cp1252", "replace"))
    with pytest.raises(ValueError, match=r"log\.csv is not UTF-8 text \(line 2\); state its encoding, such as"):
        rm.summarize(tmp_path / "log.csv")
    with pytest.raises(ValueError, match=r"is not .*ascii.* text; state another encoding"):
        rm.summarize(tmp_path / "log.csv", encoding="ascii")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"separator": ";;"}, "separator must be one character, such as ';', or 'tab' or 'space'; got ';;'"),
        ({"separator": '"'}, "separator must be one character"),
        ({"encoding": "klingon"}, "encoding 'klingon' is not known; write it like 'cp1252'"),
        ({"encoding": "base64"}, "encoding 'base64' is not known"),
        ({"no_header": "yes"}, "no_header must be True or False; got 'yes'"),
    ],
)
def test_a_layout_that_is_none_is_refused(stated, message, tmp_path):
    LOG.to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match=message):
        rm.summarize(tmp_path / "log.csv", **stated)


@pytest.mark.parametrize("stated", [{"separator": ";"}, {"no_header": True}, {"encoding": "cp1252"}])
def test_a_layout_of_what_is_no_file_of_text_is_refused(stated, tmp_path):
    name = next(iter(stated))
    for log in (LOG, pl.from_pandas(LOG)):
        with pytest.raises(ValueError, match=f"{name} is for text files, but this is not a path; leave it out"):
            rm.summarize(log, **stated)
    LOG.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(ValueError, match=r"log\.parquet is not a text file: leave out separator, no_header and encod"):
        rm.summarize(tmp_path / "log.parquet", **stated)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    ids=st.lists(st.text("abcäöüñéß-'. 1", min_size=1, max_size=8).filter(lambda s: s.strip()), min_size=2, max_size=8),
    separator=st.sampled_from(",;\t|~^"),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1252", "latin-1", "utf-8-sig"]),
    header=st.booleans(),
)
def test_no_layout_changes_a_number(ids, separator, encoding, header, tmp_path_factory):
    path = tmp_path_factory.mktemp("layout") / "log.csv"
    days = pd.date_range("2024-01-01", periods=len(ids)).astype(str)
    log = pd.DataFrame({"customer_id": [f"x{name}" for name in ids], "date": days, "amount": 1.5})
    log.to_csv(path, sep=separator, index=False, encoding=encoding, header=header)
    names = {} if header else {"customer_id": "1", "date": "2", "amount": "3", "no_header": True}
    found = rm.summarize(path, separator=separator, encoding=encoding, **names)
    pd.testing.assert_frame_equal(found, rm.summarize(log), check_dtype=False)


# Amounts by item


BY_ITEM = LOG.assign(Qty=[4, 1, 2, 1, 7], Price=[5.0, 30.5, 7.5, 12.25, 1.0]).drop(columns="amount")


@pytest.mark.parametrize("as_source", SOURCES)
def test_the_amount_is_the_quantity_times_the_unit_price(as_source, tmp_path):
    source = as_source(BY_ITEM, tmp_path / "items.csv")
    same(source, quantity="Qty", unit_price="Price")


def test_a_negative_quantity_is_a_return():
    items = pd.concat([BY_ITEM, BY_ITEM.iloc[[0]].assign(Qty=-1)])
    netted = rm.read_transactions(items, quantity="Qty", unit_price="Price")
    assert netted.returns.net == BY_ITEM.eval("Qty * Price").sum() - 5
    with pytest.raises(ValueError, match="column 'Qty' times 'Price' is negative in 1 of 6 rows"):
        rm.read_transactions(items, quantity="Qty", unit_price="Price", refunds="error")


def test_items_are_read_by_the_form_of_their_own_column(tmp_path):
    written = BY_ITEM.assign(Price=BY_ITEM["Price"].map(lambda v: f"€ {v:.2f}".replace(".", ",")))
    written.to_csv(tmp_path / "items.csv", sep=";", index=False)
    log = rm.read_transactions(tmp_path / "items.csv", quantity="Qty", unit_price="Price")
    assert log.formats == {"Price": "decimal comma"}
    same(log)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"quantity": "Qty"}, "unit_price is missing: an amount is the quantity times the unit_price; state both"),
        ({"unit_price": "Price"}, "quantity is missing"),
        ({"quantity": "Qty", "unit_price": "Price", "amount": "total"}, "amount='total' and quantity times unit_price"),
        ({"quantity": "Qty", "unit_price": "price"}, "the log has no column 'price'; .* Did you mean 'Price'"),
    ],
)
def test_an_amount_is_stated_once_and_whole(stated, message):
    with pytest.raises(ValueError, match=message):
        rm.read_transactions(BY_ITEM.assign(total=1), **stated)


def test_items_that_cannot_be_read_are_counted_and_shown():
    broken = pd.concat([BY_ITEM.astype({"Price": object})] * 10, ignore_index=True)
    broken.loc[[3, 4], "Price"] = "free"
    log = rm.read_transactions(broken, quantity="Qty", unit_price="Price")
    assert log.set_aside == {"rows without a finite amount": 2}
    with pytest.raises(ValueError, match="column 'Price' has values such as 'free'"):
        rm.read_transactions(broken, quantity="Qty", unit_price="Price", max_set_aside=0.01)


# Currencies


IN_TWO = LOG.assign(**{"Order Currency": ["EUR", "EUR", "USD", "EUR", "USD"]})


@pytest.mark.parametrize("name", ["Order Currency", "currency", "CCY", "currency_code", "Währung"])
@pytest.mark.parametrize("as_source", SOURCES)
def test_two_currencies_in_a_column_are_refused_unless_a_condition_picks_one(name, as_source, tmp_path):
    source = as_source(IN_TWO.rename(columns={"Order Currency": name}), tmp_path / "log.csv")
    with pytest.raises(ValueError, match=f"column '{name}' mixes currencies: 3 with EUR, 2 ") as error:
        rm.read_transactions(source)
    assert f"where='{name}=EUR'" in str(error.value)
    assert rm.read_transactions(source, where=f"{name}=EUR").rows == 3
    assert rm.read_transactions(source, where=f"{name}!=EUR").rows == 2
    assert rm.read_transactions(source, amount=None).rows == 5


def test_one_currency_or_none_in_some_rows_is_no_mixture():
    assert rm.read_transactions(LOG.assign(currency="EUR")).rows == 5
    assert rm.read_transactions(LOG.assign(currency=["EUR", None, "EUR", " ", "EUR"])).rows == 5


def test_rows_that_do_not_count_mix_no_currencies():
    log = pd.concat([LOG.assign(currency="EUR"), LOG.head(1).assign(currency="USD", amount=-3)])
    assert rm.read_transactions(log, refunds="set_aside").rows == 5
    with pytest.raises(ValueError, match="column 'currency' mixes currencies: 5 with EUR, 1 with USD"):
        rm.read_transactions(log)


# On the command line


@pytest.mark.parametrize("command", ["fit", "purchases"])
def test_the_command_line_takes_what_the_reader_takes(command, tmp_path, capsys):
    rng = np.random.default_rng(3)
    shop = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.61, beta=11.7)
    log = shop.simulate_transactions(np.full(200, 39.0), rng, start="2024-01-01", time_unit="W")
    log = log.assign(n=rng.integers(1, 4, len(log)), price=2.5, who=log["customer_id"].map("Kö{}".format))
    path = tmp_path / "items.txt"
    log[["who", "date", "n", "price"]].to_csv(path, sep="~", header=False, index=False, encoding="cp1252")
    options = ["--customer-id", "1", "--date", "2", "--quantity", "3", "--unit-price", "4", "--separator", "~"]
    options += ["--no-header", "--encoding", "cp1252", "--refunds", "net"]
    if command == "fit":
        options += ["--model", "ParetoNBD", "--output", str(tmp_path / "fit.json")]
        assert main(["fit", "--transactions", str(path), *options]) == 0
        found = rm.Fit.from_json(tmp_path / "fit.json")
        expected = rm.fit(rm.ParetoNBD, rm.summarize(log.assign(amount=1.0), "who", "date"))
        assert repr(found.model) == repr(expected.model)
    else:
        segments = tmp_path / "segments.csv"
        asked = ["purchases", str(path), "01", *options, "--output", str(tmp_path), "--segments", str(segments)]
        assert main(asked) == 0, capsys.readouterr().err
        assert set(pd.read_csv(segments)["customer_id"]) == set(log["who"])


# Contracts and tests


@pytest.mark.parametrize("door", [rm.read_contracts, rm.logs.choose_settings])
def test_contracts_are_read_in_any_layout(door, tmp_path):
    contracts = rm.scenario.subscriptions(np.random.default_rng(1), customers=400).contracts
    columns = ["customer_id", "start", "end"]
    contracts[columns].to_csv(tmp_path / "contracts.txt", sep="~", header=False, index=False, encoding="utf-16")
    names = {"customer_id": "1", "start": "2", "end": "3"}
    known = {"sampling": "acquisition", "observation_end": "2024-12-28"}
    found = door(tmp_path / "contracts.txt", **names, **known, separator="~", no_header=True, encoding="utf-16")
    expected = rm.retention_table(rm.read_contracts(contracts, **known), period="M")
    spells = found if door is rm.read_contracts else found.spells
    pd.testing.assert_frame_equal(rm.retention_table(spells, period="M"), expected)


def test_tables_of_tenures_are_read_in_any_layout(tmp_path):
    tenures = pd.DataFrame({"tenure": [1, 2, 3, 3, 5], "churned": ["yes", "no", "yes", "no", "no"]})
    tenures.to_csv(tmp_path / "t.txt", sep="~", header=False, index=False)
    read = {"tenure": "1", "churned": "2", "separator": "~", "no_header": True}
    found = rm.logs.retention_table_from_tenures(tmp_path / "t.txt", sampling="acquisition", **read)
    pd.testing.assert_frame_equal(found, rm.logs.retention_table_from_tenures(tenures, sampling="acquisition"))
    settings = rm.logs.choose_settings(tmp_path / "t.txt", sampling="acquisition", observation_end="2024-06-30", **read)
    pd.testing.assert_frame_equal(
        rm.retention_table(settings.spells, period="M")[["at_risk", "lost"]], found[["at_risk", "lost"]]
    )


ARMS = pd.DataFrame({"arm": ["control", "mail"] * 50, "spend": np.arange(100) % 7 * 1.5})


def test_a_test_is_read_in_any_layout(tmp_path):
    ARMS.assign(spend=ARMS["spend"].map("{:.2f}".format).str.replace(".", ",")).to_csv(
        tmp_path / "test.txt", sep="~", header=False, index=False, encoding="utf-16"
    )
    read = {"separator": "~", "no_header": True, "encoding": "utf-16", "decimal": ","}
    terms, plan = rm.Terms(margin=0.3), rm.Plan(assigned_by="random", control="control")
    campaign = rm.interventions.read_campaign(
        tmp_path / "test.txt", terms, arm="1", amount="2", **read, assigned_by="random"
    )
    test = rm.Experiment.from_rows(tmp_path / "test.txt", plan, arm="1", outcomes=["2"], **read)
    expected = rm.Experiment.from_rows(ARMS, plan, arm="arm", outcomes=["spend"]).table()
    for found in (campaign.experiment.table(), test.table()):
        np.testing.assert_allclose(found["2"], expected["spend"])


def test_a_test_with_amounts_in_two_currencies_is_refused():
    mixed = ARMS.assign(currency=["EUR"] * 90 + ["USD"] * 10)
    with pytest.raises(ValueError, match="column 'currency' mixes currencies: 90 with EUR, 10 with") as error:
        rm.interventions.read_campaign(mixed, rm.Terms(margin=0.3), amount="spend", assigned_by="random")
    assert "where" not in str(error.value)
    rm.interventions.read_campaign(
        mixed.assign(bought=1 * (mixed["spend"] > 3)), outcome="bought", assigned_by="random"
    )


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_all_intervals_of_a_campaign_have_its_level(level):
    campaign = rm.interventions.read_campaign(
        ARMS, rm.Terms(margin=0.3), amount="spend", level=level, assigned_by="random"
    )
    assert {effect.level for effect in campaign.effects} == {level}
    (effect,) = campaign.effects
    (same,) = rm.differences(campaign.experiment, campaign.outcomes[0], rm.Terms(margin=0.3), level=level)
    assert (effect.lower, effect.upper) == (same.lower, same.upper)


def test_a_column_of_two_meanings_is_read_like_the_others_of_its_kind(tmp_path):
    starts, ends = ["3/1/2023", "25/1/2023", "14/2/2023", "5/3/2023"], ["3/4/2023", "", "", "7/8/2023"]
    contracts = pd.DataFrame({"customer_id": [1, 2, 3, 4], "start": starts, "end": ends})
    known = {"sampling": "acquisition", "observation_end": "2024-12-28"}
    spells = rm.read_contracts(contracts, **known)
    assert spells.formats == {"start": "%d/%m/%Y", "end": "%d/%m/%Y"}
    contracts.to_csv(tmp_path / "contracts.csv", index=False)
    assert rm.read_contracts(tmp_path / "contracts.csv", **known).formats == spells.formats
    items = BY_ITEM.assign(Qty="1,234", Price=["1,50", "2,25", "7,00", "9,10", "0,99"])
    log = rm.read_transactions(items, quantity="Qty", unit_price="Price")
    assert log.formats == {"Qty": "decimal comma", "Price": "decimal comma"}


@pytest.mark.parametrize("starts", [["3/1/2023", "5/1/2023"], ["31.1.2023", "5.1.2023"], ["2023-01-31", "2023-01-05"]])
def test_columns_of_two_meanings_that_no_other_settles_are_refused(starts):
    contracts = pd.DataFrame({"customer_id": [1, 2], "start": starts, "end": ["3/4/2023", "4/5/2023"]})
    with pytest.raises(ValueError, match=r"has values such as '3/\d/2023' in 2 of 2 rows, which can mean two things"):
        rm.read_contracts(contracts, sampling="acquisition", observation_end="2024-12-28")


LINES = ["1,2024-01-05,20.0,paid", "2,2024-02-09,30.5,", "2,2024-03-09,3.5,sent"]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["1,2024-01-05,20.0,paid, thanks,", *LINES], 2),
        ([*LINES, "1,2024-01-05,20.0,paid,"], 5),
        (['"a ""b"", c",2024-01-05,20.0,paid', *LINES, '"x,y",2024-01-05,20.0,paid,'], 6),
    ],
)
def test_a_line_with_a_value_too_many_is_refused_also_if_that_is_empty(lines, line, tmp_path):
    """DuckDB drops an empty value at the end, and reads those before it in the columns of others."""
    (tmp_path / "log.csv").write_text("\n".join(["customer_id,date,amount,note", *lines]) + "\n")
    with pytest.raises(ValueError, match=rf"each line must have as many values as the first\. .*in line {line}$"):
        rm.read_transactions(tmp_path / "log.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_all_end_in_a_separator_are_read(end, tmp_path):
    text = end.join(["customer_id,date,amount,note", *(f"{line}," for line in LINES)]) + end
    (tmp_path / "log.csv").write_bytes(text.encode())
    assert rm.read_transactions(tmp_path / "log.csv").rows == 3
