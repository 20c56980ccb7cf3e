"""A contract log at a glance: how many customers and contracts, of which days, what was set aside or settled."""

from __future__ import annotations

from pathlib import Path

import narwhals as nw
import pandas as pd

from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.rows import scalars
from retention_models.tables.days import Day
from retention_models.tables.engines import on_engine


def contract_overview(spells: Spells, *, name: str | Path = "this log") -> pd.DataFrame:
    """What a reader wants to know of a contract log first.

    Parameters
    ----------
    spells
        From ``read_contracts``.
    name
        What to call the log; of a path the last part.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``fact``, one column of text with the name of the log. A spell is an unbroken time as a customer.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.logs.contract_overview import contract_overview
    >>> from retention_models.logs.contracts.log import read_contracts
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Bob", "Bob", "Cem"],
    ...     "start": ["2023-01-15", "2023-02-01", "2023-08-01", "2023-03-10"],
    ...     "end": ["2023-06-14", "2023-04-30", None, "2023-01-01"],
    ... })
    >>> contract_overview(read_contracts(log, design="acquisition", observed_until="2023-12-31"))
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
    rows = on_engine(nw.from_native(spells.frame).to_native())
    numbers = scalars(
        rows,
        customers=nw.col("customer_id").n_unique(),
        ended=nw.col("churned").sum(),
        first=Day.in_column("start").number.min(),
    )
    ended = numbers["ended"]
    facts = {
        "first start": str(pd.Timestamp.fromordinal(numbers["first"]).date()),
        **({"observed from": str(spells.observed_from)} if spells.observed_from else {}),
        "last day known": str(spells.observed_until),
        "customers": f"{numbers['customers']:,}",
        "spells": f"{spells.rows:,}",
        "ended": f"{ended:,} ({100 * ended / spells.rows:.0f} %)",
        "still running": f"{spells.rows - ended:,}",
        **{f"set aside: {reason}": f"{count:,}" for reason, count in spells.set_aside.items()},
        **{f"settled: {rule}": f"{count:,}" for rule, count in spells.settled.items()},
    }
    return pd.DataFrame({Path(name).name: facts}).rename_axis("fact")
