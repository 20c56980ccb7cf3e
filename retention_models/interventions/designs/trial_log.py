"""The logs behind a sequence of trials: occasions, outcomes, joins, and what was known of customers before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.designs.covariate_numbers import in_numbers
from retention_models.interventions.designs.trial_checks import REPEATED
from retention_models.interventions.designs.trial_histories import SPAN, Known, Series
from retention_models.logs.contacts.contact_log import Contacts, read_contacts
from retention_models.logs.contracts.log import Spells
from retention_models.logs.transactions.purchases import as_transactions, purchases
from retention_models.tables.engines import collect_table, column_names, measured_columns
from retention_models.tables.files import naming
from retention_models.tables.frames import as_lazy, collect

ORIGIN = pd.Timestamp("1900-01-01")
CALENDAR = {"D": "D", "W": "W-SUN", "M": "M"}  # as pandas calls calendar periods
OWN_NAMES = re.compile(r"orders|tenure|recency|calendar|second_order|(orders|amount)_\d+|contacts_.*")
UNKNOWN = "of customers who are not in the log"


@dataclass(frozen=True, eq=False, repr=False)
class TrialLog(Presentation):
    """What a sequence of trials is made of.

    Attributes
    ----------
    customers
        Ids of the customers, in the order of their whole numbers.
    events
        Purchases by day, or periods under contract.
    occasions
        Times at which customers could join: purchases, contacts of a kind, or periods.
    period
        Calendar period of each occasion.
    joins
        Customers and times of all joins, the first of each customer.
    last
        The last time in the log.
    known
        What was known of customers.
    rewards, unaffected
        Money given to customers, and purchases that the effort cannot touch; None where not stated.
    counts
        Number of joins that do not count, by reason.
    """

    customers: pd.Index
    events: Series
    occasions: Series
    period: NDArray[np.int64]
    joins: tuple[NDArray[np.int64], NDArray[np.int64]]
    last: int
    known: Known
    rewards: Series | None
    unaffected: Series | None
    counts: dict[str, int]
    in_weeks: bool

    def _parts(self) -> Sequence[Part]:
        return [f"{len(self.customers):,} customers, {len(self.joins[0]):,} of whom joined."]


def read_shop(
    log: Any,
    contacts: Any,
    kind: str,
    *,
    every: str,
    anchor: str | None,
    rewards: Sequence[str],
    unaffected: Any,
    attributes: Any,
) -> TrialLog:
    """The parts of a log of purchases and its contacts."""
    known = as_transactions(log)
    bought = collect(purchases(known))
    ids = pd.Index(bought["customer_id"].unique()).sort_values()
    names = ids.get_indexer(pd.Index(bought["customer_id"])).astype(np.int64)
    day = _days(bought["period"])
    amount = bought["amount"].to_numpy(dtype=float) if known.has_amount else None
    events = Series.of(names, day, amount)
    kept = contacts if isinstance(contacts, Contacts) else read_contacts(contacts)
    _require_kinds(kept, (kind, *rewards, *([anchor] if anchor not in (None, "order") else [])))
    rows = _contact_rows(kept, ids)
    times = _days(rows["date"])
    by_kind = {name: rows["kind"].to_numpy() == name for name in kept.kinds}
    series = {name: _of_customers(rows, times, own) for name, own in by_kind.items()}
    joins, counts = _first_joins(rows, times, by_kind[kind])
    occasions = events if anchor == "order" else series[anchor] if anchor else events
    end = _day_number(known.last_observed)
    apart = {kind, *rewards, *([unaffected] if isinstance(unaffected, str) else [])}
    others = {name: each for name, each in series.items() if name not in apart}
    constant, dated = _attributes(attributes, ids)
    return TrialLog(
        customers=ids,
        events=events,
        occasions=occasions,
        period=calendar_periods(occasions.time, every),
        joins=joins,
        last=end,
        known=Known(events, others, known.has_amount, True, constant, dated),
        rewards=_rewards(rows, times, rewards),
        unaffected=_unaffected(unaffected, series, ids, kind),
        counts=counts,
        in_weeks=True,
    )


def read_subscriptions(
    log: Spells, contacts: Any, kind: str, *, rewards: Sequence[str], unaffected: Any, attributes: Any
) -> TrialLog:
    """The parts of a log of contracts and its contacts: one occasion a month under contract."""
    names = ["customer_id", "start", "end", *log.covariates]
    spells = collect(as_lazy(log.frame).select(*names)).sort_values(["customer_id", "start"], ignore_index=True)
    ids = pd.Index(spells["customer_id"].unique()).sort_values()
    customer = ids.get_indexer(pd.Index(spells["customer_id"])).astype(np.int64)
    start = pd.to_datetime(spells["start"])
    begun = _months(start)
    if log.observation_start is not None:
        start = start.where(start >= pd.Timestamp(log.observation_start), pd.Timestamp(log.observation_start))
    beyond = pd.Timestamp(log.observation_end) + pd.Timedelta(1, "D")
    first = _months(start)
    end = pd.to_datetime(spells["end"])
    ended = _months(end.where(end < beyond, beyond))  # the month of the end is not whole
    length = np.maximum(ended - first, 0)
    who = np.repeat(customer, length)
    when = np.repeat(first, length) + np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    events = Series.of(who, when)
    kept = contacts if isinstance(contacts, Contacts) else read_contacts(contacts)
    _require_kinds(kept, (kind, *rewards))
    rows = _contact_rows(kept, ids)
    times = _months(rows["date"])
    by_kind = {name: rows["kind"].to_numpy() == name for name in kept.kinds}
    series = {name: _of_customers(rows, times, own) for name, own in by_kind.items()}
    joins, counts = _first_joins(rows, times, by_kind[kind])
    apart = {kind, *rewards, *([unaffected] if isinstance(unaffected, str) else [])}
    others = {name: each for name, each in series.items() if name not in apart}
    constant, dated = _attributes(attributes, ids, log.covariates, as_months=True)
    of_spells = in_numbers(spells[list(log.covariates)])
    dated = {name: Series.latest(customer, first - 1, values) for name, values in of_spells.items()} | dated
    return TrialLog(
        customers=ids,
        events=events,
        occasions=events,
        period=events.time,
        joins=joins,
        last=int(_months(pd.Series([beyond]))[0]) - 1,
        known=Known(
            events,
            others,
            False,
            False,
            constant,
            dated,
            Series.latest(customer, first - 1, np.asarray(begun, dtype=np.float64)),
        ),
        rewards=_rewards(rows, times, rewards),
        unaffected=_unaffected(unaffected, series, ids, kind, as_months=True),
        counts=counts,
        in_weeks=False,
    )


def _days(dates: pd.Series) -> NDArray[np.int64]:
    """Days since the origin."""
    return np.asarray((pd.to_datetime(dates) - ORIGIN).dt.days, dtype=np.int64)


def _day_number(day: Any) -> int:
    return int((pd.Timestamp(day) - ORIGIN).days)


def _months(dates: pd.Series) -> NDArray[np.int64]:
    """Months since the origin."""
    when = pd.to_datetime(dates)
    return np.asarray((when.dt.year - ORIGIN.year) * 12 + when.dt.month, dtype=np.int64)


def calendar_periods(days: NDArray[np.int64], every: str) -> NDArray[np.int64]:
    """The calendar period of each day as a whole number."""
    distinct, place = np.unique(days, return_inverse=True)
    periods = (ORIGIN + pd.to_timedelta(distinct, unit="D")).to_period(CALENDAR[every])
    return np.asarray([each.ordinal for each in periods], dtype=np.int64)[place]


def _require_kinds(contacts: Contacts, kinds: Sequence[str]) -> None:
    for name in kinds:
        if name not in contacts.kinds:
            raise ValueError(f"the contacts have no kind {name!r}; there are {', '.join(map(repr, contacts.kinds))}")


def _contact_rows(contacts: Contacts, ids: pd.Index) -> pd.DataFrame:
    """The contacts with ``customer``, the whole number of each; -1 for customers who are not in the log."""
    frame = as_lazy(contacts.frame)
    names = [name for name in ("customer_id", "date", "kind", "value") if name in frame.collect_schema().names()]
    if "customer_id" not in names:
        raise ValueError("the contacts have no customer_id; trials compare customers: read_contacts(customer_id='...')")
    rows = collect(frame.select(*names))
    rows = rows.assign(customer=_numbers_of(rows["customer_id"], ids))
    if "value" not in rows:
        rows["value"] = np.nan
    if not (rows["customer"] >= 0).any():
        example = f"{rows['customer_id'].iloc[0]} in the contacts, {ids[0]} in the log"
        raise ValueError(f"no customer_id of the contacts is in the log ({example}); write them alike in both")
    return rows


def _numbers_of(given: pd.Series, ids: pd.Index) -> NDArray[np.int64]:
    """The whole number of each customer, compared as text unless ids are numbers in both."""
    if pd.api.types.is_numeric_dtype(given) and pd.api.types.is_numeric_dtype(ids):
        return np.asarray(ids.get_indexer(pd.Index(given)), dtype=np.int64)
    return np.asarray(ids.astype(str).get_indexer(pd.Index(given.astype(str))), dtype=np.int64)


def _of_customers(rows: pd.DataFrame, times: NDArray[np.int64], own: NDArray[np.bool_]) -> Series:
    """The contacts of one kind."""
    own = own & (rows["customer"].to_numpy() >= 0)
    return Series.of(rows["customer"].to_numpy()[own], times[own])


def _first_joins(
    rows: pd.DataFrame, times: NDArray[np.int64], own: NDArray[np.bool_]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], dict[str, int]]:
    """The first join of each customer, and how many joins do not count."""
    known = own & (rows["customer"].to_numpy() >= 0)
    who, when = rows["customer"].to_numpy()[known], times[known]
    order = np.lexsort((when, who))
    first = np.concatenate([[True], np.diff(who[order]) > 0]) if len(order) else np.zeros(0, dtype=bool)
    joins = who[order][first], when[order][first]
    return joins, {UNKNOWN: int((own & ~known).sum()), REPEATED: int((~first).sum())}


def _rewards(rows: pd.DataFrame, times: NDArray[np.int64], kinds: Sequence[str]) -> Series | None:
    """Money given to customers by contacts of some kinds."""
    if not kinds:
        return None
    given = np.isin(rows["kind"].to_numpy(), list(kinds)) & (rows["customer"].to_numpy() >= 0)
    value = rows["value"].to_numpy(dtype=float)[given]
    missing = int(np.isnan(value).sum())
    if missing:
        raise ValueError(
            f"value is missing in {missing:,} of {len(value):,} contacts of the rewards ({', '.join(kinds)}); name its "
            "column in read_contacts(value='...'), and fill it in, with 0 where nothing was given"
        )
    return Series.of(rows["customer"].to_numpy()[given], times[given], value)


def _unaffected(
    stated: Any, contacts: Mapping[str, Series], ids: pd.Index, kind: str, *, as_months: bool = False
) -> Series | None:
    """Contacts of a kind, or purchases in another log, that the effort cannot touch."""
    if stated is None:
        return None
    if isinstance(stated, str) and stated == kind:
        raise ValueError(f"{kind!r} is what was joined: unaffected must be something that it cannot touch")
    if isinstance(stated, str) and stated in contacts:
        return contacts[stated]
    if isinstance(stated, str) and not Path(stated).exists():
        kinds = ", ".join(map(repr, contacts))
        raise ValueError(f"unaffected is neither a file nor a kind of contact: {stated!r}; kinds are {kinds}")
    bought = collect(purchases(as_transactions(stated)))
    who = _numbers_of(bought["customer_id"], ids)
    kept = who >= 0
    if not kept.any():
        raise ValueError("no customer of the unaffected purchases is in the log; write customer_id alike in both")
    times = _months(bought["period"]) if as_months else _days(bought["period"])
    return Series.of(who[kept], times[kept])


def _attributes(
    table: Any, ids: pd.Index, taken: Sequence[str] = (), *, as_months: bool = False
) -> tuple[dict[str, Array], dict[str, Series]]:
    """Numbers of customers that hold at any time, and those with a day from which they were known."""
    if table is None:
        return {}, {}
    names = column_names(table, "the attributes")
    own = [name for name in names if name not in ("customer_id", "date")]
    if not own:
        raise ValueError("the attributes have no column beside customer_id and date")
    known = [name for name in own if OWN_NAMES.fullmatch(name) or name in taken]
    if known:
        raise ValueError(f"{known[0]} is the name of a covariate that follows from the log; rename the attribute")
    kinds: Any = {"customer_id": "id"} | ({"date": "day"} if "date" in names else {})
    with naming(table):
        measured = measured_columns(table, own)
    numbers: Any = {name: "measure" if name in measured else "text" for name in own}
    rows = collect_table(table, [*kinds, *own], kinds | numbers, where="the attributes", hint="One row a customer.")
    who = _numbers_of(rows["customer_id"], ids)
    rows, who = rows[who >= 0], who[who >= 0]
    if "date" in names:
        without = int(rows["date"].isna().sum())
        if without:
            raise ValueError(f"date is missing in {without:,} of {len(rows):,} rows of the attributes; fill it in")
        time = _months(rows["date"]) if as_months else _days(rows["date"])
        twice = pd.Series(who * SPAN + time).duplicated()
        if twice.any() and not as_months:
            raise ValueError(
                f"the attributes have {int(twice.sum()):,} more rows than customers and days; give one row a customer "
                "and day"
            )
        columns = in_numbers(rows[own])
        return {}, {name: Series.latest(who, time, values) for name, values in columns.items()}
    twice = pd.Series(who).duplicated()
    if twice.any():
        raise ValueError(
            f"the attributes have {int(twice.sum()):,} more rows than customers; give one row a customer, or the day "
            "from which each was known (date)"
        )
    whole = rows[own].set_index(pd.Index(who)).reindex(range(len(ids)))
    missing = whole.isna().sum()
    if missing.any():
        name = str(missing.idxmax())
        alike = "" if len(who) else ": no customer_id of the attributes is in the log, write it alike in both"
        raise ValueError(
            f"attributes are missing for {int(missing.max()):,} of {len(ids):,} customers of the log ({name}){alike}; "
            "fill them in"
        )
    return in_numbers(whole), {}
