"""Links: how the index z'g of the covariates changes the parameters of a model.

A model declares its links by what they are about (``purchase``, ``dropout``, ``spend``). Parameters are positive, so
links work on their logarithms; with the derivatives here, and a model whose parameters have shape (n,), no equation of
a model is written again for customers with covariates.

Fader & Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models", a note whose
purchase rates, and drop-out rates of the Pareto/NBD, are proportional to exp(z'g); for rates Gamma(r, alpha) that is
alpha exp(-z'g). Its drop-out of the BG/NBD has an index for a and one for b; here a single index moves the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy.special import expit, log_expit

from retention_models.core.arrays import Array

FURTHEST = 230.0  # logarithms beyond are parameters beyond 1e100, where nothing changes any more


class Link(Protocol):
    """What an index does to the logarithms of some fields of a model."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it moves."""
        ...

    def apply(self, logs: Sequence[Array], index: Array) -> Array:
        """The logarithms of the fields of customers with this index; shape (fields, n)."""
        ...

    def slopes(self, logs: Sequence[Array], index: Array) -> Array:
        """Derivatives of ``apply`` in each of the logarithms, and last in the index; shape (fields, fields + 1, n)."""
        ...


@dataclass(frozen=True, slots=True)
class LogLink:
    """A parameter is multiplied by exp(sign z'g)."""

    field: str
    sign: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The one field."""
        return (self.field,)

    def apply(self, logs: Sequence[Array], index: Array) -> Array:
        """The logarithm of the field of customers with this index; shape (1, n)."""
        return (logs[0] + self.sign * index)[None]

    def slopes(self, logs: Sequence[Array], index: Array) -> Array:
        """Derivatives in the logarithm and in the index; shape (1, 2, n)."""
        one = np.ones(np.broadcast_shapes(np.shape(logs[0]), np.shape(index)))
        return np.stack([one, self.sign * one])[None]


@dataclass(frozen=True, slots=True)
class LogitMeanLink:
    """The mean of a Beta(a, b) moves, the index adding to its logit; a + b, how alike customers are, stays.

    A factor common to a and b could not move the mean, and runs off to infinity where customers are alike.
    """

    a: str
    b: str

    @property
    def fields(self) -> tuple[str, ...]:
        """Both fields of the Beta distribution."""
        return self.a, self.b

    def apply(self, logs: Sequence[Array], index: Array) -> Array:
        """The logarithms of a and b of customers with this index; shape (2, n)."""
        logit, both = logs[0] - logs[1] + index, np.logaddexp(*logs)
        return np.stack([log_expit(logit) + both, log_expit(-logit) + both])

    def slopes(self, logs: Sequence[Array], index: Array) -> Array:
        """Derivatives in log a, log b and the index; shape (2, 3, n)."""
        own, mean = expit(logs[0] - logs[1]), expit(logs[0] - logs[1] + index)
        rest = expit(-(logs[0] - logs[1] + index))
        by_a = np.stack([rest + own, own - mean])
        by_b = np.stack([1 - own - rest, mean + 1 - own])
        return np.stack(np.broadcast_arrays(by_a, by_b, np.stack([rest, -mean])), axis=1)


M = TypeVar("M")


def apply_links(model: M, links: Mapping[Link, Array]) -> M:
    """The model of customers for each of whom some links have an index; parameters broadcast with the indices."""
    values: dict[str, Array] = {}
    for link, index in links.items():
        logs = link.apply([np.log(getattr(model, name)) for name in link.fields], index)
        values.update(zip(link.fields, np.exp(np.clip(logs, -FURTHEST, FURTHEST)), strict=True))
    return replace(model, **values)  # type: ignore[type-var]


def derivatives(
    model: Any, links: Mapping[Link, Array], matrices: Sequence[Array], slopes: Array, names: Sequence[str]
) -> Array:
    """Derivatives in the logarithms of the model's parameters, and in the coefficients of each link.

    ``slopes`` are those in the logarithms of each customer's own parameters ``names``, shape (n, p); ``matrices`` hold
    what each link's coefficients multiply. The result has shape (n, p + coefficients).
    """
    through, blocks = slopes.copy(), []
    for (link, index), matrix in zip(links.items(), matrices, strict=True):
        where = [names.index(name) for name in link.fields]
        own = link.slopes([np.log(getattr(model, name)) for name in link.fields], index)
        chained = np.einsum("nf,fgn->ng", slopes[:, where], own)
        through[:, where] = chained[:, :-1]
        blocks.append(chained[:, -1:] * matrix)
    return np.concatenate([through, *blocks], axis=1)
