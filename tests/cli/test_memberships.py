"""Joins on the command line: their page, the row in the register, and what is refused before a page is made."""

from pathlib import Path

import pytest

import retention_models as rm
from retention_models.cli import main

PAGE = "08_members_against_whom"


@pytest.fixture
def joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shop = rm.scenario.club(3, customers=2_500, gain=0.5)
    for name in ("own", "other"):
        shop.transactions[shop.transactions["category"] == name].to_csv(f"{name}.csv", index=False)
    shop.joins.to_csv("joins.csv", index=False)
    shop.contacts.to_csv("contacts.csv", index=False)
    Path("efforts.csv").write_text("effort,kind,reach\nclub,loyalty programme,4000\n")
    return Path("joins.csv")


@pytest.mark.slow
def test_joins_have_a_page_and_a_row_in_the_register(joins: Path) -> None:
    columns = ("--purchases", "own.csv", "--unaffected", "other.csv", "--kind", "kind", "--joined", "membership")
    money = (
        "--value",
        "value",
        "--rewards",
        "discount",
        "--price",
        "20",
        "--currency",
        "EUR",
        "--register",
        "efforts.csv",
    )
    assert main(["memberships", "contacts.csv", *columns, *money, "--output", "pages"]) == 0
    page = Path(f"pages/{PAGE}.html").read_text(encoding="utf-8")
    assert "Members against others" in page
    assert "truth of the simulation" not in page.split("<details")[0]
    (stored,) = rm.read_register("efforts.csv", as_of="2026-06-30").measurements
    assert (stored.effort, stored.effect.design, stored.effect.assigned_by) == ("club", "quasi-experimental", "choice")


@pytest.mark.slow
def test_a_project_file_names_the_joins(joins: Path) -> None:
    Path("project.toml").write_text(
        '[memberships]\nfile = "joins.csv"\npurchases = "own.csv"\nkind = "kind"\nhorizon = 8\n'
    )
    assert main(["report", "--output", "pages"]) == 0
    assert "8 weeks" in Path(f"pages/{PAGE}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "joins need purchases=, the log of orders"),
        (("--purchases", "own.csv", "--kind", "sort"), "sort"),
        (("--purchases", "own.csv", "--kind", "kind", "--joined", "club"), "no kind 'club'"),
        (("--purchases", "own.csv", "--kind", "kind", "--outcome", "amount"), "needs the column of the amount"),
        (("--purchases", "own.csv"), "the joins have a column kind"),
        (("--purchases", "own.csv", "--kind", "kind", "--margin", "0.3"), "a margin makes money of amounts"),
        (("--purchases", "own.csv", "--kind", "kind", "--horizon", "400"), "longer than the log"),
        (("--purchases", "gone.csv"), "gone.csv"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_page_is_made(joins, capsys, options, message) -> None:
    assert main(["memberships", str(joins), *options, "--output", "pages"]) == 1
    assert message in capsys.readouterr().err
    assert not Path("pages").exists()
