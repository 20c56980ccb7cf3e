"""Customers who came back: their second spells tell whether customers differ (sorting) or acquire loyalty (habit).

With one spell per customer, a falling hazard has both explanations. Whoever left early and comes back leaves early
again if customers differ and never change. If loyalty is a habit, such a customer is like any other new one.
"""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.estimation.intervals import normal_quantile
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import contract_uncertainty
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.retention import retention_table
from retention_models.logs.contracts.snapshot import Snapshot
from retention_models.tables.days import Day, Period, started_periods
from retention_models.tables.frames import collect, on_engine

FEWEST = 10.0  # losses by which both explanations must differ for the second spells to tell
LEFT_AT = "left_at"
TIMES = ("start", "end", "entry", "tenure", "churned")


def second_spells(fit: Fit, spells: Spells, *, period: Period, level: float = 0.95) -> pd.DataFrame:
    """Losses in the second spells of customers who came back, and how many were expected by sorting and by habit.

    Parameters
    ----------
    fit
        A fitted contract model without covariates.
    spells
        The result of ``read_contracts``; a ``Snapshot`` knows of nobody who came back.
    period
        Length of a contract: ``"M"``, ``"Y"`` or a number of days, as that of the fit.
    level
        Level of the interval, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        One row, or none where nobody came to a renewal of a second spell: ``customers`` who came back, ``renewals``
        that they came to, ``lost`` there; the losses expected ``if_sorting`` and ``if_habit``; and ``sorting_share``,
        how far the losses are on the way from habit (0) to sorting (1), with the interval ``sorting_share_lower,
        sorting_share_upper``. The share is missing (nan) where both differ by fewer than 10 losses.

    Raises
    ------
    TypeError, ValueError
        When the fit is not one of contracts without covariates, or as in ``retention_table``.

    Notes
    -----
    By sorting, a customer who left at renewal n and comes back has the curve ``survival_if_saved(t, n)``: that of those
    who would have left at n and were kept. By habit, the customer has the curve of a new one. Those who come back may
    differ from those who stay away.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=5_000)
    >>> spells = rm.read_contracts(business.contracts, sampling="acquisition", observation_end="2024-12-28")
    >>> fit = rm.fit(rm.ShiftedBetaGeometric, rm.retention_table(spells, period="M"))
    >>> rm.evaluation.second_spells(fit, spells, period="M").round(2).T
                               0
    customers             250.00
    renewals             2057.00
    lost                  152.00
    if_sorting            156.09
    if_habit              105.37
    sorting_share           0.92
    sorting_share_lower     0.46
    sorting_share_upper     1.38
    """
    contract_uncertainty(fit)
    if fit.covariate_terms.n:
        raise ValueError(
            "the fit has covariates; fit the model without covariates to compare second spells with first spells"
        )
    back, customers = (pd.DataFrame(), 0) if isinstance(spells, Snapshot) else _second_spells(spells, period)
    columns = ["customers", "renewals", "lost", "if_sorting", "if_habit", "sorting_share"]
    columns += ["sorting_share_lower", "sorting_share_upper"]
    if back.empty:
        return pd.DataFrame(columns=columns)
    left, tenure = back[LEFT_AT].to_numpy(float), back["tenure"].to_numpy(float)
    model, at_risk, lost = fit.model, back["at_risk"].to_numpy(float), back["lost"].sum()
    sorted_hazard = 1 - model.survival_if_saved(tenure, left) / model.survival_if_saved(tenure - 1, left)
    by_sorting, by_habit = float(at_risk @ sorted_hazard), float(at_risk @ model.hazard(tenure))
    row = [customers, at_risk.sum(), lost, by_sorting, by_habit]
    share = [np.nan] * 3
    if abs(by_sorting - by_habit) >= FEWEST:
        share[0] = (lost - by_habit) / (by_sorting - by_habit)
        spread = np.sqrt(at_risk @ (sorted_hazard * (1 - sorted_hazard)))
        reach = normal_quantile(level) * spread / abs(by_sorting - by_habit)
        share[1:] = [share[0] - reach, share[0] + reach]
    whole = dict.fromkeys(["customers", "renewals", "lost"], np.int64)
    return pd.DataFrame([[*row, *share]], columns=columns).astype(whole)


def _second_spells(spells: Spells, period: Period) -> tuple[pd.DataFrame, int]:
    """The retention table of second spells by the renewal at which the first one ended, and the number of spells."""
    rows = on_engine(spells.frame)
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    rows, end = Day.in_column("end").add_columns(rows, "_end")
    left = nw.max_horizontal(started_periods(start, end, period), nw.lit(1))
    first = rows.filter((nw.col("spell") == 1) & nw.col("churned")).with_columns(left.alias(LEFT_AT))
    second = rows.filter(nw.col("spell") == 2).select("customer_id", "spell", *TIMES)
    back = second.join(first.select("customer_id", LEFT_AT), on="customer_id")
    customers = int(collect(back.select(nw.len().alias("n")))["n"].iloc[0])
    if not customers:
        return pd.DataFrame(), 0
    frame = back.to_native()
    theirs = replace(spells, frame=frame, rows=customers, covariates=(LEFT_AT,), has_cause=False)
    try:
        return retention_table(theirs, period=period, by=LEFT_AT), customers
    except ValueError:  # none has come to a renewal yet
        return pd.DataFrame(), 0
