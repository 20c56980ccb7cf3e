"""The CDNOW sample, cut at the published day, and two fits to it: what several rooms are tested on."""

from collections import defaultdict
from math import ceil, sqrt
from zlib import crc32

import pytest

import retention_models as rm

# Of a test that asks the same of n inputs, the quick suite asks about the root of n, and the slow one all. The tests of
# these files are cheap, and hold each module, function and plot to a rule: all inputs are asked.
ALL_INPUTS = ("test_project.py", "test_docstrings.py", "test_descriptions.py")
FEWEST = 3


def pytest_collection_modifyitems(items):
    families = defaultdict(list)
    for item in items:
        name = getattr(item, "originalname", "")
        if hasattr(item, "callspec") and item.path.name not in ALL_INPUTS:
            families[item.path, name].append(item)
    for family in families.values():
        asked = max(FEWEST, ceil(sqrt(len(family))))
        for item in sorted(family, key=lambda item: crc32(item.name.encode()))[asked:]:
            item.add_marker(pytest.mark.slow)


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
