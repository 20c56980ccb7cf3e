"""Plot of the difference between arms and control by day since the assignment."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import course, interval, listing, named, number
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    FAINT,
    PLAIN,
    QUIET,
    apply_style,
    axes_or_new,
    label_ends,
    set_message,
)

TICKS = (1, 7, 14, 28, 91, 182)  # days between two ticks
MOST_TICKS = 10


@apply_style
def plot_over_time(table: pd.DataFrame, *, offer_days: int | None = None, ax: Axes | None = None) -> Axes:
    """Plot of the cumulative difference by day since the assignment, with its band, and the days of the offer shaded.

    A line that falls after the offer shows orders that the offer only pulled forward.

    Parameters
    ----------
    table
        ``differences_over_time(...).cumulative``, or its rows of one or a few arms: ``table.loc[["coupon"]]``.
        ``attrs["title"]``, if present, is the title. By default it tells the highest difference on the last day.
    offer_days
        Days of the offer, which are shaded; 0 for none. By default as the table says.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    offer_days = table.attrs.get("offer_days", 0) if offer_days is None else offer_days
    last = int(table.index.get_level_values("day").max())
    curves = {str(arm): part.droplevel("arm") for arm, part in table.groupby(level="arm", sort=False)}
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(curves))]
    ax.axhline(0, color=ACTUAL, linewidth=1)
    for curve, colour in zip(curves.values(), colours, strict=True):
        ax.fill_between(curve.index, curve["difference_lower"], curve["difference_upper"], color=colour, alpha=0.15)
        ax.plot(curve.index, curve["difference"], color=colour)
    ax.set_xlim(0, max(last, 1))
    step = next((days for days in TICKS if last <= MOST_TICKS * days), TICKS[-1])
    ax.xaxis.set_major_locator(MultipleLocator(step))
    ax.yaxis.set_major_formatter(PLAIN)
    ax.set_xlabel("days since the assignment")
    ax.set_ylabel(f"difference to the control so far,\n{table.attrs.get('unit', 'per customer')}")
    if offer_days:
        _shade_offer(ax, min(offer_days, last))
    ends = {arm: float(curve["difference"].iloc[-1]) for arm, curve in curves.items()}
    label_ends(ax, list(curves), list(ends.values()), colours)
    best, unit = max(ends, key=lambda arm: ends[arm]), table.attrs.get("unit", "per customer")
    message = f"{best:.24}: {_signed(ends[best])} {unit} after {number_of(last, 'days')}"
    set_message(ax, table, message, _describe_curves(curves, unit, offer_days), pad=16 if offer_days else 6)
    return ax


def _shade_offer(ax: Axes, end: int) -> None:
    """Shade the days of the offer, and name them above the axes."""
    ax.axvspan(0, end, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
    ax.annotate("offer valid", (0, 1), (2, 3), xycoords="axes fraction", textcoords="offset points", color=QUIET)


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def _describe_curves(curves: dict[str, pd.DataFrame], unit: str, offer_days: int) -> str:
    """How the difference of each arm runs, with its interval at the end."""
    each = (
        f"{named(arm)}: {course(curve['difference'], 'on day')}, at the end "
        f"{interval(curve['difference_lower'].iloc[-1], curve['difference_upper'].iloc[-1])}"
        for arm, curve in curves.items()
    )
    offer = f" The offer was valid for {number_of(offer_days, 'days')}." if offer_days else ""
    return f"Difference to the control so far, {unit}. {listing(each)}.{offer}"
