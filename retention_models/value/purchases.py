"""What each customer's coming purchases are worth today, where customers leave without saying so.

Value is margin times expected amount per purchase times discounted expected purchases (Fader, Hardie & Lee 2005,
"RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42, 415-430). The
two fits are independent, so the variances of their logarithms add for a customer; a total carries the covariance of
all customers' values, which share the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.checks import Check
from retention_models.estimation.intervals import in_chunks, normal_quantile, positive_interval, standard_error
from retention_models.fitting import Fit
from retention_models.logs.calendar import unit_length
from retention_models.tables import Table, read_table

Array = NDArray[np.float64]

YEAR = pd.Timedelta(days=365.25)


@dataclass(frozen=True, slots=True)
class _Valued:
    """Discounted purchases and expected amount of each line of a table, with their gradients.

    Everything is kept by distinct row (of purchase histories, of spending histories) until it is asked for by line.
    """

    histories: Table
    spending: Table
    purchases: Array
    d_purchases: Array
    amount: Array
    d_amount: Array
    has_mean: NDArray[np.bool_]
    margin: float

    @property
    def value(self) -> Array:
        """Value of one customer on each line of the table; shape (n,)."""
        return self.margin * self.purchases[self.histories.row] * self.amount[self.spending.row]

    def gradients(self) -> tuple[Array, Array]:
        """Derivatives of each line's value in the parameters of both fits; shapes (n, p) and (n, q)."""
        purchases, amount = self.purchases[self.histories.row, None], self.amount[self.spending.row, None]
        by_purchases = self.margin * amount * self.d_purchases[self.histories.row]
        return by_purchases, self.margin * purchases * self.d_amount[self.spending.row]


def customer_value(
    purchases_fit: Fit,
    spend_fit: Fit,
    customers: Any,
    *,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
    level: float = 0.95,
) -> pd.DataFrame:
    """What the coming purchases of each customer are worth today, with intervals.

    Parameters
    ----------
    purchases_fit
        A fitted purchase model (``ParetoNBD``, ``BGNBD``, ...).
    spend_fit
        A fitted ``GammaGamma``.
    customers
        A frame with ``frequency, recency, T, monetary_value``; from ``summarize``.
    horizon
        Length of the future window in the time unit of the table; ``numpy.inf`` for the whole remaining life.
    time_unit
        The time unit of the table: "D", "W", "h" or a fixed Timedelta. There is no default: a discount rate a year
        means nothing without it.
    annual_discount_rate
        For example 0.1 for 10 % a year (365.25 days), applied continuously at the time of each purchase.
    margin
        Share of the amount that is earned, for example 0.3. There is no default: 1.0 would be revenue, not value.
    level
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``discounted_purchases``, ``expected_spend`` (an amount per purchase),
        ``spend_estimate`` ("posterior mean", or "posterior median" where the mean does not exist: q at most 1 and no
        repeat purchase), ``value`` and its interval ``value_lower, value_upper`` (how sure the expectation is).

    Raises
    ------
    ValueError
        When the time unit is not that of the table, or the value is infinite (no discount, no end, and customers who
        never leave).

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> money = {"time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}
    >>> value = rm.customer_value(purchases, spend, customers, horizon=52, **money)
    >>> value.loc[[1], ["expected_spend", "value", "value_lower", "value_upper"]].round(2)
                 expected_spend  value  value_lower  value_upper
    customer_id
    1                     24.65  12.84        11.01        14.97
    """
    valued = _valued(purchases_fit, spend_fit, customers, horizon, time_unit, annual_discount_rate, margin)
    by_purchases, by_spend = valued.gradients()
    error = np.hypot(
        standard_error(by_purchases, purchases_fit.covariance.to_numpy()),
        standard_error(by_spend, spend_fit.covariance.to_numpy()),
    )
    value = valued.value
    lower, upper = positive_interval(value, error, level)
    estimate = np.where(valued.has_mean, "posterior mean", "posterior median")
    return pd.DataFrame(
        {
            "discounted_purchases": valued.purchases[valued.histories.row],
            "expected_spend": valued.amount[valued.spending.row],
            "spend_estimate": pd.Categorical(estimate)[valued.spending.row],
            "value": value,
            "value_lower": lower,
            "value_upper": upper,
        },
        index=valued.histories.index,
    )


