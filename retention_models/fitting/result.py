"""The result of a fit: a model, the uncertainty of its parameters, and notes for the reader."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import MOST_POINTS, require_whole
from retention_models.core.arrays import Array, RNGLike
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, three_digits
from retention_models.estimation.intervals import draw_normal, normal_quantile, positive_interval
from retention_models.estimation.model import parameter_names
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.stored_fit import from_text, to_text


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Presentation):
    """A fitted model with the uncertainty of its parameters: what ``fit`` returns.

    Attributes
    ----------
    model
        The model at its maximum-likelihood parameters. With covariates: the model of a customer whose covariates are
        all 0.
    covariance
        Covariance of the free parameters and coefficients, labelled on both sides. Parameters held at a limit are not
        in it.
    log_likelihood
        Total log-likelihood, in the time unit of the data.
    n_customers
        Number of customers that the model was fitted to.
    notes
        Sentences that a reader must know; empty when there are none.
    data
        What the model was fitted to: customers, distinct rows, dates, time unit, sha256. A fit of contracts also keeps
        its retention table, as ``kept``.
    robust
        Whether the covariance is the robust one (sandwich, Huber-White).
    groups
        The fit of each group, by its label, if ``fit`` was called with ``by``; otherwise empty.
    checks
        Checks of the fit, among them whether the groups agree.
    covariate_terms
        The covariates: their designs and coefficients; empty without covariates.
    """

    model: Any
    covariance: pd.DataFrame
    log_likelihood: float
    n_customers: int
    notes: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    robust: bool = False
    groups: Mapping[str, Fit] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    covariate_terms: CovariateTerms = field(default_factory=CovariateTerms)

    @property
    def params(self) -> pd.Series:
        """Estimates of the parameters, then of the coefficients of covariates, by name; shape (p,)."""
        names = list(parameter_names(type(self.model)))
        own = pd.Series([float(getattr(self.model, name)) for name in names], index=names)
        return (
            pd.concat([own, self.covariate_terms.coefficients]).rename("estimate")
            if self.covariate_terms.n
            else own.rename("estimate")
        )

    @property
    def n_parameters(self) -> float:
        """Number of estimated parameters, including whole numbers such as k; of a pooled fit the effective number."""
        return self.data.get("effective_parameters", len(self.covariance) + len(self.model.fixed))

    @property
    def aic(self) -> float:
        """Akaike information criterion, -2 log L + 2 p with p estimated parameters; smaller is better."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """Bayesian (Schwarz) information criterion, -2 log L + p log n with n customers; smaller is better."""
        return -2 * self.log_likelihood + self.n_parameters * float(np.log(self.n_customers))

    @property
    def observation_end(self) -> dt.date | None:
        """Last day of the data that the model was fitted to; None if the table did not say it.

        For purchases it is ``calibration_end``, at which the ages T end.
        """
        day = self.data.get("calibration_end") or self.data.get("observation_end")
        return dt.date.fromisoformat(day[:10]) if day else None

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimates with standard errors and confidence intervals.

        Parameters
        ----------
        level
            Confidence level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``parameter``: ``estimate, std_error, lower, upper``. A parameter held at a limit has a standard
            error of 0, and ``held`` in a further column ``note``.

        Notes
        -----
        Wald intervals: on the log scale for parameters, on the original scale for coefficients.
        """
        estimate = self.params
        std_error = pd.Series(np.sqrt(np.diag(self.covariance)), index=self.covariance.index)
        table = pd.DataFrame({"estimate": estimate, "std_error": std_error.reindex(estimate.index, fill_value=0.0)})
        ends = positive_interval(table["estimate"].to_numpy(), table["std_error"].to_numpy(), level)
        reach, last = normal_quantile(level) * table["std_error"], slice(len(table) - self.covariate_terms.n, None)
        for name, end, side in (("lower", ends[0], -1), ("upper", ends[1], 1)):
            table[name] = np.append(end[: last.start], (table["estimate"] + side * reach)[last])
        held = ~is_free(self)
        if held.any():
            table["note"] = np.where(held, "held", "")
        return table.rename_axis("parameter")

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Confidence intervals of the parameters and coefficients.

        Parameters
        ----------
        level
            Confidence level, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``parameter``: ``lower, upper``, those of ``table(level)``.
        """
        return self.table(level)[["lower", "upper"]]

    def draw(self, n: int, rng: RNGLike = None, customers: Any = None) -> Any:
        """The model with random parameters from their estimated distribution.

        Parameters
        ----------
        n
            Number of draws.
        rng
            Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes.
        customers
            Frame of customers with the columns of the covariates, one row a customer. Needed with covariates, and
            unused without.

        Returns
        -------
        model
            A model whose parameters have shape (n, 1), so that its methods return shape (n, customers). Parameters
            that depend on covariates have shape (n, customers).

        Raises
        ------
        ValueError
            When the fit has covariates and ``customers`` is missing.

        Notes
        -----
        Draws are normal in the log-parameters and in the coefficients.
        """
        require_whole("n", n, 0, MOST_POINTS)
        scale = step_scale(self)
        covariance = self.covariance.to_numpy() / np.outer(scale, scale)
        steps = draw_normal(covariance, n, np.random.default_rng(rng))
        model, coefficients = stepped_parameters(self, steps[:, None])
        if not self.covariate_terms.n:
            return model
        if customers is None:
            raise ValueError(
                "this fit has covariates; pass the customers whose parameters are drawn: draw(n, rng, customers)"
            )
        return self.covariate_terms.apply_links(model, self.covariate_terms.blocks(customers), coefficients)

    @property
    def provenance(self) -> str:
        """The data that the model was fitted to, in one line."""
        about = self.data
        rows = "renewals" if "at_risk" in type(self.model).columns else "distinct histories"
        parts = [f"{self.n_customers:,} customers ({about['rows']:,} {rows})"]
        if about.get("first_date"):
            parts.append(f"first purchase {about['first_date'][:10]}")
        if about.get("calibration_end"):
            parts.append(f"observed to {about['calibration_end'][:10]}")
        if about.get("sampling"):
            parts.append(
                f"sampling {about['sampling']}, observed to {about['observation_end']}, period {about['period']}"
            )
        if about.get("time_unit"):
            parts.append(f"time unit {about['time_unit']}")
        return ", ".join([*parts, f"sha256 {about['sha256'][:12]}"])

    def to_json(self, path: str | Path | None = None) -> str:
        """The fit as JSON text, which holds plain numbers and no code.

        Parameters
        ----------
        path
            File to write the text to as well; by default none.

        Returns
        -------
        str
            The text that ``from_json`` reads.
        """
        return to_text(self, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Fit:
        """The fit that ``to_json`` wrote. Fits of all earlier versions can be read.

        Parameters
        ----------
        source
            JSON text, or the path of a file that holds it.

        Returns
        -------
        Fit
            The fit, with names of the present version in ``data``.

        Raises
        ------
        ValueError
            When the text is no stored fit, is damaged, or has a later format. The error names the version that
            wrote it.
        """
        return from_text(cls, source)

    def _headline(self) -> str:
        kind = "robust" if self.robust else "standard"
        return (
            f"{type(self.model).__name__} fitted to {self.n_customers:,} customers, "
            f"log-likelihood {three_digits(self.log_likelihood)}, AIC {three_digits(self.aic)}, {kind} errors"
        )

    def _parts(self) -> Sequence[Part]:
        said = [*(f"Note: {note}" for note in self.notes), *map(str, self.checks)]
        return [self._headline(), self.table(), *said]


def require_fit(fit: object) -> None:
    """A TypeError unless the argument is a fit."""
    if not isinstance(fit, Fit):
        what = fit.__name__ if isinstance(fit, type) else f"a {type(fit).__name__}"
        raise TypeError(f"a fit is needed, as fit(...) returns it; got {what}")


def is_free(fit: Fit) -> NDArray[np.bool_]:
    """Which estimates are free, not held at a limit; shape (p,)."""
    return fit.params.index.isin(fit.covariance.index)


def shows_leaving(fit: Fit) -> bool:
    """Whether the data of a purchase model contain a sign of customers leaving, so that P(alive) can be known.

    Parameters
    ----------
    fit
        A fitted purchase model.

    Returns
    -------
    bool
        False where drop-out ran to 0, and for a model in which nobody leaves (NBD): at such an edge nothing is known of
        who has left.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> [rm.fitting.shows_leaving(rm.fit(model, customers)) for model in (rm.ParetoNBD, rm.NBD)]
    [True, False]
    """
    edges = [limit for limit in type(fit.model).limits if limit.nobody_leaves]
    held = set(fit.params.index[~is_free(fit)])
    at_edge = [edge for edge in edges if edge.parameter in held and fit.params[edge.parameter] <= edge.value]
    return bool(edges) and not at_edge


def step_scale(fit: Fit) -> Array:
    """Change of each free estimate per unit of step; shape (free,).

    A step changes the logarithm of a parameter, or a coefficient itself.
    """
    is_coefficient = fit.params.index.isin(fit.covariate_terms.coefficients.index)
    return np.where(is_coefficient, 1.0, fit.params)[is_free(fit)]


def stepped_parameters(fit: Fit, step: Array) -> tuple[Any, Array]:
    """The model and the coefficients, shape (..., n), after a step of shape (..., free)."""
    every = np.zeros((*step.shape[:-1], len(fit.params)))
    every[..., is_free(fit)] = step
    names = parameter_names(type(fit.model))
    own = {name: getattr(fit.model, name) * np.exp(every[..., i]) for i, name in enumerate(names)}
    return replace(fit.model, **own), fit.covariate_terms.coefficients.to_numpy() + every[..., len(names) :]


def stepped(fit: Fit, step: Array) -> Fit:
    """The fit with other log-parameters and coefficients: the estimates plus ``step``, shape (free,)."""
    model, coefficients = stepped_parameters(fit, step)
    shifted = pd.Series(coefficients, index=fit.covariate_terms.coefficients.index)
    return replace(fit, model=model, covariate_terms=replace(fit.covariate_terms, coefficients=shifted))


def require_no_covariates(fit: Fit, whose: str, instead: str) -> None:
    """An error if the fit has covariates of customers, and their values are not known."""
    if fit.covariate_terms.is_of_customers:
        terms = ", ".join(fit.covariate_terms.terms)
        raise ValueError(f"the fit has covariates ({terms}), which {whose} does not say; {instead} takes them")
