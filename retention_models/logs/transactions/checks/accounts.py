"""Accounts that are no customers: an anonymous id, a reseller, a test account make far too large a part of a log."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import is_number
from retention_models.core.check import Check
from retention_models.logs.transactions.by_engine import encode_ids
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions, filter_days
from retention_models.tables.engines import collect

NAME = "no account is more than a customer"
TIMES_AN_EVEN_SHARE = 20  # real customers differ: among thousands the largest has bought twenty times the mean
AMOUNTS_DIFFER_MORE = 2.5  # and has spent fifty times the mean
LARGE_ANYWHERE = {"share_of_rows": 0.2, "share_of_amount": 0.25}  # however few the customers
NOBODY = "rows without a customer_id"
NAMED, LONGEST = 5, 40  # accounts named in a sentence, and letters of each


def large_accounts(
    transactions: Any, *, share: float = 0.02, observation_end: Any = None, acquired_after: Any = None
) -> pd.DataFrame:
    """The accounts that hold more of a log than a customer would.

    Parameters
    ----------
    transactions
        The log: whatever ``read_transactions`` takes, or what it returned.
    share
        An account is large from this share of all rows on, or from two and a half times this share of all money,
        because spending differs more; in a log of few customers, where everybody's share is large, from twenty
        (fifty) times an even share on. From a fifth of all rows or a quarter of all money on, any account is large,
        unless there are no more than twenty.
    observation_end, acquired_after
        Last day that counts, and the day on which or after which customers must first be seen; by default all count.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``customer_id``, the largest first: number of ``rows``, their ``share_of_rows`` and, where there is
        money, ``share_of_amount`` (an account that got back more than it paid counts 0). From
        which shares on an account is large is in ``attrs``, for display.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.large_accounts(rm.datasets.load_cdnow(), share=0.01).round(3)
                 rows  share_of_rows  share_of_amount
    customer_id
    1901           56          0.008            0.027
    """
    if not (is_number(share) and 0 < share < 1):
        raise ValueError(f"share must lie between 0 and 1; got {share!r}")
    accounts = _accounts(as_transactions(transactions), observation_end, acquired_after)
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
    transactions: Any, *, share: float = 0.02, observation_end: Any = None, acquired_after: Any = None
) -> Check:
    """Whether every account can be a customer; where not, which ones, and how much of the log is theirs.

    Parameters are those of ``large_accounts``. Rows without a customer_id, which were set aside when the log was read,
    are judged like an account, by their share of all rows of the log.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(rm.logs.check_accounts(rm.datasets.load_cdnow(full=True)))
    no account is more than a customer: passed. No customer_id has 2 % of the rows or 5 % of the amount.
    """
    log = as_transactions(transactions)
    large = large_accounts(log, share=share, observation_end=observation_end, acquired_after=acquired_after)
    limits = large.attrs["large_from"]
    unknown = _unknown_customers(log, limits["share_of_rows"])
    of_rows, of_amount = (100 * limit for limit in limits.values())
    if of_rows >= 100:
        return Check(NAME, False if unknown else None, f"There are too few customers to tell.{unknown}")
    much = f"{of_rows:.2g} % of the rows{f' or {of_amount:.2g} % of the amount' if log.has_amount else ''}"
    if large.empty:
        return Check(NAME, not unknown, f"No customer_id has {much}.{unknown}")
    named = "; ".join(_describe_account(account, shares) for account, shares in large.head(NAMED).iterrows())
    more = f"; and {len(large) - NAMED:,} more" if len(large) > NAMED else ""
    return Check(
        NAME,
        False,
        f"At least {much} under one customer_id: {named}{more}. Models take each of them for one customer, and "
        "totals follow them. Leave out the rows of those that are none: an anonymous id, a reseller, a test account."
        f"{unknown}",
    )


def _accounts(log: Transactions, observation_end: Any, acquired_after: Any) -> pd.DataFrame:
    """The number of rows of each account and, where there is money, their amount."""
    encoded, ids = encode_ids(log)
    rows = filter_days(nw.from_native(encoded.frame).lazy(), "date", None, observation_end)
    measures = {"first": nw.col("date").min(), "rows": nw.len()}
    measures |= {"amount": nw.col("amount").sum()} if log.has_amount else {}
    accounts = collect(
        filter_days(rows.group_by("customer_id").agg(**measures), "first", acquired_after, None).drop("first")
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
        f" {100 * share:.2g} % of the rows have no customer_id and are set aside: who bought them is not known, and "
        "every total lacks them."
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
