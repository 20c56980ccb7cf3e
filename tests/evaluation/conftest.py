import json
from pathlib import Path

import pytest

import retention_models as rm

CUT = "1997-09-30"


@pytest.fixture(scope="session")
def log():
    return rm.read_transactions(rm.load_cdnow())


@pytest.fixture(scope="session")
def customers(log):
    return rm.summarize(log, calibration_end=CUT)


@pytest.fixture(scope="session")
def fits(customers):
    return {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}


@pytest.fixture(scope="session")
def pareto(fits):
    return fits["Pareto/NBD"]


@pytest.fixture(scope="session")
def published():
    path = Path(__file__).parents[1] / "reference" / "cdnow_holdout.json"
    return json.loads(path.read_text(encoding="utf-8"))