def total_value(
    purchases_fit: Fit,
    spend_fit: Fit,
    customers: Any,
    *,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
    by: Sequence[Any] | pd.Series | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """What all customers, or the customers of each segment, are worth together.

    Parameters are those of ``customer_value``; ``by`` gives each customer's segment, in the order of ``customers``
    (a missing segment is an error). A column ``weight`` counts customers.

    Returns
    -------
    pandas.DataFrame
        One row a segment ("all" without ``by``): ``customers``, ``value``, ``value_lower, value_upper`` and
        ``value_per_customer``. The interval knows that all customers share the parameters, so it does not shrink as
        customers are added; it does not know whether the model is right (see the holdout and earlier origins).
    """
    valued = _valued(purchases_fit, spend_fit, customers, horizon, time_unit, annual_discount_rate, margin)
    code, segments = segment_codes(by, len(valued.histories.row))
    weight = valued.histories.line_weight

    def summed(column: Array) -> Array:
        return np.bincount(code, weights=weight * column, minlength=len(segments)).astype(float)

    by_purchases, by_spend = (np.stack([summed(c) for c in g.T], axis=-1) for g in valued.gradients())
    error = np.hypot(
        standard_error(by_purchases, purchases_fit.covariance.to_numpy()),
        standard_error(by_spend, spend_fit.covariance.to_numpy()),
    )
    value, n = summed(valued.value), summed(np.ones(len(code)))
    lower, upper = positive_interval(value, error, level)
    table = pd.DataFrame({"customers": n, "value": value, "value_lower": lower, "value_upper": upper}, index=segments)
    table["value_per_customer"] = value / np.maximum(n, 1)
    return table.astype({"customers": int}) if np.all(n == np.floor(n)) else table


def break_even_uplift(value: pd.DataFrame, *, cost: float) -> pd.DataFrame:
    """How much an offer must raise each customer's value, as a share of it, to earn its cost.

    Parameters
    ----------
    value
        From ``customer_value``.
    cost
        Cost of the offer for one customer, in money, above 0.

    Returns
    -------
    pandas.DataFrame
        ``break_even_uplift``, cost over value, with ``_lower, _upper`` from the value's interval. 0.05 says that the
        offer pays if it raises the customer's coming purchases by 5 %. Which customers an offer would really move
        is another question, for an experiment: value alone does not choose whom to treat.
    """
    if not (np.isfinite(cost) and cost > 0):
        raise ValueError(f"cost must be an amount of money above 0; got {cost!r}")
    ends = {"": "value", "_lower": "value_upper", "_upper": "value_lower"}
    return pd.DataFrame({f"break_even_uplift{end}": cost / value[column] for end, column in ends.items()})


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
    table, keep = _repeat_buyers(customers)
    x, m = (column[keep] for column in table.columns)
    weight, start = table.weight[keep], np.asarray(edges)
    group = np.searchsorted(start, x, side="right") - 1
    expected = spend_fit.model.expected_spend(x, m)

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
        f"The largest bias of the expected amount is {bias['bias'].iloc[worst]:+.0%}, at a frequency of "
        f"{bias.index[worst]} "
        f"(up to {tolerance:.0%} is tolerated); the correlation of amount and frequency among repeat buyers is "
        f"{r:.2f} (95 % interval {lower:.2f} to {upper:.2f}).",
    )


