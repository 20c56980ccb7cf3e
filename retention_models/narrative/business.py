"""The kind of business behind a log: how customers arrive, return, buy and leave, each trait as a number and a word.

The words follow conventions, to compare a business with others. The number beside a word shows how close the next word
is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.logs.transactions.checks.regularity import check_regularity
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.describe.rfm import rfm_segments
from retention_models.logs.transactions.describe.rhythm import (
    days_until,
    purchase_gaps,
    season,
    time_to_second_purchase,
    well_watched,
)
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions

FEW = 0.1  # the best tenth of the customers


def business_traits(transactions: Any) -> pd.DataFrame:
    r"""How customers arrive, return, buy and leave: a measurement of each trait and the kind of business it indicates.

    Parameters
    ----------
    transactions
        The log: anything that ``read_transactions`` takes or returns.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``trait``: ``measured`` and ``kind``, both as text.

    Raises
    ------
    ValueError
        When the log is not readable, or has no customer within these limits.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(*rm.narrative.business_traits(rm.datasets.load_cdnow())["kind"], sep="\n")
    purchases without a contract
    one cohort, without new customers
    about half of the customers return
    a purchase every few weeks
    a few customers account for most
    similar days
    """
    log = as_transactions(transactions)
    traits = {
        "leaving": _churn_trait(log),
        "coming": _acquisition_trait(daily_purchases(log)["new_customers"]),
        "returning": _return_trait(time_to_second_purchase(log)),
        "rhythm": _rhythm_trait(purchase_gaps(log)["share"]),
        "the best": _concentration_trait(rfm_segments(log)),
        "week": _week_trait(season(log, by="weekday")["relative"]),
    }
    table = pd.DataFrame.from_dict(traits, orient="index", columns=["measured", "kind"])
    return table.rename_axis("trait")


def _churn_trait(log: Transactions) -> tuple[str, str]:
    check = check_regularity(log)
    kind = {
        True: "purchases without a contract",
        False: "regular purchases, perhaps payments of a contract",
        None: "too few purchases",
    }
    return f"{check.name}: {check.verdict}", kind[check.passed]


def _acquisition_trait(new_customers: pd.Series) -> tuple[str, str]:
    """Whether more customers arrive in the last third of the log than in the third before."""
    third = (new_customers.index[-1] - new_customers.index[0]) / 3
    last = int(new_customers[new_customers.index > new_customers.index[-1] - third].sum())
    before = int(new_customers[new_customers.index > new_customers.index[-1] - 2 * third].sum()) - last
    share = last / new_customers.sum()
    measured = f"{100 * share:.0f} % of the customers are first seen in the last third of the log"
    if share < 0.02:
        return measured, "one cohort, without new customers"
    pace = last / max(before, 1)
    kind = (
        "an increasing number of" if pace > 1.25 else "a decreasing number of" if pace < 0.8 else "a steady number of"
    )
    return measured, f"{kind} new customers"


def _return_trait(second: pd.DataFrame) -> tuple[str, str]:
    """The share of customers who return, up to the last day with enough customers at risk."""
    watched = well_watched(second)
    share, days = watched["share"].iloc[-1], watched.index[-1]
    kind = "most customers return" if share > 0.65 else "about half of the customers return"
    return (
        f"{100 * share:.0f} % of new customers buy again within {days:,} days",
        kind if share > 0.35 else "most customers buy only once",
    )


def _rhythm_trait(gaps: pd.Series) -> tuple[str, str]:
    if gaps.empty:
        return "no customer bought twice", "no repeat purchases"
    usual, long = days_until(gaps, 0.5), days_until(gaps, 0.9)
    kinds = {4: "every few days", 20: "every week or two", 60: "every few weeks", 250: "every few months"}
    kind = next((kind for days, kind in kinds.items() if usual <= days), "about once a year")
    return f"half of the gaps are {usual} days or shorter, nine of ten {long}", f"a purchase {kind}"


def _concentration_trait(customers: pd.DataFrame) -> tuple[str, str]:
    what = "spend" if "spend" in customers else "purchases"
    best = customers[what].sort_values(ascending=False).iloc[: int(np.ceil(FEW * len(customers)))]
    share = best.sum() / max(customers[what].sum(), np.finfo(float).tiny)
    kind = "a few customers account for most" if share > 0.5 else "the best customers account for a large part"
    return (
        f"the best {100 * FEW:.0f} % of the customers made {100 * share:.0f} % of the {what}",
        kind if share > 0.25 else "customers contribute about equally",
    )


def _week_trait(relative: pd.Series) -> tuple[str, str]:
    best, worst, spread = relative.idxmax(), relative.idxmin(), relative.max() - relative.min()
    measured = f"{best} has {relative.max():.2f} times the repeat purchases of a mean day, {worst} {relative.min():.2f}"
    kind = "clearly different days" if spread > 0.3 else "similar days"
    return measured, kind if spread <= 1 else "most purchases on a few days"
