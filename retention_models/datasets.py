"""Data sets to learn with and to test against; ``data/README.md`` tells where each comes from.

CDNOW and the donations come with the lifetimes package (``pip install 'retention-models[data]'``), of which only the
files are read: it is never imported. Published tables come with this one.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd

from retention_models.core.package_files import project_folder


def load_cdnow(*, full: bool = False) -> pd.DataFrame:
    """Purchases at the online shop CDNOW up to 1998-06-30, by customers who first bought in January to March 1997.

    One row a purchase, with ``customer_id``, ``date`` and ``amount`` in US dollars. This is the sample of one in ten
    that the literature uses: 6,919 rows of 2,357 customers, numbered from 1 as there. ``full=True`` gives all 69,659
    rows of 23,570 customers, numbered as by the shop.

    Raises ModuleNotFoundError where lifetimes is not installed.

    Examples
    --------
    >>> load_cdnow().head(3)
       customer_id       date  amount
    0            1 1997-01-01   29.33
    1            1 1997-01-18   29.73
    2            1 1997-08-02   14.96
    """
    file, columns = ("CDNOW_master.txt", [0, 1, 3]) if full else ("CDNOW_sample.txt", [1, 2, 4])
    log = pd.read_csv(
        _file(file),
        sep=r"\s+",
        header=None,
        skiprows=1 if full else 0,
        usecols=columns,
        names=["customer_id", "date", "amount"],
        dtype={"date": str},
    )
    return log.assign(date=pd.to_datetime(log["date"], format="%Y%m%d"))


def load_donations() -> pd.DataFrame:
    """Gifts of 11,104 donors, who first gave in 1995, in the six years from 1996 to 2001: the distinct histories.

    ``frequency`` is the number of years with a gift, ``recency`` the last of them (0 for none), ``T`` the six years,
    and ``weight`` the number of donors with this history; 22 rows.

    Raises ModuleNotFoundError where lifetimes is not installed.

    Examples
    --------
    >>> load_donations().head(3)
       frequency  recency  T  weight
    0          0        0  6    3464
    1          1        1  6    1091
    2          1        2  6     277
    """
    return pd.read_csv(_file("donations.csv")).rename(columns={"periods": "T", "weights": "weight"})


def load_published_experiments() -> pd.DataFrame:
    """Counts of each arm of four published experiments with mail and loyalty cards, as their authors printed them.

    One row an arm and outcome: ``experiment, outcome, unit, horizon``; ``assigned``, what was drawn by lot; ``arm``,
    ``control`` (whether it is the comparison), ``share`` (planned, in any unit), ``n``, ``count`` (how many did it),
    ``mean`` (per customer) and ``source``. Of the e-mail test's spend only the mean was published: its count is
    missing (``<NA>``), and no spread is known to judge it by.

    Examples
    --------
    >>> table = load_published_experiments()
    >>> table.loc[table["outcome"] == "completed", ["experiment", "arm", "n", "count"]]
        experiment                 arm    n  count
    16  Stamp card            8 stamps  150     28
    17  Stamp card  10 stamps, 2 given  150     51
    """
    return pd.read_csv(project_folder("data") / "published_experiments.csv", dtype={"count": "Int64"})


def load_published_retention() -> pd.DataFrame:
    """How 1,000 customers of each of two kinds were kept over twelve yearly renewals: the table of a known paper.

    One row a kind and renewal: ``customers`` ("regular" or "high end"), ``tenure``, ``at_risk``, ``lost``; what ``fit``
    takes, one kind at a time.

    Examples
    --------
    >>> load_published_retention().head(3)
      customers  tenure  at_risk  lost
    0   regular       1     1000   369
    1   regular       2      631   163
    2   regular       3      468    86
    """
    return pd.read_csv(project_folder("data") / "published_retention.csv")


def _file(name: str) -> Path:
    """Where the installed lifetimes keeps a file."""
    try:
        lifetimes = distribution("lifetimes")
    except PackageNotFoundError:
        raise ModuleNotFoundError(
            f"{name} comes with the lifetimes package, which is not installed: pip install 'retention-models[data]'"
        ) from None
    return Path(str(lifetimes.locate_file(f"lifetimes/datasets/{name}")))
