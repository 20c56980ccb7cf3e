"""Plots of all efforts: money by state, evidence on each, their calendar, and the allocation of a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import interval, listing, named, number
from retention_models.plots.evidence import COLOUR_OF, MARKS
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    COUNTS,
    MUTED,
    apply_style,
    axes_or_new,
    set_message,
)

STATE_COLOURS = {
    "proven": COLOURS[2],
    "harmful": COLOURS[1],
    "undecided": COLOURS[4],
    "unmeasured": MUTED,
    "stale": COLOURS[3],
}
ANNUAL = ("annual_value", "annual_value_lower", "annual_value_upper")


@apply_style
def plot_efforts(evidence: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Forest plot of money a year: each piece of evidence with its interval, and the cost of efforts without any.

    Parameters
    ----------
    evidence
        ``Register.evidence``. Rows with money are sorted by it. An effort without money has a grey bar as long as its
        cost. ``attrs["currency"]`` names the unit, and ``attrs["title"]``, if present, is the title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    valued = evidence[evidence["annual_value"].notna()].sort_values("annual_value", ascending=False)
    others = evidence[~evidence["effort"].isin(valued["effort"]) & evidence["cost_per_year"].notna()]
    others = others.drop_duplicates("effort").sort_values("cost_per_year", ascending=False)
    rows = pd.concat([valued, others])
    ax = axes_or_new(ax, rows=len(rows) + 3)
    ax.axvline(0, color=ACTUAL, linewidth=1)
    middle, lower, upper = (valued[name].to_numpy(dtype=float) for name in ANNUAL)
    for row, design in enumerate(valued["design"]):
        ax.hlines(row, lower[row], upper[row], color=COLOUR_OF[design], linewidth=2.4, alpha=0.6)
        ax.plot(middle[row], row, MARKS[design], color=COLOUR_OF[design])
    places = len(valued) + np.arange(len(others))
    ax.barh(places, others["cost_per_year"].to_numpy(dtype=float), height=0.5, color=MUTED)
    _name_rows(ax, [_row_name(row) for row in rows.to_dict("records")])
    designs = [Line2D([], [], marker=MARKS[d], color=COLOUR_OF[d], linestyle="", label=d) for d in MARKS]
    shown = [mark for mark in designs if mark.get_label() in set(valued["design"])]
    cost = [Patch(color=MUTED, label="cost, nothing measured in money")] * bool(len(others))
    if shown or cost:
        ax.legend(handles=[*shown, *cost], loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    ax.set_xlabel(f"{evidence.attrs.get('currency', '') or 'money'} a year, net of all costs")
    ax.xaxis.set_major_formatter(COUNTS)
    counts = valued["state"].ne("stale") & valued["state"].ne("undecided")  # of others, the evidence may not decide
    above, below = int(((lower > 0) & counts).sum()), int(((upper < 0) & counts).sum())
    message = f"{above} of {number_of(len(rows), 'rows')} above their costs, {below} below, {len(others)} without money"
    message = message if len(rows) else "No effort has a value or a stated cost"
    each = [
        f"{named(row['effort'])}: {number(row[ANNUAL[0]])} {interval(row[ANNUAL[1]], row[ANNUAL[2]])}"
        for row in valued.to_dict("records")
    ]
    spent = [f"{named(row['effort'])} costs {number(row['cost_per_year'])}" for row in others.to_dict("records")]
    text = f"Money a year with its interval: {listing(each)}."
    set_message(ax, evidence, message, text + (f" Without money: {listing(spent)}." if spent else ""), pad=24)
    return ax


def _row_name(row: Mapping[Any, Any]) -> str:
    """An effort, with its data where several rows could be meant."""
    pooled = str(row["data"]).startswith("pooled")
    return f"{named(row['effort'])}\n{row['data']}" if pooled else f"{named(row['effort'])}\n{row['state']}"


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Rows from the top, each with its name."""
    ax.set_yticks(range(len(names)), list(names))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)


