"""The value of contracts in words: all customers, what lies beyond the data, and what saving one may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.fitting.result import Fit
from retention_models.forecast.planning_range import planning_names
from retention_models.narrative.purchases import failed_sentence, rounded_amount
from retention_models.scenario.contracts import Subscriptions
from retention_models.value.contracts import discounted_lifetime
from retention_models.value.payments import payment_schedule
from retention_models.value.terms import Terms


def saving_sentence(
    parts: Mapping[str, pd.DataFrame],
    saved: pd.DataFrame,
    *,
    terms: Terms,
    customers: float,
    checks: Sequence[Check] = (),
    back: pd.DataFrame | None = None,
    events: Sequence[str] = (),
    by: str | None = None,
) -> str:
    """The value of all customers within the renewals that were seen, what lies beyond, and what saving one may cost.

    Parameters
    ----------
    parts
        The table of ``value_by_evidence`` of each model that the data hardly tell from the best, by name. The range
        covers all of them: their 95 % planning ranges, or else their confidence intervals.
    saved
        The table of ``saved_value`` within the renewals seen. The text gives its last row, and the lowest and highest
        value before it.
    terms
        The terms of the value.
    customers
        Number of customers.
    checks
        Checks. The text names those that failed.
    back
        The table of ``second_spells``, which may tell sorting from habit. By default None.
    events
        Names of the events that the value takes not to come again. By default none.
    by
        The column of the groups whose own models the value adds up. By default None: one model for all.

    Returns
    -------
    str
        Some sentences.
    """
    first, one = next(iter(parts.values())), saved.iloc[-1]
    seen = first.loc["seen"]
    worth, least, most = (terms.written(value) for value in (one["value"], *_ends(one)))
    chance, spread = one["leaving"] / one["customers"], _tenure_range(saved, terms)
    models = f"{len(parts)} models fit about equally well" if len(parts) > 1 else f"by {next(iter(parts))}"
    models += f", each fitted by {by}" if by else ""
    models += f"; without further {' or '.join(name.replace('_', ' ') for name in events)}" if events else ""
    return (
        f"The {customers:,.0f} customers are worth {_range_over(parts, 'seen', terms)} over the next "
        f"{seen['renewals']:,.0f} renewals, as many as the log is long ({models}). "
        f"{100 * seen['share_at_rare_tenures']:.0f} % of that is paid at tenures that fewer than 30 contracts have "
        f"reached.{_beyond_text(parts, terms)} A customer who was about to leave at the next renewal and is kept is "
        f"worth {f'on average {worth}' if spread else worth} ({least} to {most}) within that time{spread}: keeping one "
        f"may cost at most that.{_habit_text(saved, terms, back)} Where the offer goes to all customers, of whom "
        f"{100 * chance:.3g} % are about to leave, it may cost at most {terms.written(value_of_contact(one))} each, "
        f"even if it kept every one of these.{failed_sentence(checks)}"
    )


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
        As in ``saving_sentence``.
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
    return f" Beyond, the models extrapolate another {_range_over(parts, 'beyond', terms)}, which no data have tested."


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
        f" That holds if customers differ from the start and never change; if loyalty is a habit that grows with "
        f"tenure, it is {habit}. {second_spell_text(back)}"
    )


def second_spell_text(back: pd.DataFrame | None) -> str:
    """What customers who came back tell of sorting and habit."""
    if back is None or back.empty or back["sorting_share"].isna().all():
        return "With one spell per customer the log cannot tell which."
    row = back.iloc[0]
    counts = (
        f"The {row['customers']:,.0f} customers who came back have left {row['lost']:,.0f} times, where sorting "
        f"expects {row['if_sorting']:,.0f} and habit {row['if_habit']:,.0f}"
    )
    by_habit, by_sorting = (row["sorting_share_lower"] <= end <= row["sorting_share_upper"] for end in (0, 1))
    verdict = {
        (False, True): "this speaks for sorting",
        (True, False): "this speaks for habit",
        (True, True): "this cannot tell which",
        (False, False): "this is neither alone" if 0 < row["sorting_share"] < 1 else "this fits neither",
    }
    return f"{counts}: {verdict[by_habit, by_sorting]}."


def _tenure_range(saved: pd.DataFrame, terms: Terms) -> str:
    """The lowest and highest value of a saved customer with their tenures; empty if all are equal."""
    value, made = saved["value"].to_numpy()[:-1], saved.index.to_numpy()[:-1]
    (least, at_least), (most, at_most) = ((terms.written(value[i]), made[i]) for i in (value.argmin(), value.argmax()))
    return "" if least == most else f", from {least} {_tenure_text(at_least)} to {most} {_tenure_text(at_most)}"


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
        the fewest renewals. By default None: the price is no column.

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
