"""What came true in the holdout, beside what was expected: totals, groups, scores, and the whole distribution.

Every function wants a summary with a holdout: ``summarize(..., calibration_end=...)``. Customers who share a
history are evaluated once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.checks import Check
from retention_models.fitted import Fit
from retention_models.inputs import require_whole
from retention_models.prediction import BLOCK, predict_total, require_purchases
from retention_models.tables import Table, read_table, require_same_measure, same_measure

Array = NDArray[np.float64]

HOLDOUT = ("holdout_frequency", "holdout_duration")


def holdout_by_frequency(fits: Fit | Mapping[str, Fit], customers: Any, *, max_frequency: int = 7) -> pd.DataFrame:
    """Mean holdout purchases of customers with the same number of repeat purchases before: actual and expected.

    Parameters
    ----------
    fits
        A fit, or several by name.
    customers
        The summary that the models were fitted to, with its holdout.
    max_frequency
        Customers with this frequency or a higher one form the last group.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` (text, the last one with a plus): ``customers``, ``actual`` mean, and one column of
        expected means for each model. Frequencies that nobody has are left away.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import holdout_by_frequency
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    >>> holdout_by_frequency(fits, customers, max_frequency=3).round(3)
               customers  actual  Pareto/NBD  BG/NBD
    frequency
    0               1411   0.237       0.138   0.225
    1                439   0.697       0.599   0.523
    2                214   1.393       1.196   1.044
    3+               293   3.222       3.246   3.013
    """
    holdouts = Holdout.each(named(fits), customers)
    first = next(iter(holdouts.values()))
    means = {"actual": first.actual, **{name: holdout.expected() for name, holdout in holdouts.items()}}
    return _by_frequency(first, means, max_frequency)


def status_by_frequency(fits: Fit | Mapping[str, Fit], customers: Any, *, max_frequency: int = 7) -> pd.DataFrame:
    """Who came back in the holdout, and who was held to be a customer still, by repeat purchases before.

    Who came back was a customer still; who did not may be one all the same. A model whose probability is 1 for those
    who bought once cannot tell who has left.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` as in ``holdout_by_frequency``: ``customers``, the share that ``came_back``, and for
        each model the mean probability of being a customer at the end of the calibration.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import status_by_frequency
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    >>> status_by_frequency(fits, customers, max_frequency=2).round(3)
               customers  came_back  Pareto/NBD  BG/NBD
    frequency
    0               1411      0.137       0.338   1.000
    1                439      0.358       0.521   0.474
    2+               507      0.659       0.684   0.589
    """
    holdouts = Holdout.each(named(fits), customers)
    first = next(iter(holdouts.values()))
    alive = {name: holdout.probability_alive() for name, holdout in holdouts.items()}
    return _by_frequency(first, {"came_back": (first.actual > 0).astype(float), **alive}, max_frequency)


def _by_frequency(holdout: Holdout, values: Mapping[str, Array], max_frequency: int) -> pd.DataFrame:
    """Number of customers of each frequency, and means over them of values that each row has."""
    require_whole("max_frequency", max_frequency, 0)
    group = np.minimum(holdout.frequency, max_frequency).astype(int)
    size = np.bincount(group, holdout.weight)
    present = np.flatnonzero(size)
    means = {
        name: np.bincount(group, holdout.weight * value)[present] / size[present] for name, value in values.items()
    }
    labels = [f"{x}+" if x == max_frequency else f"{x}" for x in present]
    return pd.DataFrame({"customers": size[present].astype(int), **means}, index=pd.Index(labels, name="frequency"))


def holdout_scores(fits: Fit | Mapping[str, Fit], customers: Any, *, level: float = 0.95) -> pd.DataFrame:
    """How far each model was off in the holdout: customer by customer, and in total.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``model``. Customer by customer, smaller is better: ``mae`` and ``rmse`` of the expected count,
        ``log_score`` (mean of -log of the probability that the model gave to the count that came true; Gneiting &
        Raftery 2007). In total: ``actual``, ``expected``, the interval ``purchases_lower, purchases_upper``
        (parameters and chance, not model error), and ``error``, actual over expected less one.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import holdout_scores
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> holdout_scores(rm.fit(rm.ParetoNBD, customers), customers)[["mae", "actual", "expected"]].round(2)
                mae  actual  expected
    model
    ParetoNBD  0.75    1882   1665.51
    """
    rows = {name: _scores(fit, customers, level) for name, fit in named(fits).items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model").astype({"actual": int})


def calibration(fit: Fit, customers: Any, *, bins: int = 10) -> pd.DataFrame:
    """Histogram of where each holdout count lies in its own forecast distribution (non-randomised PIT).

    Flat, ``density`` 1 throughout, where the distributions are calibrated. Counts are discrete, so each customer is
    spread evenly between the distribution function just below the count and at it, and reports repeat
    (Czado, Gneiting & Held 2009, "Predictive model assessment for count data", Biometrics 65, 1254-1261).

    Returns
    -------
    pandas.DataFrame
        ``lower`` and ``upper`` end of each bin, the ``share`` of customers in it, and ``density``, share over width.
    """
    require_whole("bins", bins, 1)
    return Holdout.of(fit, customers).histogram(bins)


def holdout_check(fit: Fit, customers: Any, *, level: float = 0.95) -> Check:
    """Whether the total that came true lies inside the interval of its forecast, in a sentence for the report.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import holdout_check
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> print(holdout_check(rm.fit(rm.BGNBD, customers), customers))
    holdout total inside its interval: FAILED. 1,653 purchases were expected in the holdout (95 % interval 1,459 to
    1,859), 1,882 came true, 14 % more. The interval knows how uncertain the parameters are and what chance does, but
    not whether the model is right: parameter uncertainty is not model error.
    """
    score = _scores(fit, customers, level)
    held = score["purchases_lower"] <= score["actual"] <= score["purchases_upper"]
    numbers = (
        f"{score['expected']:,.0f} purchases were expected in the holdout ({100 * level:g} % interval "
        f"{score['purchases_lower']:,.0f} to {score['purchases_upper']:,.0f}), {score['actual']:,.0f} came true"
    )
    return Check(
        "holdout total inside its interval", bool(held), f"{numbers}{'.' if held else _missed(score['error'])}"
    )


def _missed(error: float) -> str:
    return (
        f", {abs(100 * error):.0f} % {'more' if error > 0 else 'fewer'}. The interval knows how uncertain the "
        "parameters are and what chance does, but not whether the model is right: parameter uncertainty is not "
        "model error."
    )


def named(fits: Fit | Mapping[str, Fit]) -> dict[str, Fit]:
    """Several fits of purchase models by name; a single one goes by the name of its model class."""
    by_name = {type(fits.model).__name__: fits} if isinstance(fits, Fit) else dict(fits)
    if not by_name:
        raise ValueError("there are no fits to judge; pass one, or several by name")
    for fit in by_name.values():
        require_purchases(type(fit.model))
    return by_name


def measured_by(fits: Mapping[str, Fit], what: str, given: Any, otherwise: str) -> Any:
    """The ``time_unit`` or ``granularity`` by which all of some fits were made; an error where ``given`` is another.

    Fits to tables from elsewhere do not know theirs: then it is the one given, or ``otherwise``.
    """
    known = [(f"{name} was fitted", fit.data[what]) for name, fit in fits.items() if what in fit.data]
    measures = [*known, *([("the log is to be read", given)] if given is not None else [])]
    for who, measure in measures[1:]:
        if not same_measure(what, measure, measures[0][1]):
            raise ValueError(
                f"{measures[0][0]} with {what} {measures[0][1]!r}, {who} with {measure!r}; judge by one {what}, "
                "that of the fits, which need not be given"
            )
    return measures[0][1] if measures else otherwise


@dataclass(frozen=True, slots=True)
class Holdout:
    """Distinct rows of history, holdout and covariates, and the fit to judge on them.

    ``columns`` are those of the model and last those of covariates, ``frequency`` among them; ``actual`` counts the
    purchases that came true within ``horizon``. All have shape (rows,), as has ``weight``, the customers sharing each.
    """

    fit: Fit
    table: Table
    columns: tuple[Array, ...]
    frequency: Array
    actual: Array
    horizon: Array

    @classmethod
    def of(cls, fit: Fit, customers: Any) -> Holdout:
        """The holdout in a summary; a ValueError where it has none."""
        return next(iter(cls.each(named(fit), customers).values()))

    @classmethod
    def each(cls, fits: Mapping[str, Fit], customers: Any) -> dict[str, Holdout]:
        """The holdout in a summary for each of several fits, over the same rows."""
        missing = [name for name in HOLDOUT if name not in customers.columns]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} not in the table, so it has no holdout; "
                "make one with summarize(..., calibration_end=...)"
            )
        names = list(dict.fromkeys(name for fit in fits.values() for name in fit.model.columns))
        made = {name: fit.effects.made_of(customers) for name, fit in fits.items()}
        table = read_table(customers, (*names, *HOLDOUT)).beside([z for columns in made.values() for z in columns])
        for fit in fits.values():
            require_same_measure(fit.data, table)
        by_name = dict(zip((*names, *HOLDOUT), table.columns, strict=False))
        wrong = table.weight[(by_name[HOLDOUT[0]] < 0) | (by_name[HOLDOUT[0]] % 1 != 0)].sum()
        if wrong:
            raise ValueError(f"holdout_frequency is no count for {wrong:,.0f} customers; it must be 0, 1, 2, ...")
        found, first = {}, len(by_name)
        for name, fit in fits.items():
            last = first + fit.effects.n
            columns = (*(by_name[column] for column in fit.model.columns), *table.columns[first:last])
            found[name] = cls(fit, table, columns, by_name["frequency"], *(by_name[column] for column in HOLDOUT))
            first = last
        return found

    @property
    def weight(self) -> Array:
        """How many customers share each row."""
        return self.table.weight

    def mean(self, values: Array) -> float:
        """Mean over customers of a value that each row has."""
        return float(self.weight @ values / self.weight.sum())

    def expected(self) -> Array:
        """Expected purchases within the horizon; shape (rows,)."""
        model, history = self.fit.of(self.columns)
        return model.expected_purchases(self.horizon, *history)

    def probability_alive(self) -> Array:
        """Chance to be a customer still at the end of the calibration; shape (rows,)."""
        model, history = self.fit.of(self.columns)
        return model.probability_alive(*history)

    def log_probability(self) -> Array:
        """Log of the probability of the count that came true; what underflows counts as the smallest float."""
        probability = self._probability(self.actual, np.arange(len(self.actual)))
        return np.log(np.maximum(probability, np.finfo(float).tiny))

    def _probability(self, count: Array | NDArray[np.int64], row: NDArray[np.int64]) -> Array:
        """Chance of a count for each of some rows."""
        model, history = self.fit.of(tuple(column[row] for column in self.columns))
        return model.purchase_probability(count, self.horizon[row], *history)

    def distribution(self) -> tuple[Array, Array]:
        """Probability of fewer purchases than came true, and of just as many; shape (rows,) each."""
        counts = self.actual.astype(int) + 1
        first = np.cumsum(counts) - counts
        row = np.repeat(np.arange(len(counts)), counts)
        count = np.arange(len(row)) - first[row]
        parts = [self._probability(n, i) for n, i in zip(_blocks(count), _blocks(row), strict=True)]
        probability = np.concatenate(parts)
        at = probability[first + counts - 1]
        return np.add.reduceat(probability, first) - at, at

    def histogram(self, bins: int = 10) -> pd.DataFrame:
        """The frame of ``calibration``."""
        below, at = self.distribution()
        edges = np.linspace(0, 1, bins + 1)
        reached = [self.mean(_uniform_cdf(edge, below, at)) for edge in edges]
        share = np.diff(reached)
        return pd.DataFrame({"lower": edges[:-1], "upper": edges[1:], "share": share, "density": share * bins})


def _blocks(values: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [values[i : i + BLOCK] for i in range(0, len(values), BLOCK)]


def _uniform_cdf(value: float, below: Array, width: Array) -> Array:
    """Distribution function at ``value`` of uniform distributions from ``below``, one of width 0 being a step."""
    inside = np.divide(value - below, width, where=width > 0, out=np.where(value >= below, 1.0, 0.0))
    return np.clip(inside, 0.0, 1.0)


def _scores(fit: Fit, customers: Any, level: float) -> dict[str, float]:
    holdout = Holdout.of(fit, customers)
    durations = np.unique(holdout.horizon)
    if len(durations) > 1:
        raise ValueError(f"holdout_duration has {len(durations)} values; take customers with one of them at a time")
    total = predict_total(fit, customers, float(durations[0]), level).iloc[0]
    actual = float(holdout.weight @ holdout.actual)
    off = holdout.expected() - holdout.actual
    return {
        "mae": holdout.mean(np.abs(off)),
        "rmse": math.sqrt(holdout.mean(off**2)),
        "log_score": -holdout.mean(holdout.log_probability()),
        "actual": actual,
        "expected": total["expected"],
        "purchases_lower": total["purchases_lower"],
        "purchases_upper": total["purchases_upper"],
        "error": actual / total["expected"] - 1,
    }
