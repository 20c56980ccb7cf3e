"""Value of each customer's future purchases, for customers without a contract.

Value is margin x expected amount per purchase x discounted expected purchases (Fader, Hardie & Lee 2005, "RFM and CLV:
Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42, 415-430). The two fits are
independent, so the variances of their logarithms add up for one customer. A total includes the covariance of all
customers' values, because the customers share the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_discount_rate
from retention_models.core.arrays import Array
from retention_models.core.dates import MONTHS, unit_length
from retention_models.estimation.estimates import POSITIVE, Estimate, with_interval_columns
from retention_models.fitting.resampling import Bootstrap
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import Fitted, Uncertainty, uncertainty_of
from retention_models.tables.customer_table import CustomerTable, open_customers, read_table
from retention_models.tables.groups import Labels, read_codes
from retention_models.tables.observation_end import as_of_fit
from retention_models.value.spending import has_paid, paying_share
from retention_models.value.terms import Terms, require_terms
from retention_models.value.value_component import ValueComponent

YEAR = pd.Timedelta(days=365.25)


def purchase_value(
    fit: Fitted, customers: Any, terms: Terms, spend: Fitted | None, level: float | None
) -> pd.DataFrame:
    """Value of the future purchases of each customer; see ``customer_value``."""
    purchases, amount, histories = _components(fit, customers, terms, spend)
    share = terms.unit_value
    table = pd.DataFrame({"discounted_purchases": purchases.line_values}, index=histories.index)
    if amount is None or spend is None:
        value = purchases.estimate.linear(lambda values: share * values)
        columns = with_interval_columns("value", value, level, POSITIVE)
        return table.assign(**{name: column[purchases.row] for name, column in columns.items()})
    table["expected_spend"] = amount.line_values
    is_median = _is_median(spend, customers, len(table))
    table["spend_estimate"] = pd.Categorical(np.where(is_median, "posterior median", "posterior mean"))
    values = share * purchases.line_values * amount.line_values
    errors = share * np.hypot(amount.line_values * purchases.line_errors, purchases.line_values * amount.line_errors)
    return table.assign(**with_interval_columns("value", Estimate(values, errors[:, None]), level, POSITIVE))


def total_purchase_value(
    fit: Fitted, customers: Any, terms: Terms, spend: Fitted | None, by: Labels | None, level: float | None
) -> pd.DataFrame:
    """Value of the future purchases of all customers, or of each segment; see ``total_value``."""
    components = _components(fit, customers, terms, spend)
    code, segments = read_codes(customers, by)
    is_median = _is_median(spend, customers, len(code))
    return _total(components, terms.unit_value, code, segments, is_median, level)


def value_for_horizons(
    fit: Fitted, customers: Any, terms: Sequence[Terms], spend: Fitted | None, level: float | None
) -> list[pd.DataFrame]:
    """The total of ``total_purchase_value`` for several terms that differ in their horizon; customers are read once."""
    discount_terms(terms[0], spend)
    source, histories = _read(fit, customers, terms[0], spend)
    amount = None if spend is None else _amounts(spend, customers)
    code, segments = read_codes(customers, None)
    is_median = _is_median(spend, customers, len(code))
    purchases = [_purchases(source, histories, one, spend) for one in terms]
    return [
        _total((counts, amount, histories), one.unit_value, code, segments, is_median, level)
        for counts, one in zip(purchases, terms, strict=True)
    ]


def _total(
    components: tuple[ValueComponent, ValueComponent | None, CustomerTable],
    share: float,
    code: NDArray[np.int64],
    segments: pd.Index,
    is_median: NDArray[np.bool_],
    level: float | None,
) -> pd.DataFrame:
    """The sums of each segment's values, with their uncertainty."""
    purchases, amount, histories = components
    weight, n = histories.line_weight, len(segments)
    amounts = 1.0 if amount is None else amount.line_values
    lines = share * weight * purchases.line_values * amounts

    def summed(column: Array) -> Array:
        return np.bincount(code, weights=column, minlength=n).astype(float)

    if amount is None:
        sums = np.zeros((len(purchases.estimate.values), n))
        np.add.at(sums, (purchases.row, code), share * weight)
        value = purchases.estimate.linear(lambda values: values @ sums)
    else:
        errors = (
            purchases.sums_with(share * weight * amounts, code, n),
            amount.sums_with(share * weight * purchases.line_values, code, n),
        )
        value = Estimate(summed(lines), np.hstack(errors))
    customers = summed(weight)
    columns: dict[str, Array] = with_interval_columns("value", value, level, POSITIVE)
    columns |= {f"value_per_customer{name[5:]}": column / np.maximum(customers, 1) for name, column in columns.items()}
    in_medians = summed(lines * is_median)
    columns["share_of_medians"] = np.divide(
        in_medians, value.values, out=np.zeros_like(in_medians), where=value.values > 0
    )
    table = pd.DataFrame({"customers": customers} | columns)
    table.index = segments.rename(segments.name or "segment")
    return table.astype({"customers": int}) if np.all(customers == np.floor(customers)) else table


