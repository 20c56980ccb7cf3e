"""What a roll-out changed: averages with intervals, checks, and the row of evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import check_choice
from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, with_interval
from retention_models.interventions.arms.cost_breakdown import CostPerRetained
from retention_models.interventions.designs.roll_out_averages import Average, Averages, Inference
from retention_models.interventions.designs.roll_out_checks import (
    check_anticipation,
    check_assignment,
    check_break_even,
    check_coincidence,
    check_covariates,
    check_decidable,
    check_scale,
    check_trends,
    check_units,
)
from retention_models.interventions.designs.roll_out_money import (
    Spent,
    breakdown,
    costs_of,
    gain_of,
    mean_since_launch,
    per_additional,
)
from retention_models.interventions.designs.roll_out_panel import Panel
from retention_models.interventions.designs.roll_out_tables import average_rows, event_table, two_way_table
from retention_models.interventions.effects.assignment import AssignedBy
from retention_models.interventions.effects.derived_laws import Linear
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.full_scale import require_full_scale
from retention_models.value.terms import Terms

CUSTOMERS = {"retained_share": "customers retained", "churn": "customers lost"}  # what a share counts


@dataclass(frozen=True, eq=False, repr=False)
class RollOut(Presentation):
    """What a roll-out changed; ``difference_in_differences`` returns it.

    Numbers are in the unit of ``unit``: by default relative to the mean of the base period, so that 0.03 is 3 % of the
    outcome in that period.

    Attributes
    ----------
    panel
        The units and periods, with the launches.
    outcome, unit
        The outcome, and the unit of effects.
    base_periods
        Number of periods at the start over which the base of each unit was measured.
    base
        Base of each unit, in the outcome.
    assigned_by
        Who decided about the order of launches.
    level
        Level of intervals.
    """

    panel: Panel
    outcome: str
    unit: str
    base_periods: int
    base: Array
    assigned_by: AssignedBy
    level: float
    _averages: Averages
    _levels: Averages
    _other_launches: NDArray[np.int64] | None
    _assignment: Mapping[AssignedBy, int] | None = None

    @property
    def inference(self) -> Inference:
        """How intervals are found.

        ``"randomisation"``: by giving the launches to other units. ``"jackknife"``: by leaving out each unit.
        ``"influence"``: by the influence of each of many units.
        """
        return self._averages.inference

    def overall(self, kind: Average = "simple") -> pd.DataFrame:
        """The average effect.

        Parameters
        ----------
        kind
            How effects are averaged. ``"simple"``, the default: over all treated units and periods.
            ``"group"``: each cohort's mean over its treated periods. ``"dynamic"``: over the periods since launch.
            ``"calendar"``: over the periods of the calendar.

        Returns
        -------
        pandas.DataFrame
            One row: ``estimate, std_error, lower, upper, p_value``. The interval of other kinds than the simple one is
            always that of the jackknife; it is missing where an average is not known without some unit.

        Raises
        ------
        ValueError
            When the kind is unknown.
        """
        check_choice("kind", kind, get_args(Average))
        estimate, law = self._averages.average(kind)
        names = ("std_error", "lower", "upper", "p_value")
        numbers = (pd.NA,) * 4 if law is None else (law.std_error, *law.interval(self.level), law.p_value(0.0))
        row = {"estimate": estimate} | dict(zip(names, numbers, strict=True))
        found = pd.DataFrame([row], index=pd.Index([kind], name="average"))
        return found.astype(dict.fromkeys(("estimate", *names), "Float64"))

    def event_study(self, *, bins: int | None = None) -> pd.DataFrame:
        """Effects by periods since launch, with a band that holds all of them at once.

        Parameters
        ----------
        bins
            Number of bins for the periods before and after launch each, such as 4. By default each period is shown.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``since`` (first period since launch; below 0 before it): ``last`` (last period of a bin),
            ``estimate, std_error, lower, upper`` by the jackknife, and ``band_lower, band_upper``. The base period is 0
            by construction and is left out. Without a known variance, errors and ends are missing.
        """
        table = event_table(self._averages, bins, self.level)
        table.attrs["unit"] = self.unit
        return table

    def by_group(self) -> pd.DataFrame:
        """The mean effect of each cohort over its treated periods.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``first_treated``: ``units, estimate, std_error, lower, upper`` by the jackknife. The error is
            missing for a cohort of one unit, which has no variance of its own.
        """
        group_time = self._averages.group_time
        starts = group_time.starts[group_time.treated]
        index = pd.Index(self.panel.periods[starts], name="first_treated")
        found = average_rows(self._averages, "group", index, self.level)
        units = pd.Series([int((self.panel.first == start).sum()) for start in starts], index)
        found.insert(0, "units", units[found.index])
        return found

    def by_period(self) -> pd.DataFrame:
        """The mean effect in each period of the calendar over the units that are treated by then.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``period``: ``estimate, std_error, lower, upper`` by the jackknife.
        """
        return average_rows(self._averages, "calendar", pd.Index(self.panel.periods, name="period"), self.level)

    def levels(self) -> pd.DataFrame:
        """The simple average in levels of the outcome, as a share of its mean, beside the one that decides.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``scale``: ``estimate, lower, upper``. Levels are misleading where units of unequal size share a
            season; the sign should be the same.
        """
        raw, law = self._levels.law, self._averages.law
        mean = abs(float(self.panel.outcome.mean())) or 1.0
        rows = [(law.estimate, *law.interval(self.level))]
        rows.append((raw.estimate / mean, raw.interval(self.level)[0] / mean, raw.interval(self.level)[1] / mean))
        index = pd.Index([self.unit, "levels, as a share of the mean"], name="scale")
        return pd.DataFrame(rows, columns=["estimate", "lower", "upper"], index=index)

    def two_way_fixed_effects(self) -> pd.DataFrame:
        """The regression on unit and period effects, which compares treated units with treated ones as well.

        Returns
        -------
        pandas.DataFrame
            One row: ``estimate``, ``negative_cells`` (share of treated cells with a negative weight) and
            ``negative_weight`` (the sum of their weights; all weights of treated cells add up to 1).

        Notes
        -----
        Goodman-Bacon (2021); de Chaisemartin & D'Haultfoeuille (2020). The weight of a cell is its treatment net of
        unit and period effects, over the sum of these in treated cells.
        """
        return two_way_table(self._averages.group_time)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Whether the roll-out can decide, the periods before launch, anticipation, scale, units, other launches."""
        return self._checks

    @cached_property
    def _checks(self) -> tuple[Check, ...]:
        averages, levels = self._averages, self.levels()["estimate"].to_numpy(dtype=float)
        further = (check_covariates(averages), check_assignment(self._assignment))
        return (
            check_decidable(averages, self.panel),
            check_trends(averages),
            check_break_even(averages, self.level),
            check_anticipation(averages),
            check_scale(float(levels[0]), float(levels[1]), averages.law.interval(self.level)),
            *(check for check in further if check is not None),
            check_units(self.panel),
            check_coincidence(self.panel, self._other_launches),
        )

    def effect(
        self,
        terms: Terms | None = None,
        *,
        intervention: str = "roll-out",
        running_cost: float = 0.0,
        discounts: Spent = 0.0,
        rewards: Spent = 0.0,
        reach: int | None = None,
        periods_a_year: float | None = None,
        time_unit: str | None = None,
        owner: str = "",
        measured_on: Any = None,
    ) -> Effect:
        """The effect as a row of the evidence table, per unit and period.

        Parameters
        ----------
        terms
            Margin or price, and currency. With a margin the outcome is an amount; with a price a count. By default the
            effect has no value.
        intervention
            Name of the programme.
        running_cost
            Cost of the programme per unit and period, in money, beside discounts and rewards. By default 0.
        discounts, rewards
            Discounts and rewards given per unit and period: an amount, or a column that was read with
            ``difference_in_differences(..., amounts=[...])``, by its mean in treated units since launch. All that was
            given counts, for additional orders and for subsidised purchases. An outcome that is an amount after
            discounts contains the discounts already. By default 0.
        reach
            Number of units that would have the programme. By default not stated.
        periods_a_year
            Number of periods in a year, so that money a year follows: 52 for weeks, 12 for months. By default 1.
        time_unit
            Unit of a period: ``"W"``, ``"M"``, ``"D"``. By default not stated.
        owner, measured_on
            As in ``Effect``.

        Returns
        -------
        Effect
            Quasi-experimental, or randomised if launches were assigned at random. The estimate is the effect per unit
            and period at the mean base of treated units.

        Raises
        ------
        ValueError
            When terms have neither margin nor price, or a number is not valid.
        """
        costs = costs_of(self.panel, {"running_cost": running_cost, "discounts": discounts, "rewards": rewards})
        law = self._per_unit
        money: dict[str, Any] = {}
        if terms is not None:
            value = Linear(self._averages.law, law.slope * self._sign * gain_of(terms), -sum(costs.values()))
            money = {"value": value.estimate, "value_law": value, "cost": sum(costs.values())}
        return Effect(
            intervention=intervention,
            outcome=self.outcome,
            unit=f"{CUSTOMERS.get(self.outcome, self.outcome)} per unit and period",
            estimand="average effect on treated units since launch",
            scale="difference",
            estimate=law.estimate,
            law=law,
            level=self.level,
            horizon=None if time_unit is None else 1,
            time_unit=time_unit,
            population=f"{len(self.panel.units)} units over {len(self.panel.periods)} periods",
            n=len(self.panel.units),
            assigned_by=self.assigned_by,
            design="randomised" if self.assigned_by == "random" else "quasi-experimental",
            checks=self.checks,
            reach=reach,
            repeats=periods_a_year or 1.0,
            owner=owner,
            measured_on=measured_on,
            panel_unit=self.panel.unit_name,
            **money,
        )

    @property
    def _per_unit(self) -> Linear:
        """The law of the effect per unit and period, at the mean base of treated units."""
        return Linear(self._averages.law, float(self.base[self.panel.treated].mean()), 0.0)

    @property
    def _sign(self) -> float:
        """-1 where a lower outcome is better, as with churn."""
        return -1.0 if self.lower_is_better else 1.0

    @property
    def lower_is_better(self) -> bool:
        """Whether a lower outcome is better, as with churn."""
        return self.outcome == "churn"

    def cost_breakdown(
        self,
        terms: Terms,
        *,
        running_cost: float = 0.0,
        discounts: Spent = 0.0,
        redemptions: str | None = None,
        rewards: Spent = 0.0,
        reach: int | None = None,
        periods_a_year: float = 1.0,
    ) -> pd.DataFrame:
        """Gain, costs and net value per unit and period, and of a year at full reach.

        Parameters
        ----------
        terms, running_cost, discounts, rewards, reach
            As in ``effect``; ``terms`` are required.
        redemptions
            A column with the number of discounted orders, read with ``amounts=``. With it the table shows the
            subsidised purchases: discounts on orders that would have happened without the programme. The outcome must
            then count orders.
        periods_a_year
            Number of periods in a year. By default 1.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``line``: ``gross gain, running cost, discounts, subsidised purchases, rewards, net value``.
            Columns ``amount, lower, upper`` per unit and period, costs negative; with ``reach`` also ``a_year,
            a_year_lower, a_year_upper``. ``subsidised purchases`` is a part of the discounts; the other lines add up
            to the net value.

        Raises
        ------
        ValueError
            When terms have neither margin nor price, an amount is below 0, or a column was not read.

        Notes
        -----
        Costs count as known. All additional orders are taken to be discounted: with D discounts and R discounted
        orders, g additional orders got g D / R, and the subsidised purchases the rest. If customers without the
        discount order more as well, even more of it is subsidised.
        """
        costs = costs_of(self.panel, {"running_cost": running_cost, "discounts": discounts, "rewards": rewards})
        require_full_scale(reach, periods_a_year, None)
        counted = None
        if redemptions is not None:
            counted = mean_since_launch(self.panel, redemptions, "redemptions")
            if counted == 0 or terms.price is None:
                raise ValueError(
                    f"subsidised purchases need discounted orders and an outcome that counts orders: {redemptions} has "
                    f"a mean of {counted:g} since launch, and the price of an order is {terms.price}"
                )
        uses = None if reach is None else reach * periods_a_year
        return breakdown(self._per_unit, self._sign * gain_of(terms), costs, counted, self.level, uses)

    def cost_per_additional(
        self, *, running_cost: float = 0.0, discounts: Spent = 0.0, rewards: Spent = 0.0, currency: str = ""
    ) -> CostPerRetained:
        """Cost of an additional buyer, order or customer; of a customer not lost, where the outcome is churn.

        Parameters
        ----------
        running_cost, discounts, rewards
            As in ``effect``.
        currency
            The name of the currency, for the sentence. Empty by default.

        Returns
        -------
        CostPerRetained
            The cost per unit and period, over the effect per unit and period. There is no upper limit where an effect
            of 0 is not ruled out.

        Raises
        ------
        ValueError
            When nothing is spent, an amount is below 0, or a column was not read.
        """
        costs = costs_of(self.panel, {"running_cost": running_cost, "discounts": discounts, "rewards": rewards})
        law = Linear(self._per_unit, self._sign, 0.0)
        return per_additional(
            law, sum(costs.values()), self.level, currency, self.outcome, lower_is_better=self.lower_is_better
        )

    def _parts(self) -> Sequence[Part]:
        law = self._averages.law
        change = with_interval(law.estimate, *law.interval(self.level))
        about = f"{int(self.panel.treated.sum())} of {len(self.panel.units)} units treated"
        text = f"{self.outcome}: {change} {self.unit} ({about}; interval by {self.inference})."
        return [text, *(str(check) for check in self.checks if check.passed is False)]
