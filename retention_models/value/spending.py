"""Amount per purchase by the Gamma-Gamma model, and a check of its assumption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.btyd.gammagamma import PAID_NOTHING, GammaGamma
from retention_models.core.arguments import require_number
from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.estimation.intervals import normal_quantile
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import uncertainty_of
from retention_models.tables.customer_table import CustomerTable, open_customers, read_table

INDEPENDENCE = "Independence of amount and frequency"
FEWEST = 20  # customers in a group whose spread can be judged


def fit_spend(customers: Any) -> Fit | None:
    """A fitted Gamma-Gamma model of the amount per purchase; None if the table has no amounts.

    Parameters
    ----------
    customers
        The table that ``summarize`` returns.

    Returns
    -------
    Fit or None
        The fit. Repeat buyers whose purchases all cost nothing are left out and counted in its ``notes``.
        ``customer_value`` takes them into account.

    Raises
    ------
    TypeError
        When ``customers`` is no dataframe.
    ValueError
        When no customer has paid for a repeat purchase, or the table has no ``frequency``.

    Notes
    -----
    The model is that of Fader, Hardie & Lee (2005). It describes customers who pay.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.value.fit_spend(customers).params.round(2).to_dict()
    {'p': 6.25, 'q': 3.74, 'v': 15.44}
    >>> rm.value.fit_spend(rm.summarize(rm.read_transactions(rm.datasets.load_cdnow(), amount=None))) is None
    True
    """
    customers = open_customers(customers)
    if "monetary_value" not in customers.columns:
        read_table(customers, ("frequency",))  # an error where it is no table of customers
        return None
    return fit(GammaGamma, customers)


def expected_spend(spend: Fit, customers: Any) -> Array:
    """Expected amount per purchase of each customer; shape (n,).

    For customers who paid for a repeat purchase it is that of the model. For the others it is unknown whether they ever
    pay. Theirs is that of the model times ``paying_share``.
    """
    source = uncertainty_of(spend)
    table = source.read(customers)
    amount = source.values(lambda model, *history: model.expected_spend(*history), table.rows)
    return np.asarray(np.where(has_paid(table), amount, paying_share(spend) * amount)[table.row])


def has_paid(table: CustomerTable) -> NDArray[np.bool_]:
    """Which distinct rows of a spending table belong to customers who paid for a repeat purchase."""
    frequency, monetary_value = table.columns[:2]
    return (frequency > 0) & (monetary_value > 0)


def paying_share(spend: Fit) -> float:
    """The share of repeat buyers in the data of the fit who paid for a repeat purchase."""
    return spend.n_customers / (spend.n_customers + spend.data.get("left_out", {}).get(PAID_NOTHING, 0))


def spend_by_frequency(spend: Fit, customers: Any, *, edges: Sequence[int] = (1, 2, 3, 4, 7)) -> pd.DataFrame:
    """Actual and expected amount per repeat purchase, by number of repeat purchases.

    Parameters
    ----------
    spend
        A fitted ``GammaGamma``.
    customers
        A table with the columns of the fit.
    edges
        The lowest number of repeat purchases of each group, from 1 upwards. A group of fewer than 20 customers is
        merged with the next lower one (the lowest with the next higher), because it is too small to estimate a spread.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` (text): ``customers``, ``repeat_purchases``, ``actual`` and ``expected`` mean amount
        per purchase, and ``bias`` (expected over actual, less 1). Its 95 % confidence interval ``bias_lower,
        bias_upper`` comes from the spread of the customers' means. Customers whose repeat purchases cost nothing are
        left out.

    Raises
    ------
    ValueError
        When ``edges`` do not begin with 1 and rise.

    Notes
    -----
    Gamma-Gamma assumes that the amount of a purchase is independent of the purchase frequency. Otherwise values are too
    low for some customers and too high for others; ``bias`` says by how much.
    """
    source = uncertainty_of(spend)
    table = source.read(customers)
    keep = has_paid(table)
    rows = table.rows.take(keep)
    (x, m), weight = rows.columns, table.weight[keep]
    start = _merge_small_groups(_check_edges(edges), x, weight)
    group = np.searchsorted(start, x, side="right") - 1
    expected = source.values(lambda model, *history: model.expected_spend(*history), rows)

    def summed(values: Array) -> Array:
        return np.bincount(group, weights=weight * values, minlength=len(start)).astype(float)

    n, purchases, paid = summed(np.ones_like(x)), summed(x), summed(x * m)
    actual, mean = paid / purchases, summed(x * expected) / purchases
    spread = np.sqrt(summed((x * (m - actual[group])) ** 2)) / purchases / actual
    bias = mean / actual - 1
    reach = normal_quantile(0.95) * spread
    return pd.DataFrame(
        {"customers": n.astype(int), "repeat_purchases": purchases.astype(int), "actual": actual, "expected": mean}
        | {"bias": bias, "bias_lower": (1 + bias) * np.exp(-reach) - 1, "bias_upper": (1 + bias) * np.exp(reach) - 1},
        index=pd.Index(_group_names(start), name="frequency"),
    )


def spend_independence_check(spend: Fit, customers: Any, *, tolerance: float = 0.1) -> Check:
    """Check that the amount per purchase is independent enough of the purchase frequency.

    Parameters
    ----------
    spend
        A fitted ``GammaGamma``.
    customers
        A table with the columns of the fit.
    tolerance
        The largest bias of the expected amount that is accepted in a group, as a share: 0.1 for 10 %.

    Returns
    -------
    Check
        Fails if in a group of ``spend_by_frequency`` the interval of the bias lies beyond ``tolerance``. Its ``passed``
        is None with fewer than two groups. The text states the correlation with its interval (Fisher's z). The
        correlation does not decide, because among many customers even a harmless one is significant.
    """
    require_number("tolerance", tolerance, 0)
    bias = spend_by_frequency(spend, customers)
    if len(bias) < 2:
        few = f"fewer than two groups of {FEWEST} customers who differ in frequency"
        return Check(INDEPENDENCE, None, detail=f"The {bias['customers'].sum():,} customers who paid again make {few}.")
    beyond = (bias["bias_lower"] > tolerance) | (bias["bias_upper"] < -tolerance)
    worst = int(np.argmax(np.abs(bias["bias"])))
    return Check(
        INDEPENDENCE,
        bool(not beyond.any()),
        size=100 * abs(float(bias["bias"].iloc[worst])),
        limit=100 * tolerance,
        unit="% of the expected amount",
        detail=f"The largest bias of the expected amount is "
        f"{round(100 * bias['bias'].iloc[worst]):+d} %, at a frequency of "
        f"{bias.index[worst]} (up to {100 * tolerance:g} % is tolerated). {_correlation(customers)}.",
        remedy="Fit a spending model to each group of customers.",
    )


def _check_edges(edges: Sequence[int]) -> NDArray[np.int64]:
    """The edges as an array; a ValueError if a customer would be in no group or in two."""
    start = np.asarray(edges)
    if (
        start.ndim != 1
        or start.size == 0
        or start.dtype.kind not in "iu"
        or start[0] != 1
        or np.any(np.diff(start) < 1)
    ):
        raise ValueError(
            f"edges must be increasing whole numbers that begin with 1, such as (1, 2, 3, 4, 7); got {edges!r}"
        )
    return start


def _merge_small_groups(start: NDArray[np.int64], x: Array, weight: Array) -> NDArray[np.int64]:
    """The edges of groups that are large enough; the first edge remains."""
    start = start[start <= x.max()]
    while len(start) > 1:
        group = np.searchsorted(start, x, side="right") - 1
        small = np.flatnonzero(np.bincount(group, weights=weight, minlength=len(start)) < FEWEST)
        if not small.size:
            break
        start = np.delete(start, max(small[-1], 1))
    return start


def _group_names(start: NDArray[np.int64]) -> list[str]:
    """Names of the groups: 1, 2-3, 4+."""
    ends = [*(f"{end - 1}" for end in start[1:]), ""]
    return [f"{a}" if f"{a}" == b else f"{a}-{b}" if b else f"{a}+" for a, b in zip(start, ends, strict=True)]


def _correlation(customers: Any) -> str:
    """Pearson's correlation of amount and frequency among repeat buyers, with its 95 % interval by Fisher's z."""
    table = read_table(customers, ("frequency", "monetary_value"))
    keep = has_paid(table)
    (x, m), weight = (column[keep] for column in table.columns), table.weight[keep]
    n = weight.sum()
    if n < 4 or np.ptp(x) == 0 or np.ptp(m) == 0:
        return "No correlation of amount and frequency can be computed"
    covariance = np.cov(np.stack([x, m]), aweights=weight)
    r = float(np.clip(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), -1 + 1e-12, 1 - 1e-12))
    lower, upper = np.tanh(np.arctanh(r) + np.array([-1, 1]) * normal_quantile(0.95) / np.sqrt(n - 3))
    return (
        f"The correlation of amount and frequency among repeat buyers is {round(r, 2) + 0.0:.2f} "
        f"(95 % interval {round(lower, 2) + 0.0:.2f} to {round(upper, 2) + 0.0:.2f})"
    )
