"""What was known of each customer strictly before a day: the only way covariates enter an observational design."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.dates import read_day
from retention_models.logs.contacts.contact_log import Contacts, read_contacts
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import purchases
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.tables.frames import as_lazy, collect, count_distinct

WINDOWS = (13, 26, 52)  # weeks
OF_LATE = 13  # weeks of contacts
WEEK = 7.0


def customer_features(log: Any, contacts: Any = None, *, as_of: str | dt.date) -> pd.DataFrame:
    """What was known of each customer before a day.

    Parameters
    ----------
    log
        The result of ``read_transactions``, or a frame or file that it takes by default names.
    contacts
        The result of ``read_contacts``, or a frame or file that it takes by default names. By default none.
    as_of
        The day. Nothing that happened on it or later counts.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``customer_id``, one row a customer with an order before the day: ``orders`` (days with an order, net
        of the returns known by then), ``tenure`` and ``recency`` (weeks since the first and the last order),
        ``orders_13, orders_26, orders_52`` (in so many weeks before the day), the same of ``amount`` where the log has
        one, and ``contacts_KIND`` (number of contacts of each kind in the last 13 weeks). Where contacts have an
        ``until``, ``running_KIND`` is the number of those that began before the day and had not ended by then, such as
        memberships, for each kind that ends at all. ``attrs`` holds ``as_of`` and ``contacts_of_others`` (contacts
        before the day, of late, of customers without an order before it).

    Raises
    ------
    ValueError
        When the day is none, or no order lies before it.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> days = ["2026-01-05", "2026-03-02", "2026-03-09"]
    >>> log = pd.DataFrame({"customer_id": [1, 1, 2], "date": days, "amount": 9.0})
    >>> rm.logs.customer_features(log, as_of="2026-03-09")[["orders", "tenure", "recency", "amount_13"]]
                 orders  tenure  recency  amount_13
    customer_id
    1                 2     9.0      1.0       18.0
    """
    day = read_day("as_of", as_of)
    known = log if isinstance(log, Transactions) else read_transactions(log)
    start = dt.datetime.combine(day, dt.time())
    rows = purchases(known, cut=day - dt.timedelta(days=1)).with_columns(date=nw.col("period").cast(nw.Datetime("us")))
    rows = rows.filter(nw.col("date") < start)
    amounts = ["amount"] if known.has_amount else []
    counts: dict[str, Any] = {"orders": nw.len(), "first": nw.col("date").min(), "last": nw.col("date").max()}
    for weeks in WINDOWS:
        inside = nw.col("date") >= start - dt.timedelta(weeks=weeks)
        rows = rows.with_columns(inside.cast(nw.Int64).alias(f"orders_{weeks}"))
        for name in amounts:
            rows = rows.with_columns((nw.col(name) * nw.col(f"orders_{weeks}")).alias(f"{name}_{weeks}"))
        counts |= {f"{name}_{weeks}": nw.col(f"{name}_{weeks}").sum() for name in ("orders", *amounts)}
    table = collect(rows.group_by("customer_id").agg(**counts)).set_index("customer_id").sort_index()
    if table.empty:
        raise ValueError(f"no order lies before as_of {day}; the log begins on {known.first_date}")
    moment = pd.Timestamp(start)
    table.insert(1, "tenure", (moment - table.pop("first").dt.normalize()).dt.days / WEEK)
    table.insert(2, "recency", (moment - table.pop("last").dt.normalize()).dt.days / WEEK)
    order = ["orders", "tenure", "recency", *(f"orders_{weeks}" for weeks in WINDOWS)]
    order += [f"amount_{weeks}" for _ in amounts for weeks in WINDOWS]
    table = table[order]
    for name in table.columns[table.columns.str.startswith("amount_")]:
        table[name] = table[name].round(6)
    return _with_contacts(table, contacts, start)


def _with_contacts(table: pd.DataFrame, contacts: Any, start: dt.datetime) -> pd.DataFrame:
    """The features with the number of contacts of each kind of late, and of those that run."""
    table.attrs = {"as_of": str(start.date()), "contacts_of_others": 0}
    if contacts is None:
        return table
    known = contacts if isinstance(contacts, Contacts) else read_contacts(contacts)
    rows = as_lazy(known.frame).filter(nw.col("date") < start)
    late = rows.filter(nw.col("date") >= start - dt.timedelta(weeks=OF_LATE))
    found, others = _count_by_kind(table, late, sorted(known.kinds), "contacts_")
    if "until" in rows.collect_schema().names():
        running = rows.filter(nw.col("until").is_null() | (nw.col("until") >= start))
        found = found.join(_count_by_kind(table, running, _lasting(known), "running_")[0].iloc[:, table.shape[1] :])
    found.attrs = table.attrs | {"contacts_of_others": others}
    return found


def _count_by_kind(
    table: pd.DataFrame, rows: nw.LazyFrame[Any], kinds: list[str], prefix: str
) -> tuple[pd.DataFrame, int]:
    """The features with the number of rows of each kind, and the number of rows of other customers."""
    counted = count_distinct(rows, ["customer_id", "kind"], contacts=nw.len())
    ours = counted["customer_id"].isin(table.index)
    wide = counted[ours].pivot_table(index="customer_id", columns="kind", values="contacts", aggfunc="sum")
    wide = wide.reindex(index=table.index, columns=kinds).fillna(0).astype("int64")
    return table.join(wide.add_prefix(prefix)), int(counted.loc[~ours, "contacts"].sum())


def _lasting(known: Contacts) -> list[str]:
    """The kinds of which some contact has an end; an only kind in any case."""
    if len(known.kinds) == 1:
        return list(known.kinds)
    ending = as_lazy(known.frame).filter(~nw.col("until").is_null())
    return sorted(count_distinct(ending, ["kind"], contacts=nw.len())["kind"].astype(str))
