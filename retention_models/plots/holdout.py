"""Plots of actual and expected purchases."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from retention_models.core.arguments import require_bool
from retention_models.evaluation.by_period import model_columns
from retention_models.plots.descriptions import course, listing, named, number
from retention_models.plots.style import (
    ACTUAL,
    COLOURS,
    COUNTS,
    MARKERS,
    MUTED,
    QUIET,
    apply_style,
    axes_or_new,
    date_axis,
    label_ends,
    set_message,
)


@apply_style
def plot_tracking(frame: pd.DataFrame, *, cumulative: bool = False, ax: Axes | None = None) -> Axes:
    """Plot of repeat purchases per period, or their running total: actual and expected by each model.

    A vertical line marks the begin of the holdout period.

    Parameters
    ----------
    frame
        The frame of ``tracking``. ``attrs["title"]``, if present, is the title. By default it compares the total with
        that of the closest model.
    cumulative
        Whether to plot running totals. By default the purchases per period, without incomplete periods.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    require_bool("cumulative", cumulative)
    ax = axes_or_new(ax)
    period = frame.attrs.get("period", "period")
    shown = frame if cumulative else frame[frame["complete"]]
    when = shown["end" if cumulative else "start"]
    suffix = "_cumulative" if cumulative else ""
    models = model_columns(frame)
    ax.plot(when, shown[f"actual{suffix}"], color=ACTUAL, linewidth=1.4, marker=".", markersize=4)
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(models))]
    for model, colour in zip(models, colours, strict=True):
        ax.plot(when, shown[f"{model}{suffix}"], color=colour)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(COUNTS)
    ax.set_ylabel("repeat purchases since the start" if cumulative else f"repeat purchases a {period}")
    ax.set_xlabel(f"{period} {'ending' if cumulative else 'beginning'}")
    date_axis(ax)
    _mark_holdout(ax, frame)
    ends = [shown[f"{name}{suffix}"].iloc[-1] for name in ("actual", *models)]
    label_ends(ax, ["actual", *models], ends, [ACTUAL, *colours])
    message = _tracking_message(shown, models, suffix)
    curve = shown.set_index(when.dt.strftime("%Y-%m-%d"))[f"actual{suffix}"]
    description = f"{ax.get_ylabel().capitalize()}, actual: {course(curve, 'on')}."
    set_message(ax, frame, message, f"{description} {_describe_totals(shown, models, suffix)}")
    return ax


