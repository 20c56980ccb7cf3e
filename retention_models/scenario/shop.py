"""A simulated shop that mails its customers: the logs of an analyst, and the true effects.

Purchases follow a buy-till-you-die model up to the mailing and, for active customers, after it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_number, require_whole
from retention_models.core.arrays import Array
from retention_models.core.dates import read_day
from retention_models.core.formatting import Presentation
from retention_models.scenario.mailing import CONTROL, Arm, People, Trial, add_amounts, date_purchases, mail

MAILING = {
    CONTROL: Arm(),
    "generic": Arm(gain=0.02),
    "personal": Arm(gain=0.06),
    "coupon": Arm(gain=0.10, pulled_forward=0.5, redeemed=0.9),
}
WELCOME = {CONTROL: Arm(), "onboarding": Arm(gain=0.15)}
NEW_DAYS = 14  # days from the mailing on in which new customers come


@dataclass(frozen=True, eq=False, repr=False)
class Retail(Presentation):
    """A simulated shop: its purchase log, a mailing to all customers, and a welcome to new ones.

    Attributes
    ----------
    transactions
        Columns ``customer_id``, ``date`` (whole days), ``amount``, for old and new customers.
    mailing
        The randomised mailing to all earlier customers, on one day.
    onboarding
        The randomised welcome to new customers, on the day of their first purchase.
    horizon_days
        Length of the window of the true outcomes, in days.
    offer_days
        Days in which an offer could be used.
    """

    transactions: pd.DataFrame
    mailing: Trial
    onboarding: Trial
    horizon_days: int
    offer_days: int


def retail(
    model: Any,
    rng: int | np.random.Generator | None,
    *,
    customers: int = 20_000,
    new_customers: int = 4_000,
    time_unit: str = "W",
    arms: Mapping[str, Arm] = MAILING,
    welcome: Mapping[str, Arm] = WELCOME,
    history_days: int = 364,
    offer_days: int = 14,
    horizon_days: int = 56,
    delivered: float = 0.8,
    mailed_on: str = "2025-03-03",
    mean_amount: float = 40.0,
) -> Retail:
    """A simulated shop whose purchases follow a model, with randomised experiments of known effect.

    Parameters
    ----------
    model
        A purchase model with ``simulate`` and ``conditional_on_alive``, such as ``ParetoNBD(...)``, in ``time_unit``.
    rng
        Source of randomness: a seed, a numpy Generator, or None for a new one.
    customers
        Number of customers who first bought in the ``history_days`` before the mailing. By default 20,000.
    new_customers
        Number of customers who first buy in the two weeks from the mailing on. By default 4,000.
    time_unit
        Time unit of the model. By default ``"W"`` (weeks).
    arms
        Arms of the mailing, by name. An arm ``none`` (the control group) is required. Customers are assigned evenly. By
        default three letters and a control group.
    welcome
        Arms of the welcome to new customers, in the same form. By default one arm and a control group.
    history_days
        Length of the history before the mailing, in days. By default 364.
    offer_days
        Days in which an offer can be used. By default 14.
    horizon_days
        Length of the window of the true outcomes, in days. By default 56.
    delivered
        Share of letters that reach active customers; half that share reaches churned customers. By default 0.8.
    mailed_on
        Day of the mailing, as text.
    mean_amount
        Mean amount of a purchase. By default 40.

    Returns
    -------
    Retail
        The purchase log, the two experiments, and their true effects.

    Raises
    ------
    ValueError
        When a number or a day is not valid, an arm ``none`` is missing, or the window is not longer than the offer.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> model = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
    >>> shop = retail(model, np.random.default_rng(1), customers=2_000, new_customers=500)
    >>> shop.mailing.effects.round(3)
              purchases  bought  redeemed  amount
    arm
    generic       0.008   0.006     0.000   0.336
    personal      0.025   0.020     0.000   1.064
    coupon        0.052   0.041     0.128   2.150
    """
    require_whole("customers", customers, 1)
    require_whole("new_customers", new_customers, 0)
    require_whole("history_days", history_days, 1)
    require_number("mean_amount", mean_amount, 0, math.inf, inside=True)
    mailed_on = read_day("mailed_on", mailed_on).isoformat()
    _check_arguments(arms, welcome, offer_days, horizon_days, delivered)
    unit = 86_400 / pd.Timedelta(f"1{time_unit}").total_seconds()
    day, observed = pd.Timestamp(mailed_on), horizon_days + NEW_DAYS
    rng = np.random.default_rng(rng)
    past, old = _old_customers(model, rng.uniform(0, history_days, customers), day, observed, unit, rng)
    first, new = _new_customers(model, customers + np.arange(new_customers), day, observed, unit, rng)
    rules: dict[str, Any] = {"offer_days": offer_days, "horizon_days": horizon_days, "delivered": delivered}
    mailing, bought = mail(old, arms, rng, **rules)
    onboarding, bought_new = mail(new, welcome, rng, **rules)
    log = pd.concat([past, first, date_purchases(old, bought), date_purchases(new, bought_new)]).drop_duplicates()
    log = log.sort_values(["date", "customer_id"], ignore_index=True)
    typical = rng.gamma(4.0, mean_amount / 4.0, customers + new_customers)
    log["amount"] = np.maximum((typical[log["customer_id"]] * rng.gamma(6.0, 1 / 6.0, len(log))).round(2), 0.01)
    mailing, onboarding = (add_amounts(trial, typical) for trial in (mailing, onboarding))
    return Retail(log, mailing, onboarding, horizon_days, offer_days)


def _check_arguments(
    arms: Mapping[str, Arm], welcome: Mapping[str, Arm], offer_days: int, horizon_days: int, delivered: float
) -> None:
    require_whole("offer_days", offer_days, 0)
    require_whole("horizon_days", horizon_days, 1)
    require_number("delivered", delivered)
    if CONTROL not in arms or CONTROL not in welcome:
        raise ValueError(f"one arm must be called {CONTROL!r}: those who get nothing")
    if not 0 <= offer_days < horizon_days:
        raise ValueError(
            f"horizon_days ({horizon_days}) must be longer than offer_days ({offer_days}), which is 0 or more"
        )
    if not 0 < delivered <= 1:
        raise ValueError(f"delivered is a share, above 0; got {delivered!r}")


def _old_customers(
    model: Any, age: Array, day: pd.Timestamp, observed: int, unit: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, People]:
    """Purchases up to the mailing (``customer_id, date``), and what these customers would buy after it untouched."""
    log, state = _simulate_purchases(model, age * unit, rng)
    start = day - pd.Timedelta(float(age.max()), "D")
    date = (start + pd.to_timedelta(log["time"] / unit + (age.max() - age)[log["person"]], unit="D")).dt.floor("D")
    past = pd.DataFrame({"customer_id": log["person"], "date": date}).drop_duplicates()
    alive = state["alive"].to_numpy()
    history = (state.loc[alive, name].to_numpy() for name in ("frequency", "recency", "T"))
    then = model.conditional_on_alive(*history)
    ahead, _ = _simulate_purchases(then, np.full(int(alive.sum()), observed * unit), rng)
    purchases = _repeat_purchase_days(ahead.assign(person=np.flatnonzero(alive)[ahead["person"]]), unit, observed)
    return past, People(np.arange(len(age)), pd.DatetimeIndex([day] * len(age)), alive, purchases)


def _new_customers(
    model: Any, ids: NDArray[np.int64], day: pd.Timestamp, observed: int, unit: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, People]:
    """First purchases (``customer_id, date``) of new customers, and what they would buy after it untouched."""
    wait = rng.integers(0, NEW_DAYS, len(ids))
    log, _ = _simulate_purchases(model, np.asarray((observed - wait) * unit), rng)
    first = pd.DatetimeIndex(day + pd.to_timedelta(wait, unit="D"))
    purchases = _repeat_purchase_days(log, unit, observed - wait[log["person"]])
    return pd.DataFrame({"customer_id": ids, "date": first}), People(
        ids, first, np.ones(len(ids), dtype=bool), purchases
    )


def _simulate_purchases(model: Any, T: Array, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Purchases as ``person, time`` since their first, in the model's unit, and the customers they belong to."""
    seed = int(rng.integers(2**63))
    state = model.simulate(T, np.random.default_rng(seed))
    log = model.simulate_transactions(T, np.random.default_rng(seed), start="2000-01-01", time_unit="D")
    days = (log["date"] - log.groupby("customer_id")["date"].transform("min")) / pd.Timedelta(1, "D")
    return pd.DataFrame({"person": log["customer_id"], "time": days}), state


def _repeat_purchase_days(log: pd.DataFrame, unit: float, observed: NDArray[np.int64] | int) -> pd.DataFrame:
    """Repeat purchases by day, from the day after the first on, one a day at most, in order."""
    day = np.ceil(log["time"] / unit).astype(int)
    repeat = log.assign(day=day)[(day > 0) & (day <= observed)]
    return repeat[["person", "day"]].drop_duplicates().sort_values(["person", "day"], ignore_index=True)
