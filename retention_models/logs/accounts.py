"""Accounts that are no customers: an anonymous id, a reseller, a test account make far too large a part of a log."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.checks import Check
from retention_models.logs.cohorts import checked
from retention_models.logs.customers import lent
from retention_models.logs.engines import collect

NAME = "no account is more than a customer"
TIMES_AN_EVEN_SHARE = 20  # real customers differ: among thousands the largest has bought twenty times the mean
NAMED, LONGEST = 5, 40  # accounts named in a sentence, and letters of each


def large_accounts(transactions: Any, *, share: float = 0.01) -> pd.DataFrame:
    """The accounts that hold more of a log than a customer would.

    Parameters
    ----------
    transactions
        The log: whatever ``read_transactions`` takes, or what it returned.
    share
        An account is large from this share of all rows, or of all money, on; in a log of few customers from twenty
        times an even share on, because there everybody's is large.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``customer_id``, the largest first: number of ``rows``, their ``share_of_rows`` and, where there is
        money, ``share_of_amount``. From which share on an account is large is in ``attrs``, for display.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.logs.accounts import large_accounts
    >>> large_accounts(rm.load_cdnow()).round(3)
                 rows  share_of_rows  share_of_amount
    customer_id
    1901           56          0.008            0.027
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1; got {share!r}")
    log = checked(transactions)
    rows, ids = lent(log)
    measures = {"rows": nw.len()} | ({"amount": nw.col("amount").sum()} if log.has_amount else {})
    accounts = nw.from_native(rows.frame).lazy().group_by("customer_id").agg(**measures)
    totals = collect(accounts.select(nw.len().alias("accounts"), *(nw.col(name).sum() for name in measures))).iloc[0]
    threshold = max(share, TIMES_AN_EVEN_SHARE / totals["accounts"])
    shares = {f"share_of_{name}": nw.col(name) / _positive(totals[name]) for name in measures}
    is_large = nw.any_horizontal(*(nw.col(name) >= threshold for name in shares), ignore_nulls=True)
    large = collect(accounts.with_columns(**shares).filter(is_large))
    if ids is not None:
        large["customer_id"] = ids.take(large["customer_id"].to_numpy())
    large = large.astype({"rows": "int64"}).set_index("customer_id").sort_index()
    large = large.sort_values(list(shares), ascending=False, kind="stable")
    large = large[["rows", *shares]].round(6)
    large.attrs["large_from"] = float(threshold)
    return large


def check_accounts(transactions: Any, *, share: float = 0.01) -> Check:
    """Whether every account can be a customer; where not, which ones, and how much of the log is theirs.

    Parameters are those of ``large_accounts``.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.logs.accounts import check_accounts
    >>> print(check_accounts(rm.load_cdnow(full=True)))
    no account is more than a customer: passed. No customer_id has 1 % of the rows or of the amount.
    """
    log = checked(transactions)
    large = large_accounts(log, share=share)
    limit = large.attrs["large_from"]
    if limit >= 1:
        return Check(NAME, None, "There are too few customers to tell.")
    much = f"{100 * limit:.2g} % of the rows{' or of the amount' if log.has_amount else ''}"
    if large.empty:
        return Check(NAME, True, f"No customer_id has {much}.")
    named = "; ".join(_described(account, shares) for account, shares in large.head(NAMED).iterrows())
    more = f"; and {len(large) - NAMED:,} more" if len(large) > NAMED else ""
    return Check(
        NAME,
        False,
        f"At least {much} under one customer_id: {named}{more}. Models take each of them for one customer, and "
        "totals follow them. Leave out the rows of those that are none: an anonymous id, a reseller, a test account.",
    )


def _described(account: object, shares: pd.Series) -> str:
    """An account and its shares. The id may be any text; whatever writes a page escapes it."""
    name = str(account)
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    parts = [f"{100 * value:.2g} % of the {what}" for what, value in zip(("rows", "amount"), shares[1:], strict=False)]
    return f"{name!r} ({', '.join(parts)})"


def _positive(total: float) -> float:
    """The total, or 1 where it is not above 0 and no share of it means anything."""
    return total if total > 0 else 1.0
