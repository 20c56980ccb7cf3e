"""A simulated subscription business: the logs of an analyst, and the true causes of churn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from retention_models.core.arguments import require_type, require_whole
from retention_models.core.formatting import Presentation
from retention_models.scenario.adoption import adoption_survival
from retention_models.scenario.churn_process import CAUSES, Rules, SimulatedSpells
from retention_models.scenario.mailing import truth_beside

PLANS, CHANNELS = ("basic", "premium"), ("ads", "friends", "search")
OFFER, CONTROL = "offer", "none"
RULES = Rules()
SLOW_DAYS = 14, 41  # days that a slow resolution takes, the last one not included
PATHS = 10  # of complaints to come
SELF_SERVICE = "self_service"  # kind of these contacts
TRUTHS: dict[str, Callable[[pd.DataFrame, float], pd.DataFrame]] = {  # from the renewals that customers would make
    "still a customer": lambda renewals, horizon: (renewals >= horizon).astype(float),
    "time as a customer": lambda renewals, horizon: (renewals + 1).clip(upper=horizon),
}


@dataclass(frozen=True, eq=False, repr=False)
class Subscriptions(Presentation):
    """A simulated subscription business: the logs of an analyst, and the truth.

    Attributes
    ----------
    contracts
        Columns ``customer_id``, ``start``, ``end`` (missing if active), ``cause``, ``plan``, ``channel``. A customer
        who comes back has a second row.
    complaints
        Columns ``customer_id``, ``date``, ``resolved``.
    offers
        The randomised retention offer to all active customers of one day: ``customer_id``, ``assigned``, ``arm``.
    calendar
        Columns ``calendar`` (month, as text), ``price_rise`` and ``competitor`` (0 or 1), ``season`` (-1 to 1).
    observation_end
        Last day of the logs, as text.
    chances
        Churn probability of each customer per renewal without other causes, by ``customer_id``.
    renewals
        For the customers of the offer experiment, by ``customer_id``: renewals within the effect of the offer that each
        would make in the arm ``none`` and in the arm ``offer``.
    rules
        How customers churn.
    assigned_by
        Who decided about the arms of the offer: ``"random"``.
    self_service
        Customers who adopted self-service by their own choice: ``customer_id, date, kind``, as ``read_contacts`` takes
        them. Empty by default. Customers who come back do not adopt it.
    adoption_survival
        Mean probability of these customers to be active after each of the twelve renewals that follow, by policy:
        ``adopted``; ``adopting_later`` (not in that month, later as other customers do); ``never``. Adoptions in the
        last twelve months of the log do not count. Missing values where nobody counts.
    """

    contracts: pd.DataFrame
    complaints: pd.DataFrame
    offers: pd.DataFrame
    calendar: pd.DataFrame
    observation_end: str
    chances: pd.Series
    renewals: pd.DataFrame
    rules: Rules = RULES
    assigned_by: str = "random"
    self_service: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["customer_id", "date", "kind"]))
    adoption_survival: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def adoption_truth(self) -> pd.DataFrame:
        """True effect of self-service on the customers who adopted it: the difference of shares of active customers.

        Indexed by the number of renewals after it. The column ``as_joined`` compares with adopting later as other
        customers do, ``never_joined`` with not adopting. Sums over renewals are differences of months as a customer.
        """
        means = self.adoption_survival
        compared = {"as_joined": "adopting_later", "never_joined": "never"}
        return pd.DataFrame({name: means["adopted"] - means[policy] for name, policy in compared.items()})

    @property
    def events(self) -> dict[str, list[str]]:
        """Months of price rises, of offers by competitors and of the own offer, as ``logs.with_events`` takes them."""
        named = {name: self.calendar.loc[self.calendar[name] == 1, "calendar"] for name in ("price_rise", "competitor")}
        if len(self.offers) and self.rules.offer_effect:
            offered = self.offers["assigned"].iloc[0].strftime("%Y-%m")
            later = self.calendar.loc[self.calendar["calendar"] >= offered, "calendar"]
            named["retention_offer"] = later.head(self.rules.offer_renewals)
        return {name: months.tolist() for name, months in named.items() if len(months)}

    @property
    def offer_effect(self) -> float:
        """True mean effect of the offer, in renewals per customer of the experiment."""
        return float((self.renewals[OFFER] - self.renewals[CONTROL]).mean())

    @property
    def offer_rows(self) -> pd.DataFrame:
        """The offers with ``tenure`` and ``churned``, as ``contract_experiment`` takes them.

        ``tenure`` is the number of months, also begun ones, from the assignment to the end of the contract or of the
        log; ``churned`` is 1 if the contract ended.
        """
        first = self.contracts.drop_duplicates("customer_id").set_index("customer_id")
        end = self.offers["customer_id"].map(first["end"])
        last = end.fillna(pd.Timestamp(self.observation_end)).dt.to_period("M")
        begun = last.astype("int64") - self.offers["assigned"].dt.to_period("M").astype("int64") + 1
        return self.offers.assign(tenure=begun, churned=end.notna().astype(int))

    def expected_survival(self, renewals: int, *, rng: int | np.random.Generator | None = 0) -> pd.DataFrame:
        """True probability of each active customer to be active after each coming renewal, without new events.

        Parameters
        ----------
        renewals
            Number of renewals ahead, a month each.
        rng
            Source of randomness for future complaints. The result is the mean of ten runs. By default 0.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``customer_id``, with the columns 1 to ``renewals``. No price rises, no offers by competitors and
            no retention offer are to come, and nobody else adopts self-service; the season and the complaints go on.
        """
        require_whole("renewals", renewals, 1)
        rng = np.random.default_rng(rng)
        known, quiet = len(self.calendar), replace(self.rules, price_months=(), competitor_months=())
        calendar = _calendar(known + renewals, str(self.calendar["calendar"].iloc[0]), quiet)
        active = self.contracts[self.contracts["end"].isna()]
        person = active["customer_id"].to_numpy()
        chosen = pd.to_datetime(self.self_service.set_index("customer_id")["date"]).reindex(person)
        has_it = chosen.to_numpy() >= active["start"].to_numpy()
        churn = 1 - self.rules.self_service * has_it[:, None]
        before = self._recent_complaints(person)
        survival = np.zeros((len(person), renewals))
        for _ in range(PATHS):
            coming = SimulatedSpells.draw(
                person, np.zeros(len(person), dtype=np.int64), self.chances.to_frame("chance"), renewals, quiet, rng
            )
            slow, fast = (
                np.hstack([early, late]) for early, late in zip(before, (coming.slow, coming.fast), strict=True)
            )
            survival += replace(coming, slow=slow, fast=fast).survival(calendar, quiet, known) ** churn
        return pd.DataFrame(survival / PATHS, pd.Index(person, name="customer_id"), range(1, renewals + 1))

    def _recent_complaints(self, person: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
        """Whether these customers made a complaint in each month with a slow, and with a fast resolution."""
        months = pd.PeriodIndex(self.calendar["calendar"], freq="M")
        theirs = self.complaints[self.complaints["customer_id"].isin(person)]
        month = months.get_indexer(pd.PeriodIndex(theirs["date"], freq="M"))
        row = pd.Index(person).get_indexer(pd.Index(theirs["customer_id"]))
        is_slow = ((theirs["resolved"] - theirs["date"]).dt.days >= SLOW_DAYS[0]).to_numpy()
        made = [np.zeros((len(person), len(months)), dtype=bool) for _ in range(2)]
        for table, of_kind in zip(made, (is_slow, ~is_slow), strict=True):
            table[row[of_kind], month[of_kind]] = True
        return made

    def beside(self, table: pd.DataFrame) -> pd.DataFrame:
        """The truth of the offer beside estimates, and whether their intervals hold the truth.

        Parameters
        ----------
        table
            The table of ``evidence_table(...)``, with a horizon in months within the effect of the offer. Rows without
            a known truth are left out.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``intervention`` and ``outcome``: ``truth``, ``estimate``, ``estimate_lower``,
            ``estimate_upper``, and ``holds``.
        """
        known = table[(table["intervention"] == OFFER) & table["outcome"].isin(TRUTHS)]
        pairs = zip(known["outcome"], known["horizon"], strict=True)
        worlds = [TRUTHS[outcome](self.renewals, float(horizon)) for outcome, horizon in pairs]
        return truth_beside(known, [float((world[OFFER] - world[CONTROL]).mean()) for world in worlds])


def subscriptions(
    rng: int | np.random.Generator | None,
    *,
    customers: int = 10_000,
    months: int = 48,
    opened: str = "2021-01",
    offer_month: int = 36,
    rules: Rules = RULES,
) -> Subscriptions:
    """A simulated business of monthly contracts, with causes of churn and a randomised retention offer.

    Parameters
    ----------
    rng
        Source of randomness: a seed, a numpy Generator, or None for a new one.
    customers
        Number of new customers over all months. By default 10,000.
    months
        Number of months observed. By default 48.
    opened
        First month, as text such as ``"2021-01"``.
    offer_month
        Month of the offer experiment, counted from 0. By default 36.
    rules
        How customers churn. By default ``Rules()``.

    Returns
    -------
    Subscriptions
        The logs of contracts, complaints and offers, and the truth.

    Raises
    ------
    ValueError
        When a number is not valid, or the effect of the offer lasts beyond the months observed.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=3_000)
    >>> business.contracts["cause"].value_counts().head(3).to_dict()
    {'no need': 1403, 'payment': 242, 'service': 121}
    >>> round(business.offer_effect, 2)
    0.37
    """
    require_type("rules", rules, Rules)
    for name, value in (("customers", customers), ("months", months), ("offer_month", offer_month)):
        require_whole(name, value, 1)
    if not offer_month <= months - rules.offer_renewals:
        raise ValueError(
            f"the offer of month {offer_month} works on {rules.offer_renewals} renewals, "
            f"and {months} months are observed"
        )
    rng = np.random.default_rng(rng)
    people, calendar = _people(customers, rules, rng), _calendar(months, opened, rules)
    start = rng.integers(0, months, customers)
    first = SimulatedSpells.draw(np.arange(customers), start, people, months, rules, rng, adopts=True)
    offered = range(offer_month, offer_month + rules.offer_renewals)
    potential_outcomes = {
        CONTROL: first.simulate(calendar, rules, range(0)),
        OFFER: first.simulate(calendar, rules, offered),
    }
    tested = (first.start < offer_month) & (potential_outcomes[CONTROL][0] >= offer_month)
    arm = np.where(tested & (rng.random(customers) < 0.5), OFFER, CONTROL)
    left, cause, adopted = np.where(arm == OFFER, potential_outcomes[OFFER], potential_outcomes[CONTROL])
    again, later = _simulate_returns(first, left, people, calendar, rules, rng)
    dates = pd.PeriodIndex(calendar["calendar"], freq="M").to_timestamp()
    logs = [_logs(first, left, cause, adopted, dates, rng), _logs(again, later[0], later[1], later[2], dates, rng)]
    contracts, complaints, self_service = (pd.concat(parts, ignore_index=True) for parts in zip(*logs, strict=True))
    made = {name: np.minimum(world[0], offered.stop) - offer_month for name, world in potential_outcomes.items()}
    return Subscriptions(
        contracts=contracts.join(people[["plan", "channel"]], on="customer_id"),
        complaints=complaints.sort_values(["date", "customer_id"], ignore_index=True),
        offers=pd.DataFrame({"customer_id": first.person[tested], "assigned": dates[offer_month], "arm": arm[tested]}),
        calendar=calendar,
        observation_end=str((dates[-1] + pd.offsets.MonthEnd(1)).date()),
        chances=people["chance"].rename_axis("customer_id"),
        renewals=pd.DataFrame(made).rename_axis("customer_id")[tested],
        rules=rules,
        self_service=self_service.sort_values(["date", "customer_id"], ignore_index=True),
        adoption_survival=adoption_survival(first, adopted, calendar, rules, arm == OFFER, offered),
    )


def _people(n: int, rules: Rules, rng: np.random.Generator) -> pd.DataFrame:
    """Who the customers are: ``plan, channel`` and their own ``chance`` to leave."""
    plan, channel = rng.choice(PLANS, n, p=(0.7, 0.3)), rng.choice(CHANNELS, n, p=(0.5, 0.2, 0.3))
    shift = rules.premium * (plan == "premium") + rules.friends * (channel == "friends")
    mean, both = expit(logit(rules.alpha / (rules.alpha + rules.beta)) + shift), rules.alpha + rules.beta
    chance = np.clip(rng.beta(mean * both, (1 - mean) * both), 1e-12, 1 - 1e-12)
    return pd.DataFrame({"plan": plan, "channel": channel, "chance": chance})


def _calendar(months: int, opened: str, rules: Rules) -> pd.DataFrame:
    """What each month brings."""
    try:
        month = pd.period_range(opened, periods=months, freq="M")
    except ValueError:
        raise ValueError(f"opened must be a month such as '2021-01', not {opened!r}") from None
    number = np.arange(months)
    return pd.DataFrame(
        {
            "calendar": month.astype(str),
            "price_rise": np.isin(number, rules.price_months).astype(int),
            "competitor": np.isin(number, rules.competitor_months).astype(int),
            "season": np.cos(2 * np.pi * (month.month - 1) / 12),
        }
    )


def _simulate_returns(
    first: SimulatedSpells,
    left: NDArray[np.int64],
    people: pd.DataFrame,
    calendar: pd.DataFrame,
    rules: Rules,
    rng: np.random.Generator,
) -> tuple[SimulatedSpells, NDArray[np.int64]]:
    """The spells of those who come back within half a year of leaving, and how they go on."""
    start = left + rng.integers(1, 7, len(left))
    back = (rng.random(len(left)) < rules.win_back) & (start < len(calendar))
    again = SimulatedSpells.draw(first.person[back], start[back], people, len(calendar), rules, rng)
    return again, again.simulate(calendar, rules, range(0))


def _logs(
    spells: SimulatedSpells,
    left: NDArray[np.int64],
    cause: NDArray[np.int64],
    adopted: NDArray[np.int64],
    dates: pd.DatetimeIndex,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The contracts of these spells, the complaints made while they ran, and the adoptions of self-service."""
    day = pd.to_timedelta(rng.integers(0, 28, len(left)), "D")
    start, gone = dates[spells.start] + day, left < len(dates)
    end = pd.Series(dates[np.minimum(left, len(dates) - 1)] + day).where(gone)
    why = pd.Series(np.array(CAUSES)[np.minimum(cause, len(CAUSES) - 1)], dtype=object).where(gone)
    contracts = pd.DataFrame({"customer_id": spells.person, "start": start, "end": end, "cause": why})
    row, month = np.nonzero((spells.slow | spells.fast) & (np.arange(len(dates)) < left[:, None]))
    date = np.maximum(dates[month] + pd.to_timedelta(rng.integers(0, 28, len(row)), "D"), start[row])
    taken = np.where(spells.slow[row, month], rng.integers(*SLOW_DAYS, len(row)), rng.integers(1, 4, len(row)))
    complaints = pd.DataFrame(
        {"customer_id": spells.person[row], "date": date, "resolved": date + pd.to_timedelta(taken, "D")}
    )
    chose = np.flatnonzero(adopted < len(dates))
    chosen = dates[adopted[chose]] + day[chose] + pd.to_timedelta(rng.integers(0, 28, len(chose)), "D")
    last = dates[-1] + pd.offsets.MonthEnd(1)
    on = chosen.where(chosen <= last, last)
    self_service = pd.DataFrame({"customer_id": spells.person[chose], "date": on, "kind": SELF_SERVICE})
    return contracts, complaints, self_service
