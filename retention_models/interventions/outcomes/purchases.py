"""Outcomes of customers without a contract after their assignment: purchases, amounts and times.

The window (assignment, + horizon] must be longer than the offer. Purchases that an offer pulls forward are missing
later, so a window that ends with the offer would count them as incremental. P(alive) and predicted value are not
outcomes, because they are not observed.

If only the day of the assignment or of purchases is known, nobody can say which purchases of that day came after it.
They count as after the assignment, because customers answer an e-mail on the same day. With random assignment, both
arms have equally many earlier purchases on that day, which only adds noise. To leave them out would lose the answers,
which is bias. They never count as known before the assignment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, get_args

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import check_choice, require_whole
from retention_models.core.dates import read_day
from retention_models.logs.transactions.checks.last_day import require_last_day_of
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import group_rows, purchase_rows, purchases
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.tables.days import Day
from retention_models.tables.engines import column_names, open_table
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import collect, move_to_engine

SameDay = Literal["keep", "set_aside"]

OUTCOMES = ("bought", "purchases", "purchases_same_day", "days_to_next", "days_to_last", "amount")
BEFORE = ("purchases_before", "amount_before")
ASSIGNMENTS = "the table of assignments"
MOST_DAYS = 36_525  # of a window: a century


def purchase_outcomes(
    transactions: Any,
    assignments: Any,
    *,
    horizon_days: int,
    offer_days: int,
    lookback_days: int | None = None,
    same_day: SameDay = "keep",
    customer_id: str = "customer_id",
    assigned: str = "assigned",
    observation_end: str | None = None,
) -> Any:
    """One row for each assigned customer, with the purchases in the ``horizon_days`` after the assignment.

    Parameters
    ----------
    transactions
        A log that ``read_transactions`` returns, or anything that it reads.
    assignments
        A frame or the path of files, one row a customer: id, day of assignment, arm, and other columns of the test
        (block, cluster, covariates). They are brought to the engine of the log.
    horizon_days
        Length of the window in days. Purchases count from the assignment to the end of its last day.
    offer_days
        Days for which the offer was valid; 0 without an offer. The window must be longer.
    lookback_days
        Days before the assignment for ``purchases_before`` and ``amount_before``, covariates that reduce much of the
        variance. By default None: without these columns. If customers were assigned on different days, all of these
        days must be in the log.
    same_day
        How a purchase on the day of the assignment counts if the time of day is not known for both. ``"keep"``, the
        default: as an answer, as to an e-mail. ``"set_aside"``: neither before nor after, such as in a test that
        customers enter by a purchase. Times of day are known if some assignment and some purchase is not at midnight.
        Purchases after the moment of the assignment are then in the window, and earlier ones are before it.
    customer_id, assigned
        Names of the columns of the id and of the day of assignment in ``assignments``. If ids are numbers in one table
        and text in the other, they are compared as text: ``001`` is not customer 1.
    observation_end
        Last day of the log. By default None: that of its window, or the last day with a purchase. Every window of
        assignments must have ended by then.

    Returns
    -------
    frame
        A lazy frame of the log's engine (for pandas and files a DuckDB relation), for ``Experiment.from_rows``. It has
        the columns of ``assignments`` (``assigned`` as a day) and: ``bought`` (0 or 1); ``purchases`` (days with a
        purchase); ``purchases_same_day`` (1 with a purchase on the day of the assignment that counts or is set aside);
        ``days_to_next`` (days to the next purchase, ``horizon_days`` without one: its mean is the restricted mean);
        ``days_to_last`` (days to the last purchase in the window, 0 without one); ``amount`` (if the log has amounts).
        Customers without a purchase are included with zeros. Customers who were not assigned are left out.

    Raises
    ------
    ValueError
        When a number of days is not whole; when the window is not longer than the offer, begins before the log or
        ends after it; when nobody is assigned, a customer is assigned twice or a day is missing; when ids are numbers
        in one table and text in the other and do not match.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": [1, 1, 2], "amount": [20.0, 5.0, 30.0],
    ...                     "date": ["2024-05-03", "2024-06-20", "2024-04-30"]})
    >>> mailing = pd.DataFrame({"customer_id": [1, 2, 3], "assigned": "2024-05-01", "arm": ["mail", "none", "none"]})
    >>> rows = purchase_outcomes(log, mailing, horizon_days=28, offer_days=14, observation_end="2024-06-30")
    >>> shown = ["customer_id", "arm", "bought", "purchases", "days_to_next", "days_to_last", "amount"]
    >>> rows.df().sort_values("customer_id").reset_index(drop=True)[shown]
       customer_id   arm  bought  purchases  days_to_next  days_to_last  amount
    0            1  mail     1.0        1.0           2.0           2.0    20.0
    1            2  none     0.0        0.0          28.0           0.0     0.0
    2            3  none     0.0        0.0          28.0           0.0     0.0
    """
    check_choice("same_day", same_day, get_args(SameDay))
    check_window(horizon_days, offer_days, lookback_days)
    log = transactions if isinstance(transactions, Transactions) else read_transactions(transactions)
    on_days = purchases(log)
    columns, carried = _assignment_columns(assignments, customer_id, assigned)
    who = read_assignments(on_days, assignments, columns)
    last_day = last_day_of_log(log, observation_end)
    begun = begin_of_log(log, on_days, horizon_days)
    latest = last_day - dt.timedelta(days=horizon_days)
    check_assignments(who, begun, lookback_days, latest=latest, last_day=last_day)
    who, bought = add_join_keys(who, purchase_days(log, on_days, who))
    found = _outcomes(who, bought, log.has_amount, horizon_days, lookback_days, keeps_day=same_day == "keep")
    return found.rename(carried).to_native()


def check_window(horizon_days: int, offer_days: int, lookback_days: int | None = None) -> None:
    """Raise a ValueError unless the numbers of days are whole, and the window is longer than the offer."""
    require_whole("horizon_days", horizon_days, 1, MOST_DAYS)
    require_whole("offer_days", offer_days, 0)
    if horizon_days <= offer_days:
        raise ValueError(
            f"horizon_days ({horizon_days}) must outlast the offer ({offer_days} days): purchases that the offer "
            "only pulled forward are missing after the offer. A window that ends with the offer counts them as "
            "incremental"
        )
    if lookback_days is not None:
        require_whole("lookback_days", lookback_days, 1, MOST_DAYS)


def read_assignments(
    bought: nw.LazyFrame[Any], assignments: Any, columns: Mapping[str, str], kind: Kind = "value"
) -> nw.LazyFrame[Any]:
    """The assignments on the engine of the log, with ``customer_id``, ``assigned`` (a day) and its ``_moment``.

    ``kind`` is that of all other columns.
    """
    kinds: dict[str, Kind] = {**dict.fromkeys(columns, kind), "customer_id": "id", "assigned": "day"}
    with naming(assignments):
        who = move_to_engine(open_table(assignments, columns, kinds, where=ASSIGNMENTS), bought)
    day = nw.col("assigned").cast(nw.Date).cast(nw.Datetime("us"))
    return who.with_columns(day.alias("assigned"), nw.col("assigned").alias("_moment"))


def _assignment_columns(assignments: Any, customer_id: str, assigned: str) -> tuple[dict[str, str], dict[str, str]]:
    """The columns of the assignments by the names that they have on the way, and those that are carried along."""
    own = {"customer_id": customer_id, "assigned": assigned}
    others = [name for name in column_names(assignments, ASSIGNMENTS) if name not in own.values()]
    taken = [name for name in others if name in (*OUTCOMES, *BEFORE, *own)]
    if taken:
        raise ValueError(f"the assignments have columns called {', '.join(taken)}, like outcomes; rename them")
    carried = {f"column{i}": name for i, name in enumerate(others)}
    return own | carried, carried


def last_day_of_log(log: Transactions, observation_end: str | None) -> dt.date:
    """The stated last day of a log; by default that of its window, or the last day with a purchase."""
    if observation_end is not None:
        return read_day("observation_end", observation_end)
    require_last_day_of(log)
    return log.last_observed


def begin_of_log(log: Transactions, on_days: nw.LazyFrame[Any], horizon_days: int) -> dt.date:
    """The earliest day on which a log may have begun: one long silence before its first purchase."""
    return log.first_date - (_longest_silence(on_days) or dt.timedelta(days=horizon_days))


def _longest_silence(on_days: nw.LazyFrame[Any]) -> dt.timedelta | None:
    """The longest time between two days with a purchase: so long before the first one, a log may have begun."""
    days = collect(on_days.select("period").unique())["period"].sort_values()
    return dt.timedelta(days=int(days.diff().dt.days.max())) if len(days) > 1 else None


def check_assignments(
    who: nw.LazyFrame[Any],
    begun: dt.date,
    lookback_days: int | None = None,
    *,
    latest: dt.date | None = None,
    last_day: dt.date | None = None,
) -> None:
    """Count the invalid assignments in one pass, and raise a ValueError if there are any.

    Windows of assignments after the day ``latest`` end after the ``last_day`` of the log; None does not ask.
    """

    def count(condition: nw.Expr) -> nw.Expr:
        return condition.cast(nw.Int64).sum()

    def moment(day: dt.date, days: int) -> dt.datetime:
        return (pd.Timestamp(day) + pd.Timedelta(days=days)).to_pydatetime()

    day = nw.col("assigned")
    found = collect(
        who.select(
            nw.len().alias("rows"),
            customers=nw.col("customer_id").n_unique(),
            missing=count(day.is_null() | nw.col("customer_id").is_null()),
            early=count(day < moment(begun, 0)),
            unseen=count(day < moment(begun, lookback_days or 0)),
            first=day.min(),
            last=day.max(),
            **({} if latest is None else {"late": count(day > moment(latest, 0))}),
        )
    ).iloc[0]
    rows = int(found["rows"])
    if not rows:
        raise ValueError(f"{ASSIGNMENTS} has no rows: nobody was assigned")
    observed = (found["first"] - pd.Timestamp(begun)).days
    for number, problem in (
        (found["missing"], "lack a customer or a readable day of assignment; every assigned customer has both"),
        (rows - found["customers"], "repeat a customer; a customer is assigned once: keep the first assignment"),
        (
            found.get("late", 0),
            f"have windows that end after the log ({last_day}); shorten horizon_days, or wait for their ends",
        ),
        (
            found["early"],
            f"are before the log, which begins about {begun}: their purchases are not known; correct the days, leave "
            "these customers out, or read an earlier log",
        ),
        (
            found["unseen"] if found["first"] < found["last"] else 0,
            f"look back to days before the log, which begins about {begun}, and so less far than others: "
            f"lookback_days must be at most {observed}, or None; or read an earlier log",
        ),
    ):
        if number > 0:
            raise ValueError(f"{int(number):,} of {rows:,} assignments {problem}")


def purchase_days(log: Transactions, on_days: nw.LazyFrame[Any], who: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Purchases by customer and day, and whether they were ``early``: before an assignment on the same day."""
    rows = purchase_rows(log)
    if not (_has_times(who, "_moment") and _has_times(rows, "date")):
        return on_days.with_columns(early=nw.lit(value=False))
    who, rows = add_join_keys(who.select("customer_id", "_moment"), rows)
    rows = rows.join(who.select("_id", "_moment"), on="_id", how="inner")
    is_early = nw.col("date") <= nw.col("_moment")
    parts = [
        group_rows(log, rows.filter(part)).with_columns(early=nw.lit(value=early))
        for part, early in ((is_early, True), (~is_early, False))
    ]
    return nw.concat(parts)


