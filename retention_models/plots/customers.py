"""Plots of customers: cohort retention, segments and concentration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from retention_models.core.dates import unit_name, unit_plural
from retention_models.core.formatting import number_of
from retention_models.plots.descriptions import course, interval, listing, named, number, percent
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    FAINT,
    PERCENT,
    PLAIN,
    QUIET,
    apply_style,
    axes_or_new,
    set_message,
)

NUMBERED = 18  # highest number of cohorts and periods with the share in each cell


@apply_style
def plot_retention(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of cohort retention: the share of each cohort that bought in each later period.

    The period of the first purchase is left out, because its share is always 1.

    Parameters
    ----------
    frame
        The frame of ``cohort_retention``. ``attrs["title"]``, if present, is the title. By default it says what share
        of all customers bought in the first later period and in the last.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.

    Raises
    ------
    ValueError
        When no cohort was observed in a later period.
    """
    later = frame[frame["age"] > 0]
    if later.empty:
        raise ValueError("no cohort was seen in a later period; choose a shorter period for logs.cohort_retention")
    matrix = later.set_index(["cohort", "age"])["share"].unstack()  # noqa: PD010 (nothing to aggregate)
    ax = axes_or_new(ax, rows=len(matrix))
    mesh = ax.pcolormesh(matrix.columns, range(len(matrix)), matrix.to_numpy(), shading="nearest", rasterized=True)
    if max(matrix.shape) <= NUMBERED:
        _write_shares(ax, matrix, middle=sum(mesh.get_clim()) / 2)
    bar = ax.figure.colorbar(mesh, ax=ax, format=PERCENT, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("bought in the period")
    size = frame.drop_duplicates("cohort").set_index("cohort")["customers"]
    step = -(-len(matrix) // NUMBERED)
    shown = matrix.index[::step]
    ax.set_yticks(range(0, len(matrix), step), [f"{label}  ({size[label]:,})" for label in shown])
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.margins(0)
    period = frame.attrs.get("period")
    ax.set_xlabel(f"{unit_plural(period) if period else 'periods'} since the first purchase")
    ax.set_ylabel("cohort (customers)")
    together = _all_cohorts(later)
    unit, (first, last) = unit_name(period) if period else "period", (together.index[0], together.index[-1])
    end = f", {percent(together[last])} in {unit} {last}" if last > first else ""
    message = f"{percent(together[first])} bought again in {unit} {first}{end}"
    set_message(ax, frame, message, _describe_retention(matrix, together, size, unit))
    return ax


@apply_style
def plot_concentration(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of the share of the total that the best customers hold (Lorenz curve, best first).

    The straight line shows equal customers.

    Parameters
    ----------
    frame
        The frame of ``concentration``: ``customers`` and ``value``, shares from 0 to 1. ``attrs["title"]``, if present,
        is the title. By default it says what the best fifth hold.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    ax.fill_between(frame["customers"], frame["customers"], frame["value"], color=COLOURS[0], alpha=0.12)
    ax.plot(frame["customers"], frame["value"], color=COLOURS[0])
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle=(0, (4, 2)))
    for share in (0.1, 0.2, 0.5):
        point = frame.iloc[(frame["customers"] - share).abs().argmin()]
        ax.plot(point["customers"], point["value"], "o", color=COLOURS[0])
        ax.annotate(f"the best {100 * point['customers']:.0f} % hold {100 * point['value']:.0f} %",
                    (point["customers"], point["value"]), (8, -8), textcoords="offset points", va="center")  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.xaxis.set_major_formatter(PERCENT)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("share of the customers, best first")
    ax.set_ylabel("share of the total")
    fifth = frame.iloc[(frame["customers"] - 0.2).abs().argmin()]
    customers, value = 100 * fifth["customers"], 100 * fifth["value"]
    held = ((share, frame.iloc[(frame["customers"] - share).abs().argmin()]["value"]) for share in (0.1, 0.2, 0.5, 0.8))
    each = listing(f"{percent(value)} by the best {percent(share)}" for share, value in held)
    message = f"{customers:.0f} % of the customers hold {value:.0f} % of the total"
    set_message(ax, frame, message, f"Share of the total held: {each}.")
    return ax


@apply_style
def plot_segments(frame: pd.DataFrame, column: str = "value", ax: Axes | None = None) -> Axes:
    """Plot of a quantity per segment with its interval, one row per segment.

    Parameters
    ----------
    frame
        A frame indexed by segment with ``column``, and ``<column>_lower`` and ``<column>_upper`` or, for planning
        ranges, these at 80 and 95 %. Rows keep their order. ``attrs["title"]``, if present, is the title. By default it
        compares shares of the segment with most value, if the frame counts ``customers``. ``attrs["unit"]``, if
        present, is the unit of the value, such as "EUR".
    column
        Name of the column to plot. By default ``"value"``.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax, rows=len(frame))
    rows = range(len(frame))
    levels = ["_80", "_95"] if f"{column}_lower_80" in frame else [""]
    for level in levels:
        lower, upper = (frame[f"{column}_{end}{level}"] for end in ("lower", "upper"))
        ax.hlines(rows, lower, upper, color=COLOURS[0], linewidth=5 if level != "_95" else 2, alpha=0.3)
    ax.plot(frame[column], rows, "o", color=COLOURS[0], clip_on=False)
    ax.xaxis.set_major_formatter(PLAIN)
    ax.set_yticks(rows, [str(name) for name in frame.index])
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set_xlim(left=min(0, lower.min()))
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    unit = f" in {frame.attrs['unit']}" if frame.attrs.get("unit") else ""
    ax.set_xlabel(
        f"value{unit}, with ranges at 80 % and 95 %" if column == "planning" else f"{column.replace('_', ' ')}{unit}"
    )
    place = int(frame[column].astype(float).fillna(-np.inf).argmax())
    if column in ("value", "planning") and "customers" in frame and frame[column].sum() > 0:
        message = _share_message(frame, column, place)
    else:
        message = f"Highest {column.replace('_', ' ')}: {frame.index[place]!s:.24}, {number(frame[column].iloc[place])}"
    set_message(ax, frame, message, _describe_segments(frame, column, levels[-1]))
    return ax


@apply_style
def plot_segment_shares(frame: pd.DataFrame, column: str = "value", ax: Axes | None = None) -> Axes:
    """Plot of each segment's share of the customers beside its share of the value, two bars per segment.

    Parameters
    ----------
    frame
        A frame indexed by segment with ``customers`` and ``column``. Rows keep their order. ``attrs["title"]``, if
        present, is the title. By default it compares shares of the segment with most value.
    column
        Name of the column with the value. By default ``"value"``. If its total is not above 0, segments have no share
        of it, and only the customers are drawn.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    shares = _shares(frame, column)
    ax = axes_or_new(ax, rows=2 * len(frame))
    looks = {"customers": (QUIET, "share of the customers"), column: (COLOURS[0], "share of the value")}
    for i, (name, held) in enumerate(shares.items()):
        rows = [row + 0.38 * i - 0.19 for row in range(len(frame))]
        colour, label = looks[str(name)]
        ax.barh(rows, held, 0.36, color=colour, label=label)
        for row, share in zip(rows, held, strict=True):
            ax.annotate(f"{100 * share:.0f} %", (share, row), (3, 0), textcoords="offset points", va="center",
                        fontsize=8, color=QUIET)  # fmt: skip
    ax.axvline(0, color=FAINT, linewidth=1.0)
    ax.set_yticks(range(len(frame)), [str(name) for name in frame.index])
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.margins(x=0.1)
    ax.grid(visible=False)
    ax.xaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("share of all segments")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(shares.columns))
    has_value = column in shares
    place = int(frame[column if has_value else "customers"].argmax())
    first = (
        f"{frame.index[place]!s:.24}: {100 * shares['customers'].iloc[place]:.0f} % of the customers; no value to share"
    )
    set_message(
        ax, frame, _share_message(frame, column, place) if has_value else first, _describe_shares(shares), pad=24
    )
    return ax


def _shares(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The share of each segment in the sum of the customers and, if that is above 0, of the value."""
    counted = frame[["customers", column]] if frame[column].sum() > 0 else frame[["customers"]]
    return counted.astype(float) / counted.sum()


def _share_message(frame: pd.DataFrame, column: str, place: int) -> str:
    customers, value = (100 * frame[name].iloc[place] / frame[name].sum() for name in ("customers", column))
    return f"{frame.index[place]!s:.24}: {customers:.0f} % of the customers, {value:.0f} % of the value"


def _all_cohorts(later: pd.DataFrame) -> pd.Series:
    """The share of all cohorts together that bought, by age; of those that were observed at that age."""
    known = later.dropna(subset="share")
    bought = (known["share"] * known["customers"]).groupby(known["age"]).sum()
    return bought / known["customers"].groupby(known["age"]).sum()


def _describe_retention(matrix: pd.DataFrame, together: pd.Series, size: pd.Series, unit: str) -> str:
    """All cohorts together, the oldest one, and the cohorts that came back most and least at first."""
    at, (oldest, first) = f"in {unit}", (matrix.index[0], matrix.iloc[:, 0].dropna())
    most, least = int(first.argmax()), int(first.argmin())
    ends = [f"cohort {named(first.index[place])} with {percent(first.iloc[place])}" for place in (most, least)]
    return (
        f"{number_of(len(matrix), 'cohorts')} by the share that bought in each later {unit}. "
        f"All cohorts together: {course(together, at, percent)}. "
        f"Cohort {named(oldest)} ({size[oldest]:,} customers): {course(matrix.loc[oldest], at, percent)}. "
        f"In {unit} {matrix.columns[0]}, the highest is {ends[0]}, the lowest {ends[1]}."
    )


def _describe_segments(frame: pd.DataFrame, column: str, level: str) -> str:
    """Each segment with its interval."""
    rows = zip(frame.index, *(frame[f"{column}{end}"] for end in ("", f"_lower{level}", f"_upper{level}")), strict=True)
    each = (f"{named(name)} {number(middle)} {interval(lower, upper)}" for name, middle, lower, upper in rows)
    quantity = "Value" if column == "planning" else column.replace("_", " ").capitalize()
    what = f"{quantity} per segment, with its {'95 % range' if level else 'interval'}"
    return f"{what}: {listing(each)}."


def _describe_shares(shares: pd.DataFrame) -> str:
    """Both shares of each segment."""
    each = (
        f"{named(name)} {' and '.join(map(percent, row))}"
        for name, row in zip(shares.index, shares.to_numpy(), strict=True)
    )
    what = "Share of the customers and of the value" if len(shares.columns) > 1 else "Share of the customers"
    return f"{what} per segment: {listing(each)}."


def _write_shares(ax: Axes, matrix: pd.DataFrame, middle: float) -> None:
    for row, shares in enumerate(matrix.to_numpy()):
        for age, share in zip(matrix.columns, shares, strict=True):
            if share == share:  # cohorts have no share yet in periods that lie ahead
                colour = "white" if share < middle else ACTUAL
                ax.text(float(age), row, f"{100 * share:.0f}", color=colour, ha="center", va="center", fontsize=8)
