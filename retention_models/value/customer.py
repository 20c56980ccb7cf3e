"""What each customer's coming purchases are worth today, where customers leave without saying so.

Value is margin times expected amount per purchase times discounted expected purchases (Fader, Hardie & Lee 2005,
"RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42, 415-430). The
two fits are independent, so the variances of their logarithms add for a customer; a total carries the covariance of
all customers' values, which share the parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_discount_rate, require_horizon, require_margin
from retention_models.core.arrays import Array
from retention_models.core.dates import unit_length
from retention_models.estimation.intervals import positive_interval, standard_error
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import Table, read_table, require_same_measure
from retention_models.tables.groups import Labels, read_codes
from retention_models.value.spending import has_paid, paying_share
from retention_models.value.value_component import ValueComponent

YEAR = pd.Timedelta(days=365.25)
PERIODS_A_YEAR = {"Y": 1, "Q": 4, "M": 12}  # opportunities (see ``opportunities``) whose days vary


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

    Notes
    -----
    The model of spending is one of customers who pay. Where some repeat buyers paid nothing (see ``notes`` of the
    ``spend_fit``), the ``expected_spend`` of customers who have paid for no repeat purchase so far is multiplied by the
    share of repeat buyers who do pay.

    Raises
    ------
    ValueError
        When the time unit is not that of the table, or the value is infinite (no discount, no end, and customers who
        never leave).

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
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
    value = margin * purchases.by_line * amount.by_line
    error = margin * np.hypot(amount.by_line * purchases.error, purchases.by_line * amount.error)
    lower, upper = positive_interval(value, error, level)
    table = pd.DataFrame({"discounted_purchases": purchases.by_line}, index=histories.index)
    if spend_fit is not None:
        table["expected_spend"] = amount.by_line
        is_median = _is_median(spend_fit, customers, len(table))
        table["spend_estimate"] = pd.Categorical(np.where(is_median, "posterior median", "posterior mean"))
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
        One row a segment ("all" without ``by``): ``customers``; ``value`` and ``value_per_customer``, both with
        ``_lower, _upper``; and ``share_of_medians``, the share of the value for which the expected amount is a
        posterior median, because a mean does not exist (see ``customer_value``). The interval
        knows that all customers share the parameters, so it does not shrink as customers are added; it does not know
        whether the model is right (see the holdout and earlier origins).

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> terms = {"horizon": 52, "time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}
    >>> often = (customers["frequency"] > 2).map({True: "more than twice", False: "up to twice"})
    >>> worth = rm.total_value(purchases, spend, customers, by=often, **terms)
    >>> worth[["customers", "value", "value_lower", "value_upper"]].round(0)
                     customers    value  value_lower  value_upper
    frequency
    more than twice        527  16550.0      15579.0      17581.0
    up to twice           1830   4360.0       3960.0       4801.0
    """
    factors = _factors(purchases_fit, spend_fit, customers, horizon, time_unit, annual_discount_rate, margin)
    purchases, amount, histories = factors
    code, segments = read_codes(customers, by)

    def summed(column: Array) -> Array:
        return np.bincount(code, weights=histories.line_weight * column, minlength=len(segments)).astype(float)

    def error(factor: ValueComponent, other: ValueComponent) -> Array:
        slopes = [summed(margin * other.by_line * slope[factor.row]) for slope in factor.gradient.T]
        return standard_error(np.reshape(slopes, (-1, len(segments))).T, factor.covariance)

    value, n = summed(margin * purchases.by_line * amount.by_line), summed(np.ones(len(code)))
    spread = np.hypot(error(purchases, amount), error(amount, purchases))
    lower, upper = positive_interval(value, spread, level)
    ends = {"": value, "_lower": lower, "_upper": upper}
    columns = {f"value{end}": values for end, values in ends.items()}
    columns |= {f"value_per_customer{end}": values / np.maximum(n, 1) for end, values in ends.items()}
    in_medians = summed(margin * purchases.by_line * amount.by_line * _is_median(spend_fit, customers, len(code)))
    columns["share_of_medians"] = np.divide(in_medians, value, out=np.zeros_like(value), where=value > 0)
    table = pd.DataFrame({"customers": n} | columns)
    table.index = segments.rename(segments.name or "segment")
    return table.astype({"customers": int}) if np.all(n == np.floor(n)) else table


def _factors(
    purchases_fit: Fit,
    spend_fit: Fit | None,
    customers: Any,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
) -> tuple[ValueComponent, ValueComponent, Table]:
    """Both factors of value for a table of customers, after the inputs have been checked; and its histories."""
    rate = discount_rate(annual_discount_rate, time_unit)
    check_money(horizon, margin)
    check_fits(purchases_fit, spend_fit)
    histories = purchases_fit.read(customers)
    check_time_unit(time_unit, histories, purchases_fit)

    def discounted(model: Any, *columns: Array) -> Array:
        return finite(model.discounted_expected_purchases(rate, *columns, horizon=horizon))

    purchases = ValueComponent.from_fit(purchases_fit, histories, discounted)
    if spend_fit is None:
        return purchases, ValueComponent.ones(len(histories.row)), histories
    spending, share = spend_fit.read(customers), paying_share(spend_fit)
    amount = ValueComponent.from_fit(spend_fit, spending, lambda model, *columns: model.expected_spend(*columns))
    return purchases, amount.times_share(has_paid(spending), share, spend_fit.n_customers / share), histories


def _is_median(spend_fit: Fit | None, customers: Any, n: int) -> NDArray[np.bool_]:
    """Whether the expected spend of each of n lines is the median of the posterior distribution, having no mean."""
    if spend_fit is None:
        return np.zeros(n, dtype=bool)
    frequency = read_table(customers, ("frequency",))
    return np.asarray(~spend_fit.model.has_mean(frequency.columns[0])[frequency.row])


def discount_rate(annual_discount_rate: float, time_unit: str) -> float:
    """The continuous discount rate per time unit that equals a rate per year of 365.25 days."""
    require_discount_rate(annual_discount_rate)
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
    require_margin(margin)


def check_fits(purchases_fit: Any, spend_fit: Any) -> None:
    """An error unless the one is a fit of purchases, and the other, where there is one, of spending."""
    _require_fit("purchases_fit", purchases_fit, "discounted_expected_purchases", "purchases, such as ParetoNBD")
    if spend_fit is not None:
        _require_fit("spend_fit", spend_fit, "expected_spend", "spending, GammaGamma")


def _require_fit(name: str, given: Any, method: str, kind: str) -> None:
    model = given.model if isinstance(given, Fit) else given
    if not (isinstance(given, Fit) and hasattr(model, method)):
        what = f"a {'fit of ' if isinstance(given, Fit) else ''}{type(model).__name__}"
        raise TypeError(f"{name} must be the Fit of a model of {kind}, as rm.fit returns it; got {what}")


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
