"""A test on the command line: with its plan, with contracts, and with a log of purchases.

Pages take some seconds each: they are made by the command, as users make them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main

PAGE = "06_did_the_campaign_work.html"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def subscribers(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    rows = rm.scenario.subscriptions(rng, customers=2_000, months=42).offer_rows
    used = (rows["arm"] == "offer") & (rng.random(len(rows)) < 0.3)
    rows.assign(used=used.astype(int)).to_csv("subscribers.csv", index=False)
    return Path("subscribers.csv")


CONTRACTS = ("--tenure", "tenure", "--churned", "churned", "--control", "none", "--assigned-by", "random")
SIX_MONTHS = ("--horizon", "6", "--time-unit", "M")


def test_customers_with_contracts_have_a_page(subscribers: Path) -> None:
    """Customers and time retained, the value within the window, and the tail apart."""
    money = ("--price", "15", "--currency", "EUR", "--cost", "0.5", "--redeemed", "used", "--redemption-cost", "1")
    assert main(["experiment", str(subscribers), *CONTRACTS, *SIX_MONTHS, *money, "--output", "."]) == 0
    page = Path(PAGE).read_text(encoding="utf-8")
    assert (
        "The arms are compared by the share of customers retained, and the time as a customer, up to 6 months" in page
    )
    assert "EUR" in page
    assert "within 6 months, net of cost." in page
    assert "What retained customers pay later is not counted." in page
    assert ">tail</th>" in page.replace(" ", "")
    assert "<p>The same with contracts" not in page  # the sample's own passage


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CONTRACTS, "tenure needs horizon and time_unit, such as horizon=6 and time_unit='M'"),
        ((*CONTRACTS, "--horizon", "60", "--time-unit", "M"), "choose a horizon up to that, not 60"),
        ((*CONTRACTS[:2], *CONTRACTS[4:], *SIX_MONTHS), "tenure needs churned"),
        ((*CONTRACTS, *SIX_MONTHS, "--outcome", "used"), "with tenure and churned, the outcomes are"),
        ((*CONTRACTS, *SIX_MONTHS, "--looks", "0.5,0.2"), "looks must increase"),
    ],
)
def test_contracts_that_cannot_be_compared_are_refused(
    options: tuple[str, ...], message: str, subscribers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", str(subscribers), *options]) == 1
    assert message in capsys.readouterr().err


@pytest.fixture
def shop(folder: Path) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    arm = np.repeat(["none", "mail"], 300)
    mailing = pd.DataFrame({"customer_id": range(600), "assigned": "2024-03-01", "arm": arm})
    mailing.to_csv("mailing.csv", index=False)
    orders = [rng.integers(0, 120, rng.poisson(2 + (name == "mail"))) for name in arm]
    days = np.concatenate(orders)
    log = pd.DataFrame({"customer_id": np.repeat(range(600), list(map(len, orders))), "amount": 20.0})
    log["date"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(days, "D")).strftime("%Y-%m-%d")
    log.to_csv("log.csv", index=False)
    return mailing


@pytest.mark.slow
def test_outcomes_are_measured_in_a_log_of_purchases_and_shown_by_day(shop: pd.DataFrame) -> None:
    log = ("--purchases", "log.csv", "--offer-days", "14", "--assigned", "assigned")
    stated = ("--control", "none", "--assigned-by", "random", "--margin", "0.4", "--cost", "0.15")
    assert (
        main(["experiment", "mailing.csv", *log, *stated, "--horizon", "28", "--time-unit", "D", "--output", "."]) == 0
    )
    page = Path(PAGE).read_text(encoding="utf-8")
    assert "“purchases” is a number" in page
    assert "purchases after the offer" in page
    assert "Roll out “mail”" in page


def test_a_log_without_the_day_of_assignment_is_refused(shop: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "mailing.csv", "--purchases", "log.csv", "--horizon", "28"]) == 1
    assert "purchases need assigned=, the day of the assignment, and horizon= in days" in capsys.readouterr().err


def test_a_project_names_the_plan_from_its_own_folder_and_the_page_follows_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    customers = pd.DataFrame({"customer_id": range(1_000), "country": rng.choice(["DE", "FR"], 1_000)})
    roll_out = {"reach": 200_000, "repeats": 4, "smallest_gain": 0.1, "looks": (0.5,)}
    drawn = rm.assign(customers, {"none": 1, "mail": 1}, strata="country", **roll_out, rng=3)
    drawn.plan.to_json("plan.json")
    spend = rng.gamma(1.0, 20, 1_000) + 6 * (drawn.table["arm"] == "mail")
    drawn.table.assign(spend=spend, place=range(1_000)).to_csv("test.csv", index=False)
    Path("project.toml").write_text(
        '[experiment]\nfile = "test.csv"\nplan = "plan.json"\namount = "spend"\noutcome = ["spend"]\nmargin = 0.4\n'
        'assigned = "place"\nhorizon = 8\ntime_unit = "W"\n'
    )
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert main(["experiment", "--project", "../project.toml", "--output", "."]) == 0
    page = Path(PAGE).read_text(encoding="utf-8")
    assert "Roll out “mail” to 200,000 customers: " in page
    assert "The year assumes the same effect at each of 4 repeats." in page
    assert "that hold at all planned looks" in page
