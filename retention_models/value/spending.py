"""What customers spend per purchase, by the Gamma-Gamma model, and whether its assumptions hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.btyd.gammagamma import GammaGamma
from retention_models.checks import Check
from retention_models.estimation.intervals import normal_quantile
from retention_models.fitted import Fit
from retention_models.fitting import fit
from retention_models.tables import Table, read_table

Array = NDArray[np.float64]


def fit_spend(customers: Any) -> Fit | None:
    """What customers spend per purchase, by Gamma-Gamma; None where the table has no money.

    ``customers`` come from ``summarize``. Nobody having made a repeat purchase that cost something is an error.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.value.spending import fit_spend
    >>> fit_spend(rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")).parameters.round(2).to_dict()
    {'p': 6.25, 'q': 3.74, 'v': 15.44}
    >>> fit_spend(rm.summarize(rm.read_transactions(rm.load_cdnow(), amount=None))) is None
    True
    """
    if "monetary_value" not in customers.columns:
        return None
    return fit(GammaGamma, customers)  # type: ignore[arg-type]


def spend_by_frequency(spend_fit: Fit, customers: Any, *, edges: Sequence[int] = (1, 2, 3, 4, 7)) -> pd.DataFrame:
    """Mean amount per repeat purchase by number of repeat purchases: what was paid, and what the model expects.

    Gamma-Gamma holds that how much a customer spends has nothing to do with how often. Where that fails, value is
    too low for the one kind of customer and too high for the other; ``bias`` says by how much.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` (text): ``customers``, ``repeat_purchases``, ``actual`` and ``expected`` mean amount
        per purchase, ``bias`` (expected over actual, less one) with ``bias_lower, bias_upper`` (95 %, from the spread
        of the customers' own means).
    """
    table, keep = _repeat_buyers(spend_fit.read(customers))
    columns = tuple(column[keep] for column in table.columns)
    (x, m), weight, start = columns[:2], table.weight[keep], np.asarray(edges)
    group = np.searchsorted(start, x, side="right") - 1
    expected = spend_fit.values(lambda model, *history: model.expected_spend(*history), columns)

    def summed(values: Array) -> Array:
        return np.bincount(group, weights=weight * values, minlength=len(start)).astype(float)

    n, purchases, paid = summed(np.ones_like(x)), summed(x), summed(x * m)
    with np.errstate(invalid="ignore", divide="ignore"):
        actual, mean = paid / purchases, summed(x * expected) / purchases
        residual = x * (m - actual[group])
        spread = np.sqrt(summed(residual**2)) / purchases / actual
        bias = mean / actual - 1
    reach = normal_quantile(0.95) * spread
    ends = [*(f"{e - 1}" for e in start[1:]), ""]
    labels = [f"{a}" if f"{a}" == b else f"{a}-{b}" if b else f"{a}+" for a, b in zip(start, ends, strict=True)]
    frame = pd.DataFrame(
        {"customers": n.astype(int), "repeat_purchases": purchases.astype(int), "actual": actual, "expected": mean}
        | {"bias": bias, "bias_lower": (1 + bias) * np.exp(-reach) - 1, "bias_upper": (1 + bias) * np.exp(reach) - 1},
        index=pd.Index(labels, name="frequency"),
    )
    return frame[n > 0]


def spend_independence_check(spend_fit: Fit, customers: Any, *, tolerance: float = 0.1) -> Check:
    """Whether the amount is independent enough of the frequency for values to be trusted.

    Fails when in a group of customers by frequency the expected amount is off by more than ``tolerance`` and the
    group's interval excludes that much. The correlation is told with its interval (Fisher's z) but does not decide:
    with many customers a harmless one is significant.
    """
    bias = spend_by_frequency(spend_fit, customers)
    beyond = (bias["bias_lower"] > tolerance) | (bias["bias_upper"] < -tolerance)
    r, lower, upper = _correlation(customers)
    worst = int(np.argmax(np.abs(bias["bias"])))
    return Check(
        "amount independent of frequency",
        bool(not beyond.any()),
        f"The largest bias of the expected amount is {round(100 * bias['bias'].iloc[worst]):+d} %, at a frequency of "
        f"{bias.index[worst]} (up to {100 * tolerance:g} % is tolerated); the correlation of amount and frequency "
        f"among repeat buyers is {r:.2f} (95 % interval {lower:.2f} to {upper:.2f}).",
    )


def _correlation(customers: Any) -> tuple[float, float, float]:
    """Pearson's correlation of amount and frequency among repeat buyers, with its 95 % interval by Fisher's z."""
    table, keep = _repeat_buyers(read_table(customers, ("frequency", "monetary_value")))
    (x, m), weight = (column[keep] for column in table.columns), table.weight[keep]
    n = weight.sum()
    if n < 4 or np.ptp(x) == 0 or np.ptp(m) == 0:
        return 0.0, -1.0, 1.0
    covariance = np.cov(np.stack([x, m]), aweights=weight)
    r = float(np.clip(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), -1 + 1e-12, 1 - 1e-12))
    reach = normal_quantile(0.95) / np.sqrt(n - 3)
    return r, float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach))


def _repeat_buyers(table: Table) -> tuple[Table, NDArray[np.bool_]]:
    """A spending table, and which of its distinct rows are repeat buyers who spent something."""
    x, m = table.columns[:2]
    return table, (x > 0) & (m > 0)
