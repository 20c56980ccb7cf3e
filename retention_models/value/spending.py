"""What customers spend per purchase, by the Gamma-Gamma model, and whether its assumptions hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.btyd.gammagamma import PAID_NOTHING, GammaGamma
from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.estimation.intervals import normal_quantile
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import Table, read_table

INDEPENDENCE = "amount independent of frequency"
FEWEST = 20  # customers in a group whose spread can be judged


def fit_spend(customers: Any) -> Fit | None:
    """What customers spend per purchase, by Gamma-Gamma; None where the table has no money.

    ``customers`` come from ``summarize``. Nobody having made a repeat purchase that cost something is an error. The
    model is one of customers who pay: repeat buyers whose purchases all cost nothing are left out, as ``notes`` of the
    fit say, and ``expected_spend`` counts them in.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.value.fit_spend(customers).params.round(2).to_dict()
    {'p': 6.25, 'q': 3.74, 'v': 15.44}
    >>> rm.value.fit_spend(rm.summarize(rm.read_transactions(rm.datasets.load_cdnow(), amount=None))) is None
    True
    """
    if "monetary_value" not in customers.columns:
        return None
    return fit(GammaGamma, customers)


def expected_spend(spend_fit: Fit, customers: Any) -> Array:
    """Expected amount per purchase of each customer; shape (n,).

    That of the model for those who have paid for a repeat purchase. Of the others, of whom it is not known whether they
    ever pay, it is that of the model times ``paying_share``.
    """
    table = spend_fit.read(customers)
    amount = spend_fit.values(lambda model, *history: model.expected_spend(*history), table.columns)
    return np.asarray(np.where(has_paid(table), amount, paying_share(spend_fit) * amount)[table.row])


def has_paid(table: Table) -> NDArray[np.bool_]:
    """Which distinct rows of a spending table are of customers who paid for a repeat purchase."""
    frequency, monetary_value = table.columns[:2]
    return (frequency > 0) & (monetary_value > 0)


def paying_share(spend_fit: Fit) -> float:
    """The share of repeat buyers who paid anything for their repeat purchases, in the data of the fit."""
    return spend_fit.n_customers / (spend_fit.n_customers + spend_fit.data.get("left_out", {}).get(PAID_NOTHING, 0))


def spend_by_frequency(spend_fit: Fit, customers: Any, *, edges: Sequence[int] = (1, 2, 3, 4, 7)) -> pd.DataFrame:
    """Mean amount per repeat purchase by number of repeat purchases: what was paid, and what the model expects.

    Gamma-Gamma holds that how much a customer spends has nothing to do with how often. Where that fails, value is
    too low for the one kind of customer and too high for the other; ``bias`` says by how much.

    Parameters
    ----------
    spend_fit, customers
        A fitted ``GammaGamma``, and a table with its columns.
    edges
        The lowest number of repeat purchases of each group, from 1 upwards. A group of fewer than 20 customers, who
        cannot tell how much their like differ, goes together with the next lower one (the lowest with the next higher).

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` (text): ``customers``, ``repeat_purchases``, ``actual`` and ``expected`` mean amount
        per purchase, ``bias`` (expected over actual, less one) with ``bias_lower, bias_upper`` (95 %, from the spread
        of the customers' own means). Customers whose repeat purchases cost nothing are not in it.
    """
    table = spend_fit.read(customers)
    keep = has_paid(table)
    columns = tuple(column[keep] for column in table.columns)
    (x, m), weight = columns[:2], table.weight[keep]
    start = _merged(_checked_edges(edges), x, weight)
    group = np.searchsorted(start, x, side="right") - 1
    expected = spend_fit.values(lambda model, *history: model.expected_spend(*history), columns)

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
        index=pd.Index(_labels(start), name="frequency"),
    )


def spend_independence_check(spend_fit: Fit, customers: Any, *, tolerance: float = 0.1) -> Check:
    """Whether the amount is independent enough of the frequency for values to be trusted.

    Fails when in a group of customers by frequency the expected amount is off by more than ``tolerance`` and the
    group's interval excludes that much; cannot tell with fewer than two groups (see ``spend_by_frequency``). The
    correlation is told with its interval (Fisher's z) but does not decide: with many customers a harmless one is
    significant.
    """
    bias = spend_by_frequency(spend_fit, customers)
    if len(bias) < 2:
        few = f"fewer than two groups of {FEWEST} customers who differ in frequency"
        return Check(INDEPENDENCE, None, f"The {bias['customers'].sum():,} customers who paid again make {few}.")
    beyond = (bias["bias_lower"] > tolerance) | (bias["bias_upper"] < -tolerance)
    worst = int(np.argmax(np.abs(bias["bias"])))
    return Check(
        INDEPENDENCE,
        bool(not beyond.any()),
        f"The largest bias of the expected amount is {round(100 * bias['bias'].iloc[worst]):+d} %, at a frequency of "
        f"{bias.index[worst]} (up to {100 * tolerance:g} % is tolerated); {_correlation(customers)}.",
    )


def _checked_edges(edges: Sequence[int]) -> NDArray[np.int64]:
    """The edges; a ValueError where a customer would be in no group, or in two."""
    start = np.asarray(edges)
    if (
        start.ndim != 1
        or start.size == 0
        or start.dtype.kind not in "iu"
        or start[0] != 1
        or np.any(np.diff(start) < 1)
    ):
        raise ValueError(
            f"edges must be whole numbers that begin with 1 and rise, such as (1, 2, 3, 4, 7); got {edges!r}"
        )
    return start


def _merged(start: NDArray[np.int64], x: Array, weight: Array) -> NDArray[np.int64]:
    """The edges that are left when each group has customers enough; the first stays."""
    start = start[start <= x.max()]
    while len(start) > 1:
        group = np.searchsorted(start, x, side="right") - 1
        small = np.flatnonzero(np.bincount(group, weights=weight, minlength=len(start)) < FEWEST)
        if not small.size:
            break
        start = np.delete(start, max(small[-1], 1))
    return start


def _labels(start: NDArray[np.int64]) -> list[str]:
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
        return "no correlation of amount and frequency can be computed"
    covariance = np.cov(np.stack([x, m]), aweights=weight)
    r = float(np.clip(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), -1 + 1e-12, 1 - 1e-12))
    lower, upper = np.tanh(np.arctanh(r) + np.array([-1, 1]) * normal_quantile(0.95) / np.sqrt(n - 3))
    return (
        f"the correlation of amount and frequency among repeat buyers is {r:.2f} "
        f"(95 % interval {lower:.2f} to {upper:.2f})"
    )
