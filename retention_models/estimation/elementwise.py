"""Methods of models give nan for rows which no customer can have; tables with such rows are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import numpy as np

from retention_models.core.arrays import Array
from retention_models.core.column_rules import COLUMNS, breaks_a_rule

P = ParamSpec("P")
Result = TypeVar("Result")
POSSIBLE = 1.0  # a history, an amount and a renewal of only ones are possible in every model


def elementwise(method: Callable[P, Array]) -> Callable[P, Array]:
    """A method of a model that gives nan for rows that break a rule of ``fit``, and takes its columns as arrays.

    A row breaks a rule if a number is missing or infinite, or if its numbers contradict each other (see
    ``core.column_rules``). Such a row is computed as a possible one, so that no method needs to know of it, and becomes
    nan afterwards.
    """

    def compute(given: dict[str, Any], columns: dict[str, Array], broken: Any) -> Array:
        if not broken.any():
            return method(**given | columns)  # type: ignore[call-arg]
        possible = {name: np.where(broken, POSSIBLE, column) for name, column in columns.items()}
        found = method(**given | possible)  # type: ignore[call-arg]
        return np.where(broken[..., None] if method.__name__ == "score" else broken, np.nan, found)[()]

    return _with_checked_rows(method, compute)


def possible_only(method: Callable[P, Result]) -> Callable[P, Result]:
    """A method of a model that refuses rows that break a rule of ``fit``, for its result cannot say nan."""

    def compute(given: dict[str, Any], columns: dict[str, Array], broken: Any) -> Result:
        if broken.any():
            names = ", ".join(columns)
            raise ValueError(
                f"{names}: {broken.sum():,} of {broken.size:,} rows are missing or impossible; leave them out, for "
                f"{method.__name__} returns a model, which cannot say nan"
            )
        return method(**given | columns)  # type: ignore[call-arg]

    return _with_checked_rows(method, compute)


def unchecked(method: Callable[P, Result]) -> Callable[P, Result]:
    """A bound method of a model without its look at the rows, for those that were checked when they were read."""
    function = getattr(method, "__wrapped__", None)
    return method if function is None else partial(function, method.__self__)  # type: ignore[attr-defined]


def _with_checked_rows(method: Callable[P, Result], compute: Callable[..., Result]) -> Callable[P, Result]:
    """``compute(arguments, columns, broken)`` in place of a method: columns as arrays, and which rows break a rule."""
    form = signature(method)
    names = [name for name in form.parameters if name in COLUMNS]

    @wraps(method)
    def checked(*arguments: P.args, **named: P.kwargs) -> Result:
        given = form.bind(*arguments, **named).arguments
        columns = {name: np.asarray(given[name], dtype=float) for name in names if name in given}
        broken = breaks_a_rule(columns, opportunities=getattr(given["self"], "counts_opportunities", False))
        return compute(given, columns, broken)

    return checked
