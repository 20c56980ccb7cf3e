"""A roll-out: the options of the command that takes launches, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from retention_models.cli.experiment import REGISTER_FILE
from retention_models.cli.options import CURRENCY, LEVEL, Option, given, margin, number, whole
from retention_models.cli.sources import Known, Source

OUTCOMES = ("orders", "buyers", "amount", "new_customers", "retained_share", "churn")
_COLUMNS = (
    Option("first_treated", "COLUMN", "day of the launch, empty where there was none (default: first_treated)"),
    Option("purchases", "FILE", "the log of orders, with a column of the unit", Path),
    Option("customer_id", "COLUMN", "the customer in the log (default: customer_id)"),
    Option("date", "COLUMN", "day of the order in the log (default: date)"),
    Option("amount", "COLUMN", "money of an order, for the outcome amount"),
    Option("discount", "COLUMN", "what an order cost less, a cost of the programme"),
    Option("covariates", "COLUMN", "of the launches: a number known before; repeatable", repeated=True),
)
_ROLL_OUT = (
    Option("outcome", "NAME", f"{', '.join(OUTCOMES)} (default: orders)", choices=OUTCOMES),
    Option("active_within", "N", "periods in which a customer with an order is at risk (default: 1)", whole),
    Option("period", "LETTER", "W, M or Q (default: W)", choices=("W", "M", "Q")),
    Option("control_group", "NAME", "units to compare with", choices=("not_yet_treated", "never_treated")),
    Option("anticipation", "N", "periods before launch in which it may work (default: 0)", whole),
    Option("other_launches", "FILE", "launches of another effort, to see whether they coincide", Path),
    Option("assigned_by", "WORD", "who decided the order of launches", choices=("random", "rule", "choice", "unknown")),
)
_MONEY = (
    Option("effort", "NAME", "name of the programme, as in the register (default: roll-out)"),
    Option("margin", "SHARE", "share of an amount that is earned", margin),
    Option("price", "AMOUNT", "earned by one more order, buyer or customer", number),
    Option("running_cost", "AMOUNT", "of a unit and period, beside discounts and rewards", number),
    Option("rewards", "AMOUNT", "given to customers of a unit in a period", number),
    Option("reach", "N", "units that would have the programme", whole),
    CURRENCY,
    REGISTER_FILE,
)


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.interventions.designs.staggered import difference_in_differences
    from retention_models.interventions.efforts.register_file import read_register
    from retention_models.interventions.outcomes.unit_periods import event_panel

    if options.purchases is None or options.panel_unit is None:
        raise ValueError(
            "a roll-out needs purchases=, the log of orders, and panel_unit=, the column of the store or team"
        )
    if options.register is not None:
        read_register(options.register)
    outcome = options.outcome or "orders"
    columns = given(options, ("customer_id", "date", "amount", "discount", "period", "active_within"))
    spent = [] if options.discount is None else ["discounts"]
    panel = event_panel(options.purchases, panel_unit=options.panel_unit, outcomes=[outcome, *spent], **columns)
    names = ("first_treated", "control_group", "anticipation", "other_launches", "covariates", "level")
    stated = given(options, names)
    difference_in_differences(
        panel,
        options.launches,
        panel_unit=options.panel_unit,
        outcome=outcome,
        assigned_by=options.assigned_by or "unknown",
        **stated,
    )
    return {}


ROLLOUT = Source(
    name="launches",
    section="rollout",
    what="the launches",
    file_help="CSV, Parquet or Excel file, one row a store, region or team: when it got the programme",
    options={
        "columns": (Option("panel_unit", "COLUMN", "the store, region or team, in both files"), *_COLUMNS),
        "the roll-out": (*_ROLL_OUT, LEVEL),
        "the money": _MONEY,
    },
    columns={"first_treated": "first_treated", "assigned_by": "unknown", "customer_id": "customer_id", "date": "date"},
    optional=(
        "panel_unit",
        "purchases",
        "amount",
        "discount",
        "covariates",
        "other_launches",
        "margin",
        "price",
        "reach",
        "currency",
        "register",
    ),
    with_notebook_default=(
        "outcome",
        "active_within",
        "period",
        "control_group",
        "anticipation",
        "effort",
        "running_cost",
        "rewards",
        "level",
    ),
    check=_check,
)
