"""Contracts as the package reads them, turned into what a test among them needs: time since the assignment."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from retention_models.core.check import Check
from retention_models.logs.contracts.log import Spells
from retention_models.tables.engines import collect

DAYS = "days"


def since_observed(
    spells: Spells, arm: str, time_unit: str | None, weight: str | None
) -> tuple[Any, tuple[Check, ...]]:
    """Each customer's first spell as ``arm, tenure, churned``, its tenure counted from where observation began.

    And a check on those who came back, whose later spells do not count.

    Raises
    ------
    ValueError
        When the arm is not among the covariates, or a unit or weight is named, which such spells have already.
    """
    if arm not in spells.covariates:
        kept = ", ".join(spells.covariates) or "none"
        raise ValueError(f"{arm!r} is not among the covariates of the contracts ({kept}); read them with covariates=")
    if time_unit not in (None, DAYS) or weight is not None:
        raise ValueError(
            "contracts read by read_contracts are one spell a row, in days: leave out time_unit and weight"
        )
    frame = nw.from_native(spells.frame).lazy()
    first = nw.col("spell") == nw.col("spell").min().over("customer_id")
    rows = frame.filter(first).select(arm, (nw.col("tenure") - nw.col("entry")).alias("tenure"), "churned")
    later = spells.rows - int(collect(rows.select(nw.len().alias("rows")))["rows"].iloc[0])
    detail = f"Later spells of customers who came back do not count, because they had left: {later:,}."
    return rows.to_native(), ((Check("returns", None, detail),) if later else ())
