"""Models of contracts with covariates: whose chance to leave is larger, and which events made more of them leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc

from retention_models.estimation.design import Design
from retention_models.estimation.formula import columns_in, parsed
from retention_models.estimation.intervals import normal_quantile, probability_interval, standard_error
from retention_models.estimation.model import Model, parameter_names
from retention_models.fitted import Fit
from retention_models.fitting import fit
from retention_models.nested import LikelihoodRatio
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.covariates import Cells, climb
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.tables import read_covariates, read_table

Array = NDArray[np.float64]

STEP = 1e-5  # of differences in log-parameters and coefficients


@dataclass(frozen=True, slots=True)
class Covariates:
    """Which columns move the mean chance to leave, which the exposure of a renewal, and which tell paths apart.

    ``designs`` make those columns that come from a formula.
    """

    churn: tuple[str, ...]
    calendar: tuple[str, ...]
    path: tuple[str, ...]
    designs: tuple[Design, ...] = ()

    @classmethod
    def of(cls, table: Any, churn: Sequence[str], calendar: Sequence[str], path: Sequence[str]) -> Covariates:
        """The covariates that names of columns, or formulas, mean for a table."""
        designs = {
            formula: Design.of(formula, read_covariates(table, columns_in(parsed(formula)), formula))
            for formula in (churn, calendar)
            if isinstance(formula, str)
        }
        moved, timed = (designs[c].labels if isinstance(c, str) else tuple(c) for c in (churn, calendar))
        return cls(moved, timed, (*path, *moved), tuple(designs.values()))

    def made(self, table: Any) -> Any:
        """The table with the columns that the designs make of it."""
        if not self.designs:
            return table
        frame = read_covariates(table, list(nw.from_native(table, eager_only=True).columns))
        columns = [pd.DataFrame(d.matrix(frame), columns=list(d.labels), index=frame.index) for d in self.designs]
        others = frame[[name for name in frame if all(name not in made for made in columns)]]
        return pd.concat([others, *columns], axis=1)

    @property
    def labels(self) -> list[str]:
        """The names of the coefficients."""
        return [*(f"churn[{name}]" for name in self.churn), *(f"calendar[{name}]" for name in self.calendar)]


@dataclass(frozen=True, eq=False)
class CovariateFit:
    """A model of contracts whose chances to leave depend on covariates.

    Attributes
    ----------
    model
        The model of customers whose covariates are all 0.
    coefficients
        ``churn[...]`` adds to the logit of the mean chance to leave, ``calendar[...]`` to the logarithm of the exposure
        of a renewal.
    covariance
        Of the logarithms of the model's parameters and of the coefficients, labelled on both sides.
    log_likelihood
        Total log-likelihood.
    plain
        The fit of the model without covariates, to the same table.
    covariates
        Which columns they are.
    """

    model: Any
    coefficients: pd.Series
    covariance: pd.DataFrame
    log_likelihood: float
    plain: Fit
    covariates: Covariates

    @property
    def aic(self) -> float:
        """Akaike's criterion; smaller is better."""
        return -2 * self.log_likelihood + 2 * len(self.covariance)

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimate, standard error and interval of each parameter (made on the log scale) and coefficient."""
        value = np.exp(self._place[: -len(self.coefficients)])
        error, reach = np.sqrt(np.diag(self.covariance)), normal_quantile(level)
        parameters = len(value)
        estimate = np.append(value, self.coefficients)
        scale = np.append(value, np.ones(len(self.coefficients)))
        ends = [
            np.append(
                value * np.exp(s * reach * error[:parameters]), self.coefficients + s * reach * error[parameters:]
            )
            for s in (-1, 1)
        ]
        columns = {"estimate": estimate, "std_error": error * scale, "lower": ends[0], "upper": ends[1]}
        return pd.DataFrame(columns, index=self.covariance.index).rename_axis("parameter")

    def against_plain(self) -> LikelihoodRatio:
        """The likelihood-ratio test that no covariate makes a difference."""
        statistic, degrees = max(2 * (self.log_likelihood - self.plain.log_likelihood), 0.0), len(self.coefficients)
        p_value = float(chdtrc(degrees, statistic))
        verdict = "make a difference" if p_value < 0.05 else "are not seen to make a difference"
        test = f"chi-squared {statistic:.2f} on {degrees} degrees of freedom, p = {p_value:.2g}"
        return LikelihoodRatio(statistic, degrees, p_value, f"The covariates {verdict} ({test}).")

    def predict(self, cells: Any, level: float = 0.95) -> pd.DataFrame:
        """The chance to renew, and the share still there afterwards, in cells with given covariates.

        Parameters
        ----------
        cells
            A frame with ``tenure``, the covariates and the columns of the path: those of the data, or the same with a
            covariate changed. Each path needs its renewals from the first on.
        level
            Level of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row a cell, in the same order: ``retention_rate`` and ``survival`` with ``_lower, _upper`` (how sure the
            mean is).
        """
        grid, line = _cells(cells, self.covariates, ages=hasattr(self.model, "c"), counts=False)
        columns: dict[str, Array] = {}
        for name, logarithm in (("retention_rate", grid.log_retention), ("survival", grid.log_survival)):
            share = np.exp(logarithm(self._place))
            slope = share[:, None] * _jacobian(logarithm, self._place)
            lower, upper = probability_interval(share, standard_error(slope, self.covariance.to_numpy()), level)
            columns |= {name: share, f"{name}_lower": lower, f"{name}_upper": upper}
        return pd.DataFrame(columns).take(line).reset_index(drop=True)

    @property
    def _place(self) -> Array:
        values = [float(getattr(self.model, name)) for name in parameter_names(type(self.model))]
        return np.append(np.log(values), self.coefficients)


def fit_covariates(
    model_class: type[Model],
    retention_table: Any,
    *,
    churn: str | Sequence[str] = (),
    calendar: str | Sequence[str] = (),
    path: Sequence[str] = ("cohort",),
) -> CovariateFit:
    """A shifted-beta-geometric or beta-discrete-Weibull model with covariates, by maximum likelihood.

    Parameters
    ----------
    model_class
        ``ShiftedBetaGeometric`` or ``BetaDiscreteWeibull``.
    retention_table
        From ``retention_table(..., by=...)``, with the covariates.
    churn
        Covariates of the customers, the same at all their renewals: they move the mean chance to leave. A formula such
        as ``"plan + log(price)"``, in which text is taken for categories, or names of columns of numbers.
    calendar
        Covariates of the time at which a renewal falls due: they make it weigh more or less. The same.
    path
        Columns that tell apart the customers who met different calendars, besides those of ``churn``. With calendar
        covariates each path needs a row for every renewal from the first on (``at_risk`` 0 where nobody was observed).

    Raises
    ------
    ValueError
        When a column is missing, a covariate is everywhere the same, or a path lacks a renewal.
    ConvergenceError
        When the likelihood has no maximum.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.regression import fit_covariates
    >>> from retention_models.survival.sbg import ShiftedBetaGeometric
    >>> regular, high_end = [1000, 631, 468, 382, 326], [1000, 869, 743, 653, 593]
    >>> rows = [(e, t + 1, n[t], n[t] - n[t + 1]) for e, n in enumerate((regular, high_end)) for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["high_end", "tenure", "at_risk", "lost"])
    >>> found = fit_covariates(ShiftedBetaGeometric, table, churn=["high_end"], path=[])
    >>> found.table().round(3)
                     estimate  std_error  lower  upper
    parameter
    alpha               1.076      0.135  0.842  1.377
    beta                2.025      0.316  1.491  2.750
    churn[high_end]    -0.984      0.074 -1.129 -0.838
    """
    if not (churn or calendar):
        raise ValueError("name at least one covariate, in churn or in calendar; without any, use fit")
    if model_class not in (ShiftedBetaGeometric, BetaDiscreteWeibull):
        raise ValueError(f"{model_class.__name__} takes no covariates; ShiftedBetaGeometric and BetaDiscreteWeibull do")
    covariates = Covariates.of(retention_table, churn, calendar, path)
    plain = fit(model_class, retention_table)
    names = list(parameter_names(model_class))
    cells, _ = _cells(retention_table, covariates, ages="c" in names, counts=True)
    _check_vary(cells, covariates)
    start = np.append(np.log(np.clip(plain.parameters, 1e-2, 1e2)), np.zeros(len(covariates.labels)))
    place, covariance = climb(cells, start)
    labels = [*names, *covariates.labels]
    return CovariateFit(
        model=model_class(**dict(zip(names, np.exp(place[: len(names)]).tolist(), strict=True))),
        coefficients=pd.Series(place[len(names) :], index=covariates.labels, name="coefficient"),
        covariance=pd.DataFrame(covariance, index=labels, columns=labels),
        log_likelihood=cells.log_likelihood(place),
        plain=plain,
        covariates=covariates,
    )


def _cells(table: Any, covariates: Covariates, *, ages: bool, counts: bool) -> tuple[Cells, NDArray[np.int64]]:
    """The cells by path and tenure, renewals without a row filled in, and the cell of each line of the table."""
    table = covariates.made(table)
    numbers = ["tenure", *(["at_risk", "lost"] if counts else []), *covariates.churn, *covariates.calendar]
    read = read_table(table, numbers)
    frame = pd.DataFrame({name: column[read.row] for name, column in zip(numbers, read.columns, strict=True)})
    frame["_path"] = _paths(table, covariates.path, len(frame))
    for name in ("at_risk", "lost"):
        frame[name] = frame[name] * read.line_weight if counts else 0.0
    varying = [*covariates.churn, *covariates.calendar]
    grouped = frame.groupby(["_path", "tenure"], sort=True)
    _check_one_path(grouped[varying].nunique(), varying)
    cells = grouped[varying].first().join(grouped[["at_risk", "lost"]].sum())
    cells = _filled(cells, covariates)
    line = cells.index.get_indexer(pd.MultiIndex.from_frame(frame[["_path", "tenure"]])).astype(np.int64)
    grid = Cells(
        tenure=cells.index.get_level_values("tenure").to_numpy(dtype=float),
        at_risk=cells["at_risk"].to_numpy(),
        lost=cells["lost"].to_numpy(),
        path=cells.index.get_level_values("_path").to_numpy(),
        churn=cells[list(covariates.churn)].to_numpy(dtype=float),
        calendar=cells[list(covariates.calendar)].to_numpy(dtype=float),
        ages=ages,
    )
    return grid, line


def _paths(table: Any, names: Sequence[str], n: int) -> NDArray[np.int64]:
    """The number of each line's path."""
    if not names:
        return np.zeros(n, dtype=np.int64)
    rows = nw.from_native(table, eager_only=True)
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise ValueError(f"{', '.join(missing)} not in the table; path names the columns that tell calendars apart")
    labels = pd.DataFrame({str(i): rows[name].to_numpy() for i, name in enumerate(names)})
    return np.asarray(labels.groupby(list(labels.columns), sort=True, dropna=False).ngroup(), dtype=np.int64)


