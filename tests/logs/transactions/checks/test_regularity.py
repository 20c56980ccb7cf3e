import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.logs.transactions.checks.regularity import REGULAR, check_regularity


def log(shape: float, gap: float, customers: int = 2_000, seed: int = 1) -> pd.DataFrame:
    """Customers who buy for 365 days with gamma distributed gaps; shape 1 is at random, infinity is a clock."""
    rng = np.random.default_rng(seed)
    mean = gap * rng.gamma(2, 0.5, customers)[:, None]
    gaps = rng.gamma(shape, 1 / shape, (customers, 20)) * mean if np.isfinite(shape) else np.tile(mean, (1, 20))
    moments = np.c_[rng.uniform(0, 60, customers), gaps].cumsum(axis=1)
    customer = np.broadcast_to(np.arange(customers)[:, None], moments.shape)
    seen = moments < 365
    date = pd.Timestamp("2024-01-01") + pd.to_timedelta(moments[seen].astype(int), unit="D")
    return pd.DataFrame({"customer_id": customer[seen], "date": date, "amount": 1.0}).drop_duplicates()


def variance(transactions: pd.DataFrame) -> float:
    """The share of the random variance that the check's sentence names."""
    return float(check_regularity(transactions).detail.split(" have ")[1].split(" %")[0]) / 100


@pytest.mark.parametrize("gap", [3.0, 30.0, 90.0])
def test_random_purchases_have_the_variance_of_chance(gap: float) -> None:
    transactions = log(1.0, gap)
    assert check_regularity(transactions).passed is True
    assert variance(transactions) == pytest.approx(1, abs=0.08)


def test_random_visits_on_whole_days_are_random_too() -> None:
    rng = np.random.default_rng(2)
    customer, day = np.nonzero(rng.random((1_000, 60)) < rng.beta(2, 2, 1_000)[:, None])
    visits = pd.DataFrame({"customer_id": customer, "date": np.datetime64("2024-01-01") + day * np.timedelta64(1, "D")})
    assert variance(visits.assign(amount=1.0)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("shape", [2.0, 4.0])
def test_the_variance_follows_the_shape_of_the_gaps(shape: float) -> None:
    assert variance(log(shape, 40.0)) == pytest.approx(3 / (2 * shape + 1), abs=0.06)


@pytest.mark.parametrize("shape", [6.0, np.inf])
def test_clockwork_is_called_a_subscription(shape: float) -> None:
    check = check_regularity(log(shape, 30.0))
    assert check.passed is False
    assert "as in a subscription" in check.detail


def test_customers_who_leave_at_random_do_not_disturb() -> None:
    shop = rm.ParetoNBD(r=0.8, alpha=4.0, s=1.0, beta=10.0)
    transactions = shop.simulate_transactions(
        np.full(4_000, 52.0), np.random.default_rng(3), start="2024-01-01", time_unit="W"
    )
    assert variance(transactions.assign(amount=1.0)) == pytest.approx(1, abs=0.1)


def test_few_customers_cannot_tell() -> None:
    check = check_regularity(log(1.0, 30.0, customers=20))
    assert check.passed is None
    assert "too few to tell" in check.detail


def test_the_sentence_counts_the_customers_who_can_tell() -> None:
    days = pd.date_range("2024-01-01", periods=40)
    daily = pd.DataFrame({"customer_id": np.repeat(np.arange(50), 40), "date": np.tile(days, 50), "amount": 1.0})
    check = check_regularity(daily)
    assert check.passed is None
    assert check.detail.startswith("There are 0 customers whose first three purchases are not on three days in a row")
    others = log(1.0, 30.0, customers=400)
    three = check_regularity(others).detail.split()[1]
    both = pd.concat([daily, others.assign(customer_id=others["customer_id"] + 1_000)])
    assert check_regularity(both).detail.split()[1] == three


def test_only_what_is_observed_counts() -> None:
    check = check_regularity(rm.read_transactions(log(1.0, 30.0)).window(observation_end="2024-01-05"))
    assert check.passed is None


def test_the_limit_is_a_gamma_shape_of_two_and_a_half() -> None:
    assert (3 - REGULAR) / (2 * REGULAR) == 2.5
