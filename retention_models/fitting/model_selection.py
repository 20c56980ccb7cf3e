"""The contract models that a retention table can support, and which of them to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.calendar_months import SEASON
from retention_models.fitting.estimate import fit
from retention_models.fitting.model_tests import LikelihoodRatio, likelihood_ratio, wald
from retention_models.fitting.result import Fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.floored import FlooredBetaGeometric
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments

LADDER: tuple[Any, ...] = (Geometric, ShiftedBetaGeometric, BetaDiscreteWeibull)
CANDIDATES: tuple[Any, ...] = (ShiftedBetaGeometric, BetaDiscreteWeibull, TwoSegments, FlooredBetaGeometric)
HARDLY_WORSE = 4.0  # AIC
TWO_YEARS = 24  # months
SIGNIFICANT = 0.05
SEASON_SEEN = 0.01  # below this p-value; whoever joins in other months than before can look like a season
SAME = 0.05  # of log-likelihood: a richer model that gains no more has run to the limit that is another one


@dataclass(frozen=True, eq=False, repr=False)
class ContractModels(Presentation):
    """Contract models fitted to one table: what ``select_contract_model`` returns.

    Attributes
    ----------
    fits
        The fits by name of the model, from the simplest to the richest that could be fitted.
    tests
        Tests of each model against the next richer one.
    name
        Name of the model to use.
    reason
        Why this model, and what could not be fitted.
    """

    fits: Mapping[str, Fit]
    tests: tuple[LikelihoodRatio, ...]
    name: str
    reason: str

    @property
    def chosen(self) -> Fit:
        """The fit to use."""
        return self.fits[self.name]

    def table(self, tenures: Any = (1, 2, 5, 10)) -> pd.DataFrame:
        """The models side by side.

        Parameters
        ----------
        tenures
            Numbers of renewals for which the survival is shown.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``model``: ``log_likelihood, aic``, and ``S(t)``, the share that remains after t renewals.
        """
        when = np.asarray(tenures)
        rows = {
            name: {"log_likelihood": found.log_likelihood, "aic": found.aic}
            | dict(zip((f"S({t})" for t in when), found.model.survival_function(when), strict=True))
            for name, found in self.fits.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")

    def _parts(self) -> Sequence[Part]:
        return [self.reason]


def select_contract_model(retention_table: Any) -> ContractModels:
    """The contract model that a retention table supports: the simplest one that is not rejected.

    Parameters
    ----------
    retention_table
        From ``retention_table``, or any frame with ``tenure, at_risk, lost``.

    Returns
    -------
    ContractModels
        The fits of ``Geometric``, ``ShiftedBetaGeometric`` and ``BetaDiscreteWeibull``, their tests, and the choice.

    Raises
    ------
    ValueError
        When a single retention rate cannot be estimated, because nobody left or nobody stayed.

    Notes
    -----
    Customers are assumed to differ (shifted-beta-geometric) unless the table is too short for that. A single
    retention rate is the most frequent cause of wrong customer values, and if customers are alike, the richer model
    shows it. A churn probability that changes with tenure (beta-discrete-Weibull) must be significant at 5 % in the
    likelihood-ratio test.

    Examples
    --------
    >>> import retention_models as rm
    >>> table = rm.datasets.load_published_retention().query("customers == 'high end' and tenure <= 7")
    >>> models = rm.fitting.select_contract_model(table)
    >>> print(models)
    BetaDiscreteWeibull is used. ShiftedBetaGeometric is not enough: BetaDiscreteWeibull gains 5.84 in log-likelihood
    (chi-squared 11.7 with 1 degree of freedom, p < 0.001).
    >>> models.table([7, 12]).round(3)
                          log_likelihood       aic   S(7)  S(12)
    model
    Geometric                  -1637.093  3276.186  0.466  0.270
    ShiftedBetaGeometric       -1611.158  3226.316  0.489  0.378
    BetaDiscreteWeibull        -1605.314  3216.628  0.491  0.404
    """
    simplest, *richer = LADDER
    fits: dict[str, Fit] = {simplest.__name__: fit(simplest, retention_table)}
    problem = ""
    for model in richer:
        try:
            fits[model.__name__] = fit(model, retention_table)
        except (ValueError, ConvergenceError) as error:
            problem = f" {model.__name__} cannot be fitted: {error}."
            break
    tests = tuple(likelihood_ratio(fits[a], fits[b]) for a, b in pairwise(fits))
    name, why = _choose_model(fits, tests)
    return ContractModels(fits, tests, name, f"{name} is used{why}{problem}")


def _choose_model(fits: Mapping[str, Fit], tests: tuple[LikelihoodRatio, ...]) -> tuple[str, str]:
    """The model to use, and the rest of the sentence that says so."""
    names = list(fits)
    if len(names) < 3:
        return names[-1], "."
    return names[2] if tests[-1].p_value < SIGNIFICANT else names[1], f". {tests[-1].detail}"


def contract_alternatives(retention_table: Any, *, calendar_covariates: str | None = None) -> dict[str, Fit]:
    """The contract models that the data hardly tell from the best, by name, the best first.

    Parameters
    ----------
    retention_table
        From ``retention_table``, or any frame with ``tenure, at_risk, lost``; with calendar covariates from
        ``with_events``.
    calendar_covariates
        As in ``fit``; by default none.

    Returns
    -------
    dict
        The fits within 4 AIC of the best, among the shifted-beta-geometric, the beta-discrete-Weibull, two segments and
        the floored beta-geometric. A model that cannot be fitted is left out, as is one whose additional parameter ran
        to a limit at which it is one of the others.

    Raises
    ------
    ValueError
        When none of the models can be fitted.

    Notes
    -----
    Models within 4 AIC have considerably less support than the best at most (Burnham & Anderson 2002, Model Selection
    and Multimodel Inference, section 2.6). They agree on what was seen, and can differ much beyond it: report the range
    of their values.

    Examples
    --------
    >>> import retention_models as rm
    >>> table = rm.datasets.load_published_retention().query("customers == 'regular' and tenure <= 7")
    >>> found = rm.fitting.contract_alternatives(table)
    >>> {name: round(float(fit.model.survival_function(12)), 3) for name, fit in found.items()}
    {'ShiftedBetaGeometric': 0.17, 'BetaDiscreteWeibull': 0.177, 'TwoSegments': 0.155}
    """
    fits: dict[str, Fit] = {}
    problems = []
    for model in CANDIDATES:
        try:
            found = fit(model, retention_table, calendar_covariates=calendar_covariates)
        except (ValueError, ConvergenceError) as error:
            problems.append(f"{model.__name__}: {error}")
            continue
        if not any(_is_other(found, other) for other in fits.values()):
            fits[model.__name__] = found
    if not fits:
        raise ValueError(f"no contract model can be fitted: {'; '.join(problems)}")
    best = min(found.aic for found in fits.values())
    near = {name: found for name, found in fits.items() if found.aic <= best + HARDLY_WORSE}
    return dict(sorted(near.items(), key=lambda item: item[1].aic))


def choose_calendar(model_class: Any, retention_table: pd.DataFrame) -> str | None:
    """The calendar covariates that a retention table supports: its events, and the season if it is significant.

    Parameters
    ----------
    model_class
        A class of contract models.
    retention_table
        The table of ``logs.with_events``.

    Returns
    -------
    str or None
        A formula for ``calendar_covariates``; None where there are no events and no season, and where the table has no
        calendar.

    Notes
    -----
    Events are named beforehand, so all of them stay. A season needs two years of months, and is used if Wald's test of
    the months of the year gives p < 0.01. Tenure, cohort and calendar month depend on each other linearly, so the
    effects of single months can never be free.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=5_000)
    >>> spells = rm.read_contracts(business.contracts, sampling="acquisition", observation_end="2024-12-28")
    >>> table = rm.logs.with_events(rm.retention_table(spells, period="M"), {"price_rise": ["2022-09", "2022-10"]})
    >>> rm.fitting.choose_calendar(rm.ShiftedBetaGeometric, table)
    'month + `price_rise`'
    """
    if "calendar" not in retention_table.columns:
        return None
    events = [f"`{name}`" for name in retention_table.attrs.get("events", [])]
    months = retention_table.loc[retention_table["at_risk"] > 0, "calendar"]
    if SEASON in retention_table.columns and months.nunique() >= TWO_YEARS:
        formula = " + ".join([SEASON, *events])
        try:
            tests = wald(fit(model_class, retention_table, calendar_covariates=formula))
            p_value = float(tests["p_value"][f"calendar[{SEASON}]"])
        except (ValueError, ConvergenceError):
            p_value = 1.0
        if p_value < SEASON_SEEN:
            return formula
    return " + ".join(events) or None


def _is_other(found: Fit, other: Fit) -> bool:
    """Whether a fit ran to a limit at which it is another, simpler model."""
    at_limit = len(found.covariance) < len(found.params)
    return at_limit and found.log_likelihood - other.log_likelihood < SAME
