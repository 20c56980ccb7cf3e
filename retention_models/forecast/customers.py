"""Expected purchases of each customer and of all together, with intervals, and who buys again by when."""

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

from retention_models.core.arguments import require_horizon, require_number
from retention_models.core.arrays import Array
from retention_models.estimation.estimates import POSITIVE, SHARE, Estimate, with_interval_columns
from retention_models.estimation.intervals import CHUNK, Ends, normal_quantile
from retention_models.fitting.models import CONTRACTS
from retention_models.fitting.result import Fit, shows_leaving
from retention_models.fitting.uncertainty import Fitted, Quantity, Uncertainty, uncertainty_of
from retention_models.forecast.contracts import predict_contracts
from retention_models.forecast.next_purchase import time_to_next_purchase
from retention_models.forecast.planning_range import (
    PastErrors,
    planning_columns,
    relative_variance,
    require_same_forecast,
)
from retention_models.tables.customer_table import CustomerTable, Rows, open_customers
from retention_models.tables.groups import Labels, read_codes
from retention_models.tables.observation_end import as_of_fit

BLOCK = 200_000  # probabilities of counts at a time
PLACES = [(1 / 6, -math.sqrt(3)), (2 / 3, 0.0), (1 / 6, math.sqrt(3))]  # weights and standard errors: Gauss-Hermite
NOTICED = (
    0.01  # of a Poisson variance: what the uncertainty of the parameters must add to a count's to be reckoned with
)
STEPS = 16  # over which a sum of smooth probabilities is taken
MANY = 250  # counts from which on an end of an interval is searched for
LARGEST = 9e18  # that fits into an integer
ENDLESS = 1e17  # counts that nobody makes
Probability = Callable[[Any, NDArray[np.int64]], Array]  # of each count for each row, shape (counts, rows)
FURTHEST = 50.0  # in log-parameters


def predict(
    fit: Fitted, customers: Any, horizon: float, level: float | None = 0.95, *, pause: float = 0.0
) -> pd.DataFrame:
    """P(alive), coming purchases and the time to the next one of each customer, with intervals.

    With contracts: the chance of each customer to leave, and the payments to come.

    Parameters
    ----------
    fit
        A fitted purchase model, or its ``bootstrap``; or a fitted model of contracts.
    customers
        A pandas or Polars frame with the columns of the model and of its covariates, as in ``fit``; one row per
        customer. With contracts: the frame of ``logs.active_contracts``.
    horizon
        Length of the forecast, in the time unit of the fit; above 0. With contracts: a whole number of renewals.
    level
        Level of the intervals, from 0 to 1. By default 0.95; None for no intervals.
    pause
        Share of customers classified as lost who only pause, from ``evaluation.fit_pause``: from 0, the default, to 1.
        It raises the chance of a purchase, and nothing else.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``. ``probability_alive`` and ``expected_purchases`` have confidence intervals
        ``<name>_lower, <name>_upper``, which cover parameter uncertainty. ``purchases_lower, purchases_upper`` is the
        prediction interval of the number of purchases. It covers chance as well.

        ``probability_no_purchase`` is the probability of no purchase within the horizon, with a confidence interval.
        ``time_to_next_purchase_p90`` is the time by which 90 % of customers with the same history have bought again.
        It counts from now, in the time unit of the fit, and has no interval. It is missing (nan) exactly where
        ``probability_no_purchase`` exceeds 0.10: there the time is longer than the horizon, or never comes. For a
        model of opportunities (BG/BB) it is a whole number of opportunities.

        ``attrs["observed"]`` says until when the customers count as observed.

        With contracts: ``probability_leaving``, the chance to leave at one of the next ``horizon`` renewals, and
        ``expected_payments``, the expected number of payments at these renewals, undiscounted. Both have confidence
        intervals.

    Raises
    ------
    ValueError
        When ``horizon`` is not above 0, the table has another time unit than the fit, or its last day is far from all
        others. With contracts: when ``horizon`` or a tenure is not a whole number, or ``pause`` is given.

    Notes
    -----
    Customers count as observed until the last day that was stated when their log was summarized. If no day was stated,
    it is the day of the last purchase, or the last day of the fit if that is later. A few inactive customers are
    therefore not observed for less time than all customers.

    Where the log contains no sign of customers leaving (drop-out ran to 0), nothing is known of who has left: the
    interval of ``probability_alive`` is then 0 to 1.

    With a pause s, a customer classified as lost, with P(alive) = A, comes back with probability s like one who is
    alive: P(purchase) = P(purchase | alive) (A + (1 - A) s).

    Confidence intervals use the delta method, on the logit scale for probabilities and on the log scale for the
    expectation. Customers with the same history are predicted once.

    ``probability_no_purchase`` is at least 1 - ``probability_alive``: customers who have left never return. The time
    is the smallest t at which P(no purchase within t) is at most 0.10, at the estimated parameters.

    With contracts, ``probability_leaving`` is 1 - S(t + h) / S(t) after t renewals, and ``expected_payments`` is the
    sum of S(t + j) / S(t) over j = 1 to h. The chance to leave does not say whom to treat: an offer may change nothing,
    or make some leave. Only an experiment tells.

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
    >>> forecast.loc[[1, 157], ["probability_no_purchase", "time_to_next_purchase_p90"]].round(3)
                 probability_no_purchase  time_to_next_purchase_p90
    customer_id
    1                              0.408                        NaN
    157                            0.023                       4.28

    With contracts, the chance to leave at one of the next two renewals:

    >>> import pandas as pd
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
    >>> contracts = rm.fit(rm.ShiftedBetaGeometric, kept)
    >>> today = pd.DataFrame({"customer_id": ["Ann", "Bob"], "tenure": [0, 4]})
    >>> rm.predict(contracts, today, horizon=2, level=None).round(3)
                 probability_leaving  expected_payments
    customer_id
    Ann                        0.528              1.101
    Bob                        0.221              1.653
    """
    require_horizon(horizon)
    require_number("pause", pause, 0, 1)
    if isinstance(uncertainty_of(fit).model, CONTRACTS):
        if pause:
            raise ValueError(f"pause is {pause:g}, but pause is for customers without a contract; leave it out")
        return predict_contracts(fit, customers, horizon, level)
    source, table = read_purchases(fit, customers)
    parts = [
        _predict_histories(source, table.rows.take(slice(i, i + CHUNK)), horizon, level, pause)
        for i in range(0, len(table.rows), CHUNK)
    ]
    forecast = pd.concat(parts, ignore_index=True).take(table.row).set_axis(table.index)
    forecast.attrs["observed"] = table.about["observed"]
    forecast.attrs |= {name: table.about[name] for name in ("time_unit", "period") if name in table.about}
    if last := table.about.get("calibration_end") or table.about.get("observation_end"):
        forecast.attrs["observed_until"] = str(last)[:10]
    return forecast


