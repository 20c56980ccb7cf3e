"""The difference between the arms over time: by day since the assignment, by week, and after the offer.

An offer may only pull purchases forward that would have come later. Then the cumulative difference rises while the
offer is valid and falls back after it. The band around it is simultaneous over the days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_level, require_text, require_type, require_whole
from retention_models.core.arrays import RNGLike
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms.cells import Cell, arm_means
from retention_models.interventions.arms.contrasts import Measure, contrast, difference, read_measure
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import UNIVERSAL_CONTROL, Plan
from retention_models.interventions.designs.arm_differences import contrast_effects
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.interventions.effects.simultaneous_band import band_ends
from retention_models.interventions.outcomes.follow_up import FollowUpSums, Measured, follow_up_sums
from retention_models.interventions.outcomes.purchases import (
    SameDay,
    add_join_keys,
    begin_of_log,
    check_assignments,
    check_window,
    last_day_of_log,
    purchase_days,
    read_assignments,
)
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import purchases
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.tables.rules import check_complete

MOST_DAYS = 1_000  # that a band covers
WEEK = 7
NOT_YET = -1  # the follow-up of customers assigned after the last day: through it, all customers count
LABELS = {"purchases": "purchases", "amount": "amount", "bought": "first purchase"}
UNITS = {"purchases": "purchases per customer", "amount": "amount per customer", "bought": "share of customers"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DifferencesOverTime(Presentation):
    """Differences between the arms and the control over time; ``differences_over_time`` creates it.

    Attributes
    ----------
    cumulative
        Indexed by ``arm`` and ``day`` since the assignment: ``difference`` of the outcome through that day;
        ``difference_lower``, ``difference_upper`` (band that is simultaneous over the days of an arm);
        ``pointwise_lower``, ``pointwise_upper`` (interval of that day alone); ``customers`` and ``customers_control``
        (counted on that day). ``attrs`` contains ``unit``, ``offer_days`` and ``level``.
    by_week
        Indexed by ``arm`` and ``week``: ``first_day``, ``last_day``; ``offer`` (``within`` its days, ``partly within``,
        or ``after``); ``difference`` of that week alone; ``difference_lower``, ``difference_upper`` (pointwise
        interval); ``customers`` and ``customers_control``.
    within_offer, after_offer
        The effect in the days of the offer, and in the days after it, one for each arm.
    checks
        The checks of the assignment.
    notes
        Sentences on what was left out.
    """

    cumulative: pd.DataFrame
    by_week: pd.DataFrame
    within_offer: tuple[Effect, ...]
    after_offer: tuple[Effect, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    def _parts(self) -> Sequence[Part]:
        effects = [str(effect) for effect in (*self.within_offer, *self.after_offer)]
        failed = [str(check) for check in self.checks if not check.passed]
        return [*effects, self.by_week.drop(columns=["first_day"]).reset_index(), *failed, *self.notes]


def differences_over_time(
    transactions: Any,
    assignments: Any,
    plan: Plan,
    *,
    arm: str = "arm",
    outcome: Measured = "purchases",
    horizon_days: int,
    offer_days: int,
    same_day: SameDay = "keep",
    customer_id: str = "customer_id",
    assigned: str = "assigned",
    observation_end: str | None = None,
    level: float = 0.95,
    rng: RNGLike = 0,
) -> DifferencesOverTime:
    """The difference between each arm and the control by day since the assignment, by week, and after the offer.

    Purchases that an offer pulled forward are missing after it: the difference after the offer is then negative.

    Parameters
    ----------
    transactions, assignments
        As in ``purchase_outcomes``. Customers may have been assigned on different days, and windows need not have
        ended: a day counts the customers observed through it in every arm.
    plan
        The plan of the test. Its ``block`` and ``cluster`` are columns of ``assignments`` that the analysis uses. With
        a ``universal_control``, customers with the arm ``universal control`` are left out.
    arm
        The column of ``assignments`` with the arm. By default ``"arm"``.
    outcome
        ``"purchases"`` (days with a purchase, the default), ``"amount"`` (money spent), or ``"bought"`` (share of
        customers who have bought; of a week, or after the offer, those who bought for the first time).
    horizon_days
        Number of days after the assignment to look at, at most 1,000 and longer than the offer.
    offer_days
        Days for which the offer was valid; 0 without an offer, and then without effects within and after it.
    same_day, customer_id, assigned, observation_end
        As in ``purchase_outcomes``.
    level
        Level of the band and of the intervals, 0.95 by default. The band holds for all days of one arm together. For
        all days of k arms together, take ``1 - 0.05 / k`` (Bonferroni).
    rng
        Source of randomness for the width of the band: a seed, a numpy Generator, or None for a new one. By default
        always the same seed.

    Returns
    -------
    DifferencesOverTime
        ``cumulative`` with the band, ``by_week``, the effects ``within_offer`` and ``after_offer``, ``checks``, and
        ``notes`` on what was left out. Days are shown as long as every arm (of every block) has two observed customers
        or clusters. A week and the days after the offer count the customers observed through their last day. An effect
        on purchases or amounts is left out where they do not vary in the arm and the control.

    Raises
    ------
    ValueError
        When the window is not longer than the offer; when the outcome is an amount, and the log has none; when
        ``observation_end`` is before any follow-up; when an arm has fewer than 2 customers or the control is missing;
        when customers chose themselves (``assigned_by="choice"``); or as in ``purchase_outcomes``.

    Notes
    -----
    At a day, the estimate and the pointwise interval are those of ``differences`` for the customers counted (Welch's t,
    with clusters CR2). For the band, c is the ``level`` quantile of the largest absolute error over the days, simulated
    with 20,000 draws of normal errors with the estimated correlation of the days (Montiel Olea & Plagborg-Moller 2019);
    the draws know it to about 0.5 %. Each day's band is its own t interval at the error 2 Phi(-c), so that days with
    few customers have a wider one. Days and weeks without variance, such as those before the first purchase, have an
    interval without width.

    If the shares of the arms changed while customers were assigned, days compare customers who came at different
    times: make the time of assignment the plan's ``block``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({"customer_id": [1, 2, 3, 4, 5, 6], "amount": 10.0, "date": pd.to_datetime(
    ...     ["2024-05-03", "2024-05-20", "2024-05-06", "2024-05-16", "2024-05-12", "2024-05-10"])})
    >>> mailing = pd.DataFrame({"customer_id": range(1, 9), "assigned": "2024-05-01", "arm": ["mail", "none"] * 4})
    >>> plan = rm.Plan(assigned_by="random", control="none")
    >>> found = rm.interventions.differences_over_time(
    ...     log, mailing, plan, horizon_days=28, offer_days=14, observation_end="2024-06-30")
    >>> found.by_week.loc["mail", ["first_day", "last_day", "offer", "difference"]]
          first_day  last_day   offer  difference
    week
    1             0         7  within         0.5
    2             8        14  within         0.0
    3            15        21   after        -0.5
    4            22        28   after         0.0
    >>> found.within_offer[0].estimate, found.after_offer[0].estimate
    (0.5, -0.5)
    """
    check_choice("outcome", outcome, get_args(Measured))
    check_choice("same_day", same_day, get_args(SameDay))
    check_window(horizon_days, offer_days)
    require_whole("horizon_days", horizon_days, 1, MOST_DAYS)
    require_type("plan", plan, Plan)
    require_text("arm", arm)
    require_level(level)
    log = transactions if isinstance(transactions, Transactions) else read_transactions(transactions)
    if outcome == "amount" and not log.has_amount:
        reason = log.returns.check.text if log.returns else "Read it with amount=..."
        raise ValueError(f"outcome='amount' needs a log with amounts; compare 'purchases' for others. {reason}")
    columns = {"customer_id": customer_id, "assigned": assigned} | _groups(plan, arm)
    last_day = last_day_of_log(log, observation_end)
    sums = _read_sums(log, assignments, columns, plan, outcome, last_day, horizon_days, keeps_day=same_day == "keep")
    everyone = _experiment(sums, plan, outcome, 0, NOT_YET)
    last = _last_shown_day(sums, last_day)
    comparison = _Comparison(sums, plan, outcome, level, everyone.arms)
    cumulative = comparison.cumulative(last, np.random.default_rng(rng))
    cumulative.attrs = {"unit": UNITS[outcome], "offer_days": offer_days, "level": level}
    within, after = comparison.effects_of_offer(offer_days, last)
    notes = _notes(sums, last, horizon_days, offer_days, last_day)
    return DifferencesOverTime(cumulative, comparison.by_week(last, offer_days), within, after, everyone.checks, notes)


def _groups(plan: Plan, arm: str) -> dict[str, str]:
    """The columns of the arm and, of a plan with them, of blocks and clusters, by the names that they have here."""
    named = {"arm": arm, "block": plan.block, "cluster": plan.cluster}
    return {key: name for key, name in named.items() if name is not None}


def _read_sums(
    log: Transactions,
    assignments: Any,
    columns: Mapping[str, str],
    plan: Plan,
    outcome: Measured,
    last_day: dt.date,
    horizon_days: int,
    *,
    keeps_day: bool,
) -> FollowUpSums:
    """The checked assignments and their purchases, reduced to sums."""
    on_days = purchases(log)
    who = read_assignments(on_days, assignments, columns, kind="text")
    if plan.universal_control > 0:
        who = who.filter((nw.col("arm") != UNIVERSAL_CONTROL).fill_null(value=True))
    check_assignments(who, begin_of_log(log, on_days, horizon_days))
    groups = {key: name for key, name in columns.items() if key in ("arm", "block", "cluster")}
    check_complete(who, groups, {})
    who, bought = add_join_keys(who, purchase_days(log, on_days, who))
    return follow_up_sums(
        who, bought, outcome, list(groups), last_day=last_day, horizon_days=horizon_days, keeps_day=keeps_day
    )


def _experiment(sums: FollowUpSums, plan: Plan, outcome: Measured, first: int, last: int) -> Experiment:
    """The test with the outcome in some days, of the customers observed through the last of them."""
    table = sums.window(first, last).rename(columns={"v0": outcome, "p0_0": f"{outcome}*{outcome}"})
    return Experiment.from_sums(table, plan, columns=[outcome])


def _last_shown_day(sums: FollowUpSums, last_day: dt.date) -> int:
    """The last day of the comparison; a ValueError if there is none."""
    last = sums.last_shared_day()
    if last < 0:
        raise ValueError(
            f"observation ends on {last_day}, before any follow-up: {sums.unobserved:,} of {sums.assigned:,} customers "
            "were assigned later, and fewer than 2 of some arm before; read a later log, or state observation_end"
        )
    return last


def _notes(sums: FollowUpSums, last: int, horizon_days: int, offer_days: int, last_day: dt.date) -> tuple[str, ...]:
    """Sentences on customers and days that were left out."""
    sentences = {
        f"Left out: {sums.unobserved:,} of {sums.assigned:,} customers, assigned after the last day of the log "
        f"({last_day}).": sums.unobserved > 0,
        f"Days after day {last} of {horizon_days} are not shown: some arm has fewer than 2 customers or clusters that "
        "were observed longer.": last < horizon_days,
        "No day after the offer is observed: purchases that it pulled forward still count as gained.": (
            last <= offer_days > 0
        ),
    }
    return tuple(sentence for sentence, applies in sentences.items() if applies)


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """The treated arms against the control, in any days."""

    sums: FollowUpSums
    plan: Plan
    outcome: Measured
    level: float
    arms: tuple[str, ...]

    def cumulative(self, last: int, rng: np.random.Generator) -> pd.DataFrame:
        """The table of the differences through each day."""
        days = [self.sums.cells(0, day) for day in range(last + 1)]
        of_control = self.sums.covariance(self.plan.control, days)
        tables = {}
        for arm in self.arms[1:]:
            laws = [self._law(arm, cells) for cells in days]
            band = band_ends(laws, self.sums.covariance(arm, days) + of_control, self.level, rng)
            pointwise = [law.interval(self.level) for law in laws]
            tables[arm] = self._table(arm, days, laws, difference=band, pointwise=pointwise)
        return pd.concat(tables, names=["arm", "day"])

    def by_week(self, last: int, offer_days: int) -> pd.DataFrame:
        """The table of the differences in each week, the last one perhaps shorter."""
        first_days = [0, *range(WEEK + 1, last + 1, WEEK)]
        last_days = [min(WEEK * week, last) for week in range(1, len(first_days) + 1)]
        weeks = list(zip(first_days, last_days, strict=True))
        when = {
            "first_day": first_days,
            "last_day": last_days,
            "offer": [_part_of_offer(*week, offer_days) for week in weeks],
        }
        cells = [self.sums.cells(*week) for week in weeks]
        tables = {}
        for arm in self.arms[1:]:
            laws = [self._law(arm, in_week) for in_week in cells]
            table = self._table(arm, cells, laws, difference=[law.interval(self.level) for law in laws])
            tables[arm] = pd.DataFrame(when).join(table).set_axis(range(1, len(weeks) + 1))
        return pd.concat(tables, names=["arm", "week"])

    def _table(
        self,
        arm: str,
        windows: Sequence[Sequence[Cell]],
        laws: Sequence[StudentT],
        **ends: Sequence[tuple[float, float]],
    ) -> pd.DataFrame:
        """Differences in some windows, the lower and upper ends of intervals by name, and numbers of customers."""
        table = pd.DataFrame({"difference": [law.estimate for law in laws]})
        for name, pairs in ends.items():
            table[[f"{name}_lower", f"{name}_upper"]] = np.array(pairs)
        for column, counted in (("customers", arm), ("customers_control", self.plan.control)):
            table[column] = [sum(cell.n for cell in cells if cell.arm == counted) for cells in windows]
        return table

    def effects_of_offer(self, offer_days: int, last: int) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
        """The effects in the days of the offer and in the days after it, as far as these are observed."""
        within = self._effects(0, offer_days, "within") if 0 < offer_days <= last else ()
        return within, self._effects(offer_days + 1, last, "after") if 0 < offer_days < last else ()

    def _effects(self, first: int, last: int, part: str) -> tuple[Effect, ...]:
        """The effects of the arms in some days; without arms where purchases or amounts do not vary."""
        test = _experiment(self.sums, self.plan, self.outcome, first, last)
        measured = Outcome(
            column=self.outcome,
            unit=UNITS[self.outcome],
            horizon=last,
            time_unit="D",
            label=f"{LABELS[self.outcome]} {part} the offer",
        )
        weights = {arm: difference(arm, self.plan.control) for arm in self.arms[1:]}
        if self.outcome != "bought":  # a share has an interval also where nobody had it
            weights = {arm: each for arm, each in weights.items() if self._law(arm, test.cells).std_error > 0}
        effects = contrast_effects(test, measured, weights, level=self.level)
        days = f"days {first} to {last}"
        return tuple(replace(effect, estimand=f"{effect.estimand}, {days}", smallest_gain=None) for effect in effects)

    def _law(self, arm: str, cells: Sequence[Cell]) -> StudentT:
        """The law of the difference between an arm and the control."""
        readings = {name: read_measure(arm_means(cells, name), Measure(0)) for name in (arm, self.plan.control)}
        return contrast(readings, difference(arm, self.plan.control))


def _part_of_offer(first: int, last: int, offer_days: int) -> str:
    """Whether days lie within those of the offer."""
    if not offer_days:
        return "no offer"
    return "within" if last <= offer_days else "after" if first > offer_days else "partly within"
