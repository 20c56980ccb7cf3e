"""Whether inter-purchase times are so regular that a model of regular timing is worth a try."""

from __future__ import annotations

from typing import Any

from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.core.check import Check
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit, require_fit
from retention_models.logs.transactions.checks.regularity import (
    FEWEST_CUSTOMERS,
    middle_purchase_spread,
    spread_sentence,
)

NAME = "Models with random purchase times"
MOST_STAGES = 8  # beyond, gaps vary by a third of their mean and less, and each further k costs more than it tells


def timing_check(transactions: Any, customers: Any, *, cnbd: Fit | None = None) -> Check:
    """Whether models with random purchase times are adequate, or models with regular times are worth a try.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    customers
        The frame of ``summarize`` of this log, with ``log_gaps``.
    cnbd
        A fit of ``MBGCNBD`` or ``BGCNBD`` to the customers. By default ``MBGCNBD`` is fitted.

    Returns
    -------
    Check
        Failed if the best ``k`` is 2 or more: MBG/CNBD-k is then worth a try. Not testable if purchases come at fixed
        dates, for which no such model is made.

    Raises
    ------
    TypeError, ValueError
        When ``cnbd`` is not a fit, or is a fit of another model.

    Notes
    -----
    The check gives two kinds of evidence. The measure of Wheat & Morrison (1990) uses three purchases per customer, see
    ``check_regularity``. The likelihood uses all inter-purchase times and assumes a model of purchase rates and churn.
    The likelihood decides.

    Examples
    --------
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> print(rm.evaluation.timing_check(log, rm.summarize(log, calibration_end="1997-09-30")))
    Models with random purchase times: passed. The gaps between the first three purchases of 734 customers have
    111 % of the variance expected by chance. In MBG/CNBD-k the most likely k is 1, which is random timing.
    """
    if cnbd is not None:
        require_fit(cnbd)
        if not isinstance(cnbd.model, MBGCNBD | BGCNBD):
            raise ValueError(f"cnbd must be a fit of MBGCNBD or BGCNBD, not of {type(cnbd.model).__name__}")
    n, ratio = middle_purchase_spread(transactions)
    seen = spread_sentence(n, ratio)
    if cnbd is None and n >= FEWEST_CUSTOMERS and ratio < 3 / (2 * MOST_STAGES + 1):
        return Check(
            NAME,
            None,
            detail=f"{seen}: purchases come at fixed dates, and MBG/CNBD-k is not fitted; see read_contracts.",
        )
    found = cnbd or fit(MBGCNBD, customers)
    k = found.model.k
    name = "MBG/CNBD-k" if isinstance(found.model, MBGCNBD) else "BG/CNBD-k"
    if k == 1:
        likeliest = f"In {name} the most likely k is 1, which is random timing."
    else:
        likeliest = f"In {name} the most likely k is {k}, which is regular timing."
    return Check(
        NAME,
        k == 1,
        size=float(k),
        limit=1.0,
        unit="k of the gaps",
        detail=f"{seen}. {likeliest}",
        remedy=f"Compare the forecasts of {name} with those of the other models.",
    )
