"""What one would have projected from the first renewals, with models and with the curves that people draw.

A spreadsheet fits a line, a parabola or an exponential to the share still there, by least squares, and extends it.
Such curves fit what was seen and then fall below nothing, turn up again, or go on falling as if all customers were
alike. Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90, show it on the table that is used here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.fitting.model_selection import select_contract_model
from retention_models.survival.curves import Curve
from retention_models.tables.customer_table import read_table

NAMES = {"Geometric": "one rate for all", "ShiftedBetaGeometric": "sBG", "BetaDiscreteWeibull": "BdW"}

FEW = 50  # customers behind a share, below which it says little
SHORTEST = 5  # renewals, of which some can be kept back


def drawn_curves(survival: Array, tenure: Array) -> pd.DataFrame:
    """The line, parabola and exponential through the shares still there after 0, 1, 2... renewals, extended.

    Parameters
    ----------
    survival
        S(0) = 1, S(1), ..., as far as they were seen; shape (m,).
    tenure
        Where the curves are wanted.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``tenure``: ``linear``, ``quadratic`` (with three shares or more) and ``exponential``, the last one
        through the logarithms of shares above 0.

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
    """The share still there after each renewal: what came, and what each way to project it says from the first ones.

    Parameters
    ----------
    retention_table
        From ``retention_table`` or ``load_published_retention``; all its customers are taken together.
    renewals
        How many renewals are used.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``tenure`` from 0 on: ``at_risk`` (customers behind the row), ``actual`` (of those still there at
        the first renewal seen, Kaplan-Meier), ``used``, and a column for each model that could be fitted and each
        curve. Its ``attrs`` hold the ``notes`` of each fit, such as that a parameter is hardly determined.

    Raises
    ------
    ValueError
        When the table has no renewal beyond those used, or no model can be fitted to these.
    """
    table = read_table(retention_table, ("tenure", "at_risk", "lost")).by_tenure()
    tenure, at_risk, lost = table.columns
    first = tenure[0] - 1
    if not (isinstance(renewals, int) and renewals > 0 and first + renewals < tenure[-1]):
        raise ValueError(
            f"renewals must be a whole number of which some of the table's {len(tenure)} are left; got {renewals!r}"
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
    """How far each projection was off where it had not seen what came.

    ``frame`` is that of ``projections``. Indexed by ``projection``, the best first: ``fitted_error`` (mean absolute
    error at the renewals used, in percentage points), ``error`` (the same at the later ones), and ``last``, the share
    it says is there after the last renewal, of which ``actual`` is the true one.
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
