"""How long customers with contracts stay: curves of groups, and forecasts of who will still be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, expit, logit, ndtri

from retention_models.core.arguments import require_whole
from retention_models.estimation.intervals import normal_quantile, probability_interval, standard_error
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import customers_by_tenure, require_contract_fit
from retention_models.fitting.retention_intervals import profile_interval
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.retention import durations
from retention_models.survival.competing import CauseCurves, aalen_johansen
from retention_models.survival.curves import Curve, kaplan_meier
from retention_models.tables.customer_table import Table, read_table
from retention_models.tables.groups import read_groups

Array = NDArray[np.float64]

NODES = 200  # equally likely values that stand for a probability known with an error


def survival_curves(spells: Any, *, by: str | None = None) -> dict[str, Curve]:
    """The Kaplan-Meier curve of each group of customers.

    Parameters
    ----------
    spells
        From ``read_contracts`` (tenure in days); or a pandas or Polars frame with ``tenure, churned`` and, where there
        are, ``entry, weight``; or a retention table (tenure in renewals).
    by
        A covariate or column that tells groups apart; without it all customers are the group "all".

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.forecast.retention import curve_table, survival_curves
    >>> spells = pd.DataFrame({
    ...     "plan": ["month", "month", "year", "year"],
    ...     "tenure": [3, 8, 12, 12],
    ...     "churned": [True, True, True, False],
    ... })
    >>> curve_table(survival_curves(spells, by="plan"), at=[6, 12])[["group", "tenure", "at_risk", "survival"]]
       group  tenure  at_risk  survival
    0  month     6.0      1.0       0.5
    1  month    12.0      0.0       0.0
    2   year     6.0      2.0       1.0
    3   year    12.0      2.0       0.5
    """
    frame = durations(spells, by=[by] if by else []) if isinstance(spells, Spells) else spells
    groups = read_groups(frame, by)
    if "at_risk" in frame.columns:
        table = read_table(frame, ("tenure", "at_risk", "lost"))
        return {label: _curve_of_table(table.of_lines(lines)) for label, lines in groups.items()}
    columns = _spell_columns(frame)
    churned = columns.pop("churned")
    return {
        label: kaplan_meier(churned=churned[lines], **{name: column[lines] for name, column in columns.items()})
        for label, lines in groups.items()
    }


def cause_curves(spells: Any, *, by: str | None = None) -> dict[str, CauseCurves]:
    """The Aalen-Johansen curves by cause of each group of customers.

    Parameters are those of ``survival_curves``; spells need a column ``cause``, which counts where they churned.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.forecast.retention import cause_curves, curve_table
    >>> spells = pd.DataFrame({
    ...     "tenure": [3, 8, 8, 12],
    ...     "churned": [True, True, True, False],
    ...     "cause": ["price", "moved", "price", None],
    ... })
    >>> curve_table(cause_curves(spells), at=[12])[["group", "cause", "tenure", "incidence"]]
      group  cause  tenure  incidence
    0   all  moved    12.0       0.25
    1   all  price    12.0       0.50
    """
    frame = durations(spells, by=[by] if by else []) if isinstance(spells, Spells) else spells
    if "cause" not in frame.columns:
        raise ValueError(
            "cause not in the table: read_contracts(cause=...) names the column that says why contracts end"
        )
    columns = _spell_columns(frame)
    cause = np.array(frame["cause"].to_numpy(), dtype=object)
    cause[columns.pop("churned") == 0] = None
    return {
        label: aalen_johansen(cause=cause[lines], **{name: column[lines] for name, column in columns.items()})
        for label, lines in read_groups(frame, by).items()
    }


def curve_table(
    curves: Mapping[str, Curve | CauseCurves], *, level: float = 0.95, at: ArrayLike | None = None
) -> pd.DataFrame:
    """The curves of several groups as one frame, a column ``group`` before those of each ``table(level, at)``.

    Examples
    --------
    >>> from retention_models.forecast.retention import curve_table
    >>> from retention_models.survival.curves import kaplan_meier
    >>> curves = {"month": kaplan_meier([1, 2], [True, True]), "year": kaplan_meier([2, 2], [True, False])}
    >>> curve_table(curves, at=[2])[["group", "tenure", "at_risk", "survival"]]
       group  tenure  at_risk  survival
    0  month     2.0      1.0       0.0
    1   year     2.0      2.0       0.5
    """
    return pd.concat(
        [curve.table(level, at).assign(group=label) for label, curve in curves.items()], ignore_index=True
    ).pipe(lambda frame: frame[["group", *frame.columns.drop("group")]])


def round_tenures(curves: Mapping[str, Curve | CauseCurves], count: int = 8) -> Array:
    """About so many round tenures from 0 on that span the curves: where to write numbers beneath them.

    Examples
    --------
    >>> from retention_models.forecast.retention import round_tenures
    >>> from retention_models.survival.curves import kaplan_meier
    >>> round_tenures({"all": kaplan_meier([30, 400, 1100], [True, True, False])}).tolist()
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
    """
    last = max(float(curve.tenure[-1]) for curve in curves.values())
    least = max(last / count, np.finfo(float).tiny)
    unit = 10 ** np.floor(np.log10(least))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least * (1 - 1e-12))
    return np.arange(0, last + step * 1e-9, max(step, 1.0))


def forecast_retention(
    fit: Fit, customers: Any, *, renewals: int, by: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """How many of today's customers will still be there after each of the coming renewals: the triangle's empty corner.

    Parameters
    ----------
    fit
        A fitted model of contracts.
    customers
        A frame with ``tenure`` (renewals made so far) and ``weight``, as from ``active_customers``.
    renewals
        How many renewals ahead to look.
    by
        A column, for example ``"cohort"``, whose values are forecast apart; without it all are the group "all".
    level
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row a group and renewal ``ahead``: ``customers`` today, ``expected`` survivors with ``expected_lower,
        expected_upper`` (how sure the mean is), and ``survivors_lower, survivors_upper``: the interval of the number
        itself, which adds the chance in who leaves.

    Notes
    -----
    The number of survivors is binomial, its probability uncertain on the logit scale; the interval is that of the
    mixture of both. Where a note of the fit says that its data hardly determine a parameter, the interval of the
    probability is that of the profile likelihood, else by standard errors. It does not know whether the model is right:
    see ``evaluation.backtest_retention``.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.fitting.estimate import fit
    >>> from retention_models.forecast.retention import forecast_retention
    >>> from retention_models.survival.sbg import ShiftedBetaGeometric
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
    >>> today = pd.DataFrame({"tenure": [4], "weight": [326]})
    >>> forecast = forecast_retention(fit(ShiftedBetaGeometric, kept), today, renewals=2)
    >>> forecast[["ahead", "expected", "survivors_lower", "survivors_upper"]].round(1)
       ahead  expected  survivors_lower  survivors_upper
    0      1     284.9              271              298
    1      2     254.1              235              272
    """
    require_contract_fit(fit)
    require_whole("renewals", renewals, 1)
    table, groups = customers_by_tenure(customers), read_groups(customers, by)
    parts = [table.of_lines(lines) for lines in groups.values()]
    tenure, ahead = table.columns[0], np.arange(1.0, renewals + 1)
    share = np.stack([_share(part, tenure) for part in parts], axis=-1)

    def stay(model: Any, ahead: Array) -> Array:
        return (model.survival_function(tenure + ahead[:, None], given=tenure) @ share).ravel()

    customers_now = np.tile([part.n_customers for part in parts], renewals)
    forecast = _forecast(fit, stay, ahead, customers_now, level)
    forecast.insert(0, "group", [label for _ in ahead for label in groups])
    by_group = np.arange(len(forecast)).reshape(renewals, len(parts)).T.ravel()
    return forecast.take(by_group).reset_index(drop=True)


def _share(group: Table, tenure: Array) -> Array:
    """The share of a group's customers at each tenure; 0 everywhere of a group without customers."""
    share = np.zeros(len(tenure))
    share[np.searchsorted(tenure, group.columns[0])] = group.weight / max(group.n_customers, 1e-300)
    return share


