"""A campaign's test from one file: what is stated, and what is chosen from the rows, each with its reason."""

from __future__ import annotations

import datetime as dt
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Unpack, cast

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import require_level
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.experiment_checks import is_constant
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import UNIVERSAL_CONTROL, Plan, check_looks
from retention_models.interventions.campaign.columns import Roles
from retention_models.interventions.campaign.contract_outcomes import (
    contract_units,
    contracts_sentence,
    read_contracts_of_campaign,
)
from retention_models.interventions.campaign.defaults import (
    binary_columns,
    check_currencies,
    choose_control,
    choose_outcome,
    open_rows,
    read_arms,
)
from retention_models.interventions.campaign.prices import Prices
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.designs.contract_arms import ContractExperiment
from retention_models.interventions.designs.contract_cells import RETAINED, TIME
from retention_models.interventions.effects.assignment import IN_WORDS, NOT_STATED, AssignedBy, require_assigned_by
from retention_models.interventions.effects.effect import Effect
from retention_models.tables.engines import column_names
from retention_models.tables.files import naming
from retention_models.tables.reading import TextReading, described
from retention_models.value.terms import Terms


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Campaign(Presentation):
    """A campaign's test, ready for analysis; ``read_campaign`` creates it.

    Attributes
    ----------
    experiment
        The arms, with every column that has a role.
    outcomes
        The outcomes, the most important first.
    priced, terms
        The outcome with a price, and what one unit of it earns; None without a price.
    costs
        Arm to its ``Costs``; empty if no cost is stated.
    currency
        Name of the currency; empty if it has no name.
    roles
        The column of each role.
    rows
        The columns with a role, on their engine.
    planned_customers
        The number of customers for which the test was planned, the end of the interim looks.
    binary
        The outcomes that are yes or no, by their columns.
    contracts
        The survival curves of the arms, if customers have contracts; else None.
    reasons
        Sentences on what was chosen from the rows, or left out because it was not stated.
    level
        Level of the intervals.
    """

    experiment: Experiment
    outcomes: tuple[Outcome, ...]
    priced: Outcome | None
    terms: Terms | None
    costs: Mapping[str, Costs]
    currency: str
    roles: Roles
    rows: Any
    planned_customers: int
    binary: frozenset[str] = frozenset()
    contracts: ContractExperiment | None = None
    reasons: tuple[str, ...] = ()
    level: float = 0.95

    @property
    def main_outcome(self) -> Outcome:
        """The outcome for the decision: the one with a price, or else the first."""
        return self.priced or self.outcomes[0]

    @property
    def money(self) -> dict[str, Any]:
        """``terms`` and ``costs`` as keywords of ``differences`` for the outcome with a price."""
        return {"terms": self.terms, "costs": self.costs} if self.terms else {}

    @property
    def effects(self) -> list[Effect]:
        """The effect of each arm on each outcome, with its value if the outcome has a price.

        The smallest gain that matters is that of the main outcome.
        """
        return [
            effect if outcome == self.main_outcome else replace(effect, smallest_gain=None)
            for outcome in self.outcomes
            for effect in differences(
                self.experiment, outcome, level=self.level, **(self.money if outcome == self.priced else {})
            )
        ]

    @property
    def table(self) -> pd.DataFrame:
        """Customers of each arm and the mean of every outcome; one row an arm, the control first."""
        table = self.experiment.table()
        units = ["units"] if self.roles.cluster else []
        return table[["customers", *units, *(outcome.column for outcome in self.outcomes)]]

    @property
    def checksum(self) -> str:
        """A checksum of the customers and means of all arms, by which two reports on the same data are known.

        Means count to nine digits of the largest of their outcome: the rest depends on the order of the sums.
        """
        cells = sorted(self.experiment.cells, key=lambda cell: (cell.arm, cell.block))
        means = np.array([cell.mean for cell in cells])
        largest = np.abs(means).max(axis=0, keepdims=True)
        steps = np.rint(np.divide(means, largest, out=np.zeros_like(means), where=largest > 0) * 1e9).astype(int)
        scale = [f"{mean:.9g}" for mean in largest[0]]
        rows = [(cell.arm, cell.block, cell.n, *map(int, row)) for cell, row in zip(cells, steps, strict=True)]
        return f"sha256 {sha256(repr((scale, rows)).encode()).hexdigest()[:12]}"

    @property
    def provenance(self) -> str:
        """One line on the data behind the numbers: customers, arms and a checksum."""
        arms = self.experiment.arms
        return f"{self.experiment.n(*arms):,} customers in {len(arms)} arms ({', '.join(arms)}), {self.checksum}"

    def _parts(self) -> Sequence[Part]:
        return [self.reasons]


