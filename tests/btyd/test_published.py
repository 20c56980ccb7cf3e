"""What papers print about the CDNOW customers, at the parameters they print."""

import json
from pathlib import Path

import numpy as np
import pytest

import retention_models as rm

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "btyd.json").read_text(encoding="utf-8"))


def model(entry):
    return getattr(rm, entry["model"])(*entry["parameters"])


def name(entry):
    return "-".join(str(entry[key]) for key in ("model", "method", "full") if key in entry)


@pytest.fixture(scope="module", params=[False, True], ids=["sample", "full"])
def cohort(request):
    """CDNOW customers to 1997-09-30, with their holdout of 39 weeks."""
    return request.param, rm.summarize(rm.datasets.load_cdnow(full=request.param), calibration_end="1997-09-30")


def histories(customers):
    return [customers[column].to_numpy(float) for column in ("frequency", "recency", "T")]


def test_log_likelihood_of_cdnow(cohort):
    full, customers = cohort
    entries = [entry for entry in REFERENCE["log_likelihood_cdnow"] if entry["full"] == full]
    assert len(entries) == 2
    for entry in entries:
        assert model(entry).log_likelihood(*histories(customers)).sum() == pytest.approx(entry["value"], abs=1e-6)


@pytest.mark.parametrize("cohort", [False], indirect=True, ids=["sample"])
@pytest.mark.parametrize("entry", REFERENCE["holdout_cdnow"], ids=name)
def test_forecast_of_cdnow(cohort, entry):
    _, customers = cohort
    columns = histories(customers)
    expected = model(entry).expected_purchases(39, *columns)
    assert expected.sum() == pytest.approx(entry["expected"], rel=1e-5)
    assert np.abs(expected - customers["holdout_frequency"]).mean() == pytest.approx(entry["mae"], abs=2e-6)
    alive = model(entry).probability_alive(*columns)
    assert alive.mean() == pytest.approx(entry["mean_probability_alive"], abs=6e-6)
    by_frequency = [expected[np.minimum(columns[0], 7) == k].mean() for k in range(8)]
    np.testing.assert_allclose(by_frequency, entry["by_frequency"], atol=6e-4)


@pytest.mark.parametrize("entry", REFERENCE["values"], ids=name)
def test_published_value(entry):
    computed = getattr(model(entry), entry["method"])(*entry["arguments"])
    np.testing.assert_allclose(computed, entry["value"], rtol=0, atol=0.51 * 10.0 ** -entry["digits"])
