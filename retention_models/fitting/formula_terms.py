"""The covariates of a fit: their coefficients, and the parameters of each customer that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.design import Design
from retention_models.estimation.links import Link, apply_links, derivatives
from retention_models.estimation.standardise import Covariates
from retention_models.tables.customer_table import read_covariates

NONE = pd.Series(dtype=float, name="coefficient")


@dataclass(frozen=True, eq=False, repr=False)
class CovariateTerms(Presentation):
    """The covariates of a fit: the design of each link that has any, and the coefficients, ``purchase[...]`` and so on.

    Arrays over customers, one a column of the designs, are called ``design_columns`` here.
    """

    designs: Mapping[str, Design] = field(default_factory=dict)
    coefficients: pd.Series = field(default_factory=NONE.copy)

    def _parts(self) -> Sequence[Part]:
        if not self.n:
            return ["No covariates."]
        return ["Coefficients of covariates:", self.coefficients.to_frame()]

    @property
    def n(self) -> int:
        """The number of coefficients."""
        return sum(len(design.labels) for design in self.designs.values())

    @property
    def terms(self) -> dict[str, tuple[str, ...]]:
        """The labels of the coefficients of each term, by the term's own label."""
        return {
            f"{link}[{term}]": _labels(link, columns)
            for link, design in self.designs.items()
            for term, columns in design.terms.items()
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame of customers that the designs use."""
        return tuple(dict.fromkeys(name for design in self.designs.values() for name in design.columns))

    def design_columns(self, customers: Any) -> tuple[Array, ...]:
        """The columns of the designs for a frame of customers; each of shape (n,)."""
        return tuple(
            column
            for design in self.designs.values()
            for column in design.matrix(read_covariates(customers, design.columns, design.formula)).T
        )

    def by_link(self, model: Any, design_columns: Sequence[Array]) -> tuple[Covariates, ...]:
        """The columns of the designs, told apart by the links of a model or a class of models."""
        found, first = [], 0
        for link, design in self.designs.items():
            last = first + len(design.labels)
            matrix = np.stack(design_columns[first:last], axis=-1)
            found.append(Covariates(model.links[link], _labels(link, design.labels), matrix))
            first = last
        return tuple(found)

    def fields(self, model: Any) -> set[str]:
        """The parameters of a model, or a class of models, that the covariates move."""
        return {name for link in self.designs for name in model.links[link].fields}

    def apply_links(self, model: Any, design_columns: Sequence[Array], coefficients: Array | None = None) -> Any:
        """The model of customers with these covariates; its parameters have shape (n,) where covariates move them.

        Other ``coefficients`` than those found have shape (n, coefficients), a set a customer, or (draws, 1,
        coefficients), as the model's parameters may have shape (n,) or (draws, 1).
        """
        return self.apply_links_to(model, model, design_columns, coefficients)

    def apply_links_to(
        self, future_process: Any, model: Any, design_columns: Sequence[Array], coefficients: Array | None = None
    ) -> Any:
        """What customers of a model do from now on, if their covariates change by so much."""
        return (
            apply_links(future_process, self.indices(model, design_columns, coefficients)) if self.n else future_process
        )

    def indices(
        self, model: Any, design_columns: Sequence[Array], coefficients: Array | None = None
    ) -> dict[Link, Array]:
        """The index of each customer in each link."""
        values, indices, first = self.coefficients.to_numpy() if coefficients is None else coefficients, {}, 0
        for each in self.by_link(model, design_columns):
            last = first + len(each.labels)
            indices[each.link] = np.sum(each.matrix * values[..., first:last], axis=-1)
            first = last
        return indices

    def slopes(self, model: Any, design_columns: Sequence[Array], slopes: Array, names: Sequence[str]) -> Array:
        """Derivatives in the baseline's log-parameters and the coefficients, from those in each customer's own."""
        matrices = [each.matrix for each in self.by_link(model, design_columns)]
        return derivatives(model, self.indices(model, design_columns), matrices, slopes, names)

    def to_plain(self) -> dict[str, Any]:
        """The covariates in values that JSON knows."""
        return {
            "designs": {link: asdict(design) for link, design in self.designs.items()},
            "coefficients": {str(label): float(value) for label, value in self.coefficients.items()},
        }

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """The covariates that were stored as plain values."""
        designs = {link: Design.from_plain(design) for link, design in stored["designs"].items()}
        return cls(designs, pd.Series(stored["coefficients"], dtype=float, name="coefficient"))


def _labels(link: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The labels of coefficients: which link they act through, and what of."""
    return tuple(f"{link}[{column}]" for column in columns)
