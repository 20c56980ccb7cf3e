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
STATISTICAL = {
    "test_events_and_a_season_explain_the_errors_that_they_made",
    "test_forecasts_of_contracts_that_end_on_any_day_come_true",
    "test_status_is_the_mean_probability_and_its_interval_that_of_parameter_draws",
    "test_what_halves_do_not_decide_is_simulated",
    "test_a_file_and_every_frame_tell_the_same",
    "test_contracts_that_end_on_any_day_are_told",
    "test_groups_with_models_of_their_own_are_added_up",
    "test_the_right_model_comes_true_and_equal_customers_do_not",
}


def pytest_collection_modifyitems(items):
    families = defaultdict(list)
    for item in items:
        name = getattr(item, "originalname", "")
        if name in STATISTICAL:
            item.add_marker(pytest.mark.slow)
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
