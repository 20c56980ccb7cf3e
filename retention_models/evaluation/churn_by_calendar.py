"""Churn by calendar month: what came, and what a model expects of customers of these ages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from retention_models.fitting.result import Fit
from retention_models.forecast.retention_rates import predict_retention


def churn_by_month(fit: Fit, retention_table: pd.DataFrame) -> pd.DataFrame:
    """Churn in each calendar month, and the churn that a model expects of the customers who came to a renewal then.

    Parameters
    ----------
    fit
        A fit of a contract model, to this table or to the same without its calendar.
    retention_table
        The table of ``logs.with_events``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``calendar``: ``at_risk`` and ``lost`` customers, ``churn`` (their share), ``expected`` (the share
        that the model expects), ``chance`` (its standard deviation by chance), and ``event``, the names of the events
        of the month. Months without customers at risk are left out.

    Raises
    ------
    ValueError
        When the table has no column ``calendar``.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=5_000)
    >>> spells = rm.read_contracts(business.contracts, sampling="acquisition", observation_end="2024-12-28")
    >>> table = rm.retention_table(spells, period="M")
    >>> dated = rm.logs.with_events(table, {"price_rise": ["2022-09", "2022-10"]})
    >>> churn = rm.evaluation.churn_by_month(rm.fit(rm.ShiftedBetaGeometric, table), dated)
    >>> churn.loc["2022-08":"2022-10", ["churn", "expected", "event"]].round(3)
              churn  expected       event
    calendar
    2022-08   0.046     0.049
    2022-09   0.068     0.048  price_rise
    2022-10   0.078     0.048  price_rise
    """
    if "calendar" not in retention_table.columns:
        raise ValueError("the table has no column 'calendar': pass the table of logs.with_events")
    rows = retention_table[retention_table["at_risk"] > 0]
    leave = 1 - predict_retention(fit, retention_table, level=None)["retention_rate"][rows.index]
    sums = pd.DataFrame(
        {
            "at_risk": rows["at_risk"],
            "lost": rows["lost"],
            "expected": rows["at_risk"] * leave,
            "variance": rows["at_risk"] * leave * (1 - leave),
        }
    )
    months = sums.groupby(rows["calendar"]).sum()
    named = {name: rows.groupby("calendar")[name].max() > 0 for name in retention_table.attrs.get("events", [])}
    events = [", ".join(name for name, in_month in named.items() if in_month[month]) for month in months.index]
    return pd.DataFrame(
        {
            "at_risk": months["at_risk"],
            "lost": months["lost"],
            "churn": months["lost"] / months["at_risk"],
            "expected": months["expected"] / months["at_risk"],
            "chance": np.sqrt(months["variance"]) / months["at_risk"],
            "event": events,
        }
    )
