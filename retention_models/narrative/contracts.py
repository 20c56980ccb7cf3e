"""Groups of tenures, projections, groups and the calendar of contracts, as text and tables for pages."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.formatting import number_of, three_digits
from retention_models.estimation.newton import ConvergenceError
from retention_models.evaluation.extrapolation import FEW, SHORTEST, projection_errors, projections
from retention_models.fitting.calendar_months import SEASON
from retention_models.fitting.estimate import fit
from retention_models.fitting.model_selection import choose_calendar
from retention_models.fitting.model_tests import wald
from retention_models.fitting.result import Fit
from retention_models.narrative.formats import p_value_text
from retention_models.narrative.purchases import Sentence
from retention_models.value.saved_customers import EDGES

EXACT = 1e-6  # percentage points: a curve through every point has no error, whatever its last digits


def explained_text(backtest: pd.DataFrame, explained: pd.DataFrame, *, events: Collection[str] = ()) -> str:
    """Which errors of earlier forecasts the season and the events explain.

    Parameters
    ----------
    backtest, explained
        The tables of ``backtest_retention`` without and with the season and the events.
    events
        Names of the events. By default none: only the season explains errors.

    Returns
    -------
    str
        Two sentences; empty if no forecast failed.
    """
    failed = ~backtest["inside"].astype(bool)
    n, rest = int(failed.sum()), int((failed & ~explained["inside"].astype(bool)).sum())
    if not n:
        return ""
    before, after = (100 * table["error"].abs().mean() for table in (backtest, explained))
    found = {0: "none then lies", n: "each then lies"}.get(n - rest, f"{n - rest} then lie{'s' * (n - rest == 1)}")
    return (
        f"With the season{' and the events' * bool(events)}, the mean error of the earlier forecasts is {after:.1f} % "
        f"instead of {before:.1f} %. Of {number_of(n, 'forecasts that failed')}, {found} inside the interval."
    )


def calendar_model(fitted: Fit, dated: pd.DataFrame) -> tuple[Fit, str | None, Sentence]:
    """The model with the season and the events of a retention table.

    Parameters
    ----------
    fitted
        The fit without a calendar.
    dated
        The table of ``logs.with_events``, or a retention table without a calendar.

    Returns
    -------
    tuple
        The fit, its formula of calendar covariates (None where it is the fit without a calendar), and a sentence.
    """
    if "cohort" not in dated:
        return fitted, None, Sentence("The table has no dates: its churn cannot be shown by month, nor its season.")
    formula = choose_calendar(type(fitted.model), dated)
    if formula is None:
        return fitted, None, Sentence("The log shows no season, and no event was named: the forecasts assume neither.")
    try:
        found = fit(type(fitted.model), dated, calendar_covariates=formula)
    except (ValueError, ConvergenceError) as error:
        return fitted, None, Sentence(f"The model does not take the calendar. {error}.")
    effects = [
        f"{name.replace('_', ' ')} multiplies churn by {three_digits(np.exp(found.params[f'calendar[{name}]']))}"
        for name in dated.attrs.get("events", [])
    ]
    season = ["Churn has a season."] if SEASON in formula else ["Churn shows no season."]
    return found, formula, Sentence(" ".join([*season, *(f"{text[0].upper()}{text[1:]}." for text in effects)]))


def projections_by_table(retention_table: Any, published: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """Projections of a retention table from its first third, and of the groups of a published table.

    Parameters
    ----------
    retention_table
        The table that ``retention_table`` returns. Renewals with fewer than 50 customers at risk are left out.
    published
        The table of ``load_published_retention``. By default None: no published table.

    Returns
    -------
    dict
        Name to the frame of ``projections``, whose ``attrs`` have it, too. Tables too short for a holdout are left out.
    """
    together = retention_table.groupby("tenure", as_index=False)[["at_risk", "lost"]].sum()
    tables = {"this log": together[together["at_risk"] >= FEW].reset_index(drop=True)}
    if published is not None:
        tables |= {f"published, {name}": part for name, part in published.groupby("customers", sort=False)}
    book = {}
    for title, table in tables.items():
        if len(table) >= SHORTEST and table["lost"].iloc[: _calibration_length(table)].sum() > 0:
            book[title] = projections(table, renewals=_calibration_length(table))
            book[title].attrs["name"] = title
    return book


def projection_error_table(book: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The ``projection_errors`` of each frame of a ``projections_by_table``, in one table.

    Parameters
    ----------
    book
        Title to the frame of ``projections``, from ``projections_by_table``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``table`` and the index of ``projection_errors``, with its columns; without rows if ``book`` is
        empty.
    """
    if not book:
        return pd.DataFrame(columns=["fitted_error", "error", "last", "actual"])
    table = pd.concat({title: projection_errors(frame) for title, frame in book.items()}, names=["table"])
    return table.mask(table.abs() < EXACT, 0.0)