def _has_times(rows: nw.LazyFrame[Any], name: str) -> bool:
    """Whether a column of moments has a time of day other than midnight."""
    is_midnight = nw.col(name) == nw.col(name).dt.truncate("1d")
    return int(collect(rows.select((~is_midnight).cast(nw.Int64).sum().alias("n")))["n"].iloc[0]) > 0


def _outcomes(
    who: nw.LazyFrame[Any],
    bought: nw.LazyFrame[Any],
    has_amount: bool,
    horizon_days: int,
    lookback_days: int | None,
    *,
    keeps_day: bool,
) -> nw.LazyFrame[Any]:
    """The outcomes of one row a customer, from the join of assignments and purchases."""
    keys = [name for name in who.collect_schema().names() if name not in ("_id", "_moment")]
    days = Day.in_column("period").number - Day.in_column("assigned").number
    joined = who.join(bought.drop("customer_id"), on="_id", how="left").with_columns(days.alias("days"))
    answered = _is_answer().fill_null(value=False)
    inside = (is_after_assignment(keeps_day=keeps_day) & (nw.col("days") <= horizon_days)).fill_null(value=False)
    measured = {
        "bought": _indicator(inside),
        "purchases": _indicator(inside),
        "purchases_same_day": _indicator(answered),
        "days_to_next": nw.when(inside).then(nw.col("days").cast(nw.Float64)).otherwise(nw.lit(float(horizon_days))),
        "days_to_last": nw.when(inside).then(nw.col("days").cast(nw.Float64)).otherwise(nw.lit(0.0)),
    }
    if has_amount:
        measured["amount"] = _amount_if(inside)
    if lookback_days is not None:
        earlier = ((nw.col("days") < 0) & (nw.col("days") >= -lookback_days)) | (
            (nw.col("days") == 0) & nw.col("early")
        )
        before = earlier.fill_null(value=False)
        measured["purchases_before"] = _indicator(before)
        if has_amount:
            measured["amount_before"] = _amount_if(before)
    rows = joined.select(*keys, *(expression.alias(name) for name, expression in measured.items()))
    return rows.group_by(keys).agg(*(_aggregate(name) for name in measured))


