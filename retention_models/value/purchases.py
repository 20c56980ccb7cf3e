"""Value of each customer's future purchases, for customers without a contract.

Value is margin x expected amount per purchase x discounted expected purchases (Fader, Hardie & Lee 2005, "RFM and CLV:
Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42, 415-430). The two fits are
independent, so the variances of their logarithms add up for one customer. A total includes the covariance of all
customers' values, because the customers share the parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_discount_rate
from retention_models.core.arrays import Array
from retention_models.core.dates import unit_length
from retention_models.estimation.intervals import positive_interval, standard_error
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import Table, read_table, require_same_measure
from retention_models.tables.groups import Labels, read_codes
from retention_models.value.spending import has_paid, paying_share
from retention_models.value.terms import Terms, require_terms
from retention_models.value.value_component import ValueComponent

YEAR = pd.Timedelta(days=365.25)
PERIODS_A_YEAR = {"Y": 1, "Q": 4, "M": 12}  # opportunities (see ``opportunities``) whose days vary


def purchase_value(fit: Fit, customers: Any, terms: Terms, spend: Fit | None, level: float) -> pd.DataFrame:
    """Value of the future purchases of each customer; see ``customer_value``."""
    purchases, amount, histories = _components(fit, customers, terms, spend)
    share = terms.unit_value
    value = share * purchases.line_values * amount.line_values
    error = share * np.hypot(amount.line_values * purchases.error, purchases.line_values * amount.error)
    lower, upper = positive_interval(value, error, level)
    table = pd.DataFrame({"discounted_purchases": purchases.line_values}, index=histories.index)
    if spend is not None:
        table["expected_spend"] = amount.line_values
        is_median = _is_median(spend, customers, len(table))
        table["spend_estimate"] = pd.Categorical(np.where(is_median, "posterior median", "posterior mean"))
    return table.assign(value=value, value_lower=lower, value_upper=upper)


def total_purchase_value(
    fit: Fit, customers: Any, terms: Terms, spend: Fit | None, by: Labels | None, level: float
) -> pd.DataFrame:
    """Value of the future purchases of all customers, or of each segment; see ``total_value``."""
    purchases, amount, histories = _components(fit, customers, terms, spend)
    share, (code, segments) = terms.unit_value, read_codes(customers, by)

    def summed(column: Array) -> Array:
        return np.bincount(code, weights=histories.line_weight * column, minlength=len(segments)).astype(float)

    def error(component: ValueComponent, other: ValueComponent) -> Array:
        slopes = [summed(share * other.line_values * slope[component.row]) for slope in component.gradient.T]
        return standard_error(np.reshape(slopes, (-1, len(segments))).T, component.covariance)

    value, n = summed(share * purchases.line_values * amount.line_values), summed(np.ones(len(code)))
    spread = np.hypot(error(purchases, amount), error(amount, purchases))
    lower, upper = positive_interval(value, spread, level)
    ends = {"": value, "_lower": lower, "_upper": upper}
    columns = {f"value{end}": values for end, values in ends.items()}
    columns |= {f"value_per_customer{end}": values / np.maximum(n, 1) for end, values in ends.items()}
    in_medians = summed(share * purchases.line_values * amount.line_values * _is_median(spend, customers, len(code)))
    columns["share_of_medians"] = np.divide(in_medians, value, out=np.zeros_like(value), where=value > 0)
    table = pd.DataFrame({"customers": n} | columns)
    table.index = segments.rename(segments.name or "segment")
    return table.astype({"customers": int}) if np.all(n == np.floor(n)) else table


def _components(
    fit: Fit, customers: Any, terms: Terms, spend: Fit | None
) -> tuple[ValueComponent, ValueComponent, Table]:
    """Both components of value for a table of customers, and the histories, after checks of the inputs."""
    check_fits(fit, spend)
    rate, horizon = discount_terms(terms, spend)
    histories = fit.read(customers)
    check_time_unit(str(terms.time_unit), histories, fit)

    def discounted(model: Any, *columns: Array) -> Array:
        return require_finite(model.discounted_expected_purchases(rate, *columns, horizon=horizon))

    purchases = ValueComponent.from_fit(fit, histories, discounted)
    if spend is None:
        return purchases, ValueComponent.ones(len(histories.row)), histories
    spending, share = spend.read(customers), paying_share(spend)
    amount = ValueComponent.from_fit(spend, spending, lambda model, *columns: model.expected_spend(*columns))
    return purchases, amount.times_share(has_paid(spending), share, spend.n_customers / share), histories


def discount_terms(terms: Terms, spend: Fit | None) -> tuple[float, float]:
    """The continuous discount rate per time unit and the horizon, from terms for purchases."""
    require_terms(terms, "horizon", "time_unit", "annual_discount_rate", *(["margin"] if spend is not None else []))
    assert terms.horizon is not None
    if spend is not None and terms.price is not None:
        raise ValueError("the terms state a price for a purchase, and spend expects one for each customer; pass one")
    return discount_rate(float(terms.annual_discount_rate or 0.0), str(terms.time_unit)), terms.horizon


def _is_median(spend_fit: Fit | None, customers: Any, n: int) -> NDArray[np.bool_]:
    """Whether the expected spend of each of n lines is a posterior median, because the mean does not exist."""
    if spend_fit is None:
        return np.zeros(n, dtype=bool)
    frequency = read_table(customers, ("frequency",))
    return np.asarray(~spend_fit.model.has_mean(frequency.columns[0])[frequency.row])


def discount_rate(annual_discount_rate: float, time_unit: str) -> float:
    """The continuous discount rate per time unit that equals a rate per year of 365.25 days."""
    require_discount_rate(annual_discount_rate)
    share = 1 / PERIODS_A_YEAR[time_unit] if time_unit in PERIODS_A_YEAR else unit_length(time_unit) / YEAR
    return float(np.log1p(annual_discount_rate) * share)


def require_finite(discounted_purchases: Array) -> Array:
    """The argument; a ValueError where a value without time limit and discount is infinite."""
    if not np.all(np.isfinite(discounted_purchases)):
        raise ValueError(
            "with no discount and no end, the value of a customer who may never leave is infinite; "
            "give an annual_discount_rate above 0 or a finite horizon"
        )
    return discounted_purchases


def check_fits(purchases_fit: Any, spend_fit: Any) -> None:
    """Raise a TypeError unless the first is a fit of purchases and the second, if any, a fit of spending."""
    _require_fit("fit", purchases_fit, "discounted_expected_purchases", "purchases, such as ParetoNBD, or of contracts")
    if spend_fit is not None:
        _require_fit("spend", spend_fit, "expected_spend", "spending, GammaGamma")


def _require_fit(name: str, given: Any, method: str, kind: str) -> None:
    model = given.model if isinstance(given, Fit) else given
    if not (isinstance(given, Fit) and hasattr(model, method)):
        what = f"a {'fit of ' if isinstance(given, Fit) else ''}{type(model).__name__}"
        raise TypeError(f"{name} must be the Fit of a model of {kind}, as rm.fit returns it; got {what}")


def check_time_unit(given: str, table: Table, fit: Fit) -> None:
    """Raise a ValueError if the table or the fit has another time unit, or the two count purchases differently.

    Tables without a known time unit pass.
    """
    for about in (table.about, fit.data):
        known = about.get("time_unit", about.get("period"))
        if known is None or known == given:
            continue
        if {known, given} & PERIODS_A_YEAR.keys() or unit_length(known) != unit_length(given):
            raise ValueError(f"time_unit is {given!r}, but the table was made with time_unit {known!r}; give that one")
    require_same_measure(fit.data, table)
