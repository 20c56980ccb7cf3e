"""What a file holds, by the names of its columns and their values: a first guess, for the user to check."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retention_models.tables.text_files import Layout

NO_LAYOUT: Layout = {}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Names of columns as people write them, without capitals, blanks, hyphens and underscores; the best first.
CUSTOMER = _words("""
    customeruniqueid customerid customer custid customernumber customerno kundennummer kundennr kundenid kunde
    clientid client userid user memberid memberno membernumber member subscriberid donorid donor constituentid
    householdkey household accountid account buyerid shopperid playerid contactid cardid customeremail
    emailaddress email
""")
DATE = _words("""
    date orderdate purchasedate transactiondate invoicedate orderpurchasetimestamp timestamp ts datetime
    orderedat paidat createdat createddate giftdate donationdate bookingdate bestelldatum rechnungsdatum datum
    day time
""")
AMOUNT = _words("""
    amount total totalamount ordertotal totalprice grandtotal amountpaid revenue sales salesvalue ordervalue
    spend spent value turnover netsales subtotal giftamount gift betrag umsatz summe donation paid price
""")
NO_AMOUNT = _words("discount tax shipping fee refund rabatt versand")  # in names of other money
QUANTITY = _words("quantity qty units lineitemquantity menge anzahl items")
UNIT_PRICE = _words("unitprice itemprice lineitemprice einzelpreis price")
ORDER = _words("""
    orderid ordernumber orderno order invoiceno invoice invoiceid transactionid
""")
STATUS = _words("status orderstatus financialstatus paymentstatus state")
START = _words("""
    start startdate contractstart begin begun beginn signupdate signup joindate joined subscribedat
    activationdate activatedat validfrom membershipstart registered startedat optintime optin vertragsbeginn
""")
END = _words("""
    end enddate contractend ended endedat ende cancellationdate cancelled canceled cancelledat canceledat
    churndate churnedat leavedate terminationdate terminated validto validuntil expirydate unsubtime
    unsubscribedat vertragsende kuendigung
""")
TENURE = _words("""
    tenure tenuremonths tenureinmonths monthsactive duration lifetime accountlength accountage accountagedays
    tenuredays dayssincesignup
""")
CHURNED = _words("""
    churned churn churnvalue churnlabel ischurned haschurned attrition exited attritionflag customerstatus
    event
""")
CAUSE = _words("cause churnreason cancellationreason endreason reason")
ARM = _words("""
    arm variant testgroup treatment experimentgroup abgroup version cell group segment
""")
UNTREATED = _words("control none no nothing untreated holdout baseline placebo")  # first words of arms
OUTCOME = _words("""
    bought converted conversion purchased retained retention7 retention1 visit visited purchases response
    clicked
""")
RECEIVED, REDEEMED = _words("received delivered"), _words("redeemed redemptions")
CURRENCY = ("currency", "currencycode", "ccy", "presentmentcurrency")
BEFORE = ("before", "pre", "prior", "previous")
LEAST_READABLE = 0.9  # of the values of a column of days or numbers
FEW = range(2, 21)  # values of a column that tells arms, or states, apart
FEW_REPEATS = 0.05  # of the rows: if more customers are repeated, each row is no customer of a test
SOME = 5  # of them that a remark shows


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file seems to hold.

    Attributes
    ----------
    file, section
        The file, and its section in a project file.
    layout
        How the file is laid out, where that must be stated.
    columns
        The column, or columns, for each role.
    remarks
        What to know of a key, in words, such as the values of columns that conditions may use.
    currency
        The currency that a column says, if it says one.
    arms
        The arms of a test, the largest first.
    """

    file: Path
    section: str
    layout: Layout
    columns: Mapping[str, str | bool | list[str]]
    remarks: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    arms: tuple[str, ...] = ()

    @property
    def control(self) -> str | None:
        """The arm that goes by the name of a control, if one does."""
        named = [arm for arm in self.arms if arm.casefold().replace("-", " ").split(" ")[0] in UNTREATED]
        return named[0] if len(named) == 1 else None


