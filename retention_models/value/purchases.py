"""Value of each customer's future purchases, for customers without a contract.

Value is margin x expected amount per purchase x discounted expected purchases (Fader, Hardie & Lee 2005, "RFM and CLV:
Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42, 415-430). The two fits are
independent, so the variances of their logarithms add up for one customer. A total includes the covariance of all
customers' values, because the customers share the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

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
from retention_models.forecast.customers import read_purchases
from retention_models.forecast.planning_range import (
    ForecastErrors,
    PastErrors,
    planning_columns,
    relative_variance,
    require_same_forecast,
)
from retention_models.tables.customer_table import CustomerTable, open_customers, read_table
from retention_models.tables.groups import Labels, read_codes
from retention_models.tables.observation_end import as_of_fit
from retention_models.value.spending import has_paid, paying_share
from retention_models.value.spending_chance import spend_moments
from retention_models.value.terms import Terms, require_terms
from retention_models.value.value_component import ValueComponent

YEAR = pd.Timedelta(days=365.25)
Components: TypeAlias = tuple[ValueComponent, ValueComponent | None, CustomerTable]  # purchases, amounts, histories


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
    fit: Fitted,
    customers: Any,
    terms: Sequence[Terms],
    spend: Fitted | None,
    by: Labels | None,
    level: float | None,
    past_errors: Any = None,
) -> list[pd.DataFrame]:
    """Value of the future purchases of all customers, or of each segment; see ``total_value``.

    One table for each of the ``terms``, which differ in their horizon, the shortest first; customers are read once.
    ``past_errors`` belong to the first; longer horizons borrow them. Planning ranges of no end are missing.
    """
    discount_terms(terms[0], spend)
    source, histories = _read(fit, customers, terms[0], spend)
    if past_errors is not None:
        assert terms[0].horizon is not None
        about = {**source.data, **histories.about, "time_unit": terms[0].time_unit}
        require_same_forecast(past_errors, terms[0].horizon, about)
    amount = None if spend is None else _amounts(spend, customers)
    code, segments = read_codes(customers, by)
    is_median = _is_median(spend, customers, len(code))
    tables = []
    for one in terms:
        components = _purchases(source, histories, one, spend), amount, histories
        table = _total(components, one.unit_value, code, segments, is_median, level)
        if past_errors is not None:
            value = _segment_values(components, one.unit_value, code, len(segments))
            assert one.horizon is not None
            spent = None if np.isinf(one.horizon) else _spent(fit, histories, customers, one.horizon, spend)
            known = past_errors if spent is None else past_errors.with_horizon(one.horizon)
            table = table.assign(
                **_planning(value, spent, code, [_errors_of_value(each, spend) for each in known.of_labels(segments)])
            )
        tables.append(table)
    return tables


def _planning(
    value: Estimate, spent: tuple[Array, Array] | None, code: NDArray[np.int64], errors: Sequence[ForecastErrors]
) -> dict[str, Array]:
    """The planning ranges of the values of segments; missing without an end, which no forecast can test."""
    if spent is None:
        return dict.fromkeys(planning_columns(np.empty(0), np.empty(0), []), np.full(len(errors), np.nan))
    return planning_columns(value.values, _relative_variance(value, spent, code), errors)


def totals_with_variance(
    fit: Fitted, customers: Any, horizon: float, spend: Fitted | None, by: Labels | None = None
) -> pd.DataFrame:
    """Purchases within a horizon, and the amount spent, of all customers or segments, each with its relative variance.

    One row a segment: ``purchases``, ``purchases_variance`` and, with ``spend``, ``amount`` and ``amount_variance``.
    The variance is that of parameters and of chance.
    """
    source, histories = read_purchases(fit, customers)
    each = source.estimate(lambda model, *history: model.expected_purchases(horizon, *history), histories.rows)
    counts = ValueComponent(histories.row, each)
    code, segments = read_codes(customers, by)
    columns: dict[str, Array] = {}
    for name, one in (("purchases", None), *([] if spend is None else [("amount", spend)])):
        amount = None if one is None else _amounts(one, customers)
        total = _segment_values((counts, amount, histories), 1.0, code, len(segments))
        columns[name] = total.values
        columns[f"{name}_variance"] = _relative_variance(total, _spent(fit, histories, customers, horizon, one), code)
    return pd.DataFrame(columns, segments)


def _errors_of_value(past_errors: PastErrors, spend: Fitted | None) -> ForecastErrors:
    """The earlier errors of value: of amounts, or of counts where each purchase has one price."""
    if spend is None:
        return past_errors.counts
    if past_errors.value is None:
        raise ValueError(
            "past_errors contain no amounts, but the value with spend needs the errors of amounts; make past_errors "
            "from a log with amounts"
        )
    return past_errors.value


def _relative_variance(value: Estimate, spent: tuple[Array, Array], code: NDArray[np.int64]) -> Array:
    """Variance of each segment's value over its square, by parameters and by chance.

    ``spent`` are mean and variance of what each line spends. A discount hardly changes the relative variance by chance.
    """
    n = len(value.values)
    mean, variance = (np.bincount(code, weights=column, minlength=n).astype(float) for column in spent)
    return relative_variance(value.std_error**2, value.values) + relative_variance(variance, mean)


def _spent(
    fit: Fitted, histories: CustomerTable, customers: Any, horizon: float | None, spend: Fitted | None
) -> tuple[Array, Array]:
    """Mean and variance, by chance, of what each line spends within the horizon; of purchases without ``spend``."""
    source = uncertainty_of(fit)
    mean = source.values(lambda model, *history: model.expected_purchases(horizon, *history), histories.rows)
    variance = source.values(lambda model, *history: model.purchases_variance(horizon, *history), histories.rows)
    mean, variance = mean[histories.row], variance[histories.row]
    if spend is not None:
        mean, variance = spend_moments(mean, variance, spend, customers)
    return histories.line_weight * mean, histories.line_weight * variance


def _total(
    components: Components,
    share: float,
    code: NDArray[np.int64],
    segments: pd.Index,
    is_median: NDArray[np.bool_],
    level: float | None,
) -> pd.DataFrame:
    """The sums of each segment's values, with their uncertainty."""
    n = len(segments)
    value = _segment_values(components, share, code, n)
    customers = np.bincount(code, weights=components[2].line_weight, minlength=n).astype(float)
    columns: dict[str, Array] = with_interval_columns("value", value, level, POSITIVE)
    columns |= {f"value_per_customer{name[5:]}": column / np.maximum(customers, 1) for name, column in columns.items()}
    in_medians = np.bincount(code, weights=_line_values(components, share) * is_median, minlength=n).astype(float)
    columns["share_of_medians"] = np.divide(
        in_medians, value.values, out=np.zeros_like(in_medians), where=value.values > 0
    )
    table = pd.DataFrame({"customers": customers} | columns)
    table.index = segments.rename(segments.name or "segment")
    return table.astype({"customers": int}) if np.all(customers == np.floor(customers)) else table


def _line_values(components: Components, share: float) -> Array:
    """The value of each line of the table; shape (n,)."""
    purchases, amount, histories = components
    amounts = 1.0 if amount is None else amount.line_values
    return share * histories.line_weight * purchases.line_values * amounts


def _segment_values(components: Components, share: float, code: NDArray[np.int64], n: int) -> Estimate:
    """The value of each of n segments, with its uncertainty."""
    purchases, amount, histories = components
    weight = histories.line_weight
    if amount is None:
        sums = np.zeros((len(purchases.estimate.values), n))
        np.add.at(sums, (purchases.row, code), share * weight)
        return purchases.estimate.linear(lambda values: values @ sums)
    values = np.bincount(code, weights=_line_values(components, share), minlength=n).astype(float)
    errors = (
        purchases.sums_with(share * weight * amount.line_values, code, n),
        amount.sums_with(share * weight * purchases.line_values, code, n),
    )
    return Estimate(values, np.hstack(errors))


def _components(fit: Fitted, customers: Any, terms: Terms, spend: Fitted | None) -> Components:
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
        raise ValueError(
            "the terms state a price for a purchase, and spend expects an amount for each customer; "
            "pass only one of the two"
        )
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
