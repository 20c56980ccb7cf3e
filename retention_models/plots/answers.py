"""Plots that carry an answer: earlier forecasts with what came, who to act on, where money went, and reliability."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from retention_models.core.formatting import amount_text, number_of
from retention_models.plots.descriptions import interval, listing, named, number, percent
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    COUNTS,
    FAINT,
    PERCENT,
    PLAIN,
    QUIET,
    apply_style,
    axes_or_new,
    set_message,
)

SUBSIDISED, REDEEMED, NET = "subsidised purchases", "redemptions", "net value"


@apply_style
def plot_earlier_forecasts(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of forecasts made at earlier dates, with their intervals, and of what came.

    Parameters
    ----------
    frame
        The table of ``backtest`` or of ``backtest_retention``. ``attrs["title"]``, if present, is the title. By default
        it says how many intervals held what came.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax, rows=5)
    kind = "survivors" if "survivors_lower" in frame else "purchases"
    place = np.arange(len(frame))
    lower, upper = frame[f"{kind}_lower"], frame[f"{kind}_upper"]
    ax.vlines(place, lower, upper, color=COLOURS[0], linewidth=8, alpha=0.3, label="forecast with its 95 % interval")
    ax.plot(place, frame["expected"], "_", color=COLOURS[0], markersize=14, markeredgewidth=2)
    ax.plot(place, frame["actual"], "o", color=ACTUAL, markersize=6, label="what came")
    ax.set_xticks(place, [str(origin)[:10] for origin in frame.index])
    ax.set_xlim(-0.5, len(frame) - 0.5)
    ax.margins(y=0.15)
    ax.yaxis.set_major_formatter(COUNTS)
    ax.set_xlabel("forecast made on")
    ax.set_ylabel("customers still there" if kind == "survivors" else "purchases")
    held = int(frame["actual"].between(lower, upper).sum())
    message = f"What came lay inside the intervals of {held} of {len(frame)} earlier forecasts"
    set_message(ax, frame, message, _describe_forecasts(frame, lower, upper), pad=24)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return ax


@apply_style
def plot_reliability(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of the share of customers who came back against their mean P(alive), with intervals.

    Nobody who has left comes back, so a point above the line refutes the model.

    Parameters
    ----------
    frame
        The table of ``alive_reliability``. ``attrs["title"]``, if present, is the title. By default it says how many
        groups refute the model.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    held, came = frame["probability_alive"], frame["came_back"]
    highest = max(float(frame["came_back_upper"].max()), float(held.max())) * 1.05
    ax.plot([0, highest], [0, highest], color=QUIET, linewidth=1.0, linestyle=(0, (4, 2)))
    for refuted, colour, label in ((False, COLOURS[0], "not refuted"), (True, COLOURS[1], "refuted")):
        some = frame["refuted"].astype(bool).to_numpy() == refuted
        if some.any():
            reach = np.abs([came[some] - frame["came_back_lower"][some], frame["came_back_upper"][some] - came[some]])
            ax.errorbar(held[some], came[some], yerr=reach, fmt="o", color=colour, label=label)
    ax.set_xlim(0, highest)
    ax.set_ylim(0, highest)
    ax.xaxis.set_major_formatter(PERCENT)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_xlabel("mean probability to be a customer, by the model")
    ax.set_ylabel("share that bought again")
    count = int(frame["refuted"].sum())
    groups = number_of(len(frame), "groups")
    message = f"{count or 'None'} of {groups} of customers came back too often for the model"
    set_message(ax, frame, message, _describe_reliability(frame))
    ax.legend(loc="lower right")
    return ax


@apply_style
def plot_money(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Waterfall of the value per treated customer in each arm: gain, costs, and what is left.

    Parameters
    ----------
    frame
        The table of ``cost_breakdown_by_arm``. ``attrs["currency"]``, if present, stands on the axis, and
        ``attrs["title"]`` is the title. By default it tells the arm with the highest net value.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    rows = [(arm, line) for arm, line in frame.index if line != SUBSIDISED]
    ax, reached = axes_or_new(ax, rows=len(rows)), 0.0
    for place, (arm, line) in enumerate(rows):
        amount = float(frame["amount"][(arm, line)])
        first = place == 0 or rows[place - 1][0] != arm
        start = 0.0 if first or line == NET else reached
        colour = ACTUAL if line == NET else COLOURS[2] if amount >= 0 else COLOURS[1]
        ax.barh(place, amount, left=start, color=colour, height=0.6)
        if line == REDEEMED and (arm, SUBSIDISED) in frame.index:
            part = float(frame["amount"][(arm, SUBSIDISED)])
            ax.barh(place, part, left=start, color=colour, edgecolor="white", hatch="///", height=0.6)
        reached = start + amount
    ax.axvline(0, color=QUIET, linewidth=1.0)
    ax.set_yticks(range(len(rows)), [f"{arm}: {line}" for arm, line in rows])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(PLAIN)
    currency = frame.attrs.get("currency")
    ax.set_xlabel(f"{currency or 'money'} per treated customer (hatched: redemptions for subsidised purchases)")
    best = max((arm for arm, _ in rows), key=lambda arm: float(frame["amount"][(arm, NET)]))
    net = float(frame["amount"][(best, NET)])
    message = f"Highest net value: {best:.24}, {f'{currency} ' if currency else ''}{amount_text(net)} per customer"
    set_message(ax, frame, message, _describe_money(frame))
    return ax


@apply_style
def plot_action_map(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of the value of each customer against the chance to buy again, with what to do in each corner.

    Parameters
    ----------
    frame
        One row a customer, with ``value`` and ``chance`` (from 0 to 1). ``attrs["label"]``, if present, names the
        chance, ``attrs["unit"]`` the value, ``attrs["best_fifth"]`` where the most valuable fifth begins, and
        ``attrs["title"]`` is the title. By default it counts the customers of the best fifth with a chance below 50 %.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    ax.plot(frame["chance"], frame["value"], "o", color=COLOURS[0], markersize=3, alpha=0.35, rasterized=True)
    ax.axvline(0.5, color=FAINT, linewidth=1.0)
    message = ""
    if "best_fifth" in frame.attrs:
        ax.axhline(frame.attrs["best_fifth"], color=FAINT, linewidth=1.0)
        best = frame["value"] >= frame.attrs["best_fifth"]
        quiet = int((best & (frame["chance"] < 0.5)).sum())
        message = f"{quiet:,} of the best {int(best.sum()):,} customers have a chance below 50 %"
    set_message(ax, frame, message, _describe_map(frame))
    corners = {(0.02, 0.98): "worth winning back", (0.98, 0.98): "look after", (0.98, 0.02): "let grow"}
    for (x, y), text in corners.items():
        ax.annotate(text, (x, y), xycoords="axes fraction", ha="left" if x < 0.5 else "right",
                    va="top" if y > 0.5 else "bottom", color=QUIET, fontweight="bold")  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_formatter(PERCENT)
    ax.yaxis.set_major_formatter(COUNTS)
    ax.set_xlabel(str(frame.attrs.get("label", "chance to buy again")))
    unit = frame.attrs.get("unit")
    ax.set_ylabel(f"value{f', {unit}' if unit else ''} (above the line: the best fifth)")
    return ax


def _describe_forecasts(frame: pd.DataFrame, lower: pd.Series, upper: pd.Series) -> str:
    """Each forecast with its interval, and what came."""
    rows = zip(frame.index, frame["expected"], lower, upper, frame["actual"], strict=True)
    each = (
        f"{str(day)[:10]}: {number(mean)} {interval(low, high)}, {number(came)} came"
        for day, mean, low, high, came in rows
    )
    return f"Forecast with its 95 % interval, by the day it was made, and what came: {listing(each)}."


def _describe_reliability(frame: pd.DataFrame) -> str:
    """Each group with its probability, and the share that came back."""
    columns = ("probability_alive", "came_back", "came_back_lower", "came_back_upper")
    rows = zip(*(frame[name] for name in columns), strict=True)
    each = (
        f"{percent(held)} by the model, {percent(came)} {interval(low, high, percent)} bought again"
        for held, came, low, high in rows
    )
    return f"Mean probability to be a customer, and the share that bought again: {listing(each)}."


def _describe_money(frame: pd.DataFrame) -> str:
    """The lines of each arm."""
    unit = frame.attrs.get("currency") or "money"
    arms = frame["amount"].groupby(level=0, sort=False)
    each = (
        f"{named(arm)}: {', '.join(f'{named(line)} {number(amount)}' for line, amount in lines.droplevel(0).items())}"
        for arm, lines in arms
    )
    return f"Lines in {unit} per treated customer. {listing(each)}."


def _describe_map(frame: pd.DataFrame) -> str:
    """How many customers stand in each corner, and the middle of both axes."""
    chance, value = frame["chance"], frame["value"]
    middle = f"the median value is {number(value.median())}, the median chance {percent(chance.median())}"
    likely = chance >= 0.5
    text = f"{len(frame):,} customers: {middle}. {likely.sum():,} have a chance of 50 % or more."
    if "best_fifth" not in frame.attrs:
        return text
    best = value >= frame.attrs["best_fifth"]
    start = number(frame.attrs["best_fifth"])
    return f"{text} The best fifth begins at {start}; {(best & likely).sum():,} of them have such a chance."
