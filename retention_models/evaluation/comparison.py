"""Comparison of several models of the same customers, and the model to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_whole
from retention_models.core.arrays import RNGLike
from retention_models.core.formatting import Part, Presentation, format_together, three_digits
from retention_models.estimation.model import averaged_columns
from retention_models.evaluation.holdout_data import HOLDOUT, Holdout, named_fits, own_rows, shared_blocks
from retention_models.evaluation.loss_comparison import LossComparison
from retention_models.fitting.estimate import fitted_table, require_fitted_to
from retention_models.fitting.model_tests import LikelihoodRatio, lies_within, likelihood_ratio
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import Fits, Uncertainty
from retention_models.forecast.retention_rates import predict_retention
from retention_models.tables.customer_table import Customers, open_customers, read_table

HISTORY = ("frequency", "recency", "T")
CONTRACTS = ("tenure", "at_risk", "lost")
NOT_COMPARED = "BGBB"
NO_HOLDOUT = (
    "The table has no holdout, so nothing is said of how the forecasts came true; "
    "summarize(..., calibration_end=...) makes one."
)

NO_BACKTEST = (
    "A comparison of contract models says how they fit the data, and nothing of how the forecasts came true; "
    "evaluation.backtest_retention does."
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


def compare(fits: Fits, customers: Any, *, replicates: int = 99, rng: RNGLike = 1) -> Comparison:
    """A comparison of several models of the same customers, and the model to use.

    Parameters
    ----------
    fits
        Fitted models by name, or a list of fits, which have the names of their model classes: all of purchases, or all
        of contracts. Among equally good models the first one is used, so name the preferred model first.
    customers
        The frame of ``summarize``, or of ``retention_table``, to which the models were fitted. With a holdout period
        (``summarize(..., calibration_end=...)``), the holdout decides.
    replicates
        Number of bootstrap samples for tests of pairs without a known reference distribution, as in
        ``likelihood_ratio``. By default 99; 0 for none.
    rng
        Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes; by default 1.

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
        When there are fewer than two models, they are of several kinds, or they were not fitted to these customers in
        one time unit.

    Notes
    -----
    A model is worse than the best if the difference exceeds two standard errors (Vuong 1989, Econometrica 57, 307-333)
    and is not negligible. For nested models without a holdout period, the likelihood-ratio test decides. Of all models
    that are not worse, the first one is used.

    Contract models are compared by their renewal decisions, without a holdout: ``evaluation.backtest_retention`` says
    how forecasts came true. A fit of ``fit_pooled`` has its effective number of parameters (conditional AIC, Vaida &
    Blanchard 2005, Biometrika 92, 351-370).

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
    require_whole("replicates", replicates, 0)
    sources = named_fits(fits)
    shown = {name: source for name, source in sources.items() if type(source.model).__name__ != NOT_COMPARED}
    notes = tuple(_not_compared(name) for name in sources if name not in shown)
    table = open_customers(customers)
    of_contracts = _require_same_data(shown, table, notes)
    tests = {
        (a, b): likelihood_ratio(shown[a].fit, shown[b].fit, table, replicates=replicates, rng=rng, names=(a, b))
        for a, b in permutations(shown, 2)
        if lies_within(shown[a].fit, shown[b].fit)
    }
    frame = pd.DataFrame({name: _measures(source.fit) for name, source in shown.items()}).T.rename_axis("model")
    losses = in_sample = _retention_losses(shown, table) if of_contracts else _aic_losses(shown, table)
    if not of_contracts and all(name in table.columns for name in HOLDOUT):
        holdouts = Holdout.from_fits(shown, table)
        losses = _log_score_losses(holdouts)
        frame["log_score"] = pd.Series({name: losses.loss(name) for name in shown})
        frame = frame.join(pd.DataFrame({name: _holdout_measures(holdout) for name, holdout in holdouts.items()}).T)
        name, why = losses.choose({})
        why = f"{why} {_best_fit_text(shown, in_sample)}"
    else:
        name, why = losses.choose({pair: test.p_value for pair, test in tests.items()})
        why, notes = f"{why} {_bic_text(shown)}", (*notes, NO_BACKTEST if of_contracts else NO_HOLDOUT)
    difference_to_best = pd.DataFrame(
        {name: losses.difference_to_best(name) for name in shown}, index=["difference_to_best", "std_error"]
    ).T
    frame = frame.join(difference_to_best)
    is_whole = np.all(frame["parameters"] == np.floor(frame["parameters"]))
    return Comparison(name, why, frame.astype({"parameters": int}) if is_whole else frame, tests, notes)


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


