"""The register on the command line: its pages, its project file, and the effects that reports store beside it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main
from retention_models.cli.project import read_project

PAGES = ("00_what_do_we_do_to_keep_customers", "09_where_does_the_next_euro_go")


@pytest.fixture
def efforts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"effort": ["mail", "club"], "kind": ["e-mail", "loyalty programme"], "owner": ["Ann", ""]})
    frame.assign(cost_per_contact=[0.5, 2.0], reach=[8_000, 3_000]).to_csv("efforts.csv", index=False)
    return Path("efforts.csv")


@pytest.fixture
def test_file(efforts: Path) -> Path:
    rng = np.random.default_rng(1)
    arm = np.repeat(["none", "mail"], 1_000)
    spent = rng.gamma(2, 5, 2_000) + 4.0 * (arm == "mail")
    pd.DataFrame({"customer_id": range(2_000), "arm": arm, "spent": spent}).to_csv("test.csv", index=False)
    return Path("test.csv")


TEST = ("--amount", "spent", "--margin", "0.4", "--cost", "0.5", "--control", "none", "--assigned-by", "random")


@pytest.mark.slow
def test_a_register_has_its_two_pages(efforts: Path) -> None:
    options = ("--budget", "5000", "--currency", "EUR", "--as-of", "2026-06-30", "--output", "pages")
    assert main(["register", str(efforts), *options]) == 0
    first, second = (Path(f"pages/{name}.html").read_text(encoding="utf-8") for name in PAGES)
    assert "Of EUR 10,000 a year on 2 efforts" in first
    assert "simulated" not in first.split("<main")[1].split("<details")[0]
    assert "No effort has evidence that may decide. Test “club” first." in second


@pytest.mark.slow
def test_a_report_stores_its_effects_beside_the_register_once(test_file: Path) -> None:
    for _ in range(2):
        assert main(["experiment", str(test_file), *TEST, "--register", "efforts.csv", "--output", "pages"]) == 0
    register = rm.read_register("efforts.csv", as_of="2026-06-30")
    assert len(register.measurements) == 1
    assert register.table["state"].to_dict() == {"mail": "proven", "club": "unmeasured"}
    assert register.measurements[0].data.startswith("sha256 ")


@pytest.mark.slow
def test_a_project_names_the_register_and_the_test_in_one_file(test_file: Path) -> None:
    stated = 'file = "test.csv"\namount = "spent"\ncost = 0.5\ncontrol = "none"\nassigned_by = "random"\n'
    terms = '[terms]\nmargin = 0.4\ncurrency = "EUR"\n'
    Path("project.toml").write_text(f'{terms}[experiment]\n{stated}[register]\nfile = "efforts.csv"\n')
    assert main(["report", "--output", "pages"]) == 0
    assert "EUR 4,000 is proven to pay" in Path(f"pages/{PAGES[0]}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_report_takes_a_register_alone(efforts: Path) -> None:
    assert main(["report", "--register", str(efforts), "00", "--output", "pages"]) == 0
    assert Path(f"pages/{PAGES[0]}.html").exists()
    assert not Path("efforts.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("effort,kind\nmail,post\n", (), "kind must be one of"),
        ("effort\nmail\n", (), "the register has no column 'kind'"),
        ("effort,kind,reach\nmail,e-mail,90\n", ("--customers", "10"), "must not be above the 10 customers"),
        ("effort,kind\nmail,e-mail\n", ("--contacts", "gone.csv"), "gone.csv"),
        ("effort,kind\nmail,e-mail\n", ("--department", "X"), "no effort has the department 'X'"),
    ],
)
def test_bad_registers_are_refused_before_a_page_is_made(efforts, capsys, text, options, message) -> None:
    efforts.write_text(text)
    assert main(["register", str(efforts), *options, "--output", "pages"]) == 1
    assert message in capsys.readouterr().err
    assert not Path("pages").exists()


def test_a_budget_below_zero_is_refused(efforts: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["register", str(efforts), "--budget", "-5"])
    assert "expected a number above 0" in capsys.readouterr().err


def test_init_describes_a_register_and_its_project_file_is_read(test_file: Path) -> None:
    assert main(["init", "efforts.csv", "test.csv"]) == 0
    text = Path("project.toml").read_text(encoding="utf-8")
    assert '[register]\nfile = "efforts.csv"' in text
    assert "# budget = 50_000" in text
    assert read_project(None).sections["register"] == {"file": "efforts.csv"}


@pytest.mark.slow
def test_a_register_without_costs_still_has_its_first_page(efforts: Path, capsys) -> None:
    efforts.write_text("effort,kind\nmail,e-mail\n")
    assert main(["register", str(efforts), "--output", "pages"]) == 0
    assert "No page of 09_where_does_the_next_euro_go: no effort" in capsys.readouterr().err
    page = Path(f"pages/{PAGES[0]}.html").read_text(encoding="utf-8")
    assert "No effort has a stated cost." in page
    assert "NaN" not in page


def test_acquisition_is_stated_in_full_before_a_page_is_made(efforts: Path, capsys) -> None:
    assert main(["register", str(efforts), "--acquisition-cost", "5", "--output", "pages"]) == 1
    assert (
        "missing: new_customer_value, new_customer_lower, new_customer_upper, new_customers" in capsys.readouterr().err
    )
    outside = ("--new-customer-value", "9", "--new-customer-lower", "1", "--new-customer-upper", "2")
    stated = ("--acquisition-cost", "5", *outside, "--new-customers", "90")
    assert main(["register", str(efforts), *stated, "--output", "pages"]) == 1
    assert "must lie inside its interval" in capsys.readouterr().err
    assert not Path("pages").exists()