def predict_total(
    fit: Fitted,
    customers: Any,
    horizon: float,
    level: float = 0.95,
    *,
    by: Labels | None = None,
    past_errors: PastErrors | None = None,
) -> pd.DataFrame:
    """Expected purchases of all customers together, or of each segment, over the forecast horizon.

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
    by
        Segments, as in ``total_value``: the name of a column, or one label per customer. By default None: one row.
    past_errors
        Errors of earlier forecasts over the same horizon, from ``evaluation.past_errors``, for the planning range. By
        default None: no planning range.

    Returns
    -------
    pandas.DataFrame
        ``expected`` purchases with the confidence interval ``expected_lower, expected_upper`` (parameter uncertainty),
        and the prediction interval ``purchases_lower, purchases_upper`` (chance as well). With ``past_errors`` also
        ``planning``, the expected purchases with the season of last year, and its planning ranges at 80 and 95 %:
        ``planning_lower_80, planning_upper_80, planning_lower_95, planning_upper_95``. With ``by`` one row a segment,
        else one row.

    Raises
    ------
    TypeError
        When ``past_errors`` is not the result of ``evaluation.past_errors``.
    ValueError
        When the model is not one of purchases, ``horizon`` is not above 0, or the table has another time unit than the
        fit. When ``past_errors`` belong to another horizon or another last day.

    Notes
    -----
    All customers share the parameters, so parameter uncertainty does not average out. Only the planning range covers
    model error. It is

        expected x exp(b +- t sqrt(v + s2)),    s2 = (3 x 0.10^2 + n x + w x') / (3 + n + w),

    The letter t is the quantile of Student's t with 3 + n + w degrees of freedom. The variance v is that of parameters
    and chance over the expectation squared, and b is the season term. There are n independent earlier forecasts, and x
    is their mean squared log error beyond parameters and chance. If n is below 2, x' is that of a shorter horizon, with
    weight w. A model error of 10 % is stated, as if seen in three forecasts. Segments have their own v. Their s2 is at
    least that of the total, and their own where ``past_errors`` has their errors.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.predict_total(rm.fit(rm.BGNBD, customers), customers, horizon=39).round(0)
       expected  expected_lower  expected_upper  purchases_lower  purchases_upper
    0    1653.0          1514.0          1806.0             1459             1859
    """
    require_horizon(horizon)
    customers = open_customers(customers)
    source, table = read_purchases(fit, customers)
    if past_errors is not None:
        require_same_forecast(past_errors, horizon, {**source.data, **table.about})
    code, segments = read_codes(customers, by)
    total, chance = purchase_totals(source, table, horizon, code, len(segments))
    lower, upper = total.interval(level, POSITIVE)
    count_lower, count_upper = _total_interval(total.values, (lower, upper), total.std_error, chance, level)
    columns: dict[str, Any] = {
        "expected": total.values,
        "expected_lower": lower,
        "expected_upper": upper,
        "purchases_lower": np.floor(count_lower).astype(np.int64),
        "purchases_upper": np.ceil(np.minimum(count_upper, LARGEST)).astype(np.int64),
    }
    if past_errors is not None:
        variance = relative_variance(total.std_error**2 + chance, total.values)
        each = [errors.counts for errors in past_errors.of_labels(segments)]
        columns |= planning_columns(total.values, variance, each)
    forecast = pd.DataFrame(columns, None if by is None else segments.rename(segments.name or "segment"))
    forecast.attrs["observed"] = table.about["observed"]
    return forecast


