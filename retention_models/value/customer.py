"""Value of each customer and of all together, for purchases and for contracts.

The value of purchases follows Fader, Hardie & Lee (2005), the value of contracts Fader & Hardie (2010). See the modules
``purchases`` and ``contracts`` of this room.
"""

from __future__ import annotations

from typing import Any, get_args

import pandas as pd

from retention_models.core.arguments import check_choice
from retention_models.fitting.resampling import Bootstrap
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import Fitted, uncertainty_of
from retention_models.forecast.planning_range import PastErrors
from retention_models.tables.customer_table import open_customers
from retention_models.tables.groups import Labels
from retention_models.value.contracts import contract_value, total_contract_value
from retention_models.value.payments import Moment
from retention_models.value.purchases import purchase_value, total_purchase_value
from retention_models.value.terms import Terms, require_terms


def customer_value(
    fit: Any,
    customers: Any,
    terms: Terms,
    *,
    spend: Fitted | None = None,
    moment: Moment = "before_renewal",
    level: float | None = 0.95,
) -> pd.DataFrame:
    """Value of each customer today, with a confidence interval: of future purchases, or of contract payments.

    Parameters
    ----------
    fit
        A fitted model of purchases (``ParetoNBD``, ``BGNBD``, ...) or its ``bootstrap``, or a fitted model of
        contracts (``ShiftedBetaGeometric``, ...), also from ``fit_pooled``. For contracts also a model with its
        parameters, or any curve with ``survival_function(tenure)`` in renewals. An object of another library with
        ``predict_survival_function`` receives the other columns of ``customers``. It needs a horizon within its
        data.
    customers
        For purchases: a frame with ``frequency, recency, T`` from ``summarize``, with ``monetary_value`` for ``spend``
        and with the columns of the fits' covariates. For contracts: a frame with ``tenure`` from ``active_customers``,
        the number of renewals made (0 for a new customer). A row is one customer, or ``weight`` customers.
    terms
        For purchases: ``horizon, time_unit, annual_discount_rate`` and, with ``spend``, ``margin``. For contracts:
        ``billing_period, annual_discount_rate``, and ``price`` and ``margin`` for value in money. The price may be a
        column of ``customers``, such as ``"price"`` of ``active_customers``.
    spend
        A fitted ``GammaGamma`` for the expected amount of a purchase of each customer. By default None: each purchase
        counts the price of the terms, or 1 without a price.
    moment
        The moment of valuation of a contract. ``"before_renewal"``, the default, is just before the renewal decision,
        and the next payment is not discounted. ``"after_payment"`` is just after the last payment, one period before
        the next.
    level
        Level of the confidence intervals, 0.95 by default; None for no intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``value``, in money or in discounted purchases or payments, and its confidence
        interval ``value_lower, value_upper``, which covers parameter uncertainty. For purchases also
        ``discounted_purchases`` and, with ``spend``, ``expected_spend`` (amount per purchase) and ``spend_estimate``.
        That is "posterior mean", or "posterior median" where the mean does not exist (q at most 1 and no repeat
        purchase). For contracts also ``naive_value``, the value under the mean retention rate of the fit's data. A
        curve that is not a fit has no interval.

    Raises
    ------
    TypeError
        When ``fit`` or ``spend`` is not a fit of the kind it must be.
    ValueError
        When the terms lack something, the time unit is not that of the table, or the value is infinite. It is infinite
        without discount and time limit if some customers never leave.

    Notes
    -----
    The model of spending describes customers who pay. If some repeat buyers paid nothing (see ``notes`` of ``spend``),
    customers without a paid repeat purchase get a lower ``expected_spend``. It is multiplied by the share of repeat
    buyers who pay. If a note of a contract fit says that the data hardly determine a parameter, intervals use the
    profile likelihood. They need not be symmetric.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> terms = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.15, margin=0.3)
    >>> value = rm.customer_value(purchases, customers, terms, spend=spend)
    >>> value.loc[[1], ["expected_spend", "value", "value_lower", "value_upper"]].round(2)
                 expected_spend  value  value_lower  value_upper
    customer_id
    1                     24.65  12.84        11.01        14.97

    >>> kept = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 869, 743], "lost": [131, 126, 90]})
    >>> fit, base = rm.fit(rm.ShiftedBetaGeometric, kept), pd.DataFrame({"tenure": [0, 3]})
    >>> yearly = rm.Terms(price=20, annual_discount_rate=0.1, billing_period="Y")
    >>> rm.customer_value(fit, base, yearly, level=0.8).round(1)
       value  value_lower  value_upper  naive_value
    0   86.5         78.5         98.1         81.9
    1   91.4         78.5        113.5         81.9
    """
    require_terms(terms)
    customers = open_customers(customers)
    check_choice("moment", moment, get_args(Moment))
    if _is_of_contracts(fit, spend):
        return contract_value(fit, customers, terms, moment, level)
    return purchase_value(fit, customers, terms, spend, level)


