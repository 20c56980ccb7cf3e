"""What each customer's coming purchases are worth today, where customers leave without saying so.

Value is margin times expected amount per purchase times discounted expected purchases (Fader, Hardie & Lee 2005,
"RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42, 415-430). The
two fits are independent, so the variances of their logarithms add for a customer; a total carries the covariance of
all customers' values, which share the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.estimation.intervals import positive_interval, standard_error
from retention_models.fitted import Fit
from retention_models.inputs import is_number, require_horizon
from retention_models.logs.calendar import unit_length
from retention_models.tables import Labels, Table, read_codes, read_table, require_same_measure

Array = NDArray[np.float64]

YEAR = pd.Timedelta(days=365.25)
PERIODS_A_YEAR = {"Y": 1, "Q": 4, "M": 12}  # opportunities (see ``opportunities``) whose days vary


@dataclass(frozen=True, slots=True)
class _Factor:
    """One factor of value (discounted purchases, or the amount of one), kept by distinct row of its columns.

    ``row`` is the distinct row of each line of the table, ``values`` have shape (rows,), ``gradient`` (rows, p), and
    ``covariance`` is that of the p parameters.
    """

    row: NDArray[np.int64]
    values: Array
    gradient: Array
    covariance: Array

    @classmethod
    def of(cls, fit: Fit, table: Table, quantity: Callable[..., Array]) -> _Factor:
        """The factor ``quantity(model, *columns)`` of a fit, for a table of the columns of its model."""
        return cls(
            table.row,
            fit.values(quantity, table.columns),
            fit.gradient(quantity, table.columns),
            fit.covariance.to_numpy(),
        )

    @classmethod
    def one(cls, lines: int) -> _Factor:
        """The factor 1 of every line, known for sure."""
        return cls(np.zeros(lines, dtype=np.int64), np.ones(1), np.zeros((1, 0)), np.zeros((0, 0)))

    @property
    def each(self) -> Array:
        """The value of each line; shape (n,)."""
        return self.values[self.row]

    @property
    def error(self) -> Array:
        """The standard error of each line; shape (n,)."""
        return standard_error(self.gradient, self.covariance)[self.row]


def customer_value(
    purchases_fit: Fit,
    spend_fit: Fit | None,
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
        A fitted ``GammaGamma``; None where the log has no money, and each purchase counts one.
    customers
        A frame with ``frequency, recency, T`` and, for a ``spend_fit``, ``monetary_value``, from ``summarize``; and the
        columns of the fits' covariates.
    horizon
        Length of the future window in the time unit of the table; ``numpy.inf`` for the whole remaining life.
    time_unit
        The time unit of the table: "D", "W", "h" or a fixed Timedelta; for ``BGBB`` the period of an opportunity, "Y",
        "Q", "M" or "W". There is no default: a discount rate a year means nothing without it.
    annual_discount_rate
        For example 0.1 for 10 % a year (365.25 days), applied continuously at the time of each purchase.
    margin
        Share of the amount that is earned, for example 0.3. There is no default: 1.0 would be revenue, not value.
    level
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``discounted_purchases``, ``expected_spend`` (an amount per purchase) and
        ``spend_estimate`` ("posterior mean", or "posterior median" where the mean does not exist: q at most 1 and no
        repeat purchase), neither of the two without a ``spend_fit``; ``value`` and its interval
        ``value_lower, value_upper`` (how sure the expectation is).

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
    purchases, amount, histories = _factors(
        purchases_fit, spend_fit, customers, horizon, time_unit, annual_discount_rate, margin
    )
    value = margin * purchases.each * amount.each
    error = margin * np.hypot(amount.each * purchases.error, purchases.each * amount.error)
    lower, upper = positive_interval(value, error, level)
    table = pd.DataFrame({"discounted_purchases": purchases.each}, index=histories.index)
    if spend_fit is not None:
        table["expected_spend"] = amount.each
        table["spend_estimate"] = _spend_estimate(spend_fit, customers)
    return table.assign(value=value, value_lower=lower, value_upper=upper)


def total_value(
    purchases_fit: Fit,
    spend_fit: Fit | None,
    customers: Any,
    *,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
    by: Labels | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """What all customers, or the customers of each segment, are worth together.

    Parameters are those of ``customer_value``; ``by`` names a column of segments, or gives each customer's: a Series
    by its index, a list or array in the order of ``customers`` (a missing segment is an error). A column ``weight``
    counts customers.

    Returns
    -------
    pandas.DataFrame
        One row a segment ("all" without ``by``): ``customers``, ``value``, ``value_lower, value_upper`` and
        ``value_per_customer``. The interval knows that all customers share the parameters, so it does not shrink as
        customers are added; it does not know whether the model is right (see the holdout and earlier origins).
    """
    factors = _factors(purchases_fit, spend_fit, customers, horizon, time_unit, annual_discount_rate, margin)
    purchases, amount, histories = factors
    code, segments = read_codes(customers, by)

    def summed(column: Array) -> Array:
        return np.bincount(code, weights=histories.line_weight * column, minlength=len(segments)).astype(float)

    def error(factor: _Factor, other: _Factor) -> Array:
        slopes = [summed(margin * other.each * slope[factor.row]) for slope in factor.gradient.T]
        return standard_error(np.reshape(slopes, (-1, len(segments))).T, factor.covariance)

    value, n = summed(margin * purchases.each * amount.each), summed(np.ones(len(code)))
    spread = np.hypot(error(purchases, amount), error(amount, purchases))
    lower, upper = positive_interval(value, spread, level)
    table = pd.DataFrame({"customers": n, "value": value, "value_lower": lower, "value_upper": upper})
    table.index = segments.rename(segments.name or "segment")
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
    if not (is_number(cost) and cost > 0):
        raise ValueError(f"cost must be an amount of money above 0; got {cost!r}")
    ends = {"": "value", "_lower": "value_upper", "_upper": "value_lower"}
    return pd.DataFrame({f"break_even_uplift{end}": cost / value[column] for end, column in ends.items()})


def _factors(
    purchases_fit: Fit,
    spend_fit: Fit | None,
    customers: Any,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
) -> tuple[_Factor, _Factor, Table]:
    """Both factors of value for a table of customers, after the inputs have been checked; and its histories."""
    rate = discount_rate(annual_discount_rate, time_unit)
    check_money(horizon, margin)
    histories = purchases_fit.read(customers)
    check_time_unit(time_unit, histories, purchases_fit)

    def discounted(model: Any, *columns: Array) -> Array:
        return finite(model.discounted_expected_purchases(rate, *columns, horizon=horizon))

    purchases = _Factor.of(purchases_fit, histories, discounted)
    if spend_fit is None:
        return purchases, _Factor.one(len(histories.row)), histories
    spending = spend_fit.read(customers)
    return purchases, _Factor.of(spend_fit, spending, lambda model, *columns: model.expected_spend(*columns)), histories


def _spend_estimate(spend_fit: Fit, customers: Any) -> pd.Categorical[Any]:
    """What the expected spend of each line is: the mean of the posterior distribution, or its median."""
    frequency = read_table(customers, ("frequency",))
    has_mean = spend_fit.model.has_mean(frequency.columns[0])
    return pd.Categorical(np.where(has_mean, "posterior mean", "posterior median"))[frequency.row]


def discount_rate(annual_discount_rate: float, time_unit: str) -> float:
    """The continuous discount rate per time unit that equals a rate per year of 365.25 days."""
    if not (is_number(annual_discount_rate) and annual_discount_rate >= 0):
        raise ValueError(
            f"annual_discount_rate must be 0 or above, for example 0.1 for 10 % a year; got {annual_discount_rate!r}"
        )
    share = 1 / PERIODS_A_YEAR[time_unit] if time_unit in PERIODS_A_YEAR else unit_length(time_unit) / YEAR
    return float(np.log1p(annual_discount_rate) * share)


def finite(discounted_purchases: Array) -> Array:
    """The same; a ValueError where value without end or discount is infinite."""
    if not np.all(np.isfinite(discounted_purchases)):
        raise ValueError(
            "with no discount and no end, the value of a customer who may never leave is infinite; "
            "give an annual_discount_rate above 0 or a finite horizon"
        )
    return discounted_purchases


def check_money(horizon: float, margin: float) -> None:
    """An error unless the horizon and the margin are ones to reckon with."""
    require_horizon(horizon, or_endless=True)
    if not (is_number(margin) and margin > 0):
        raise ValueError(f"margin must be the share of the amount that is earned, for example 0.3; got {margin!r}")


def check_time_unit(given: str, table: Table, fit: Fit) -> None:
    """An error unless the time unit is that of the table and of the fit, and both count purchases alike.

    Where they know how they were made.
    """
    for about in (table.about, fit.data):
        known = about.get("time_unit", about.get("period"))
        if known is None or known == given:
            continue
        if {known, given} & PERIODS_A_YEAR.keys() or unit_length(known) != unit_length(given):
            raise ValueError(f"time_unit is {given!r}, but the table was made with time_unit {known!r}; give that one")
    require_same_measure(fit.data, table)
