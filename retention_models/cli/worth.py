"""Value in ``retention-models predict``: what each customer is worth, and by how much an offer would have to pay."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from retention_models.cli.log_options import discount_rate, margin, number
from retention_models.report.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

    from retention_models.fitting.result import Fit

_NEEDS = ("margin", "annual_discount_rate")


def add_worth_options(parser: ArgumentParser) -> None:
    """Add the options that ask for the value of each customer."""
    group = parser.add_argument_group("the value of each customer")
    group.add_argument("--spend", type=Path, metavar="FILE", help="a fit of --model GammaGamma: adds columns of value")
    group.add_argument("--margin", type=margin, metavar="SHARE", help="share of the amount that is earned, such as 0.3")
    group.add_argument("--annual-discount-rate", type=discount_rate, metavar="RATE", help="0.1 for 10 %% a year")
    group.add_argument("--offer-cost", type=number, metavar="AMOUNT", help="of one offer: adds its break-even uplift")


def check_worth_options(options: Namespace, fitted: Fit) -> None:
    """Refuse options of value that do not make one, before the work is done."""
    if options.spend is None:
        alone = [name for name in (*_NEEDS, "offer_cost") if getattr(options, name) is not None]
        if alone:
            raise RequestError(f"{_options(alone)} needs --spend FILE, what fit --model GammaGamma has written")
        return
    missing = [name for name in _NEEDS if getattr(options, name) is None]
    if missing:
        raise RequestError(f"--spend needs {_options(missing)}: without it value means nothing")
    if options.no_amount:
        raise RequestError("--spend needs the amounts of the log, which --no-amount leaves out")
    if "period" in fitted.data:
        raise RequestError("--spend needs a fit of purchases at any time, and this one is of opportunities")


def worth(options: Namespace, fitted: Fit, spend: Fit, customers: pd.DataFrame) -> pd.DataFrame:
    """The columns of value of each customer and, for an offer, of its break-even uplift."""
    from retention_models.value.customer import break_even_uplift, customer_value

    value = customer_value(
        fitted,
        spend,
        customers,
        horizon=options.horizon,
        time_unit=fitted.data["time_unit"],
        annual_discount_rate=options.annual_discount_rate,
        margin=options.margin,
        level=options.level,
    )
    return value if options.offer_cost is None else value.join(break_even_uplift(value, cost=options.offer_cost))


def _options(names: list[str]) -> str:
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)
