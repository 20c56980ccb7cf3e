"""Ten kinds of simulated shop, whose purchase rate moves in ways that the models do not know.

Customers are those of an MBG/NBD, with amounts that vary within and between them. Each kind but the first three breaks
the models in the way of its name. Times are in weeks from the first day of the log.

How strong season (25 to 50 %) and decline (14 to 30 % a year) are was chosen so that mean errors are about those of the
logs on which the range was tried. Under a decline of 26 to 50 % a year the 80 % ranges hold about .60.
"""

import numpy as np
import pandas as pd

WEEKS, YEAR = 144, 52.0
KINDS = (
    "stationary",
    "cohort",
    "growth",
    "season",
    "season and growth",
    "clumpy",
    "price change",
    "decline",
    "shocks",
    "promotions",
)
START = pd.Timestamp("2022-01-03")


def shop(kind, rng, customers=1500):
    """The purchase log of a shop: ``customer_id``, ``date``, ``amount``."""
    born = first_days(kind, rng, customers)
    rate = rng.gamma(0.8, 1 / 8, customers) * (3 if kind == "clumpy" else 1)
    grid = np.arange(WEEKS * 7 + 1) / 7
    price = prices(rng, grid) if kind == "price change" else np.ones_like(grid)
    reached = np.r_[0, np.cumsum(factor(kind, rng, grid[:-1]) * price[:-1] ** -0.5 / 7)]
    since = np.interp(born, grid, reached)
    who = np.repeat(np.arange(customers), rng.poisson(rate * (reached[-1] - since)))
    when = np.interp(rng.uniform(since[who], reached[-1]), reached, grid)
    if kind == "clumpy":
        who, when = clumps(rng, who, when, born)
    who, when = before_dropout(rng.geometric(rng.beta(1.0, 4.0, customers)), who, when)
    who, when = np.r_[np.arange(customers), who], np.r_[born, when]
    typical = 40 * rng.gamma(5.0, 1 / 5, customers)
    amount = typical[who] * rng.gamma(3.0, 1 / 3, len(who)) * np.interp(when, grid, price)
    date = START + pd.to_timedelta(np.floor(when * 7).astype(int), "D")
    log = pd.DataFrame({"customer_id": who, "date": date, "amount": amount.round(2) + 0.01})
    return log.sort_values(["date", "customer_id"], ignore_index=True)


def before_dropout(last, who, when):
    """The repeat purchases until customers leave: after purchase number ``last``, the first one counted."""
    order = np.lexsort([when, who])
    who, when = who[order], when[order]
    number = np.arange(len(who)) - np.searchsorted(who, who) + 2
    kept = number <= last[who]
    return who[kept], when[kept]


def first_days(kind, rng, customers):
    """When customers come: in the first quarter (cohort), evenly, or ever more of them (growth)."""
    share = np.r_[0.0, rng.uniform(size=customers - 1)]  # the log begins on its first day
    if kind == "cohort":
        return 13 * share
    if "growth" in kind:
        return WEEKS * np.log1p(share * (np.e**1.5 - 1)) / 1.5
    return WEEKS * share


def factor(kind, rng, week):
    """The factor of all purchase rates in each week."""
    if "season" in kind:
        peak = rng.uniform(0, YEAR)
        return np.exp(rng.uniform(0.25, 0.5) * np.cos(2 * np.pi * (week - peak) / YEAR))
    if kind == "decline":
        return np.exp(-rng.uniform(0.15, 0.35) * week / YEAR)
    if kind == "shocks":
        starts = rng.uniform(0, WEEKS, 6)
        sizes = np.exp(rng.normal(0, 0.5, 6))
        return np.prod(
            [np.where((week >= a) & (week < a + 6), size, 1.0) for a, size in zip(starts, sizes, strict=True)], 0
        )
    if kind == "promotions":
        since = (week - rng.uniform(0, 9)) % rng.uniform(7, 11)
        return np.where(since < 1, 3.0, np.where(since < 3, 0.6, 1.0))
    return np.ones_like(week)


def prices(rng, week):
    """The factor of amounts in each week: prices change once, by a fifth down or a quarter up."""
    return np.where(week < rng.uniform(30, 130), 1.0, rng.choice([0.8, 1.25]))


def clumps(rng, who, when, born):
    """The purchases that remain where each customer buys by spells: about 6 weeks on, 12 weeks off."""
    spells = rng.exponential([6.0, 12.0] * 20, (len(born), 40)).cumsum(axis=1) - rng.uniform(0, 6, (len(born), 1))
    since = when - born[who]
    keep = (spells[who] < since[:, None]).sum(axis=1) % 2 == 0
    return who[keep], when[keep]
