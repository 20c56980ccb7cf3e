"""The rows of a contract log: the columns wanted, with dates, and without the rows that cannot count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import counted
from retention_models.logs.contracts.spells import Rows, contract_faults, number_days, read_ends, starts_after
from retention_models.logs.set_aside import check_rows_that_count, tally
from retention_models.tables.currencies import currency_column
from retention_models.tables.engines import forms_of, open_log, reading_facts, settle, unread_hint
from retention_models.tables.files import Kind
from retention_models.tables.frames import collect, keep_rows, on_engine
from retention_models.tables.text_forms import Stated, formats_in_words

Unread = Callable[[Sequence[str]], str]  # what to do about columns with values that cannot be read
OWN_NAMES = {
    *(
        "customer_id",
        "spell",
        "start",
        "end",
        "entry",
        "tenure",
        "churned",
        "cause",
        "cohort",
        "at_risk",
        "lost",
        "date",
    ),
    *(
        "end_words",
        "unread_end",
        "said_open",
        "first_day",
        "last_day",
        "reach",
        "before",
        "begins",
        "overlaps",
        "latest",
        "in_view",
        "later",
    ),
}  # of columns of the spells, and of those on the way to them
PRICE = "price"
KINDS: dict[str, Kind] = {
    **{"customer_id": "id", "start": "day", "end": "day", "end_words": "words", "cause": "text", PRICE: "number"},
}


def open_contracts(
    source: Any,
    roles: Mapping[str, str],
    covariates: tuple[str, ...],
    time_zone: str | None,
    stated: Stated,
    price: str | None = None,
) -> tuple[Rows, dict[str, str], Unread]:
    """The columns of the log under the names of this package, with numbered days, and the form of days in text.

    Last comes a function that says what to do about columns with values that cannot be read.
    """
    check_names(roles, covariates, own_names=OWN_NAMES | ({PRICE} if price else set()))
    priced = {PRICE: price, **currency_column(source)} if price else {}
    columns = {**roles, "end_words": roles["end"], **{name: name for name in covariates}, **priced}
    kinds: dict[str, Kind] = {**dict.fromkeys(columns, "value"), **KINDS}
    hint = "Say which is which: customer_id=..., start=..., end=..., cause=..., covariates=..., price=..."
    forms = forms_of(source, columns, kinds, stated, hint=hint)
    frame = open_log(source, columns, kinds, hint=hint, time_zone=time_zone, forms=forms)

    def unread(names: Sequence[str]) -> str:
        return unread_hint(source, columns, kinds, forms, names)

    numbered = keep_rows(number_days(on_engine(read_ends(frame).to_native())), source)
    return numbered, formats_in_words(forms, {**roles, **priced}), unread


def check_names(
    roles: Mapping[str, str], covariates: tuple[str, ...], *, own_names: Collection[str] = OWN_NAMES
) -> None:
    """An error where a column has two parts, or a covariate a name that columns on the way to the spells have."""
    for role, name in roles.items():
        others = [other for other, theirs in roles.items() if theirs == name and other != role]
        if others:
            raise ValueError(f"column {name!r} cannot be {role} and {others[0]} at once; name two different columns")
    taken = sorted(name for name in covariates if name in own_names or name.startswith("_"))
    if taken:
        raise ValueError(
            f"covariates {', '.join(taken)}: the spells have columns of that name, or that begin with _; rename these"
        )
    twice = [name for name in covariates if name in roles.values()]
    if twice:
        raise ValueError(f"covariates {', '.join(twice)}: the column already has another role")


def select_usable(
    log: Rows, roles: Mapping[str, str], until: dt.date, time_zone: str | None, max_set_aside: float, unread: Unread
) -> tuple[Rows, dict[str, int], Check]:
    """The contracts that can count, the number of others by reason, and whether nearly all count."""
    faults = contract_faults(until)
    counts, faulty = {"rows": nw.len()}, nw.lit(False)
    for reason, fault in faults.items():
        counts[reason] = tally(fault & ~faulty)
        faulty = faulty | fault
    facts = collect(log.select(**counts, **reading_facts(log, faulty))).iloc[0]
    settled = settle(log, facts, roles, time_zone).lazy()
    set_aside = {reason: int(facts[reason]) for reason in faults if facts[reason]}
    if facts["rows"] == 0:
        raise ValueError("the log has no rows")
    broken = {reason: count for reason, count in set_aside.items() if reason != starts_after(until)}
    hint = unread([name for name in ("start", "end") if f"rows without a readable {name}" in broken])
    require_some(int(facts["rows"]) - sum(set_aside.values()), set_aside, hint)
    check = check_rows_that_count(broken, int(facts["rows"]), max_set_aside, hint=hint)
    return settled.filter(~reduce(or_, faults.values())), set_aside, check


def require_some(rows: int, set_aside: Mapping[str, int], hint: str = "") -> None:
    """An error where nothing is left, with what was set aside and what to do about it."""
    if rows == 0:
        raise ValueError(f"no contract can be used: {counted(set_aside)}{hint}")


def scalars(frame: Rows, /, **expressions: nw.Expr) -> dict[str, int]:
    """Whole numbers about all rows together; 0 where there is none."""
    found = collect(frame.select(**expressions)).iloc[0]
    return {str(name): 0 if pd.isna(value) else int(value) for name, value in found.items()}
