"""From a fit and a table of customers to what is expected of each, and of all together, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaincinv

from retention_models.estimation.intervals import (
    normal_quantile,
    positive_interval,
    probability_interval,
    standard_error,
)
from retention_models.fitted import Fit
from retention_models.inputs import require_horizon
from retention_models.tables import require_same_measure

Array = NDArray[np.float64]

BLOCK = 200_000  # probabilities of counts at a time


def predict(fit: Fit, customers: Any, horizon: float, level: float | None = 0.95) -> pd.DataFrame:
    """What to expect of each customer over the coming ``horizon``.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        A pandas or Polars frame with the model's columns, as in ``fit``, and those of its covariates; one row a
        customer.
    horizon
        Length of the future window, in the time unit of the table; above 0.
    level
        Level of the intervals; ``None`` leaves them out.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``probability_alive`` and ``expected_purchases`` with ``_lower, _upper`` (how
        sure the mean is, given the uncertainty of the parameters), and ``purchases_lower, purchases_upper``: the
        interval of the count itself, whole numbers, at the estimated parameters.

    Notes
    -----
    Delta method, on the logit scale for the probability and the log scale for the expectation. Customers with the
    same history are predicted once.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> forecast = rm.predict(rm.fit(rm.ParetoNBD, customers), customers, horizon=39)
    >>> forecast.loc[[1], ["probability_alive", "expected_purchases", "purchases_upper"]].round(3)
                 probability_alive  expected_purchases  purchases_upper
    customer_id
    1                        0.869               1.455                6
    """
    require_horizon(horizon)
    _check_model(fit)
    table = fit.read(customers)
    require_same_measure(fit.data, table)
    return _predicted(fit, table.columns, horizon, level).take(table.row).set_axis(table.index)


def predict_total(fit: Fit, customers: Any, horizon: float, level: float = 0.95) -> pd.DataFrame:
    """What to expect of all customers together over the coming ``horizon``; a frame of one row.

    Parameters are those of ``predict``; a column ``weight`` counts customers.

    Returns
    -------
    pandas.DataFrame
        ``expected`` purchases with ``expected_lower, expected_upper`` (uncertainty of the parameters, shared by all
        customers and so not averaged away) and ``purchases_lower, purchases_upper``, which add the chance in the
        counts themselves. Neither knows whether the model is right: see the holdout.
    """
    require_horizon(horizon)
    _check_model(fit)
    table = fit.read(customers)
    require_same_measure(fit.data, table)
    columns, weight = table.columns, table.weight
    each = fit.values(lambda model, *columns: model.expected_purchases(horizon, *columns), columns)
    slope = weight @ fit.gradient(lambda model, *columns: model.expected_purchases(horizon, *columns), columns)
    chance = weight @ fit.values(lambda model, *columns: model.purchases_variance(horizon, *columns), columns)
    expected = np.array([weight @ each])
    error = standard_error(slope[None, :], fit.covariance.to_numpy())
    lower, upper = positive_interval(expected, error, level)
    count_lower, count_upper = _gamma_interval(expected, error**2 + chance, level)
    return pd.DataFrame(
        {
            "expected": expected,
            "expected_lower": lower,
            "expected_upper": upper,
            "purchases_lower": np.floor(count_lower).astype(int),
            "purchases_upper": np.ceil(count_upper).astype(int),
        }
    )


def _predicted(fit: Fit, columns: tuple[Array, ...], horizon: float, level: float | None) -> pd.DataFrame:
    """The rows of ``predict`` for distinct histories."""

    def alive(model: Any, *columns: Array) -> Array:
        return model.probability_alive(*columns)

    def expected(model: Any, *columns: Array) -> Array:
        return model.expected_purchases(horizon, *columns)

    frame: dict[str, Any] = {}
    for name, quantity, interval in (
        ("probability_alive", alive, probability_interval),
        ("expected_purchases", expected, positive_interval),
    ):
        frame[name] = fit.values(quantity, columns)
        if level is not None:
            error = standard_error(fit.gradient(quantity, columns), fit.covariance.to_numpy())
            frame[f"{name}_lower"], frame[f"{name}_upper"] = interval(frame[name], error, level)
    if level is not None:
        frame["purchases_lower"], frame["purchases_upper"] = _count_interval(fit, columns, horizon, level)
    return pd.DataFrame(frame)


def _gamma_interval(mean: Array, variance: Array, level: float) -> tuple[Array, Array]:
    """Ends of the interval of a count with this mean and variance, by a Gamma distribution (skewed, as counts are)."""
    spread = np.divide(variance, mean, where=mean > 0, out=np.ones_like(mean))
    shape = np.maximum(mean / spread, np.finfo(float).tiny)
    lower, upper = (np.asarray(gammaincinv(shape, (1 + side * level) / 2) * spread, dtype=float) for side in (-1, 1))
    return lower, upper


def _count_interval(
    fit: Fit, columns: tuple[Array, ...], horizon: float, level: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The smallest counts at which each history's distribution function reaches both tail probabilities.

    Counts are taken in blocks, and a history leaves as soon as its upper end is found, so that the few customers
    who buy by the hundred do not make the many wait.
    """
    normal_quantile(level)
    low, high = (1 - level) / 2, (1 + level) / 2
    n = len(columns[0])
    lower, upper = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    active, below, first, size = np.arange(n), np.zeros(n), 0, 4
    while len(active):
        counts = np.arange(first, first + size)[:, None]
        rows = max(BLOCK // size, 1)
        probability = np.concatenate(
            [
                _probability(fit, counts, horizon, tuple(c[active[i : i + rows]] for c in columns))
                for i in range(0, len(active), rows)
            ],
            axis=1,
        )
        cumulative = below[active] + np.cumsum(probability, axis=0)
        lower[active] += np.sum(cumulative < low, axis=0)
        upper[active] += np.sum(cumulative < high, axis=0)
        below[active] = cumulative[-1]
        active = active[cumulative[-1] < high]
        first, size = first + size, size * 2
    return lower, upper


def _probability(fit: Fit, counts: NDArray[np.int64], horizon: float, columns: tuple[Array, ...]) -> Array:
    """Chance of each count for each history; shape (counts, n)."""
    model, history = fit.of(columns)
    return model.purchase_probability(counts, horizon, *history)


def _check_model(fit: Fit) -> None:
    """An error where the model is none of purchases."""
    if hasattr(fit.model, "survival_function"):
        raise ValueError(
            f"{type(fit.model).__name__} is a model of contracts: who will still be there tells "
            "forecast_retention(fit, active_customers(spells, period=...), renewals=...), and what they are worth "
            "contract_value"
        )
    if not hasattr(fit.model, "expected_purchases"):
        raise ValueError(f"{type(fit.model).__name__} expects no purchases; fit ParetoNBD or BGNBD, say")
