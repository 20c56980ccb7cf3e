"""Who is compared in a sequence of trials, by what, and the adjusted differences: the machinery behind ``Trials``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.designs.adjustment import (
    Adjusted,
    Compared,
    Target,
    adjust,
    cross_fitted,
    nuisance_of,
)
from retention_models.interventions.designs.propensity import Design
from retention_models.interventions.designs.trial_log import TrialLog
from retention_models.interventions.designs.trial_outcomes import Censoring, Measure
from retention_models.interventions.designs.trial_rows import LATER, Occasions, TrialRows, sample_rows

Estimand = Literal["as_joined", "never_joined"]
COUNTS = ("orders", "contacts_")
FEWER_OTHERS = 5  # a join, where covariates are left out in turn
SETTLED = (2, LATER)  # order numbers of joins with a history


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Presentation):
    """Those who joined and the others of a sequence of trials.

    Attributes
    ----------
    log
        What the trials are made of.
    occasions, rows
        The occasions to join, and the sample of them.
    outcome, measures
        The outcome, and what is counted: the outcome first, then rewards if there are any.
    features
        Names of the covariates.
    target
        Whose effect it is.
    others_per_join
        Number of others that are sampled for each join.
    seed
        Seed of the sample.
    learner, folds
        What estimates the chance to join, and in how many parts; None for logistic regression on all rows.
    """

    log: TrialLog
    occasions: Occasions
    rows: TrialRows
    outcome: str
    measures: dict[str, Measure]
    features: tuple[str, ...]
    target: Target
    others_per_join: int
    seed: int
    learner: Any
    folds: int

    def _parts(self) -> Sequence[Part]:
        joined = int(self.rows.joined.sum())
        return [f"{joined:,} joins and {len(self.rows.joined) - joined:,} others, by {len(self.features)} covariates."]

    @property
    def last(self) -> int:
        """The horizon in days, or in months."""
        return max(each.last for each in self.measures.values())

    def unit(self, place: int, length: int | None = None) -> Array:
        """Which of the outcomes a law is of."""
        return np.eye(len(self.columns) if length is None else length)[place]

    @property
    def columns(self) -> list[Measure]:
        """The outcome, and rewards if there are any."""
        return [each for name, each in self.measures.items() if name in (self.outcome, "rewards")]

    def who(self, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Customers and times of some occasions."""
        return self.occasions.series.customer[place], self.occasions.series.time[place]

    def sample(self, numbers: Sequence[int]) -> TrialRows:
        """A sample of the occasions of some order numbers."""
        return sample_rows(self.occasions, numbers, self.others_per_join, np.random.default_rng(self.seed))

    def table(self, rows: TrialRows, names: Sequence[str] | None = None, weeks: int | None = None) -> pd.DataFrame:
        """What was known at each row; names that a shorter history does not have are left out."""
        known = self.log.known
        kept = list(self.features if names is None else names)
        if weeks is not None:
            kept = [name for name in kept if name in known.names(weeks)]
        table = known.table(*self.who(rows.place), kept, longest=weeks)
        number = self.occasions.number[rows.place]
        table["calendar"] = (self.occasions.period[rows.place] - self.occasions.period.min()).astype(float)
        return table.assign(second_order=(number == 2).astype(float)) if len(np.unique(number)) > 1 else table

    def design(self, rows: TrialRows, names: Sequence[str] | None = None, weeks: int | None = None) -> Design:
        """The covariates of some rows as regressions take them."""
        table = _shaped(self.table(rows, names, weeks))
        return Design.of(table.to_numpy(dtype=float), list(table.columns), rows.weight)

    @cached_property
    def main_design(self) -> Design:
        """The covariates of the rows."""
        return self.design(self.rows)

    def outcomes(self, estimand: Estimand, measures: Sequence[Measure] | None = None) -> Array:
        """What followed each row, shape (n, k)."""
        return self.compared(self.rows, self.main_design, estimand, measures).outcomes

    def compared(
        self, rows: TrialRows, design: Design, estimand: Estimand, measures: Sequence[Measure] | None = None
    ) -> Compared:
        """The rows with their outcomes."""
        parts = self.columns if measures is None else measures
        customer, time = self.who(rows.place)
        y = np.column_stack([each.as_joined(customer, time) for each in parts])
        slopes = None
        if estimand == "never_joined":
            slopes = {}
            others, with_slopes = rows.place[~rows.joined], measures is None
            for column, each in enumerate(parts):
                expected = None
                if each.what in ("number", "money") and each.series is self.log.events:
                    expected = _others_regression(rows, design, y[~rows.joined, column])  # some of whom join later
                    never, _ = self.censoring.never_joined(each, others, expected, with_slopes=False)
                    expected = _others_regression(rows, design, never)
                never, moved = self.censoring.never_joined(each, others, expected, with_slopes=with_slopes)
                y[~rows.joined, column] = never
                if moved.size:
                    slopes[column] = np.zeros((len(y), design.matrix.shape[1]))
                    slopes[column][~rows.joined] = moved
        _, cluster = np.unique(customer, return_inverse=True)
        return Compared(rows.joined, y, design, rows.weight, cluster.astype(np.int64), slopes)

    def adjusted(self, compared: Compared) -> Adjusted:
        """The adjusted difference of each outcome.

        Raises
        ------
        ValueError
            When there are no more joins than covariates.
        """
        joins, covariates = int(compared.treated.sum()), len(compared.design.labels)
        if joins <= covariates + 1:
            raise ValueError(
                f"{joins:,} joins are too few for {covariates} covariates; name fewer features, or use a longer log"
            )
        if self.learner is None:
            return adjust(compared, self.target, nuisance_of(compared, self.target))
        rng = np.random.default_rng(self.seed)
        return adjust(compared, self.target, cross_fitted(compared, self.folds, rng, learner=self.learner))

    @cached_property
    def censoring(self) -> Censoring:
        """The chances to join, from the propensity of the trials, at all occasions at which customers could."""
        compared = self.compared(self.rows, self.main_design, "as_joined")
        propensity = nuisance_of(compared, "treated", regress=False).propensity
        assert propensity is not None
        occasions = self.occasions
        places = np.flatnonzero(occasions.open & np.isin(occasions.number, SETTLED))
        table = self.table(TrialRows(places, np.zeros(0, dtype=bool), np.zeros(0), 0))
        matrix = self.main_design.rows(_shaped(table).to_numpy(dtype=float))
        return Censoring.of(occasions, places, matrix, propensity.coefficients)

    def found(self, estimand: Estimand) -> Adjusted:
        """The adjusted differences of the outcome and of rewards."""
        if estimand not in self._estimates:
            self._estimates[estimand] = self.adjusted(self.compared(self.rows, self.main_design, estimand))
        return self._estimates[estimand]

    @cached_property
    def _estimates(self) -> dict[Estimand, Adjusted]:
        return {}

    def so_far(self, end: int) -> Measure:
        """The outcome up to a time: counts and amounts so far, with contracts the share at that time."""
        whole = self.measures[self.outcome]
        if not self.log.in_weeks:
            return Measure(whole.series, end - 1, end, "none" if whole.what == "none" else "any")
        return Measure(whole.series, 0, end, "number" if self.outcome == "retained" else whole.what)

    def strongest(self) -> tuple[str, float]:
        """The covariates whose leaving out moves the estimate most, and by how much, on a smaller sample."""
        rows = sample_rows(self.occasions, SETTLED, FEWER_OTHERS, np.random.default_rng(self.seed))

        def estimate(names: Sequence[str]) -> float:
            compared = self.compared(rows, self.design(rows, names), "as_joined")
            return float(self.adjusted(compared).estimates[0])

        whole, moves = estimate(self.features), {}
        for group in dict.fromkeys(map(_group, self.features)):
            moves[group] = abs(estimate([name for name in self.features if _group(name) != group]) - whole)
        name = max(moves, key=lambda each: moves[each], default="")
        return name, moves.get(name, 0.0)


def _group(name: str) -> str:
    """What a covariate is about: orders and amounts of all windows belong together."""
    return next((group for group in ("orders", "amount") if name.startswith(group)), name)


def _shaped(table: pd.DataFrame) -> pd.DataFrame:
    """Covariates as regressions take them: sign(x) log(1 + |x|), and counts as they are as well."""
    found = {}
    for name, values in table.items():
        if name == "calendar":
            found["calendar"] = values
            continue
        found[f"log of {name}"] = np.sign(values) * np.log1p(values.abs())
        if str(name).startswith(COUNTS):
            found[str(name)] = values
    return pd.DataFrame(found, index=table.index)


def _others_regression(rows: TrialRows, design: Design, y: Array) -> Array:
    """Coefficients of an outcome of those who did not join, shape (coefficients,)."""
    others = ~rows.joined
    weighted = design.matrix[others] * rows.weight[others, None]
    return np.asarray(np.linalg.lstsq(weighted.T @ design.matrix[others], weighted.T @ y, rcond=None)[0])
