"""The value of contracts in words: all customers, what lies beyond the data, and what saving one may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import number_of, three_digits
from retention_models.fitting.result import Fit
from retention_models.forecast.churn_errors import STATED_ERROR
from retention_models.forecast.planning_range import planning_names
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.retention_counts import IMPLIED_JOINERS
from retention_models.logs.contracts.snapshot import Snapshot
from retention_models.narrative.answer import Answer, KeyFigure
from retention_models.narrative.formats import range_of_amounts, shares_as_percent
from retention_models.narrative.overviews import contract_overview
from retention_models.narrative.purchases import rounded_amount
from retention_models.scenario.contracts import Subscriptions
from retention_models.value.contracts import discounted_lifetime
from retention_models.value.payments import payment_schedule
from retention_models.value.terms import Terms


def contract_answer(
    parts: Mapping[str, pd.DataFrame],
    saved: pd.DataFrame,
    *,
    terms: Terms,
    customers: float,
    planned: pd.DataFrame | None = None,
    checks: Sequence[Check] = (),
    back: pd.DataFrame | None = None,
    events: Sequence[str] = (),
    by: str | None = None,
    explained: str = "",
    facts: Mapping[str, str] | None = None,
    assumed: str = "",
    in_prices: pd.DataFrame | None = None,
    earlier_forecasts: int | None = None,
) -> Answer:
    """What saving a customer may cost, and what all customers are worth within the renewals that were seen.

    Parameters
    ----------
    parts
        The table of ``value_by_evidence`` of each model that the data hardly tell from the best, by name. The range
        covers all of them: their 95 % planning ranges, or else their confidence intervals.
    saved
        The table of ``saved_value`` within the renewals seen.
    terms
        The terms of the value.
    customers
        Number of customers.
    planned
        The table of ``forecast_retention`` with ``past_errors``, of one group. By default None.
    checks
        The checks of the page.
    back
        The table of ``second_spells``, which may tell sorting from habit. By default None.
    events
        Names of the events that the value takes not to come again. By default none.
    by
        The column of the groups whose own models the value adds up. By default None: one model for all.
    explained
        What the calendar explains of earlier errors, from ``explained_text``.
    facts
        What the head of the page says of the data.
    assumed
        What was assumed, from ``assumptions``.
    in_prices
        Where each customer has an own price: the table of ``saved_value`` with a price of 1. What saving may cost is
        then a multiple of the customer's price. By default None: all pay the same.
    earlier_forecasts
        Number of earlier forecasts behind the planning range. By default None: not known, and at least one.

    Returns
    -------
    Answer
        The range of all customers and that of a saved one, from sorting to habit unless second spells exclude one.
        Where a table without dates cannot be right about churn, the headline says so, and no value is given.
    """
    first, saved = next(iter(parts.values())), saved if in_prices is None else in_prices
    one, seen = saved.iloc[-1], first.T["seen"]
    ahead, base = f"{seen['renewals']:,.0f} renewals", _range_over(parts, "seen", terms)
    low, high = _saved_range(saved, back)
    written = terms.written if in_prices is None else _times_the_price
    leaving = KeyFigure("Expected to leave at the next renewal", f"{100 * one['leaving'] / one['customers']:.3g} %")
    staying = [] if planned is None else [_staying(planned.iloc[-1], customers)]
    if any(check.passed is False and check.name == IMPLIED_JOINERS for check in checks):
        return _unusable((*staying, leaving), checks, facts, assumed)
    ends = range_of_amounts(terms, low, high) if in_prices is None else f"{three_digits(low)} to {written(high)}"
    figures = [
        KeyFigure(f"Value, next {ahead}", terms.written(rounded_amount(float(seen["value"]))), base),
        KeyFigure("A saved customer", written(one["value"]), ends),
        leaving,
    ]
    figures[1:1] = staying
    range_texts = _range_texts(parts, seen, terms, events, by, earlier_forecasts)
    sureness = (*range_texts, explained, _habit_text(saved, written, back))
    actions = [
        f"Let keeping a customer cost no more than the value of one saved{_tenure_range(saved, written)}.",
        f"Pay at most {written(value_of_contact(one))} per customer for an offer to all: that is its value if it keeps "
        "every leaver.",
        "Test an offer on customers chosen at random first: a high risk does not mean that an offer changes it.",
    ]
    if not terms.is_money:
        actions[1] = "State the price and the margin, to read these values in money."
    return Answer(
        headline=(
            f"Spend at most {written(low)} to keep a customer who would leave; all {customers:,.0f} are worth {base} "
            f"within {ahead}."
        ),
        figures=tuple(figures),
        actions=tuple(actions),
        sureness=tuple(filter(None, sureness)),
        checks=tuple(checks),
        facts=facts or {},
        assumed=assumed,
    )


def _times_the_price(value: float) -> str:
    return f"{three_digits(value)} times the price"


def _staying(last: pd.Series[Any], customers: float) -> KeyFigure:
    """How many customers stay until the end of a forecast, with the planning range at 80 %."""
    lower, upper = (f"{last[name]:,.0f}" for name in planning_names(0.8))
    stay = f"{last['expected']:,.0f} of {customers:,.0f}"
    return KeyFigure(f"Customers who stay {number_of(last['ahead'], 'renewals')}", stay, f"{lower} to {upper}")


def _unusable(
    figures: tuple[KeyFigure, ...], checks: Sequence[Check], facts: Mapping[str, str] | None, assumed: str
) -> Answer:
    """That a table without dates cannot say what customers are worth, and what would settle it."""
    return Answer(
        headline="Do not plan with this table: its churn is not that of earlier times. Read a log with dates.",
        figures=figures,
        actions=("Read a file with the start and the end of each contract, or count who left in a longer window.",),
        sureness=("The values below assume that the churn of this window holds at every tenure.",),
        checks=tuple(checks),
        facts=facts or {},
        assumed=assumed,
    )


def _saved_range(saved: pd.DataFrame, back: pd.DataFrame | None) -> tuple[float, float]:
    """What a saved customer is worth, from sorting to habit unless second spells exclude one of these."""
    low, high = _ends(saved.iloc[-1])
    habit = value_by_habit(saved)
    by_habit, by_sorting = _supported(back)
    if not by_habit:
        return low, high
    return (low if by_sorting else min(high, habit)), max(high, habit)


def _range_texts(
    parts: Mapping[str, pd.DataFrame],
    seen: pd.Series[Any],
    terms: Terms,
    events: Sequence[str],
    by: str | None,
    earlier_forecasts: int | None,
) -> list[str]:
    """What the range of the base covers, and what it rests on."""
    several = f"{len(parts)} models fit about equally well" if len(parts) > 1 else f"The model is {next(iter(parts))}"
    planned = all("planning_lower_95" in table for table in parts.values())
    tested = (
        f"a stated error of {100 * STATED_ERROR:.0f} % of churn"
        if earlier_forecasts == 0
        else ("the errors of earlier forecasts")
    )
    covers = f"parameters, chance and {tested}" if planned else "parameters"
    texts = [
        f"The range (95 %) covers {covers}{f', over {len(parts)} models' if len(parts) > 1 else ''}.",
        f"{several}{f', fitted by {by}' if by else ''}.",
        "No earlier forecast can be tested." if earlier_forecasts == 0 else "",
        f"The log is {seen['renewals']:,.0f} renewals long. {100 * seen['share_at_rare_tenures']:.0f} % of the value "
        "is paid at tenures that fewer than 30 contracts have reached.",
        _beyond_text(parts, terms),
    ]
    if events:
        names = [name.replace("_", " ") for name in events]
        listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
        texts.append(f"The value assumes no further {listed}.")
    return texts


def _range_over(parts: Mapping[str, pd.DataFrame], part: str, terms: Terms) -> str:
    """The range over several models, as text."""
    lower, upper = range_over_models(parts, part)
    return range_of_amounts(terms, rounded_amount(lower), rounded_amount(upper))


def range_over_models(parts: Mapping[str, pd.DataFrame], part: str) -> tuple[float, float]:
    """The range over several models: of their 95 % planning ranges, or of their confidence intervals without these."""
    ends = [_ends(table.T[part]) for table in parts.values()]
    return min(lower for lower, _ in ends), max(upper for _, upper in ends)


def _ends(row: pd.Series[Any]) -> tuple[float, float]:
    """The 95 % planning range of a value, or its confidence interval without one."""
    names = planning_names(0.95) if "planning_lower_95" in row else ("value_lower", "value_upper")
    return float(row[names[0]]), float(row[names[1]])


def known_contract_values(
    business: Subscriptions, parts: Mapping[str, pd.DataFrame], saved: pd.DataFrame, *, terms: Terms
) -> pd.DataFrame:
    """What the customers of a simulated business are worth by its own rules, without new events, beside the estimates.

    Parameters
    ----------
    business
        The simulated business.
    parts, saved
        As in ``contract_answer``.
    terms
        The terms of the value; a horizon is ignored.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``value``: ``truth``, the range ``lower, upper`` over all models, and ``holds``, whether the range
        holds the truth. The last row is a saved customer, within the renewals seen.
    """
    schedule = payment_schedule(replace(terms, horizon=None))
    renewals = next(iter(parts.values()))["renewals"].drop("beyond", errors="ignore").astype(int)
    survival = business.expected_survival(renewals.max()).to_numpy()
    paid = schedule.discounted_margins(renewals.max())[1:] / schedule.discount
    rows = {
        f"all customers, {ahead} renewals": (float(survival[:, :ahead].sum(axis=0) @ paid[:ahead]), *ends)
        for ahead, ends in ((renewals[part], range_over_models(parts, part)) for part in renewals.index)
    }
    leaves = 1 - survival[:, 0]
    kept = paid[0] + (survival[:, 1:] / survival[:, :1]) @ paid[1:]
    rows["a saved customer"] = (float(leaves @ kept / leaves.sum()), *_ends(saved.iloc[-1]))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["truth", "lower", "upper"]).rename_axis("value")
    return table.assign(holds=table["truth"].between(table["lower"], table["upper"]))


def _beyond_text(parts: Mapping[str, pd.DataFrame], terms: Terms) -> str:
    """What the models extrapolate beyond the renewals that were seen; empty where there is no such value."""
    if not all("beyond" in table.index for table in parts.values()):
        return ""
    return f"Beyond these renewals the models add {_range_over(parts, 'beyond', terms)}, which no data have tested."


def value_by_habit(saved: pd.DataFrame) -> float:
    """Value of a saved customer if loyalty is a habit that all acquire alike: that of one who renews, over the leavers.

    With one spell per customer, the same curve can come from customers who differ and never change (sorting: the column
    ``value``), or from customers who are alike and change with tenure (habit).
    """
    leaving, renewing = (saved[name].iloc[:-1].to_numpy(dtype=float) for name in ("leaving", "renewing_value"))
    return float(leaving @ renewing / leaving.sum())


def _habit_text(saved: pd.DataFrame, written: Callable[[float], str], back: pd.DataFrame | None) -> str:
    """The other end of what a saved customer can be worth; empty where both ends are the same."""
    sorting, habit = (written(float(value)) for value in (saved["value"].iloc[-1], value_by_habit(saved)))
    if sorting == habit:
        return ""
    return (
        f"A saved customer is worth {sorting} if customers differ from the start (sorting), and {habit} if loyalty "
        f"grows with tenure (habit). {second_spell_text(back)}"
    )


def _supported(back: pd.DataFrame | None) -> tuple[bool, bool]:
    """Whether second spells leave room for habit, and for sorting."""
    if back is None or back.empty or back["sorting_share"].isna().all():
        return True, True
    row = back.iloc[0]
    by_habit, by_sorting = (bool(row["sorting_share_lower"] <= end <= row["sorting_share_upper"]) for end in (0, 1))
    return (by_habit, by_sorting) if by_habit or by_sorting else (True, True)


def second_spell_text(back: pd.DataFrame | None) -> str:
    """What customers who came back tell of sorting and habit."""
    if back is None or back.empty or back["sorting_share"].isna().all():
        return "With one spell per customer, the log cannot tell which."
    row = back.iloc[0]
    verdict = {
        (True, True): "That cannot tell which.",
        (False, True): "That speaks for sorting.",
        (True, False): "That speaks for habit.",
    }[_supported(back)]
    return (
        f"The {row['customers']:,.0f} customers who came back have left {row['lost']:,.0f} times; sorting expects "
        f"{row['if_sorting']:,.0f} and habit {row['if_habit']:,.0f}. {verdict}"
    )


def _tenure_range(saved: pd.DataFrame, written: Callable[[float], str]) -> str:
    """The lowest and the highest value of a saved customer, with their tenures; empty if all are equal."""
    value, made = saved["value"].to_numpy()[:-1], saved.index.to_numpy()[:-1]
    (least, at_least), (most, at_most) = ((written(float(value[i])), made[i]) for i in (value.argmin(), value.argmax()))
    return "" if least == most else f": from {least} {_tenure_text(at_least)} to {most} {_tenure_text(at_most)}"


def _tenure_text(renewals: int) -> str:
    return f"after renewal {renewals}" if renewals else "before the first renewal"


def evidence_parts_table(parts: Mapping[str, pd.DataFrame], *, level: float = 0.95) -> pd.DataFrame:
    """The parts of the value by each model as one table for display.

    Parameters
    ----------
    parts
        As in ``contract_answer``.
    level
        Level of the intervals, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``model`` and ``part``, with intervals as text and shares in percent. ``renewals`` is "no end" for
        what lies beyond.
    """
    table = pd.concat(dict(parts), names=["model"])
    ahead = ["no end" if np.isinf(count) else f"{count:.0f}" for count in table["renewals"]]
    return shares_as_percent(table.assign(renewals=ahead), "share_at_rare_tenures", "share", level=level)


def value_of_contact(saved: pd.Series) -> float:
    """Break-even cost per contact of an offer to all customers that saves everyone about to leave."""
    return float(saved["value"] * saved["leaving"] / saved["customers"])


def new_contract_values(
    fits: Mapping[str, Fit], terms: Terms, *, seen: Terms, customers: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Value of a contract that begins today, by each model: within the renewals seen, and beyond.

    Parameters
    ----------
    fits
        Fits of contracts by name.
    terms
        The terms of the value without a horizon.
    seen
        The same terms with the renewals seen as their horizon.
    customers
        The customers whose column is the price of the terms. The price of a new contract is then the mean of those with
        the fewest renewals. By default None: the price is not a column.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``model``: ``new_contract``, the value within the horizon, the payment at the start included, and
        ``beyond``, what an extrapolation adds; first the ``price`` if it is a mean.
    """
    mean = {}
    if customers is not None and isinstance(terms.price, str):
        new = customers[customers["tenure"] == customers["tenure"].min()]
        price = float(np.average(new[terms.price], weights=new["weight"]))
        terms, seen, mean = replace(terms, price=price), replace(seen, price=price), {"price": price}
    rows = {}
    for name, each in fits.items():
        within = discounted_lifetime(each, seen)
        rows[name] = mean | {"new_contract": within}
        if terms.annual_discount_rate:
            rows[name]["beyond"] = discounted_lifetime(each, terms) - within
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def contract_facts(spells: Spells | Snapshot, *, name: str | Path = "this log") -> dict[str, str]:
    """Whose contracts, how many, and as of when: the head of a page, by name.

    Parameters
    ----------
    spells
        The log that ``read_contracts`` returns, or a ``Snapshot``.
    name
        Name of the log. Of a path, the last part is used.

    Returns
    -------
    dict
        Names to text.
    """
    known = contract_overview(spells, name=name).iloc[:, 0]
    wanted = {"customers": "customers", "still running": "active contracts", "still customers": "active contracts"}
    facts = {"data": Path(name).name, "as of": str(spells.observation_end)}
    if "first start" in known:
        facts["contracts since"] = known["first start"]
    return facts | {label: known[fact] for fact, label in wanted.items() if fact in known}
