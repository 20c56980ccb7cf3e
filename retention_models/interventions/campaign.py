"""A test that nobody has looked at yet: what was said of it, and what is chosen from its rows, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.interventions.comparisons import differences
from retention_models.interventions.effect import Effect
from retention_models.interventions.experiment import Experiment, Plan
from retention_models.interventions.money import Costs, Money
from retention_models.interventions.outcome import Outcome
from retention_models.interventions.prices import Prices
from retention_models.interventions.roles import Roles
from retention_models.interventions.rows import open_frame
from retention_models.logs.engines import collect
from retention_models.logs.files import naming, open_files, parse_numbers

UNTREATED = frozenset(
    ["control", "none", "no", "nothing", "untreated", "holdout", "hold-out", "baseline", "placebo", "0", "false"]
)
MOST_ARMS = 20  # a column with more values does not say who was assigned to what


@dataclass(frozen=True, slots=True, eq=False)
class Campaign:
    """A test as it is to be read; made by :func:`read_campaign`.

    Attributes
    ----------
    experiment
        The arms, with every column that has a role.
    outcomes
        What is measured, the most important first.
    priced, money
        The outcome that is worth money, and how much; None where nothing was said of it.
    costs
        What the arms cost; empty where nothing was said of it.
    currency
        What money is called; empty where it has no name.
    roles
        Which column says what.
    rows
        The rows, on their engine.
    reasons
        Sentences: what was chosen from the rows, or left out because nothing was said of it.
    """

    experiment: Experiment
    outcomes: tuple[Outcome, ...]
    priced: Outcome | None
    money: Money | None
    costs: Mapping[str, Costs]
    currency: str
    roles: Roles
    rows: Any = field(repr=False)
    reasons: tuple[str, ...] = ()

    @property
    def main(self) -> Outcome:
        """The outcome that the decision hangs on: the one that is worth money, or else the first."""
        return self.priced or self.outcomes[0]

    @property
    def effects(self) -> list[Effect]:
        """What each arm changed in each outcome, with its value where there is one."""
        return [
            effect
            for outcome in self.outcomes
            for effect in differences(self.experiment, outcome, self.money if outcome == self.priced else None)
        ]

    @property
    def table(self) -> pd.DataFrame:
        """Customers of each arm, and the mean of every outcome; one row an arm, the control first."""
        table = self.experiment.table()
        units = ["units"] if self.roles.cluster else []
        return table[["customers", *units, *(outcome.column for outcome in self.outcomes)]]

    @property
    def provenance(self) -> str:
        """One line: what the numbers rest on."""
        arms = self.experiment.arms
        sizes = ", ".join(f"{arm} {self.experiment.n(arm):,}" for arm in arms)
        return f"{self.experiment.n(*arms):,} customers in {len(arms)} arms ({sizes})"

    def __str__(self) -> str:
        return "\n".join(self.reasons)

    def _repr_html_(self) -> str:
        return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in self.reasons)}</ul>"


def read_campaign(
    rows: Any,
    roles: Roles,
    prices: Prices,
    *,
    control: str | None = None,
    planned_shares: Mapping[str, float] | None = None,
    window: str | None = None,
) -> Campaign:
    """A test as it is to be read: what was said holds, the rest is chosen from the rows, or left out and said so.

    Parameters
    ----------
    rows
        One row a customer: a frame of any engine, or the path of a CSV or Parquet file.
    roles
        Which column says what. Without an outcome, the only column of numbers that has no other role is taken.
    prices
        What an outcome earns and the arms cost.
    control
        The arm to compare with. Without it, the only one that goes by such a name (``control``, ``none``, ``0``).
    planned_shares
        Arm to its planned share, in any unit, to see whether customers got lost.
    window
        How long after the assignment outcomes were watched, in words.

    Raises
    ------
    ValueError
        When a column is missing, has gaps or text instead of numbers, or repeats customers; when there is no control;
        when what was said contradicts itself.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.interventions.campaign import read_campaign
    >>> from retention_models.interventions.prices import Prices
    >>> from retention_models.interventions.roles import Roles
    >>> rows = pd.DataFrame({"arm": ["none", "mail"] * 50, "bought": [0] * 40 + [0, 1] * 20 + [1] * 20})
    >>> print(read_campaign(rows, Roles(), Prices(worth=12, cost=0.5, currency="EUR")))
    “bought” is the outcome: no other column of numbers is left.
    “bought” is yes or no: the arms are compared by their share of customers.
    The arms are compared with “none”, which goes by the name of a control.
    Nothing was said of the planned shares (planned_shares): whether customers got lost cannot be checked.
    Nothing known before the assignment was named (covariate), which could make the intervals narrower.
    One more of “bought” is counted as 12.0 EUR earned (worth).
    A contact costs 0.500 EUR.
    """
    frame = _opened(rows)
    roles = roles.among(frame.collect_schema().names())
    prices.check(roles)
    with naming(rows):
        roles, *chosen = _with_outcome(frame, roles)
        frame = _with_order(_with_numbers(frame, roles.numbers), roles.assigned)
        against, reason = _control(_arms(frame, roles.arm), control)
        plan = Plan(control=against, shares=planned_shares, unit=roles.cluster or "customer")
        experiment = Experiment.from_rows(
            frame.to_native(),
            plan,
            arm=roles.arm,
            outcomes=(*roles.outcomes, *roles.extras),
            covariates=roles.covariates,
            cluster=roles.cluster,
            block=roles.block,
            customer_id=roles.customer_id or "",
        )
        yes_or_no = _yes_or_no(frame, roles.outcomes)
    outcomes = tuple(_outcome(name, roles, prices, name in yes_or_no, window) for name in roles.outcomes)
    priced, worth = prices.priced(roles, outcomes)
    costs = prices.costs(experiment.arms, roles)
    return Campaign(
        experiment=experiment,
        outcomes=outcomes,
        priced=priced,
        money=Money(worth=worth, costs=costs) if priced else None,
        costs=costs,
        currency=prices.currency or "",
        roles=roles,
        rows=frame.to_native(),
        reasons=(
            *chosen,
            *(_kind(outcome, roles, outcome.column in yes_or_no) for outcome in outcomes),
            reason,
            *_left_out(roles, planned_shares),
            *prices.reasons(roles, outcomes).values(),
        ),
    )


def _opened(rows: Any) -> nw.LazyFrame[Any]:
    """The rows; those of a file as it says them, so that text among numbers can be counted."""
    return open_frame(open_files(rows, None) if isinstance(rows, str | Path) else rows)


def _with_numbers(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
    """The rows with text columns as numbers, missing where they are none, where the engine is that of files."""
    if not frame.implementation.is_duckdb():
        return frame
    return nw.from_native(parse_numbers(frame.to_native(), columns))


def _with_order(frame: nw.LazyFrame[Any], assigned: str | None) -> nw.LazyFrame[Any]:
    """The rows with the time of assignment as a number where it is one throughout; days in ISO 8601 sort as text."""
    if assigned is None:
        return frame
    parsed = _with_numbers(frame, [assigned])
    gaps = collect(parsed.select(nw.col(assigned).is_null().any().alias("gaps")))["gaps"].iloc[0]
    return frame if gaps else parsed


def _with_outcome(frame: nw.LazyFrame[Any], roles: Roles) -> tuple[Any, ...]:
    """The roles with an outcome, and a sentence where it had to be chosen."""
    if roles.outcomes:
        return (roles,)
    left = [name for name in frame.collect_schema().names() if name not in roles.names]
    found = _number_columns(_with_numbers(frame, left), left)
    if len(found) != 1:
        there = f"columns of numbers are left: {', '.join(found) or 'none'}"
        raise ValueError(f"the outcome was not named (outcome), and not one but {len(found)} {there}")
    reason = f"“{found[0]}” is the outcome: no other column of numbers is left."
    return replace(roles, outcome=(found[0],)), reason


def _number_columns(frame: nw.LazyFrame[Any], names: Sequence[str]) -> list[str]:
    """Those of the columns that hold numbers, or true and false, in most rows."""
    schema = frame.collect_schema()
    numeric = [name for name in names if schema[name].is_numeric() or schema[name] == nw.Boolean]
    if not numeric:
        return []
    filled = [(~nw.col(name).is_null()).cast(nw.Int64).sum().alias(name) for name in numeric]
    counts = collect(frame.select(nw.len().alias("rows"), *filled)).iloc[0]
    return [name for name in numeric if 2 * counts[name] > counts["rows"]]


def _arms(frame: nw.LazyFrame[Any], arm: str) -> list[str]:
    """The arms, in alphabetical order.

    Raises
    ------
    ValueError
        When there are no rows, or so many arms that the column must be another one.
    """
    found = collect(frame.select(nw.col(arm).cast(nw.String).alias("arm")).unique())["arm"].dropna()
    arms = sorted(str(name) for name in found if str(name).strip())
    if not len(found):
        raise ValueError("there are no rows with an arm; every assigned customer needs one, those who did nothing too")
    if len(arms) > MOST_ARMS:
        raise ValueError(
            f"column {arm!r} has {len(arms):,} values ({', '.join(arms[:3])}, ...), and a test at most "
            f"{MOST_ARMS} arms; name the column that says who was assigned to what (arm)"
        )
    return arms


def _control(arms: Sequence[str], control: str | None) -> tuple[str, str]:
    """The arm to compare with, and why.

    Raises
    ------
    ValueError
        When it is none of the arms, or none is named and not exactly one goes by the name of a control.
    """
    if control is not None:
        if control not in arms:
            raise ValueError(f"the control {control!r} is none of the arms {', '.join(arms)}")
        return control, f"The arms are compared with “{control}”, as asked."
    found = [arm for arm in arms if arm.strip().casefold() in UNTREATED]
    if len(found) != 1:
        raise ValueError(f"which arm is the control was not said (control); it is one of {', '.join(arms)}")
    return found[0], f"The arms are compared with “{found[0]}”, which goes by the name of a control."


def _yes_or_no(frame: nw.LazyFrame[Any], names: Sequence[str]) -> set[str]:
    """Those of the columns that hold nothing but 0 and 1, or true and false."""
    schema = frame.collect_schema()
    numbers = [name for name in names if schema[name] != nw.Boolean]
    others = [(~nw.col(name).is_in([0, 1])).cast(nw.Int64).sum().alias(name) for name in numbers]
    counts = collect(frame.select(*others)).iloc[0] if others else pd.Series(dtype=int)
    return set(names) - {str(name) for name in counts.index[counts > 0]}


def _outcome(name: str, roles: Roles, prices: Prices, yes_or_no: bool, window: str | None) -> Outcome:
    unit = "share of customers" if yes_or_no else f"{prices.unit if name == roles.amount else name} per customer"
    return Outcome(column=name, unit=unit, horizon=window or "not stated", adjust_for=roles.covariates)


def _kind(outcome: Outcome, roles: Roles, yes_or_no: bool) -> str:
    if yes_or_no:
        return f"“{outcome.column}” is yes or no: the arms are compared by their share of customers."
    what = "an amount" if outcome.column == roles.amount else "a number"
    return f"“{outcome.column}” is {what}: the arms are compared by their mean over all customers, buyers or not."


def _left_out(roles: Roles, planned_shares: Mapping[str, float] | None) -> list[str]:
    """What cannot be told because nothing was said of it."""
    shares = "Nothing was said of the planned shares (planned_shares): whether customers got lost cannot be checked."
    before = "Nothing known before the assignment was named (covariate), which could make the intervals narrower."
    return [sentence for sentence, said in ((shares, planned_shares), (before, roles.covariates)) if not said]
