"""Future payments under a survival curve: their expected discounted value and its variance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_models.core.arguments import require_number
from retention_models.core.arrays import Array
from retention_models.core.dates import MONTHS
from retention_models.estimation.estimates import PLAIN, POSITIVE, Scale
from retention_models.fitting.result import Fit, require_no_covariates
from retention_models.survival.contract_model import ContractCurve
from retention_models.tables.customer_table import open_customers
from retention_models.tables.days import Period
from retention_models.tables.rules import join_names, require_rows
from retention_models.value.external_models import require_observed_length
from retention_models.value.terms import Payment, Terms, require_terms

Moment = Literal["before_renewal", "after_payment"]

LONGEST = 1e6  # times that a payment may be worth what all to come are, where customers stay for good
MOST_RENEWALS = 1e6  # made, and ahead
NEGLIGIBLE = 1e-13  # share of a value without end that the payments left away may hold
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class PaymentSchedule:
    """Margin of each payment of a contract and the discount factor; ``payment_schedule`` creates it from ``Terms``.

    Attributes
    ----------
    annual_discount_rate
        Discount rate a year of 365.25 days.
    period
        The billing period: "M", "Y" or a number of days.
    margin
        Margin earned at each payment: one amount, or a sequence for the payment at the start, the first renewal and so
        on. The last amount of a sequence holds for all later payments.
    payment
        ``"advance"`` or ``"arrears"``: at the beginning or at the end of each period.
    horizon
        Number of renewals ahead that count; infinite by default.
    """

    annual_discount_rate: float
    period: Period
    margin: ArrayLike = 1.0
    payment: Payment = "advance"
    horizon: float = np.inf

    @property
    def discount(self) -> float:
        """Discount factor of one period."""
        years = self.period / DAYS_A_YEAR if isinstance(self.period, int) else MONTHS[self.period] / 12
        return float((1 + self.annual_discount_rate) ** -years)

    @property
    def renewals(self) -> int:
        """Number of renewals ahead that count."""
        if np.isfinite(self.horizon):
            return int(self.horizon)
        return int(np.ceil(np.log(NEGLIGIBLE * (1 - self.discount)) / np.log(self.discount)))

    @property
    def scale(self) -> Scale:
        """The scale of intervals of a value: the log scale, or the plain one where a margin is negative."""
        return POSITIVE if np.all(np.asarray(self.margin, dtype=float) >= 0) else PLAIN

    def discounted_margins(self, last: int) -> Array:
        """The margin at the start and at each renewal up to ``last``, discounted to the start; shape (last + 1,)."""
        payment = np.arange(last + 1)
        schedule = np.atleast_1d(np.asarray(self.margin, dtype=float))
        late = 1 if self.payment == "arrears" else 0
        return schedule[np.minimum(payment, len(schedule) - 1)] * self.discount ** (payment + late)

    def margins_ahead(self, tenure: Array) -> Array:
        """The margin at each coming renewal that counts, discounted to the next one; shape (renewals, n)."""
        ahead = np.arange(1, self.renewals + 1)[:, None]
        paid = self.discounted_margins(int(tenure.max()) + self.renewals)
        return paid[(tenure + ahead).astype(int)] / self.discount ** (tenure + 1)


def payment_schedule(terms: Terms, model: Any = None) -> PaymentSchedule:
    """The payment schedule of some terms, for a model or fit whose renewals have the length of a billing period.

    Raises
    ------
    ValueError
        When the terms lack a billing period or a discount rate, the billing period is not the period of the fit, the
        price is a column of customers (see ``price_by_line``), the horizon is not a whole number of billing periods, or
        customers who never leave would have an infinite value.
    """
    require_terms(terms, "billing_period", "annual_discount_rate")
    assert terms.billing_period is not None
    assert terms.annual_discount_rate is not None
    if isinstance(terms.price, str):
        raise ValueError(
            f"price is the column {terms.price!r} of customers, and here there are no customers: state an amount, such "
            "as the mean price of new contracts"
        )
    fitted = model.data.get("period") if isinstance(model, Fit) else None
    if fitted not in (None, terms.billing_period):
        raise ValueError(
            f"the model was fitted to renewals by period {fitted!r}, but the terms state billing_period "
            f"{terms.billing_period!r}: state the period of the fit, or make the retention table with that of the terms"
        )
    rate, horizon = terms.annual_discount_rate, np.inf if terms.horizon is None else terms.horizon
    if horizon < 1 or (np.isfinite(horizon) and horizon != int(horizon)):
        raise ValueError(
            f"horizon must be a whole number of billing periods, 1 or more, or numpy.inf; got {horizon!r}: a "
            "customer who renews pays for a whole period"
        )
    if np.isfinite(horizon):
        require_number("horizon", horizon, 1, MOST_RENEWALS)
    if terms.horizon is not None and terms.time_unit not in (None, terms.billing_period):
        raise ValueError(
            f"the horizon of contracts counts billing periods ({terms.billing_period!r}), but time_unit is "
            f"{terms.time_unit!r}: state the horizon in billing periods and leave time_unit out"
        )
    margin = np.asarray(1.0 if terms.price is None else terms.price) * (terms.margin or 1.0)
    schedule = PaymentSchedule(rate, terms.billing_period, margin, terms.payment, horizon)
    if horizon == np.inf and 1 - schedule.discount < 1 / LONGEST:
        raise ValueError(
            f"with annual_discount_rate {rate:g} a value needs a horizon: without discounting, the value of "
            "customers who never leave is infinite"
        )
    return schedule


def price_by_line(terms: Terms, customers: Any) -> tuple[Terms, Array, Array]:
    """The terms with a price of 1, and the mean price of each line of customers and its mean square.

    A value is linear in the price. Terms with another price than a column stay as they are, and each line has price 1.
    A column of the same name with ``_std`` at its end is the standard deviation of the price among the customers of a
    line.

    Raises
    ------
    ValueError
        When the column is missing, or a price is missing, no number or below 0.
    """
    require_terms(terms)
    opened, name = open_customers(customers), terms.price
    if not isinstance(name, str):
        return terms, np.ones(len(opened)), np.ones(len(opened))
    if name not in opened.columns:
        raise ValueError(
            f"price {name!r} of the terms is not a column of the customers (columns: {join_names(opened.columns)}); "
            "read "
            "the log with read_contracts(price=...), or state an amount"
        )
    spread = [f"{name}_std"] if f"{name}_std" in opened.columns else []
    opened.numbers([name, *spread])
    price = opened.number(name)
    require_rows(price >= 0, name, "is below 0", opened.index, "a price is 0 or more; correct it")
    square = price**2 + sum(opened.number(column) ** 2 for column in spread)
    return replace(terms, price=1.0), price, square


@dataclass(frozen=True, eq=False)
class PaymentStream:
    """The future payments of customers who share a survival curve (one row), or of customers with a curve each.

    Attributes
    ----------
    survival
        S at the start and at each renewal, shape (rows, renewals + 1).
    terms
        The payment schedule.
    moment
        The moment of valuation, as in ``customer_value``.
    """

    survival: Array
    terms: PaymentSchedule
    moment: Moment

    def __post_init__(self) -> None:
        if self.moment not in get_args(Moment):
            raise ValueError(f"moment must be 'before_renewal' or 'after_payment', not {self.moment!r}")

    @cached_property
    def discounted_margins(self) -> Array:
        """The margin at the start and at each renewal, discounted to the start."""
        return self.terms.discounted_margins(self.survival.shape[1] - 1)

    def mean(self, tenure: NDArray[np.int64]) -> Array:
        """Expected discounted payments after ``tenure`` renewals."""
        return self._future_sum(self.survival * self.discounted_margins, tenure) / self._present_weight(tenure)

    def variance(self, tenure: NDArray[np.int64]) -> Array:
        """Variance of the discounted payments, because the time of leaving is random."""
        before = np.cumsum(self.discounted_margins) - self.discounted_margins
        squares = self._future_sum(
            self.survival * self.discounted_margins * (2 * before + self.discounted_margins), tenure
        )
        squares = squares - 2 * before[tenure + 1] * self._future_sum(self.survival * self.discounted_margins, tenure)
        return np.maximum(
            squares / (self._present_weight(tenure) * self._discount_factor(tenure)) - self.mean(tenure) ** 2, 0.0
        )

    def _future_sum(self, worth: Array, tenure: NDArray[np.int64]) -> Array:
        """The sum of ``worth`` over the renewals after ``tenure`` within the horizon."""
        rest = np.cumsum(worth[:, ::-1], axis=1)[:, ::-1]
        rest = np.pad(rest, ((0, 0), (0, 1)))
        row = np.arange(len(tenure)) if len(rest) > 1 else 0
        return rest[row, tenure + 1] - rest[row, np.minimum(tenure + 1 + self.terms.renewals, rest.shape[1] - 1)]

    def _present_weight(self, tenure: NDArray[np.int64]) -> Array:
        """Survival times discount factor at the moment of valuation, as seen from the start."""
        row = np.arange(len(tenure)) if len(self.survival) > 1 else 0
        still = self.survival[row, tenure]
        return np.where(still > 0, still, 1.0) * self._discount_factor(tenure)

    def _discount_factor(self, tenure: NDArray[np.int64]) -> Array:
        """Discount factor at the moment of valuation, as seen from the start."""
        return self.terms.discount ** np.asarray(
            tenure + (1 if self.moment == "before_renewal" else 0), dtype=np.float64
        )


def finite_horizon(terms: PaymentSchedule) -> int:
    """Number of renewals ahead that count; a ValueError where a curve without a model has no time limit."""
    if np.isinf(terms.horizon):
        raise ValueError("a curve without a model ends where its data end: give the terms a horizon")
    return terms.renewals


def survival_at_renewals(model: Any, last: int, terms: PaymentSchedule) -> Array:
    """S at the start and at each renewal that counts for a customer with up to ``last`` renewals.

    One row, or a row for each customer of a model with parameters of shape (n,).
    """
    if isinstance(model, Fit):
        require_no_covariates(model, "a new customer", "customer_value")
    curve = model.covariate_terms.new_contract(model.model) if isinstance(model, Fit) else model
    if isinstance(curve, type) or not hasattr(curve, "survival_function"):
        name = curve.__name__ if isinstance(curve, type) else type(curve).__name__
        raise TypeError(
            "a fit, a model of contracts with its parameters, or an object with survival_function(tenure) is needed; "
            f"got {name}{'; customer_value takes it' if hasattr(curve, 'predict_survival_function') else ''}"
        )
    end = last + (finite_horizon(terms) if hasattr(curve, "at_risk") else terms.renewals)
    if hasattr(curve, "at_risk") and curve.survival[-1] > 0:
        require_observed_length(float(curve.tenure[-1]), end)
    require_number("the largest tenure", last, 0, MOST_RENEWALS)
    rows = curve.by_row() if isinstance(curve, ContractCurve) else curve
    survival = np.atleast_2d(np.asarray(rows.survival_function(np.arange(end + 1)), dtype=float))
    stays = survival[:, last] if isinstance(curve, ContractCurve) else 1.0
    if not np.all(stays * terms.discount ** (last + 1.0) > 0):
        raise ValueError(
            f"tenure is up to {last:,}, and under {type(curve).__name__} with this discount rate the share of "
            "customers who stay so long, or the discount factor, is 0. Such customers cannot be valued; leave them out"
        )
    return survival
