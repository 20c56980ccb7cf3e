"""The value of contracts in words: all customers, what lies beyond the data, and what saving one may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import number_of
from retention_models.fitting.result import Fit
from retention_models.forecast.planning_range import planning_names
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.snapshot import Snapshot
from retention_models.narrative.answer import Answer, KeyFigure
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
) -> Answer:
    """What a base of contracts is worth within the renewals that were seen, and what saving a customer may cost.

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

    Returns
    -------
    Answer
        The range of the base and that of a saved customer, from sorting to habit unless second spells exclude one.
    """
    first, one = next(iter(parts.values())), saved.iloc[-1]
    seen = first.T["seen"]
    ahead, base = f"{seen['renewals']:,.0f} renewals", _range_over(parts, "seen", terms)
    low, high = _saved_range(saved, back)
    figures = [
        KeyFigure(f"Value, next {ahead}", terms.written(rounded_amount(float(seen["value"]))), base),
        KeyFigure("A saved customer", terms.written(one["value"]), f"{terms.written(low)} to {terms.written(high)}"),
        KeyFigure("About to leave at the next renewal", f"{100 * one['leaving'] / one['customers']:.3g} %"),
    ]
    if planned is not None:
        last = planned.iloc[-1]
        lower, upper = (f"{last[name]:,.0f}" for name in planning_names(0.8))
        stay = f"{last['expected']:,.0f} of {customers:,.0f}"
        figures.insert(
            1, KeyFigure(f"Customers who stay {number_of(last['ahead'], 'renewals')}", stay, f"{lower} to {upper}")
        )
    sureness = (*_range_texts(parts, seen, terms, events, by), explained, _habit_text(saved, terms, back))
    return Answer(
        headline=(
            f"Over the next {ahead} the base is worth {base}; a saved customer is worth {terms.written(low)} to "
            f"{terms.written(high)}."
        ),
        figures=tuple(figures),
        actions=(
            f"Let keeping a customer cost no more than the value of one saved{_tenure_range(saved, terms)}.",
            f"Pay at most {terms.written(value_of_contact(one))} a customer for an offer to all: that is its value if "
            "it keeps every leaver.",
            "Test an offer on customers chosen at random first: a high risk does not mean that an offer changes it.",
        ),
        sureness=tuple(filter(None, sureness)),
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
    parts: Mapping[str, pd.DataFrame], seen: pd.Series[Any], terms: Terms, events: Sequence[str], by: str | None
) -> list[str]:
    """What the range of the base covers, and what it rests on."""
    several = f"{len(parts)} models that fit about equally well" if len(parts) > 1 else f"the model {next(iter(parts))}"
    planned = all("planning_lower_95" in table for table in parts.values())
    covers = "parameters, chance and the errors of earlier forecasts" if planned else "parameters"
    texts = [
        f"The range (95 %) covers {covers}, over {several}{f', each fitted by {by}' if by else ''}.",
        f"The log is {seen['renewals']:,.0f} renewals long. {100 * seen['share_at_rare_tenures']:.0f} % of the value "
        "is paid at tenures that fewer than 30 contracts have reached.",
        _beyond_text(parts, terms),
    ]
    if events:
        texts.append(f"The value assumes no further {' or '.join(name.replace('_', ' ') for name in events)}.")
    return texts


def _range_over(parts: Mapping[str, pd.DataFrame], part: str, terms: Terms) -> str:
    """The range over several models, as text."""
    lower, upper = range_over_models(parts, part)
    return f"{terms.written(rounded_amount(lower))} to {terms.written(rounded_amount(upper))}"


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


def _habit_text(saved: pd.DataFrame, terms: Terms, back: pd.DataFrame | None) -> str:
    """The other end of what a saved customer can be worth; empty where both ends are the same."""
    sorting, habit = (terms.written(value) for value in (saved["value"].iloc[-1], value_by_habit(saved)))
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


def _tenure_range(saved: pd.DataFrame, terms: Terms) -> str:
    """The lowest and the highest value of a saved customer, with their tenures; empty if all are equal."""
    value, made = saved["value"].to_numpy()[:-1], saved.index.to_numpy()[:-1]
    (least, at_least), (most, at_most) = ((terms.written(value[i]), made[i]) for i in (value.argmin(), value.argmax()))
    return "" if least == most else f": {least} {_tenure_text(at_least)}, {most} {_tenure_text(at_most)}"


def _tenure_text(renewals: int) -> str:
    return f"after renewal {renewals}" if renewals else "before the first renewal"


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
