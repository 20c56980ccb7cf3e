"""Plots of survival curves and of churn by cause, with the numbers at risk."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from retention_models.plots.descriptions import course, interval, listing, named, number, percent
from retention_models.plots.style import COLOURS, PERCENT, QUIET, apply_style, axes_or_new, label_ends, set_message

LINE = 12.5  # points from one row of numbers to the next


@apply_style
def plot_survival(frame: pd.DataFrame, numbers: pd.DataFrame | None = None, ax: Axes | None = None) -> Axes:
    """Plot of survival curves by group, with confidence intervals.

    Parameters
    ----------
    frame
        The frame of ``curve_table``. ``attrs["title"]``, if present, is the title. ``attrs["unit"]``, if present, is
        the unit of the tenure, such as "days". By default it says which groups
        keep most and fewest customers.
    numbers
        The frame of ``curve_table`` at a few tenures, ``curve_table(..., at=...)``. These become the ticks, with the
        numbers at risk below. By default no numbers.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    return _draw(frame, "group", "survival", "share of customers still there", numbers, ax)


@apply_style
def plot_causes(frame: pd.DataFrame, numbers: pd.DataFrame | None = None, ax: Axes | None = None) -> Axes:
    """Plot of the cumulative share of customers who churned, by cause, with confidence intervals.

    Parameters
    ----------
    frame
        The frame of ``curve_table`` of curves by cause, for one group. ``attrs["title"]``, if present, is the title. By
        default it tells the causes of most and fewest departures.
    numbers
        The frame of ``curve_table`` at a few tenures, ``curve_table(..., at=...)``. These become the ticks, with the
        numbers at risk below. By default no numbers.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    shown = None if numbers is None else numbers.drop_duplicates(["group", "tenure"])
    return _draw(frame, "cause", "incidence", "share of customers who have left", shown, ax)


def _draw(frame: pd.DataFrame, key: str, value: str, what: str, numbers: pd.DataFrame | None, ax: Axes | None) -> Axes:
    ax = axes_or_new(ax)
    curves = {str(name): curve for name, curve in frame.groupby(key, sort=False)}
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(curves))]
    for curve, colour in zip(curves.values(), colours, strict=True):
        lower, upper = curve[f"{value}_lower"], curve[f"{value}_upper"]
        ax.fill_between(curve["tenure"], lower, upper, step="post", color=colour, alpha=0.15)
        ax.plot(curve["tenure"], curve[value], drawstyle="steps-post", color=colour)
    ax.set_xlim(0, frame["tenure"].max())
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel(what)
    unit = frame.attrs.get("unit", "")
    ax.set_xlabel(f"tenure in {unit}" if unit else "tenure")
    if numbers is not None:
        _write_numbers(ax, numbers, dict(zip(curves, colours, strict=True)) if key == "group" else {})
    ends = {name: float(curve[value].iloc[-1]) for name, curve in curves.items()}
    if len(curves) > 1:
        label_ends(ax, list(curves), list(ends.values()), colours)
    what = "Still there" if value == "survival" else "Left"
    set_message(
        ax, frame, _ends_message(what, ends, float(frame["tenure"].max()), unit), _describe_curves(curves, value)
    )
    return ax


def _ends_message(what: str, ends: dict[str, float], last: float, unit: str) -> str:
    """The highest and the lowest end of the curves."""
    names = dict.fromkeys((max(ends, key=lambda name: ends[name]), min(ends, key=lambda name: ends[name])))
    each = [f"{f'{name:.24} ' if len(ends) > 1 else ''}{percent(ends[name])}" for name in names]
    when = f"after {number(last)} {unit}" if unit else f"at tenure {number(last)}"
    return f"{what} {when}: {', '.join(each)}"


def _describe_curves(curves: dict[str, pd.DataFrame], value: str) -> str:
    """How each curve runs, with its interval at the end, and when it passes one half."""
    each = (
        f"{named(name)}: {course(curve.set_index('tenure')[value], 'at tenure', percent)}, at the end "
        f"{interval(curve[f'{value}_lower'].iloc[-1], curve[f'{value}_upper'].iloc[-1], percent)}{_half(curve, value)}"
        for name, curve in curves.items()
    )
    return f"{'Share still there' if value == 'survival' else 'Share that left'}. {listing(each)}."


def _half(curve: pd.DataFrame, value: str) -> str:
    """The tenure at which half have left, if the curve shows it."""
    left = 1 - curve[value] if value == "survival" else curve[value]
    past = curve.loc[left >= 0.5, "tenure"]
    return f", half have left by {number(past.iloc[0])}" if len(past) else ""


def _write_numbers(ax: Axes, numbers: pd.DataFrame, colours: dict[str, str]) -> None:
    """The numbers at risk, a row a group, under their ticks."""
    ax.set_xticks(numbers["tenure"].unique())
    for row, (group, part) in enumerate(numbers.groupby("group", sort=False)):
        depth = -34 - LINE * row
        for tenure, at_risk in zip(part["tenure"], part["at_risk"], strict=True):
            ax.annotate(f"{at_risk:,.0f}", (tenure, 0), (0, depth), ("data", "axes fraction"), "offset points",
                        ha="center", va="top", fontsize=8.5, color=colours.get(str(group), QUIET),
                        annotation_clip=False)  # fmt: skip
    ax.annotate("at risk", (0, 0), (-34, -34), "axes fraction", "offset points", ha="right", va="top", fontsize=8.5,
                color=QUIET, annotation_clip=False)  # fmt: skip
    ax.set_xlabel(ax.get_xlabel(), labelpad=4)
