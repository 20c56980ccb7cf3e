"""Data sets to learn with and to test with; ``data/README.md`` gives the sources.

CDNOW and the donations come with the lifetimes package (``pip install 'retention-models[data]'``). Its files are read,
but it is never imported. Published tables come with this package.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd

from retention_models.core.arguments import require_bool
from retention_models.core.package_files import project_folder
from retention_models.tables.files import read_packaged


def load_cdnow(*, full: bool = False) -> pd.DataFrame:
    """Purchases at the online shop CDNOW by customers who first bought in January to March 1997.

    The log runs to 1998-06-30.

    Parameters
    ----------
    full
        Whether to load all 23,570 customers (69,659 rows), numbered as by the shop. By default the 10 % sample of the
        literature: 2,357 customers (6,919 rows), numbered from 1.

    Returns
    -------
    pandas.DataFrame
        One row per purchase: ``customer_id``, ``date``, and ``amount`` in US dollars.

    Raises
    ------
    ModuleNotFoundError
        When the lifetimes package is not installed.

    Notes
    -----
    The files come with the lifetimes package, which is not imported. See Fader & Hardie (2001), Interfaces 31(3),
    S94-S107.

    Examples
    --------
    >>> load_cdnow().head(3)
       customer_id       date  amount
    0            1 1997-01-01   29.33
    1            1 1997-01-18   29.73
    2            1 1997-08-02   14.96
    """
    require_bool("full", full)
    file, columns = ("CDNOW_master.txt", [0, 1, 3]) if full else ("CDNOW_sample.txt", [1, 2, 4])
    log = read_packaged(
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
    """Distinct donation histories of 11,104 donors in the six years from 1996 to 2001.

    All donors made their first gift in 1995.

    Returns
    -------
    pandas.DataFrame
        22 rows: ``frequency`` (years with a gift), ``recency`` (the last such year, from 1; 0 for none), ``T`` (6
        years), and ``weight`` (number of donors).

    Raises
    ------
    ModuleNotFoundError
        When the lifetimes package is not installed.

    Notes
    -----
    The data of Fader, Hardie & Shang (2010), Marketing Science 29(6), 1086-1108. The file comes with the lifetimes
    package, which is not imported.

    Examples
    --------
    >>> load_donations().head(3)
       frequency  recency  T  weight
    0          0        0  6    3464
    1          1        1  6    1091
    2          1        2  6     277
    """
    return read_packaged(_file("donations.csv")).rename(columns={"periods": "T", "weights": "weight"})


def load_published_experiments() -> pd.DataFrame:
    """Published counts of each arm of four experiments with mail and loyalty cards.

    Returns
    -------
    pandas.DataFrame
        One row per arm and outcome: ``experiment``, ``outcome``, ``unit``; ``horizon`` and ``time_unit`` (time until
        the measurement, missing for an election and a mailing), ``assigned`` (unit of assignment), ``assignment``
        (who decided: random), ``arm``,
        ``control`` (whether it is the control group), ``share`` (planned, in any unit), ``n`` (customers), ``count``
        (customers with the outcome), ``mean`` (per customer) and ``source``. The spend of the e-mail experiment has a
        mean only: its count is missing (``<NA>``).

    Examples
    --------
    >>> table = load_published_experiments()
    >>> table.loc[table["outcome"] == "completed", ["experiment", "arm", "n", "count"]]
        experiment                 arm    n  count
    16  Stamp card            8 stamps  150     28
    17  Stamp card  10 stamps, 2 given  150     51
    """
    path = project_folder("data") / "published_experiments.csv"
    return read_packaged(path, dtype={"count": "Int64", "horizon": "Int64"})


def load_published_retention() -> pd.DataFrame:
    """Published retention of 1,000 customers in each of two segments over twelve yearly renewals.

    ``fit`` takes one segment at a time.

    Returns
    -------
    pandas.DataFrame
        One row per segment and renewal: ``customers`` ("regular" or "high end"), ``tenure`` (number of the renewal),
        ``at_risk`` and ``lost`` (customers).

    Notes
    -----
    The data of Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1),
    76-90.

    Examples
    --------
    >>> load_published_retention().head(3)
      customers  tenure  at_risk  lost
    0   regular       1     1000   369
    1   regular       2      631   163
    2   regular       3      468    86
    """
    return read_packaged(project_folder("data") / "published_retention.csv")


def _file(name: str) -> Path:
    """Where the installed lifetimes keeps a file."""
    try:
        lifetimes = distribution("lifetimes")
    except PackageNotFoundError:
        raise ModuleNotFoundError(
            f"{name} comes with the lifetimes package, which is not installed: pip install 'retention-models[data]'"
        ) from None
    return Path(str(lifetimes.locate_file(f"lifetimes/datasets/{name}")))
