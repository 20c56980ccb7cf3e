"""The style that all plots share: one style file, colours with a fixed meaning, and direct labels."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, StrMethodFormatter

from retention_models.plots.descriptions import describe

STYLE = Path(__file__).with_name("retention.mplstyle")
ACTUAL = "#222222"
QUIET = "#767676"
FAINT = "#D9D9D9"  # behind data: grids, bands
MUTED = "#949494"  # data that others are compared with: seen on light and on dark ground
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINE_HEIGHT = 14  # points
TITLE_WIDTH = 68  # characters of a line of a title
MARKERS = ("o", "s", "D", "^", "v", "P")

COUNTS = StrMethodFormatter("{x:,.0f}")
PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.3g} %")
PLAIN = FuncFormatter(lambda value, _: f"{value:,.10g}")

P = ParamSpec("P")


def apply_style(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """Draw within the package's style, and show names that come from data as they are, dollar signs and all."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Axes:
        with style.context(STYLE):
            ax = draw(*args, **kwargs)
            for text in ax.findobj(Text):
                text.set_parse_math(False)
            interactive = matplotlib.is_interactive()
        matplotlib.interactive(interactive)  # the first figure loads a notebook's backend, which switches this on
        return ax

    return drawn


def axes_or_new(ax: Axes | None, *, rows: int | None = None) -> Axes:
    """The axes given, or those of a new figure, which is lower where it has only a few ``rows`` to show."""
    if ax is not None:
        return ax
    width, height = matplotlib.rcParams["figure.figsize"]
    return plt.subplots(figsize=(width, height if rows is None else min(height, 1.3 + 0.36 * rows)))[1]


def panels(count: int = 1, *, height: float = 3.4) -> list[Axes]:
    """New axes in the style of the package, one below the other in one figure.

    Parameters
    ----------
    count
        Number of axes. By default 1.
    height
        Height of each, in inches. By default 3.4.

    Returns
    -------
    list[matplotlib.axes.Axes]
        The axes, from the top.
    """
    with style.context([STYLE, {"figure.constrained_layout.h_pad": 0.12}]):
        width = matplotlib.rcParams["figure.figsize"][0]
        axes = plt.subplots(count, figsize=(width, height * count), squeeze=False)[1]
        interactive = matplotlib.is_interactive()
    matplotlib.interactive(interactive)  # as in `apply_style`
    return list(axes.flat)


def panels_by_rows(rows: Sequence[int], *, row_height: float = 0.5) -> list[Axes]:
    """Axes one below the other, each as high as the rows it is to show need."""
    heights = [1.1 + row_height * count for count in rows]
    with style.context([STYLE, {"figure.constrained_layout.h_pad": 0.12}]):
        size = matplotlib.rcParams["figure.figsize"][0], sum(heights)
        axes = plt.subplots(len(rows), figsize=size, squeeze=False, height_ratios=heights)[1]
        interactive = matplotlib.is_interactive()
    matplotlib.interactive(interactive)  # as in `apply_style`
    return list(axes.flat)


def date_axis(ax: Axes) -> None:
    """Ticks at round dates, each year written once."""
    locator = AutoDateLocator(minticks=4, maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def set_message(ax: Axes, frame: pd.DataFrame, message: str, description: str, pad: float = 6) -> None:
    """Title and description of what the plot shows; ``frame.attrs["title"]``, if present, stands in place of the title.

    A long title is broken into lines. If it is not the message, the message joins the description.
    """
    title = str(frame.attrs.get("title", message))
    ax.set_title(textwrap.fill(title, TITLE_WIDTH), loc="left", pad=pad)
    describe(ax, f"{message}." if message and title != message else "", description)


def label_ends(ax: Axes, labels: Sequence[str], heights: Sequence[float], colours: Sequence[str]) -> None:
    """Write each label right of the axes at the height where its line ends, spread so that none overlap.

    None lies below the axes, where the numbers of the other axis stand. Call it last: the heights are turned into
    fractions of the axes as they then stand.
    """
    low, high = ax.get_ylim()
    gap = LINE_HEIGHT * ax.figure.dpi / 72 / ax.bbox.height
    wanted = sorted(zip(((h - low) / (high - low) for h in heights), labels, colours, strict=True))
    placed: list[float] = []
    for height, _, _ in wanted:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    pushed = sum(at - height for at, (height, _, _) in zip(placed, wanted, strict=True)) / len(wanted)
    pushed = min(pushed, placed[0])
    for at, (_, label, colour) in zip(placed, wanted, strict=True):
        ax.text(1.012, at - pushed, label, color=colour, transform=ax.transAxes, va="center", fontweight="bold")