@apply_style
def plot_effort_costs(money: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Bars of the cost a year by state.

    Parameters
    ----------
    money
        ``Register.money()``. ``attrs["currency"]`` names the unit, and ``attrs["title"]``, if present, is the title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax, rows=len(money) + 1)
    cost = money["cost_per_year"].to_numpy(dtype=float)
    ax.barh(range(len(money)), cost, height=0.6, color=[STATE_COLOURS[str(state)] for state in money.index])
    counts = money["efforts"].to_numpy()
    _name_rows(ax, [f"{state}\n{number_of(n, 'efforts')}" for state, n in zip(money.index, counts, strict=True)])
    ax.xaxis.set_major_formatter(COUNTS)
    unit = money.attrs.get("currency", "") or "money"
    ax.set_xlabel(f"cost a year, {unit}")
    total = cost.sum()
    proven = float(money["cost_per_year"].reindex(["proven"]).fillna(0.0).iloc[0])
    message = f"{100 * proven / total:.0f} % of the money is proven to pay" if total else "No effort has a stated cost"
    each = [f"{state}: {number(amount)}" for state, amount in zip(money.index, cost, strict=True)]
    set_message(ax, money, message, f"Cost a year by state: {listing(each)}.")
    return ax


@apply_style
def plot_effort_calendar(calendar: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """When efforts run: a bar from start to end, with the review date as a mark.

    Parameters
    ----------
    calendar
        ``Register.calendar``. An effort without an end runs to the edge. Efforts without a start are left out.
        ``attrs["title"]``, if present, is the title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    known = calendar[calendar["started"].notna()]
    ax = axes_or_new(ax, rows=2 * len(known))
    last: Any = known[["started", "ends", "review_date"]].max().max()
    edge = last + pd.Timedelta(60, "D")
    for row, effort in enumerate(known.to_dict("records")):
        end = edge if pd.isna(effort["ends"]) else effort["ends"]
        days = max((end - effort["started"]).days, 1)
        ax.barh(row, days, left=effort["started"], height=0.5, color=STATE_COLOURS[effort["state"]])
        if not pd.isna(effort["review_date"]):
            ax.plot(effort["review_date"], row, "|", color=ACTUAL, markersize=16, markeredgewidth=2)
    _name_rows(ax, [named(name) for name in known.index])
    ax.set_xlabel("date")
    states = [state for state in STATE_COLOURS if state in set(known["state"])]
    marks: list[Patch | Line2D] = [Patch(color=STATE_COLOURS[state], label=state) for state in states]
    marks.append(Line2D([], [], marker="|", color=ACTUAL, linestyle="", markersize=10, label="review"))
    ax.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), ncols=6)
    endless = int(known["ends"].isna().sum())
    message = f"{endless} of {number_of(len(known), 'efforts')} {'has' if endless == 1 else 'have'} no end"
    message = message if len(known) else "No effort has a stated start"
    each = [
        f"{named(name)} from {effort['started']:%Y-%m-%d} "
        + ("without an end" if pd.isna(effort["ends"]) else f"to {effort['ends']:%Y-%m-%d}")
        for name, effort in zip(known.index, known.to_dict("records"), strict=True)
    ]
    set_message(ax, calendar, message, f"Efforts by start: {listing(each)}.", pad=24)
    return ax


@apply_style
def plot_allocation(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Bars of the money a year of each effort: today's, and what the allocation spends.

    Parameters
    ----------
    table
        ``allocate_budget(...).table``. ``attrs["currency"]`` names the unit, and ``attrs["title"]``, if present, is the
        title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    rows = table.reset_index().groupby("effort", sort=False)[["cost_now", "cost"]].sum()
    decided = (
        table["decision"]
        .groupby(level="effort", sort=False)
        .agg(lambda each: "fund" if "fund" in set(each) else each.iloc[0])
    )
    ax = axes_or_new(ax, rows=2 * len(rows))
    places = np.arange(len(rows))
    ax.barh(places - 0.2, rows["cost_now"], height=0.36, color=MUTED, label="today")
    ax.barh(places + 0.2, rows["cost"], height=0.36, color=COLOURS[0], label="allocated")
    _name_rows(ax, [f"{named(name)}\n{decided[name]}" for name in rows.index])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.xaxis.set_major_formatter(COUNTS)
    ax.set_xlabel(f"{table.attrs.get('currency', '') or 'money'} a year")
    funded = int((rows["cost"] > 0).sum())
    message = f"{funded} of {number_of(len(rows), 'efforts')} funded"
    each = [
        f"{named(name)}: {decided[name]}, {number(row['cost_now'])} today, {number(row['cost'])} allocated"
        for name, row in zip(rows.index, rows.to_dict("records"), strict=True)
    ]
    set_message(ax, table, message, f"Money a year: {listing(each)}.", pad=24)
    return ax