def read_campaign(
    rows: Any,
    terms: Terms | None = None,
    *,
    arm: str = "arm",
    outcome: Sequence[str] | str | None = None,
    amount: str | None = None,
    covariate: Sequence[str] | str | None = None,
    cluster: str | None = None,
    block: str | None = None,
    received: str | None = None,
    redeemed: str | None = None,
    tenure: str | None = None,
    churned: str | None = None,
    assigned: str | None = None,
    lower_is_better: Sequence[str] | str | None = None,
    customer_id: str | None = None,
    cost: float | Mapping[str, float] | None = None,
    redemption_cost: float | None = None,
    control: str | None = None,
    planned_shares: Mapping[str, float] | None = None,
    horizon: float | None = None,
    time_unit: str | None = None,
    planned_customers: int | None = None,
    plan: Plan | str | Path | None = None,
    assigned_by: AssignedBy = NOT_STATED,
    measured_from: str | dt.date | None = None,
    measured_on: str | dt.date | None = None,
    looks: Sequence[float] | None = None,
    smallest_gain: float | None = None,
    reach: int | None = None,
    repeats: float | None = None,
    owner: str | None = None,
    level: float = 0.95,
    **reading: Unpack[TextReading],
) -> Campaign:
    """A campaign's test from customer rows; what is not stated is chosen from the rows or left out.

    Parameters
    ----------
    rows
        One row a customer: a frame or the path of files, as in ``read_transactions``.
    terms
        What an outcome earns, and the currency: ``Terms(margin=0.3)`` for the ``amount``, or ``Terms(price=12)`` for
        one more of the first outcome (one fewer where a lower value is better); with contracts, for one more unit of
        time as a customer. By default None: effects without value.
    arm
        The column with the arm to which a customer was assigned.
    outcome
        Columns measured after the assignment, the most important first, or the name of one. By default None: the only
        numeric column without another role.
    amount
        The outcome that is money spent. By default None.
    covariate
        Columns known before the assignment. They narrow the confidence intervals (CUPED) and show whether the arms are
        balanced. By default None.
    cluster
        The column of the household or store that was assigned as a whole. By default None: customers were assigned.
    block
        The column within whose values customers were randomised. By default None: no blocks.
    received
        The column that says whether a customer received the offer. By default None.
    redeemed
        The column with the number of redemptions of a customer. By default None.
    tenure, churned
        For customers with contracts: the column with the time from the assignment to the end of the contract or of the
        observation, in ``time_unit``, and the column that says whether the contract ended. The outcomes are then the
        customers and the time retained up to ``horizon``, as in ``contract_experiment``. By default None.
    assigned
        The column with the time a customer entered the test, a day or the number of a wave, for interim looks. By
        default None.
    lower_is_better
        Outcomes for which a lower value is better, such as ``churned``. By default None.
    customer_id
        The column that must not contain a customer twice. By default ``customer_id`` if there is such a column.
    cost
        Cost of one contact: one number for every arm but the control, or arm to number. By default None: no cost.
    redemption_cost
        Cost of one redemption. By default None: no cost.
    control
        The control arm. By default the only arm with the name of a control (``control``, ``none``, ``0``).
    planned_shares
        Arm to its planned share, in any unit, to check whether customers were lost. By default None: no check.
    horizon, time_unit
        Time from the assignment to the end of the measurement, and its unit: ``14`` and ``"D"``, as in ``Outcome``. By
        default None: not stated.
    planned_customers
        Number of customers planned for the whole test. By default None: the number in the rows. Interim looks use it.
    plan
        The plan of the test, as ``assign`` returns it, or the path of its JSON file. It says what is not stated here:
        control, shares, strata, cluster, who decided, number of customers, looks and the roll-out. By default None.
    assigned_by
        Who decided which customers were treated, as in ``Plan``: ``"random"``, ``"rule"``, ``"choice"`` or
        ``"unknown"``. There is no default. Only differences between groups drawn at random get a value in money.
    measured_from
        First day on which outcomes were measured. With ``assigned_by="choice"`` it must be stated, and ``assigned`` is
        the day on which a customer joined, missing for those who did not.
    measured_on, looks, smallest_gain, reach, repeats, owner
        As in ``Plan``. Looks need the column ``assigned``. The smallest gain is that of the outcome that decides.
    level
        Level of the intervals. By default 0.95.
    **reading
        How to read a file or text: ``date_format``, ``decimal``, ``separator``, ``no_header``, ``encoding``, as in
        ``read_transactions``.

    Returns
    -------
    Campaign
        The experiment with its outcomes, prices and the reasons for each choice.

    Raises
    ------
    TypeError
        When ``rows`` is neither a frame nor the path of a file, or ``assigned_by`` is not stated.
    ValueError
        When a column is missing, has gaps or text instead of numbers, or repeats customers; when there is no control;
        when contracts have no horizon, or one beyond the observation; when the arguments contradict each other.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rows = pd.DataFrame({"arm": ["none", "mail"] * 50, "bought": [0] * 40 + [0, 1] * 20 + [1] * 20})
    >>> terms = rm.Terms(price=12, currency="EUR")
    >>> print(rm.interventions.read_campaign(rows, terms, cost=0.5, assigned_by="random"))
    “bought” is the outcome: no other column of numbers is left.
    “bought” is yes or no: the arms are compared by their share of customers.
    The arms are compared with “none”, which goes by the name of a control.
    Nothing was said of the planned shares (planned_shares): whether customers got lost cannot be checked.
    Nothing known before the assignment was named (covariate), which could make the intervals narrower.
    One more of “bought” is counted as EUR 12.0 earned (price).
    A contact costs EUR 0.500.
    """
    if plan is not None:
        plan = plan if isinstance(plan, Plan) else Plan.from_json(plan)
        control = plan.control if control is None else control
        block, cluster = plan.block if block is None else block, plan.cluster if cluster is None else cluster
        if assigned_by == "random" and plan.assigned_by in ("rule", "choice"):
            raise ValueError(
                f"assigned_by='random' contradicts the plan of the test, which says {plan.assigned_by!r}: "
                f"{IN_WORDS[plan.assigned_by]}. Leave assigned_by out, or correct the plan"
            )
        assigned_by = plan.assigned_by if assigned_by in (None, "unknown") else assigned_by
    stated: dict[str, Any] = {
        "shares": planned_shares,
        "measured_from": measured_from,
        "measured_on": measured_on,
        "customers": _check_planned_customers(planned_customers),
        "looks": None if looks is None else check_looks(looks),
        "smallest_gain": smallest_gain,
        "reach": reach,
        "repeats": repeats,
        "owner": owner,
    }
    roles = Roles(
        arm=arm,
        outcome=outcome,
        amount=amount,
        covariate=covariate,
        cluster=cluster,
        block=block,
        received=received,
        redeemed=redeemed,
        tenure=tenure,
        churned=churned,
        assigned=assigned,
        lower_is_better=lower_is_better,
        customer_id=customer_id,
    )
    require_level(level)
    require_assigned_by(assigned_by)
    rows, forms_stated = described(rows, **reading)
    prices = Prices.from_terms(terms or Terms(), cost, redemption_cost)
    names = column_names(rows, "the test")
    roles = roles.check_columns(names)
    prices.check(roles)
    with naming(rows):
        roles, chosen = choose_outcome(rows, roles, names)
        if roles.amount is not None:
            check_currencies(rows)
        frame, forms = open_rows(rows, roles, names, forms_stated, with_gaps=assigned_by == "choice")
        if plan is not None and plan.universal_control > 0:
            frame = frame.filter(nw.col(roles.arm) != nw.lit(UNIVERSAL_CONTROL))
        against, reason = choose_control(read_arms(frame, roles.arm), None if control is None else str(control))
        stated_plan = replace(
            plan or Plan(control=against, assigned_by=assigned_by),
            control=against,
            name="",  # effects go by their arm alone
            unit=roles.cluster or ("customer" if plan is None else plan.unit),
            block=roles.block,
            cluster=roles.cluster,
            assigned_by=assigned_by,
            **{name: value for name, value in stated.items() if value is not None},
        )
        contracts = None
        if roles.has_contracts:
            contracts = read_contracts_of_campaign(frame, roles, stated_plan, horizon, time_unit)
            experiment = contracts.experiment_at(cast(float, horizon), covariates=roles.covariates)
            units, yes_or_no = contract_units(cast(str, time_unit)), {RETAINED}
        else:
            experiment = Experiment.from_rows(
                frame.to_native(),
                stated_plan,
                arm=roles.arm,
                outcomes=(*roles.outcomes, *roles.extras),
                covariates=roles.covariates,
                cluster=roles.cluster,
                block=roles.block,
                customer_id=roles.customer_id,
                joined=roles.assigned,
            )
            yes_or_no = binary_columns(frame, roles.outcomes)
            units = {name: _unit(name, roles, prices, name in yes_or_no) for name in roles.outcomes}
    outcomes = tuple(
        Outcome(column=name, unit=unit, horizon=horizon, time_unit=time_unit, adjust_for=roles.covariates)
        for name, unit in units.items()
    )
    priced, earned = prices.priced_outcome(roles, outcomes)
    earnings = prices.reasons(roles, outcomes)
    outcomes, left_out = _without_constant_amount(outcomes, roles, experiment)
    priced = None if left_out else priced
    costs = prices.costs(experiment.arms, roles)
    if not (priced_at_all := stated_plan.is_random):
        priced, costs = None, {}
    customers, planned = experiment.n(*experiment.arms), stated_plan.customers
    return Campaign(
        experiment=experiment,
        outcomes=outcomes,
        priced=priced,
        terms=earned if priced else None,
        costs=costs,
        currency=prices.currency or "",
        roles=roles,
        rows=frame.to_native(),
        planned_customers=max(customers, planned or 0),
        binary=frozenset(yes_or_no),
        contracts=contracts,
        reasons=(
            *chosen,
            *forms,
            *(
                [contracts_sentence(outcomes)]
                if contracts
                else (_outcome_sentence(outcome, roles, outcome.column in yes_or_no) for outcome in outcomes)
            ),
            *left_out,
            reason,
            *_omission_sentences(roles, stated_plan.shares),
            *_look_sentences(roles, stated_plan, customers),
            *(earnings.values() if priced_at_all else [_observational_sentence(stated_plan)]),
        ),
        level=level,
    )


