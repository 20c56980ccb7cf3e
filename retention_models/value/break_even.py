"""Break-even analysis: how much an offer must raise purchases to earn its cost, and for how many customers it pays.

Customer value says how much there is to gain or to lose. It does not say which customers an offer influences. Only an
experiment can show that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from retention_models.core.arguments import is_number, require_number

UPLIFTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
TYPICAL_SHARE = 0.1


def paying_customers(uplift: pd.DataFrame, *, uplifts: Sequence[float] = UPLIFTS) -> pd.DataFrame:
    """The number of customers for whom an offer pays, for each assumed increase in their purchases.

    Parameters
    ----------
    uplift
        The table that ``break_even_uplift`` returns.
    uplifts
        Assumed increases in purchases, as shares: 0.05 for 5 %. By default 1, 2, 5, 10, 20, 50 and 100 %.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``uplift`` (text). ``customers`` is the number of customers whose break-even uplift is at most the
        assumed increase. ``share`` is their share of all customers. ``share_lower`` counts only customers whose whole
        interval is at most the increase. ``share_upper`` counts all whose interval begins there or below.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> needed = pd.Series([0.04, 0.08, 0.3, 2.0])
    >>> uplift = pd.DataFrame({"break_even_uplift": needed, "break_even_uplift_lower": needed / 2,
    ...     "break_even_uplift_upper": needed * 2})
    >>> rm.value.paying_customers(uplift, uplifts=(0.05, 0.1))
            customers  share  share_lower  share_upper
    uplift
    5 %             1   0.25         0.00          0.5
    10 %            2   0.50         0.25          0.5
    """
    uplifts = list(uplifts) if np.iterable(uplifts) else [uplifts]
    for share in uplifts:
        require_number("each of uplifts", share, 0)
    ends = {"share": "", "share_lower": "_upper", "share_upper": "_lower"}
    needed = {name: np.sort(uplift[f"break_even_uplift{end}"]) for name, end in ends.items()}
    counts = {name: np.searchsorted(values, uplifts, side="right") for name, values in needed.items()}
    shares = pd.DataFrame(counts, index=pd.Index([f"{100 * share:g} %" for share in uplifts], name="uplift")) / len(
        uplift
    )
    shares.insert(0, "customers", counts["share"])
    return shares


def break_even_uplift(value: pd.DataFrame, *, cost: float) -> pd.DataFrame:
    """The increase in each customer's value, as a share of the value, at which an offer earns its cost.

    Parameters
    ----------
    value
        The table that ``customer_value`` returns.
    cost
        Cost of the offer for one customer, in money, above 0.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``value``: ``break_even_uplift``, the cost divided by the value, and its interval
        ``break_even_uplift_lower, break_even_uplift_upper`` from the interval of the value. At 0.05 the offer pays if
        it raises the customer's future purchases by 5 %. It is infinite where the customer is worth nothing.

    Raises
    ------
    ValueError
        When ``cost`` is not above 0, or ``value`` lacks a column.

    Notes
    -----
    The table does not say which customers an offer influences. That takes an experiment: do not select customers by
    value alone.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> terms = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.15, margin=0.3)
    >>> value = rm.customer_value(purchases, customers, terms, spend=spend)
    >>> rm.value.break_even_uplift(value, cost=0.5)["break_even_uplift"].head(3).round(3)
    customer_id
    1    0.051
    2    0.997
    3    0.641
    Name: break_even_uplift, dtype: float64
    """
    if not (is_number(cost) and cost > 0):
        raise ValueError(f"cost must be an amount of money above 0; got {cost!r}")
    ends = {"": "value", "_lower": "value_upper", "_upper": "value_lower"}
    missing = [column for column in ends.values() if column not in value]
    if missing:
        raise ValueError(f"value lacks {', '.join(missing)}; pass the table that customer_value returns")
    return pd.DataFrame({f"break_even_uplift{end}": cost / value[column] for end, column in ends.items()})
