"""Returns: rows with a negative amount, netted against the purchases of the same customer that they cancel.

A return cancels the latest purchases, up to its size: first those of the same order and article, then of the same
order, then of the same article, as far as the log has these columns, and then any. With x_j the amount of row j of a
customer, B_j = max(B_(j-1) + x_j, 0) is what the customer has kept by then, and min(x_i, min_(j >= i) B_j - B_(i-1)) is
what is left of purchase i: windowed sums and minima, which every engine has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from retention_models.core.check import Check
from retention_models.core.formatting import Facts, Part, Presentation, number_of, three_digits
from retention_models.tables.frames import Frame, collect

KEYS = ("order_id", "article")
MOST_UNMATCHED = 0.02  # share of the amount that returns without a purchase may be
NAME = "Returns without a purchase"
CENTS, RELATIVE = 5e-7, 1e-12  # differences of amounts below these are none: absolute, and of all that moved
LONG_AGO = dt.datetime(1700, 1, 1)  # before any purchase
MOST = 0.9  # share of the returned amount after whose delay returns are no longer due


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Returns(Presentation):
    """Gross, returned and net amount of a log, and how long returns take.

    Attributes
    ----------
    rows
        Number of rows with a negative amount.
    gross
        Amount of all purchases.
    returned
        Amount that returns took off purchases.
    unmatched
        Amount of returns for which the customer has no purchase.
    orders_returned
        Number of rows of purchases that were returned whole.
    days_to_half, days_to_most
        Days from a purchase until half, and nine tenths, of the returned amount was back. None without any.
    due_from
        Day from which on returns are still due: ``days_to_most`` before the last day. None where they come at once.
    due
        Amount of the purchases since then, net of what was returned already.
    """

    rows: int
    gross: float
    returned: float
    unmatched: float
    orders_returned: int
    days_to_half: int | None = None
    days_to_most: int | None = None
    due_from: dt.date | None = None
    due: float = 0.0

    @property
    def net(self) -> float:
        """Amount of all purchases less what was returned."""
        return self.gross - self.returned

    @property
    def share_unmatched(self) -> float:
        """Amount of returns without a purchase, as a share of the gross amount."""
        return self.unmatched / self.gross if self.gross else float(self.unmatched > 0)

    @property
    def allow_value(self) -> bool:
        """Whether so little stays un-netted that amounts can be valued."""
        return self.share_unmatched <= MOST_UNMATCHED

    @property
    def check(self) -> Check:
        """Whether returns belong to purchases; where more than 2 % of the amount does not, there is no value."""
        if not self.unmatched:
            return Check(NAME, True, detail=self.sentence)
        found = (
            f"{100 * self.share_unmatched:.2g} % of the amount are returns without a purchase that they could cancel"
        )
        size, limit, unit = 100 * self.share_unmatched, 100 * MOST_UNMATCHED, "% of the amount"
        if self.allow_value:
            return Check(NAME, True, size, limit, unit, detail=f"{found}. {self.sentence}")
        return Check(
            NAME,
            False,
            size,
            limit,
            unit,
            detail=f"{found}, more than {100 * MOST_UNMATCHED:g} %. Amounts are not used, and there is no value.",
            remedy="Read the log from an earlier day, so that it contains these purchases, or choose "
            "refunds='set_aside' to use gross amounts.",
        )

    @property
    def sentence(self) -> str:
        """The amounts, and the purchases for which returns are still due."""
        gross, returned, net = map(three_digits, (self.gross, self.returned, self.net))
        amounts = f"{gross} gross, {returned} returned, {net} net"
        return f"{number_of(self.rows, 'returns')}: {amounts}.{self._due_in_words()}"

    def _due_in_words(self) -> str:
        if self.due_from is None or not self.due:
            return ""
        return (
            f" Half of the returned amount is back within {self.days_to_half} days, nine tenths within "
            f"{self.days_to_most}: returns are still due for purchases since {self.due_from}, "
            f"{100 * self.due / self.net:.2g} % of the net amount."
        )

    def _parts(self) -> Sequence[Part]:
        facts = {"rows": self.rows, "gross": self.gross, "returned": self.returned, "net": self.net}
        return [Facts(type(self).__name__, facts | {"unmatched": self.unmatched})]


def net_purchases(rows: Frame, *, end: dt.date, cut: dt.date | None = None) -> nw.LazyFrame[Any]:
    """The purchases up to ``end``, net of the returns dated by then; those up to ``cut``, of the returns dated by it.

    Parameters
    ----------
    rows
        The rows of a log, on any engine: ``customer_id``, ``date``, ``amount`` and, if there are, ``order_id`` and
        ``article``.
    end, cut
        Last days of observation and of calibration.

    Returns
    -------
    narwhals.LazyFrame
        ``customer_id``, ``date``, ``amount`` (what is left of a purchase) and ``cancelled`` (1 where that is nothing).
    """
    if cut is None or cut >= end:
        return _net(rows, end)
    return nw.concat([_net(rows, cut), _net(rows, end).filter(nw.col("date") >= _midnight_after(cut))])


def measure_returns(rows: Frame, last_day: dt.date) -> Returns:
    """The returns of a log whose last day is ``last_day``: amounts, and how long they take."""
    amount, gross = nw.col("amount"), nw.col("gross")
    others, own = _split(rows.lazy())
    matched = match_returns(own)
    is_return = gross < 0
    sums = collect(
        matched.select(
            rows=is_return.cast(nw.Int64).sum(),
            gross=nw.when(gross > 0).then(gross).sum(),
            left=nw.when(gross > 0).then(amount).sum(),
            unmatched=nw.when(is_return).then(-amount).sum(),
            orders_returned=((gross > 0) & (amount == 0)).cast(nw.Int64).sum(),
        )
    ).iloc[0]
    untouched = _sum_since(others, "date", None)
    total, left = float(sums["gross"] or 0.0) + untouched, float(sums["left"] or 0.0) + untouched
    facts: dict[str, Any] = {
        "rows": int(sums["rows"]),
        "gross": round(total, 6),
        "returned": round(total - left, 6),
        "unmatched": round(float(sums["unmatched"] or 0.0), 6),
        "orders_returned": int(sums["orders_returned"]),
    }
    taken = matched.filter(is_return & ~nw.col("bought").is_null()).with_columns(returned=amount - gross)
    delays = collect(taken.group_by("day", "bought").agg(nw.col("returned").sum()))
    if delays.empty or left >= total:
        return Returns(**facts)
    days = (delays["day"] - delays["bought"]).dt.days
    half, most = _days_until(days.to_numpy(), delays["returned"].to_numpy(float))
    if most == 0:
        return Returns(**facts, days_to_half=half, days_to_most=most)
    due_from = last_day - dt.timedelta(days=most)
    due = _sum_since(others, "date", due_from) + _sum_since(matched.filter(gross > 0), "day", due_from)
    return Returns(**facts, days_to_half=half, days_to_most=most, due_from=due_from, due=round(due, 6))


def _sum_since(rows: nw.LazyFrame[Any], column: str, day: dt.date | None) -> float:
    """The amount of the rows of a day and later."""
    if day is not None:
        rows = rows.filter(nw.col(column) >= dt.datetime.combine(day, dt.time()))
    return float(collect(rows.select(nw.col("amount").sum()))["amount"].fillna(0.0).iloc[0])


def _days_until(days: Any, amounts: Any) -> tuple[int, int]:
    """The days until half, and nine tenths, of the returned amount was back."""
    order = np.argsort(days, kind="stable")
    share = np.cumsum(amounts[order]) / amounts.sum()
    half, most = (int(days[order][np.searchsorted(share, level - 1e-12)]) for level in (0.5, MOST))
    return half, most


def _midnight_after(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time()) + dt.timedelta(days=1)


def _net(rows: Frame, end: dt.date) -> nw.LazyFrame[Any]:
    """The purchases up to a day, net of the returns dated by then."""
    others, own = _split(rows.lazy().filter(nw.col("date") < _midnight_after(end)))
    kept = ("customer_id", "date", "amount")
    matched = match_returns(own).filter(nw.col("gross") >= 0)
    is_cancelled = (nw.col("gross") > 0) & (nw.col("amount") == 0)
    matched = matched.select(*kept, cancelled=is_cancelled.cast(nw.Int64))
    return nw.concat([others.select(*kept, cancelled=nw.lit(0, nw.Int64)), matched])


def _split(rows: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """The rows of customers without returns, and those of the others."""
    returners = rows.filter(nw.col("amount") < 0).select("customer_id").unique()
    others = rows.join(returners, on="customer_id", how="anti")
    return others, rows.join(returners, on="customer_id", how="semi")


def match_returns(rows: Frame) -> nw.LazyFrame[Any]:
    """The rows with what is left of each: of a purchase after its returns, of a return after its purchases.

    Returns
    -------
    narwhals.LazyFrame
        The columns of the rows, ``amount`` being what is left, and: ``gross``, the amount before; ``day``; ``bought``,
        the day of the latest purchase that a return could cancel, missing where it cancelled none.
    """
    rows = rows.lazy()
    named = [name for name in KEYS if name in rows.collect_schema().names()]
    amount = nw.col("amount")
    rows = rows.with_columns(
        gross=amount,
        day=nw.col("date").dt.truncate("1d"),
        is_return=(amount < 0).cast(nw.Int64),
        tolerance=CENTS + RELATIVE * amount.abs().sum().over("customer_id"),
        bought=nw.lit(None, nw.Datetime("us")),
        **{name: nw.col(name).fill_null("") for name in named},
    )
    order = ["day", "is_return", "date", "gross", *named]  # rows that agree in all of these are alike
    for keys in [named, *([[name] for name in named] if len(named) > 1 else []), *([[]] if named else [])]:
        rows = _cancel_latest(rows, keys, order)
    return rows


def _cancel_latest(rows: nw.LazyFrame[Any], keys: Sequence[str], order: Sequence[str]) -> nw.LazyFrame[Any]:
    """The rows after each return has cancelled the customer's latest purchases with the same keys, up to its size."""
    of_group = {"order_by": list(order)}
    group = ["customer_id", *keys]
    x, kept, before = nw.col("_x"), nw.col("_kept"), nw.col("_before")
    is_known = nw.all_horizontal(*(nw.col(name) != "" for name in keys), ignore_nulls=True) if keys else nw.lit(True)
    rows = rows.with_columns(_known=is_known)
    rows = rows.with_columns(_x=nw.when(nw.col("_known")).then(nw.col("amount")).otherwise(nw.lit(0.0)))
    rows = rows.with_columns(_sum=x.cum_sum().over(*group, **of_group))
    rows = rows.with_columns(_low=nw.col("_sum").cum_min().over(*group, **of_group))
    rows = rows.with_columns(_kept=nw.col("_sum") - nw.min_horizontal(nw.col("_low"), nw.lit(0.0)))
    rows = rows.with_columns(
        _before=kept.shift(1).over(*group, **of_group).fill_null(0.0),
        _least=kept.cum_min(reverse=True).over(*group, **of_group),
        _day=nw.when(x > 0).then(nw.col("day")).otherwise(nw.lit(LONG_AGO)),
    )
    rows = rows.with_columns(_last=nw.col("_day").cum_max().over(*group, **of_group))
    left = nw.max_horizontal(nw.min_horizontal(x, nw.col("_least") - before), nw.lit(0.0))
    unmatched = nw.min_horizontal(x + before - kept, nw.lit(0.0))
    rows = rows.with_columns(_left=nw.when(x > 0).then(left).otherwise(unmatched))
    near, nothing = (nw.col("_left") - x).abs() < nw.col("tolerance"), nw.col("_left").abs() < nw.col("tolerance")
    rows = rows.with_columns(_left=nw.when(near).then(x).when(nothing).then(nw.lit(0.0)).otherwise(nw.col("_left")))
    has_cancelled = (nw.col("is_return") == 1) & (nw.col("_left") > x) & nw.col("bought").is_null()
    return rows.with_columns(
        amount=nw.when(nw.col("_known")).then(nw.col("_left")).otherwise(nw.col("amount")),
        bought=nw.when(has_cancelled).then(nw.col("_last")).otherwise(nw.col("bought")),
    ).drop("_known", "_x", "_sum", "_low", "_kept", "_before", "_least", "_day", "_last", "_left")
