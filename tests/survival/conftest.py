"""The published studies of tests/reference/life_tables.csv."""

from pathlib import Path

import pandas as pd
import pytest

LIFE_TABLES = Path(__file__).parents[1] / "reference" / "life_tables.csv"


@pytest.fixture(scope="session")
def study():
    """A function from a study's name to its rows: group, tenure, cause ("" where censored), weight."""
    tables = pd.read_csv(LIFE_TABLES, keep_default_na=False)
    return lambda name: tables[tables["data"] == name].drop(columns="data").reset_index(drop=True)
