"""What customers choose: the options of the command that takes joins, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from retention_models.cli.experiment import REGISTER_FILE
from retention_models.cli.options import CURRENCY, LEVEL, Option, given, margin, number, whole
from retention_models.cli.sources import Known, Source

_COLUMNS = (
    Option("purchases", "FILE", "the log of orders", Path),
    Option("customer_id", "COLUMN", "the customer, in both files (default: customer_id)"),
    Option("date", "COLUMN", "the day, in both files (default: date)"),
    Option("amount", "COLUMN", "money of an order (default: none)"),
    Option("kind", "COLUMN", "kind of contact in the file of joins (default: each row is a join)"),
    Option("joined", "WORD", "the kind that is a join (default: the most frequent)"),
    Option("value", "COLUMN", "money that a contact gave to the customer, such as a discount"),
    Option("rewards", "WORD", "kind of contact whose value is a cost"),
)
_TRIALS = (
    Option("outcome", "NAME", "(default: orders)", choices=("orders", "bought", "amount", "retained")),
    Option("horizon", "WEEKS", "weeks behind the day of joining (default: 12)", whole),
    Option("every", "LETTER", "D, W or M: customers are compared within it (default: W)", choices=("D", "W", "M")),
    Option("unaffected", "FILE", "a log of purchases that the effort cannot touch", Path),
)
_MONEY = (
    Option("effort", "NAME", "name of the effort, as in the register (default: club)"),
    Option("margin", "SHARE", "share of an amount that is earned", margin),
    Option("price", "AMOUNT", "earned by one more order or buyer", number),
    Option("running_cost", "AMOUNT", "of a member within the horizon, without rewards", number),
    Option("reach", "N", "customers who would join in a year", whole),
    CURRENCY,
    REGISTER_FILE,
)


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.interventions.designs.trials import target_trials
    from retention_models.interventions.efforts.register_file import read_register
    from retention_models.logs.contacts.contact_log import read_contacts
    from retention_models.logs.transactions.read_log import read_transactions
    from retention_models.tables.engines import column_names
    from retention_models.value.terms import Terms

    if options.purchases is None:
        raise ValueError("joins need purchases=, the log of orders")
    if options.register is not None:
        read_register(options.register)
    columns = given(options, ("customer_id", "date"))
    log = read_transactions(options.purchases, **columns, amount=options.amount)
    if options.kind is None and "kind" in column_names(options.joins, "the joins"):
        raise ValueError("the joins have a column kind: say which kind is a join, kind=kind and joined=...")
    if options.outcome == "amount" and options.amount is None:
        raise ValueError("the outcome amount needs the column of the amount: amount=...")
    if options.margin is not None and options.price is None and options.outcome != "amount":
        raise ValueError(
            "a margin makes money of amounts: state outcome=amount and amount=..., or a price of one order"
        )
    contacts = read_contacts(options.joins, **columns, kind=options.kind, value=options.value)
    if options.unaffected is not None:
        read_transactions(options.unaffected, **columns, amount=None)
    target_trials(
        log,
        contacts,
        kind=options.joined or next(iter(contacts.kinds)),
        rewards=[options.rewards] if options.rewards else [],
        terms=Terms(horizon=options.horizon or 12, time_unit="W"),
        **given(options, ("outcome", "every", "level")),
    )
    return {}


MEMBERSHIPS = Source(
    name="joins",
    section="memberships",
    what="the joins",
    file_help="CSV, Parquet or Excel file, one row a contact: who joined, and when",
    options={
        "columns": _COLUMNS,
        "the comparison": (*_TRIALS, LEVEL),
        "the money": _MONEY,
    },
    columns={"customer_id": "customer_id", "date": "date"},
    optional=(
        "purchases",
        "amount",
        "kind",
        "joined",
        "value",
        "rewards",
        "unaffected",
        "margin",
        "price",
        "reach",
        "currency",
        "register",
    ),
    with_notebook_default=("outcome", "horizon", "every", "effort", "running_cost", "level"),
    check=_check,
)
