"""Large accounts: an anonymous id, a reseller or a test account holds more than one customer would."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import require_number
from retention_models.core.check import Check
from retention_models.logs.transactions.by_engine import encode_ids
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions, filter_days
from retention_models.tables.frames import collect, on_engine

NAME = "Bulk accounts"
TIMES_AN_EVEN_SHARE = 20  # real customers differ: among thousands the largest has bought twenty times the mean
AMOUNTS_DIFFER_MORE = 2.5  # and has spent fifty times the mean
LARGE_ANYWHERE = {"share_of_rows": 0.2, "share_of_amount": 0.25}  # however few the customers
NOBODY = "rows without a customer_id"
FIND_CUSTOMERS = "Find out who bought them, or state for which customers the results hold."
NAMED, LONGEST = 5, 40  # accounts named in a sentence, and letters of each


def large_accounts(
    transactions: Any,
    *,
    share: float = 0.02,
) -> pd.DataFrame:
    """The accounts that hold more rows or money of a log than one customer would.

    Large accounts are often no customers: an anonymous id, a reseller, a test account.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    share
        Share of all rows from which an account is large. The limit for money is 2.5 times this share, because spend
        varies more. The default is 2 % of the rows and 5 % of the money.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``customer_id``, the largest first: number of ``rows``, ``share_of_rows`` and, with money,
        ``share_of_amount`` (shares from 0 to 1). An account with more refunds than payments has an amount of 0.
        ``attrs["large_from"]`` holds the limits used.

    Raises
    ------
    ValueError
        When ``share`` is not between 0 and 1, or no purchase lies within the dates.

    Notes
    -----
    In a log of few customers the limit is higher: 20 times an equal share of the rows, or 50 times an equal share of
    the money. With more than 20 accounts, an account with a fifth of the rows or a quarter of the money is always
    large.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.large_accounts(rm.datasets.load_cdnow(), share=0.01).round(3)
                 rows  share_of_rows  share_of_amount
    customer_id
    1901           56          0.008            0.027
    """
    require_number("share", share, 0, 1, inside=True)
    accounts = _accounts(as_transactions(transactions))
    large_from = pd.Series({"share_of_rows": 1.0, "share_of_amount": AMOUNTS_DIFFER_MORE})
    large_from *= max(share, TIMES_AN_EVEN_SHARE / len(accounts))
    if len(accounts) > TIMES_AN_EVEN_SHARE:
        large_from = large_from.clip(upper=pd.Series(LARGE_ANYWHERE).clip(lower=share))
    held = accounts.clip(lower=0)
    shares = pd.DataFrame({f"share_of_{name}": held[name] / _positive_total(held[name].sum()) for name in held})
    is_large = shares.ge(large_from[shares.columns]).any(axis=1)
    large = accounts.loc[is_large, ["rows"]].join(shares.round(6)).sort_index()
    large = large.sort_values(shares.columns.to_list(), ascending=False, kind="stable")
    large.attrs["large_from"] = large_from.to_dict()
    return large


def check_accounts(
    transactions: Any,
    *,
    share: float = 0.02,
) -> Check:
    """Whether every account can be one customer; if not, which accounts and how much of the log they hold.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    share
        Share of all rows from which an account is large. The limit for money is 2.5 times this share, because spend
        varies more. The default is 2 % of the rows and 5 % of the money.

    Returns
    -------
    Check
        Failed if ``large_accounts`` finds an account, or if rows without a customer are as many as those of a large
        account.

    Raises
    ------
    ValueError
        When ``share`` is not between 0 and 1, or no purchase lies within the dates.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(rm.logs.check_accounts(rm.datasets.load_cdnow(full=True)))
    Bulk accounts: passed. No customer_id has 2 % of the rows or 5 % of the amount.
    """
    log = as_transactions(transactions)
    large = large_accounts(log, share=share)
    limits = large.attrs["large_from"]
    unknown = _unknown_customers(log, limits["share_of_rows"])
    of_rows, of_amount = (100 * limit for limit in limits.values())
    if of_rows >= 100:
        return Check(
            NAME,
            False if unknown else None,
            detail=f"There are too few customers to tell.{unknown}",
            remedy=FIND_CUSTOMERS,
        )
    much = f"{of_rows:.2g} % of the rows{f' or {of_amount:.2g} % of the amount' if log.has_amount else ''}"
    if large.empty:
        return Check(NAME, not unknown, detail=f"No customer_id has {much}.{unknown}", remedy=FIND_CUSTOMERS)
    named = "; ".join(_describe_account(account, shares) for account, shares in large.head(NAMED).iterrows())
    more = f"; and {len(large) - NAMED:,} more" if len(large) > NAMED else ""
    return Check(
        NAME,
        False,
        size=100 * float(large["share_of_rows"].max()),
        limit=of_rows,
        unit="% of the rows",
        detail=f"At least {much} under one customer_id: {named}{more}. Models treat each of these accounts as one "
        f"customer, and totals depend on them.{unknown}",
        remedy="Leave out the rows of accounts that are not one customer: an anonymous id, a reseller, a test account.",
    )


def _accounts(log: Transactions) -> pd.DataFrame:
    """The number of rows of each account and, where there is money, their amount."""
    encoded, ids = encode_ids(log)
    rows = filter_days(on_engine(encoded.frame), "date", None, log.last_observed)
    measures = {"first": nw.col("date").min(), "rows": nw.len()}
    measures |= {"amount": nw.col("amount").sum()} if log.has_amount else {}
    accounts = collect(
        filter_days(rows.group_by("customer_id").agg(**measures), "first", log.acquired_after, None).drop("first")
    )
    if accounts.empty:
        raise ValueError(f"no purchase lies within these dates; the log runs from {log.first_date} to {log.last_date}")
    if ids is not None:
        accounts["customer_id"] = ids.take(accounts["customer_id"].to_numpy())
    return accounts.set_index("customer_id").astype({"rows": "int64"})


def _unknown_customers(log: Transactions, limit: float) -> str:
    """A sentence on rows without a customer, where they are more of the log than one customer would be."""
    rows = log.set_aside.get(NOBODY, 0)
    share = rows / (log.rows + rows)
    if share < min(limit, LARGE_ANYWHERE["share_of_rows"]):
        return ""
    return (
        f" {100 * share:.2g} % of the rows have no customer_id and are set aside. The customers are not known, and "
        "no total includes these rows."
    )


def _describe_account(account: object, shares: pd.Series) -> str:
    """An account and its shares. The id may be any text; whatever writes a page escapes it."""
    name = str(account)
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    parts = [f"{100 * value:.2g} % of the {what}" for what, value in zip(("rows", "amount"), shares[1:], strict=False)]
    return f"{name!r} ({', '.join(parts)})"


def _positive_total(total: float) -> float:
    """The total, or 1 where it is not above 0 and no share of it means anything."""
    return total if total > 0 else 1.0
