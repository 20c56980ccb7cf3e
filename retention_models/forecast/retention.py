"""Forecasts of survivors among customers with contracts, and the retention triangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr, expit, logit, ndtri

from retention_models.core.arguments import require_renewals
from retention_models.core.arrays import Array
from retention_models.estimation.estimates import SHARE, Estimate
from retention_models.estimation.intervals import normal_quantile
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import contract_uncertainty, read_contract_customers
from retention_models.fitting.uncertainty import Uncertainty
from retention_models.forecast.churn_errors import read_churn_errors
from retention_models.forecast.planning_range import LEVELS, planning_names
from retention_models.tables.customer_table import CustomerTable, open_customers, read_table
from retention_models.tables.groups import read_groups

NODES = 200  # equally likely values that stand for a probability known with an error


def forecast_retention(
    fit: Fit,
    customers: Any,
    *,
    renewals: int,
    by: str | None = None,
    level: float = 0.95,
    past_errors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Expected number of active customers after each of the coming renewals, with intervals.

    Parameters
    ----------
    fit
        A fitted contract model.
    customers
        A frame with ``tenure`` (renewals made) and ``weight`` (number of customers), as from ``active_customers``.
    renewals
        Number of renewals that the forecast covers.
    by
        A column that defines groups, for example ``"cohort"``. By default one group, "all".
    level
        Level of the intervals, from 0 to 1. By default 0.95.
    past_errors
        The frame of ``evaluation.backtest_retention``, for the planning range. By default None: no planning range.

    Returns
    -------
    pandas.DataFrame
        One row per ``group`` and renewal ``ahead``: ``customers`` today, ``expected`` survivors with the confidence
        interval ``expected_lower, expected_upper`` (parameter uncertainty), and the prediction interval
        ``survivors_lower, survivors_upper`` (chance as well). With ``past_errors`` also planning ranges of the
        survivors at 80 and 95 %, which cover model error, too: ``planning_lower_80, planning_upper_80,
        planning_lower_95, planning_upper_95``.

    Raises
    ------
    ValueError
        When the model is not one of contracts, or ``renewals`` is not from 1 to 10,000.

    Notes
    -----
    The number of survivors is binomial, with a probability that is uncertain on the logit scale. The prediction
    interval is that of this mixture. Where the data hardly determine a parameter, the confidence interval is that of
    the profile likelihood, otherwise that of standard errors.

    Neither interval covers model error; the planning range does. Model error is a factor k on churn: S^k survive if S
    was expected. The log of k has mean 0 and the variance (3 x 0.05^2 + n x sqrt(h / ahead)) / (3 + n). Here n is the
    number of independent earlier forecasts over h renewals, and x is their mean squared log k beyond parameters and
    chance. The range uses Student's t with 3 + n degrees of freedom. A log that has shown no error yet is taken to err
    by 5 %. The errors of a forecast more than four times as long, or as short, are taken from that bound. Earlier
    forecasts count only if chance and parameters leave their churn uncertain by 20 % or less.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
    >>> today = pd.DataFrame({"tenure": [4], "weight": [326]})
    >>> forecast = rm.forecast_retention(rm.fit(rm.ShiftedBetaGeometric, kept), today, renewals=2)
    >>> forecast[["ahead", "expected", "survivors_lower", "survivors_upper"]].round(1)
       ahead  expected  survivors_lower  survivors_upper
    0      1     284.9              271              298
    1      2     254.1              235              272
    """
    contract_uncertainty(fit)
    require_renewals("renewals", renewals, 1)
    customers = open_customers(customers)
    source, table = read_contract_customers(fit, customers)
    groups, n = read_groups(customers, by), len(table.rows)
    ahead, row = np.repeat(np.arange(1.0, renewals + 1), n), np.tile(np.arange(n), renewals)
    rows = table.rows.take(row)
    each = source.estimate(
        lambda model, tenure, ahead: model.survival_function(tenure + ahead, given=tenure),
        replace(rows, columns=(*rows.columns, ahead)),
    )
    weight = np.stack([np.bincount(table.row[k], table.line_weight[k], n) for k in groups.values()], axis=-1)
    now = weight.sum(axis=0)
    share = weight / np.maximum(now, 1e-300)

    def by_group(values: Array) -> Array:
        shares = values.reshape(*values.shape[:-1], renewals, n) @ share
        return np.swapaxes(shares, -1, -2).reshape(*values.shape[:-1], -1)

    total, customers_now = each.linear(by_group), np.repeat(now, renewals)
    forecast = _survivor_intervals(total, customers_now, level)
    for covered in LEVELS if past_errors is not None else ():
        outcome = _survivor_intervals(total, customers_now, covered)
        chance = [outcome[f"survivors_{end}"] / np.maximum(customers_now, 1e-300) for end in ("lower", "upper")]
        more, less = (by_group(each.values**k) for k in read_churn_errors(past_errors).factors(covered, ahead))
        ends = SHARE.widen(total.values, (chance[0].to_numpy(), chance[1].to_numpy()), (more, less))
        forecast[list(planning_names(covered))] = np.transpose(customers_now * ends)
    forecast.insert(0, "ahead", np.tile(np.arange(1, renewals + 1), len(groups)))
    forecast.insert(0, "group", np.repeat(list(groups), renewals))
    return forecast


