"""What customers are worth today, each alone and all together: of purchases and of contracts by one door.

The value of purchases is that of Fader, Hardie & Lee (2005), the value of contracts that of Fader & Hardie (2010); see
``purchases`` and ``contracts`` beside this module.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from retention_models.fitting.result import Fit
from retention_models.tables.groups import Labels
from retention_models.value.contracts import contract_value, total_contract_value
from retention_models.value.payments import Moment
from retention_models.value.purchases import purchase_value, total_purchase_value
from retention_models.value.terms import Terms


def customer_value(
    fit: Any,
    customers: Any,
    terms: Terms,
    *,
    spend: Fit | None = None,
    moment: Moment = "before_renewal",
    level: float = 0.95,
) -> pd.DataFrame:
    """What each customer is worth today, with an interval: the coming purchases, or the payments of a contract.

    Parameters
    ----------
    fit
        A fitted model of purchases (``ParetoNBD``, ``BGNBD``, ...) or of contracts (``ShiftedBetaGeometric``, ...). For
        contracts also a model with its parameters, any curve with ``survival_function(tenure)`` in renewals, or an
        object of another library with ``predict_survival_function``, which is asked about the other columns of
        ``customers`` and needs a horizon within its data.
    customers
        Of purchases: a frame with ``frequency, recency, T`` from ``summarize``, with ``monetary_value`` for ``spend``,
        and with the columns of the fits' covariates. Of contracts: a frame with ``tenure``, the renewals made so far (0
        for a new customer), one row a customer or one with a ``weight``, from ``active_customers``.
    terms
        Of purchases: ``horizon, time_unit, annual_discount_rate`` and, with ``spend``, ``margin``. Of contracts:
        ``billing_period, annual_discount_rate``, and ``price`` and ``margin`` for value in money.
    spend
        A fitted ``GammaGamma``, for what each customer spends on a purchase. Without it each purchase counts the price
        of the terms, or one.
    moment
        When a customer with a contract is met: ``"before_renewal"``, just before the decision, the next payment not
        discounted; or ``"after_payment"``, just after the last payment, the next one a whole period away.
    level
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``value`` and its interval ``value_lower, value_upper`` (how sure the expectation
        is, given the model). Of purchases also ``discounted_purchases`` and, with ``spend``, ``expected_spend`` (an
        amount per purchase) and ``spend_estimate`` ("posterior mean", or "posterior median" where the mean does not
        exist: q at most 1 and no repeat purchase). Of contracts also ``naive_value``, what the mean retention rate of
        the fit's data would say of everybody. A curve that is no fit has no interval.

    Raises
    ------
    ValueError
        When the terms lack what value needs, the time unit is not that of the table, or the value is infinite (no
        discount, no end, and customers who never leave).

    Notes
    -----
    The model of spending is one of customers who pay. Where some repeat buyers paid nothing (see ``notes`` of
    ``spend``), the ``expected_spend`` of customers who have paid for no repeat purchase so far is multiplied by the
    share of repeat buyers who do pay. Where a note of a fit of contracts says that its data hardly determine a
    parameter, intervals are those of the profile likelihood, which need not be symmetric.

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
    if _is_of_contracts(fit, spend):
        return contract_value(fit, customers, terms, moment, level)
    return purchase_value(fit, customers, terms, spend, level)


def total_value(
    fit: Any,
    customers: Any,
    terms: Terms,
    *,
    spend: Fit | None = None,
    by: Labels | None = None,
    moment: Moment = "before_renewal",
    level: float = 0.95,
) -> pd.DataFrame:
    """What all customers, or the customers of each segment, are worth together today.

    Parameters
    ----------
    fit, customers, terms, spend, moment, level
        As in ``customer_value``. A column ``weight`` of ``customers`` counts customers.
    by
        The name of a column of segments, or each customer's segment: a Series by its index, a list or array in the
        order of ``customers``. A missing segment is an error. Without it all are the segment "all".

    Returns
    -------
    pandas.DataFrame
        One row a segment: ``customers``, ``value`` and its interval ``value_lower, value_upper``. The interval knows
        that all customers share the parameters, so it does not shrink as customers are added. It does not know whether
        the model is right: see the holdout and the backtest. Of purchases also ``value_per_customer`` with its interval
        and ``share_of_medians``, the share of the value for which the expected amount is a posterior median. Of
        contracts also ``outcome_lower, outcome_upper``, which add the chance in who leaves when, and ``naive_value``.

    Raises
    ------
    ValueError
        As ``customer_value`` does.

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
    if _is_of_contracts(fit, spend):
        return total_contract_value(fit, customers, terms, moment, by, level)
    return total_purchase_value(fit, customers, terms, spend, by, level)


def _is_of_contracts(fit: Any, spend: Any) -> bool:
    """Whether value takes the road of contracts; a TypeError where something speaks against both."""
    model = fit.model if isinstance(fit, Fit) else fit
    if hasattr(model, "expected_spend"):
        raise TypeError("fit is a fit of spending; pass that of purchases, and this one as spend=")
    of_contracts = hasattr(model, "survival_function") or hasattr(model, "predict_survival_function")
    if of_contracts and spend is not None:
        raise TypeError("spend goes with a fit of purchases; the price of contracts is stated in the terms")
    return of_contracts
