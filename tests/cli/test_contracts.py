"""Reports on contracts of one's own: options, what is chosen, and what is refused in one sentence."""

from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from retention_models.cli import main
from retention_models.cli.options import period, price

HOSTILE = ('<img src=x onerror="alert(1)">', '=HYPERLINK("http://x","y")', "@SUM(1)", "Zoë & Søn; -1")


def club(n: int = 500) -> pd.DataFrame:
    """Members of a club, followed from the day they joined, some of them with ids that mean mischief."""
    rng = np.random.default_rng(5)
    start = pd.Timestamp("2022-01-03") + pd.to_timedelta(rng.integers(0, 700, n), "D")
    life = np.minimum(rng.geometric(rng.beta(1, 8, n)), 300)
    end = pd.Series([day + pd.DateOffset(months=int(m)) for day, m in zip(start, life, strict=True)])
    frame = pd.DataFrame(
        {"member": [f"M{i}" for i in range(n)], "joined": start, "left": end.where(end <= "2023-12-31")}
    )
    frame["member"] = [*HOSTILE, *frame["member"].iloc[len(HOSTILE) :]]
    frame["why"] = np.where(frame["left"].isna(), "", rng.choice(["<b>price</b>", "moved"], n))
    return frame


def report(frame: pd.DataFrame, folder: Path, *options: str) -> int:
    path = folder / "club.csv"
    frame.to_csv(path, index=False)
    columns = ["--customer-id", "member", "--start", "joined", "--end", "left"]
    return main(["report", "--contracts", str(path), *columns, "--output", str(folder / "out"), *options])


def page(folder: Path) -> str:
    return (folder / "out" / "04_when_do_subscribers_leave.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_report_on_contracts_of_ones_own_says_what_was_chosen(tmp_path: Path) -> None:
    assert report(club(), tmp_path, "--cause", "why", "--price", "39", "--margin", "0.5", "--currency", "EUR") == 0
    html = page(tmp_path)
    for said in ("Nobody said", "Time is counted in months", "EUR 39.0", "a margin of 50 %", "a single retention rate"):
        assert said in " ".join(html.split())
    assert "<b>price" not in html
    assert "published, regular" not in html


@pytest.mark.slow
def test_a_list_of_who_is_about_to_leave_begins_with_the_most_value_at_risk(tmp_path: Path) -> None:
    """One row per active member, safe in a spreadsheet; risk and value are those of the package."""
    file, frame = tmp_path / "leaving.csv", club()
    frame.loc[frame["member"].isin(HOSTILE), "left"] = pd.NaT
    options = ["--price", "39", "--margin", "0.5", "--period", "M", "--sampling", "acquisition", "--scores", str(file)]
    assert report(frame, tmp_path, *options, "--observation-end", "2023-12-31") == 0
    listed, members = pd.read_csv(file), frame.loc[frame["left"].isna(), "member"]
    assert sorted(listed["customer_id"].str.removeprefix("'")) == sorted(members)
    assert {f"'{HOSTILE[1]}", f"'{HOSTILE[2]}", HOSTILE[0], HOSTILE[3]} <= set(listed["customer_id"])
    assert listed["value_at_risk"].is_monotonic_decreasing
    expected = listed["probability_leaving"] * listed["value_if_saved"]
    np.testing.assert_allclose(listed["value_at_risk"], expected, rtol=1e-9)
    columns = ["customer_id", "cohort", "tenure", "probability_leaving", "value_at_risk_lower", "value_if_saved_upper"]
    assert set(columns) <= set(listed.columns)
    assert "<img src=x" not in page(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "say so, sampling 'window'"),
        (("--sampling", "window"), "describes the customers of one day; state that day: observation_end"),
        (("--sampling", "window", "--observation-end", "1.6.2024"), "observation_end must be a day such as"),
        (("--observation-start", "2024-01-01"), "leave out observation_start, or name the columns of a log with"),
        (
            ("--sampling", "window", "--observation-end", "2024-06-01", "--churned", "left"),
            "no column 'left'; it has months, Churn. Say which is which: tenure=..., churned=...",
        ),
    ],
)
def test_a_file_of_tenures_is_asked_what_it_holds(tmp_path, capsys, options, sentence) -> None:
    file = tmp_path / "telecom.csv"
    pd.DataFrame({"months": [1, 2], "Churn": ["Yes", "No"]}).to_csv(file, index=False)
    columns = ["--tenure", "months", "--churned", "Churn", "--output", str(tmp_path / "out")]
    assert main(["report", "--contracts", str(file), *columns, *options]) == 1
    assert sentence in capsys.readouterr().err


def test_columns_of_dates_have_no_place_beside_tenures(tmp_path, capsys) -> None:
    assert report(club(), tmp_path, "--tenure", "months") == 2
    assert "Leave out --customer-id and --start and --end, or them" in capsys.readouterr().err


