"""The interface between a model and its estimation, and the limits of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Protocol, Self

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation

SMALL, LARGE = 1e-100, 1e8  # where a parameter that runs to zero or to infinity is held
NEAR_ZERO, NEAR_INFINITY = 1e-3, 1e3  # from here on, the limit itself is tried


@dataclass(frozen=True, slots=True, repr=False)
class Limit(Presentation):
    """What a model becomes when one of its parameters runs to zero or to infinity.

    ``follows`` grow or shrink in proportion (their ratio to ``parameter`` stays meaningful), ``against`` in inverse
    proportion (their product does); ``undetermined`` lose their meaning. A parameter that carries the time unit is
    measured against its start value, the others as they are. ``is_start`` tells whether the limit is also a start,
    ``nobody_leaves`` whether there is no churn in it.
    """

    parameter: str
    towards: float
    model: str
    undetermined: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    is_start: bool = True
    nobody_leaves: bool = False

    @property
    def value(self) -> float:
        """The value at which the parameter is held."""
        return SMALL if self.towards == 0 else LARGE

    @property
    def involved(self) -> set[str]:
        """Every parameter that has a part in the limit."""
        return {self.parameter, *self.follows, *self.against, *self.undetermined}

    def is_near(self, value: float, slope: float) -> bool:
        """Whether the parameter approaches the limit, given its derivative ``slope``."""
        return value < NEAR_ZERO and slope < 0 if self.towards == 0 else value > NEAR_INFINITY and slope > 0


class Model(Protocol):
    """What a model offers its estimation: a frozen dataclass of positive parameters with these members.

    ``columns`` are the arguments of its methods, in order; ``fixed`` the fields that are not estimated;
    ``time_parameters`` those that carry the time unit; ``limits`` the models at the limits of its
    parameters. Each model names the arguments of its methods, so none is named here.
    """

    columns: ClassVar[tuple[str, ...]]
    fixed: ClassVar[tuple[str, ...]]
    time_parameters: ClassVar[tuple[str, ...]]
    limits: ClassVar[tuple[Limit, ...]]

    def __init__(self, **parameters: Any) -> None: ...

    @classmethod
    def start(cls, *columns: Any, **others: Any) -> Self:
        """Start values for the fit, from moments of the data."""
        ...

    def log_likelihood(self, *columns: Any, **others: Any) -> Array:
        """The log-likelihood of each row; shape (..., n)."""
        ...

    def score(self, *columns: Any, **others: Any) -> Array:
        """The gradient of each row's log-likelihood in the parameters; shape (..., n, p)."""
        ...


def parameter_names(model_class: type[Model]) -> tuple[str, ...]:
    """The estimated parameters of a model, in order: its fields less the ``fixed`` ones."""
    return _parameter_names(model_class)


@cache
def _parameter_names(model_class: type[Model]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(model_class) if f.name not in model_class.fixed)  # type: ignore[arg-type]


def averaged_columns(model_class: type[Any]) -> tuple[str, ...]:
    """What the likelihood needs beside ``columns``, linearly: rows that share these may share its mean."""
    return tuple(getattr(model_class, "averaged", ()))
