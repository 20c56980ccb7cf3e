"""The CDNOW sample, cut at the published day, and two fits to it: what several rooms are tested on."""

import pytest

import retention_models as rm

CUT = "1997-09-30"


@pytest.fixture(scope="session")
def log():
    return rm.read_transactions(rm.datasets.load_cdnow())


@pytest.fixture(scope="session")
def customers(log):
    return rm.summarize(log, calibration_end=CUT)


@pytest.fixture(scope="session")
def fits(customers):
    return {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}


@pytest.fixture(scope="session")
def pareto(fits):
    return fits["Pareto/NBD"]
