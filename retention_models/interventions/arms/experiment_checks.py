"""Checks of an experiment: sample ratio, unit of assignment, balance, events, and valid input tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import p_statement
from retention_models.interventions.arms.cells import ArmMeans, Cell, arm_means
from retention_models.interventions.effects.effect import BALANCE, RATIO, UNIT
from retention_models.tables.engines import collect_table, column_names
from retention_models.tables.files import Kind
from retention_models.tables.rules import require_filled

UNEVEN = 0.05  # a p-value below this is worth a note
SUSPICIOUS = 0.001  # a p-value below this is no accident in a test that was run as planned
FEW = 5  # fewer customers than this with (or without) the outcome, and a normal interval is a guess


def require_comparison(arms: Sequence[str], control: str) -> None:
    """Raise a ValueError unless there is a control arm and another arm."""
    if not arms:
        raise ValueError(
            "there are no rows with an arm; every assigned customer needs one, including customers who did nothing"
        )
    if control not in arms:
        raise ValueError(f"the control {control!r} is not one of the arms {', '.join(arms)}")
    if len(arms) < 2:
        raise ValueError(f"there is only one arm, {arms[0]}; a comparison needs customers who were not treated")


def require_blocks(cells: Sequence[Cell]) -> None:
    """Raise a ValueError unless every block contains every arm."""
    arms = arm_names(cells)
    for block in sorted({cell.block for cell in cells}):
        absent = [arm for arm in arms if not any(c.arm == arm and c.block == block for c in cells)]
        if absent:
            raise ValueError(f"block {block!r} has no customers in {', '.join(absent)}; merge it with a similar block")


def arm_names(cells: Sequence[Cell]) -> list[str]:
    """The names of the arms, in the order of the cells."""
    return list(dict.fromkeys(cell.arm for cell in cells))


def read_sums(source: Any, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """A table of sums with numeric columns; a ValueError for missing columns, gaps or repeated cells."""
    there = column_names(source)
    names = [*columns, *(name for name in optional if name in there)]
    keys = [name for name in names if name in ("arm", "block", "cluster")]
    kinds: dict[str, Kind] = {name: "text" if name in keys else "number" for name in names}
    hint = "A table of sums has arm, n, each column's sum, and each pair's sum of products"
    table = collect_table(source, names, kinds, hint=hint)
    require_filled(table)
    if table.duplicated(keys).any():
        raise ValueError(f"{' and '.join(keys)} appear more than once; add the sums up to one row each")
    wrong = (table["n"] < 1) | (table["n"] % 1 != 0)
    if wrong.any():
        first = table.loc[wrong, "n"].iloc[0]
        raise ValueError(
            f"n is not a whole number of customers, 1 or more, in {wrong.sum()} of {len(table)} rows: {first:g}"
        )
    return table


def require_counts(table: pd.DataFrame, outcome: str) -> None:
    """Raise a ValueError unless every arm's count is a whole number from 0 to n."""
    count = table[outcome].astype(float)
    wrong = (count < 0) | (count > table["n"]) | (count != np.floor(count))
    if wrong.any():
        arm = table.loc[wrong, "arm"].iloc[0]
        raise ValueError(
            f"{outcome} is not a count of customers for {int(wrong.sum())} of {len(table)} arms (first: {arm}, "
            f"{count[wrong].iloc[0]:g} of {table.loc[wrong, 'n'].iloc[0]:g}); state how many of the n customers had "
            "the outcome"
        )


def checks_of_customers(sizes: Mapping[str, int], shares: Mapping[str, float] | None, unit: str) -> tuple[Check, ...]:
    """The checks of every experiment where only customers are known: ``sizes`` of the arms."""
    if unit == "customer":
        return (sample_ratio(sizes, shares, unit),)
    detail = (
        f"Each {unit} was assigned as a whole, but only customers are known. The true errors are larger, and "
        "these numbers do not show by how much."
    )
    uncounted = Check(
        RATIO, None, detail=f"The assigned {unit}s were not counted, so it is not known whether any were lost."
    )
    remedy = f"Name the column of the {unit}s in cluster, and read the rows of single customers."
    return uncounted, Check(UNIT, False, detail=detail, remedy=remedy)