def _survivor_intervals(share: Estimate, customers: Array, level: float) -> pd.DataFrame:
    """Expected survivors among some customers, with both intervals."""
    probability = share.values
    lower, upper = ends = share.interval(level, SHARE)
    reach = [np.abs(_logit(end) - _logit(probability)) / normal_quantile(level) for end in ends]
    few, many = (_survivors(customers, probability, reach, share) for share in ((1 - level) / 2, (1 + level) / 2))
    return pd.DataFrame(
        {
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
        open_ = high - low > 1
        low, high = np.where(open_ & ~reached, number, low), np.where(open_ & reached, number, high)
    return np.where(certain, np.rint(n * probability), high).astype(np.int64)


def _logit(probability: Array) -> Array:
    """The logit, finite also of 0 and 1."""
    return logit(np.clip(probability, 1e-12, 1 - 1e-12))


def retention_triangle(fit: Fit, retention_table: Any, *, renewals: int) -> pd.DataFrame:
    """Share of each cohort that remains after each renewal: observed, and forecast for the coming renewals.

    Parameters
    ----------
    fit
        A fitted contract model.
    retention_table
        The frame of ``retention_table``, with ``cohort``.
    renewals
        Number of renewals beyond the last one observed of each cohort.

    Returns
    -------
    pandas.DataFrame
        One row per ``cohort`` and ``tenure``: ``customers`` of the cohort at the first renewal observed, ``share`` that
        remains (from 0 to 1), and ``forecast`` (whether the retention rate of this renewal is that of the model).

    Raises
    ------
    ValueError
        When the model is not one of contracts, or a cohort has nobody at risk.

    Notes
    -----
    If a cohort is not observed from its start, the share before its first renewal is that of the model. A renewal
    between others without observations is a forecast as well.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rows = [("2021", 1, 1000, 369), ("2021", 2, 631, 163), ("2022", 1, 900, 340)]
    >>> table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    >>> rm.forecast.retention_triangle(rm.fit(rm.ShiftedBetaGeometric, table), table, renewals=1).round(3)
      cohort  tenure  customers  share  forecast
    0   2021       1       1000  0.631     False
    1   2021       2       1000  0.468     False
    2   2021       3       1000  0.376      True
    3   2022       1        900  0.622     False
    4   2022       2        900  0.461      True
    """
    source = contract_uncertainty(fit)
    require_renewals("renewals", renewals, 0)
    retention_table = open_customers(retention_table)
    table = read_table(retention_table, ("tenure", "at_risk", "lost")).with_covariates(source.blocks(retention_table))
    rows = [
        _cohort_rows(source, table.of_lines(lines), renewals).assign(cohort=name)
        for name, lines in read_groups(retention_table, "cohort").items()
    ]
    return pd.concat(rows, ignore_index=True)[["cohort", "tenure", "customers", "share", "forecast"]]


def _cohort_rows(source: Uncertainty, table: CustomerTable, renewals: int) -> pd.DataFrame:
    """The rows of one cohort."""
    made, at_risk, lost = table.of_columns(3).by_tenure().columns
    made, at_risk, lost = (column[at_risk > 0] for column in (made, at_risk, lost))
    if len(made) == 0:
        raise ValueError("at_risk is 0 in all rows of a cohort: no customer of this cohort was observed; leave it out")
    tenure = np.arange(made[0] - 1, made[-1] + renewals + 1)
    survival = _cohort_survival(source, table.by_tenure(), made[-1], tenure)
    kept = survival[1:] / survival[:-1]
    seen = np.isin(tenure[1:], made)
    kept[seen] = 1 - lost / at_risk
    return pd.DataFrame(
        {
            "tenure": tenure[1:].astype(int),
            "customers": round(at_risk[0]),
            "share": survival[0] * np.cumprod(kept),
            "forecast": ~seen,
        }
    )


def _cohort_survival(source: Uncertainty, table: CustomerTable, last: float, tenure: Array) -> Array:
    """S(t) by the model, a mean over the covariates of the customers at risk at the last renewal seen."""
    there = table.rows.take((table.columns[0] == last) & (table.columns[1] > 0))
    n, at_risk = len(there), there.columns[1]

    def survival(model: Any, when: Array) -> Array:
        return model.survival_function(when)

    last_share = source.values(survival, replace(there, columns=(np.full(n, last),)))
    weight = np.divide(at_risk, last_share, out=np.zeros(n), where=last_share > 0)
    every = there.take(np.tile(np.arange(n), len(tenure)))
    shares = source.values(survival, replace(every, columns=(np.repeat(tenure, n),))).reshape(len(tenure), n)
    return shares @ weight / weight.sum() if weight.sum() else shares.mean(axis=1)
