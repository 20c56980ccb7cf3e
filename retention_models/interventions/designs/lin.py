"""Lin's adjustment: a separate regression on covariates in every arm, with HC2 standard errors.

Lin (2013), "Agnostic notes on regression adjustments to experimental data", Annals of Applied Statistics 7, 295-318. A
regression on treatment, centred covariates and their products equals one regression in each arm, evaluated at the
covariates' overall means. The slopes come from the arms' sums. The HC2 variance needs the residual and leverage of each
customer, which one further expression adds up where the rows are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.interventions.arms.cells import Cell, overall_mean, pseudo_inverse, slopes
from retention_models.interventions.arms.contrasts import Reading, contrast
from retention_models.interventions.arms.costs import Pricing, position, with_value
from retention_models.interventions.arms.customer_rows import Rows
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome, add_check, covariate_positions, effect_row
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.tables.frames import collect


def lin_effects(
    test: Experiment,
    outcome: Outcome,
    weights: Mapping[str, Mapping[str, float]],
    money: Pricing | None = None,
    *,
    level: float = 0.95,
) -> list[Effect]:
    """The differences of pairs of arms, adjusted for ``outcome.adjust_for`` by Lin's regression; one effect each.

    ``weights`` are those of the arms, by the name of the comparison. With ``money`` the value comes from the same
    regression of the net value of each customer.

    Raises
    ------
    ValueError
        When the experiment does not come from rows, or clusters were assigned; when the outcome is a ratio, or there is
        no covariate; when an arm has too few customers for its regression.
    """
    rows = _require_rows(test, outcome)
    x = list(covariate_positions(test, outcome))
    measured = np.eye(len(test.columns))[position(test.columns, outcome.column)]
    readings, leverage = _readings(test, rows, dict.fromkeys(test.arms, (measured, 0.0)), x)
    found = []
    for name, w in weights.items():
        row = effect_row(test, outcome, name, w, contrast(readings, w), level=level, adjustment="Lin's regression, HC2")
        found.append(add_check(row, _leverage_check({arm: leverage[arm] for arm in w})))
    if money is None:
        return found
    money.check_arms(test.arms)
    arm_costs = {arm: money.cost(arm, test.columns)(np.zeros(len(test.columns))) for arm in test.arms}
    arm_values = {arm: (money.worth * measured - price, -fixed) for arm, (fixed, price) in arm_costs.items()}
    net, _ = _readings(test, rows, arm_values, x)
    values = [contrast(net, w) for w in weights.values()]
    return [_add_value(row, money, value, w) for row, value, w in zip(found, values, weights.values(), strict=True)]


def _add_value(row: Effect, money: Pricing, value: StudentT, weights: Mapping[str, float]) -> Effect:
    """The effect with its value; its cost is the worth of the effect minus the value."""
    cost = money.worth * row.estimate - value.estimate
    return with_value(row, money, weights, cost=cost, law=value)


def _readings(
    test: Experiment, rows: Rows, arm_values: Mapping[str, tuple[Array, float]], x: list[int]
) -> tuple[dict[str, Reading], dict[str, float]]:
    """Each arm's regression of a combination of the columns, (k,), plus a constant; and its highest leverage."""
    centre = overall_mean(test.cells)[x]
    readings, leverage = {}, {}
    for arm, (combined, constant) in arm_values.items():
        means = test.arm_means(arm)
        fits = [_regression(rows, cell, combined, x, centre) for cell in means.cells]
        value, variances, df, highest = (np.array(numbers) for numbers in zip(*fits, strict=True))
        readings[arm] = Reading(float(means.shares @ value) + constant, np.square(means.shares) * variances, df)
        leverage[arm] = float(highest.max())
    return readings, leverage


def _leverage_check(highest: Mapping[str, float]) -> Check | None:
    """A failed check if one customer alone determines a slope, whose error no residual shows."""
    alone = [arm for arm, leverage in highest.items() if leverage > 1 - 1e-9]
    if not alone:
        return None
    return Check(
        "Leverage",
        False,
        detail=f"In {', '.join(alone)} one customer alone determines a slope, because the covariate is the same for "
        "all others. The error of this slope is not known and is left out.",
        remedy="Adjust for fewer covariates, or by CUPED.",
    )


def _require_rows(test: Experiment, outcome: Outcome) -> Rows:
    if test.rows is None or test.rows.clustered:
        raise ValueError("Lin's adjustment needs the rows of single customers; adjust sums or clusters by CUPED")
    if outcome.per is not None or not outcome.adjust_for:
        raise ValueError("Lin's adjustment is for means: name covariates in adjust_for, and leave out per")
    return test.rows


def _regression(rows: Rows, cell: Cell, y: Array, x: list[int], centre: Array) -> tuple[float, float, float, float]:
    """Intercept of one cell's regression at ``centre``, its HC2 variance, degrees of freedom and highest leverage.

    ``y`` combines the columns, shape (k,).

    Let u = x - mean(x) be the deviations from the cell's means, and A the inverse of sum u u'. The leverage is h = 1/n
    + u'A u, and the weight of a customer in the intercept is w = 1/n - (mean(x) - centre)'A u. The variance is the sum
    of w^2 e^2 / (1 - h). A customer with h = 1 adds its limit, 0.
    """
    df = cell.n - len(x) - 1
    if df < 1:
        raise ValueError(f"arm {cell.arm!r} has {cell.n} customers, too few to regress on {len(x)} covariates")
    scatter = cell.covariance * (cell.n * (cell.n - 1.0))
    slope = slopes(scatter, y, x)
    inverse = pseudo_inverse(scatter[np.ix_(x, x)])
    gap = cell.mean[x] - centre
    here = rows.frame.filter((nw.col("arm") == cell.arm) & (nw.col("block") == cell.block))
    u = [nw.col(f"v{i}") - float(cell.mean[i]) for i in x]
    used = np.flatnonzero(y)
    outcome = _weighted(y[used], [nw.col(f"v{i}") - float(cell.mean[i]) for i in used])
    residual = outcome - _weighted(slope, u)
    weight = 1 / cell.n - _weighted(inverse @ gap, u)
    leverage = 1 / cell.n + sum((_weighted(row, u) * u[i] for i, row in enumerate(inverse)), start=nw.lit(0.0))
    parts = here.select((weight * weight * residual * residual).alias("square"), leverage.alias("leverage"))
    left = nw.when(nw.col("leverage") < 1 - 1e-9).then(1 - nw.col("leverage"))  # else missing, which adds nothing
    found = collect(parts.select((nw.col("square") / left).sum().alias("variance"), nw.col("leverage").max()))
    variance, highest = found.to_numpy(dtype=float)[0]
    return float(y @ cell.mean - slope @ gap), float(variance), float(df), float(highest)


def _weighted(weights: Array, columns: list[Any]) -> Any:
    """The sum of columns times weights, as an expression."""
    return sum((float(w) * column for w, column in zip(weights, columns, strict=True)), start=nw.lit(0.0))