def is_after_assignment(*, keeps_day: bool) -> nw.Expr:
    """Whether a purchase, so many ``days`` after the assignment and perhaps ``early``, counts as after it."""
    later = nw.col("days") > 0
    return later | _is_answer() if keeps_day else later


def _is_answer() -> nw.Expr:
    """Whether a purchase on the day of the assignment is not known to be before it."""
    return (nw.col("days") == 0) & ~nw.col("early")


def _indicator(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(1.0).otherwise(0.0)


def _amount_if(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.col("amount")).otherwise(nw.lit(0.0))


def _aggregate(name: str) -> nw.Expr:
    """The aggregate of a customer's rows: maximum, minimum or sum."""
    column = nw.col(name)
    if name == "days_to_next":
        return column.min()
    return column.max() if name in ("bought", "days_to_last") else column.sum()


def add_join_keys(who: nw.LazyFrame[Any], log: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Both tables with the join key ``_id``: ``customer_id``, as text unless it is a whole number in both.

    Raises
    ------
    ValueError
        When ids are of two kinds, and none of ``who`` is in the log, or some match only as another spelling of a
        number.
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
    """Count the ids with the same text in both tables, and those that differ only by leading zeros."""
    bare = nw.col("_id").str.replace_all("^0+", "").alias("bare")
    here = who.select("_id", bare)
    there = log.select(nw.col("_id").alias("written"), nw.col("_id")).unique().select("written", bare)
    pairs = here.join(there, on="bare", how="inner")
    equal = (nw.col("_id") == nw.col("written")).cast(nw.Int64).sum().alias("same")
    found = collect(pairs.select(nw.len().alias("pairs"), equal)).iloc[0]
    same = int(found["same"]) if found["pairs"] else 0
    other = int(found["pairs"]) - same
    cure = "write them alike in both, as text or as whole numbers"
    if other:
        raise ValueError(
            f"customer_id ({kinds}): {other:,} ids of the log are numbers of the assignments written otherwise "
            f"(001 for 1), {same:,} are written alike; {cure}"
        )
    if not same:
        total = int(collect(who.select(nw.len().alias("n")))["n"].iloc[0])
        raise ValueError(f"customer_id ({kinds}): none of the {total:,} assigned customers is in the log; {cure}")