def _components(
    fit: Fitted, customers: Any, terms: Terms, spend: Fitted | None
) -> tuple[ValueComponent, ValueComponent | None, CustomerTable]:
    """Both components of value for a table of customers, and the histories, after checks of the inputs."""
    source, histories = _read(fit, customers, terms, spend)
    amount = None if spend is None else _amounts(spend, customers)
    return _purchases(source, histories, terms, spend), amount, histories


def _read(fit: Fitted, customers: Any, terms: Terms, spend: Fitted | None) -> tuple[Uncertainty, CustomerTable]:
    """The uncertainty of the purchases, and the histories, after checks of the inputs."""
    check_fits(fit, spend)
    discount_terms(terms, spend)
    source, opened = uncertainty_of(fit), open_customers(customers)
    columns = [source.model.columns, *([] if spend is None else [uncertainty_of(spend).model.columns])]
    opened.numbers(list(dict.fromkeys(name for names in columns for name in names)))
    histories = source.read(opened)
    check_time_unit(str(terms.time_unit), histories, source.fit)
    return source, as_of_fit(source.data, histories, source.model.columns)


def _purchases(source: Uncertainty, histories: CustomerTable, terms: Terms, spend: Fitted | None) -> ValueComponent:
    """Discounted purchases of each history."""
    rate, horizon = discount_terms(terms, spend)

    def discounted(model: Any, *columns: Array) -> Array:
        return require_finite(model.discounted_expected_purchases(rate, *columns, horizon=horizon))

    return ValueComponent(histories.row, source.estimate(discounted, histories.rows))


def _amounts(spend: Fitted, customers: Any) -> ValueComponent:
    """The expected amount of a purchase of each customer."""
    source = uncertainty_of(spend)
    table, share = source.read(customers), paying_share(source.fit)
    amount = ValueComponent(
        table.row, source.estimate(lambda model, *columns: model.expected_spend(*columns), table.rows)
    )
    return amount.times_share(has_paid(table), share, source.fit.n_customers / share)


def discount_terms(terms: Terms, spend: Fitted | None) -> tuple[float, float]:
    """The continuous discount rate per time unit and the horizon, from terms for purchases."""
    require_terms(terms, "horizon", "time_unit", "annual_discount_rate", *(["margin"] if spend is not None else []))
    assert terms.horizon is not None
    if spend is not None and terms.price is not None:
        raise ValueError("the terms state a price for a purchase, and spend expects one for each customer; pass one")
    return discount_rate(float(terms.annual_discount_rate or 0.0), str(terms.time_unit)), terms.horizon


def _is_median(spend_fit: Fitted | None, customers: Any, n: int) -> NDArray[np.bool_]:
    """Whether the expected spend of each of n lines is a posterior median, because the mean does not exist."""
    if spend_fit is None:
        return np.zeros(n, dtype=bool)
    frequency = read_table(customers, ("frequency",))
    model = uncertainty_of(spend_fit).model
    return np.asarray(~model.has_mean(frequency.columns[0])[frequency.row])


def discount_rate(annual_discount_rate: float, time_unit: str) -> float:
    """The continuous discount rate per time unit that equals a rate per year of 365.25 days."""
    require_discount_rate(annual_discount_rate)
    share = MONTHS[time_unit] / 12 if time_unit in MONTHS else unit_length(time_unit) / YEAR
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
    is_fit = isinstance(given, Fit | Bootstrap)
    model = uncertainty_of(given).model if is_fit else given
    if not (is_fit and hasattr(model, method)):
        what = f"a {'fit of ' if is_fit else ''}{type(model).__name__}"
        raise TypeError(f"{name} must be the Fit of a model of {kind}, as rm.fit returns it; got {what}")


def check_time_unit(given: str, table: CustomerTable, fit: Fit) -> None:
    """Raise a ValueError if the table or the fit has another time unit.

    Tables without a known time unit pass.
    """
    for about in (table.about, fit.data):
        known = about.get("time_unit", about.get("period"))
        if known is None or known == given:
            continue
        if {known, given} & MONTHS.keys() or unit_length(known) != unit_length(given):
            raise ValueError(f"time_unit is {given!r}, but the table was made with time_unit {known!r}; give that one")