def purchase_totals(
    source: Uncertainty, table: CustomerTable, horizon: float, code: NDArray[np.int64], n: int
) -> tuple[Estimate, Array]:
    """Expected purchases of n segments, and the variance by chance of each; ``code`` is the segment of each line."""
    size = np.zeros((len(table.rows), n))
    np.add.at(size, (table.row, code), table.line_weight)
    each = source.estimate(lambda model, *history: model.expected_purchases(horizon, *history), table.rows)
    chance = source.values(lambda model, *history: model.purchases_variance(horizon, *history), table.rows)
    return each.linear(lambda values: values @ size), chance @ size


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


def _predict_histories(
    source: Uncertainty, rows: Rows, horizon: float, level: float | None, pause: float
) -> pd.DataFrame:
    """The rows of ``predict`` for distinct histories."""

    def estimate(quantity: Quantity) -> Estimate:
        if level is None:
            return Estimate(source.values(quantity, rows), np.zeros((len(rows), 0)))
        return source.estimate(quantity, rows)

    alive = estimate(lambda model, *history: model.probability_alive(*history))
    purchases = estimate(lambda model, *history: model.expected_purchases(horizon, *history))
    no_purchase = estimate(partial(probability_no_purchase, horizon, pause))
    counts = None if level is None else _Counts(source, rows, horizon, purchases).interval(level)
    return pd.DataFrame(
        {
            **alive_columns("probability_alive", alive, level, source.fit),
            **with_interval_columns("expected_purchases", purchases, level, POSITIVE),
            **dict(zip(("purchases_lower", "purchases_upper"), counts or (), strict=False)),
            **with_interval_columns("probability_no_purchase", no_purchase, level, SHARE),
            "time_to_next_purchase_p90": time_to_next_purchase(source, rows, horizon, no_purchase.values, pause),
        }
    )


def probability_no_purchase(horizon: Any, pause: float, model: Any, *history: Array) -> Array:
    """Chance of no purchase within the horizon, where a share ``pause`` of those held for lost only pauses."""
    none = model.purchase_probability(0, horizon, *history)
    if pause == 0:
        return none
    alive = model.probability_alive(*history)
    return 1 - (1 - none) * (1 + (1 - alive) * pause / alive)


def alive_columns(name: str, alive: Estimate, level: float | None, fit: Fit) -> dict[str, Array]:
    """P(alive) with its interval: of 0 to 1 where the log contains no sign of customers leaving."""
    columns = with_interval_columns(name, alive, level, SHARE)
    if level is None or shows_leaving(fit):
        return columns
    return columns | {f"{name}_lower": np.zeros_like(alive.values), f"{name}_upper": np.ones_like(alive.values)}


def _gamma_interval(mean: Array, variance: Array, level: float) -> tuple[Array, Array]:
    """Ends of the interval of a count with this mean and variance, by a Gamma distribution (skewed, as counts are)."""
    spread = np.divide(variance, mean, where=mean > 0, out=np.ones_like(mean))
    shape = np.maximum(mean / spread, np.finfo(float).tiny)
    lower, upper = (np.asarray(gammaincinv(shape, (1 + side * level) / 2) * spread, dtype=float) for side in (-1, 1))
    return lower, upper