def _unit(name: str, roles: Roles, prices: Prices, yes_or_no: bool) -> str:
    """The unit of an outcome, in words."""
    return "share of customers" if yes_or_no else f"{prices.unit if name == roles.amount else name} per customer"


def _outcome_sentence(outcome: Outcome, roles: Roles, yes_or_no: bool) -> str:
    less = " Less of it is better (lower_is_better)." if outcome.column in roles.lower_outcomes else ""
    if yes_or_no:
        return f"“{outcome.column}” is yes or no: the arms are compared by their share of customers.{less}"
    what = "an amount" if outcome.column == roles.amount else "a number"
    return f"“{outcome.column}” is {what}: the arms are compared by their mean over all customers, buyers or not.{less}"


def _without_constant_amount(
    outcomes: tuple[Outcome, ...], roles: Roles, experiment: Experiment
) -> tuple[tuple[Outcome, ...], list[str]]:
    """The outcomes but an amount or time that is the same for everyone, which has no interval, and why it is left out.

    An only outcome stays: what nobody spent is then compared as a share of customers.
    """
    name = TIME if roles.has_contracts else roles.amount
    if name is None or not is_constant(experiment.cells, experiment.columns.index(name)):
        return outcomes, []
    kept = tuple(outcome for outcome in outcomes if outcome.column != name)
    every = f"{experiment.table()[name].iloc[0]:g} for every customer"
    if not kept:
        return outcomes, [f"“{name}” is {every}: there is no value."]
    return kept, [f"“{name}” is {every}: there is nothing to compare in it, and no value."]


