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


HARDLY_WORSE = 4.0  # AIC (Burnham & Anderson 2002, Model Selection and Multimodel Inference, section 2.6)


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

    @property
    def alternatives(self) -> list[str]:
        """The models that the data can hardly tell from the best: within 4 AIC of it, itself included."""
        return self.frame.index[self.frame["aic"] <= self.frame["aic"].min() + HARDLY_WORSE].to_list()

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
        of contracts. Among equally good models of contracts the first one is used, so name the preferred model first.
    customers
        The frame of ``summarize``, or of ``retention_table``, to which the models were fitted. With a holdout period
        (``summarize(..., calibration_end=...)``), the comparison also says how the forecasts came true.
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
        - ``expected``: expected purchases of all customers in the holdout period

        ``difference_to_best`` is the distance to the best model by AIC, and ``std_error`` its standard error. Purchase
        models that ran to the same limit are one row, and a note says so.

    Raises
    ------
    ValueError
        When there are fewer than two models, they are of several kinds, or they were not fitted to these customers in
        one time unit.

    Notes
    -----
    Of purchase models, the one with the smallest AIC is used. The log score in the holdout stands beside. The holdout
    contradicts if another model is better by more than two standard errors (Vuong 1989, Econometrica 57, 307-333).

    Contract models are compared by their renewal decisions, without a holdout: ``evaluation.backtest_retention`` says
    how forecasts came true. A contract model is worse than the best if the likelihood-ratio test of nested models says
    so, and otherwise if the difference exceeds two standard errors. Of all that are not worse, the first one is used.
    A fit of ``fit_pooled`` has its effective number of parameters (conditional AIC, Vaida & Blanchard 2005, Biometrika
    92, 351-370).

    BG/BB is not compared, because its likelihood is that of opportunities.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    >>> comparison = rm.compare(fits, customers)
    >>> comparison.frame[["log_likelihood", "log_score", "expected", "difference_to_best", "std_error"]].round(4)
                log_likelihood  log_score   expected  difference_to_best  std_error
    model
    Pareto/NBD      -9594.9762     0.9872  1665.5131             25.0939    20.6929
    BG/NBD          -9582.4292     0.9845  1653.4087              0.0000     0.0000
    >>> print(comparison)
    BG/NBD is used: its AIC is the best. Pareto/NBD is 25.1 worse (standard error 20.7). The log score per
    customer of BG/NBD in the holdout is the best, too. Purchases expected in the holdout: Pareto/NBD 1,666, BG/NBD
    1,653; 1,882 came. Per customer without a repeat purchase: Pareto/NBD 0.138, BG/NBD 0.225; 0.237 came.
    """
    require_whole("replicates", replicates, 0)
    sources = named_fits(fits)
    shown = {name: source for name, source in sources.items() if type(source.model).__name__ != NOT_COMPARED}
    notes = tuple(_not_compared(name) for name in sources if name not in shown)
    table = open_customers(customers)
    of_contracts = _require_same_data(shown, table, notes)
    losses = _retention_losses(shown, table) if of_contracts else _aic_losses(shown, table)
    if not of_contracts:
        losses, same = losses.without_repeats()
        shown = {name: shown[name] for name in losses.losses}
        notes = (*notes, *(f"{name} ran to the same limit as {other} and is one row with it." for name, other in same))
    tests = {
        (a, b): likelihood_ratio(shown[a].fit, shown[b].fit, table, replicates=replicates, rng=rng, names=(a, b))
        for a, b in permutations(shown, 2)
        if lies_within(shown[a].fit, shown[b].fit)
    }
    frame = pd.DataFrame({name: _measures(source.fit) for name, source in shown.items()}).T.rename_axis("model")
    if of_contracts:
        name, why = losses.choose({pair: test.p_value for pair, test in tests.items()})
        why, notes = f"{why} {_bic_text(shown)}", (*notes, NO_BACKTEST)
    else:
        name, why = losses.choose_best()
        if all(column in table.columns for column in HOLDOUT):
            holdouts = Holdout.from_fits(shown, table)
            scores = _log_score_losses(holdouts)
            frame["log_score"] = pd.Series({each: scores.loss(each) for each in shown})
            frame = frame.join(pd.DataFrame({each: _holdout_measures(holdouts[each]) for each in shown}).T)
            why = f"{why} {_holdout_text(name, scores)} {_totals_text(holdouts)}"
        else:
            why, notes = f"{why} {_bic_text(shown)}" if len(shown) > 1 else why, (*notes, NO_HOLDOUT)
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
        "expected": float(holdout.weight @ holdout.expected_purchases()),
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


def _holdout_text(chosen: str, scores: LossComparison) -> str:
    """Whether the holdout agrees with the choice, by the log score per customer."""
    best = scores.ranking()[0]
    if best == chosen or len(scores.losses) == 1:
        return f"The log score per customer of {chosen} in the holdout is the best, too."
    gap, error = scores.difference_to_best(chosen)
    by, unsure = format_together(gap, error)
    better = f"the log score per customer of {best} is {by} better (standard error {unsure})"
    if scores.is_beyond_chance(chosen):
        return f"The holdout contradicts: {better}."
    return f"In the holdout, {better}, which chance can make."


def _totals_text(holdouts: Mapping[str, Holdout]) -> str:
    """What the choice of the model changes: the expected purchases in the holdout, of all and of one-time buyers."""
    first = next(iter(holdouts.values()))
    expected = {name: holdout.expected_purchases() for name, holdout in holdouts.items()}
    totals = ", ".join(f"{name} {first.weight @ values:,.0f}" for name, values in expected.items())
    sentence = f"Purchases expected in the holdout: {totals}; {first.weight @ first.actual:,.0f} came."
    once = first.weight * (first.frequency == 0)
    if not once.sum():
        return sentence
    each = ", ".join(f"{name} {three_digits(float(once @ x / once.sum()))}" for name, x in expected.items())
    came = three_digits(float(once @ first.actual / once.sum()))
    return f"{sentence} Per customer without a repeat purchase: {each}; {came} came."


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
