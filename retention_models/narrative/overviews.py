"""Summary of a log: the number of customers and purchases, the period, and the rows left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.formatting import three_digits
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.rows import scalars
from retention_models.logs.contracts.snapshot import Snapshot, window_name
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions, filter_days
from retention_models.logs.transactions.returns import measure_returns
from retention_models.logs.transactions.summary import summarize
from retention_models.tables.days import Day, period_name
from retention_models.tables.frames import on_engine


def overview(transactions: Any, *, name: str | Path = "this log") -> pd.DataFrame:
    """Summary of a purchase log: period, customers, purchases, mean amount, and what was left out.

    Parameters
    ----------
    transactions
        The log: anything that ``read_transactions`` takes or returns.
    name
        Name of the log, the title of the column. Of a path, the last part is used.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``fact``, one column of text: days, customers, purchases and amounts that count, and the number of
        purchases or customers left out for each reason.

    Raises
    ------
    ValueError
        As in ``read_transactions`` and ``summarize``.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.narrative.overview(rm.datasets.load_cdnow())
                               this log
    fact
    rows that count                   6,919
    first day                    1997-01-01
    last day                     1998-06-30
    customers                         2,357
    who bought only once       1,218 (52 %)
    purchases                         6,696
    mean amount of a purchase          36.5
    total amount                    244,092
    """
    log = as_transactions(transactions)
    customers, bought = summarize(replace(log, calibration_end=None)), daily_purchases(log)
    purchases, once = int(bought["purchases"].sum()), int((customers["frequency"] == 0).sum())
    facts = {
        "rows that count": f"{log.rows:,}",
        "first day": str(bought.index[0].date()),
        "last day": customers.attrs["observation_end"],
        "customers": f"{len(customers):,}",
        "who bought only once": f"{once:,} ({100 * once / len(customers):.0f} %)",
        "purchases": f"{purchases:,}",
    }
    if log.has_amount:
        facts["mean amount of a purchase"] = three_digits(bought["amount"].sum() / purchases)
    facts |= _amounts(log, bought)
    facts |= {f"form of column {column!r}": form for column, form in log.formats.items()}
    aside = {f"set aside: {reason}": f"{count:,}" for reason, count in customers.attrs["set_aside"].items()}
    return pd.DataFrame({Path(name).name: facts | aside}).rename_axis("fact")


def _amounts(log: Transactions, bought: pd.DataFrame) -> dict[str, str]:
    """The total amount, if there is money; where returns are netted, gross, returned and net."""
    if not log.nets_refunds:
        return {"total amount": f"{bought['amount'].sum():,.0f}"} if log.has_amount else {}
    rows = filter_days(on_engine(log.frame), "date", None, log.last_observed)
    returns = measure_returns(rows, log.last_observed)
    amounts = {"gross amount": returns.gross, "returned": returns.returned, "net amount": returns.net}
    facts = {name: f"{amount:,.0f}" for name, amount in amounts.items()}
    if returns.unmatched:
        facts["returns without a purchase"] = f"{returns.unmatched:,.0f}"
    if returns.due and returns.net:
        share = three_digits(100 * returns.due / returns.net)
        facts["returns still due"] = f"for purchases since {returns.due_from}, {share} % of the net amount"
    return facts


def contract_overview(spells: Spells | Snapshot, *, name: str | Path = "this log") -> pd.DataFrame:
    """Summary of a contract log: period, customers, spells, and what was left out.

    Parameters
    ----------
    spells
        The log that ``read_contracts`` returns, or a ``Snapshot``.
    name
        Name of the log, the title of the column. Of a path, the last part is used.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``fact``, one column of text. A spell is an uninterrupted period as a customer.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Bob", "Bob", "Cem"],
    ...     "start": ["2023-01-15", "2023-02-01", "2023-08-01", "2023-03-10"],
    ...     "end": ["2023-06-14", "2023-04-30", None, "2023-01-01"],
    ... })
    >>> how = {"sampling": "acquisition", "observation_end": "2023-12-31", "max_set_aside": 0.25}
    >>> rm.narrative.contract_overview(rm.read_contracts(log, **how))
                                                     this log
    fact
    first start                                    2023-01-15
    last day known                                 2023-12-31
    customers                                               2
    spells                                                  3
    ended                                            2 (67 %)
    still running                                           1
    set aside: contracts that end before they start         1
    settled: spells of customers who came back              1
    """
    facts = _snapshot_facts(spells) if isinstance(spells, Snapshot) else _spell_facts(spells)
    forms = {} if isinstance(spells, Snapshot) else spells.formats
    facts |= {f"form of column {column!r}": form for column, form in forms.items()}
    aside = {f"set aside: {reason}": f"{count:,}" for reason, count in spells.set_aside.items()}
    rules = {f"settled: {rule}": f"{count:,}" for rule, count in spells.settled.items()}
    return pd.DataFrame({Path(name).name: facts | aside | rules}).rename_axis("fact")


def _snapshot_facts(snapshot: Snapshot) -> dict[str, str]:
    frame, name = snapshot.frame, period_name(snapshot.period)
    left = int(frame.loc[frame["churned"], "weight"].sum())
    when = f" in the last {window_name(snapshot.window, snapshot.period)}" if snapshot.sampling == "window" else ""
    return {
        "day of the table": str(snapshot.observation_end),
        "customers": f"{snapshot.rows:,}",
        f"left{when}": f"{left:,} ({100 * left / snapshot.rows:.0f} %)",
        "still customers": f"{snapshot.rows - left:,}",
        f"tenure in {name}s": f"{frame['tenure'].min():,} to {frame['tenure'].max():,}",
    }


def _spell_facts(spells: Spells) -> dict[str, str]:
    rows = on_engine(spells.frame)
    numbers = scalars(
        rows,
        customers=nw.col("customer_id").n_unique(),
        ended=nw.col("churned").sum(),
        first=Day.in_column("start").number.min(),
    )
    ended = numbers["ended"]
    return {
        "first start": str(pd.Timestamp.fromordinal(numbers["first"]).date()),
        **({"observed from": str(spells.observation_start)} if spells.observation_start else {}),
        "last day known": str(spells.observation_end),
        "customers": f"{numbers['customers']:,}",
        "spells": f"{spells.rows:,}",
        "ended": f"{ended:,} ({100 * ended / spells.rows:.0f} %)",
        "still running": f"{spells.rows - ended:,}",
    }
