"""Lin's adjustment: a regression on covariates of its own in every arm, with HC2 standard errors.

Lin (2013), "Agnostic notes on regression adjustments to experimental data", Annals of Applied Statistics 7, 295-318.
Regressing on treatment, centred covariates and their products is the same as one regression in each arm, read at the
covariates' overall means. The slopes come from the arms' sums; the HC2 variance needs each customer's residual and
leverage once more, which one further expression adds up where the rows live.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_models.checks import Check
from retention_models.interventions import contrasts
from retention_models.interventions.cells import Cell, inverse_of, overall_mean, slopes
from retention_models.interventions.comparisons import called, known_arm
from retention_models.interventions.contrasts import Reading, contrast
from retention_models.interventions.effect import Effect
from retention_models.interventions.experiment import Experiment
from retention_models.interventions.money import position
from retention_models.interventions.outcome import Outcome, covariates_of, effect_row, with_check
from retention_models.interventions.rows import Rows
from retention_models.logs.engines import collect

Array = NDArray[np.float64]


def lin_differences(
    test: Experiment, outcome: Outcome, *, baseline: str | None = None, level: float = 0.95
) -> list[Effect]:
    """What each arm changed against the baseline, adjusted for ``outcome.adjust_for`` by Lin's regression.

    Raises
    ------
    ValueError
        When the experiment was not made from rows, clusters were assigned, the outcome is a ratio, no covariate is
        named, or an arm has too few customers for its regression.
    """
    rows = _require_rows(test, outcome)
    y = position(test.columns, outcome.column)
    x = list(covariates_of(test, outcome))
    centre = overall_mean(test.cells)[x]
    total = test.n(*test.arms)
    readings: dict[str, Reading] = {}
    leverage: dict[str, float] = {}
    for arm in test.arms:
        mine = [cell for cell in test.cells if cell.arm == arm]
        shares = [sum(c.n for c in test.cells if c.block == cell.block) / total for cell in mine]
        fits = [_regression(rows, cell, y, x, centre) for cell in mine]
        value, variances, df, highest = (np.array(numbers) for numbers in zip(*fits, strict=True))
        readings[arm] = Reading(float(shares @ value), np.square(shares) * variances, df)
        leverage[arm] = float(highest.max())
    against = known_arm(test, baseline)
    rows_of = {arm: contrasts.difference(arm, against) for arm in test.arms if arm != against}
    return [
        with_check(
            effect_row(
                test,
                outcome,
                called(arm, against, test),
                w,
                contrast(readings, w),
                level=level,
                adjustment="Lin's regression, HC2",
            ),
            _leverage_check({name: leverage[name] for name in w}),
        )
        for arm, w in rows_of.items()
    ]


def _leverage_check(highest: Mapping[str, float]) -> Check | None:
    """Fails where one customer alone decides a slope, whose own chance error no residual shows."""
    alone = [arm for arm, leverage in highest.items() if leverage > 1 - 1e-9]
    if not alone:
        return None
    return Check(
        "leverage",
        False,
        f"In {', '.join(alone)} one customer alone decides a slope (the covariate is the same for all others): its "
        "error cannot be told and is left out; adjust for fewer, or by CUPED.",
    )


def _require_rows(test: Experiment, outcome: Outcome) -> Rows:
    if test.rows is None or test.rows.clustered:
        raise ValueError("Lin's adjustment needs the rows of single customers; adjust sums or clusters by CUPED")
    if outcome.per is not None or not outcome.adjust_for:
        raise ValueError("Lin's adjustment is for means: name covariates in adjust_for, and leave out per")
    return test.rows


def _regression(rows: Rows, cell: Cell, y: int, x: list[int], centre: Array) -> tuple[float, float, float, float]:
    """Intercept of one cell's regression at ``centre``, its HC2 variance, degrees of freedom and highest leverage.

    With deviations u = x - mean(x) from the cell's means and A = inverse of sum u u': leverage h = 1/n + u'A u, weight
    of a customer in the intercept w = 1/n - (mean(x) - centre)'A u, variance = sum of w^2 e^2 / (1 - h), where a
    customer with h = 1 adds its limit, 0.
    """
    df = cell.n - len(x) - 1
    if df < 1:
        raise ValueError(f"arm {cell.arm!r} has {cell.n} customers, too few to regress on {len(x)} covariates")
    scatter = cell.covariance * (cell.n * (cell.n - 1.0))
    slope = slopes(scatter, np.eye(len(cell.mean))[y], x)
    inverse = inverse_of(scatter[np.ix_(x, x)])
    gap = cell.mean[x] - centre
    here = rows.frame.filter((nw.col("arm") == cell.arm) & (nw.col("block") == cell.block))
    u = [nw.col(f"v{i}") - float(cell.mean[i]) for i in x]
    residual = nw.col(f"v{y}") - float(cell.mean[y]) - _weighted(slope, u)
    weight = 1 / cell.n - _weighted(inverse @ gap, u)
    leverage = 1 / cell.n + sum((_weighted(row, u) * u[i] for i, row in enumerate(inverse)), start=nw.lit(0.0))
    parts = here.select((weight * weight * residual * residual).alias("square"), leverage.alias("leverage"))
    left = nw.when(nw.col("leverage") < 1 - 1e-9).then(1 - nw.col("leverage"))  # else missing, which adds nothing
    found = collect(parts.select((nw.col("square") / left).sum().alias("variance"), nw.col("leverage").max()))
    variance, highest = found.to_numpy(dtype=float)[0]
    return float(cell.mean[y] - slope @ gap), float(variance), float(df), float(highest)


def _weighted(weights: Array, columns: list[Any]) -> Any:
    """The sum of columns times weights, as an expression."""
    return sum((float(w) * column for w, column in zip(weights, columns, strict=True)), start=nw.lit(0.0))
