"""A test: the options of commands that take one, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from retention_models.cli.options import (
    CURRENCY,
    DATE_FORMAT,
    DECIMAL,
    LAYOUT,
    LEVEL,
    Option,
    by_arm,
    cost,
    discount_rate,
    given,
    margin,
    number,
    shares,
    whole,
)
from retention_models.cli.sources import Known, Source

_COLUMNS = (
    Option("outcome", "COLUMN", "column of an outcome, the main outcome first; repeatable", repeated=True),
    Option("amount", "COLUMN", "column of the outcome that is an amount of money"),
    Option("covariate", "COLUMN", "column known before the assignment, for adjustment; repeatable", repeated=True),
    Option("cluster", "COLUMN", "column of the household, store or team that was assigned as a whole"),
    Option("block", "COLUMN", "column of the blocks within which customers were randomised"),
    Option("received", "COLUMN", "column that states whether the customer received the offer"),
    Option("redeemed", "COLUMN", "column of the number of redemptions"),
    Option("tenure", "COLUMN", "contracts: column of the time from assignment to end or today"),
    Option("churned", "COLUMN", "contracts: column that states whether the contract ended"),
    Option("assigned", "COLUMN", "column of the entry into the test, a day or a number"),
    Option("lower_is_better", "COLUMN", "outcome whose lower values are better; repeatable", repeated=True),
    Option("customer_id", "COLUMN", "column of the customer's id (default: customer_id, if present)"),
)
_DESIGN = (
    Option("plan", "FILE", "plan of the test, from rm.assign; its fields are also options", Path),
    Option(
        "assigned_by",
        "WORD",
        "how customers were assigned: random, rule, choice or unknown",
        choices=("random", "rule", "choice", "unknown"),
    ),
    Option("measured_from", "DAY", "first day on which outcomes were measured, with choice", hidden=True),
    Option("measured_on", "DAY", "day of the measurement", hidden=True),
    Option("control", "ARM", "arm to compare with (default: the arm called control, none, ...)"),
    Option("planned_shares", "ARM=N,...", "planned shares, such as none=1,mail=2, to check for lost customers", by_arm),
    Option("planned_customers", "N", "planned number of customers, for interim looks", whole, hidden=True),
    Option(
        "looks",
        "SHARE,...",
        "planned interim looks, as shares of these customers: 0.5,0.75",
        shares,
        hidden=True,
    ),
    Option("horizon", "N", "time from the assignment to the end of the measurement", number),
    Option("time_unit", "UNIT", "unit of the horizon: D, W, M, Q or Y"),
)
_PURCHASES = (
    Option("purchases", "FILE", "purchase log: outcomes and effect by day (with --offer-days N)", Path),
    Option("offer_days", "N", "number of days for which the offer was valid (default: 0)", whole, hidden=True),
)
_ROLL_OUT = (
    Option("reach", "N", "number of customers in a roll-out", whole),
    Option("repeats", "N", "roll-outs a year (default: 1)", number, hidden=True),
    Option(
        "smallest_gain", "AMOUNT", "smallest gain that matters (default: the cost of a contact)", number, hidden=True
    ),
    Option("owner", "NAME", "name of the person who decides", hidden=True),
)
REGISTER_FILE = Option("register", "FILE", "of efforts: the effects are stored beside it", Path)
_MONEY = (
    Option("margin", "SHARE", "margin as a share of the amount (default: amounts have no value)", margin),
    Option("price", "AMOUNT", "margin of one more (or one fewer) of the first outcome", number),
    CURRENCY,
    Option("cost", "AMOUNT", "cost of one contact; or by arm: mail=0.5,coupon=0.8", cost),
    Option("redemption_cost", "AMOUNT", "cost of one redemption", number),
)
_OPTIONAL = (*_COLUMNS, *_DESIGN, *_PURCHASES, *_MONEY, *_ROLL_OUT, REGISTER_FILE)
DISCOUNT_RATE = Option(
    "annual_discount_rate", "RATE", "contracts: 0.1 for 10 %% a year (default: 0.1)", discount_rate, hidden=True
)
_READING = (DATE_FORMAT, DECIMAL, *LAYOUT)


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.interventions.campaign.read import read_campaign
    from retention_models.interventions.efforts.register_file import read_register
    from retention_models.value.terms import Terms

    terms = Terms(margin=options.margin, price=options.price, currency=options.currency)
    others = (*_COLUMNS, *_DESIGN, *_READING, *_ROLL_OUT)
    stated = {"assigned_by": "unknown"} | given(
        options, ("arm", "cost", "redemption_cost", *(option.name for option in others))
    )
    if options.register is not None:
        read_register(options.register)
    rows = options.experiment
    if options.purchases is not None and not (options.outcome or options.amount):
        rows, measured = measured_purchases(options)
        stated |= measured
    campaign = read_campaign(rows, terms, **stated)
    campaign.effects  # noqa: B018  an outcome that is the same for everyone is found here
    return {}


def measured_purchases(options: Namespace) -> tuple[Any, dict[str, Any]]:
    """The assigned customers with their purchases in the window, and the columns that are outcomes.

    Raises
    ------
    ValueError
        When the day of the assignment is missing, or the window is not a number of days.
    """
    from retention_models.interventions.outcomes.purchases import purchase_outcomes
    from retention_models.tables.engines import column_names

    if options.assigned is None or options.time_unit != "D" or options.horizon is None:
        raise ValueError("purchases need assigned=, the day of the assignment, and horizon= in days with time_unit='D'")
    rows = purchase_outcomes(
        options.purchases,
        options.experiment,
        horizon_days=options.horizon,
        offer_days=options.offer_days or 0,
        customer_id=options.customer_id or "customer_id",
        assigned=options.assigned,
    )
    amount = {"amount": "amount"} if "amount" in column_names(rows) else {}
    return rows, {"outcome": ["bought", "purchases"]} | amount


EXPERIMENT = Source(
    name="experiment",
    section="experiment",
    what="the test",
    file_help="CSV, Parquet or Excel file with one row per assigned customer",
    options={
        "columns": (Option("arm", "COLUMN", "column of the assigned arm (default: arm)"), *_COLUMNS),
        "the file": _READING,
        "the test": (*_DESIGN, *_PURCHASES, LEVEL),
        "the money": (*_MONEY, DISCOUNT_RATE, *_ROLL_OUT, REGISTER_FILE),
    },
    columns={"arm": "arm", "assigned_by": "unknown"},
    optional=tuple(option.name for option in _OPTIONAL if option.name != "assigned_by"),
    with_notebook_default=("level", "annual_discount_rate"),
    reading=tuple(option.name for option in _READING),
    check=_check,
)
