"""Whether P(alive) means what it says: customers classified as lost who bought again.

A customer who bought in the holdout was alive. So of customers with a low P(alive), no larger share may come back than
their mean P(alive), beyond chance. More come back where silence is often a pause, which models of leaving do not know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from retention_models.core.check import Check
from retention_models.core.proportions import wilson_ends
from retention_models.evaluation.holdout_data import Holdout
from retention_models.fitting.result import shows_leaving
from retention_models.fitting.uncertainty import Fitted, uncertainty_of

NO_SIGN = "This log contains no sign of customers leaving, so it cannot say who has left."
LIMITS = (0.05, 0.1, 0.2, 0.3)  # of P(alive)
TINY = 1e-12
FEWEST = 30  # customers below a limit
BEYOND_CHANCE = 2.5  # standard errors, for four limits that are looked at together


def alive_reliability(fit: Fitted, customers: Any) -> pd.DataFrame:
    """Customers with a low P(alive) at the end of the calibration, and how many of them bought again.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        The frame of ``summarize`` to which the model was fitted, with its holdout period.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``at_most``, the limit of P(alive): 0.05, 0.1, 0.2 and 0.3. The columns are the number of
        ``customers`` with at most that, their mean ``probability_alive``, and the share that ``came_back`` in the
        holdout. ``came_back_lower, came_back_upper`` is Wilson's interval of 2.5 standard errors. ``refuted``: whether
        its lower limit exceeds the mean P(alive). Limits with fewer than 30 customers are left out.

    Raises
    ------
    ValueError
        When the table has no holdout period, or the model is not one of purchases.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> fit = rm.fit(rm.MBGNBD, customers)
    >>> shown = ["customers", "probability_alive", "came_back", "refuted"]
    >>> rm.evaluation.alive_reliability(fit, customers)[shown].round(3)
             customers  probability_alive  came_back  refuted
    at_most
    0.1             37              0.051      0.432     True
    0.2            127              0.132      0.283     True
    0.3            250              0.190      0.304     True
    """
    holdout = Holdout.from_fit(fit, customers)
    alive, came_back = holdout.probability_alive(), holdout.actual > 0
    rows = {}
    for limit in LIMITS:
        weight = holdout.weight * (alive <= limit)
        if (n := float(weight.sum())) < FEWEST:
            continue
        mean, share = float(weight @ alive / n), float(weight @ came_back / n)
        lower, upper = (float(end) for end in wilson_ends(share, n, BEYOND_CHANCE))
        rows[limit] = (int(n), mean, share, lower, upper, lower > mean)
    columns = ["customers", "probability_alive", "came_back", "came_back_lower", "came_back_upper", "refuted"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("at_most")
    return table.astype({"customers": int, "refuted": bool})


def fit_pause(fit: Fitted, customers: Any) -> float:
    """The share of customers classified as lost who only pause, estimated from returns in the holdout.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        The frame of ``summarize`` to which the model was fitted, with its holdout period.

    Returns
    -------
    float
        The share s, from 0 to 1, for ``predict(..., pause=)``. It is 0 where ``alive_check`` does not fail, and where
        the log contains no sign of customers leaving.

    Raises
    ------
    ValueError
        When the table has no holdout period, or the model is not one of purchases.

    Notes
    -----
    s maximizes the likelihood of who bought in the holdout and who did not, with P(purchase) = P(purchase | alive)
    (A + (1 - A) s) and A = P(alive). Use it for a forecast from a later day: on its own holdout it fits too well.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> round(rm.evaluation.fit_pause(rm.fit(rm.MBGNBD, customers), customers), 2)
    0.23
    """
    is_refuted = alive_check(alive_reliability(fit, customers)).passed is False
    if not (is_refuted and shows_leaving(uncertainty_of(fit).fit)):
        return 0.0
    holdout = Holdout.from_fit(fit, customers)
    alive, none = holdout.probability_alive(), holdout.probability_no_purchase()
    if_alive, came_back = np.minimum((1 - none) / alive, 1 - TINY), holdout.actual > 0

    def loss(pause: float) -> float:
        buys = if_alive * (alive + (1 - alive) * pause)
        return -float(holdout.weight @ np.log(np.maximum(np.where(came_back, buys, 1 - buys), TINY)))

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-6}).x)


def alive_check(reliability: pd.DataFrame, fit: Fitted | None = None) -> Check:
    """Whether customers with a low P(alive) came back no more often than it says.

    Parameters
    ----------
    reliability
        The frame of ``alive_reliability``.
    fit
        The fitted purchase model. By default None: whether it contains a sign of customers leaving is not asked.

    Returns
    -------
    Check
        Failed if a limit is refuted, or the fit contains no sign of customers leaving (drop-out ran to 0): the log
        cannot say who has left. Not testable if fewer than 30 customers have a
        P(alive) of at most 0.3.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> table = rm.evaluation.alive_reliability(rm.fit(rm.MBGNBD, customers), customers)
    >>> print(rm.evaluation.alive_check(table))
    P(alive) in the holdout: FAILED. Of 37 customers with a P(alive) of at most 10 % (5.1 % on average),
    43.2 % bought again. Silence in this log is often a pause, so it cannot say who has left.
    """
    name = "P(alive) in the holdout"
    if fit is not None and not shows_leaving(uncertainty_of(fit).fit):
        return Check("Signs of churn in the log", False, detail=NO_SIGN)
    if reliability.empty:
        return Check(
            name, None, detail=f"Fewer than {FEWEST} customers have a P(alive) of at most {100 * LIMITS[-1]:.0f} %."
        )
    shown = reliability[reliability["refuted"]]
    failed = len(shown) > 0
    row = (shown if failed else reliability[::-1]).reset_index().iloc[0]
    alive, came_back = (f"{100 * row[name]:.1f} %" for name in ("probability_alive", "came_back"))
    found = (
        f"Of {row['customers']:,} customers with a P(alive) of at most {100 * row['at_most']:.0f} % ({alive} on "
        f"average), {came_back} bought again."
    )
    verdict = " Silence in this log is often a pause, so it cannot say who has left." if failed else ""
    return Check(name, not failed, detail=f"{found}{verdict}")
