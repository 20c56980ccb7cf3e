"""Fits that earlier versions stored are read, and say what a fresh fit says; what cannot be read is refused by name."""

import datetime as dt
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import retention_models as rm

REFERENCE = Path(__file__).parents[1] / "reference"
FITS = runpy.run_path(str(REFERENCE / "make_fits.py"))["FITS"]
STORED = sorted(REFERENCE.glob("fits_*/*.json"))
ONE = REFERENCE / "fits_0_1_0" / "bg_nbd_covariates.json"


def numbers(fit):
    """Every number of a fit by name, the groups' too."""
    found = {f"{label}/{name}": value for label, group in fit.groups.items() for name, value in numbers(group).items()}
    return found | {
        "parameters": fit.params.to_numpy(),
        "covariance": fit.covariance.to_numpy(),
        "table": fit.table().to_numpy(dtype=float),
        "fit": [fit.log_likelihood, fit.aic, fit.bic, fit.n_customers],
    }


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_stored_fit_says_what_a_fresh_one_says(path):
    stored, fresh = rm.Fit.from_json(path), FITS[path.stem]()
    assert type(stored.model) is type(fresh.model)
    assert list(stored.groups) == list(fresh.groups)
    assert [check.passed for check in stored.checks] == [check.passed for check in fresh.checks]
    assert stored.data["sha256"] == fresh.data["sha256"]
    expected, found = numbers(fresh), numbers(stored)
    assert found.keys() == expected.keys()
    digits = 1e-8
    if "pooled_by" in fresh.data and "pooled_by" not in stored.data:
        del expected["fit"]  # 0.1.0 gave the likelihood of all cohorts as one
        digits = 1e-4  # and iterated the spread of cohorts until it changed by less than that
    for name, value in expected.items():
        scale = np.nanmax(np.abs(np.where(np.isfinite(value), value, np.nan)), initial=0.0)
        np.testing.assert_allclose(found[name], value, rtol=digits, atol=digits * scale, err_msg=name)


def test_every_model_is_among_the_stored_fits():
    names = {json.loads(path.read_text(encoding="utf-8"))["model"]["class"] for path in STORED}
    models = {name for name in rm.__all__ if hasattr(getattr(rm, name), "log_likelihood")}
    assert models - {"Fit"} - names == {"BGCNBD"}, "of the models with k stages, one is enough"


def test_a_fit_in_a_later_format_is_refused_by_the_version_that_wrote_it():
    later = json.loads(ONE.read_text(encoding="utf-8")) | {"retention_models": "9.1.0", "format": 3}
    with pytest.raises(ValueError, match=r"format 3 \(written by version 9.1.0\); version .* reads formats up to 2"):
        rm.Fit.from_json(json.dumps(later))


def test_a_later_version_in_a_known_format_is_read():
    later = json.loads(ONE.read_text(encoding="utf-8")) | {"retention_models": "9.1.0", "format": 1, "more": [1]}
    assert rm.Fit.from_json(json.dumps(later)).params.equals(rm.Fit.from_json(ONE).params)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"covariance": {}}, "it lacks 'parameters'"),
        ({"model": None}, "not subscriptable"),
        ({"model": {"class": "Oracle", "parameters": {}}}, "Oracle is not one of its models"),
        ({"groups": [1]}, "no attribute 'items'"),
    ],
)
def test_a_damaged_fit_is_refused_by_the_version_that_wrote_it(changes, problem):
    damaged = json.loads(ONE.read_text(encoding="utf-8")) | changes
    with pytest.raises(ValueError, match=f"or it is damaged \\(written by version 0.1.0; .*{problem}"):
        rm.Fit.from_json(json.dumps(damaged))


def test_half_a_file_is_refused():
    with pytest.raises(ValueError, match="this is no fit written by to_json, or it is damaged"):
        rm.Fit.from_json(ONE.read_text(encoding="utf-8")[:500])


def test_a_fit_of_contracts_from_0_1_0_says_how_its_log_was_sampled():
    path = REFERENCE / "fits_0_1_0" / "sbg_window.json"
    assert json.loads(path.read_text(encoding="utf-8"))["data"].keys() >= {"design", "observed_from", "observed_until"}
    stored = rm.Fit.from_json(path)
    names = ("sampling", "observation_start", "observation_end")
    assert [stored.data[name] for name in names] == ["window", "2022-02-15", "2022-08-31"]
    assert stored.observation_end == dt.date(2022, 8, 31)
    assert "sampling window, observed to 2022-08-31, period M" in stored.provenance
    assert rm.Fit.from_json(stored.to_json()).data == stored.data
