"""Plots of the evidence: an interval per intervention, with a marker for the design."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import interval, listing, named, number
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    PLAIN,
    QUIET,
    apply_style,
    axes_or_new,
    panels_by_rows,
    set_message,
)

MARKS = {"randomised": "o", "quasi-experimental": "s", "observational": "D"}
COLUMNS, VALUES = ("estimate", "lower", "upper"), ("value", "value_lower", "value_upper")
COLOUR_OF = dict(zip(MARKS, COLOURS, strict=False))


@apply_style
def plot_evidence(panel: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Forest plot of comparable effects: estimate, interval, and the design as the marker.

    Ratios have a log axis. An effect with a failed check has a hollow marker and a name that ends in "(!)". An infinite
    end of an interval is an arrow head at the edge.

    Parameters
    ----------
    panel
        One part of ``evidence_table(...).panels``: effects of one scale and unit. ``attrs["title"]``, if present, is
        the title. By default it counts the intervals that lie above and below no effect.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.

    Raises
    ------
    ValueError
        When the rows have several scales or units, which share no axis.
    """
    kinds = panel[["scale", "unit"]].drop_duplicates()
    is_difference = panel["scale"].eq("difference").all()
    if len(set(panel["scale"])) > 1 or (is_difference and len(kinds) > 1):
        names = "; ".join(f"{scale} in {unit}" for scale, unit in kinds.itertuples(index=False))
        raise ValueError(
            f"these effects share no axis ({names}); plot each part of evidence_table(...).panels by itself"
        )
    ax = axes_or_new(ax, rows=2 * len(panel))
    ax.axvline(0 if is_difference else 1, color=ACTUAL, linewidth=1)
    in_points = is_difference and panel["unit"].str.startswith("share of ").all()
    shown = panel.assign(**{name: 100 * panel[name] for name in COLUMNS}) if in_points else panel
    if is_difference:
        ax.set_xlabel(f"change in {panel['unit'].iloc[0]}{', percentage points' if in_points else ''}")
    else:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 1.25, 1.5, 2, 3, 5, 7)))
        ax.xaxis.set_major_formatter(PLAIN)
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(f"{panel['scale'].iloc[0]}, log scale")
    _draw_intervals(ax, shown, COLUMNS)
    none = 0 if is_difference else 1
    above, below = int((panel["lower"] > none).sum()), int((panel["upper"] < none).sum())
    message = f"{above} of {number_of(len(panel), 'intervals')} above no effect{f', {below} below' if below else ''}"
    set_message(ax, panel, message, _describe_effects(shown, ax.get_xlabel(), COLUMNS), pad=24)
    return ax


def plot_panels(parts: Mapping[str, pd.DataFrame]) -> list[Axes]:
    """Forest plots of all parts of the evidence, one below the other in one figure.

    Parameters
    ----------
    parts
        ``evidence_table(...).panels``: frames of comparable effects, by name.

    Returns
    -------
    list[matplotlib.axes.Axes]
        One for each part, from the top.

    Raises
    ------
    ValueError
        When the rows of a part have several scales or units.
    """
    axes = panels_by_rows([len(part) for part in parts.values()])
    return [plot_evidence(part, ax=ax) for part, ax in zip(parts.values(), axes, strict=True)]


@apply_style
def plot_values(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of the net value per treated customer, in money, for each effect with a value.

    Markers are those of ``plot_evidence``.

    Parameters
    ----------
    table
        ``evidence_table(...).table``. Rows keep their order; rows without a value are left out. ``attrs["title"]``, if
        present, is the title. By default it tells the highest value.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    valued = table[table["value"].notna()]
    ax = axes_or_new(ax, rows=2 * len(valued))
    ax.axvline(0, color=ACTUAL, linewidth=1)
    _draw_intervals(ax, valued, VALUES)
    ax.set_xlabel("money per treated customer, net of cost")
    message = "None of the effects has a value"
    if len(valued):
        best = valued.iloc[int(valued["value"].astype(float).argmax())]
        message = f"Highest net value: {best['intervention']!s:.24}, {number(best['value'])} per treated customer"
    set_message(ax, table, message, _describe_effects(valued, ax.get_xlabel(), VALUES), pad=24)
    return ax


def _draw_intervals(ax: Axes, table: pd.DataFrame, columns: tuple[str, str, str]) -> None:
    """One row an effect, from the top: a mark for the estimate, a line for the interval, a head where it has no end."""
    middle, lower, upper = (table[name].to_numpy(dtype=float) for name in columns)
    if ax.get_xscale() == "log":
        lower = np.where(lower > 0, lower, -np.inf)
    colours = [
        QUIET if failed else COLOUR_OF[design] for design, failed in zip(table["design"], table["failed"], strict=True)
    ]
    for row, colour in enumerate(colours):
        face = "white" if table["failed"].iloc[row] else colour
        ax.plot(middle[row], row, MARKS[table["design"].iloc[row]], color=colour, markerfacecolor=face)
    known = np.concatenate([lower, upper])
    ax.update_datalim([(x, 0) for x in known[np.isfinite(known)]], updatey=False)
    ax.margins(x=0.05)
    ax.autoscale_view(scaley=False)
    edges = ax.get_xlim()
    ax.set_xlim(edges)
    ax.hlines(range(len(table)), *np.clip([lower, upper], *edges), color=colours, linewidth=2.4, alpha=0.6)
    for ends, edge, head in ((lower, edges[0], "<"), (upper, edges[1], ">")):
        for place in np.flatnonzero(np.isinf(ends)):
            ax.plot(edge, place, head, color=colours[place], clip_on=False)
    names = zip(table["intervention"], table["outcome"], table["failed"], strict=True)
    ax.set_yticks(
        range(len(table)), [f"{name}\n{outcome}{' (!)' if failed else ''}" for name, outcome, failed in names]
    )
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    kinds = dict.fromkeys(zip(table["design"], table["failed"].astype(bool), strict=True))
    marks = [_legend_mark(design, failed=failed) for design, failed in kinds]
    ax.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(marks))


def _legend_mark(design: str, *, failed: bool) -> Line2D:
    """The mark of a design, hollow where a check failed."""
    colour, label = (QUIET, f"{design}, a check failed (!)") if failed else (COLOUR_OF[design], design)
    face = "white" if failed else colour
    return Line2D([], [], marker=MARKS[design], color=colour, markerfacecolor=face, linestyle="", label=label)


def _describe_effects(table: pd.DataFrame, what: str, columns: tuple[str, str, str]) -> str:
    """Each effect with its interval."""
    rows = zip(
        table["intervention"], table["outcome"], table["failed"], *(table[name] for name in columns), strict=True
    )
    each = (
        f"{named(intervention)}, {named(outcome)}{' (a check failed)' if failed else ''}: "
        f"{number(middle)} {interval(lower, upper)}"
        for intervention, outcome, failed, middle, lower, upper in rows
    )
    return f"{number_of(len(table), 'effects')}, {what}, each with its interval: {listing(each)}."
