"""Survival projected from the first renewals, by models and by drawn curves.

A spreadsheet fits a line, a parabola or an exponential to the survival shares, by least squares, and extends it. Such
curves fit the observed shares. Then they fall below zero, rise again, or fall as if all customers were alike. See Fader
& Hardie (2007), Journal of Interactive Marketing 21(1), 76-90, whose table is used here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_whole
from retention_models.core.arrays import Array
from retention_models.fitting.model_selection import select_contract_model
from retention_models.survival.curves import Curve
from retention_models.tables.customer_table import read_table

NAMES = {"Geometric": "one rate for all", "ShiftedBetaGeometric": "sBG", "BetaDiscreteWeibull": "BdW"}

FEW = 50  # customers behind a share, below which it says little
SHORTEST = 5  # renewals, of which some can be kept back


def drawn_curves(survival: Array, tenure: Array) -> pd.DataFrame:
    """A line, a parabola and an exponential through the first survival shares, extended.

    These are the curves that spreadsheets fit by least squares.

    Parameters
    ----------
    survival
        The shares S(0) = 1, S(1), ... as far as they were observed; shape (m,).
    tenure
        Numbers of renewals at which the curves are wanted; shape (n,).

    Returns
    -------
    pandas.DataFrame
        Indexed by ``tenure``: ``linear``, ``quadratic`` (with three shares or more) and ``exponential`` (a line through
        the logarithms of shares above 0).

    Notes
    -----
    See Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> rm.evaluation.drawn_curves(np.array([1, 0.631, 0.468, 0.382, 0.326]), np.array([4, 8, 12])).round(2)
            linear  quadratic  exponential
    tenure
    4         0.24       0.34         0.30
    8        -0.40       1.31         0.10
    12       -1.04       3.89         0.03
    """
    seen = np.arange(len(survival))
    curves = {"linear": np.polyval(np.polyfit(seen, survival, 1), tenure)}
    if len(survival) > 2:
        curves["quadratic"] = np.polyval(np.polyfit(seen, survival, 2), tenure)
    left = survival > 0
    if left.sum() > 1:
        curves["exponential"] = np.exp(np.polyval(np.polyfit(seen[left], np.log(survival[left]), 1), tenure))
    return pd.DataFrame(curves, index=pd.Index(tenure, name="tenure"))


def projections(retention_table: Any, *, renewals: int) -> pd.DataFrame:
    """Survival after each renewal: actual, and projected from the first renewals by models and by drawn curves.

    Parameters
    ----------
    retention_table
        The frame of ``retention_table`` or ``load_published_retention``; all its customers are taken together.
    renewals
        Number of first renewals that are used.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``tenure`` from 0: ``at_risk`` (customers at that renewal), ``actual`` (Kaplan-Meier share of the
        customers of the first renewal observed), ``used`` (whether the renewal was used), and one column per model and
        per curve. ``attrs["notes"]`` holds the notes of each fit.

    Raises
    ------
    ValueError
        When the table has no renewal beyond those used, or no model can be fitted to these.
    """
    table = read_table(retention_table, ("tenure", "at_risk", "lost")).by_tenure()
    tenure, at_risk, lost = table.columns
    first = tenure[0] - 1
    require_whole("renewals", renewals, 1)
    if not first + renewals < tenure[-1]:
        raise ValueError(
            f"renewals must be a whole number from 0 to {len(tenure) - 1}, as the table has "
            f"{len(tenure)}; got {renewals!r}"
        )
    curve = Curve(tenure, at_risk, lost, start=float(first))
    ahead = np.arange(first, tenure[-1] + 1)
    actual = curve.survival_function(ahead)
    used = ahead <= first + renewals
    frame = pd.DataFrame(
        {"at_risk": np.append(curve.number_at_risk(ahead[1:]), at_risk[-1] - lost[-1]), "actual": actual, "used": used},
        index=pd.Index(ahead.astype(int), name="tenure"),
    )
    early = tenure <= first + renewals
    found = select_contract_model(pd.DataFrame({"tenure": tenure, "at_risk": at_risk, "lost": lost})[early])
    for name, fit in found.fits.items():
        frame[NAMES[name]] = fit.model.survival_function(ahead, given=first)
    frame = frame.join(drawn_curves(actual[used], ahead - first).set_index(frame.index))
    frame.attrs["notes"] = {NAMES[name]: fit.notes for name, fit in found.fits.items()}
    return frame


def projection_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Error of each projection at the renewals that it did not use, the best projection first.

    Parameters
    ----------
    frame
        The frame of ``projections``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``projection``: ``fitted_error`` (mean absolute error at the renewals used, in percentage points),
        ``error`` (the same at the later renewals), ``last`` (projected share after the last renewal) and ``actual``
        (the actual share then).
    """
    used = frame["used"].to_numpy()
    names = frame.columns.drop(["at_risk", "actual", "used"])
    away = 100 * frame[names].sub(frame["actual"], axis=0).abs()
    errors = pd.DataFrame(
        {
            "fitted_error": away[used].iloc[1:].mean(),
            "error": away[~used].mean(),
            "last": frame[names].iloc[-1],
            "actual": frame["actual"].iloc[-1],
        }
    )
    return errors.sort_values("error", kind="stable").rename_axis("projection")