def checks_of_clusters(cells: Sequence[Cell], shares: Mapping[str, float] | None, unit: str) -> tuple[Check, ...]:
    """The checks of every experiment where the assigned clusters are known."""
    units = {arm: sum(cell.units for cell in cells if cell.arm == arm) for arm in arm_names(cells)}
    counts = ", ".join(f"{arm} {count:,}" for arm, count in units.items())
    df = min(cell.df for cell in cells)
    detail = f"Errors by the assigned clusters (CR2; {counts}; at least {df:.1f} degrees of freedom an arm)."
    cluster = "cluster" if unit == "customer" else unit
    return sample_ratio(units, shares, cluster), Check(UNIT, True, detail=detail)


def one_in(p: float) -> str:
    """A small chance in words."""
    return f"in one of {round(1 / p):,} tests"


def sample_ratio(units: Mapping[str, int], shares: Mapping[str, float] | None, unit: str) -> Check:
    """Whether the arms are as large as planned: a chi-squared test of the number of assigned units.

    A mismatch means that customers were lost, or were assigned otherwise than stated. The arms then differ by more than
    the treatment, and no estimate corrects it.
    """
    if shares is None:
        return Check(
            RATIO,
            None,
            detail="The planned shares of the arms are not stated, so it is not known whether customers were lost.",
        )
    arms = list(units)
    planned = {str(arm): float(share) for arm, share in shares.items()}
    if sorted(planned) != sorted(arms) or min(planned.values()) <= 0:
        raise ValueError(f"shares must give each of the arms {', '.join(arms)} a share above 0; got {dict(shares)}")
    seen = np.array([units[arm] for arm in arms], dtype=float)
    expected = np.array([planned[arm] for arm in arms]) / sum(planned.values()) * seen.sum()
    p = float(chdtrc(len(arms) - 1, np.sum((seen - expected) ** 2 / expected)))
    counts = ", ".join(f"{arm} {s:,.0f} ({e:,.0f} planned)" for arm, s, e in zip(arms, seen, expected, strict=True))
    away = float(np.max(np.abs(seen - expected)) / seen.sum())
    verdict = "not as planned"
    if p >= SUSPICIOUS:
        verdict = (
            "as planned" if p >= UNEVEN else f"which chance alone gives {one_in(p)}; check whether customers were lost"
        )
    return Check(
        RATIO,
        p >= SUSPICIOUS,
        size=100 * away,
        unit="percentage points from the planned share",
        detail=f"{unit.capitalize()}s assigned: {counts}; {p_statement(p)}, {verdict}.",
        remedy=f"Find the {unit}s that were lost before you use the results.",
    )


def balance(cells: Sequence[Cell], covariates: Sequence[int]) -> Check:
    """Whether the covariates known before the assignment agree in all arms: a joint Wald test."""
    name, x = BALANCE, list(covariates)
    arms = [arm_means(cells, arm) for arm in arm_names(cells)]
    if min(cell.df for cell in cells) < 10 * len(x):
        return Check(
            name, None, detail="There are too few assigned units to compare what was known before the assignment."
        )
    statistic, freedom, impossible = _wald(
        np.array([arm.mean[x] for arm in arms]), np.array([_covariance(arm)[np.ix_(x, x)] for arm in arms])
    )
    p = 0.0 if impossible else float(chdtrc(freedom, statistic)) if freedom else 1.0
    verdict = "no sign of a broken assignment" if p >= SUSPICIOUS else "the arms differed before the treatment"
    return Check(
        name,
        p >= SUSPICIOUS,
        detail=f"{len(x)} column{'s' * (len(x) > 1)} known before the assignment, together "
        f"{p_statement(p)}: {verdict}.",
        remedy="Find out why the arms differ before you use the results.",
    )


