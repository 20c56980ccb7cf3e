"""The efforts of a company as people write them down: one row an effort, checked when it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_whole
from retention_models.tables.engines import collect_table, column_names
from retention_models.tables.files import naming
from retention_models.tables.text_files import EncodingError
from retention_models.tables.text_forms import TwoMeaningsError

KINDS = (
    "loyalty programme",
    "discount",
    "points",
    "members' offer",
    "e-mail",
    "print",
    "social",
    "service",
    "quality",
    "training",
    "self-service",
    "satisfaction",
    "welcome",
    "referral",
    "win-back",
    "acquisition",
)
TEXTS = ("effort", "department", "owner", "kind", "contact_point", "population", "evidence")
DAYS = ("started", "ends", "review_date")
AMOUNTS = ("fixed_cost", "cost_per_contact", "contacts", "reach")
COLUMNS = (*TEXTS, *DAYS, *AMOUNTS)
REQUIRED = ("effort", "kind")
COSTS = ("fixed_cost", "cost_per_contact")
CODE, SIGN = re.compile("[A-Z]{3}"), re.compile("[A-Z]{3}|[$€£¥₹]")
SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR"}  # others belong to several currencies
PLAIN = ("programme", "program")  # British and American
NOBODY = ("?", "-", "n/a", "na", "none", "nobody", "tbd", "unknown")  # how files say that a field is not known
NO_END = 9999  # the year of an end by which programs say that there is none
WHERE = "the register"
HINT = f"A register has the columns {', '.join(COLUMNS)}; only effort and kind are required."


def read_efforts(source: Any, *, customers: int | None, owners: Sequence[str] | None, currency: str) -> pd.DataFrame:
    """The efforts, indexed by ``effort``, with ``cost_per_year``; columns that are not there are empty.

    Columns of other names stay as they are.

    Raises
    ------
    ValueError
        When a column is missing or misspelt, an effort stands twice, or a value breaks a rule. The error names column,
        effort, value and remedy.
    """
    with plain_remedies(), naming(source):
        names = column_names(source, WHERE)
        _require_columns(names)
        read = _read(source, names, currency)
        _require_values(read, customers, owners)
    efforts = read.set_index("effort")
    contacts = efforts["contacts"].fillna(efforts["reach"])
    per_contact = efforts["cost_per_contact"]
    variable = (per_contact * contacts).where(per_contact.gt(0), per_contact)
    known = efforts["fixed_cost"].notna() | per_contact.notna()
    spent = efforts["fixed_cost"].fillna(0.0) + variable.where(per_contact.notna(), 0.0)
    return efforts.assign(cost_per_year=spent.where(known))


@contextmanager
def plain_remedies() -> Iterator[None]:
    """Errors of files that people write say how to write them, since their readers have no options for other forms."""
    try:
        yield
    except EncodingError:
        raise ValueError(f"{WHERE} is not written in UTF-8; save it as UTF-8, in Excel as “CSV UTF-8”") from None
    except TwoMeaningsError as error:
        raise ValueError(f"{error.problem}. Write days like 2026-12-31, and numbers like 1234.5") from None


def read_kind(text: str) -> str:
    """The kind that a text names: blanks, hyphens, apostrophes, capitals and a plural do not matter.

    A text that names none stays as it is.
    """
    return {_bare(kind): kind for kind in KINDS}.get(_bare(text), text)


def _bare(kind: str) -> str:
    return "".join(filter(str.isalnum, kind.casefold())).replace(*PLAIN).removesuffix("s")


def _require_columns(names: Sequence[str]) -> None:
    for name in names:
        alike = get_close_matches(name.lower().replace(" ", "_"), COLUMNS, 1, 0.8)
        if name not in COLUMNS and alike and alike[0] not in names:
            raise ValueError(f"{WHERE} has a column {name!r}; rename it to {alike[0]!r} if that is meant. {HINT}")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise ValueError(f"{WHERE} has no column {missing[0]!r}; it has {', '.join(names)}. {HINT}")


def _read(source: Any, names: Sequence[str], currency: str) -> pd.DataFrame:
    """Texts, days and numbers, each next to what stands in the file, so that nothing unreadable is lost."""
    given = {name: f"{name} as written" for name in (*DAYS, *AMOUNTS) if name in names}
    kinds = dict.fromkeys(TEXTS, "text") | dict.fromkeys(DAYS, "day") | dict.fromkeys(AMOUNTS, "number")
    columns = {name: name for name in names} | {written: name for name, written in given.items()}
    every: Any = {name: kinds.get(name, "value") for name in columns}
    read = collect_table(source, columns, every, where=WHERE, hint=HINT)
    for name in TEXTS:
        read[name] = _text(read[name]) if name in read else ""
    read["kind"] = read["kind"].map(read_kind)
    for name in DAYS:
        read[name] = pd.to_datetime(read[name]).dt.normalize() if name in read else pd.Series(pd.NaT, read.index)
    for name in AMOUNTS:
        read[name] = read[name].astype(float) if name in read else np.nan
    for name, written in given.items():
        what = "a day such as 2026-12-31" if name in DAYS else "a number"
        refuse_rows(read, name, read[name].isna() & _text(read[written]).ne(""), f"must be {what}, or empty", written)
    _require_one_currency(read, [name for name in COSTS if name in given], given, currency)
    read["ends"] = read["ends"].where(read["ends"].dt.year != NO_END)
    others = [name for name in names if name not in COLUMNS]
    return read[[*COLUMNS, *others]].reset_index(drop=True)


def _require_one_currency(read: pd.DataFrame, costs: Sequence[str], given: Mapping[str, str], currency: str) -> None:
    """An error where costs are written in two currencies, or in another than that of the register."""
    first = {currency: "the register"} if CODE.fullmatch(currency) else {}
    for name in costs:
        signs = _text(read[given[name]]).str.extract(f"({SIGN.pattern})")[0].map(lambda sign: SIGNS.get(sign, sign))
        first |= {sign: name for sign in signs.dropna() if sign not in first}
    if len(first) > 1:
        said = " and ".join(f"{sign} ({place})" for sign, place in first.items())
        raise ValueError(f"the costs are in several currencies, {said}; convert them to one, and write numbers only")


def _text(column: pd.Series) -> pd.Series:
    """Names without blanks around them; what says that nothing is known is empty."""
    text = column.astype("string").fillna("").str.strip()
    return text.where(~text.str.lower().isin((*NOBODY, "nan", "nat")), "").astype(object)


def _require_values(read: pd.DataFrame, customers: int | None, owners: Sequence[str] | None) -> None:
    if read.empty:
        raise ValueError(f"{WHERE} has no row. {HINT}")
    effort = read["effort"]
    rows = [f"row {number}" for number in range(1, len(read) + 1)]
    unnamed = "must name the effort; name it, or delete a row that is empty"
    refuse_rows(read.assign(effort=rows, named=effort), "effort", effort.eq(""), unnamed, "named")
    twice = effort.map(str.casefold).duplicated(keep=False)
    refuse_rows(read, "effort", twice, "must stand once; give each row a name of its own, or delete one of them")
    kinds = f"must be one of {', '.join(KINDS)}"
    refuse_rows(read, "kind", ~read["kind"].isin(KINDS), kinds)
    if owners is not None:
        if isinstance(owners, str):
            raise TypeError(f"owners must be a list of names, not the text {owners!r}")
        allowed = f"must be one of the owners {', '.join(owners)}, or empty"
        refuse_rows(read, "owner", read["owner"].ne("") & ~read["owner"].isin(owners), allowed)
    for name in AMOUNTS:
        bad = ~(read[name].fillna(0) >= 0) | np.isinf(read[name])
        refuse_rows(read, name, bad, "must be a finite number, 0 or more, or empty if it is not known")
    whole = read["reach"].fillna(0) % 1 != 0
    refuse_rows(read, "reach", whole, "must be a whole number of customers")
    refuse_rows(read, "ends", read["ends"] < read["started"], "must not come before started; were the days exchanged?")
    reviewed = read["review_date"] < read["started"]
    refuse_rows(read, "review_date", reviewed, "must not come before started; were the days exchanged?")
    if customers is not None:
        require_whole("customers", customers, 1)
        base = f"must not be above the {customers:,} customers there are; state customers a year, not contacts"
        refuse_rows(read, "reach", read["reach"] > customers, base)


def refuse_rows(
    read: pd.DataFrame, name: str, bad: pd.Series, rule: str, written: str | None = None, *, what: str = "efforts"
) -> None:
    """A ValueError that says column, rule, count, first effort and value, unless no row is bad."""
    if not bad.any():
        return
    first = read[bad].iloc[0]
    value = first[written or name]
    value = str(value.date()) if isinstance(value, pd.Timestamp) else value
    shown = "nothing" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else repr(value)
    raise ValueError(
        f"{name} {rule}, which fails for {bad.sum():,} of {len(read):,} {what} (first: {first['effort']}, with {shown})"
    )