def _curve_of_table(table: Table) -> Curve:
    """The curve of a retention table, from the renewal before the first on."""
    tenure, at_risk, lost = table.by_tenure().columns
    return Curve(tenure, at_risk, lost, start=float(tenure[0]) - 1)


def _spell_columns(frame: Any) -> dict[str, Array]:
    """The columns of spells, line by line, as ``kaplan_meier`` takes them."""
    names = ("tenure", "churned", *(["entry"] if "entry" in frame.columns else []))
    table = read_table(frame, names)
    lines = {name: column[table.row] for name, column in zip(names, table.columns, strict=True)}
    return {**lines, "weight": table.line_weight}


def _forecast(
    fit: Fit, stay: Callable[[Any, Array], Array], ahead: Array, customers: Array, level: float
) -> pd.DataFrame:
    """The rows of ``forecast_retention``, some for each renewal ahead, as ``stay(model, ahead)`` gives them."""
    probability = stay(fit.model, ahead)
    ends = profile_interval(fit, lambda model: stay(model, ahead), level)
    if ends is None:
        error = standard_error(fit.gradient(stay, (ahead,)), fit.covariance.to_numpy())
        ends = probability_interval(probability, error, level)
    lower, upper = ends
    reach = [np.abs(_logit(end) - _logit(probability)) / normal_quantile(level) for end in ends]
    few, many = (_survivors(customers, probability, reach, share) for share in ((1 - level) / 2, (1 + level) / 2))
    return pd.DataFrame(
        {
            "ahead": np.repeat(ahead.astype(int), len(probability) // len(ahead)),
            "customers": customers,
            "expected": customers * probability,
            "expected_lower": customers * lower,
            "expected_upper": customers * upper,
            "survivors_lower": few,
            "survivors_upper": many,
        }
    )


def _survivors(customers: Array, probability: Array, reach: Sequence[Array], share: float) -> NDArray[np.int64]:
    """The smallest number of survivors that is exceeded with a probability of at most 1 - ``share``.

    The number is binomial given its probability, which is normal on the logit scale, with a standard error of its own
    to either side.
    """
    n, certain = np.rint(customers).astype(np.int64), (probability == 0) | (probability == 1)
    score = ndtri((np.arange(NODES) + 0.5) / NODES)[:, None]
    nodes = expit(_logit(probability) + score * np.where(score < 0, reach[0], reach[1]))
    low, high = np.full(len(probability), -1.0), n.astype(float)
    while np.any(high - low > 1):
        number = np.floor((low + high) / 2)
        reached = bdtr(np.maximum(number, 0), n, nodes).mean(axis=0) >= share
        low, high = np.where(reached | (high - low <= 1), low, number), np.where(reached, number, high)
    return np.where(certain, np.rint(n * probability), high).astype(np.int64)


def _logit(probability: Array) -> Array:
    """The logit, finite also of 0 and 1."""
    return logit(np.clip(probability, 1e-12, 1 - 1e-12))
