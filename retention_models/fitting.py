"""Where frames meet models: fit one to a table of customers, and keep what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models import __version__
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.gammagamma import GammaGamma
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.checks import Check
from retention_models.estimation.climb import ConvergenceError
from retention_models.estimation.intervals import (
    draw_parameters,
    in_chunks,
    jacobian,
    positive_interval,
)
from retention_models.estimation.likelihood import maximise
from retention_models.estimation.model import Array, Limit, Model, parameter_names
from retention_models.stability import stability_check
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.pooling import near_tops
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.segments import TwoSegments
from retention_models.tables import Table, read_groups, read_table

PURCHASES = (BGNBD, GammaGamma, ParetoNBD)
CONTRACTS = (BetaDiscreteWeibull, DiscreteWeibull, Geometric, ShiftedBetaGeometric, TwoSegments)
MODELS: dict[str, type] = {model.__name__: model for model in (*PURCHASES, *CONTRACTS)}

VAGUE = 1.0  # a standard error of so many times the estimate calls for a note
VAGUE_CONTRACT = 0.4  # the same for models of contracts, which are there to be extrapolated


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model and how sure it is.

    Attributes
    ----------
    model
        The model at its maximum-likelihood parameters.
    covariance
        Covariance of the estimated parameters, labelled on both sides. Parameters held at an edge are not in it.
    log_likelihood
        Total log-likelihood, in the time unit of the data.
    n_customers
        Number of customers fitted to.
    notes
        Sentences on what a reader must know; empty when nothing needs saying.
    data
        What it was fitted to: customers, distinct rows, dates, time unit, sha256.
    robust
        Whether the covariance is the robust one (sandwich).
    groups
        The fit of each group, by its label, where ``fit`` was asked ``by``; otherwise empty.
    checks
        What was checked, among it whether the groups agree.
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

    @property
    def parameters(self) -> pd.Series:
        """The estimates, labelled; shape (p,)."""
        names = parameter_names(type(self.model))
        return pd.Series([float(getattr(self.model, name)) for name in names], index=list(names), name="estimate")

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 log L + 2 p, p counting the free parameters; smaller is better."""
        return -2 * self.log_likelihood + 2 * len(self.covariance)

    @property
    def bic(self) -> float:
        """Bayesian (Schwarz) criterion, -2 log L + p log n; smaller is better."""
        return -2 * self.log_likelihood + len(self.covariance) * float(np.log(self.n_customers))

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimate, standard error and interval of each parameter, the interval made on the log scale.

        A parameter held at an edge has a standard error of 0 and its row says ``held`` in a column ``note``.
        """
        estimate = self.parameters
        std_error = pd.Series(np.sqrt(np.diag(self.covariance)), index=self.covariance.index)
        table = pd.DataFrame({"estimate": estimate, "std_error": std_error.reindex(estimate.index, fill_value=0.0)})
        table["lower"], table["upper"] = positive_interval(
            table["estimate"].to_numpy(), table["std_error"].to_numpy(), level
        )
        held = ~table.index.isin(self.covariance.index)
        if held.any():
            table["note"] = np.where(held, "held", "")
        return table.rename_axis("parameter")

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        """The model with n draws of its parameters, each of shape (n, 1), ready to broadcast over customers."""
        free = list(self.covariance.index)
        drawn = draw_parameters(self.parameters[free].to_numpy(), self.covariance.to_numpy(), n, rng)
        values = {str(name): np.full((n, 1), value) for name, value in self.parameters.items()}
        values.update({name: drawn[:, [i]] for i, name in enumerate(free)})
        return type(self.model)(**values)

    def gradient(self, quantity: Callable[..., Array], columns: tuple[Array, ...]) -> Array:
        """Derivatives of ``quantity(model, *columns)``, shape (n,), in the free parameters; shape (n, free)."""
        free = list(self.covariance.index)
        parameters = self.parameters

        def at(values: Array) -> Array:
            model = type(self.model)(**{**parameters.to_dict(), **dict(zip(free, values.tolist(), strict=True))})
            return in_chunks(lambda *chunk: quantity(model, *chunk), columns)

        return jacobian(at, parameters[free].to_numpy())

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
        if about.get("observed_until"):
            parts.append(f"design {about['design']}, observed to {about['observed_until']}, period {about['period']}")
        if about.get("time_unit"):
            parts.append(f"time unit {about['time_unit']}")
        return ", ".join([*parts, f"sha256 {about['sha256'][:12]}"])

    def to_json(self, path: str | Path | None = None) -> str:
        """The fit as JSON text, also written to ``path`` where one is given; plain numbers, no code."""
        text = json.dumps({"retention_models": __version__, **self._plain()}, indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> Fit:
        """The fit that ``to_json`` wrote: JSON text, or the path of a file that holds it."""
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        try:
            return cls._from_plain(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"this is no fit written by to_json of version {__version__} ({error})") from None

    def _plain(self) -> dict[str, Any]:
        """The fit in values that JSON knows."""
        names = parameter_names(type(self.model))
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
        )

    def _headline(self) -> str:
        kind = "robust" if self.robust else "standard"
        return (
            f"{type(self.model).__name__} fitted to {self.n_customers:,} customers, "
            f"log-likelihood {self.log_likelihood:.4f}, AIC {self.aic:.2f}, {kind} errors"
        )

    def __repr__(self) -> str:
        notes = "".join(f"\nNote: {note}" for note in self.notes) + "".join(f"\n{check}" for check in self.checks)
        return f"{self._headline()}\n{self.table().to_string(float_format='{:.4g}'.format)}{notes}"

    def _repr_html_(self) -> str:
        said = [*(f"Note: {note}" for note in self.notes), *map(str, self.checks)]
        notes = "".join(f"<p>{escape(sentence)}</p>" for sentence in said)
        return f"<p>{escape(self._headline())}</p>{self.table().to_html(float_format='{:.4g}'.format)}{notes}"


def fit(
    model_class: type[Model], customers: Any, *, by: str | Sequence[Any] | None = None, robust: bool = False
) -> Fit:
    """A model fitted by maximum likelihood to a table of customers.

    Parameters
    ----------
    model_class
        A model class, for example ``ParetoNBD``.
    customers
        A pandas or Polars frame with the model's columns (``frequency``, ``recency``, ``T``), one row a customer,
        or one row a distinct history with a column ``weight``; from ``summarize`` or ``histories``.
    by
        Fit each group on its own, too: the name of a column, or one label for each customer. ``"cohort"`` means the
        month of ``first_purchase`` where there is no column of that name. The fit of all carries those of the groups in
        ``groups``, and a check of whether they agree in ``checks``.
    robust
        Whether standard errors are the robust ones (sandwich), which hold where the model is only roughly right.

    Returns
    -------
    Fit
        Estimates with covariance, log-likelihood, notes, and a record of the data.

    Raises
    ------
    ValueError
        When a column is missing or breaks a rule, or when there is too little data to fit anything.
    ConvergenceError
        When the likelihood has no maximum that could be found.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.fit(rm.ParetoNBD, customers)
    ParetoNBD fitted to 2,357 customers, log-likelihood -9594.9762, AIC 19197.95, standard errors
               estimate  std_error   lower  upper
    parameter
    r            0.5533    0.04763 0.4674  0.655
    alpha         10.58     0.8427  9.048  12.37
    s            0.6062     0.1873 0.3309  1.111
    beta          11.67      6.211  4.111  33.12
    """
    if not (isinstance(model_class, type) and hasattr(model_class, "columns")):
        raise TypeError(f"fit takes a model class, one of {', '.join(MODELS)}; got {model_class!r}")
    table = read_table(customers, model_class.columns)
    pooled = _fit_table(model_class, table, robust)
    if by is None:
        return pooled
    groups, notes = {}, []
    parts = read_groups(customers, by)
    for (label, lines), start in zip(parts.items(), _starts(pooled, table, list(parts.values())), strict=True):
        try:
            groups[label] = _fit_table(model_class, table.of_lines(lines), robust, start)
        except (ValueError, ConvergenceError) as error:
            notes.append(f"The group {label} could not be fitted on its own: {error}.")
    return replace(
        pooled, groups=groups, notes=(*pooled.notes, *notes), checks=(stability_check(pooled, groups, table),)
    )


def _starts(pooled: Fit, table: Table, groups: Sequence[NDArray[np.bool_]]) -> Sequence[Model | None]:
    """Where to begin the fit of each group: of contracts near its top, found for all at once; else by its own data."""
    names = parameter_names(type(pooled.model))
    if "at_risk" not in type(pooled.model).columns or len(pooled.covariance) < len(names):
        return [None] * len(groups)
    tenure, at_risk, lost = (column[table.row] for column in table.columns)
    columns = tenure, at_risk * table.line_weight, lost * table.line_weight
    code = np.argmax(np.stack(groups), axis=0)
    places = near_tops(type(pooled.model), columns, code, np.log(pooled.parameters.to_numpy()))
    return [type(pooled.model)(**dict(zip(names, values, strict=True))) for values in np.exp(places).tolist()]


def _fit_table(model_class: type[Model], table: Table, robust: bool, start: Model | None = None) -> Fit:
    table, left_out = _speaking(model_class, table)
    if "at_risk" in model_class.columns:
        table = table.by_tenure()
        _require_tenures(model_class, table, robust)
    else:
        _require_enough(model_class, table)
    columns = dict(zip(model_class.columns, table.columns, strict=True))
    optimum = maximise(model_class, columns, table.weight, start, robust=robust)
    free, labels = list(optimum.free), pd.Index(optimum.free)
    notes = tuple(_limit_sentence(limit) for limit in optimum.limits)
    notes += tuple(
        f"{name} makes no difference to these data and is held where it is." for name in optimum.undetermined
    )
    return Fit(
        model=optimum.model,
        covariance=pd.DataFrame(optimum.covariance, index=labels, columns=labels),
        log_likelihood=optimum.log_likelihood,
        n_customers=round(table.n_customers),
        notes=notes + _flat_sentences(optimum.model, free, optimum.covariance),
        data={**table.about, "rows": len(table.weight), "sha256": table.sha256(), "left_out": left_out},
        robust=robust,
    )


def _speaking(model_class: type[Model], table: Table) -> tuple[Table, dict[str, int]]:
    """The rows that a model can learn from, and how many customers were left out for which reason."""
    if not hasattr(model_class, "left_out"):
        return table, {}
    reasons = model_class.left_out(*table.columns)
    counts = {reason: round(float(table.weight[rows].sum())) for reason, rows in reasons.items()}
    return table.of_lines(~np.any(list(reasons.values()), axis=0)[table.row]), {
        reason: n for reason, n in counts.items() if n
    }


def _require_enough(model_class: type[Model], table: Table) -> None:
    """An error where no model could be fitted, with the reason."""
    name, n = model_class.__name__, table.n_customers
    if n < 2:
        raise ValueError(f"{name} describes how customers differ and needs more of them; the table has {n:g}")
    if "frequency" in model_class.columns:
        frequency = table.columns[model_class.columns.index("frequency")]
        if not np.any(frequency * table.weight > 0):
            raise ValueError(
                f"{name} learns from repeat purchases, and frequency is 0 for all {n:,.0f} customers; "
                "is calibration_end too early, or granularity too coarse?"
            )
    if np.count_nonzero(table.weight) == 1:
        raise ValueError(f"{name} learns from differences, and all {n:,.0f} customers have the same history")


def _require_tenures(model_class: type[Model], table: Table, robust: bool) -> None:
    """An error where a retention table cannot tell a model's parameters apart, or not with robust errors."""
    name, parameters = model_class.__name__, len(parameter_names(model_class))
    _, at_risk, lost = table.columns
    if not np.any(lost > 0):
        raise ValueError(f"{name} learns from customers who leave, and lost is 0 in all rows; observe them for longer")
    if not np.any(lost < at_risk):
        raise ValueError(f"{name} learns from customers who stay, and lost equals at_risk in all rows")
    tenures = np.count_nonzero(at_risk > 0)
    if tenures < parameters:
        raise ValueError(
            f"{name} has {parameters} parameters and needs customers at risk at as many tenures; "
            f"the table has {tenures}"
        )
    if robust:
        raise ValueError("robust errors need a row for each customer, and a retention table holds only their sums")


def _limit_sentence(limit: Limit) -> str:
    """What it means that a parameter was held at an edge."""
    where = "0" if limit.towards == 0 else "infinity"
    lost = f"; the value of {' and '.join(limit.undetermined)} then means nothing" if limit.undetermined else ""
    return f"{limit.parameter} ran to {where} and is held there: {limit.model}{lost}."


def _flat_sentences(model: Any, free: list[str], covariance: Array) -> tuple[str, ...]:
    """A sentence for each parameter that the data hardly determine."""
    error = np.sqrt(np.diag(covariance)) / [float(getattr(model, name)) for name in free]
    return tuple(
        f"{name} is hardly determined by these data: its standard error is {relative:.1f} times its estimate."
        for name, relative in zip(free, error, strict=True)
        if relative > (VAGUE_CONTRACT if "at_risk" in type(model).columns else VAGUE)
    )
