"""A randomised mailing on simulated purchases: the outcome under each arm, and the observed outcome.

The purchases of each customer are simulated under every arm with the same random draws, so the effect on each is known.
The analyst sees the outcome of the assigned arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.formatting import Presentation

CONTROL = "none"
MEASURES = ("purchases", "bought", "redeemed", "amount")
LOST_WITH_THE_GONE = 0.5  # share of letters that still arrive with customers who have left, compared with the others


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Arm(Presentation):
    """Effects of one arm of a simulated mailing, on active customers who receive the letter.

    Attributes
    ----------
    gain
        Probability of one additional purchase within the days of the offer.
    pulled_forward
        Probability that the first purchase after the offer moves into its days (pull-forward), which adds no purchase.
    redeemed
        Probability that a purchase within the days of the offer uses the coupon.

    Raises
    ------
    ValueError
        When a value is not a probability.
    """

    gain: float = 0.0
    pulled_forward: float = 0.0
    redeemed: float = 0.0

    def __post_init__(self) -> None:
        for name in ("gain", "pulled_forward", "redeemed"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a chance, from 0 to 1; got {getattr(self, name)!r}")


@dataclass(frozen=True, eq=False, repr=False)
class Trial(Presentation):
    """A randomised experiment in a simulated shop: the data of an analyst, and the truth.

    Attributes
    ----------
    assignments
        One row per customer: ``customer_id``, ``assigned`` (day), ``arm``.
    contacts
        Letters received: ``customer_id``, ``date``, ``campaign``. Some letters get lost, more of them to churned
        customers.
    redemptions
        Coupons used: ``customer_id``, ``date``.
    truth
        Indexed by ``customer_id``: ``arm``, ``alive`` (at the assignment) and ``delivered`` (whether a letter would
        arrive). For each arm, the outcomes under it within the horizon: ``purchases_<arm>`` (days with a purchase) and
        ``bought_<arm>`` (0 or 1), ``redeemed_<arm>`` (expected coupons used) and, with money, ``amount_<arm>``
        (expected spend).
    assigned_by
        Who decided about the arms: ``"random"``.
    """

    assignments: pd.DataFrame
    contacts: pd.DataFrame
    redemptions: pd.DataFrame
    truth: pd.DataFrame
    assigned_by: str = "random"

    @property
    def rows(self) -> pd.DataFrame:
        """The assignments with ``received`` (0 or 1) and ``redeemed`` (number of coupons used)."""
        ids = self.assignments["customer_id"]
        used = ids.map(self.redemptions["customer_id"].value_counts()).fillna(0).astype(int)
        return self.assignments.assign(received=ids.isin(self.contacts["customer_id"]).astype(int), redeemed=used)

    @property
    def effects(self) -> pd.DataFrame:
        """True mean effect of each arm on all assigned customers (intention to treat).

        Indexed by arm: ``purchases``, ``bought``, ``redeemed`` and, with money, ``amount``.
        """
        return _mean_effects(self.truth)

    @property
    def effects_of_receiving(self) -> pd.DataFrame:
        """True mean effect of each arm on the customers whom a letter reaches; columns as in ``effects``."""
        return _mean_effects(self.truth[self.truth["delivered"]])

    @property
    def _labels(self) -> dict[str, pd.DataFrame]:
        """What stands behind an arm in an effect's name, and the true effects that it is about."""
        receiving = self.effects_of_receiving
        return {"": self.effects, ", received": receiving, ", received, naive": receiving}

    def beside(self, table: pd.DataFrame) -> pd.DataFrame:
        """The truth beside estimates, and whether their intervals hold the truth.

        Parameters
        ----------
        table
            The table of ``evidence_table(...)``. Rows without a known truth are left out.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``intervention`` and ``outcome``: ``truth``, ``estimate``, ``estimate_lower``,
            ``estimate_upper``, and ``holds`` (whether the interval holds the truth). Estimates of receiving a letter
            (``coupon, received``) are compared with the effect on customers whom a letter reaches.
        """
        labels = {f"{arm}{label}": (arm, of) for arm in self.effects.index for label, of in self._labels.items()}
        known = table[table["outcome"].isin(self.effects.columns) & table["intervention"].isin(labels)]
        cells = zip(known["intervention"].map(labels), known["outcome"], strict=True)
        return truth_beside(known, [float(effects.loc[arm, outcome]) for (arm, effects), outcome in cells])


def truth_beside(table: pd.DataFrame, truth: Sequence[float]) -> pd.DataFrame:
    """Estimates of an evidence table, with the truth of each and whether the interval holds it."""
    shown = table.set_index(["intervention", "outcome"])[["estimate", "lower", "upper"]].assign(truth=list(truth))
    shown = shown.assign(holds=shown["truth"].between(shown["lower"], shown["upper"]))
    columns = {"truth": "truth", "estimate": "estimate", "lower": "estimate_lower", "upper": "estimate_upper"}
    return shown[[*columns, "holds"]].rename(columns=columns)


def _mean_effects(truth: pd.DataFrame) -> pd.DataFrame:
    """What each arm changed on average, by the purchases of these customers under every arm."""
    arms = [str(name).removeprefix("purchases_") for name in truth if str(name).startswith("purchases_")]
    known = [what for what in MEASURES if f"{what}_{CONTROL}" in truth]
    rows = {
        arm: {what: (truth[f"{what}_{arm}"] - truth[f"{what}_{CONTROL}"]).mean() for what in known}
        for arm in arms
        if arm != CONTROL
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=known).rename_axis("arm")


