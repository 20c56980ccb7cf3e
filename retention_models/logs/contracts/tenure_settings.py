"""Settings for the analysis of a table of tenures without dates, each with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np

from retention_models.core.dates import unit_name
from retention_models.logs.contracts.snapshot import Snapshot, read_snapshot, window_name
from retention_models.tables.days import period_name

MANY_MONTHS = 120  # as a customer: longer tenures may be in days
SNAPSHOT_RENEWALS = 1  # renewals ahead with sampling "window": no more of each customer were observed


def read_tenure_log(
    source: Any, *, observation_start: Any, observation_end: Any, period: Any, tenure_unit: Any, **options: Any
) -> Snapshot:
    """The snapshot of a table of tenures; an error where it cannot be analysed.

    ``options`` are those of ``read_snapshot``; its ``sampling`` may be None, which raises the question.
    """
    if observation_start is not None:
        raise ValueError(
            f"tenures do not show when since {observation_start} a customer left; leave out observation_start, or "
            "name the columns of a log with dates. If customers left in several periods before observation_end, "
            "state window, the number of periods"
        )
    if options["sampling"] is not None and observation_end is None:
        raise ValueError("a table of tenures describes the customers of one day; state that day: observation_end")
    snapshot = read_snapshot(source, observation_end=observation_end, period=period, tenure_unit=tenure_unit, **options)
    _require_both_outcomes(snapshot, options["churned"])
    return snapshot


def choose_snapshot_renewals(snapshot: Snapshot, most: int) -> int:
    """How many renewals a forecast looks ahead: a quarter of the longest tenure, or one for a window."""
    if snapshot.sampling == "window":
        return SNAPSHOT_RENEWALS
    return int(np.clip(snapshot.frame["tenure"].max() / 4, 1, most))


def snapshot_reasons(snapshot: Snapshot, renewals: int, tenure: str, *, is_asked: bool) -> dict[str, str]:
    """What a table of tenures holds, and what cannot be known without dates."""
    name, span = period_name(snapshot.period), window_name(snapshot.window, snapshot.period)
    left = "earlier" if snapshot.sampling == "acquisition" else f"in the {span} before"
    asked = ", as asked" if is_asked else ""
    sampling = {
        "acquisition": "All customers who ever came count, each from the start (sampling 'acquisition'), as said.",
        "window": f"Only the last {span} of each customer count{'s' * (snapshot.window == 1)} as observed (sampling "
        "'window'), as said.",
    }
    return {
        "observation_end": f"The table holds the customers of {snapshot.observation_end}, and those who left {left}.",
        "sampling": sampling[snapshot.sampling],
        "period": f"Time is counted in {name}s, {_unit_reason(snapshot, tenure)}",
        "renewals": f"The forecast looks {renewals} renewal{'s' * (renewals > 1)} ahead{asked}. The table has no "
        "dates, so this forecast cannot be tested at an earlier day.",
        "cohorts": "The table has no dates, so customers cannot be compared by the month in which they started.",
    }


def _unit_reason(snapshot: Snapshot, tenure: str) -> str:
    if snapshot.tenure_unit is None:
        longest = int(snapshot.frame["tenure"].max())
        if snapshot.period != "M" or longest <= MANY_MONTHS:
            return f"as {tenure!r} is."
        return (
            f"as {tenure!r} is. It reaches {longest:,}, which is {longest / 12:.0f} years. If it counts days or weeks, "
            "state tenure_unit."
        )
    name = period_name(snapshot.period)
    return (
        f"converted from {tenure!r}, which is in {unit_name(snapshot.tenure_unit)}s. A customer who left within a "
        f"{name} counts as lost at its end."
    )


def _require_both_outcomes(snapshot: Snapshot, column: str) -> None:
    left = int(snapshot.frame.loc[snapshot.frame["churned"], "weight"].sum())
    if left in (0, snapshot.rows):
        raise ValueError(
            f"{left:,} of {snapshot.rows:,} customers left, by column {column!r}; an estimate of churn needs both "
            "customers who left and customers who did not. Check that the file has both, and that this is the "
            "right column"
        )
