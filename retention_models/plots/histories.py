"""Plots by purchase history: for all histories of one age, and over the time of one customer."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from retention_models.plots.descriptions import course, number, percent
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    PERCENT,
    PLAIN,
    QUIET,
    apply_style,
    axes_or_new,
    date_axis,
    set_message,
)

ALIVE_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
TITLES = {
    "probability_alive": "Probability of still being a customer",
    "expected_purchases": "Expected purchases",
}


@apply_style
def plot_history_matrix(frame: pd.DataFrame, column: str = "probability_alive", ax: Axes | None = None) -> Axes:
    """Heat map of P(alive) or expected purchases by recency and number of repeat purchases.

    Lines connect equal values.

    Parameters
    ----------
    frame
        The frame of ``history_matrix``. ``attrs["title"]``, if present, is the title. By default it tells the lowest
        and the highest value.
    column
        ``"probability_alive"`` (the default) or ``"expected_purchases"``.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    matrix = frame.set_index(["frequency", "recency"])[column].unstack()  # noqa: PD010 (nothing to aggregate)
    recency, frequency, values = matrix.columns.to_numpy(), matrix.index.to_numpy(), matrix.to_numpy()
    mesh = ax.pcolormesh(recency, frequency, values, shading="gouraud", rasterized=True)
    formatter = PERCENT if column == "probability_alive" else PLAIN
    levels = ALIVE_LEVELS if column == "probability_alive" else MaxNLocator(6).tick_values(values.min(), values.max())
    bright = values.min() + 0.6 * (values.max() - values.min())
    colours = [ACTUAL if level > bright else "white" for level in levels]
    lines = ax.contour(recency, frequency, values, levels=levels, colors=colours, linewidths=0.8)
    ax.clabel(lines, fmt=formatter, fontsize=8)
    bar = ax.figure.colorbar(mesh, ax=ax, format=formatter, pad=0.02)
    bar.outline.set_visible(False)
    ax.grid(visible=False)
    ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.margins(0)
    unit = frame.attrs.get("time_unit", "time units")
    ax.set_xlabel(f"age at the last purchase, {unit} (age now: {frame.attrs.get('T', recency[-1]):.3g})")
    ax.set_ylabel("repeat purchases")
    title = TITLES.get(column, column)
    title = f"{title} in {frame.attrs['horizon']:.3g} {unit}" if column == "expected_purchases" else title
    write = percent if column == "probability_alive" else number
    message = f"{title}: {write(values.min())} to {write(values.max())}"
    set_message(ax, frame, message, _describe_matrix(matrix, unit, write))
    return ax


@apply_style
def plot_alive_history(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of P(alive) of one customer over time, with the purchases.

    Parameters
    ----------
    frame
        The frame of ``alive_history``. ``attrs["title"]``, if present, is the title. By default it names the
        ``customer_id`` of the ``attrs`` and tells the probability on the last day.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    purchases = frame.loc[frame["purchase"], "date"]
    ax.plot(frame["date"], frame["probability_alive"], color=COLOURS[0])
    ax.vlines(purchases, 0, 0.04, color=ACTUAL, linewidth=1.2, transform=ax.get_xaxis_transform())
    ax.annotate("purchases", (purchases.iloc[0], 0.04), (0, 3), xycoords=("data", "axes fraction"),
                textcoords="offset points", color=QUIET, fontsize=8)  # fmt: skip
    ax.set_ylim(0, 1.03)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel("probability of still being a customer")
    date_axis(ax)
    alive = frame.set_index(frame["date"].dt.strftime("%Y-%m-%d"))["probability_alive"]
    # An id may be as long as anybody likes.
    message = f"customer {frame.attrs['customer_id']:.40}: {percent(alive.iloc[-1])} likely to be a customer still"
    description = (
        f"Probability of still being a customer: {course(alive, 'on', percent)}. Purchases: {len(purchases):,}."
    )
    set_message(ax, frame, message, description)
    return ax


def _describe_matrix(matrix: pd.DataFrame, unit: str, write: Callable[[float], str]) -> str:
    """The values in the four corners."""
    values, recency = matrix.to_numpy(), [f"{float(str(age)):.3g}" for age in matrix.columns]
    corners = "; ".join(
        f"{write(values[row, column])} for {matrix.index[row]}, the last at age {recency[column]}"
        for row in (0, -1)
        for column in (0, -1)
    )
    return f"By number of repeat purchases, and age at the last in {unit}: {corners}."
