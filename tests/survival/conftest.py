"""Published studies and retention tables, from tests/reference."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="session")
def study():
    """A function from a study's name to its rows: group, tenure, cause ("" where censored), weight."""
    tables = pd.read_csv(REFERENCE / "life_tables.csv", keep_default_na=False)
    return lambda name: tables[tables["data"] == name].drop(columns="data").reset_index(drop=True)


@pytest.fixture(scope="session")
def retention():
    """A function from a published cohort and a number of renewals to its retention table."""
    published = runpy.run_path(str(REFERENCE / "fader_hardie_2007.py"))["SURVIVORS"]

    def table(cohort, renewals):
        kept = np.array(published[cohort][: renewals + 1])
        return pd.DataFrame({"tenure": range(1, renewals + 1), "at_risk": kept[:-1], "lost": -np.diff(kept)})

    return table
