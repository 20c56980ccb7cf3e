"""Several models of the same customers side by side, which of them to use, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.distinct import distinct_rows
from retention_models.core.formatting import Part, Presentation, format_together, three_digits
from retention_models.estimation.model import averaged_columns
from retention_models.evaluation.holdout_data import HOLDOUT, Holdout
from retention_models.evaluation.loss_comparison import LossComparison
from retention_models.fitting.estimate import rows_of
from retention_models.fitting.model_tests import LikelihoodRatio, lies_within, likelihood_ratio
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import read_table

HISTORY = ("frequency", "recency", "T")
APART = "BGBB"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Presentation):
    """Models side by side.

    Attributes
    ----------
    name
        The model to use.
    sentence
        Why.
    frame
        One row a model, as ``compare`` describes.
    tests
        The likelihood-ratio test of each pair of which one lies within the other, by their names (simpler, richer).
    notes
        Sentences on what is left out, and why.
    """

    name: str
    sentence: str
    frame: pd.DataFrame
    tests: Mapping[tuple[str, str], LikelihoodRatio]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.sentence

    def _parts(self) -> Sequence[Part]:
        return [self._written(), self.sentence, *map(str, self.tests.values()), *self.notes]

    def _written(self) -> pd.DataFrame:
        """The frame as text, one column a model."""
        return self.frame.map(three_digits).assign(parameters=self.frame["parameters"].astype(str)).T


def compare(
    fits: Mapping[str, Fit], customers: Any, *, replicates: int = 99, rng: int | np.random.Generator | None = 1
) -> Comparison:
    """Models of the same customers side by side, and which to use.

    Parameters
    ----------
    fits
        Fits of purchase models by name, the one preferred on other grounds first: for the status of a customer, a model
        that lets customers leave before a second purchase.
    customers
        The summary that they were fitted to. With a holdout (``summarize(..., calibration_end=...)``) that judges.
    replicates, rng
        Of the tests of pairs without a known law, as in ``likelihood_ratio``.

    Returns
    -------
    Comparison
        Its ``frame`` has a row for each model: number of free ``parameters``, ``log_likelihood``, ``aic`` and ``bic``;
        with a holdout also, per customer, ``log_score`` (mean of -log of the probability of the count that came true)
        and ``mae`` of the expected count; ``calibration_error``, the share of customers who would have to change place
        for the histogram of ``calibration`` to be flat; and ``tracking_error``, actual over expected less one of all
        holdout purchases where nothing is known of a customer but the age. ``difference_to_best`` is
        how much worse than the best model each one is by the log score in the holdout, or else by AIC, and
        ``std_error`` that of this difference.

    Raises
    ------
    ValueError
        When there are fewer than two fits, or they are not all of these customers, measured in one time unit.

    Notes
    -----
    A model is told from the best when it is worse by more than two standard errors (of the sum of the differences over
    customers; Vuong 1989, Econometrica 57, 307-333) and by more than a trifle; where one lies within the other and
    there is no holdout, by the likelihood-ratio test. Of the models that cannot be told from the best, the first one
    given is used.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    >>> comparison = rm.compare(fits, customers)
    >>> comparison.frame[["log_likelihood", "log_score", "difference_to_best", "std_error"]].round(4)
                log_likelihood  log_score  difference_to_best  std_error
    model
    Pareto/NBD      -9594.9762     0.9872              0.0027     0.0046
    BG/NBD          -9582.4292     0.9845              0.0000     0.0000
    >>> print(comparison)
    No clear winner: Pareto/NBD is used, whose log score in the holdout is 0.0027 worse than that of BG/NBD (standard
    error 0.0046), no more than chance could make. BG/NBD fits the calibration data best, by 25.1 in AIC (standard
    error 20.7).
    """
    shown = {name: fit for name, fit in fits.items() if type(fit.model).__name__ != APART}
    notes = tuple(_apart(name) for name in fits if name not in shown)
    _require_same_data(shown, customers, notes)
    tests = {
        (a, b): likelihood_ratio(shown[a], shown[b], customers, replicates=replicates, rng=rng, names=(a, b))
        for a, b in permutations(shown, 2)
        if lies_within(shown[a], shown[b])
    }
    frame = pd.DataFrame({name: _measures(fit) for name, fit in shown.items()}).T.rename_axis("model")
    losses = in_sample = _by_aic(shown, customers)
    if all(name in customers.columns for name in HOLDOUT):
        holdouts = Holdout.from_fits(shown, customers)
        losses = _by_log_score(holdouts)
        frame["log_score"] = pd.Series({name: losses.loss(name) for name in shown})
        frame = frame.join(pd.DataFrame({name: _came_true(holdout) for name, holdout in holdouts.items()}).T)
        name, why = losses.choose({})
        why = f"{why} {_fit_best(shown, in_sample)}"
    else:
        name, why = losses.choose({pair: test.p_value for pair, test in tests.items()})
        why, notes = f"{why} {_by_bic(shown)}", (*notes, NO_HOLDOUT)
    difference_to_best = pd.DataFrame(
        {name: losses.difference_to_best(name) for name in shown}, index=["difference_to_best", "std_error"]
    ).T
    return Comparison(name, why, frame.join(difference_to_best).astype({"parameters": int}), tests, notes)


def _measures(fit: Fit) -> dict[str, float]:
    """How a model fits what it was fitted to."""
    return {"parameters": fit.n_parameters, "log_likelihood": fit.log_likelihood, "aic": fit.aic, "bic": fit.bic}


def _came_true(holdout: Holdout) -> dict[str, float]:
    """How the forecasts of a model came true, beside their log score."""
    share = holdout.histogram()["share"]
    return {
        "mae": holdout.mean(np.abs(holdout.expected() - holdout.actual)),
        "calibration_error": float((share - 1 / len(share)).abs().sum() / 2),
        "tracking_error": _tracking_error(holdout),
    }


NO_HOLDOUT = (
    "The table has no holdout, so nothing is said of how the forecasts came true; "
    "summarize(..., calibration_end=...) makes one."
)


def _apart(name: str) -> str:
    return (
        f"{name} (BG/BB) stands apart: its likelihood is the chance of taking opportunities, that of the others the "
        "density of purchases in time. It is not compared."
    )


def _require_same_data(fits: Mapping[str, Fit], customers: Any, notes: tuple[str, ...]) -> None:
    """An error unless two fits or more are of the same purchase histories, in the same unit, and these are they."""
    if len(fits) < 2:
        raise ValueError(" ".join([f"a comparison needs at least two fits; got {len(fits)}.", *notes]))
    strange = [name for name, fit in fits.items() if tuple(fit.model.columns) != HISTORY]
    if strange:
        raise ValueError(f"{', '.join(strange)}: compare takes purchase models, of {', '.join(HISTORY)}")
    units = {name: fit.data.get("time_unit") for name, fit in fits.items()}
    if len(set(units.values())) > 1:
        measured = ", ".join(f"{name} in {unit}" for name, unit in units.items())
        raise ValueError(f"likelihoods compare in one time unit only, and time was measured: {measured}")
    for fit in fits.values():
        rows_of(fit, customers)


def _by_log_score(holdouts: Mapping[str, Holdout]) -> LossComparison:
    losses = {name: -holdout.log_probability() for name, holdout in holdouts.items()}
    return LossComparison("log score in the holdout", losses, next(iter(holdouts.values())).weight)


def _by_aic(fits: Mapping[str, Fit], customers: Any) -> LossComparison:
    averaged = {name: averaged_columns(type(fit.model)) for name, fit in fits.items()}
    extra = tuple(dict.fromkeys(column for columns in averaged.values() for column in columns))
    design_columns = {name: fit.covariate_terms.design_columns(customers) for name, fit in fits.items()}
    table = read_table(customers, (*HISTORY, *extra)).beside(
        [z for columns in design_columns.values() for z in columns]
    )
    arrays, n = dict(zip((*HISTORY, *extra), table.columns, strict=False)), table.n_customers
    losses, first = {}, len(arrays)
    for name, fit in fits.items():
        last = first + fit.covariate_terms.n
        model, history = fit.customer_models((*(arrays[column] for column in HISTORY), *table.columns[first:last]))
        log_likelihood = model.log_likelihood(*history, *(arrays[column] for column in averaged[name]))
        losses[name] = 2 * fit.n_parameters / n - 2 * log_likelihood
        first = last
    return LossComparison("AIC", losses, table.weight, scale=n)


def _fit_best(fits: Mapping[str, Fit], in_sample: LossComparison) -> str:
    """Which of the fits is best to the data that all were fitted to."""
    best, second = sorted(fits, key=lambda name: fits[name].aic)[:2]
    gap, error = in_sample.difference_to_best(second)
    if gap < 0.01:
        return f"{best} and {second} fit the calibration data alike."
    by, unsure = format_together(gap, error)
    return f"{best} fits the calibration data best, by {by} in AIC (standard error {unsure})."


def _by_bic(fits: Mapping[str, Fit]) -> str:
    best, second = sorted(fits, key=lambda name: fits[name].bic)[:2]
    return f"By BIC {best} is best, by {three_digits(fits[second].bic - fits[best].bic)}."


def _tracking_error(holdout: Holdout) -> float:
    """Holdout purchases over those expected of customers of whom only the age is known, less one."""
    age = holdout.columns[HISTORY.index("T")]
    (age, horizon, *covariates), row = distinct_rows((age, holdout.horizon, *holdout.columns[len(HISTORY) :]))
    model, _ = holdout.fit.customer_models((*(age for _ in HISTORY), *covariates))
    expected = model.expected_purchases_new(age + horizon) - model.expected_purchases_new(age)
    return float(holdout.weight @ holdout.actual / (holdout.weight @ expected[row]) - 1)
