"""Contract models with covariates: of the customers, and of the calendar time at which a renewal is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc, log_expit

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, p_statement, three_digits
from retention_models.estimation.intervals import normal_quantile, probability_interval, standard_error
from retention_models.estimation.model import Model, parameter_names
from retention_models.fitting.contract_cells import Covariates, cells_of, check_vary
from retention_models.fitting.estimate import fit
from retention_models.fitting.model_tests import LikelihoodRatio
from retention_models.fitting.notes import VAGUE_CONTRACT, vague_sentence
from retention_models.fitting.result import Fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.covariates import maximise
from retention_models.survival.sbg import ShiftedBetaGeometric

STEP = 1e-5  # of differences in log-parameters and coefficients


@dataclass(frozen=True, eq=False, repr=False)
class CovariateFit(Presentation):
    """A contract model with covariates: what ``fit_covariates`` returns.

    Attributes
    ----------
    model
        The model of customers whose covariates are all 0.
    coefficients
        ``churn[...]`` adds to the logit of the mean churn probability. ``calendar[...]`` adds to the logarithm of the
        exposure of a renewal.
    covariance
        Covariance of the log-parameters of the model and of the coefficients, labelled on both sides.
    log_likelihood
        Total log-likelihood.
    plain
        The fit of the model without covariates, to the same table.
    covariates
        Names of the covariates, and the formulas that they come from.
    notes
        Sentences that a reader must know; empty when there are none.
    """

    model: Any
    coefficients: pd.Series
    covariance: pd.DataFrame
    log_likelihood: float
    plain: Fit
    covariates: Covariates
    notes: tuple[str, ...] = ()

    @property
    def aic(self) -> float:
        """Akaike information criterion; smaller is better."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def n_parameters(self) -> int:
        """Number of free parameters and coefficients."""
        return int(np.count_nonzero(np.diag(self.covariance)))

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimates with standard errors and confidence intervals.

        Parameters
        ----------
        level
            Confidence level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``parameter``: ``estimate, std_error, lower, upper``. Intervals use the log scale for parameters
            and the original scale for coefficients.
        """
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
        """The likelihood-ratio test of the model without covariates.

        Returns
        -------
        LikelihoodRatio
            A small p-value means that the covariates make a difference.
        """
        statistic, degrees = max(2 * (self.log_likelihood - self.plain.log_likelihood), 0.0), len(self.coefficients)
        p_value = float(chdtrc(degrees, statistic))
        verdict = "make a difference" if p_value < 0.05 else "are not seen to make a difference"
        test = (
            f"chi-squared {three_digits(statistic, decimals=2)} on {degrees} degrees of freedom, {p_statement(p_value)}"
        )
        return LikelihoodRatio(statistic, degrees, p_value, f"The covariates {verdict} ({test}).")

    def predict(self, cells: Any, level: float = 0.95) -> pd.DataFrame:
        """Retention rate and survival for cells with given covariates.

        Parameters
        ----------
        cells
            A frame with ``tenure``, the covariates and the columns of ``path``: the data, or the data with other
            covariates. Each path needs all its renewals from the first one on.
        level
            Confidence level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            One row a cell, in the same order: ``retention_rate`` and ``survival`` with ``_lower, _upper``. The
            intervals are those of the mean.

        Raises
        ------
        ValueError
            When a column is missing, or a path lacks a renewal.
        """
        grid, line = cells_of(cells, self.covariates, ages=hasattr(self.model, "c"), counts=False)
        columns: dict[str, Array] = {}
        for name, logarithm in (("retention_rate", grid.log_retention), ("survival", grid.log_survival)):
            share = np.exp(logarithm(self._place))
            slope = share[:, None] * _jacobian(logarithm, self._place)
            lower, upper = probability_interval(share, standard_error(slope, self.covariance.to_numpy()), level)
            columns |= {name: share, f"{name}_lower": lower, f"{name}_upper": upper}
        return pd.DataFrame(columns).take(line).reset_index(drop=True)

    def at(self, churn: Mapping[str, Any] | None = None) -> Fit:
        """The fit for customers with given covariates, as forecasts and values take it.

        Parameters
        ----------
        churn
            A value for each covariate of the customers, as in the table: ``{"plan": "premium"}``. By default none, for
            a fit without covariates of the customers. Covariates of the calendar are 0, at all renewals.

        Returns
        -------
        Fit
            A fit with the parameters and the covariance for these customers.

        Raises
        ------
        TypeError
            When ``churn`` is not a mapping.
        ValueError
            When a covariate is missing, or is not one of the fit.

        Examples
        --------
        >>> import pandas as pd
        >>> import retention_models as rm
        >>> kept = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
        >>> rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in kept.items() for t in range(4)]
        >>> table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
        >>> found = rm.fitting.fit_covariates(rm.ShiftedBetaGeometric, table, churn="plan", path=[])
        >>> terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
        >>> rm.customer_value(found.at({"plan": "high end"}), pd.DataFrame({"tenure": [0, 4]}), terms).round(2)
           value  value_lower  value_upper  naive_value
        0   5.48         5.12         5.87          3.1
        1   7.30         6.83         7.79          3.1
        """
        if not isinstance(churn, Mapping | None):
            raise TypeError(f'churn must be a value for each covariate, such as {{"plan": "premium"}}; got {churn!r}')
        x = self.covariates.values_of_customer(dict(churn or {}))
        names, first = list(parameter_names(type(self.model))), len(parameter_names(type(self.model)))

        def logarithms(place: Array) -> Array:
            both = np.logaddexp(place[0], place[1])
            index = place[0] - place[1] + x @ place[first : first + len(x)]
            return np.array([both + log_expit(index), both + log_expit(-index), *place[2:first]])

        value = np.exp(logarithms(self._place))
        slope = value[:, None] * _jacobian(logarithms, self._place)
        covariance = pd.DataFrame(slope @ self.covariance.to_numpy() @ slope.T, index=names, columns=names)
        about = {name: fact for name, fact in self.plain.data.items() if name != "kept"}
        return replace(
            self.plain,
            model=type(self.model)(**dict(zip(names, value.tolist(), strict=True))),
            covariance=covariance,
            log_likelihood=self.log_likelihood,
            notes=self.notes,
            data=about | {"n_parameters": self.n_parameters},
        )

    def _parts(self) -> Sequence[Part]:
        headline = (
            f"{type(self.model).__name__} with covariates, fitted to {self.plain.n_customers:,} customers, "
            f"log-likelihood {three_digits(self.log_likelihood)}, AIC {three_digits(self.aic)}"
        )
        return [headline, self.table(), *(f"Note: {note}" for note in self.notes)]

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
        From ``retention_table(..., by=...)``, with the covariates as columns.
    churn
        Covariates of the customers, which are the same at all renewals. They change the mean churn probability. A
        formula such as ``"plan + log(price)"``, in which text columns are categories, or names of columns of numbers.
    calendar
        Covariates of the time at which a renewal is due. They change how much a renewal counts. A formula or names, as
        ``churn``. At least one of the two is needed.
    path
        Columns that, with those of ``churn``, identify customers who met the same calendar. With calendar covariates
        each path needs a row for every renewal from the first one on (``at_risk`` 0 if nobody was observed).

    Returns
    -------
    CovariateFit
        Estimates, their covariance, and the fit without covariates.

    Raises
    ------
    ValueError
        When a column is missing, a covariate is the same in all rows, or a path lacks a renewal.
    ConvergenceError
        When the likelihood has no maximum.

    Notes
    -----
    ----- S(t) = B(a, b + C(t)) / B(a, b), where C(t) adds up [u^c - (u - 1)^c] exp(z_u' gamma) over the renewals u up
    to t. After Fader & Hardie (2020), "Incorporating Time-Varying Covariates in a Simple Mixture Model for
    Discrete-Time Duration Data", with a beta instead of a gamma mixture.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> regular, high_end = [1000, 631, 468, 382, 326], [1000, 869, 743, 653, 593]
    >>> rows = [(e, t + 1, n[t], n[t] - n[t + 1]) for e, n in enumerate((regular, high_end)) for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["high_end", "tenure", "at_risk", "lost"])
    >>> found = rm.fitting.fit_covariates(rm.ShiftedBetaGeometric, table, churn=["high_end"], path=[])
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
    covariates = Covariates.from_table(retention_table, churn, calendar, path)
    plain = fit(model_class, retention_table)
    names = list(parameter_names(model_class))
    cells, _ = cells_of(retention_table, covariates, ages="c" in names, counts=True)
    check_vary(cells, covariates)
    start = np.append(np.log(np.clip(plain.params, 1e-2, 1e2)), np.zeros(len(covariates.labels)))
    place, covariance, differ = maximise(cells, start)
    labels = [*names, *covariates.labels]
    return CovariateFit(
        model=model_class(**dict(zip(names, np.exp(place[: len(names)]).tolist(), strict=True))),
        coefficients=pd.Series(place[len(names) :], index=covariates.labels, name="coefficient"),
        covariance=pd.DataFrame(covariance, index=labels, columns=labels),
        log_likelihood=cells.log_likelihood(place),
        plain=plain,
        covariates=covariates,
        notes=_notes(names, covariance, differ),
    )


def _notes(names: Sequence[str], covariance: Array, differ: bool) -> tuple[str, ...]:
    """What a reader must know: that customers with the same covariates are alike, or that it is hardly known."""
    if not differ:
        return ("alpha and beta ran to infinity: customers with the same covariates have the same chance to leave.",)
    errors = zip(names, np.sqrt(np.diag(covariance)), strict=False)
    return tuple(vague_sentence(name, float(error)) for name, error in errors if error > VAGUE_CONTRACT)


def _jacobian(function: Callable[[Array], Array], place: Array) -> Array:
    """Derivatives of a vector-valued function by central differences; shape (n, parameters)."""
    steps = STEP * np.eye(len(place))
    return np.stack([(function(place + step) - function(place - step)) / (2 * STEP) for step in steps], axis=-1)
