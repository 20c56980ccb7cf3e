"""The retention triangle, cohorts by renewals, and its empty corner filled with what a model expects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_whole
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import require_contract_fit
from retention_models.tables.customer_table import Table, read_table
from retention_models.tables.groups import read_groups


def retention_triangle(fit: Fit, retention_table: Any, *, renewals: int) -> pd.DataFrame:
    """Which share of each cohort was there after each renewal, and is expected to be after those to come.

    Parameters
    ----------
    fit
        A fitted model of contracts.
    retention_table
        From ``retention_table``, with ``cohort``.
    renewals
        How many renewals beyond those of the cohort are looked at.

    Returns
    -------
    pandas.DataFrame
        One row a cohort and ``tenure``: ``customers`` of the cohort at the first renewal seen, ``share``, and whether
        it is a ``forecast``, as it also is at a renewal between others at which nobody was observed. Where a cohort was
        not observed from the start, the share before its first renewal is the model's.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.fitting.estimate import fit
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
    require_contract_fit(fit)
    require_whole("renewals", renewals, 0)
    table = read_table(retention_table, ("tenure", "at_risk", "lost"))
    rows = [
        _of_cohort(fit.model, table.of_lines(lines).by_tenure(), renewals).assign(cohort=name)
        for name, lines in read_groups(retention_table, "cohort").items()
    ]
    return pd.concat(rows, ignore_index=True)[["cohort", "tenure", "customers", "share", "forecast"]]


def _of_cohort(model: Any, table: Table, renewals: int) -> pd.DataFrame:
    """The rows of one cohort."""
    made, at_risk, lost = (column[table.columns[1] > 0] for column in table.columns)
    if len(made) == 0:
        raise ValueError("at_risk is 0 in all rows of a cohort: nobody of it was observed; leave it out")
    tenure = np.arange(made[0], made[-1] + renewals + 1)
    seen = np.isin(tenure, made)
    kept = np.asarray(model.retention_rate(tenure))
    kept[seen] = 1 - lost / at_risk
    return pd.DataFrame(
        {
            "tenure": tenure.astype(int),
            "customers": round(at_risk[0]),
            "share": float(model.survival_function(made[0] - 1)) * np.cumprod(kept),
            "forecast": ~seen,
        }
    )
