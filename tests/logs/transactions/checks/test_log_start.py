"""Whether a log begins with first purchases: told for logs that are known to, and known not to."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from retention_models.core.check import Check
from retention_models.datasets import load_cdnow
from retention_models.logs.transactions.checks.log_start import check_openings, halves
from retention_models.logs.transactions.summary import check_log_start, summarize

FOUNDED = pd.Timestamp("2020-01-01")


def business(seed, *, launch=0):
    """Four years of a shop that wins 5 customers a day, and ``launch`` more at first: Pareto/NBD with CDNOW's rates."""
    rng, days = np.random.default_rng(seed), 4 * 365
    born = rng.uniform(0, days, rng.poisson(5 * days))
    born = np.concatenate([born, np.minimum(rng.exponential(30, launch), days)])
    rate, loss = rng.gamma(0.55, 1 / 74, born.size), rng.gamma(0.61, 1 / 82, born.size)
    observed = np.minimum(rng.exponential(1 / loss), days - born)
    repeats = rng.poisson(rate * observed)
    again = np.repeat(born, repeats) + rng.uniform(size=repeats.sum()) * np.repeat(observed, repeats)
    customers = np.arange(born.size)
    days_of_purchase = np.floor(np.concatenate([born, again])).astype("timedelta64[D]")
    return pd.DataFrame(
        {"customer_id": np.concatenate([customers, np.repeat(customers, repeats)]), "date": FOUNDED + days_of_purchase}
    )


def cut(log, start, end="2024-01-01"):
    return log[(log["date"] >= start) & (log["date"] < end)]


def verdicts(logs, **keywords):
    return {check_log_start(log, amount=None, **keywords).passed for log in logs}


def test_a_log_from_the_founding_passes():
    assert verdicts(business(seed) for seed in range(5)) == {True}


@pytest.mark.parametrize(("start", "end"), [("2022-01-01", "2024-01-01"), ("2021-07-01", "2022-07-01")])
def test_the_same_log_cut_in_the_middle_fails(start, end):
    assert verdicts(cut(business(seed), start, end) for seed in range(5)) == {False}


def test_a_launch_is_not_taken_for_old_customers():
    assert verdicts(business(seed, launch=2_000) for seed in range(5)) == {None}


def test_leaving_out_those_seen_in_the_first_years_mends_a_log_cut_in_the_middle():
    logs = [cut(business(seed), "2021-01-01") for seed in range(5)]
    assert verdicts(logs) == {False}
    assert False not in verdicts(logs, acquired_after="2023-01-01")


def test_a_cohort_cannot_be_judged():
    check = check_log_start(load_cdnow(), calibration_end="1997-09-30")
    assert check.passed is None
    assert (
        "876 customers are first seen in the 34 days from 1997-01-01, 0 in the 34 days from 1997-05-18" in check.detail
    )


@pytest.mark.parametrize("rows", [1, 2, 40])
def test_a_small_log_cannot_be_judged(rows):
    assert check_log_start(business(0)[:rows], amount=None).passed is None


def test_the_check_travels_with_the_summary():
    log = cut(business(0), "2022-01-01")
    expected = check_log_start(log, amount=None)
    assert Check(**summarize(log, amount=None).attrs["checks"][0]) == expected
    assert "Pass acquired_after" in expected.remedy


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (dt.date(2024, 1, 1), ("2024-01-01", "2024-01-01", "2024-01-02", 1)),
        (dt.date(2024, 1, 2), ("2024-01-01", "2024-01-02", "2024-01-02", 1)),
        (dt.date(2024, 1, 17), ("2024-01-01", "2024-01-09", "2024-01-10", 2)),
    ],
)
def test_halves_are_equally_long(end, expected):
    first, first_end, second, opening = halves(dt.date(2024, 1, 1), end)
    assert (str(first), str(first_end), str(second), opening.days) == expected


def table(early, again_early, late, again_late):
    """Customers first seen on 2024-01-01 and 2024-04-10, the openings of the halves of 200 days."""
    first = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-04-10", "2024-04-10"])
    customers = [early - again_early, again_early, late - again_late, again_late]
    return pd.DataFrame(
        {"first": first, "customers": customers, "again_early": [0, again_early, 0, 0], "purchases": [1, 2, 1, 2]}
    )


@pytest.mark.parametrize(
    ("counts", "passed"),
    [
        ((100, 50, 100, 50), True),
        ((119, 119, 100, 0), True),  # a few more
        ((200, 100, 100, 50), None),  # many more, no more loyal
        ((200, 140, 100, 50), False),  # many more, and more loyal
        ((200, 108, 100, 50), None),  # a little more loyal
        ((1000, 0, 49, 0), None),  # nothing to compare with
        ((1000, 1000, 500, 500), None),  # all came again
    ],
)
def test_it_takes_more_newcomers_and_more_loyal_ones_to_fail(counts, passed):
    log = halves(dt.date(2024, 1, 1), dt.date(2024, 7, 18))
    assert check_openings(table(*counts), log).passed is passed