def _correlation(customers: Any) -> tuple[float, float, float]:
    """Pearson's correlation of amount and frequency among repeat buyers, with its 95 % interval by Fisher's z."""
    table, keep = _repeat_buyers(customers)
    (x, m), weight = (column[keep] for column in table.columns), table.weight[keep]
    n = weight.sum()
    if n < 4 or np.ptp(x) == 0 or np.ptp(m) == 0:
        return 0.0, -1.0, 1.0
    covariance = np.cov(np.stack([x, m]), aweights=weight)
    r = float(np.clip(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), -1 + 1e-12, 1 - 1e-12))
    reach = normal_quantile(0.95) / np.sqrt(n - 3)
    return r, float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach))


def _repeat_buyers(customers: Any) -> tuple[Table, NDArray[np.bool_]]:
    """The spending table, and which of its distinct rows are repeat buyers who spent something."""
    table = read_table(customers, ("frequency", "monetary_value"))
    x, m = table.columns
    return table, (x > 0) & (m > 0)


def _valued(
    purchases_fit: Fit,
    spend_fit: Fit,
    customers: Any,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
) -> _Valued:
    """Both halves of value for a table of customers, after the inputs have been checked."""
    rate = discount_rate(annual_discount_rate, time_unit)
    _check_money(horizon, margin)
    histories = read_table(customers, purchases_fit.model.columns)
    spending = read_table(customers, spend_fit.model.columns)
    for table in (histories.about, purchases_fit.data):
        _check_time_unit(table.get("time_unit"), time_unit)

    def discounted(model: Any, *columns: Array) -> Array:
        return model.discounted_expected_purchases(rate, *columns, horizon=horizon)

    def amount(model: Any, *columns: Array) -> Array:
        return model.expected_spend(*columns)

    purchases = in_chunks(lambda *columns: discounted(purchases_fit.model, *columns), histories.columns)
    if not np.all(np.isfinite(purchases)):
        raise ValueError(
            "with no discount and no end, the value of a customer who may never leave is infinite; "
            "give an annual_discount_rate above 0 or a finite horizon"
        )
    return _Valued(
        histories=histories,
        spending=spending,
        purchases=purchases,
        d_purchases=purchases_fit.gradient(discounted, histories.columns),
        amount=in_chunks(spend_fit.model.expected_spend, spending.columns),
        d_amount=spend_fit.gradient(amount, spending.columns),
        has_mean=spend_fit.model.has_mean(spending.columns[0]),
        margin=float(margin),
    )


def discount_rate(annual_discount_rate: float, time_unit: str) -> float:
    """The continuous discount rate per time unit that equals a rate per year of 365.25 days."""
    if not (np.isfinite(annual_discount_rate) and annual_discount_rate >= 0):
        raise ValueError(
            f"annual_discount_rate must be 0 or above, for example 0.1 for 10 % a year; got {annual_discount_rate!r}"
        )
    return float(np.log1p(annual_discount_rate) * (unit_length(time_unit) / YEAR))


def _check_money(horizon: float, margin: float) -> None:
    if not (np.isreal(horizon) and horizon > 0):
        raise ValueError(f"horizon must be above 0, in the time unit of the table, or numpy.inf; got {horizon!r}")
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be the share of the amount that is earned, for example 0.3; got {margin!r}")


def _check_time_unit(known: str | None, given: str) -> None:
    if known is not None and unit_length(known) != unit_length(given):
        raise ValueError(f"time_unit is {given!r}, but the table was made with time_unit {known!r}; give that one")


def segment_codes(by: Sequence[Any] | pd.Series | None, n: int) -> tuple[NDArray[np.int64], pd.Index]:
    """The number of each line's segment, and the segments' names in order."""
    if by is None:
        return np.zeros(n, dtype=np.int64), pd.Index(["all"], name="segment")
    if len(by) != n:
        raise ValueError(f"by has {len(by):,} entries for {n:,} customers; give one segment for each")
    code, names = pd.factorize(pd.Series(by), sort=True)
    if np.any(code < 0):
        raise ValueError(f"by is missing for {int(np.sum(code < 0)):,} of {n:,} customers; name their segment")
    return code, pd.Index(names, name=getattr(by, "name", None) or "segment")