@dataclass(frozen=True, slots=True)
class _File:
    """A file with its layout, as readers open it, and the names of its columns."""

    path: Path
    source: Any
    names: Sequence[str]

    def rows(self, name: str, kind: Any) -> Any:
        """A column of the file, read as some kind of values."""
        from retention_models.tables.engines import open_log
        from retention_models.tables.files import naming

        with naming(self.source):
            return open_log(self.source, [name], {name: kind}).lazy()

    def counts(self, name: str, kind: Any, **counted: Any) -> Any:
        """What is counted of a column, as a row of numbers."""
        from retention_models.tables.files import naming
        from retention_models.tables.frames import collect

        with naming(self.source):
            return collect(self.rows(name, kind).select(**counted)).iloc[0]

    def is_readable(self, name: str, kind: str) -> bool:
        """Whether nearly all values of a column are days or numbers, or could be in more than one way."""
        import narwhals as nw

        from retention_models.tables.text_forms import TwoMeaningsError

        filled = (~nw.col(name).is_null()).cast(nw.Int64).sum()
        try:
            found = self.counts(name, kind, filled=filled, rows=nw.len())
        except TwoMeaningsError:
            return True
        except ValueError:  # of days, those that can be read come first
            return kind != "day"
        return bool(found["filled"] >= LEAST_READABLE * found["rows"] > 0)

    def values(self, name: str) -> dict[str, int]:
        """The distinct values of a column and their numbers of rows, most frequent first; some of them if many."""
        import narwhals as nw

        from retention_models.tables.files import naming
        from retention_models.tables.frames import collect

        with naming(self.source):
            counts = collect(self.rows(name, "text").select(name).group_by(name).agg(rows=nw.len())).dropna()
        ordered = counts.sort_values(["rows", name], ascending=[False, True])
        return {str(value): int(n) for value, n in ordered.head(FEW.stop).itertuples(index=False)}

    def repeats(self, name: str) -> float:
        """The share of rows whose value stands in an earlier row, too."""
        import narwhals as nw

        found = self.counts(name, "text", rows=nw.len(), distinct=nw.col(name).n_unique())
        return 1 - float(found["distinct"]) / max(float(found["rows"]), 1)


def guess(path: Path, layout: Layout) -> Guess:
    """What a file holds: purchases, contracts, a test or a register of efforts, and which column is what."""
    layout, source, names = _open(path, layout)
    if {"effort", "kind"} <= set(names):
        return Guess(path, "register", layout, {})
    file = _File(path, source, names)
    found = _guess_contracts(file) or _guess_experiment(file) or _guess_purchases(file)
    return replace(found, layout=layout)


def _open(path: Path, stated: Layout) -> tuple[Layout, Any, list[str]]:
    """The layout of a file, as stated or as it seems to be, the file with it, and the names of its columns."""
    from retention_models.tables.engines import column_names
    from retention_models.tables.text_files import EncodingError, look_like_values, with_layout

    layout = stated.copy()
    try:
        names = column_names(with_layout(path, **layout))
    except EncodingError:
        layout["encoding"] = "cp1252"
        names = column_names(with_layout(path, **layout))
    if len(names) == 1 and " " in names[0].strip() and "separator" not in layout:
        layout["separator"] = "space"
        names = column_names(with_layout(path, **layout))
    if look_like_values(names) and "no_header" not in layout:
        layout["no_header"] = True
        names = column_names(with_layout(path, **layout))
    return layout, with_layout(path, **layout), names


def _guess_contracts(file: _File) -> Guess | None:
    from retention_models.logs.contracts.tenures import unit_in_name

    start, end = _find(START, file.names), _find(END, file.names)
    if start and end and file.is_readable(start, "day"):
        roles = {"customer_id": _find((*CUSTOMER, "subscriptionid", "contractid", "id"), file.names), "start": start}
        roles |= {"end": end, "cause": _find(CAUSE, file.names)}
        return Guess(file.path, "contracts", NO_LAYOUT, _found(roles))
    tenure, churned = _find(TENURE, file.names), _find(CHURNED, file.names)
    if not (tenure and churned):
        return None
    roles = {"tenure": tenure, "churned": churned, "tenure_unit": unit_in_name(tenure)}
    return Guess(file.path, "contracts", NO_LAYOUT, _found(roles))


