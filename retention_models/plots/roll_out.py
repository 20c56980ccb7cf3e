"""Plot of a roll-out: the effect by periods since launch."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import interval, listing, number, percent
from retention_models.plots.style import ACTUAL, COLOURS, PERCENT, QUIET, apply_style, axes_or_new, set_message


@apply_style
def plot_event_study(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Effects by periods since launch, with their intervals and the band that holds all of them at once.

    Parameters
    ----------
    table
        ``RollOut.event_study(...)``. A bin is drawn at its middle. ``attrs["unit"]`` names the unit of effects, and
        ``attrs["title"]``, if present, is the title.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    place = (table.index.to_numpy(dtype=float) + table["last"].to_numpy(dtype=float)) / 2
    middle = table["estimate"].to_numpy(dtype=float)
    ends = {
        name: table[name].to_numpy(dtype=float, na_value=np.nan)
        for name in ("lower", "upper", "band_lower", "band_upper")
    }
    after = place >= 0
    ax.axhline(0, color=ACTUAL, linewidth=1)
    ax.axvline(-0.5, color=QUIET, linewidth=1, linestyle=":")
    for side, colour, name in ((~after, QUIET, "before launch"), (after, COLOURS[0], "since launch")):
        if side.any():
            ax.vlines(place[side], ends["band_lower"][side], ends["band_upper"][side], color=colour, linewidth=1)
            ax.vlines(place[side], ends["lower"][side], ends["upper"][side], color=colour, linewidth=3, alpha=0.6)
            ax.plot(place[side], middle[side], "o", color=colour, label=name)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.set_xlabel("periods since launch")
    unit = table.attrs.get("unit", "")
    ax.set_ylabel(f"effect, {unit or 'in the unit of the outcome'}")
    write = percent if unit.startswith(("of ", "share of ")) else number
    if write is percent:
        ax.yaxis.set_major_formatter(PERCENT)
    known = [
        f"{first} to {last}: {write(mean)} {interval(low, high, write)}"
        for first, last, mean, low, high in zip(
            table.index, table["last"], middle, ends["lower"], ends["upper"], strict=True
        )
        if np.isfinite(low)
    ]
    beyond = (ends["lower"] > 0) | (ends["upper"] < 0)
    message = (
        f"Beyond chance: {beyond[after].sum()} of {number_of(after.sum(), 'intervals')} since launch, "
        f"{beyond[~after].sum()} of {(~after).sum()} before it"
    )
    set_message(ax, table, message, f"By periods since launch, with intervals: {listing(known)}.", pad=24)
    return ax
