"""What a file holds, by the names of its columns and their values: a first guess, for the user to check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

# Names of columns as people write them, without capitals, blanks, hyphens and underscores; the best first.
CUSTOMER = (
    *("customerid", "customer", "custid", "customernumber", "customerno", "clientid", "client", "userid", "user"),
    *("memberid", "member", "subscriberid", "donorid", "donor", "householdkey", "household", "accountid", "account"),
    *("buyerid", "shopperid", "playerid", "contactid", "cardid", "customeremail", "emailaddress", "email"),
)
DATE = (
    *("date", "orderdate", "purchasedate", "transactiondate", "invoicedate", "orderpurchasetimestamp", "timestamp"),
    *("ts", "datetime", "orderedat", "paidat", "createdat", "giftdate", "donationdate", "bookingdate", "day", "time"),
)
AMOUNT = (
    *("amount", "total", "totalamount", "ordertotal", "totalprice", "grandtotal", "amountpaid", "revenue", "sales"),
    *("salesvalue", "ordervalue", "spend", "spent", "value", "turnover", "netsales", "subtotal", "giftamount", "gift"),
    *("donation", "paid", "price"),
)
QUANTITY = ("quantity", "qty", "units", "lineitemquantity", "items")
UNIT_PRICE = ("unitprice", "itemprice", "lineitemprice", "price")
STATUS = ("status", "orderstatus", "financialstatus", "paymentstatus", "state")
START = (
    *("start", "startdate", "contractstart", "begin", "begun", "signupdate", "signup", "joindate", "joined"),
    *("subscribedat", "activationdate", "activatedat", "validfrom", "membershipstart", "registered", "startedat"),
)
END = (
    *("end", "enddate", "contractend", "ended", "endedat", "cancellationdate", "cancelled", "canceled", "cancelledat"),
    *("canceledat", "churndate", "churnedat", "terminationdate", "terminated", "validto", "validuntil", "expirydate"),
)
TENURE = ("tenure", "tenuremonths", "tenureinmonths", "monthsactive", "duration", "lifetime", "accountlength")
CHURNED = ("churned", "churn", "churnvalue", "churnlabel", "attrition", "exited", "attritionflag", "event")
CAUSE = ("cause", "churnreason", "cancellationreason", "endreason", "reason")
ARM = ("arm", "variant", "testgroup", "treatment", "experimentgroup", "abgroup", "cell", "group", "segment")
OUTCOME = ("bought", "converted", "conversion", "purchased", "retained", "visit", "visited", "purchases", "response")
RECEIVED, REDEEMED = ("received", "delivered"), ("redeemed", "redemptions")
CURRENCY = ("currency", "currencycode", "ccy", "presentmentcurrency")
BEFORE = ("before", "pre", "prior", "previous")
LEAST_READABLE = 0.9  # of the values of a column of days or numbers
FEW = range(2, 21)  # values of a column that tells arms, or states, apart
SOME = 5  # of them that a remark shows


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file seems to hold.

    Attributes
    ----------
    file, section
        The file, and its section in a project file.
    columns
        The column, or columns, for each role.
    remarks
        What the file shows of a key, in words, such as the values of a column that conditions may use.
    currency
        The currency that a column says, if it says one.
    arms
        The arms of a test, the largest first.
    """

    file: Path
    section: str
    columns: Mapping[str, str | list[str]]
    remarks: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    arms: tuple[str, ...] = ()


def guess(file: Path) -> Guess:
    """What a file holds: purchases, contracts or a test, and which column is what."""
    from retention_models.tables.engines import column_names

    names = column_names(file)
    return _guess_contracts(file, names) or _guess_experiment(file, names) or _guess_purchases(file, names)


def _guess_contracts(file: Path, names: Sequence[str]) -> Guess | None:
    start, end = _find(START, names), _find(END, names)
    if start and end and _readable(file, start, "day"):
        roles = {"customer_id": _find((*CUSTOMER, "subscriptionid", "contractid", "id"), names), "start": start}
        roles |= {"end": end, "cause": _find(CAUSE, names)}
        return Guess(file, "contracts", _found(roles))
    tenure, churned = _find(TENURE, names), _find(CHURNED, names)
    if tenure and churned and _readable(file, tenure, "number"):
        return Guess(file, "contracts", {"tenure": tenure, "churned": churned})
    return None