def _guess_experiment(file: _File) -> Guess | None:
    arm, customer = _find(ARM, file.names), _find(CUSTOMER, file.names)
    if not arm or len(arms := file.values(arm)) not in FEW:
        return None
    if customer and file.repeats(customer) > FEW_REPEATS:
        return None
    numbers = [name for name in file.names if name not in (arm, customer) and file.is_readable(name, "measure")]
    outcomes = [name for word in OUTCOME for name in numbers if _spelling(name) == word]
    amount = _find(AMOUNT, [name for name in numbers if not any(word in _spelling(name) for word in NO_AMOUNT)])
    outcomes += [amount] if amount and not outcomes else []
    if not outcomes:
        return None
    roles: dict[str, Any] = {"arm": arm, "outcome": outcomes, "amount": amount, "customer_id": customer}
    roles |= {"received": _find(RECEIVED, numbers), "redeemed": _find(REDEEMED, numbers)}
    spelt = {name: _spelling(name) for name in numbers}
    roles["covariate"] = [name for name, text in spelt.items() if text.startswith(BEFORE) or text.endswith(BEFORE)]
    return Guess(file.path, "experiment", NO_LAYOUT, _found(roles), {"arms": _counts_text(arms)}, arms=tuple(arms))


def _guess_purchases(file: _File) -> Guess:
    customer = _find(CUSTOMER, file.names) or _find(("id",), file.names, lambda name: file.repeats(name) > 0)
    date = _find(DATE, file.names, lambda name: file.is_readable(name, "day"), others=True)
    money = [name for name in file.names if not any(word in _spelling(name) for word in NO_AMOUNT)]
    others = [name for name in money if name not in (customer, date)]
    amount = _find(AMOUNT, others, lambda name: file.is_readable(name, "number"))
    if file.names[0] == "1":  # no column has a name: the first is mostly the customer's, and the last the money
        customer = next((name for name in file.names if name != date and file.repeats(name) > 0), None)
        others = [name for name in reversed(file.names) if name not in (customer, date)]
        amount = next((name for name in others if file.is_readable(name, "number")), None)
    quantity, unit_price = _find(QUANTITY, file.names), _find(UNIT_PRICE, file.names)
    roles: dict[str, Any] = {"customer_id": customer, "date": date}
    by_item = quantity and unit_price and amount in (None, unit_price)
    roles |= {"quantity": quantity, "unit_price": unit_price} if by_item else {"amount": amount}
    remarks = {}
    if customer and date and not amount and not by_item:
        roles["no_amount"] = True
        remarks["no_amount"] = "guessed; no column of money was found"
    telling = {name: file.values(name) for name in file.names if _spelling(name) in (*STATUS, *CURRENCY)}
    telling = {name: values for name, values in telling.items() if len(values) in FEW}
    if telling:
        remarks["where"] = "; ".join(f"{name}: {_counts_text(values)}" for name, values in telling.items())
    order = _find(ORDER, [name for name in file.names if name != customer])
    if amount and order and not by_item and file.repeats(order) > FEW_REPEATS:
        remarks["amount"] = f"guessed; orders ({order}) have several rows: is it the amount of a row, not of an order?"
    if customer and not file.repeats(customer):
        remarks["customer_id"] = "guessed; but no value of it occurs twice: is it the id of an order?"
    currency = _find(CURRENCY, file.names)
    currencies = list(file.values(currency)) if currency else []
    return Guess(
        file.path, "purchases", NO_LAYOUT, _found(roles), remarks, currencies[0] if len(currencies) == 1 else None
    )


def _found(roles: Mapping[str, Any]) -> dict[str, str | bool | list[str]]:
    return {role: column for role, column in roles.items() if column}


def _find(
    words: Sequence[str], names: Sequence[str], test: Callable[[str], bool] | None = None, *, others: bool = False
) -> str | None:
    """The column that is called by the first word, else whose name ends in it; None if there is none.

    With a ``test`` the first that passes it, and with ``others`` any other that does.
    """
    spelt = {name: _spelling(name) for name in names}
    found = [name for word in words for name in names if spelt[name] == word]
    found += [name for word in words if len(word) > 3 for name in names if spelt[name].endswith(word)]
    found += list(names) if others else []
    return next((name for name in found if test is None or test(name)), None)


def _spelling(name: str) -> str:
    from retention_models.tables.engines import spelling

    return re.sub(r"\(.*?\)", "", spelling(name))


def _counts_text(values: Mapping[str, int]) -> str:
    text = ", ".join(f"{value} ({n:,} rows)" for value, n in list(values.items())[:SOME])
    return f"{text}, ..." if len(values) > SOME else text
