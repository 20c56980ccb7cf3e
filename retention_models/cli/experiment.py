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
    Option("outcome", "COLUMN", "measured afterwards, the main one first; repeat it for several", repeated=True),
    Option("amount", "COLUMN", "the outcome that is money spent"),
    Option("covariate", "COLUMN", "what was known before, to take out noise; repeat it for several", repeated=True),
    Option("cluster", "COLUMN", "the household, store or team that was assigned as a whole"),
    Option("block", "COLUMN", "within whose values customers were randomised"),
    Option("received", "COLUMN", "who received what was sent"),
    Option("redeemed", "COLUMN", "how often it was redeemed"),
    Option("tenure", "COLUMN", "with contracts: time since the assignment, to their end or to today"),
    Option("churned", "COLUMN", "with contracts: whether they ended"),
    Option("assigned", "COLUMN", "when a customer came into the test, a day or a number"),
    Option("lower_is_better", "COLUMN", "an outcome of which less is better; repeat it for several", repeated=True),
    Option("customer_id", "COLUMN", "the customer, once each (default: customer_id, if there is one)"),
)
_DESIGN = (
    Option("plan", "FILE", "of the test, by rm.assign; its fields are options, too, such as --looks", Path),
    Option(
        "assigned_by",
        "WORD",
        "who decided: random, rule, choice; else unknown and not recommended",
        choices=("random", "rule", "choice", "unknown"),
    ),
    Option("measured_from", "DAY", "first day on which outcomes were measured, with choice", hidden=True),
    Option("measured_on", "DAY", "of the measurement", hidden=True),
    Option("control", "ARM", "the arm to compare with (default: the one called control, none, ...)"),
    Option("planned_shares", "ARM=N,...", "such as none=1,mail=2: were customers lost?", by_arm),
    Option("planned_customers", "N", "how many were to come in, for looks before the end", whole, hidden=True),
    Option(
        "looks",
        "SHARE,...",
        "planned, as shares of these customers: 0.5,0.75",
        shares,
        hidden=True,
    ),
    Option("horizon", "N", "time from the assignment to the end of the measurement", number),
    Option("time_unit", "UNIT", "its unit: D, W, M, Q or Y"),
)
_PURCHASES = (
    Option("purchases", "FILE", "their log: outcomes, and the effect by day (with --offer-days N)", Path),
    Option("offer_days", "N", "for which the offer was valid (default: 0)", whole, hidden=True),
)
_ROLL_OUT = (
    Option("reach", "N", "customers that a roll-out would treat", whole),
    Option("repeats", "N", "how often a year it would (default: 1)", number, hidden=True),
    Option("smallest_gain", "AMOUNT", "that would matter (default: the cost of a contact)", number, hidden=True),
    Option("owner", "NAME", "who decides about it", hidden=True),
)
REGISTER_FILE = Option("register", "FILE", "of efforts: the effects are stored beside it", Path)
_MONEY = (
    Option("margin", "SHARE", "share of the amount that is earned (default: it has no value)", margin),
    Option("price", "AMOUNT", "earned by one more of the first outcome, or one fewer", number),
    CURRENCY,
    Option("cost", "AMOUNT", "of one contact; or by arm: mail=0.5,coupon=0.8", cost),
    Option("redemption_cost", "AMOUNT", "of one redemption", number),
)
_OPTIONAL = (*_COLUMNS, *_DESIGN, *_PURCHASES, *_MONEY, *_ROLL_OUT, REGISTER_FILE)
DISCOUNT_RATE = Option(
    "annual_discount_rate", "RATE", "with contracts, 0.1 for 10 %% (default: 0.1)", discount_rate, hidden=True
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
    file_help="CSV, Parquet or Excel file, one row an assigned customer",
    options={
        "columns": (Option("arm", "COLUMN", "what a customer was assigned to (default: arm)"), *_COLUMNS),
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