def _check_planned_customers(planned: int | None) -> int | None:
    if planned is not None and (not isinstance(planned, numbers.Integral) or isinstance(planned, bool) or planned < 1):
        raise ValueError(f"planned_customers is the planned number of customers, 1 or more; got {planned!r}")
    return planned


def _look_sentences(roles: Roles, plan: Plan, customers: int) -> list[str]:
    """How far the test is on the way to its planned looks; none where no look was planned."""
    if not plan.looks:
        return []
    if roles.has_contracts:
        return ["Looks were planned, but there is none at contracts: they are compared at the horizon only."]
    if roles.assigned is None:
        return ["Looks were planned, but no column says when customers came into the test (assigned): there is none."]
    if plan.customers is None:
        return [f"Looks take the {customers:,} customers in the test as all that were planned (planned_customers)."]
    if plan.customers < customers:
        return [
            f"There are more customers, {customers:,}, than were planned, {plan.customers:,}. Looks take them as the "
            "plan."
        ]
    return [f"Of {plan.customers:,} planned customers {customers:,} are in the test. Looks count towards all of them."]


def _omission_sentences(roles: Roles, planned_shares: Mapping[str, float] | None) -> list[str]:
    """Sentences on the checks and adjustments that are not possible with what is stated."""
    shares = "Nothing was said of the planned shares (planned_shares): whether customers got lost cannot be checked."
    before = "Nothing known before the assignment was named (covariate), which could make the intervals narrower."
    return [sentence for sentence, said in ((shares, planned_shares), (before, roles.covariates)) if not said]


def _observational_sentence(plan: Plan) -> str:
    """That a difference between groups that chance did not make is no effect, in words."""
    return (
        f"This is no random test: {IN_WORDS[plan.assigned_by]} (assigned_by {plan.assigned_by!r}). The groups may "
        "differ in more than the treatment, so differences have no value in money, and nothing is recommended."
    )