def _guess_experiment(file: Path, names: Sequence[str]) -> Guess | None:
    arm, customer = _find(ARM, names), _find(CUSTOMER, names)
    if not arm or len(_values(file, arm)) not in FEW:
        return None
    if customer and _has_repeats(file, customer):
        return None
    numbers = [name for name in names if name not in (arm, customer) and _readable(file, name, "measure")]
    amount = _find(AMOUNT, numbers)
    outcomes = [name for word in OUTCOME if (name := _find((word,), numbers))]
    outcomes += [amount] if amount and not outcomes else []
    if not outcomes:
        return None
    roles: dict[str, Any] = {"arm": arm, "outcome": outcomes, "amount": amount, "customer_id": customer}
    roles |= {"received": _find(RECEIVED, numbers), "redeemed": _find(REDEEMED, numbers)}
    roles["covariate"] = [
        name for name in numbers if _spelling(name).startswith(BEFORE) or _spelling(name).endswith(BEFORE)
    ]
    arms = _values(file, arm)
    return Guess(file, "experiment", _found(roles), {"arms": _counts_text(arms)}, arms=tuple(arms))


def _guess_purchases(file: Path, names: Sequence[str]) -> Guess:
    date = _find(DATE, names, partial(_readable, file, kind="day"))
    amount = _find(AMOUNT, [name for name in names if name != date], partial(_readable, file, kind="number"))
    quantity, unit_price = _find(QUANTITY, names), _find(UNIT_PRICE, names)
    roles = {"customer_id": _find(CUSTOMER, names), "date": date}
    by_item = quantity and unit_price and (amount is None or amount == unit_price)
    roles |= {"quantity": quantity, "unit_price": unit_price} if by_item else {"amount": amount}
    status, currency = _find(STATUS, names), _find(CURRENCY, names)
    states = _values(file, status) if status else {}
    currencies = list(_values(file, currency)) if currency else []
    remarks = {"where": f"{status}: {_counts_text(states)}"} if len(states) in FEW else {}
    if len(currencies) > 1:
        remarks["where"] = f"{currency}: {_counts_text(_values(file, str(currency)))}"
    return Guess(file, "purchases", _found(roles), remarks, currencies[0] if len(currencies) == 1 else None)


def _found(roles: Mapping[str, Any]) -> dict[str, str | list[str]]:
    return {role: column for role, column in roles.items() if column}


def _find(words: Sequence[str], names: Sequence[str], test: Callable[[str], bool] | None = None) -> str | None:
    """The column that is called by the first word, else whose name ends in it or begins with it; None if there is none.

    With a ``test``, the first that passes it, else the first.
    """
    spelt = {name: _spelling(name) for name in names}
    same = [name for word in words for name in names if spelt[name] == word]
    alike = [name for word in words if len(word) > 3 for name in names if spelt[name].endswith(word)]
    alike += [name for word in words if len(word) > 3 for name in names if spelt[name].startswith(word)]
    found = [*same, *alike]
    passing = [name for name in found if test is None or test(name)]
    return next(iter([*passing, *found]), None)


def _spelling(name: str) -> str:
    from retention_models.tables.engines import spelling

    return spelling(name)


def _readable(file: Path, name: str, kind: Any) -> bool:
    """Whether nearly all values of a column are days or numbers, or could be in more than one way."""
    import narwhals as nw

    from retention_models.tables.engines import open_log
    from retention_models.tables.frames import collect

    try:
        rows = open_log(file, [name], {name: kind}).lazy()
    except ValueError:
        return True
    filled = (~nw.col(name).is_null()).cast(nw.Int64).sum()
    share = collect(rows.select(filled=filled, rows=nw.len())).iloc[0]
    return bool(share["filled"] >= LEAST_READABLE * share["rows"] > 0)


def _values(file: Path, name: str) -> dict[str, int]:
    """The distinct values of a column and their numbers of rows, most frequent first; none if there are many."""
    import narwhals as nw

    from retention_models.tables.engines import open_log
    from retention_models.tables.frames import collect

    with suppress(ValueError):
        rows = open_log(file, [name], {name: "text"}).lazy().select(name)
        counts = collect(rows.group_by(name).agg(rows=nw.len())).dropna()
        ordered = counts.sort_values(["rows", name], ascending=[False, True])
        return {str(value): int(n) for value, n in ordered.head(FEW.stop).itertuples(index=False)}
    return {}


def _has_repeats(file: Path, name: str) -> bool:
    import narwhals as nw

    from retention_models.tables.engines import open_log
    from retention_models.tables.frames import collect

    rows = open_log(file, [name], {name: "text"}).lazy()
    counts = collect(rows.select(rows=nw.len(), customers=nw.col(name).n_unique())).iloc[0]
    return bool(counts["customers"] < counts["rows"])


def _counts_text(values: Mapping[str, int]) -> str:
    return ", ".join(f"{value} ({n:,} rows)" for value, n in list(values.items())[:SOME])
