"""A roll-out on the command line: its page, the row in the register, and what is refused before a page is made."""

from pathlib import Path

import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main

PAGE = "07_did_the_programme_keep_anyone"
STATED = ("--panel-unit", "store", "--purchases", "orders.csv")


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    business = rm.scenario.chain(3, customers=3_000, effect=0.4)
    business.transactions.to_csv("orders.csv", index=False)
    business.launches.to_csv("stores.csv", index=False)
    Path("efforts.csv").write_text("effort,kind,reach\nclub,loyalty programme,40\n")
    return Path("stores.csv")


@pytest.mark.slow
def test_a_roll_out_has_a_page_and_a_row_in_the_register(stores: Path) -> None:
    money = ("--price", "4", "--currency", "EUR", "--reach", "40", "--effort", "club", "--register", "efforts.csv")
    assert main(["rollout", str(stores), *STATED, *money, "--assigned-by", "rule", "--output", "pages"]) == 0
    page = Path(f"pages/{PAGE}.html").read_text(encoding="utf-8")
    assert "Keep and extend “club”: EUR" in page
    assert "truth of the simulation" not in page.split("<details")[0]
    (stored,) = rm.read_register("efforts.csv", as_of="2026-06-30").measurements
    assert (stored.effort, stored.effect.design) == ("club", "quasi-experimental")


@pytest.mark.slow
def test_a_project_file_names_the_launches(stores: Path) -> None:
    Path("project.toml").write_text(
        '[rollout]\nfile = "stores.csv"\npanel_unit = "store"\npurchases = "orders.csv"\nassigned_by = "rule"\n'
    )
    assert main(["report", "--output", "pages"]) == 0
    assert Path(f"pages/{PAGE}.html").exists()


@pytest.mark.slow
def test_a_page_on_churn_counts_discounts_and_compares_alike_units(stores: Path) -> None:
    launches = pd.read_csv(stores)
    launches.assign(area=launches["store"] % 7).to_csv(stores, index=False)
    options = ("--outcome", "churn", "--active-within", "4", "--discount", "discount", "--covariates", "area")
    money = ("--price", "4", "--currency", "EUR", "--rewards", "0.5")
    assert main(["rollout", str(stores), *STATED, *options, *money, "--output", "pages"]) == 0
    page = Path(f"pages/{PAGE}.html").read_text(encoding="utf-8")
    assert "churn: each one fewer cost" in page
    assert "comparisons are left out" in page
    assert " pp" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--panel-unit", "store"), "a roll-out needs purchases=, the log of orders, and panel_unit="),
        ((*STATED, "--first-treated", "launched"), "launched"),
        (("--panel-unit", "shop", "--purchases", "orders.csv"), "shop"),
        ((*STATED, "--outcome", "amount"), "needs the column of the amount"),
        ((*STATED, "--register", "gone.csv"), "gone.csv"),
        ((*STATED, "--discount", "rebate"), "rebate"),
        ((*STATED, "--covariates", "area"), "the covariate 'area' is a column of neither"),
        ((*STATED, "--outcome", "churn", "--active-within", "99"), "active_within is 99: no period is left"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_page_is_made(stores, capsys, options, message) -> None:
    assert main(["rollout", str(stores), *options, "--output", "pages"]) == 1
    assert message in capsys.readouterr().err
    assert not Path("pages").exists()
