import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from retention_models.interventions.effects.effect import Effect

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="session")
def reference():
    return REFERENCE


@pytest.fixture(scope="session")
def peers():
    """What tea-tasting and statsmodels say; the file names their versions, make_experiments.py made it."""
    return json.loads((REFERENCE / "experiments.json").read_text())


@pytest.fixture(scope="session")
def nsw():
    return pd.read_csv(REFERENCE / "nsw.csv").assign(arm=lambda d: np.where(d["treat"] == 1, "treated", "control"))


@pytest.fixture(scope="session")
def cuped():
    return pd.read_csv(REFERENCE / "cuped.csv").assign(arm=lambda d: np.where(d["variant"] == 1, "treated", "control"))


@pytest.fixture
def effect():
    """A maker of effects, to be changed by keyword; what is stated replaces the default that it contradicts."""

    def make(**changes):
        fields = {
            "intervention": "mail",
            "outcome": "visit",
            "unit": "share of customers",
            "estimand": "difference in means",
            "scale": "difference",
            "estimate": 0.04,
            "std_error": 0.01,
            "lower": 0.0204,
            "upper": 0.0596,
            "horizon": 14,
            "time_unit": "D",
            "population": "all",
            "n": 1000,
            "assigned_by": "random",
        }
        if changes.keys() & {"lower", "upper", "level", "law"}:
            del fields["std_error"]
        if changes.keys() & {"std_error", "law"}:
            del fields["lower"], fields["upper"]
        return Effect(**(fields | changes))

    return make
