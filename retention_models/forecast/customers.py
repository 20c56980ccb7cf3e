"""Expected purchases of each customer and of all together, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaincinv

from retention_models.core.arguments import require_horizon
from retention_models.core.arrays import Array
from retention_models.estimation.estimates import POSITIVE, SHARE, Estimate, with_interval_columns
from retention_models.estimation.intervals import CHUNK, normal_quantile
from retention_models.fitting.uncertainty import Fitted, Uncertainty, uncertainty_of
from retention_models.tables.customer_table import CustomerTable, Rows, open_customers
from retention_models.tables.observation_end import as_of_fit

BLOCK = 200_000  # probabilities of counts at a time
PLACES = [(1 / 6, -math.sqrt(3)), (2 / 3, 0.0), (1 / 6, math.sqrt(3))]  # weights and standard errors: Gauss-Hermite
NOTICED = (
    0.01  # of a Poisson variance: what the uncertainty of the parameters must add to a count's to be reckoned with
)
FURTHEST = 50.0  # in log-parameters


def predict(fit: Fitted, customers: Any, horizon: float, level: float | None = 0.95) -> pd.DataFrame:
    """P(alive) and expected purchases of each customer over the forecast horizon, with intervals.

    Parameters
    ----------
    fit
        A fitted purchase model, or its ``bootstrap``.
    customers
        A pandas or Polars frame with the columns of the model and of its covariates, as in ``fit``; one row per
        customer.
    horizon
        Length of the forecast, in the time unit of the fit; above 0.
    level
        Level of the intervals, from 0 to 1. By default 0.95; None for no intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``. ``probability_alive`` and ``expected_purchases`` have confidence intervals
        ``<name>_lower, <name>_upper``, which cover parameter uncertainty. ``purchases_lower, purchases_upper`` is the
        prediction interval of the number of purchases. It covers chance as well. ``attrs["observed"]`` says until
        when the customers count as observed.

    Raises
    ------
    ValueError
        When the model is not one of purchases, ``horizon`` is not above 0, the table has another time unit than the
        fit, or its last day is far from all others.

    Notes
    -----
    Customers count as observed until the last day that was stated when their log was summarized. Where none was, that
    is the day of its last purchase, or the last day of the fit if that is later: a few customers who have long been
    silent are not observed for less time than all.

    Confidence intervals use the delta method, on the logit scale for the probability and on the log scale for the
    expectation. Customers with the same history are predicted once.

    The distribution of the number of purchases is a mean over three parameter values, by the Gauss-Hermite rule. They
    lie -1.73, 0 and 1.73 standard errors of the expectation away, with weights 1/6, 4/6 and 1/6. If this adds less than
    1 % to the variance, only the estimate is used. The interval leaves out equal probability at both ends. If it begins
    at 0, all is left out at the upper end.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> forecast = rm.predict(rm.fit(rm.ParetoNBD, customers), customers, horizon=39)
    >>> forecast.loc[[1], ["probability_alive", "expected_purchases", "purchases_upper"]].round(3)
                 probability_alive  expected_purchases  purchases_upper
    customer_id
    1                        0.869               1.455                5
    """
    require_horizon(horizon)
    source, table = read_purchases(fit, customers)
    parts = [
        _predict_histories(source, table.rows.take(slice(i, i + CHUNK)), horizon, level)
        for i in range(0, len(table.rows), CHUNK)
    ]
    forecast = pd.concat(parts, ignore_index=True).take(table.row).set_axis(table.index)
    forecast.attrs["observed"] = table.about["observed"]
    return forecast


def predict_total(fit: Fitted, customers: Any, horizon: float, level: float = 0.95) -> pd.DataFrame:
    """Expected purchases of all customers together over the forecast horizon; one row.

    Parameters
    ----------
    fit
        A fitted purchase model, or its ``bootstrap``.
    customers
        A pandas or Polars frame with the columns of the model and of its covariates, as in ``fit``. A column ``weight``
        counts customers per row.
    horizon
        Length of the forecast, in the time unit of the fit; above 0.
    level
        Level of the intervals, from 0 to 1. By default 0.95.

    Returns
    -------
    pandas.DataFrame
        ``expected`` purchases with the confidence interval ``expected_lower, expected_upper`` (parameter uncertainty),
        and the prediction interval ``purchases_lower, purchases_upper`` (chance as well).

    Raises
    ------
    ValueError
        When the model is not one of purchases, ``horizon`` is not above 0, or the table has another time unit than the
        fit.

    Notes
    -----
    All customers share the parameters, so parameter uncertainty does not average out. No interval covers model error:
    see ``evaluation.holdout_check`` and ``evaluation.backtest``.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.predict_total(rm.fit(rm.BGNBD, customers), customers, horizon=39).round(0)
       expected  expected_lower  expected_upper  purchases_lower  purchases_upper
    0    1653.0          1514.0          1806.0             1459             1859
    """
    require_horizon(horizon)
    source, table = read_purchases(fit, customers)
    purchases = source.estimate(lambda model, *history: model.expected_purchases(horizon, *history), table.rows)
    chance = table.weight @ source.values(
        lambda model, *history: model.purchases_variance(horizon, *history), table.rows
    )
    total = purchases.linear(lambda values: values @ table.weight[:, None])
    lower, upper = total.interval(level, POSITIVE)
    count_lower, count_upper = _gamma_interval(total.values, total.std_error**2 + chance, level)
    forecast = pd.DataFrame(
        {
            "expected": total.values,
            "expected_lower": lower,
            "expected_upper": upper,
            "purchases_lower": np.floor(count_lower).astype(int),
            "purchases_upper": np.ceil(count_upper).astype(int),
        }
    )
    forecast.attrs["observed"] = table.about["observed"]
    return forecast


def read_purchases(fit: Any, customers: Any) -> tuple[Uncertainty, CustomerTable]:
    """The uncertainty of a purchase model, and the customers as it takes them.

    Raises
    ------
    TypeError
        When ``fit`` is no fit.
    ValueError
        When the model is not one of purchases, the table has another time unit than the fit, or its last day is a
        mistake.
    """
    source, customers = uncertainty_of(fit), open_customers(customers)
    require_purchases(type(source.model))
    table = source.read(customers)
    return source, as_of_fit(source.data, table, source.model.columns)


def _predict_histories(source: Uncertainty, rows: Rows, horizon: float, level: float | None) -> pd.DataFrame:
    """The rows of ``predict`` for distinct histories."""

    def alive(model: Any, *history: Array) -> Array:
        return model.probability_alive(*history)

    def expected(model: Any, *history: Array) -> Array:
        return model.expected_purchases(horizon, *history)

    if level is None:
        return pd.DataFrame(
            {"probability_alive": source.values(alive, rows), "expected_purchases": source.values(expected, rows)}
        )
    chance, purchases = source.estimate(alive, rows), source.estimate(expected, rows)
    frame = with_interval_columns("probability_alive", chance, level, SHARE)
    frame |= with_interval_columns("expected_purchases", purchases, level, POSITIVE)
    lower, upper = _Counts(source, rows, horizon, purchases).interval(level)
    return pd.DataFrame({**frame, "purchases_lower": lower, "purchases_upper": upper})


def _gamma_interval(mean: Array, variance: Array, level: float) -> tuple[Array, Array]:
    """Ends of the interval of a count with this mean and variance, by a Gamma distribution (skewed, as counts are)."""
    spread = np.divide(variance, mean, where=mean > 0, out=np.ones_like(mean))
    shape = np.maximum(mean / spread, np.finfo(float).tiny)
    lower, upper = (np.asarray(gammaincinv(shape, (1 + side * level) / 2) * spread, dtype=float) for side in (-1, 1))
    return lower, upper


@dataclass(frozen=True, slots=True)
class _Counts:
    """Distributions of future purchases of customers with given histories and expectations."""

    source: Uncertainty
    rows: Rows
    horizon: float
    expected: Estimate

    def interval(self, level: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lower and upper end for each history."""
        normal_quantile(level)
        lower, upper = (np.zeros(len(self.rows), dtype=np.int64) for _ in range(2))
        unsure = self.expected.std_error**2 > NOTICED * self.expected.values
        for rows, places in ((~unsure, [(1.0, 0.0)]), (unsure, PLACES)):
            among = np.flatnonzero(rows)
            lower[among], upper[among] = _quantiles(partial(self._probability, places), among, level)
        return lower, upper

    def _probability(
        self, places: list[tuple[float, float]], counts: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> Array:
        """Chance of each count for each of the rows, a mean over places; shape (counts, rows)."""
        some, total = self.rows.take(rows), np.zeros((len(counts), len(rows)))
        for share, place in places:
            model = self.source.row_model(some, self._step(place, rows) if place else None)
            total += share * model.purchase_probability(counts, self.horizon, *some.columns)
        return total

    def _step(self, place: float, rows: NDArray[np.int64]) -> Array:
        """The step of the free parameters, per row, that moves the expectation by ``place`` standard errors."""
        pull = self.expected.errors[rows] @ self.source.step_errors.T
        return np.clip(place * pull / self.expected.std_error[rows, None], -FURTHEST, FURTHEST)


def _quantiles(
    probability: Callable[[NDArray[np.int64], NDArray[np.int64]], Array], rows: NDArray[np.int64], level: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The interval that leaves out half of what it may at either end, or all of it at the upper one if it begins at 0.

    Counts are taken in blocks, and a row leaves as soon as its upper end is found, so that the few customers who buy by
    the hundred do not make the many wait.
    """
    low, high = (1 - level) / 2, (1 + level) / 2
    lower, upper, upper_from_0 = (np.zeros(len(rows), dtype=np.int64) for _ in range(3))
    active, below, first, size = np.arange(len(rows)), np.zeros(len(rows)), 0, 4
    while len(active):
        counts = np.arange(first, first + size)[:, None]
        step = max(BLOCK // size, 1)
        parts = [probability(counts, rows[active[i : i + step]]) for i in range(0, len(active), step)]
        cumulative = below[active] + np.cumsum(np.concatenate(parts, axis=1), axis=0)
        lower[active] += np.sum(cumulative < low, axis=0)
        upper[active] += np.sum(cumulative < high, axis=0)
        upper_from_0[active] += np.sum(cumulative < level, axis=0)
        below[active] = cumulative[-1]
        active = active[cumulative[-1] < high]
        first, size = first + size, size * 2
    return lower, np.where(lower > 0, upper, upper_from_0)


def require_purchases(model_class: type) -> None:
    """An error where the model is none of purchases."""
    name = getattr(model_class, "__name__", repr(model_class))
    if hasattr(model_class, "survival_function"):
        raise ValueError(
            f"{name} is a model of contracts: who will still be there tells "
            "forecast_retention(fit, logs.active_customers(spells, period=...), renewals=...), and what they are worth "
            "customer_value(fit, logs.active_customers(...), terms)"
        )
    if not hasattr(model_class, "expected_purchases"):
        raise ValueError(f"{name} expects no purchases; fit ParetoNBD or BGNBD, say")
