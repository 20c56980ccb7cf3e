"""What a fit has found: a model, how sure it is of its parameters, and what a reader must know of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retention_models import __version__
from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.gammagamma import GammaGamma
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.checks import Check
from retention_models.estimation.intervals import draw_parameters, in_chunks, jacobian, positive_interval
from retention_models.estimation.model import Array, parameter_names
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.segments import TwoSegments

PURCHASES = (BGBB, BGCNBD, BGNBD, GammaGamma, MBGCNBD, MBGNBD, NBD, ParetoNBD)
CONTRACTS = (BetaDiscreteWeibull, DiscreteWeibull, Geometric, ShiftedBetaGeometric, TwoSegments)
MODELS: dict[str, type] = {model.__name__: model for model in (*PURCHASES, *CONTRACTS)}


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
    def n_parameters(self) -> int:
        """Number of free parameters, those among them that were chosen over whole numbers."""
        return len(self.covariance) + len(self.model.fixed)

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 log L + 2 p, p counting the free parameters; smaller is better."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """Bayesian (Schwarz) criterion, -2 log L + p log n; smaller is better."""
        return -2 * self.log_likelihood + self.n_parameters * float(np.log(self.n_customers))

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
        return replace(self.model, **values)

    def gradient(self, quantity: Callable[..., Array], columns: tuple[Array, ...]) -> Array:
        """Derivatives of ``quantity(model, *columns)``, shape (n,), in the free parameters; shape (n, free)."""
        free = list(self.covariance.index)

        def at(values: Array) -> Array:
            model = replace(self.model, **dict(zip(free, values.tolist(), strict=True)))
            return in_chunks(lambda *chunk: quantity(model, *chunk), columns)

        return jacobian(at, self.parameters[free].to_numpy())

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