@pytest.mark.slow
def test_a_snapshot_without_dates_is_reported_on_as_one_month_of_everybody(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    tenure = rng.integers(0, 73, 3000)
    left = (rng.random(3000) < 0.4 * np.exp(-tenure / 20)) & (tenure > 0)
    file = tmp_path / "telecom.csv"
    pd.DataFrame({"tenure": tenure, "Churn": np.where(left, "Yes", "No")}).to_csv(file, index=False)
    days = ["--sampling", "window", "--observation-end", "2024-06-30"]
    options = ["--tenure", "tenure", "--churned", "Churn", *days, "--output", str(tmp_path / "out")]
    assert main(["report", "--contracts", str(file), *options]) == 0
    html = " ".join(page(tmp_path).split())
    assert "Do not plan with this table: its churn is not that of earlier times." in html
    assert f" of {3000 - left.sum():,}</" in html
    assert f"fitted to {(tenure > 0).sum():,} customers" in html
    assert "Time is counted in months, as" in html
    assert "The table holds the customers of 2024-06-30, and those who left in the month before." in html
    assert "this forecast cannot be tested at an earlier day" in html
    assert "customers cannot be compared by the month in which they started" in html
    assert "so there are no cohorts to compare" in html


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (lambda f: f.assign(left=None), (), "has ended by"),
        (lambda f: f.assign(left="2023-12-01"), (), "contracts had ended by|nobody is left|every contract has an end"),
        (lambda f: f[f["left"].isna() | (f["left"] > "2023-11-30")], (), "how did contracts come into this log"),
        (lambda f: f.assign(joined="in winter"), (), "rows without a readable start"),
        (lambda f: f.rename(columns={"left": "gone"}), (), "no column 'left'"),
        (lambda f: f, ("--sampling", "active_on"), "needs observation_start"),
        (lambda f: f, ("--group", "member"), "already has another role"),
        (lambda f: f.assign(code=range(len(f))), ("--group", "code"), "500 values"),
        (lambda f: f, ("--observation-end", "2022-01-20"), "has ended by 2022-01-20"),
    ],
    ids=[
        "no churn",
        "all gone",
        "snapshot",
        "no days",
        "no column",
        "no first day",
        "id twice",
        "group of codes",
        "too early",
    ],
)
def test_what_cannot_be_reported_on_is_one_sentence(tmp_path, capsys, change, options, sentence) -> None:
    assert report(change(club()), tmp_path, *options) == 1
    error = capsys.readouterr().err
    assert [line[:20] for line in error.splitlines()[1:]] in ([], ["On the command line:"])
    assert any(part in error for part in sentence.split("|")), error
    assert not (tmp_path / "out" / "index.html").exists()


def test_lengths_of_contracts_are_read_as_people_write_them() -> None:
    assert [period(text) for text in ("M", "y", "28", "28 days", "30D")] == ["M", "Y", 28, 28, 30]
    for text in ("month", "0", "-7", "1.5"):
        with pytest.raises(ArgumentTypeError, match="expected M, Y or a number of days"):
            period(text)


def test_a_price_that_reads_as_a_number_is_an_amount_and_any_other_a_column(tmp_path, capsys) -> None:
    assert [price(text) for text in ("9.90", "39", "monthly fee")] == [9.9, 39, "monthly fee"]
    for text in ("0", "-5", "nan"):
        with pytest.raises(ArgumentTypeError, match="expected a number above 0"):
            price(text)
    assert report(club(), tmp_path, "--price", "fee") == 1
    assert "no column 'fee'; it has" in capsys.readouterr().err
    assert report(club().assign(fee=-1.0), tmp_path, "--price", "fee") == 1
    assert "column 'fee' is below 0 (such as -1) for" in capsys.readouterr().err


@pytest.mark.slow
def test_a_page_values_customers_at_the_prices_of_the_file(tmp_path: Path) -> None:
    fee = [f"{amount:.2f} EUR".replace(".", ",") for amount in np.resize([9.9, 19.9, 1249.5], 500)]
    project = '[contracts]\nfile = "club.csv"\ncustomer_id = "member"\nstart = "joined"\nend = "left"\nprice = "fee"\n'
    club().assign(fee=fee).to_csv(tmp_path / "club.csv", index=False)
    (tmp_path / "project.toml").write_text(project + '[terms]\ncurrency = "EUR"\n', encoding="utf-8")
    assert main(["contracts", "--project", str(tmp_path / "project.toml"), "--output", str(tmp_path / "out")]) == 0
    html = " ".join(page(tmp_path).split())
    assert "Each payment is the customer's own price (in EUR)" in html.replace("&#39;", "'")
    assert "times the price to keep a customer who would leave; all " in html
