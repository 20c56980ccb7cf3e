"""A test: the options of commands that take one, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from retention_models.cli.options import (
    CURRENCY,
    DATE_FORMAT,
    DECIMAL,
    LAYOUT,
    LEVEL,
    Option,
    by_arm,
    cost,
    given,
    margin,
    number,
    whole,
)
from retention_models.cli.sources import Known, Source

_COLUMNS = (
    Option(
        "outcome", "COLUMN", "what was measured afterwards, the main one first; repeat it for several", repeated=True
    ),
    Option("amount", "COLUMN", "the outcome that is money spent"),
    Option("covariate", "COLUMN", "what was known before, to take out noise; repeat it for several", repeated=True),
    Option("cluster", "COLUMN", "the household, store or team that was assigned as a whole"),
    Option("block", "COLUMN", "within whose values customers were randomised"),
    Option("received", "COLUMN", "who received what was sent"),
    Option("redeemed", "COLUMN", "how often it was redeemed"),
    Option("assigned", "COLUMN", "when a customer came into the test, a day or a number"),
    Option("lower_is_better", "COLUMN", "an outcome of which less is better; repeat it for several", repeated=True),
    Option("customer_id", "COLUMN", "the customer, once each (default: customer_id, if there is one)"),
)
_DESIGN = (
    Option("plan", "FILE", "of the test, as rm.assign(...).plan.to_json writes it", Path),
    Option(
        "assigned_by",
        "WORD",
        "who decided who was treated: random, rule (of the company), choice (of the customers) or unknown (default); "
        "only with random is anything recommended",
        choices=("random", "rule", "choice", "unknown"),
    ),
    Option("measured_from", "DAY", "first day on which outcomes were measured, with choice"),
    Option("control", "ARM", "the arm to compare with (default: the one called control, none, ...)"),
    Option("planned_shares", "ARM=N,...", "such as none=1,mail=2: were customers lost?", by_arm),
    Option("planned_customers", "N", "how many were to come in, for looks before the end", whole),
    Option("horizon", "N", "time from the assignment to the end of the measurement", number),
    Option("time_unit", "UNIT", "its unit: D, W, M, Q or Y"),
)
_MONEY = (
    Option("margin", "SHARE", "share of the amount that is earned (default: it has no value)", margin),
    Option("price", "AMOUNT", "earned by one more of the first outcome, or one fewer", number),
    CURRENCY,
    Option("cost", "AMOUNT", "of one contact; or by arm: mail=0.5,coupon=0.8", cost),
    Option("redemption_cost", "AMOUNT", "of one redemption", number),
)
_READING = (DATE_FORMAT, DECIMAL, *LAYOUT)


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.interventions.campaign.read import read_campaign
    from retention_models.value.terms import Terms

    terms = Terms(margin=options.margin, price=options.price, currency=options.currency)
    others = (*_COLUMNS, *_DESIGN, *_READING)
    stated = {"assigned_by": "unknown"} | given(
        options, ("arm", "cost", "redemption_cost", *(option.name for option in others))
    )
    campaign = read_campaign(options.experiment, terms, **stated)
    campaign.effects  # noqa: B018  an outcome that is the same for everyone is found here
    return {}


EXPERIMENT = Source(
    name="experiment",
    section="experiment",
    what="the test",
    file_help="CSV, Parquet or Excel file, one row an assigned customer",
    options={
        "columns": (Option("arm", "COLUMN", "what a customer was assigned to (default: arm)"), *_COLUMNS),
        "the file": _READING,
        "the test": (*_DESIGN, LEVEL),
        "the money": _MONEY,
    },
    columns={"arm": "arm", "assigned_by": "unknown"},
    optional=tuple(option.name for option in (*_COLUMNS, *_DESIGN, *_MONEY) if option.name != "assigned_by"),
    with_notebook_default=("level",),
    reading=tuple(option.name for option in _READING),
    check=_check,
)