def projection_notes(book: dict[str, pd.DataFrame]) -> list[Sentence]:
    """The notes of the fits in a ``projections_by_table``, or the reason why it is empty.

    Parameters
    ----------
    book
        Title to the frame of ``projections``, from ``projections_by_table``.

    Returns
    -------
    list of Sentence
        One for each model with notes.
    """
    if not book:
        return [Sentence("The log has too few renewals to keep some of them back and hold a projection against them.")]
    notes = ((title, model, said) for title, frame in book.items() for model, said in frame.attrs["notes"].items())
    return [Sentence(f"{title}, {model}: {' '.join(said)}") for title, model, said in notes if said]


def _calibration_length(table: pd.DataFrame) -> int:
    """The number of renewals in the calibration period."""
    return max(len(table) // 3, 3)


def selected_tenures(saved: pd.DataFrame) -> pd.DataFrame:
    """A few rows of ``saved_value`` at increasing distances, with the last row "all".

    Parameters
    ----------
    saved
        The table that ``saved_value`` returns.

    Returns
    -------
    pandas.DataFrame
        The rows nearest to 0, 1, 3, 6, 12, 24, 48 and 96 renewals, and the row "all".
    """
    tenures = saved.index[:-1].to_numpy(dtype=int)
    wanted = [tenures[np.argmin(np.abs(tenures - edge))] for edge in EDGES if edge <= tenures.max() + 1]
    return saved.loc[[*dict.fromkeys(wanted), "all"]]


def group_as_covariate(fitted: Fit, retention_table: pd.DataFrame, group: str | None) -> list[Any]:
    """The model of all customers with their group as a covariate, and whether it explains more than chance.

    Parameters
    ----------
    fitted
        The fit of all customers.
    retention_table
        The retention table by ``group``.
    group
        The column that tells customers apart; None for none.

    Returns
    -------
    list
        The fit with the covariate and the table of Wald's test. Or a sentence that says why there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
    >>> rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in kept.items() for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    >>> _, test = rm.narrative.group_as_covariate(rm.fit(rm.ShiftedBetaGeometric, table), table, "plan")
    >>> test
                statistic  degrees  p_value
    term
    churn[plan]       175        1  < 0.001
    """
    if group is None:
        return [Sentence("No group was named: one model describes all customers.")]
    name = group if group.isidentifier() else f"`{group}`"
    is_text = not pd.api.types.is_numeric_dtype(retention_table[group])
    formula = name if is_text else f"C({name})"
    try:
        found = fit(type(fitted.model), retention_table, churn_covariates=formula)
    except (ValueError, ConvergenceError) as error:
        return [Sentence(f"The model knows no difference between groups. {error}.")]
    test = wald(found)
    shown = test.assign(statistic=test["statistic"].map(three_digits), p_value=test["p_value"].map(p_value_text))
    return [found, shown]


def age_groups(customers: pd.DataFrame) -> pd.Series:
    """The tenure group of each row of ``active_customers``, as ordered categories.

    Parameters
    ----------
    customers
        A frame with ``tenure``, the number of renewals made.

    Returns
    -------
    pandas.Series
        Names of the groups, with the index of ``customers``. The groups begin at 0, 1, 3, 6, 12, 24, 48 and 96
        renewals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rm.narrative.age_groups(pd.DataFrame({"tenure": [0, 2, 7, 12]})).tolist()
    ['0 renewals', '1 to 2 renewals', '6 to 11 renewals', '12 to 23 renewals']
    """
    code = np.searchsorted(EDGES, customers["tenure"].to_numpy(), side="right") - 1
    names = ["0 renewals"] + [f"{low} to {high - 1} renewals" for low, high in pairwise(EDGES[1:])]
    names.append(f"{EDGES[-1]} renewals or more")
    used = [name for i, name in enumerate(names) if i in set(code)]
    return pd.Series(pd.Categorical([names[i] for i in code], categories=used, ordered=True), index=customers.index)
