"""Customer rows on any engine, checked and reduced to the sums that an experiment needs.

One narwhals expression runs where the rows are: in pandas, Polars, DuckDB or Spark. Sums of squares are taken about the
overall means, so that large numbers with a small variance lose no digits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack, cast

import narwhals as nw
import numpy as np

from retention_models.core.arguments import require_text
from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation, short_number
from retention_models.interventions.arms.cells import Cell, cells_of_sums
from retention_models.tables.engines import column_names, forms_of, open_log, open_table, unread_hint
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import collect
from retention_models.tables.reading import TextReading, described
from retention_models.tables.rules import check_complete


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rows(Presentation):
    """Checked customer rows.

    Attributes
    ----------
    frame
        A lazy frame with ``arm``, ``block``, perhaps ``cluster``, and the measured columns as ``v0, v1, ...``.
    names
        Names of the k measured columns.
    means
        Means of the columns over all rows, shape (k,).
    clustered
        Whether clusters were assigned.
    """

    frame: nw.LazyFrame[Any]
    names: tuple[str, ...]
    means: Array
    clustered: bool

    def cells(self) -> tuple[Cell, ...]:
        """One cell for each arm in each block, in alphabetical order."""
        k = len(self.names)
        keys = ["arm", "block", *(["cluster"] if self.clustered else [])]
        deviations = [nw.col(f"v{i}") - float(self.means[i]) for i in range(k)]
        terms = {f"v{i}": deviation for i, deviation in enumerate(deviations)}
        if not self.clustered:
            terms |= {f"p{i}_{j}": deviations[i] * deviations[j] for i in range(k) for j in range(i, k)}
        rows = self.frame.select(*keys, *(term.alias(name) for name, term in terms.items()))
        table = collect(rows.group_by(keys).agg(nw.len().alias("n"), *(nw.col(name).sum() for name in terms)))
        return cells_of_sums(table.sort_values(keys), k, self.means)


def read_rows(
    source: Any,
    names: Sequence[str],
    *,
    arm: str,
    cluster: str | None = None,
    block: str | None = None,
    customer_id: str | None = "customer_id",
    **reading: Unpack[TextReading],
) -> Rows:
    """Checked customer rows: one row a customer, with an arm and a finite number in every measured column.

    Raises
    ------
    TypeError
        When ``source`` is neither a frame nor the path of a file.
    ValueError
        When a column is missing, is not numeric or has gaps, or a customer has two rows.
    """
    source, stated = described(source, **reading)
    roles = {"arm": arm, "cluster": cluster, "block": block, "customer_id": customer_id}
    for what, name in roles.items():
        if name is not None or what == "arm":
            require_text(what, name)
    keys = {"arm": arm} | ({"block": block} if block else {}) | ({"cluster": cluster} if cluster else {})
    measured = {f"v{i}": name for i, name in enumerate(names)}
    has_id = customer_id is not None and not cluster and customer_id in column_names(source, "the test")
    ids = {"customer_id": str(customer_id)} if has_id else {}
    kinds: dict[str, Kind] = {**dict.fromkeys(keys, "text"), **dict.fromkeys(measured, "measure"), "customer_id": "id"}
    with naming(source):
        columns = keys | measured | ids
        forms = forms_of(source, columns, kinds, stated, where="the test")
        frame = open_log(source, columns, kinds, where="the test", forms=forms).lazy()

        def hint(name: str) -> str:
            return unread_hint(source, columns, kinds, forms, [name], where="the test")

        check_complete(frame, keys, measured, next(iter(ids.items()), None), hint=hint)
        block_column = [] if block else [nw.lit("").alias("block")]
        prepared = frame.select(*keys, *block_column, *measured)
        return _add_means(Rows(prepared, tuple(names), np.zeros(len(names)), cluster is not None))


def require_joined_before(
    source: Any, joined: str | None, measured_from: dt.date | None, **reading: Unpack[TextReading]
) -> None:
    """An error unless all who chose to be treated had done so, on a known day, before outcomes were measured.

    Raises
    ------
    ValueError
        When the days or the beginning of the measurement are not stated, or somebody joined later.
    """
    if joined is None or measured_from is None:
        missing = " and ".join(
            name for name, value in (("joined", joined), ("measured_from", measured_from)) if not value
        )
        raise ValueError(
            f"assigned_by='choice' needs {missing}: the column of the day on which each customer joined, and the first "
            "day on which outcomes were measured. Who joins while they are measured must have stayed until then, which "
            "makes any programme look good (immortal time)"
        )
    source, stated = described(source, **reading)
    columns, kinds = {"joined": joined}, cast("dict[str, Kind]", {"joined": "day"})
    with naming(source):
        forms = forms_of(source, columns, kinds, stated, where="the test")
        days = open_table(source, columns, kinds, where="the test", forms=forms).lazy()
        late = nw.col("joined") >= nw.lit(dt.datetime.combine(measured_from, dt.time()))
        counts = collect(days.select(dated=nw.col("joined").count(), late=late.cast(nw.Int64).sum())).iloc[0]
    if not counts["dated"]:
        raise ValueError(f"column {joined!r} has no dates: it must contain the day on which each customer joined")
    if counts["late"] > 0:
        raise ValueError(
            f"{int(counts['late']):,} of {int(counts['dated']):,} customers joined on {measured_from} or later, while "
            f"outcomes were measured (column {joined!r}). They must have stayed until then (immortal time): count them "
            "as not joined, or measure outcomes from a later day"
        )


def without_arm(rows: Rows, arm: str) -> Rows:
    """The rows of all other arms."""
    return _add_means(replace(rows, frame=rows.frame.filter(nw.col("arm") != nw.lit(arm))))


def _add_means(rows: Rows) -> Rows:
    columns = [nw.col(f"v{i}").mean() for i in range(len(rows.names))]
    means = collect(rows.frame.select(*columns)).to_numpy()[0]
    return replace(rows, means=np.asarray(means, dtype=float))


def cap_column(
    rows: Rows, name: str, *, ceiling: float | None = None, quantile: float | None = None
) -> tuple[Rows, str]:
    """The rows with one column cut at a ceiling, the uncut column beside it, and a sentence on what was cut.

    The limit is ``ceiling``, or the ``quantile`` of all arms together. A ceiling for each arm would hide effects.
    """
    i, k = rows.names.index(name), len(rows.names)
    column = nw.col(f"v{i}")
    origin = ""
    if quantile is not None:
        ceiling = float(collect(rows.frame.select(column.quantile(quantile, "linear"))).to_numpy()[0, 0])
        origin = f" (the {100 * quantile:g} % quantile of all arms together)"
    above = column > ceiling
    cut_column = nw.when(above).then(nw.lit(ceiling)).otherwise(column)
    seen = rows.frame.select(
        nw.len().alias("n"), above.cast(nw.Int64).sum().alias("above"), (column - cut_column).sum().alias("cut")
    )
    n, count, cut = collect(seen).to_numpy()[0]
    total = rows.means[i] * n
    share = f", {100 * cut / total:.3g} % of the total," if total > 0 else ""
    assert ceiling is not None
    cut_off = f"{int(count):,} of {int(n):,} customers{share} in all arms alike"
    detail = f"{name} above {short_number(ceiling)}{origin} counts as that: {cut_off}"
    frame = rows.frame.with_columns(column.alias(f"v{k}"), cut_column.alias(f"v{i}"))
    cut_rows = Rows(frame, (*rows.names, uncapped_column(name)), np.append(rows.means, 0.0), rows.clustered)
    return _add_means(cut_rows), detail


def uncapped_column(name: str) -> str:
    """The name of the uncut copy of a capped column."""
    return f"{name} (uncapped)"
