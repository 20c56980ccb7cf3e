"""Plots of trials of what customers choose: whether the groups are alike, and what became of them."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import interval, listing, number
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    FAINT,
    QUIET,
    apply_style,
    axes_or_new,
    label_ends,
    set_message,
)

ALIKE = 0.1  # standardised difference
GROUPS = {"joined": "joined", "as_joined": "others", "never_joined": "never joining"}


@apply_style
def plot_balance(balance: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How much those who joined differ from others in what was known before, as it was and after weighting.

    Parameters
    ----------
    balance
        ``Trials.balance()``: indexed by covariate, with ``before`` and ``after``. ``attrs["title"]``, if present, is
        the title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    table = balance.reindex(balance["before"].abs().sort_values().index)
    ax = axes_or_new(ax, rows=len(table) + 2)
    place = range(len(table))
    ax.axvspan(-ALIKE, ALIKE, color=FAINT, zorder=0)
    ax.axvline(0, color=ACTUAL, linewidth=1)
    ax.hlines(place, table["before"], table["after"], color=FAINT, linewidth=1)
    for name, colour, marker in (("before", QUIET, "o"), ("after", COLOURS[0], "D")):
        ax.plot(table[name], place, marker, color=colour, label=f"{name} weighting")
    ax.set_yticks(list(place), [str(name).replace("_", " ") for name in table.index])
    ax.set_xlabel("difference, in standard deviations of those who joined")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    before, after = (float(table[name].abs().max()) for name in ("before", "after"))
    message = f"Largest difference {number(before)} before weighting, {number(after)} after"
    told = [
        f"{name}: {number(row['before'])} before, {number(row['after'])} after" for name, row in table[::-1].iterrows()
    ]
    set_message(ax, balance, message, f"Differences in standard deviations: {listing(told)}.", pad=24)
    return ax


@apply_style
def plot_trials(curves: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The outcome of those who joined and of the comparison group, by time since joining.

    Parameters
    ----------
    curves
        ``Trials.curves()``. ``attrs["title"]``, if present, is the title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    since = curves.index.to_numpy(dtype=float)
    drawn = [name for name in GROUPS if name in curves]
    colours = dict(zip(GROUPS, (COLOURS[0], QUIET, COLOURS[1]), strict=True))
    around = [curves["joined"] - curves[end] for end in ("upper", "lower")]
    ax.fill_between(since, around[0], around[1], color=FAINT, label="interval of the others")
    for name in drawn:
        ax.plot(since, curves[name], color=colours[name], linewidth=2 if name == "joined" else 1.5)
    outcome, unit = curves.attrs.get("outcome", "outcome"), curves.attrs.get("unit", "weeks")
    ax.set_xlabel(f"{unit} since joining")
    ax.set_ylabel(f"{outcome}, mean so far")
    ax.set_xlim(float(since[0]), float(since[-1]))
    ax.legend(loc="upper left")
    last = curves.iloc[-1]
    label_ends(ax, [GROUPS[name] for name in drawn], [float(last[name]) for name in drawn], [colours[n] for n in drawn])
    message = (
        f"{number(last['joined'])} {outcome} of those who joined, {number(last['as_joined'])} of others alike, "
        f"after {number_of(since[-1], unit)}"
    )
    told = [
        f"{number_of(place, unit)}: {number(row['joined'])} against {number(row['as_joined'])}, difference "
        f"{number(row['difference'])} {interval(row['lower'], row['upper'])}"
        for place, (_, row) in zip(since, curves.iterrows(), strict=True)
    ]
    set_message(ax, curves, message, f"Means so far: {listing(told)}.")
    return ax
