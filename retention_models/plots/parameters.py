"""Plot of parameter estimates with their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from retention_models.plots.descriptions import interval, listing, named, number
from retention_models.plots.style import COLOURS, MARKERS, PLAIN, apply_style, axes_or_new, set_message


@apply_style
def plot_parameters(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of the parameter estimates with their intervals on a log axis, one row per parameter.

    Parameters
    ----------
    table
        The frame of ``fit.table()``. To compare fits, stack their tables: ``pd.concat({"spring": ..., "summer":
        ...})``. Each fit then has a colour. ``attrs["title"]``, if present, is the title. By default it tells the
        parameter with the widest interval.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    groups = [("", table)] if table.index.nlevels == 1 else [(n, table.loc[n]) for n in table.index.unique(0)]
    names = list(groups[0][1].index)
    for i, (group, part) in enumerate(groups):
        rows = [row + 0.6 * (i + 0.5) / len(groups) - 0.3 for row in range(len(part))]
        colour = COLOURS[i % len(COLOURS)]
        ax.hlines(rows, part["lower"], part["upper"], color=colour, linewidth=5, alpha=0.3)
        ax.plot(part["estimate"], rows, MARKERS[i % len(MARKERS)], color=colour, label=str(group))
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(PLAIN)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("estimate and interval (log scale)")
    if len(groups) > 1:
        ax.legend(loc="best")
    set_message(ax, table, _widest(table), _describe_parameters(table))
    return ax


def _label(key: object) -> str:
    return ", ".join(map(named, key)) if isinstance(key, tuple) else named(key)


def _widest(table: pd.DataFrame) -> str:
    """The parameter whose interval spans the largest factor."""
    factor = (table["upper"] / table["lower"].where(table["lower"] > 0)).astype(float).fillna(np.inf)
    place = int(factor.argmax())
    estimate, lower, upper = (table[name].iloc[place] for name in ("estimate", "lower", "upper"))
    return f"Least certain: {_label(table.index[place]):.24}, {number(estimate)} {interval(lower, upper)}"


def _describe_parameters(table: pd.DataFrame) -> str:
    """Each parameter with its interval."""
    rows = zip(table.index, table["estimate"], table["lower"], table["upper"], strict=True)
    each = (f"{_label(key)} {number(middle)} {interval(lower, upper)}" for key, middle, lower, upper in rows)
    return f"{len(table)} estimates, each with its interval: {listing(each)}."
