"""Comparison of several models of the same customers, and the model to use."""

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
NOT_COMPARED = "BGBB"
NO_HOLDOUT = (
    "The table has no holdout, so nothing is said of how the forecasts came true; "
    "summarize(..., calibration_end=...) makes one."
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Presentation):
    """Several models of the same customers side by side, and the model to use.

    Attributes
    ----------
    name
        The model to use.
    sentence
        The reason for this choice.
    frame
        One row per model, as ``compare`` describes.
    tests
        The likelihood-ratio test of each pair of nested models, by their names (simpler, richer).
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
        return [self._text_frame(), self.sentence, *map(str, self.tests.values()), *self.notes]

    def _text_frame(self) -> pd.DataFrame:
        """The frame as text, one column a model."""
        return self.frame.map(three_digits).assign(parameters=self.frame["parameters"].astype(str)).T


def compare(
    fits: Mapping[str, Fit], customers: Any, *, replicates: int = 99, rng: int | np.random.Generator | None = 1
) -> Comparison:
    """A comparison of several models of the same customers, and the model to use.

    Parameters
    ----------
    fits
        Fitted purchase models by name. Among equally good models the first one is used, so name the preferred model
        first.
    customers
        The frame of ``summarize`` to which the models were fitted. With a holdout period (``summarize(...,
        calibration_end=...)``), the holdout decides.
    replicates
        Number of bootstrap samples for tests of pairs without a known reference distribution, as in
        ``likelihood_ratio``. By default 99; 0 for none.
    rng
        Source of randomness of the bootstrap, a numpy Generator. By default a fixed one.

    Returns
    -------
    Comparison
        Its ``frame`` has one row per model: number of free ``parameters``, ``log_likelihood``, ``aic`` and ``bic``.
        With a holdout period also:

        - ``log_score``: mean over customers of -log of the probability of the actual count; smaller is better
        - ``mae``: mean absolute error of the expected purchases of a customer
        - ``calibration_error``: share of customers to move for a flat histogram in ``calibration``
        - ``tracking_error``: actual over expected holdout purchases, less one, if only the ages of customers are known

        ``difference_to_best`` is the distance to the best model by the log score, or without a holdout by AIC.
        ``std_error`` is the standard error of this difference.

    Raises
    ------
    ValueError
        When there are fewer than two purchase models, or they were not fitted to these customers in one time unit.

    Notes
    -----
    A model is worse than the best if the difference exceeds two standard errors (Vuong 1989, Econometrica 57, 307-333)
    and is not negligible. For nested models without a holdout period, the likelihood-ratio test decides. Of all models
    that are not worse, the first one is used.

    BG/BB is not compared, because its likelihood is that of opportunities.

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
    shown = {name: fit for name, fit in fits.items() if type(fit.model).__name__ != NOT_COMPARED}
    notes = tuple(_not_compared(name) for name in fits if name not in shown)
    _require_same_data(shown, customers, notes)
    tests = {
        (a, b): likelihood_ratio(shown[a], shown[b], customers, replicates=replicates, rng=rng, names=(a, b))
        for a, b in permutations(shown, 2)
        if lies_within(shown[a], shown[b])
    }
    frame = pd.DataFrame({name: _measures(fit) for name, fit in shown.items()}).T.rename_axis("model")
    losses = in_sample = _aic_losses(shown, customers)
    if all(name in customers.columns for name in HOLDOUT):
        holdouts = Holdout.from_fits(shown, customers)
        losses = _log_score_losses(holdouts)
        frame["log_score"] = pd.Series({name: losses.loss(name) for name in shown})
        frame = frame.join(pd.DataFrame({name: _holdout_measures(holdout) for name, holdout in holdouts.items()}).T)
        name, why = losses.choose({})
        why = f"{why} {_best_fit_text(shown, in_sample)}"
    else:
        name, why = losses.choose({pair: test.p_value for pair, test in tests.items()})
        why, notes = f"{why} {_bic_text(shown)}", (*notes, NO_HOLDOUT)
    difference_to_best = pd.DataFrame(
        {name: losses.difference_to_best(name) for name in shown}, index=["difference_to_best", "std_error"]
    ).T
    return Comparison(name, why, frame.join(difference_to_best).astype({"parameters": int}), tests, notes)


def _measures(fit: Fit) -> dict[str, float]:
    """How a model fits what it was fitted to."""
    return {"parameters": fit.n_parameters, "log_likelihood": fit.log_likelihood, "aic": fit.aic, "bic": fit.bic}


def _holdout_measures(holdout: Holdout) -> dict[str, float]:
    """How the forecasts of a model came true, beside their log score."""
    share = holdout.histogram()["share"]
    return {
        "mae": holdout.mean(np.abs(holdout.expected_purchases() - holdout.actual)),
        "calibration_error": float((share - 1 / len(share)).abs().sum() / 2),
        "tracking_error": _tracking_error(holdout),
    }


def _not_compared(name: str) -> str:
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


def _log_score_losses(holdouts: Mapping[str, Holdout]) -> LossComparison:
    losses = {name: -holdout.log_probability() for name, holdout in holdouts.items()}
    return LossComparison("log score in the holdout", losses, next(iter(holdouts.values())).weight)


def _aic_losses(fits: Mapping[str, Fit], customers: Any) -> LossComparison:
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


def _best_fit_text(fits: Mapping[str, Fit], in_sample: LossComparison) -> str:
    """Which of the fits is best to the data that all were fitted to."""
    best, second = sorted(fits, key=lambda name: fits[name].aic)[:2]
    gap, error = in_sample.difference_to_best(second)
    if gap < 0.01:
        return f"{best} and {second} fit the calibration data alike."
    by, unsure = format_together(gap, error)
    return f"{best} fits the calibration data best, by {by} in AIC (standard error {unsure})."


def _bic_text(fits: Mapping[str, Fit]) -> str:
    best, second = sorted(fits, key=lambda name: fits[name].bic)[:2]
    return f"By BIC {best} is best, by {three_digits(fits[second].bic - fits[best].bic)}."


def _tracking_error(holdout: Holdout) -> float:
    """Holdout purchases over those expected of customers of whom only the age is known, less one."""
    age = holdout.columns[HISTORY.index("T")]
    (age, horizon, *covariates), row = distinct_rows((age, holdout.horizon, *holdout.columns[len(HISTORY) :]))
    model, _ = holdout.fit.customer_models((*(age for _ in HISTORY), *covariates))
    expected = model.expected_purchases_new(age + horizon) - model.expected_purchases_new(age)
    return float(holdout.weight @ holdout.actual / (holdout.weight @ expected[row]) - 1)