def _total_interval(mean: Array, ends: Ends, std_error: Array, variance: Array, level: float) -> Ends:
    """Ends of the interval of a number with an uncertain mean, whose confidence interval has ``ends``, and by chance.

    By a Gamma distribution. If the mean is so uncertain that this would not even hold its confidence interval, that
    interval is widened by chance instead: the lower side on the log scale, so that it stays above 0.
    """
    found = _gamma_interval(mean, std_error**2 + variance, level)
    if np.all((found[0] <= ends[0]) & (ends[1] <= found[1])):
        return found
    chance = normal_quantile(level) * np.sqrt(variance)
    lower = mean * np.exp(-np.hypot(np.log(mean / np.maximum(ends[0], np.finfo(float).tiny)), chance / mean))
    return lower, mean + np.hypot(ends[1] - mean, chance)


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
            lower[among], upper[among] = _quantiles(partial(self._probability, places), self._bell, among, level)
        return lower, upper

    def _bell(self, counts: Array, rows: NDArray[np.int64]) -> Array:
        """The least standard deviation of the number of purchases of someone who stays, if about ``counts`` come."""
        then = self.source.row_model(some := self.rows.take(rows)).conditional_on_alive(*some.columns)
        return np.asarray(counts * np.sqrt(1 / (getattr(then, "k", 1) * counts) + 1 / then.r))

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
    probability: Probability, bell: Callable[[Array, NDArray[np.int64]], Array], rows: NDArray[np.int64], level: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The interval that leaves out half of what it may at either end, or all of it at the upper one if it begins at 0.

    Counts are taken in blocks, and a row leaves as soon as its upper end is found, so that the few customers who buy by
    the hundred do not make the many wait. Ends beyond ``MANY`` counts are searched for.
    """
    low, high = (1 - level) / 2, (1 + level) / 2
    lower, upper, upper_from_0 = (np.zeros(len(rows), dtype=np.int64) for _ in range(3))
    active, below, first, size = np.arange(len(rows)), np.zeros(len(rows)), 0, 4
    while len(active) and first < MANY:
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
    for share, end in ((low, lower), (high, upper), (level, upper_from_0)):
        later = active[below[active] < share]
        end[later] = _search_quantile(probability, bell, rows[later], first, below[later], share)
    return lower, np.where(lower > 0, upper, upper_from_0)


def _search_quantile(
    probability: Probability,
    bell: Callable[[Array, NDArray[np.int64]], Array],
    rows: NDArray[np.int64],
    first: int,
    below: Array,
    share: float,
) -> NDArray[np.int64]:
    """The first count up to which the probability is ``share``, from ``first`` on, ``below`` which it is less.

    Blocks of counts, over which probabilities change no faster than one bell, grow until they pass it, and then halve.
    """
    start, below, size = np.full(len(rows), float(first)), below.copy(), np.full(len(rows), float(STEPS))
    growing, active = np.ones(len(rows), dtype=bool), np.arange(len(rows))
    while len(active):
        counts = start[active] + np.arange(STEPS + 1)[:, None] * (size[active] / STEPS)
        mass = np.sum(_sum_weights(size[active]) * probability(counts, rows[active]), axis=0)
        passed = (below[active] + mass >= share) | (start[active] > ENDLESS)
        growing[active] &= ~passed
        onwards = active[~passed]
        start[onwards], below[onwards] = start[onwards] + size[onwards], below[onwards] + mass[~passed]
        active = active[growing[active] | (size[active] > STEPS)]
        widest = np.minimum(start[active], 4 * bell(start[active], rows[active]))
        grown = np.exp2(np.floor(np.log2(np.maximum(widest, STEPS))))
        size[active] = np.where(growing[active], grown, size[active] / 2)
    cumulative = below + np.cumsum(probability(start + np.arange(STEPS)[:, None], rows), axis=0)
    return (start + np.sum(cumulative < share, axis=0)).astype(np.int64)


def _sum_weights(size: Array) -> Array:
    """Weights of every ``size / STEPS``-th term in a sum over 0, ..., size - 1 by Simpson's rule; (STEPS + 1, n)."""
    weight = np.tile(np.where(np.arange(STEPS + 1) % 2, 4.0, 2.0)[:, None], (1, len(size))) * size / STEPS / 3
    weight[[0, -1]] = size / STEPS / 3 + np.array([[0.5], [-0.5]])  # Euler and Maclaurin: the last term is left out
    return weight


def require_purchases(model_class: type) -> None:
    """An error where the model is none of purchases."""
    name = getattr(model_class, "__name__", repr(model_class))
    if hasattr(model_class, "survival_function"):
        raise ValueError(
            f"{name} is a model of contracts: use forecast_retention(fit, logs.active_customers(spells, "
            "period=...), renewals=...) for who remains, predict(fit, logs.active_contracts(...), horizon), and "
            "what they are worth "
            "customer_value(fit, logs.active_customers(...), terms)"
        )
    if not hasattr(model_class, "expected_purchases"):
        raise ValueError(f"{name} does not predict purchases; fit ParetoNBD or BGNBD, for example")