def total_value(
    fit: Any,
    customers: Any,
    terms: Terms,
    *,
    spend: Fitted | None = None,
    by: Labels | None = None,
    moment: Moment = "before_renewal",
    level: float | None = 0.95,
    past_errors: PastErrors | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Value of all customers together, or of each segment, today.

    Parameters
    ----------
    fit, terms, spend, moment, level
        As in ``customer_value``.
    customers
        As in ``customer_value``. A column ``weight`` is the number of customers of a row. The price of the terms may be
        the mean of a row, such as ``"price"`` of ``active_customers``. A column with ``_std`` at the end of its name is
        then the standard deviation, which counts for chance.
    by
        The name of a column of segments, or the segment of each customer: a Series by its index, a list or an array in
        the order of ``customers``. A missing segment is an error. By default None: one segment named "all".
    past_errors
        Errors of earlier forecasts, for the planning range: of purchases over the same horizon, from
        ``evaluation.past_errors``; of contracts over any horizon, from ``evaluation.backtest_retention``. By default
        None: no planning range.

    Returns
    -------
    pandas.DataFrame
        One row a segment: ``customers``, ``value`` and its confidence interval ``value_lower, value_upper``. All
        customers share the parameters, so the relative width does not shrink with the number of customers. The interval
        does not cover an error of the model: see the holdout and the backtest. For purchases also
        ``value_per_customer`` with its interval, and ``share_of_medians``, the share of the value whose expected amount
        is a posterior median. For contracts also the prediction interval ``outcome_lower, outcome_upper``, which covers
        chance as well, and ``naive_value``. With ``past_errors`` also planning ranges at 80 and 95 %, which cover
        parameters, chance and model error: ``planning_lower_80, planning_upper_80, planning_lower_95,
        planning_upper_95``; see ``predict_total`` and ``forecast_retention``. For purchases also ``planning``, the
        value with the season of last year.

    Raises
    ------
    TypeError, ValueError
        As in ``customer_value``. When ``past_errors`` are of the other kind, belong to another horizon or another last
        day, or know no amounts where ``spend`` is given.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> terms = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.15, margin=0.3)
    >>> often = (customers["frequency"] > 2).map({True: "more than twice", False: "up to twice"})
    >>> worth = rm.total_value(purchases, customers, terms, spend=spend, by=often)
    >>> worth[["customers", "value", "value_lower", "value_upper"]].round(0)
                     customers    value  value_lower  value_upper
    frequency
    more than twice        527  16550.0      15579.0      17581.0
    up to twice           1830   4360.0       3960.0       4801.0

    >>> base = pd.DataFrame({"tenure": range(5), "weight": [10000, 6334, 4367, 3264, 2604]})
    >>> yearly = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    >>> rm.total_value(rm.ShiftedBetaGeometric(1.6671, 2.8566), base, yearly).round(0)
             customers    value
    segment
    all          26569  73342.0
    """
    require_terms(terms)
    customers = open_customers(customers)
    check_choice("moment", moment, get_args(Moment))
    if _is_of_contracts(fit, spend):
        return total_contract_value(fit, customers, terms, moment, by, level, past_errors)
    return total_purchase_value(fit, customers, [terms], spend, by, level, past_errors)[0]


def _is_of_contracts(fit: Any, spend: Any) -> bool:
    """Whether the fit is one of contracts; a TypeError where the arguments contradict each other."""
    model = uncertainty_of(fit).model if isinstance(fit, Fit | Bootstrap) else fit
    if hasattr(model, "expected_spend"):
        raise TypeError("fit is a fit of spending; pass a fit of purchases as fit, and this one as spend=")
    of_contracts = hasattr(model, "survival_function") or hasattr(model, "predict_survival_function")
    if of_contracts and spend is not None:
        raise TypeError("spend goes with a fit of purchases; the price of contracts is stated in the terms")
    return of_contracts
