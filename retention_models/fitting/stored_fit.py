"""Fits as JSON text: what is written, and how fits of earlier versions are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_number, require_whole
from retention_models.core.check import Check
from retention_models.core.dates import PANDAS_PERIODS, UNITS, check_time_unit
from retention_models.core.stored_record import StoredRecord, build
from retention_models.estimation.model import parameter_names
from retention_models.fitting.data_requirements import require_roles
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.models import MODELS
from retention_models.tables.days import check_period

Fitted = TypeVar("Fitted")  # ``Fit``, whose module uses this one

STORED = StoredRecord("fit", format=2, remedy="fit the model again", unnamed_format=1)  # a file of 0.1.0 names none
RENAMED = {  # keys of ``Fit.data`` in version 0.1.0 -> today
    "design": "sampling",
    "observed_from": "observation_start",
    "observed_until": "observation_end",
}

DAYS = ("first_date", "last_date", "calibration_end", "observation_start", "observation_end", "acquired_after")
COUNTS = ("customers", "transactions", "spells", "spells_counted", "renewals_counted")
ROUNDING, TINY = 1e-6, 1e-300  # of correlations; of a variance that is 0


def to_text(fit: Any, path: str | Path | None) -> str:
    """The fit as JSON text."""
    return STORED.write(_to_plain(fit), path)


def from_text(fit_class: type[Fitted], source: str | Path) -> Fitted:
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


def _from_plain(fit_class: type[Fitted], stored: Mapping[str, Any], *, is_group: bool = False) -> Fitted:
    """The fit whose fields were stored as plain values."""
    model = _model(stored["model"])
    terms = CovariateTerms.from_plain(stored["effects"]) if "effects" in stored else CovariateTerms()
    require_roles(type(model), terms.designs)
    if is_group and stored["groups"]:
        raise ValueError("a group of a fit has groups of its own")
    fit: Any = build(
        fit_class,
        {
            "model": model,
            "covariance": _covariance(stored["covariance"], [*parameter_names(type(model)), *terms.coefficients.index]),
            "log_likelihood": stored["log_likelihood"],
            "n_customers": stored["n_customers"],
            "notes": tuple(stored["notes"]),
            "data": _data(stored["data"], model),
            "robust": stored["robust"],
            "groups": {
                label: _from_plain(fit_class, group, is_group=True) for label, group in stored["groups"].items()
            },
            "checks": tuple(build(Check, check) for check in stored["checks"]),
            "covariate_terms": terms,
        },
    )
    if fit.n_customers < 1 or any(type(group.model) is not type(model) for group in fit.groups.values()):
        raise ValueError("n_customers must be 1 or more, and its groups fits of the same model")
    return fit


def _model(stored: Mapping[str, Any]) -> Any:
    """The model, which is one of the package's, with a number for each parameter."""
    name, parameters = stored["class"], stored["parameters"]
    if name not in MODELS:
        raise ValueError(f"{name} is not one of its models, {', '.join(MODELS)}")
    if not all(type(value) in (int, float) for value in parameters.values()):
        raise ValueError(f"parameters of {name} must be numbers; got {parameters}")
    return MODELS[name](**parameters)


def _covariance(stored: Mapping[str, Any], names: Sequence[str]) -> pd.DataFrame:
    """The covariance: labelled in the order of the estimates, symmetric, and without a negative variance."""
    labels = stored["parameters"]
    if labels != [name for name in names if name in labels]:
        raise ValueError(f"the covariance has the labels {labels}, and the estimates are {', '.join(names)}")
    values = np.array(stored["values"], dtype=float).reshape(len(labels), len(labels))
    scale = np.sqrt(np.maximum(np.diag(values), TINY))
    correlation = values / np.outer(scale, scale)
    if not np.allclose(correlation, correlation.T, rtol=0, atol=ROUNDING):
        raise ValueError("the covariance is not symmetric")
    if np.any(np.diag(values) < 0) or np.any(np.linalg.eigvalsh(correlation) < -ROUNDING):
        raise ValueError("the covariance is not positive semi-definite")
    return pd.DataFrame(values, index=labels, columns=labels)


def _data(stored: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """The record of the data: days, units, counts and a retention table that can be meant, and agree."""
    data = {RENAMED.get(key, key): value for key, value in stored.items()}
    given = {name: value for name, value in data.items() if value is not None}
    for name in given.keys() & set(DAYS):
        dt.date.fromisoformat(data[name][:10])
    if "time_unit" in given:
        check_time_unit(data["time_unit"])
    if "granularity" in given:
        check_choice("granularity", data["granularity"], tuple(UNITS))
    if "period" in given and data["period"] not in PANDAS_PERIODS:
        check_period(data["period"])
    for name in given.keys() & set(COUNTS):
        require_whole(name, data[name], 0)
    if type(data["rows"]) is not int or not isinstance(data["sha256"], str):
        raise ValueError("rows must be a whole number and sha256 text")
    if "retention_rate" in data:
        require_number("retention_rate", data["retention_rate"], 0, 1)
    if "kept" in data:
        _check_table(data, model)
    return data


def _check_table(data: Mapping[str, Any], model: Any) -> None:
    """An error unless a retention table has columns of the same length, and the retention rate that is stated."""
    table = np.array([data["kept"][name] for name in model.columns], dtype=float)
    if table.ndim != 2:
        raise ValueError("its retention table has columns of different lengths")
    _, at_risk, lost = table
    rate = 1 - lost.sum() / max(at_risk.sum(), 1.0)
    if abs(data.get("retention_rate", rate) - rate) > ROUNDING:
        raise ValueError(f"retention_rate is {data['retention_rate']}, and that of its retention table {rate:.6g}")
