"""A stranger's file in one line: five businesses of different shapes, made for the purpose, and input that is hostile."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

DAY = np.timedelta64(1, "D")
HOSTILE = ('<img src=x onerror="alert(1)">', '=HYPERLINK("http://x","y")', "$\\frac{", "@SUM(1)", "Zoë & Søn; -1")


def daily_coffee(rng: np.random.Generator) -> pd.DataFrame:
    """A coffee bar: regulars on most weekdays, sometimes twice a day; times of day; few euros."""
    rows = []
    for customer in range(400):
        start, chance, stays = rng.integers(0, 90), rng.beta(1.5, 3), rng.exponential(120)
        days = np.arange(start, min(180, start + stays)).astype(int)
        open_days = days[(days % 7 < 5) | (rng.random(len(days)) < 0.2)]
        visits = np.r_[start, open_days[rng.random(len(open_days)) < chance]]
        twice = visits[rng.random(len(visits)) < 0.15]
        moments = np.concatenate([visits * 1440 + rng.integers(420, 660, len(visits)), twice * 1440 + 840])
        rows.append(pd.DataFrame({"user": f"card-{customer:04d}", "minute": moments}))
    log = pd.concat(rows)
    log["ts"] = pd.Timestamp("2024-03-04") + pd.to_timedelta(log.pop("minute"), unit="min")
    return log.assign(total=rng.choice([2.5, 2.9, 3.4, 4.2], len(log)))


def yearly_renewals(rng: np.random.Generator) -> pd.DataFrame:
    """Insurance paid once a year, near the anniversary, by four fifths each time; five years of it."""
    start = rng.integers(0, 5 * 365, 3_000)
    year = np.arange(5)
    kept = (rng.random((3_000, 5)) < 0.8).cumprod(axis=1).astype(bool)
    kept = np.c_[np.ones(3_000, dtype=bool), kept[:, :-1]]
    day = start[:, None] + 365 * year + rng.integers(-6, 7, (3_000, 5)) * (year > 0)
    premium = rng.gamma(9, 50, 3_000).round(2)[:, None] * 1.03**year
    customer = np.broadcast_to(np.arange(3_000)[:, None], day.shape)
    seen = kept & (day < 5 * 365)
    return pd.DataFrame(
        {"user": customer[seen], "ts": np.datetime64("2019-01-01") + day[seen] * DAY, "total": premium[seen].round(2)}
    )


def wholesaler(rng: np.random.Generator) -> pd.DataFrame:
    """Eighty accounts that order about weekly, credit notes among it, and one that is a third of everything."""
    rows = []
    names = [*HOSTILE, *(f"Account {n:02d}" for n in range(75))]
    for number, name in enumerate(names):
        every, stays = rng.gamma(4, 2), rng.exponential(700)
        gaps = rng.gamma(2, every / 2, 400) if number else np.full(800, 0.8)
        days = rng.integers(0, 60) + np.r_[0, np.cumsum(gaps)]
        days = days[days < min(540, stays + 100)] if number else days[days < 540]
        amount = rng.lognormal(5.5, 0.6) * rng.lognormal(0, 0.4, len(days)) * (1 if number else 8)
        amount[rng.random(len(days)) < 0.03] *= -1
        rows.append(pd.DataFrame({"user": name, "ts": days.astype(int), "total": amount.round(2)}))
    log = pd.concat(rows)
    log["ts"] = (pd.Timestamp("2023-01-02") + pd.to_timedelta(log["ts"], unit="D")).dt.strftime("%Y-%m-%d")
    return log


def disguised_subscription(rng: np.random.Generator) -> pd.DataFrame:
    """A box a month, charged on the same day of the month until it is cancelled."""
    months = rng.geometric(0.07, 1_500)
    customer = np.repeat(np.arange(1_500), months)
    paid = np.arange(len(customer)) - np.repeat(np.cumsum(months) - months, months)
    month = np.datetime64("2022-06", "M") + rng.integers(0, 24, 1_500)[customer] + paid
    day = month.astype("datetime64[D]") + rng.integers(0, 28, 1_500)[customer]
    log = pd.DataFrame({"user": customer, "ts": day, "total": np.where(customer % 3 == 0, 19.99, 9.99)})
    return log[day < np.datetime64("2024-06-01")]


def one_month(rng: np.random.Generator) -> pd.DataFrame:
    """A shop's export of the last thirty days."""
    count = rng.geometric(0.5, 1_200)
    days = rng.uniform(0, 30, count.sum())
    log = pd.DataFrame({"user": np.repeat(np.arange(1_200), count), "ts": days.astype(int)})
    log["ts"] = (pd.Timestamp("2024-05-01") + pd.to_timedelta(log["ts"], unit="D")).dt.strftime("%Y-%m-%d")
    return log.assign(total=rng.gamma(2, 15, len(log)).round(2))


SHAPES: tuple[Callable[[np.random.Generator], pd.DataFrame], ...] = (
    daily_coffee,
    yearly_renewals,
    wholesaler,
    disguised_subscription,
    one_month,
)
