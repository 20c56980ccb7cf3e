"""What a picture shows in words: the alternative text that a figure carries for readers who cannot see it.

Every plot of the package describes its axes with numbers. A notebook stores the text of the whole figure as ``alt`` in
the metadata of the output, where nbconvert and the pages of this package find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retention_models.core.formatting import short_number

HOOK = "_repr_mimebundle_"  # the attribute that IPython asks for metadata when it shows an object
MOST_ITEMS = 8  # of a list in a description; the others are counted
LONGEST_NAME = 40  # characters of a name from the data
SMALLEST = 1e-4  # below this, shares and numbers are only said to be small


class AltText:
    """The descriptions of the axes of one figure; IPython calls it when it shows the figure."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.parts: dict[Axes, str] = {}

    def __call__(self, **_: Any) -> tuple[dict[str, str], dict[str, str]]:
        """No form of its own, and the text as metadata of the output."""
        return {}, {"alt": self.text()}

    def text(self) -> str:
        """Title and description of each axes, in the order of the figure, on one line."""
        described = [ax for ax in self.figure.axes if ax in self.parts]
        texts = [text for ax in described for text in (_title(ax), self.parts[ax])]
        return " ".join(" ".join(_as_sentence(text) for text in texts if text).split())


def describe(ax: Axes, *sentences: str) -> None:
    """Say what the axes show; an earlier description of the same axes is replaced."""
    figure = ax.figure.canvas.figure
    texts = vars(figure).setdefault(HOOK, AltText(figure))
    texts.parts[ax] = " ".join(sentence for sentence in sentences if sentence)


def alt_text(figure: Figure) -> str:
    """The alternative text of a figure: titles and descriptions of its axes.

    Parameters
    ----------
    figure
        A figure that plots of this package were drawn on, such as ``ax.figure``.

    Returns
    -------
    str
        A few sentences on one line; empty if no plot of this package is on the figure.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> waiting = pd.DataFrame({"second purchase": [0.1, 0.2]}, index=pd.Index([7, 14], name="days"))
    >>> rm.plots.alt_text(rm.plots.plot_waiting(waiting).figure)[:75]
    'second purchase: 20 % within 14 days, half of these within 7. Cumulative sh'
    """
    return vars(figure)[HOOK].text() if HOOK in vars(figure) else ""


def named(name: object) -> str:
    """A name from the data, shortened if it is long.

    Examples
    --------
    >>> named("spring"), len(named("x" * 1000))
    ('spring', 40)
    """
    return f"{name!s:.{LONGEST_NAME}}"


def percent(share: float) -> str:
    """A share as percent, to three digits.

    Examples
    --------
    >>> percent(0.12345), percent(-0.0), percent(7e-10), percent(1.0)
    ('12.3 %', '0 %', 'less than 0.01 %', '100 %')
    """
    if pd.isna(share):
        return "unknown"
    if 0 < share < SMALLEST:
        return "less than 0.01 %"
    return f"{number(100 * share)} %"


def number(value: float) -> str:
    """A number to three digits, whole ones in full.

    Examples
    --------
    >>> number(1665.5), number(1666), number(0.12345), number(float("nan"))
    ('1,670', '1,666', '0.123', 'unknown')
    >>> number(4e-13)
    'almost 0'
    """
    if pd.isna(value):
        return "unknown"
    if 0 < abs(value) < SMALLEST:
        return "almost 0"
    return short_number(float(value)) if float(value).is_integer() else short_number(float(f"{value:.3g}"))


def interval(lower: float, upper: float, write: Callable[[float], str] = number) -> str:
    """The ends of an interval; one may be infinite.

    Examples
    --------
    >>> interval(1.5, 2), interval(0.1, 0.2, percent)
    ('(1.5 to 2)', '(10 % to 20 %)')
    >>> interval(2, np.inf), interval(-np.inf, 2), interval(-np.inf, np.inf)
    ('(2 or more)', '(2 or less)', '(without limits)')
    """
    if np.isinf([lower, upper]).any():
        ends = [f"{write(end)} or {word}" for end, word in ((lower, "more"), (upper, "less")) if np.isfinite(end)]
        return f"({ends[0] if ends else 'without limits'})"
    return f"({write(lower)} to {write(upper)})"


def listing(items: Iterable[str]) -> str:
    """The first few items as a list, and how many more there are.

    Examples
    --------
    >>> listing(["a", "b"]), listing("abcdefghij")
    ('a; b', 'a; b; c; d; e; f; g; h; and 2 more')
    """
    every = list(items) or ["none"]
    more = len(every) - MOST_ITEMS
    return "; ".join([*every[:MOST_ITEMS], *([f"and {more} more"] if more > 0 else [])])


def course(values: pd.Series, at: str = "at", write: Callable[[float], str] = number) -> str:
    """How a curve runs: its value at the start, half-way and at the end, and an extreme that lies between.

    Parameters
    ----------
    values
        The heights of the curve, indexed by their places. Missing ones are left out.
    at
        The word before a place. By default ``"at"``.
    write
        How a height is written. By default as a number.

    Returns
    -------
    str
        A part of a sentence.

    Examples
    --------
    >>> course(pd.Series([1, 5, 2, 3], index=[10, 20, 30, 40]), "on day")
    '1 on day 10, 2 on day 30, 3 on day 40; highest 5 on day 20'
    """
    known = values.dropna()
    if known.empty:
        return "no values"
    places = list(dict.fromkeys((0, len(known) // 2, len(known) - 1)))
    text = ", ".join(f"{write(known.iloc[i])} {at} {_place(known.index[i])}" for i in places)
    heights = np.array([float(f"{height:.3g}") for height in known])  # digits beyond differ between processors
    for word, extreme in (("highest", int(heights.argmax())), ("lowest", int(heights.argmin()))):
        if heights[extreme] not in heights[places]:
            text += f"; {word} {write(known.iloc[extreme])} {at} {_place(known.index[extreme])}"
    return text


def _place(key: object) -> str:
    return number(key) if isinstance(key, float) else named(key)


def _title(ax: Axes) -> str:
    return ax.get_title("left") or ax.get_title("center") or ax.get_title("right")


def _as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
