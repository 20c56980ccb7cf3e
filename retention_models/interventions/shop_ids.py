"""Customers' ids in two tables, compared by one rule."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from retention_models.tables.engines import collect


def with_same_ids(who: nw.LazyFrame[Any], log: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Both tables with ``_id`` to join them by: ``customer_id``, as text unless it is a whole number in both.

    Raises
    ------
    ValueError
        When ids are of two kinds, and none of ``who`` is in the log, or some only as another spelling of a number.
    """
    customer_id = nw.col("customer_id")
    kinds = [frame.collect_schema()["customer_id"] for frame in (who, log)]
    if kinds[0] == kinds[1] or all(kind.is_integer() for kind in kinds):
        return who.with_columns(customer_id.alias("_id")), log.with_columns(customer_id.alias("_id"))
    who, log = (frame.with_columns(customer_id.cast(nw.String).alias("_id")) for frame in (who, log))
    _check_spelling(
        who,
        log,
        " and ".join(f"{kind} in the {what}" for kind, what in zip(kinds, ("assignments", "log"), strict=True)),
    )
    return who, log


def _check_spelling(who: nw.LazyFrame[Any], log: nw.LazyFrame[Any], kinds: str) -> None:
    """Count the ids that are found in both as they are written, and those that differ by leading zeros only."""
    bare = nw.col("_id").str.replace_all("^0+", "").alias("bare")
    here = who.select("_id", bare)
    there = log.select(nw.col("_id").alias("written"), nw.col("_id")).unique().select("written", bare)
    pairs = here.join(there, on="bare", how="inner")
    same = (nw.col("_id") == nw.col("written")).cast(nw.Int64).sum().alias("same")
    found = collect(pairs.select(nw.len().alias("pairs"), same)).iloc[0]
    alike = int(found["same"]) if found["pairs"] else 0
    other = int(found["pairs"]) - alike
    cure = "write them alike in both, as text or as whole numbers"
    if other:
        raise ValueError(
            f"customer_id ({kinds}): {other:,} ids of the log are numbers of the assignments written otherwise "
            f"(001 for 1), {alike:,} are written alike; {cure}"
        )
    if not alike:
        total = int(collect(who.select(nw.len().alias("n")))["n"].iloc[0])
        raise ValueError(f"customer_id ({kinds}): none of the {total:,} assigned customers is in the log; {cure}")