def _require_same_data(fits: Mapping[str, Uncertainty], customers: Customers, notes: tuple[str, ...]) -> bool:
    """Whether the fits are of contracts; an error unless several are of the same data and unit, and these are they."""
    if len(fits) < 2:
        raise ValueError(" ".join([f"a comparison needs at least two fits; got {len(fits)}.", *notes]))
    kinds = {name: tuple(source.model.columns) for name, source in fits.items()}
    strange = [name for name, columns in kinds.items() if columns not in (HISTORY, CONTRACTS)]
    if strange or len(set(kinds.values())) > 1:
        named = ", ".join(strange or list(kinds))
        raise ValueError(
            f"{named}: compare takes purchase models, of {', '.join(HISTORY)}, or contract models, of "
            f"{', '.join(CONTRACTS)}, and not both"
        )
    units = {name: source.data.get("time_unit") for name, source in fits.items()}
    if len(set(units.values())) > 1:
        measured = ", ".join(f"{name} in {unit}" for name, unit in units.items())
        raise ValueError(f"likelihoods compare in one time unit only, and time was measured: {measured}")
    of_contracts = CONTRACTS in kinds.values()
    customers.numbers([*next(iter(kinds.values())), *(name for name in HOLDOUT if name in customers.columns)])
    for source in fits.values():
        if of_contracts:
            require_fitted_to(source.fit, read_table(customers, CONTRACTS).by_tenure())
        else:
            fitted_table(source.fit, customers)
    return of_contracts


def _log_score_losses(holdouts: Mapping[str, Holdout]) -> LossComparison:
    losses = {name: -holdout.log_probability() for name, holdout in holdouts.items()}
    return LossComparison("log score in the holdout", losses, next(iter(holdouts.values())).weight)


def _aic_losses(fits: Mapping[str, Uncertainty], customers: Customers) -> LossComparison:
    averaged = {name: averaged_columns(type(source.model)) for name, source in fits.items()}
    names = (*HISTORY, *dict.fromkeys(column for columns in averaged.values() for column in columns))
    table = read_table(customers, names).with_covariates(shared_blocks(fits, customers))
    columns, n = dict(zip(names, table.columns, strict=True)), table.n_customers
    losses = {}
    for name, source in fits.items():
        rows = own_rows(name, source, table, columns)
        extra = (columns[column] for column in averaged[name])
        log_likelihood = source.row_model(rows).log_likelihood(*rows.columns, *extra)
        losses[name] = 2 * source.fit.n_parameters / n - 2 * log_likelihood
    return LossComparison("AIC", losses, table.weight, scale=n)


def _retention_losses(fits: Mapping[str, Uncertainty], retention_table: Customers) -> LossComparison:
    """The losses of contract models by renewal decision: of those who renewed, and of those who left."""
    table = read_table(retention_table, CONTRACTS)
    _, at_risk, lost = (column[table.row] * table.line_weight for column in table.columns)
    decisions, losses = np.concatenate([at_risk - lost, lost]), {}
    for name, source in fits.items():
        rate = predict_retention(source, retention_table, level=None)["retention_rate"].to_numpy()
        probability = np.maximum(np.concatenate([rate, 1 - rate]), np.finfo(float).tiny)
        losses[name] = 2 * source.fit.n_parameters / decisions.sum() - 2 * np.log(probability)
    return LossComparison("AIC", losses, decisions, scale=float(decisions.sum()))


def _best_fit_text(fits: Mapping[str, Uncertainty], in_sample: LossComparison) -> str:
    """Which of the fits is best to the data that all were fitted to."""
    best, second = sorted(fits, key=lambda name: fits[name].fit.aic)[:2]
    gap, error = in_sample.difference_to_best(second)
    if gap < 0.01:
        return f"{best} and {second} fit the calibration data alike."
    by, unsure = format_together(gap, error)
    return f"{best} fits the calibration data best, by {by} in AIC (standard error {unsure})."


def _bic_text(fits: Mapping[str, Uncertainty]) -> str:
    best, second = sorted(fits, key=lambda name: fits[name].fit.bic)[:2]
    return f"By BIC {best} is best, by {three_digits(fits[second].fit.bic - fits[best].fit.bic)}."


def _tracking_error(holdout: Holdout) -> float:
    """Holdout purchases over those expected of customers of whom only the age is known, less one."""
    rows = holdout.rows
    age = rows.columns[HISTORY.index("T")]
    expected = holdout.source.values(
        lambda model, age, until: model.expected_purchases_new(until) - model.expected_purchases_new(age),
        replace(rows, columns=(age, age + holdout.horizon)),
    )
    return float(holdout.weight @ holdout.actual / (holdout.weight @ expected) - 1)