def _wald(means: Array, covariances: Array) -> tuple[float, int, bool]:
    """Chi-squared of equal means of independent arms, its degrees of freedom, and whether a gap excludes chance.

    ``means`` (arms, k), ``covariances`` (arms, k, k). With d the gaps to the first arm, stacked, and V their
    covariance, the statistic is d' V^-1 d. A covariate that is constant within an arm adds no variance there. If a
    combination of gaps has no variance at all, any gap excludes chance.
    """
    arms, k = means.shape
    variance = np.einsum("aii->i", covariances)
    scale = np.where(variance > 0, np.sqrt(variance), np.maximum(np.abs(means).max(axis=0), np.finfo(float).tiny))
    gaps = ((means[1:] - means[0]) / scale).ravel()
    scaled = covariances / np.outer(scale, scale)
    joint = np.kron(np.ones((arms - 1, arms - 1)), scaled[0])
    for i in range(1, arms):
        own = slice((i - 1) * k, i * k)
        joint[own, own] += scaled[i]
    size, direction = np.linalg.eigh((joint + joint.T) / 2)
    along = direction.T @ gaps
    varies = size > 1e-10 * max(size.max(), 0.0)
    impossible = bool(np.any(np.abs(along[~varies]) > 1e-6 * max(1.0, float(np.abs(gaps).max()))))
    return float(np.sum(along[varies] ** 2 / size[varies])), int(varies.sum()), impossible


def _covariance(arm: ArmMeans) -> Array:
    return np.asarray(sum(share**2 * cell.covariance for share, cell in zip(arm.shares, arm.cells, strict=True)))


def is_share(cells: Sequence[Cell], column: int, *, unit: str = "") -> bool:
    """Whether a column is binary for single customers: each cell's variance is that of a share.

    A column that is 0 for everyone, or 1, may also be an amount. It is a share only if its unit says so.
    """

    def has_variance_of_share(cell: Cell) -> bool:
        p = cell.mean[column]
        variance = cell.covariance[column, column] * (cell.n - 1)
        return cell.units == cell.n and bool(0 <= p <= 1 and np.isclose(variance, p * (1 - p), atol=1e-12))

    constant = is_constant(cells, column)
    if constant and not (unit.startswith("share of ") and cells[0].mean[column] in (0.0, 1.0)):
        return False
    return all(has_variance_of_share(cell) for cell in cells) or constant


def is_constant(cells: Sequence[Cell], column: int) -> bool:
    """Whether a column is the same for every customer of all arms."""
    first = cells[0].mean[column]
    return all(cell.covariance[column, column] == 0 and np.isclose(cell.mean[column], first) for cell in cells)


def enough_events(cells: Sequence[Cell], column: int, name: str, unit: str = "") -> Check | None:
    """Whether every arm has enough customers with and without a binary outcome; None for other columns."""
    if not is_share(cells, column, unit=unit):
        return None
    counts = []
    for arm in arm_names(cells):
        mine = [cell for cell in cells if cell.arm == arm]
        did = sum(cell.n * cell.mean[column] for cell in mine)
        counts += [did, sum(cell.n for cell in mine) - did]
    return events_check(counts, name)


def events_check(counts: Sequence[float], name: str) -> Check:
    """Whether the smallest group of an interval has enough customers."""
    smallest = round(min(counts))
    verdict = "enough" if smallest >= FEW else "too few"
    return Check(
        "Number of events",
        smallest >= FEW,
        size=float(smallest),
        limit=float(FEW),
        unit="customers in the smallest group",
        detail=f"{name}: {verdict} for the interval ({smallest} in the smallest group).",
        remedy="Wait for more events, or test with more customers.",
    )
