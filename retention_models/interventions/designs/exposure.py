"""The effect of an exposure at one date that nobody drew: received or not, redeemed or not.

Chernozhukov et al. (2018), "Double/debiased machine learning for treatment and structural parameters", Econometrics
Journal 21, C1-C68. Chances and expected outcomes of a row come from fits without its customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_level, require_number, require_texts, require_whole
from retention_models.core.arrays import RNGLike
from retention_models.core.check import Check
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.designs.adjustment import (
    Adjusted,
    Compared,
    Nuisance,
    Target,
    adjust,
    cross_fitted,
    nuisance_of,
    require_learner,
)
from retention_models.interventions.designs.covariate_numbers import in_numbers
from retention_models.interventions.designs.propensity import Design
from retention_models.interventions.designs.trial_checks import (
    check_balance,
    check_comparison_group,
    check_hidden,
    standardised_gaps,
)
from retention_models.interventions.effects.assignment import NOT_STATED, AssignedBy, require_assigned_by
from retention_models.interventions.effects.derived_laws import Linear
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.tables.engines import collect_table, measured_columns
from retention_models.tables.files import naming
from retention_models.value.terms import Terms

TRIMMED = 0.05  # share of rows
FEWEST = 10  # rows of a group
FEWEST_CLUSTERS = 20
OF_WHOM = {
    "treated": "effect on those who were treated",
    "overlap": "effect on those who could as well have been untreated (overlap)",
    "all": "effect on all",
}


def treatment_effect(
    rows: Any,
    terms: Terms | None = None,
    *,
    treatment: str,
    outcomes: Sequence[Outcome | str] | Outcome | str,
    covariates: Sequence[str],
    cluster: str | None = None,
    target: Target = "treated",
    trim: float = 0.01,
    folds: int = 5,
    learner: Any = None,
    regressor: Any = None,
    cost: float = 0.0,
    assigned_by: AssignedBy = NOT_STATED,
    level: float = 0.95,
    rng: RNGLike = 0,
) -> list[Effect]:
    """The effect of an exposure at one date, adjusted for what was known before; one effect an outcome.

    Parameters
    ----------
    rows
        Frame or file with one row a customer.
    terms
        Margin or price, and currency, for the value of the first outcome. By default the effects have no value.
    treatment
        Column that is 1 for those who were treated, such as those who received a letter, and 0 for others.
    outcomes
        Outcomes, or columns of them, measured after the exposure.
    covariates
        Columns of numbers or words, known before the exposure (``customer_features``).
    cluster
        Column of the household, store or team whose rows belong together. By default each row is its own.
    target
        ``"treated"``, the default: the effect on those who were treated. ``"overlap"``: on those who could as well have
        been untreated. ``"all"``: on everybody, which needs overlap.
    trim
        Rows whose chance to be treated lies within ``trim`` of 0 or 1 are left out and counted. By default 0.01. For
        the treated only chances near 1 matter, for the overlap none.
    folds
        Number of parts for cross-fitting, 5 by default. 1: logistic and linear regression on all rows, whose errors are
        counted.
    learner, regressor
        A classifier for the chance to be treated and a regressor for outcomes, as of scikit-learn. By default logistic
        and linear regression.
    cost
        Cost of treating a customer, in money. By default 0.
    assigned_by
        Who decided who was treated: ``"random"``, ``"rule"``, ``"choice"`` or ``"unknown"``. There is no default.
    level
        Level of intervals, 0.95 by default.
    rng
        Source of the parts: a seed, 0 by default, a numpy Generator, or None for a new one.

    Returns
    -------
    list
        Observational effects with checks of overlap, balance and the comparison group.

    Raises
    ------
    TypeError
        When ``assigned_by`` is not stated.
    ValueError
        When a column is missing or has gaps, the treatment is not 0 or 1, a group has too few rows, the covariates tell
        the groups apart, or an argument is not valid.

    Notes
    -----
    Augmented inverse probability weighting (Robins, Rotnitzky & Zhao 1994), cross-fitted (Chernozhukov et al. 2018).
    Where the assignment to an offer was random, use ``complier_effect`` for those who received it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rng = np.random.default_rng(1)
    >>> before = rng.poisson(3.0, 4_000)
    >>> letter = rng.random(4_000) < 0.1 + 0.05 * before  # good customers got it
    >>> spend = 10 * before + 5 * letter + rng.normal(0, 10, 4_000)
    >>> rows = pd.DataFrame({"before": before, "letter": letter.astype(int), "spend": spend})
    >>> shared = {"treatment": "letter", "outcomes": "spend", "covariates": ["before"], "assigned_by": "rule"}
    >>> (effect,) = rm.treatment_effect(rows, **shared)
    >>> round(effect.estimate, 1), round(effect.lower, 1), round(effect.upper, 1), effect.design
    (4.9, 4.1, 5.6, 'observational')
    """
    require_assigned_by(assigned_by)
    require_level(level)
    check_choice("target", target, tuple(OF_WHOM))
    require_number("trim", trim, 0, 0.5)
    require_number("cost", cost, 0)
    require_whole("folds", folds, 1)
    require_texts("covariates", covariates, "['orders_52', 'recency']")
    if folds == 1 and (learner is not None or regressor is not None):
        raise ValueError("a learner needs folds of 2 or more: it must not predict the rows it has learnt from")
    require_learner(learner, "predict_proba")
    require_learner(regressor, "predict")
    given = [outcomes] if isinstance(outcomes, Outcome | str) else list(outcomes)
    measured = [each if isinstance(each, Outcome) else Outcome(column=each) for each in given]
    if not measured or not list(covariates):
        raise ValueError("outcomes and covariates need a column each; without a covariate use differences")
    if any(each.per for each in measured):
        raise ValueError("a ratio of sums cannot be adjusted by row; give its numerator as the outcome")
    columns = [each.column for each in measured]
    table = _read(rows, treatment, columns, covariates, cluster)
    clusters = len(table) if cluster is None else table[cluster].nunique()
    if clusters < 2:
        raise ValueError(f"{cluster} is the same in all rows: it takes two clusters to know an error")
    drawn: dict[str, Any] = {"folds": min(folds, clusters), "learner": learner, "regressor": regressor}
    drawn["rng"] = int(np.random.default_rng(rng).integers(2**31))
    compared = _compared(table, treatment, columns, covariates, cluster)
    chance = _nuisance(compared, target, **drawn).chance
    kept = ((chance <= 1 - trim) | (target == "overlap")) & ((chance >= trim) | (target != "all"))
    if not kept.all():
        compared = _compared(table[kept], treatment, columns, covariates, cluster)
    found = adjust(compared, target, _nuisance(compared, target, **drawn))
    numbers = _covariates(table[kept], covariates)
    checks = _checks(compared, found, numbers, target, 1 - float(kept.mean()))
    row: dict[str, Any] = {
        "intervention": treatment,
        "scale": "difference",
        "estimand": f"{OF_WHOM[target]}, adjusted for {', '.join(covariates)}",
        "level": level,
        "population": f"{int(compared.treated.sum()):,} treated and {int((~compared.treated).sum()):,} others",
        "n": len(compared.treated),
        "assigned_by": assigned_by,
    }
    effects = []
    for place, outcome in enumerate(measured):
        law = found.law(np.eye(len(measured))[place])
        strongest = _strongest(compared, numbers, place, target, law.estimate)
        hidden = check_hidden(law, outcome.name, None, found, *strongest)
        priced = _priced(law, terms, cost) if place == 0 else {}
        named = {"outcome": outcome.name, "unit": outcome.in_words, "horizon": outcome.horizon}
        own = row | named | priced | {"time_unit": outcome.time_unit, "checks": (*checks, hidden)}
        effects.append(Effect(estimate=law.estimate, law=law, **own))
    return effects


def _priced(law: StudentT, terms: Terms | None, cost: float) -> dict[str, Any]:
    """Value and cost of a treated customer, if the outcome has a price."""
    if terms is None:
        return {}
    if terms.margin is None and terms.price is None:
        raise ValueError("terms must have a margin, for an amount, or a price, for a count")
    value = Linear(law, terms.unit_value, -cost)
    return {"value": value.estimate, "value_law": value, "cost": cost}


def _read(
    rows: Any, treatment: str, outcomes: Sequence[str], covariates: Sequence[str], cluster: str | None
) -> pd.DataFrame:
    """The columns, complete."""
    with naming(rows):
        numbers = measured_columns(rows, list(covariates))
    kinds: Any = {treatment: "measure"} | dict.fromkeys(outcomes, "measure")
    kinds |= {name: "measure" if name in numbers else "text" for name in covariates}
    named = [treatment, *outcomes, *covariates, *([] if cluster is None else [cluster])]
    twice = [name for place, name in enumerate(named) if name in named[:place]]
    if twice:
        raise ValueError(f"{twice[0]} has two roles: treatment, outcomes, covariates and cluster are different columns")
    kinds |= {} if cluster is None else {cluster: "text"}
    table = collect_table(rows, list(kinds), kinds, where="the rows", hint="One row a customer.")
    for name in kinds:
        endless = pd.api.types.is_float_dtype(table[name]) and np.isinf(table[name])
        missing = int((table[name].isna() | endless).sum())
        if missing:
            raise ValueError(
                f"{name} is missing or infinite in {missing:,} of {len(table):,} rows; fill it in, or leave them out"
            )
    bad = ~table[treatment].isin([0, 1])
    if bad.any():
        raise ValueError(
            f"{treatment} must be 1 for those who were treated and 0 for others, which fails in {int(bad.sum()):,} of "
            f"{len(table):,} rows (first: {table[treatment][bad].iloc[0]!r})"
        )
    treated = int((table[treatment] == 1).sum())
    if min(treated, len(table) - treated) < FEWEST:
        raise ValueError(
            f"{treated:,} rows are treated and {len(table) - treated:,} are not; each group needs {FEWEST} rows"
        )
    return table


def _covariates(table: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(in_numbers(table[list(covariates)]), index=table.index)


def _compared(
    table: pd.DataFrame, treatment: str, outcomes: Sequence[str], covariates: Sequence[str], cluster: str | None
) -> Compared:
    """The rows with their design."""
    weight = np.ones(len(table))
    numbers = _covariates(table, covariates)
    design = Design.of(numbers.to_numpy(dtype=float), list(numbers.columns), weight)
    group = np.arange(len(table)) if cluster is None else pd.factorize(table[cluster])[0]
    treated = table[treatment].to_numpy() == 1
    y = table[list(outcomes)].to_numpy(dtype=float)
    return Compared(treated, y, design, weight, np.asarray(group, dtype=np.int64))


def _nuisance(compared: Compared, target: Target, *, folds: int, learner: Any, regressor: Any, rng: int) -> Nuisance:
    if folds == 1:
        return nuisance_of(compared, target)
    return cross_fitted(compared, folds, np.random.default_rng(rng), learner=learner, regressor=regressor)


def _strongest(
    compared: Compared, numbers: pd.DataFrame, place: int, target: Target, whole: float
) -> tuple[str, float]:
    """The covariate whose leaving out moves the estimate most, and by how much."""
    moves = {}
    for name in numbers:
        rest = numbers.drop(columns=name)
        design = Design.of(rest.to_numpy(dtype=float), list(rest.columns), compared.weight)
        less = replace(compared, design=design, outcomes=compared.outcomes[:, [place]])
        moves[str(name)] = abs(float(adjust(less, target, nuisance_of(less, target)).estimates[0]) - whole)
    strongest = max(moves, key=lambda name: moves[name], default="")
    return strongest, moves.get(strongest, 0.0)


def _checks(
    compared: Compared, found: Adjusted, numbers: pd.DataFrame, target: Target, trimmed: float
) -> tuple[Check, ...]:
    """Whether the groups can be compared."""
    balance = standardised_gaps(numbers, compared.treated, compared.weight, found.weights)
    detail = f"{100 * trimmed:.2g} % of rows have a chance to be treated too near to 0 or 1, and are left out."
    remedy = "Few customers are alike: use target='overlap', or say that the effect is that on the rest."
    overlap = Check("Overlap", trimmed <= TRIMMED, trimmed, TRIMMED, "share of rows", detail, remedy)
    clusters = len(found.influence)
    detail = f"{clusters:,} clusters carry the errors."
    remedy = "Few clusters: errors are too small; give more clusters, or assign them at random."
    many = Check("Clusters", clusters >= FEWEST_CLUSTERS, clusters, FEWEST_CLUSTERS, "clusters", detail, remedy)
    return overlap, check_balance(balance), check_comparison_group(found, target), many
