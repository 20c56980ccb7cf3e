"""Plots of contracts: projections, the retention triangle, and active customers ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from retention_models.core.formatting import number_of
from retention_models.plots.customers import NUMBERED
from retention_models.plots.descriptions import course, interval, listing, named, percent
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    COUNTS,
    PERCENT,
    QUIET,
    apply_style,
    axes_or_new,
    label_ends,
    set_message,
)

FACTS = ("at_risk", "actual", "used")
AT_TOP = ("data", "axes fraction")


@apply_style
def plot_projections(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of survival by renewal: actual as points, projections by models and drawn curves as lines.

    The projections use the renewals left of the vertical line.

    Parameters
    ----------
    frame
        The frame of ``projections``. ``attrs["title"]``, if present, is the title. By default it says which line came
        closest at the last renewal, after the ``attrs["name"]`` of the log, if present.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    names = [str(name) for name in frame.columns if name not in FACTS]
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(names))]
    drawn = ("linear", "quadratic", "exponential")
    for name, colour in zip(names, colours, strict=True):
        ax.plot(frame.index, frame[name], color=colour, linestyle=(0, (4, 2)) if name in drawn else "-")
    ax.plot(frame.index, frame["actual"], "o", color=ACTUAL, markersize=4)
    border = frame.index[frame["used"]][-1]
    ax.axvline(border, color=QUIET, linewidth=1.0)
    ax.annotate("used  ", (border, 1.0), xycoords=AT_TOP, ha="right", va="bottom", color=QUIET)
    ax.annotate("  came later", (border, 1.0), xycoords=AT_TOP, ha="left", va="bottom", color=QUIET)
    ax.set_xlim(frame.index[0], frame.index[-1])
    ax.set_ylim(0, 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("renewals")
    ax.set_ylabel("still there")
    came, last = float(frame["actual"].iloc[-1]), frame[names].iloc[-1]
    best = str((last - came).abs().idxmin())
    name = f"{frame.attrs['name']:.24}: " if "name" in frame.attrs else ""
    message = f"{name}{percent(came)} after {frame.index[-1]} renewals; closest: {best:.24}, {percent(last[best])}"
    set_message(ax, frame, message, _describe_projections(frame, names, border), pad=16)
    label_ends(ax, names, [float(np.clip(frame[name].iloc[-1], 0, 1)) for name in names], colours)
    return ax


@apply_style
def plot_triangle(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of cohorts by renewals: the share that remains, observed and, right of the line, forecast.

    Parameters
    ----------
    frame
        The frame of ``retention_triangle``. ``attrs["title"]``, if present, is the title. By default it says what
        remains of the oldest cohort.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    matrix = frame.set_index(["cohort", "tenure"])["share"].unstack()  # noqa: PD010 (nothing to aggregate)
    seen = frame[~frame["forecast"]].groupby("cohort")["tenure"].max().reindex(matrix.index)
    ax = axes_or_new(ax, rows=max(len(matrix), 3))
    rows = np.arange(len(matrix))
    mesh = ax.pcolormesh(matrix.columns, rows, matrix.to_numpy(), shading="nearest", rasterized=True, vmin=0, vmax=1)
    edge = np.repeat(seen.to_numpy() + 0.5, 2)
    ax.plot(edge, np.column_stack([rows - 0.5, rows + 0.5]).ravel(), color="white", linewidth=2.5)
    ax.plot(edge, np.column_stack([rows - 0.5, rows + 0.5]).ravel(), color=ACTUAL, linewidth=1.0)
    bar = ax.figure.colorbar(mesh, ax=ax, format=PERCENT, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("still there")
    size = frame.drop_duplicates("cohort").set_index("cohort")["customers"]
    step = -(-len(matrix) // NUMBERED)
    ax.set_yticks(rows[::step], [f"{label}  ({size[label]:,})" for label in matrix.index[::step]])
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.margins(0)
    ax.set_xlabel("renewals; right of the stair, forecast")
    ax.set_ylabel("cohort (customers)")
    oldest, last = matrix.iloc[0].dropna(), int(seen.iloc[0])
    ahead = f", {percent(oldest.iloc[-1])} forecast after {oldest.index[-1]}" if oldest.index[-1] > last else ""
    message = f"Cohort {matrix.index[0]!s:.24}: {percent(oldest[last])} after {number_of(last, 'renewals')}{ahead}"
    set_message(ax, frame, message, _describe_triangle(matrix, size, seen))
    return ax


@apply_style
def plot_remaining(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of the expected number of active customers after each coming renewal, with its ranges.

    The dark band is the confidence interval of the expected number, and the light band the prediction interval of the
    number; of a forecast with ``past_errors`` they are the planning ranges at 80 and 95 %.

    Parameters
    ----------
    frame
        The rows of one group of ``forecast_retention``. ``attrs["title"]``, if present, is the title. By default it
        says how many are expected to stay.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    ahead = np.append(0, frame["ahead"])

    def prepend_today(column: str) -> np.ndarray:
        return np.append(frame["customers"].iloc[0], frame[column])

    planned = "planning_lower_95" in frame
    wide, narrow = ("planning_{}_95", "planning_{}_80") if planned else ("survivors_{}", "expected_{}")
    for name, alpha in ((wide, 0.15), (narrow, 0.3)):
        lower, upper = (prepend_today(name.format(end)) for end in ("lower", "upper"))
        ax.fill_between(ahead, lower, upper, color=COLOURS[0], alpha=alpha)
    ax.plot(ahead, prepend_today("expected"), color=COLOURS[0], marker="o", markersize=3)
    ax.set_xlim(0, ahead[-1])
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    ax.yaxis.set_major_formatter(COUNTS)
    ax.set_xlabel("renewals from now on")
    ax.set_ylabel("customers still there")
    last = frame.iloc[-1]
    stay = f"{last['expected']:,.0f} of {last['customers']:,.0f} customers"
    message = f"{stay} are expected to stay for {number_of(float(last['ahead']), 'renewals')}"
    ranges = [(frame[name.format("lower")].iloc[-1], frame[name.format("upper")].iloc[-1]) for name in (narrow, wide)]
    expected = pd.Series(prepend_today("expected"), ahead.astype(int))
    set_message(ax, frame, message, _describe_remaining(expected, ranges, planned=planned))
    return ax


@apply_style
def plot_churn_by_month(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of churn by calendar month or year: points what came, a line what the model expects, and the events.

    The band holds 95 % of the points if the model is right.

    Parameters
    ----------
    frame
        The frame of ``churn_by_month``. ``attrs["title"]``, if present, is the title. By default it counts the
        months outside the band.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    month = np.arange(len(frame))
    reach = 1.96 * frame["chance"]
    lower = np.maximum(frame["expected"] - reach, 0)
    ax.fill_between(month, lower, frame["expected"] + reach, color=COLOURS[0], alpha=0.15)
    ax.plot(month, frame["expected"], color=COLOURS[0])
    ax.plot(month, frame["churn"], "o", color=ACTUAL, markersize=4)
    names = frame["event"].str.replace("_", " ").to_numpy()
    for i in np.flatnonzero(names != ""):
        ax.axvspan(i - 0.5, i + 0.5, color=QUIET, alpha=0.2, linewidth=0)
        if i == 0 or names[i] != names[i - 1]:
            ax.annotate(names[i], (i - 0.5, 1.0), xycoords=AT_TOP, ha="left", va="bottom", color=QUIET)
    step = -(-len(frame) // 8)
    ax.set_xticks(month[::step], list(frame.index[::step]))
    ax.set_xlim(-0.5, len(frame) - 0.5)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("when the renewal was due")
    ax.set_ylabel("left, of those who came to a renewal")
    outside = int(((frame["churn"] - frame["expected"]).abs() > reach).sum())
    message = f"Churn lay outside the band in {outside} of {number_of(len(frame), _period_name(frame.index))}"
    set_message(ax, frame, message, _describe_churn(frame), pad=16)
    return ax


def _describe_projections(frame: pd.DataFrame, names: list[str], used: int) -> str:
    """The actual curve, and where each line ends."""
    ends = (f"{named(name)} {percent(frame[name].iloc[-1])}" for name in names)
    actual = course(frame["actual"], "after renewal", percent)
    return f"Share still there: {actual}. Lines drawn from the first {used} renewals end at: {listing(ends)}."


def _describe_triangle(matrix: pd.DataFrame, size: pd.Series, seen: pd.Series) -> str:
    """What remains of each cohort when last observed, and at the end of the forecast."""
    each = []
    for (cohort, shares), customers, last in zip(matrix.iterrows(), size.reindex(matrix.index), seen, strict=True):
        known = shares.dropna()
        now = f"{percent(float(shares[shares.index == last].iloc[0]))} after {number_of(last, 'renewals')}"
        end = f"{percent(known.iloc[-1])} after {known.index[-1]}"
        each.append(f"{named(cohort)} ({number_of(customers, 'customers')}) {now}, {end}")
    return (
        f"{len(matrix)} cohorts, share that remains as last observed and at the end of the forecast: {listing(each)}."
    )


def _describe_remaining(expected: pd.Series, ranges: list[tuple[float, float]], *, planned: bool) -> str:
    """The expected numbers, and the ranges at the end."""
    names = (
        ("planning range at 80 %", "at 95 %") if planned else ("95 % interval of the expected number", "of the number")
    )
    ends = " and ".join(f"{name} {interval(*ends)}" for name, ends in zip(names, ranges, strict=True))
    return f"Expected customers: {course(expected, 'after renewal')}. At the end: {ends}."


def _period_name(calendar: pd.Index) -> str:
    """What the rows of ``churn_by_month`` are: years of contracts that run for a year, and otherwise months."""
    return "years" if str(calendar[0]).isdigit() else "months"


def _describe_churn(frame: pd.DataFrame) -> str:
    """The churn that came, the mean that was expected, and the months with events."""
    mean = percent(frame["expected"].mean())
    churn = f"Churn that came: {course(frame['churn'], 'in', percent)}. Expected on average: {mean}."
    events = frame.loc[frame["event"] != "", ["event", "churn"]]
    rows = zip(events.index, events["event"], events["churn"], strict=True)
    each = [f"{named(event).replace('_', ' ')} in {month}, churn {percent(churn)}" for month, event, churn in rows]
    return f"{churn} Events: {listing(each)}." if each else churn
