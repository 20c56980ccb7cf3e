"""Which of several models to use: the holdout judges, and a preference decides where it cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from retention_models.evaluation.holdout import Array, Holdout
from retention_models.fitted import Fit

IMMATERIAL = 1e-4  # a difference of mean log scores that no decision would notice


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to use, by name, and the sentence that says why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return self.reason

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.reason)}</p>"


def choose(fits: Mapping[str, Fit], customers: Any) -> Choice:
    """The first of several models that the holdout cannot tell from the best, and why, in a sentence.

    Parameters
    ----------
    fits
        Fits by name, the one preferred on other grounds first: for the status of a customer, a model that lets
        customers leave before a second purchase.
    customers
        The summary that they were fitted to, with its holdout.

    Notes
    -----
    The judge is the log score, which looks at the whole forecast distribution. A model is told from the best when its
    score is worse by more than two standard errors (of the mean difference over customers), and by more than a trifle.
    How the models fit the calibration data is told and does not decide.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import choose
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> choose({"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}, customers).name
    'Pareto/NBD'
    """
    if len(fits) < 2:
        raise ValueError(f"a choice needs at least two fits; got {len(fits)}")
    holdout = Holdout.each(fits, customers)
    losses = {name: -rows.log_probability() for name, rows in holdout.items()}
    best, second = sorted(fits, key=lambda name: holdout[name].mean(losses[name]))[:2]
    gaps = {name: _mean_and_error(holdout[best], loss - losses[best]) for name, loss in losses.items()}
    chosen = next(name for name, (gap, std_error) in gaps.items() if gap <= max(2 * std_error, IMMATERIAL))
    comparison = _better(gaps[second], second) if chosen == best else _worse(gaps[chosen], best)
    return Choice(chosen, f"{chosen} is used: its log score in the holdout is {comparison}. {_by_aic(fits)}")


def _mean_and_error(holdout: Holdout, difference: Array) -> tuple[float, float]:
    """Mean of a difference over customers, and the standard error of that mean."""
    mean = holdout.mean(difference)
    return mean, math.sqrt(holdout.mean((difference - mean) ** 2) / holdout.weight.sum())


def _better(gap: tuple[float, float], other: str) -> str:
    if gap[0] < IMMATERIAL:
        return f"as good as that of {other}"
    chance = "more than" if gap[0] > 2 * gap[1] else "no more than"
    return (
        f"{gap[0]:.2g} better than that of {other} (standard error {gap[1]:.1g}), which is {chance} chance could make"
    )


def _worse(gap: tuple[float, float], best: str) -> str:
    if gap[0] < IMMATERIAL:
        return f"as good as that of {best}"
    return (
        f"{gap[0]:.2g} worse than that of {best} (standard error {gap[1]:.1g}), which is no more than chance could make"
    )


def _by_aic(fits: Mapping[str, Fit]) -> str:
    (least, best), (next_least, other) = sorted((fit.aic, name) for name, fit in fits.items())[:2]
    if next_least - least < 0.01:
        return f"{best} and {other} fit the calibration data alike."
    return f"{best} fits the calibration data best, by {next_least - least:.3g} in AIC."