def _check_one_path(values: pd.DataFrame, varying: Sequence[str]) -> None:
    for name in varying:
        bad = values.index[values[name] > 1]
        if len(bad):
            raise ValueError(
                f"{name} has several values in the same path at tenure {bad[0][1]:g} ({len(bad):,} such cells); "
                "name in path the columns that tell these customers apart"
            )


def _filled(cells: pd.DataFrame, covariates: Covariates) -> pd.DataFrame:
    """The cells with those of every path from the first renewal on."""
    last = cells.reset_index().groupby("_path")["tenure"].max().astype(int)
    every = pd.MultiIndex.from_tuples(
        [(path, float(t)) for path, end in last.items() for t in range(1, end + 1)], names=["_path", "tenure"]
    )
    absent = [cell for cell in every if cell not in cells.index]
    if absent and covariates.calendar:
        raise ValueError(
            f"{len(absent):,} renewals before those of a path have no row (first: renewal {absent[0][1]:g}), and what "
            "the calendar was then is not known; add rows with at_risk 0 and lost 0"
        )
    cells = cells.reindex(every)
    counts = cells[["at_risk", "lost"]].fillna(0.0)
    return cells.groupby("_path").transform("bfill").assign(**counts)


def _check_vary(cells: Cells, covariates: Covariates) -> None:
    columns = np.hstack([cells.churn, cells.calendar])[cells.at_risk > 0]
    same = [
        name
        for name, column in zip((*covariates.churn, *covariates.calendar), columns.T, strict=True)
        if np.ptp(column) == 0
    ]
    if same:
        raise ValueError(f"{', '.join(same)} is the same in all cells with customers: it can explain nothing")


def _jacobian(function: Callable[[Array], Array], place: Array) -> Array:
    """Derivatives of a vector-valued function by central differences; shape (n, parameters)."""
    steps = STEP * np.eye(len(place))
    return np.stack([(function(place + step) - function(place - step)) / (2 * STEP) for step in steps], axis=-1)
