"""What a fit has found: a model, how sure it is of its parameters, and what a reader must know of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, three_digits
from retention_models.core.version import __version__
from retention_models.estimation.intervals import (
    draw_normal,
    in_chunks,
    log_slopes,
    normal_quantile,
    positive_interval,
)
from retention_models.estimation.model import parameter_names
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.models import MODELS
from retention_models.tables.customer_table import Table, read_table, require_opportunities

FORMAT = 1  # of stored fits; raised when a version writes what earlier ones cannot read; a file of 0.1.0 may not say it
NO_FIT = "this is no fit written by to_json"


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Presentation):
    """A fitted model and how sure it is.

    Attributes
    ----------
    model
        The model at its maximum-likelihood parameters; with covariates that of a customer whose are all 0.
    covariance
        Covariance of the estimated parameters, labelled on both sides. Parameters held at an edge are not in it.
    log_likelihood
        Total log-likelihood, in the time unit of the data.
    n_customers
        Number of customers fitted to.
    notes
        Sentences on what a reader must know; empty when nothing needs saying.
    data
        What it was fitted to: customers, distinct rows, dates, time unit, sha256; of a retention table, which is
        small, also the table itself, as ``kept``.
    robust
        Whether the covariance is the robust one (sandwich).
    groups
        The fit of each group, by its label, where ``fit`` was asked ``by``; otherwise empty.
    checks
        What was checked, among it whether the groups agree.
    effects
        The covariates: their designs and coefficients; empty where ``fit`` was given none.
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
    def parameters(self) -> pd.Series:
        """The estimates, labelled, those of coefficients last; shape (p,)."""
        names = list(parameter_names(type(self.model)))
        own = pd.Series([float(getattr(self.model, name)) for name in names], index=names)
        return (
            pd.concat([own, self.covariate_terms.coefficients]).rename("estimate")
            if self.covariate_terms.n
            else own.rename("estimate")
        )

    @property
    def _is_free(self) -> NDArray[np.bool_]:
        """Which of the estimates are free."""
        return self.parameters.index.isin(self.covariance.index)

    @property
    def step_scale(self) -> Array:
        """What turns steps of what is free into changes of it; steps are those of logarithms, but for coefficients."""
        is_coefficient = self.parameters.index.isin(self.covariate_terms.coefficients.index)
        return np.where(is_coefficient, 1.0, self.parameters)[self._is_free]

    @property
    def n_parameters(self) -> int:
        """Number of free parameters, those among them that were chosen over whole numbers.

        A fit of customers with given covariates (``CovariateFit.at``) counts those of the whole fit it comes from.
        """
        return int(self.data.get("n_parameters", len(self.covariance) + len(self.model.fixed)))

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 log L + 2 p, p counting the free parameters; smaller is better."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """Bayesian (Schwarz) criterion, -2 log L + p log n; smaller is better."""
        return -2 * self.log_likelihood + self.n_parameters * float(np.log(self.n_customers))

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimate, standard error and interval of each parameter (made on the log scale) and coefficient.

        A parameter held at an edge has a standard error of 0 and its row says ``held`` in a column ``note``.
        """
        estimate = self.parameters
        std_error = pd.Series(np.sqrt(np.diag(self.covariance)), index=self.covariance.index)
        table = pd.DataFrame({"estimate": estimate, "std_error": std_error.reindex(estimate.index, fill_value=0.0)})
        ends = positive_interval(table["estimate"].to_numpy(), table["std_error"].to_numpy(), level)
        reach, last = normal_quantile(level) * table["std_error"], slice(len(table) - self.covariate_terms.n, None)
        for name, end, side in (("lower", ends[0], -1), ("upper", ends[1], 1)):
            table[name] = np.append(end[: last.start], (table["estimate"] + side * reach)[last])
        held = ~table.index.isin(self.covariance.index)
        if held.any():
            table["note"] = np.where(held, "held", "")
        return table.rename_axis("parameter")

    def draw(self, n: int, rng: np.random.Generator, customers: Any = None) -> Any:
        """The model with n draws of its parameters, each of shape (n, 1), ready to broadcast over customers.

        With covariates it takes the ``customers``, and the parameters that these move have shape (n, customers).
        """
        scale = np.outer(self.step_scale, self.step_scale)
        model, coefficients = self._stepped(draw_normal(self.covariance.to_numpy() / scale, n, rng)[:, None])
        if not self.covariate_terms.n:
            return model
        if customers is None:
            raise ValueError("this fit has covariates; say whose parameters to draw: draw(n, rng, customers)")
        return self.covariate_terms.apply_links(model, self.covariate_terms.design_columns(customers), coefficients)

    def read(self, customers: Any, more: Sequence[str] = ()) -> Table:
        """A table of customers as this fit needs it: columns of the model, ``more``, and last those of covariates.

        A ValueError says which column is missing or breaks a rule.
        """
        table = read_table(customers, (*self.model.columns, *more))
        require_opportunities(type(self.model), table)
        return table.beside(self.covariate_terms.design_columns(customers)) if self.covariate_terms.n else table

    def customer_models(self, columns: tuple[Array, ...], step: Array | None = None) -> tuple[Any, tuple[Array, ...]]:
        """The model of the customers in some rows of ``read``, and the columns less those of covariates.

        With covariates each customer has parameters of its own. ``step``, of shape (rows, free), moves what is free for
        each row: the logarithms of parameters, and coefficients.
        """
        last = len(columns) - self.covariate_terms.n
        model, coefficients = (self.model, None) if step is None else self._stepped(step)
        return self.covariate_terms.apply_links(model, columns[last:], coefficients), columns[:last]

    @property
    def step_errors(self) -> Array:
        """The standard errors of steps; shape (free,)."""
        return np.sqrt(np.diag(self.covariance)) / self.step_scale

    def stepped(self, step: Array) -> Fit:
        """The fit with what is free a step away, of shape (free,)."""
        model, coefficients = self._stepped(step)
        moved = pd.Series(coefficients, index=self.covariate_terms.coefficients.index)
        return replace(self, model=model, covariate_terms=replace(self.covariate_terms, coefficients=moved))

    def _stepped(self, step: Array) -> tuple[Any, Array]:
        """The model and the coefficients, shape (..., n), some steps away; ``step`` has shape (..., free)."""
        every = np.zeros((*step.shape[:-1], len(self.parameters)))
        every[..., self._is_free] = step
        names = parameter_names(type(self.model))
        own = {name: getattr(self.model, name) * np.exp(every[..., i]) for i, name in enumerate(names)}
        return replace(self.model, **own), self.covariate_terms.coefficients.to_numpy() + every[..., len(names) :]

    def values(self, quantity: Callable[..., Array], columns: tuple[Array, ...]) -> Array:
        """``quantity(model, *columns)`` of each row, the columns those of ``read``; shape (n,)."""

        def of_rows(*rows: Array) -> Array:
            model, plain = self.customer_models(rows)
            return quantity(model, *plain)

        return in_chunks(of_rows, columns)

    def gradient(self, quantity: Callable[..., Array], columns: tuple[Array, ...]) -> Array:
        """Derivatives of ``values(quantity, columns)`` in what is free; shape (n, free)."""
        free = list(self.covariance.index)
        names = list(parameter_names(type(self.model)))
        last = len(columns) - self.covariate_terms.n

        def of_rows(*rows: Array) -> Array:
            model, plain = self.customer_models(rows)
            if not self.covariate_terms.n:
                return log_slopes(lambda model: quantity(model, *plain), model, free)
            slopes = log_slopes(lambda model: quantity(model, *plain), model, names)
            return self.covariate_terms.slopes(self.model, rows[last:], slopes, names)[:, self._is_free]

        return in_chunks(of_rows, columns) / self.step_scale

    @property
    def provenance(self) -> str:
        """One line that says which data this was fitted to."""
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
        """The fit as JSON text, also written to ``path`` where one is given; plain numbers, no code."""
        stored = {"retention_models": __version__, "format": FORMAT, **self._plain()}
        text = json.dumps(stored, indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> Fit:
        """The fit that ``to_json`` wrote: JSON text, or the path of a file that holds it.

        Fits of all earlier versions are read. A ValueError names the version that wrote what cannot be read.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        stored = _stored(str(source) if is_text else Path(source).read_text(encoding="utf-8"))
        try:
            return cls._from_plain(stored)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{NO_FIT}, or it is damaged ({_writer(stored)}; {_problem(error)})") from None

    def _plain(self) -> dict[str, Any]:
        """The fit in values that JSON knows."""
        names = [*parameter_names(type(self.model)), *self.model.fixed]
        return {
            "model": {"class": type(self.model).__name__, "parameters": {n: getattr(self.model, n) for n in names}},
            "covariance": {"parameters": list(self.covariance.index), "values": self.covariance.to_numpy().tolist()},
            "log_likelihood": self.log_likelihood,
            "n_customers": self.n_customers,
            "notes": list(self.notes),
            "data": dict(self.data),
            "robust": self.robust,
            "groups": {label: group._plain() for label, group in self.groups.items()},
            "checks": [asdict(check) for check in self.checks],
            **({"effects": self.covariate_terms.to_plain()} if self.covariate_terms.n else {}),
        }

    @classmethod
    def _from_plain(cls, stored: Mapping[str, Any]) -> Fit:
        name, labels = stored["model"]["class"], stored["covariance"]["parameters"]
        if name not in MODELS:
            raise ValueError(f"{name} is none of its models, {', '.join(MODELS)}")
        values = np.array(stored["covariance"]["values"], dtype=float).reshape(len(labels), len(labels))
        return cls(
            model=MODELS[name](**stored["model"]["parameters"]),
            covariance=pd.DataFrame(values, index=labels, columns=labels),
            log_likelihood=stored["log_likelihood"],
            n_customers=stored["n_customers"],
            notes=tuple(stored["notes"]),
            data=stored["data"],
            robust=stored["robust"],
            groups={label: cls._from_plain(group) for label, group in stored["groups"].items()},
            checks=tuple(Check(**check) for check in stored["checks"]),
            covariate_terms=CovariateTerms.from_plain(stored["effects"]) if "effects" in stored else CovariateTerms(),
        )

    def _headline(self) -> str:
        kind = "robust" if self.robust else "standard"
        return (
            f"{type(self.model).__name__} fitted to {self.n_customers:,} customers, "
            f"log-likelihood {three_digits(self.log_likelihood)}, AIC {three_digits(self.aic)}, {kind} errors"
        )

    def _parts(self) -> Sequence[Part]:
        said = [*(f"Note: {note}" for note in self.notes), *map(str, self.checks)]
        return [self._headline(), self.table(), *said]


def _stored(text: str) -> Mapping[str, Any]:
    """What a stored fit holds; an error if it is no JSON object, or in a format that this version does not know."""
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{NO_FIT}, or it is damaged ({error})") from None
    if not isinstance(stored, dict):
        raise ValueError(f"{NO_FIT}: it holds {type(stored).__name__}, no object")
    used = stored.get("format", FORMAT)
    if used not in range(1, FORMAT + 1):
        raise ValueError(
            f"this fit has format {used!r} ({_writer(stored)}); version {__version__} reads formats up to {FORMAT}: "
            "upgrade retention_models, or fit the model again"
        )
    return stored


def _writer(stored: Mapping[str, Any]) -> str:
    version = stored.get("retention_models")
    return "it names no version" if version is None else f"written by version {version}"


def _problem(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def require_no_covariates(fit: Fit, whose: str, instead: str) -> None:
    """An error where a fit has covariates, and those of someone are not known."""
    if fit.covariate_terms.n:
        terms = ", ".join(fit.covariate_terms.terms)
        raise ValueError(f"the fit has covariates ({terms}), which {whose} does not say; {instead} takes them")
