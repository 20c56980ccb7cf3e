"""Plots of when customers buy: by period, by time since a purchase, and by season."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    COUNTS,
    FAINT,
    PERCENT,
    QUIET,
    apply_style,
    axes_or_new,
    label_ends,
)

LABELS = 18  # highest number of periods with a label below the axis


@apply_style
def plot_periods(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of purchases per calendar period: first purchases and repeat purchases, stacked.

    Parameters
    ----------
    frame
        The frame of ``purchases_per_period``. Incomplete periods are hatched.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    places = range(len(frame))
    repeat = ax.bar(places, frame["repeat_purchases"], 0.8, color=COLOURS[0], label="repeat purchases")
    new = ax.bar(places, frame["new_customers"], 0.8, frame["repeat_purchases"], color=FAINT, label="new customers")
    for bars in (repeat, new):
        for bar, complete in zip(bars, frame["complete"], strict=True):
            if not complete:
                bar.set(hatch="////", edgecolor="white")
    step = -(-len(frame) // LABELS)
    names = [str(name) for name in frame.index[::step]]
    ax.set_xticks(
        places[::step], names, rotation=45 if len(names) > 8 else 0, ha="right" if len(names) > 8 else "center"
    )
    ax.yaxis.set_major_formatter(COUNTS)
    ax.set_xlabel(str(frame.index.name))
    ax.set_ylabel("purchases")
    handles: list[Artist | Container] = [new, repeat]
    if not frame["complete"].all():
        handles.append(Patch(facecolor=QUIET, hatch="////", edgecolor="white", label="period seen in part"))
    ax.legend(handles=handles, loc="best")
    return ax


@apply_style
def plot_waiting(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of cumulative shares by days, such as the share of customers with a second purchase.

    Parameters
    ----------
    frame
        A frame indexed by ``days`` with one column per line. Each is the ``share`` of ``time_to_second_purchase``,
        ``purchase_gaps`` or a similar table.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(frame.columns))]
    for name, colour in zip(frame.columns, colours, strict=True):
        ax.step([0, *frame.index], [0, *frame[name]], where="post", color=colour)
    ax.set_xlim(0, frame.index[-1])
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    ax.set_xlabel("days")
    ax.set_ylabel("share within so many days")
    label_ends(ax, list(frame.columns), list(frame.iloc[-1]), colours)
    return ax


@apply_style
def plot_season(frame: pd.DataFrame, column: str = "relative", ax: Axes | None = None) -> Axes:
    """Plot of purchases by month or weekday relative to the mean day, or to the expectation of a model.

    Parameters
    ----------
    frame
        The frame of ``season`` or of ``season_left``.
    column
        Column to plot: ``"relative"`` (the default) of ``season``, or the name of a model in ``season_left``.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    places = range(len(frame))
    usual = 1.0 if column == "relative" else 0.0
    ax.bar(places, frame[column] - usual, 0.8, color=COLOURS[0])
    ax.axhline(0, color=ACTUAL, linewidth=0.8)
    digits = 0 if 100 * (frame[column] - usual).abs().max() >= 10 else 1
    for place, above in zip(places, frame[column] - usual, strict=True):
        offset, side = (3, "bottom") if above >= 0 else (-3, "top")
        label = f"{round(100 * above, digits) + 0.0:+.{digits}f}"
        ax.annotate(label, (place, above), (0, offset), textcoords="offset points", ha="center",
                    va=side, fontsize=8, color=QUIET)  # fmt: skip
    ax.set_xticks(places, [str(name)[:3] for name in frame.index])
    ax.tick_params(axis="x", length=0)
    ax.spines["bottom"].set_visible(False)
    ax.margins(y=0.12)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_xlabel(str(frame.index.name))
    ax.set_ylabel(f"purchases, against {'a mean day' if usual else 'what was expected'}")
    return ax
