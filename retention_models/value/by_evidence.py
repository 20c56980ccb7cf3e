"""Value of a base of contracts within the renewals that were tested, within as many as the log is long, and beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import models_of_groups, read_contract_customers
from retention_models.forecast.churn_errors import read_churn_errors
from retention_models.tables.customer_table import open_customers, read_table
from retention_models.value.contracts import total_contract_value, value_of_tenures
from retention_models.value.payments import Moment, payment_schedule, price_by_line
from retention_models.value.terms import Terms, require_terms

FEWEST = 30  # contracts that have reached a tenure


def value_by_evidence(
    fit: Fit,
    customers: Any,
    terms: Terms,
    retention_table: Any,
    *,
    past_errors: pd.DataFrame | None = None,
    by: str | None = None,
    moment: Moment = "before_renewal",
    level: float = 0.95,
) -> pd.DataFrame:
    """Value of all customers with contracts, by how many renewals ahead were tested, seen, and never seen.

    Parameters
    ----------
    fit
        A fitted model of contracts.
    customers
        A frame with ``tenure`` from ``active_customers``; see ``customer_value``.
    terms
        ``billing_period``, ``annual_discount_rate``, and ``price`` (also a column of ``customers``) and ``margin`` for
        value in money. A horizon of the terms is ignored.
    retention_table
        The retention table of the log. It says how many renewals the log is long, and how many contracts reached each.
    past_errors
        The frame of ``evaluation.backtest_retention``: which renewals ahead were tested, and the planning range. By
        default None: no backtest, and no planning range.
    by
        A column of ``customers``. Each group then has its own model of a fit with groups (``fit(..., by=by)``), and the
        table is their sum: groups are independent but for the model error, which they share. By default None: one model
        for all.
    moment
        As in ``customer_value``.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``part``. The parts "tested" and "seen" are the value of the next ``renewals`` payments: as many as
        the backtest tested, and as many as the log is long. Each has the confidence interval ``value_lower,
        value_upper`` (parameters only) and, with ``past_errors``, the planning ranges of ``total_value``.
        ``share_at_rare_tenures`` is the share of the value that is paid at tenures which fewer than 30 contracts have
        reached. The part "beyond" is the value after that, an extrapolation. The limits of its intervals are those of
        the value without end less those of the value seen. ``share`` is the share of the value without end, 0 if all
        prices are 0. Without a discount rate there is no "beyond".

    Raises
    ------
    ValueError
        When the table has nobody at risk, the backtest looks further ahead than the log is long, or as in
        ``total_value``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 25], "lost": [369, 163, 86, 4]})
    >>> base = pd.DataFrame({"tenure": [0, 3], "weight": [500, 326]})
    >>> terms = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y")
    >>> fit = rm.fit(rm.ShiftedBetaGeometric, kept)
    >>> rm.value.value_by_evidence(fit, base, terms, kept)[["renewals", "value", "share"]].round(2)
            renewals      value  share
    part
    seen         4.0  162495.41   0.52
    beyond       inf  148542.42   0.48
    """
    require_terms(terms, "billing_period", "annual_discount_rate")
    counts = read_table(retention_table, ("tenure", "at_risk"))
    tenures, at_risk = counts.columns
    reached = pd.Series(counts.weight * at_risk).groupby(tenures).sum()
    reached = reached[reached > 0]
    if reached.empty:
        raise ValueError("at_risk is 0 in every row of the retention table: no renewal was seen")
    seen = int(reached.index.max())
    tested = [] if past_errors is None else require_tested(past_errors, seen)
    ahead = {"tested": max(tested)} if tested else {}
    ahead["seen"] = seen
    customers = open_customers(customers)

    groups = [(fit, customers)] if by is None else models_of_groups(fit, customers, by)
    tables = [_parts_of_group(own, theirs, terms, ahead, reached, past_errors, moment, level) for own, theirs in groups]
    table = tables[0] if len(tables) == 1 else _sum_of_groups(tables)
    whole = table["value"].drop("tested", errors="ignore").sum()
    return table.assign(share=table["value"] / whole if whole else 0.0)


def _parts_of_group(
    fit: Fit,
    customers: Any,
    terms: Terms,
    ahead: Mapping[str, int],
    reached: pd.Series[Any],
    past_errors: Any,
    moment: Moment,
    level: float,
) -> pd.DataFrame:
    """The parts of the value of some customers by one model, without their shares."""

    def total(horizon: int | None) -> pd.Series[Any]:
        """The value within a horizon, with its intervals."""
        within = replace(terms, horizon=horizon)
        every = total_contract_value(fit, customers, within, moment, None, level, past_errors).iloc[0]
        return every.drop(["customers", "outcome_lower", "outcome_upper", "naive_value"])

    rows = {}
    for part, renewals in ahead.items():
        rare = _share_at_rare_tenures(fit, customers, replace(terms, horizon=renewals), reached, moment)
        rows[part] = {"renewals": renewals, **total(renewals), "share_at_rare_tenures": rare}
    if terms.annual_discount_rate:
        beyond = {name: max(0.0, end - rows["seen"][name]) for name, end in total(None).items()}
        rows["beyond"] = {"renewals": np.inf, **beyond, "share_at_rare_tenures": 1.0}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")


def _sum_of_groups(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The sum of independent groups, whose planning ranges share their model error."""
    total = sum(tables[1:], start=tables[0].copy())
    for end, side in (("value_lower", -1), ("value_upper", 1)):
        reach = np.sqrt(sum((table["value"] - table[end]) ** 2 for table in tables))
        total[end] = np.maximum(total["value"] + side * reach, 0.0)
    rare = sum(table["share_at_rare_tenures"] * table["value"] for table in tables)
    rare = (rare / total["value"]).where(total["value"] > 0, 0.0)
    return total.assign(renewals=tables[0]["renewals"], share_at_rare_tenures=rare)


def require_tested(backtest: pd.DataFrame, seen: int) -> list[int]:
    """The numbers of renewals ahead that a backtest tested; an error if one is above those seen."""
    read_churn_errors(backtest)
    tested = backtest["renewals"].astype(int).tolist()
    if max(tested, default=0) > seen:
        raise ValueError(f"past_errors look {max(tested)} renewals ahead, and the log is only {seen} renewals long")
    return tested


def _share_at_rare_tenures(fit: Fit, customers: Any, terms: Terms, reached: pd.Series[Any], moment: Moment) -> float:
    """The share of a value within a horizon that is paid at tenures which few contracts have reached."""
    terms, price, _ = price_by_line(terms, customers)
    source, table = read_contract_customers(fit, customers)
    paid = np.bincount(table.row, table.line_weight * price, len(table.weight))
    common = reached[reached >= FEWEST]
    last = int(common.index.max()) if len(common) else 0
    full = np.full(len(table.weight), int(terms.horizon or 0))
    usual = np.clip(last - table.columns[0].astype(int), 0, full)

    def value(horizon: NDArray[np.int64]) -> float:
        """The value of all, each within a horizon of their own."""
        total = 0.0
        for ahead in np.unique(horizon[horizon > 0]):
            schedule = payment_schedule(replace(terms, horizon=int(ahead)), fit)
            each = source.values(value_of_tenures(table, schedule, moment), table.rows)
            total += float(paid[horizon == ahead] @ each[horizon == ahead])
        return total

    whole = value(full)
    return 1 - value(usual) / whole if whole else 0.0
