"""A simulated company with five efforts to keep its customers: what it wrote down, what it measured, and the truth.

Three letters and a welcome are tested in a simulated shop. A club is open to everybody and was never tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_number, require_whole
from retention_models.core.formatting import Presentation
from retention_models.scenario.mailing import CONTROL, Arm, Trial
from retention_models.scenario.shop import Retail, retail

NEWSLETTER, LETTER, COUPON, WELCOME, CLUB = "newsletter", "personal letter", "coupon", "welcome call", "club"
ARMS = {NEWSLETTER: Arm(), LETTER: Arm(gain=0.25), COUPON: Arm(gain=0.03, pulled_forward=0.5, redeemed=0.9)}
WELCOMES = {WELCOME: Arm(gain=0.25)}
CLUBS = {CLUB: Arm(gain=0.05)}
COSTS = {NEWSLETTER: 0.05, LETTER: 0.6, COUPON: 0.5, WELCOME: 1.5, CLUB: 0.8}  # of a contact
REDEMPTION = {COUPON: 8.0}  # of a coupon that is used
FIXED = {NEWSLETTER: 2_000.0, LETTER: 1_000.0, COUPON: 1_000.0, WELCOME: 3_000.0, CLUB: 20_000.0}  # a year
REPEATS = {NEWSLETTER: 4.0, LETTER: 4.0, COUPON: 4.0, WELCOME: 1.0, CLUB: 4.0}  # a year
ABOUT = {
    NEWSLETTER: ("e-mail", "CRM", "Ann", "e-mail"),
    LETTER: ("print", "CRM", "Ann", "letter"),
    COUPON: ("discount", "Sales", "Bob", "letter"),
    WELCOME: ("welcome", "Service", "Eve", "telephone"),
    CLUB: ("loyalty programme", "CRM", "", "store"),
}
STARTED = {
    NEWSLETTER: "2022-01-01",
    LETTER: "2023-09-01",
    COUPON: "2021-05-01",
    WELCOME: "2024-02-01",
    CLUB: "2019-03-01",
}


@dataclass(frozen=True, eq=False, repr=False)
class Company(Presentation):
    """A simulated company: its shop, the register of its efforts, and the true value of each.

    Attributes
    ----------
    shop
        The purchase log with the two experiments: the mailing (newsletter, personal letter, coupon) and the welcome.
    efforts
        The register as people would write it, one row an effort, as ``read_register`` takes it.
    costs
        Indexed by effort: ``contact`` (cost of a contact), ``redemption`` (cost of a coupon that is used), ``reach``
        (customers a year), ``repeats`` (how often a year), ``fixed`` (cost a year).
    margin
        Share of the amount that is earned.
    truth
        Indexed by effort: ``value`` (true value per treated customer within the horizon, net of its cost) and
        ``annual_value`` (of a year at full reach, net of all costs).
    """

    shop: Retail
    efforts: pd.DataFrame
    costs: pd.DataFrame
    margin: float
    truth: pd.DataFrame

    def trial(self, effort: str) -> Trial:
        """The experiment in which an effort was tested.

        Parameters
        ----------
        effort
            Name of the effort.

        Returns
        -------
        Trial
            The mailing, or the welcome.

        Raises
        ------
        ValueError
            When the effort was never tested.
        """
        for trial in (self.shop.mailing, self.shop.onboarding):
            if effort in trial.effects.index:
                return trial
        raise ValueError(f"{effort!r} was never tested; tested are {', '.join(self.truth.index.drop(CLUB))}")


def company(
    model: Any,
    rng: int | np.random.Generator | None,
    *,
    customers: int = 40_000,
    new_customers: int = 8_000,
    gains: Mapping[str, float] | None = None,
    margin: float = 0.4,
    reach: int = 40_000,
) -> Company:
    """A simulated company with five efforts: two that pay, one without effect, one that loses money, one untested.

    Parameters
    ----------
    model
        A purchase model with ``simulate`` and ``conditional_on_alive``, such as ``ParetoNBD(...)``, in weeks.
    rng
        Source of randomness: a seed, a numpy Generator, or None for a new one.
    customers
        Number of customers in the mailing. By default 40,000.
    new_customers
        Number of new customers in the welcome. By default 8,000.
    gains
        Probability of an additional purchase by each effort, in place of the default. Efforts that are not named keep
        theirs.
    margin
        Share of the amount that is earned. By default 0.4.
    reach
        Customers a year that a letter or the club reaches; the welcome reaches a fifth. By default 40,000.

    Returns
    -------
    Company
        The logs, the register and the truth.

    Raises
    ------
    ValueError
        When a number is not valid, or ``gains`` names no effort.

    Examples
    --------
    >>> import retention_models as rm
    >>> model = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
    >>> business = rm.scenario.company(model, 1, customers=4_000, new_customers=1_000)
    >>> (business.truth["annual_value"] / 1_000).round().astype(int).to_dict()
    {'newsletter': -10, 'personal letter': 200, 'coupon': -157, 'welcome call': 10, 'club': -96}
    """
    require_whole("reach", reach, 5)
    require_number("margin", margin, 0, 1)
    arms = {name: arm for group in (ARMS, WELCOMES, CLUBS) for name, arm in group.items()}
    unknown = [name for name in gains or {} if name not in arms]
    if unknown:
        raise ValueError(f"gains names {unknown[0]!r}, which is no effort; there are {', '.join(arms)}")
    arms = {name: replace(arm, gain=(gains or {}).get(name, arm.gain)) for name, arm in arms.items()}
    rng = np.random.default_rng(rng)
    mailed, welcomed, clubs = ({name: arms[name] for name in group} for group in (ARMS, WELCOMES, CLUBS))
    sizes: dict[str, Any] = {"customers": customers, "new_customers": new_customers}
    shop = retail(model, rng, arms={CONTROL: Arm()} | mailed, welcome={CONTROL: Arm()} | welcomed, **sizes)
    untested = retail(model, rng, arms={CONTROL: Arm()} | clubs, customers=customers, new_customers=0)
    costs = _costs(reach)
    effects = pd.concat([shop.mailing.effects, shop.onboarding.effects, untested.mailing.effects]).loc[list(arms)]
    value = margin * effects["amount"] - costs["contact"] - costs["redemption"] * effects["redeemed"]
    annual = value * costs["reach"] * costs["repeats"] - costs["fixed"]
    truth = pd.DataFrame({"value": value, "annual_value": annual}).rename_axis("effort")
    return Company(shop, _register(costs), costs, margin, truth)


def _costs(reach: int) -> pd.DataFrame:
    """Costs and reach of each effort."""
    named = {"contact": COSTS, "fixed": FIXED, "repeats": REPEATS}
    costs = pd.DataFrame(named).rename_axis("effort")
    costs["redemption"] = [REDEMPTION.get(str(name), 0.0) for name in costs.index]
    costs["reach"] = [reach // 5 if name == WELCOME else reach for name in costs.index]
    return costs


def _register(costs: pd.DataFrame) -> pd.DataFrame:
    """The register as people would write it."""
    about = pd.DataFrame.from_dict(ABOUT, orient="index", columns=["kind", "department", "owner", "contact_point"])
    efforts = about.rename_axis("effort").reset_index()
    efforts["started"], efforts["ends"] = efforts["effort"].map(STARTED), "2025-12-31"
    efforts.loc[efforts["effort"] == CLUB, "ends"] = None
    efforts["review_date"] = "2026-03-31"
    row = costs.loc[efforts["effort"]].reset_index(drop=True)
    efforts["fixed_cost"], efforts["cost_per_contact"] = row["fixed"], row["contact"]
    efforts["contacts"], efforts["reach"] = row["reach"] * row["repeats"], row["reach"]
    return efforts