@dataclass(frozen=True, eq=False)
class People:
    """Customers about to be assigned, and what they would buy untouched.

    ``customer_id``, ``assigned`` (a day) and ``alive`` have shape (n,); ``purchases`` has one row a purchase:
    ``person`` (0 to n - 1) and ``day`` after the assignment, from 1.
    """

    customer_id: NDArray[np.int64]
    assigned: pd.DatetimeIndex
    alive: NDArray[np.bool_]
    purchases: pd.DataFrame


def mail(
    people: People,
    arms: Mapping[str, Arm],
    rng: np.random.Generator,
    *,
    offer_days: int,
    horizon_days: int,
    delivered: float,
) -> tuple[Trial, pd.DataFrame]:
    """A trial on these customers, and the purchases that were seen: ``person, day``."""
    n = len(people.alive)
    drawn = np.array(list(arms))[rng.permutation(np.resize(np.arange(len(arms)), n))]
    arrives = rng.random(n) < delivered * np.where(people.alive, 1.0, LOST_WITH_THE_GONE)
    draws = _SharedDraws.draw(n, offer_days, rng)
    potential_outcomes = {
        name: _purchases_under_arm(people.purchases, arm, arrives & people.alive, draws, offer_days)
        for name, arm in arms.items()
    }
    truth = pd.DataFrame({"arm": drawn, "alive": people.alive, "delivered": arrives})
    for name, purchases in potential_outcomes.items():
        inside = purchases.loc[purchases["day"] <= horizon_days, "person"]
        truth[f"purchases_{name}"] = np.bincount(inside, minlength=n)
        truth[f"bought_{name}"] = (truth[f"purchases_{name}"] > 0).astype(int)
        offered = purchases.loc[purchases["day"] <= offer_days, "person"]
        sent_to = arrives if name != CONTROL else np.zeros(n)
        truth[f"redeemed_{name}"] = arms[name].redeemed * sent_to * np.bincount(offered, minlength=n)
    seen = pd.concat([world[drawn[world["person"]] == name] for name, world in potential_outcomes.items()])
    sent = arrives & (drawn != CONTROL)
    used_by = np.array([arms[name].redeemed for name in drawn]) * sent
    used = seen[(seen["day"] <= offer_days) & (rng.random(len(seen)) < used_by[seen["person"]])]
    ids, days = people.customer_id, people.assigned
    trial = Trial(
        pd.DataFrame({"customer_id": ids, "assigned": days, "arm": drawn}),
        pd.DataFrame({"customer_id": ids[sent], "date": days[sent], "campaign": drawn[sent]}),
        date_purchases(people, used).rename(columns={"day": "date"}),
        truth.set_index(pd.Index(ids, name="customer_id")),
    )
    return trial, seen


def add_amounts(trial: Trial, typical: NDArray[np.float64]) -> Trial:
    """The trial with what purchases are expected to amount to, each customer's being around what is typical."""
    truth = trial.truth
    counted = [str(name) for name in truth if str(name).startswith("purchases_")]
    amounts = {
        f"amount_{name.removeprefix('purchases_')}": truth[name] * typical[truth.index.to_numpy()] for name in counted
    }
    return replace(trial, truth=truth.assign(**amounts))


def date_purchases(people: People, purchases: pd.DataFrame) -> pd.DataFrame:
    """Purchases as ``customer_id, date``."""
    person = purchases["person"].to_numpy()
    date = people.assigned[person] + pd.to_timedelta(purchases["day"].to_numpy(), unit="D")
    return pd.DataFrame({"customer_id": people.customer_id[person], "date": date})


@dataclass(frozen=True, slots=True)
class _SharedDraws:
    """What chance holds for each customer, the same under every arm; shape (n,) each."""

    gain: NDArray[np.float64]
    gain_day: NDArray[np.int64]
    pull: NDArray[np.float64]
    pull_day: NDArray[np.int64]

    @classmethod
    def draw(cls, n: int, offer_days: int, rng: np.random.Generator) -> _SharedDraws:
        """Chances from 0 to 1, and days within the offer."""
        last = max(offer_days, 1) + 1
        return cls(rng.random(n), rng.integers(1, last, n), rng.random(n), rng.integers(1, last, n))


def _purchases_under_arm(
    purchases: pd.DataFrame, arm: Arm, reached: NDArray[np.bool_], draws: _SharedDraws, offer_days: int
) -> pd.DataFrame:
    """The purchases as an arm would have made them, one a day at most."""
    later = purchases[purchases["day"] > offer_days].drop_duplicates("person")
    person = later["person"].to_numpy()
    pulled = later.index[(reached & (draws.pull < arm.pulled_forward))[person]]
    day = purchases["day"].copy()
    day.loc[pulled] = draws.pull_day[purchases.loc[pulled, "person"]]
    gained = np.flatnonzero(reached & (draws.gain < arm.gain))
    more = pd.DataFrame({"person": gained, "day": draws.gain_day[gained]})
    world = pd.concat([purchases.assign(day=day), more], ignore_index=True)
    return world.drop_duplicates().sort_values(["person", "day"], ignore_index=True)
