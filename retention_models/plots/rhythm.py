"""Plots of when customers buy: by period, by time since a purchase, and by season."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import course, listing, named, percent
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    COUNTS,
    MUTED,
    PERCENT,
    QUIET,
    apply_style,
    axes_or_new,
    label_ends,
    set_message,
)

LABELS = 18  # highest number of periods with a label below the axis


@apply_style
def plot_periods(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of purchases per calendar period: first purchases and repeat purchases, stacked.

    Parameters
    ----------
    frame
        The frame of ``purchases_per_period``. Incomplete periods are hatched. ``attrs["title"]``, if present, is the
        title. By default it tells the share of repeat purchases and the period with most purchases.
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
    new = ax.bar(places, frame["new_customers"], 0.8, frame["repeat_purchases"], color=MUTED, label="new customers")
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
    total = frame["new_customers"] + frame["repeat_purchases"]
    share, most = percent(frame["repeat_purchases"].sum() / max(total.sum(), 1)), total.idxmax()
    message = f"{share} of the purchases are repeat purchases; most came in {named(most)}"
    set_message(ax, frame, message, _describe_periods(frame, total))
    return ax


@apply_style
def plot_waiting(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of cumulative shares by days, such as the share of customers with a second purchase.

    Parameters
    ----------
    frame
        A frame indexed by ``days`` with one column per line. Each is the ``share`` of ``time_to_second_purchase``,
        ``purchase_gaps`` or a similar table. ``attrs["title"]``, if present, is the title. By default it tells the last
        share of the first line, and the day by which half of it was reached.
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
    message = f"{frame.columns[0]!s:.24}: {_reached(frame.iloc[:, 0])}"
    each = (f"{named(name)}: {course(frame[name], 'on day', percent)}" for name in frame.columns)
    set_message(ax, frame, message, f"Cumulative shares by days. {listing(each)}.")
    return ax


@apply_style
def plot_season(frame: pd.DataFrame, column: str = "relative", ax: Axes | None = None) -> Axes:
    """Plot of purchases by month or weekday relative to the mean day, or to the expectation of a model.

    Parameters
    ----------
    frame
        The frame of ``season`` or of ``season_left``. ``attrs["title"]``, if present, is the title. By default it
        tells the highest and the lowest bar.
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
    against = "a mean day" if usual else "what was expected"
    ax.set_ylabel(f"purchases, against {against}")
    above = frame[column] - usual
    known = above.fillna(0)
    order = (int(known.argmax()), int(known.argmin()))
    most, least = (f"({_signed(above.iloc[place], digits)})" for place in order)
    message = f"{above.index[order[0]]} is highest {most}, {above.index[order[1]]} lowest {least}"
    each = "; ".join(f"{named(name)} {_signed(height, digits)}" for name, height in above.items())
    set_message(ax, frame, message, f"Purchases against {against}: {each}.")
    return ax


def _signed(share: float, digits: int) -> str:
    return f"{round(100 * share, digits) + 0.0:+.{digits}f} %"


def _reached(shares: pd.Series) -> str:
    """The last share of a curve, and when half of it was reached."""
    known = shares.dropna()
    if known.empty or known.iloc[-1] <= 0:
        return "nobody in the days shown"
    half = known.index[int((known >= known.iloc[-1] / 2).argmax())]
    return f"{percent(known.iloc[-1])} within {number_of(known.index[-1], 'days')}, half of these within {half}"


def _describe_periods(frame: pd.DataFrame, total: pd.Series) -> str:
    """How purchases and the share of repeat purchases run over the complete periods."""
    whole = frame["complete"].astype(bool) if frame["complete"].any() else frame["complete"].notna()
    share = (frame["repeat_purchases"] / total.where(total > 0))[whole]
    partial = int((~frame["complete"].astype(bool)).sum())
    part = f" Seen only in part: {number_of(partial, 'periods')}." if partial else ""
    return (
        f"Purchases in {len(frame)} periods; complete ones: {course(total[whole], 'in')}. "
        f"Repeat purchases among them: {course(share, 'in', percent)}.{part}"
    )
