"""The retention triangle, cohorts by renewals, and its empty corner filled with what a model expects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.fitted import Fit


def retention_triangle(fit: Fit, retention_table: Any, *, renewals: int) -> pd.DataFrame:
    """Which share of each cohort was there after each renewal, and is expected to be after those to come.

    Parameters
    ----------
    fit
        A fitted model of contracts.
    retention_table
        A pandas frame from ``retention_table``, with ``cohort``.
    renewals
        How many renewals beyond those of the cohort are looked at.

    Returns
    -------
    pandas.DataFrame
        One row a cohort and ``tenure``: ``customers`` of the cohort at the first renewal seen, ``share``, and whether
        it is a ``forecast``. Where a cohort was not observed from the start, the share before its first renewal is the
        model's.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.fitting import fit
    >>> from retention_models.survival.sbg import ShiftedBetaGeometric
    >>> from retention_models.triangle import retention_triangle
    >>> rows = [("2021", 1, 1000, 369), ("2021", 2, 631, 163), ("2022", 1, 900, 340)]
    >>> table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    >>> retention_triangle(fit(ShiftedBetaGeometric, table), table, renewals=1).round(3)
      cohort  tenure  customers  share  forecast
    0   2021       1       1000  0.631     False
    1   2021       2       1000  0.468     False
    2   2021       3       1000  0.376      True
    3   2022       1        900  0.622     False
    4   2022       2        900  0.461      True
    """
    rows = [
        _of_cohort(fit, part.groupby("tenure", as_index=False)[["at_risk", "lost"]].sum(), renewals).assign(cohort=name)
        for name, part in retention_table.groupby("cohort")
    ]
    return pd.concat(rows, ignore_index=True)[["cohort", "tenure", "customers", "share", "forecast"]]


def _of_cohort(fit: Fit, table: pd.DataFrame, renewals: int) -> pd.DataFrame:
    """The rows of one cohort."""
    model, made = fit.model, table["tenure"].to_numpy(dtype=float)
    start = float(model.survival_function(made[0] - 1))
    seen = start * np.cumprod(1 - (table["lost"] / table["at_risk"]).to_numpy())
    ahead = made[-1] + np.arange(1.0, renewals + 1)
    expected = seen[-1] * model.survival_function(ahead, given=made[-1])
    tenure = np.append(made, ahead).astype(int)
    return pd.DataFrame(
        {
            "tenure": tenure,
            "customers": int(table["at_risk"].iloc[0]),
            "share": np.append(seen, expected),
            "forecast": tenure > made[-1],
        }
    )
