"""Reports on a randomised test: the options, and the checks before any notebook runs."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from retention_models.cli.log_options import number
from retention_models.cli.sources import Known, Source

_ROLES = (
    *("outcome", "amount", "covariate", "cluster", "block", "received", "redeemed", "assigned"),
    *("lower_is_better", "customer_id"),
)
_TERMS, _COSTS = ("margin", "price", "currency"), ("cost", "redemption_cost")
_OTHERS = ("control", "planned_shares", "horizon", "time_unit", "planned_customers", "decimal")
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the test")
    group.add_argument(
        "--experiment", type=Path, metavar="FILE", help="CSV, Parquet or Excel file, one row an assigned customer"
    )
    for name, repeated, words in (
        ("arm", False, "what a customer was assigned to (default: arm)"),
        ("outcome", True, "what was measured after it, the most important first; may be repeated"),
        ("covariate", True, "what was known before it, to take out noise; may be repeated"),
        ("cluster", False, "the household, store or team that was assigned as a whole"),
        ("block", False, "within whose values the lot was drawn"),
        ("received", False, "who received what was sent"),
        ("redeemed", False, "how often it was redeemed"),
        ("assigned", False, "when a customer came into the test, a day or a number: to look before the end"),
        ("lower-is-better", True, "an outcome of which less is better, such as churned; may be repeated"),
    ):
        action = "append" if repeated else "store"
        group.add_argument(f"--{name}", action=action, metavar="COLUMN", help=f"column that says {words}")
    group.add_argument("--control", metavar="ARM", help="the arm to compare with (default: the one called so)")
    group.add_argument(
        "--planned-shares", type=by_arm, metavar="ARM=SHARE,...", help="such as none=1,mail=2: were customers lost?"
    )
    group.add_argument(
        "--planned-customers", type=customers, metavar="N", help="how many were to come in, for looks before the end"
    )
    group.add_argument("--cost", type=cost, metavar="AMOUNT", help="of one contact; or by arm: mail=0.5,coupon=0.8")
    group.add_argument("--redemption-cost", type=number, metavar="AMOUNT", help="of one redemption")


def customers(text: str) -> int:
    """A number of customers."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"expected a whole number of customers above 0, not {text!r}")
    return int(text)


def by_arm(text: str) -> dict[str, float]:
    """Numbers by arm from ``ARM=NUMBER,ARM=NUMBER``; a comma may be part of a name."""
    found = re.findall(rf"([^=]+)=({_NUMBER})(?:,|$)", text)
    if not found or ",".join(f"{arm}={value}" for arm, value in found) != text.rstrip(","):
        raise ArgumentTypeError(f"expected ARM=NUMBER, several of them separated by commas, not {text!r}")
    return {arm.strip(): float(value) for arm, value in found}


def cost(text: str) -> float | dict[str, float]:
    """One cost for all arms, or one for each."""
    return float(text) if re.fullmatch(_NUMBER, text) else by_arm(text)


def _check(options: Namespace, known: Known) -> None:
    from retention_models.interventions.campaign.read import read_campaign
    from retention_models.value.terms import Terms

    terms = Terms(margin=options.margin, price=options.price, currency=options.currency)
    stated = {name: getattr(options, name) for name in (*_ROLES, *_COSTS, *_OTHERS)}
    campaign = read_campaign(options.experiment, terms, arm=options.arm or "arm", **stated)
    campaign.effects  # noqa: B018  an outcome that is the same for everyone is found here


EXPERIMENT = Source(
    name="experiment",
    what="the test",
    add_options=_add_options,
    columns={"arm": "arm"},
    optional=(*_ROLES, *_TERMS, *_COSTS, *_OTHERS),
    check=_check,
)
