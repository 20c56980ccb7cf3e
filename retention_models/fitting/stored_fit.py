"""Fits as JSON text: what is written, and how fits of earlier versions are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.stored_record import StoredRecord
from retention_models.estimation.model import parameter_names
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.models import MODELS

Fitted = TypeVar("Fitted")  # ``Fit``, whose module uses this one

STORED = StoredRecord("fit", format=1, remedy="fit the model again", unnamed_format=1)  # a file of 0.1.0 names none
RENAMED = {  # keys of ``Fit.data`` in version 0.1.0 -> today
    "design": "sampling",
    "observed_from": "observation_start",
    "observed_until": "observation_end",
}


def to_text(fit: Any, path: str | Path | None) -> str:
    """The fit as JSON text."""
    return STORED.write(_to_plain(fit), path)


def from_text(fit_class: Callable[..., Fitted], source: str | Path) -> Fitted:
    """The fit that JSON text holds; a ValueError names the version that wrote what cannot be read."""
    return STORED.read(source, lambda stored: _from_plain(fit_class, stored))


def _to_plain(fit: Any) -> dict[str, Any]:
    """The fit as values that JSON can hold."""
    names = [*parameter_names(type(fit.model)), *fit.model.fixed]
    return {
        "model": {"class": type(fit.model).__name__, "parameters": {n: getattr(fit.model, n) for n in names}},
        "covariance": {"parameters": list(fit.covariance.index), "values": fit.covariance.to_numpy().tolist()},
        "log_likelihood": fit.log_likelihood,
        "n_customers": fit.n_customers,
        "notes": list(fit.notes),
        "data": dict(fit.data),
        "robust": fit.robust,
        "groups": {label: _to_plain(group) for label, group in fit.groups.items()},
        "checks": [asdict(check) for check in fit.checks],
        **({"effects": fit.covariate_terms.to_plain()} if fit.covariate_terms.n else {}),
    }


def _from_plain(fit_class: Callable[..., Fitted], stored: Mapping[str, Any]) -> Fitted:
    """The fit whose fields were stored as plain values."""
    name, labels = stored["model"]["class"], stored["covariance"]["parameters"]
    if name not in MODELS:
        raise ValueError(f"{name} is none of its models, {', '.join(MODELS)}")
    values = np.array(stored["covariance"]["values"], dtype=float).reshape(len(labels), len(labels))
    return fit_class(
        model=MODELS[name](**stored["model"]["parameters"]),
        covariance=pd.DataFrame(values, index=labels, columns=labels),
        log_likelihood=stored["log_likelihood"],
        n_customers=stored["n_customers"],
        notes=tuple(stored["notes"]),
        data={RENAMED.get(key, key): value for key, value in stored["data"].items()},
        robust=stored["robust"],
        groups={label: _from_plain(fit_class, group) for label, group in stored["groups"].items()},
        checks=tuple(Check(**check) for check in stored["checks"]),
        covariate_terms=CovariateTerms.from_plain(stored["effects"]) if "effects" in stored else CovariateTerms(),
    )