@apply_style
def plot_by_frequency(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot of mean holdout purchases by number of repeat purchases before: actual and expected.

    Parameters
    ----------
    frame
        The frame of ``holdout_by_frequency``. The number of customers is below each group. ``attrs["title"]``, if
        present, is the title. By default it tells where the best model misses by most.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    groups = range(len(frame))
    models = model_columns(frame)
    ax.bar(groups, frame["actual"], width=0.72, color=MUTED, label="actual")
    for i, model in enumerate(models):
        at = [group + 0.16 * (i - (len(models) - 1) / 2) for group in groups]
        look = i % len(COLOURS)
        ax.plot(at, frame[model], MARKERS[look], color=COLOURS[look], label=model)
    ax.set_xticks(groups, [f"{group}\n{n:,}" for group, n in frame["customers"].items()])
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("repeat purchases before the cut-off, and customers who made that many")
    ax.set_ylabel("mean purchases in the holdout")
    ax.legend(*_legend_entries(ax), loc="lower left", bbox_to_anchor=(0, 1), ncols=1 + len(models))
    set_message(ax, frame, _frequency_message(frame, models), _describe_frequency(frame, models), pad=24)
    return ax


@apply_style
def plot_pit(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Histogram of the probability integral transform; flat if the forecasts are calibrated.

    A U shape means that the forecast distributions are too narrow. A hump means that they are too wide. A slope means
    that they are too low or too high.

    Parameters
    ----------
    frame
        The frame of ``calibration``. ``attrs["title"]``, if present, is the title. By default it tells the lowest and
        the highest bar.
    ax
        Axes to draw on. By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the plot.
    """
    ax = axes_or_new(ax)
    ax.bar(frame["lower"], frame["density"], frame["upper"] - frame["lower"], align="edge", color=COLOURS[0],
           edgecolor="white", linewidth=1.0)  # fmt: skip
    ax.axhline(1.0, color=ACTUAL, linewidth=1.2, linestyle=(0, (4, 2)))
    ax.set_xlim(0, 1)
    ax.set_xlabel("where the count that came true lies in its forecast distribution")
    ax.set_ylabel("customers, relative to calibrated")
    label_ends(ax, ["calibrated"], [1.0], [ACTUAL])
    bars = frame["density"].set_axis(frame["lower"].map("{:.3g}".format))
    low, high = number(bars.min()), number(bars.max())
    message = f"Bars hold {low} to {high} times the customers of a calibrated forecast"
    set_message(ax, frame, message, f"{len(bars)} bars; calibrated is 1. Heights: {course(bars, 'from')}.")
    return ax


def _legend_entries(ax: Axes) -> tuple[list[Artist], list[str]]:
    handles, labels = ax.get_legend_handles_labels()
    return [handles[-1], *handles[:-1]], [labels[-1], *labels[:-1]]


def _mark_holdout(ax: Axes, frame: pd.DataFrame) -> None:
    if not frame["holdout"].any():
        return
    cut_off = frame.loc[frame["holdout"], "start"].iloc[0]
    ax.axvline(cut_off, color=QUIET, linewidth=1.0, linestyle=(0, (4, 2)))
    ax.annotate("holdout →", (cut_off, 1.0), (5, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                color=QUIET, va="top")  # fmt: skip


def _totals(shown: pd.DataFrame, models: list[str], suffix: str) -> tuple[str, float, pd.Series]:
    """What the totals cover, the actual one, and those of the models: of the holdout if there is one."""
    rows = shown[shown["holdout"]] if shown["holdout"].any() and not suffix else shown
    columns = [f"{name}{suffix}" for name in ("actual", *models)]
    sums = rows[columns].iloc[-1] if suffix else rows[columns].sum()
    when = "since the start" if suffix else "in the holdout" if len(rows) < len(shown) else "in all"
    return when, float(sums.iloc[0]), sums.iloc[1:].set_axis(models)


def _tracking_message(shown: pd.DataFrame, models: list[str], suffix: str) -> str:
    when, actual, expected = _totals(shown, models, suffix)
    message = f"{number(actual)} repeat purchases {when}"
    if not models:
        return message
    best = str((expected - actual).abs().idxmin())
    return f"{message}; {best:.24} expected {number(expected[best])}"


def _describe_totals(shown: pd.DataFrame, models: list[str], suffix: str) -> str:
    """The totals of all models beside the actual one."""
    when, actual, expected = _totals(shown, models, suffix)
    each = listing(f"{named(name)} {number(total)}" for name, total in expected.items())
    return f"Total {when}: {number(actual)} came; expected by {each}." if models else ""


def _frequency_message(frame: pd.DataFrame, models: list[str]) -> str:
    """Where the model with the smallest error over all customers misses by most."""
    if not models:
        return f"Mean purchases in the holdout: {number(frame['actual'].min())} to {number(frame['actual'].max())}"
    errors = frame[models].sub(frame["actual"], axis=0).abs()
    best = str(errors.mul(frame["customers"], axis=0).sum().idxmin())
    place = int(errors[best].argmax())
    came, expected = (number(frame[name].iloc[place]) for name in ("actual", best))
    return f"{best:.24} is off most at {frame.index[place]} earlier purchases: {expected} expected, {came} came"


def _describe_frequency(frame: pd.DataFrame, models: list[str]) -> str:
    """Actual and expected means by group."""
    curves = (f"{named(name)} {course(frame[name], 'at')}" for name in ("actual", *models))
    return f"Mean purchases in the holdout, by repeat purchases before the cut-off: {listing(curves)}."
