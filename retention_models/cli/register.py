"""The register of efforts: the options of commands that take one, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from retention_models.cli.options import CURRENCY, LEVEL, Option, given, number, whole
from retention_models.cli.sources import Known, Source

_READ = (
    Option("department", "NAME", "the efforts of one department (default: all)"),
    Option("customers", "N", "customers of the company; no effort may reach more", whole),
    Option("contacts", "FILE", "customer_id, effort, date: who is in several efforts", Path),
    Option("as_of", "DAY", "the day of the states (default: today)"),
)
_BUDGET = (
    Option("budget", "AMOUNT", "of a year, to allocate (default: what efforts with evidence cost today)", number),
    Option("acquisition_cost", "AMOUNT", "of winning a new customer, to compare with keeping", number),
    Option("new_customer_value", "AMOUNT", "value of a new customer, with its two ends", number),
    Option("new_customer_lower", "AMOUNT", "lower end of its interval", number, hidden=True),
    Option("new_customer_upper", "AMOUNT", "upper end of its interval", number, hidden=True),
    Option("new_customers", "N", "the most that can be won a year", whole, hidden=True),
)


_NEW_CUSTOMERS = {
    "cost": "acquisition_cost",
    "value": "new_customer_value",
    "value_lower": "new_customer_lower",
    "value_upper": "new_customer_upper",
    "reach": "new_customers",
}


def _acquisition(options: Namespace) -> dict[str, float] | None:
    """What was stated of winning new customers; None if nothing was."""
    stated = given(options, _NEW_CUSTOMERS.values())
    missing = [name for name in _NEW_CUSTOMERS.values() if name not in stated]
    if stated and missing:
        raise ValueError(f"acquisition needs {', '.join(_NEW_CUSTOMERS.values())}; missing: {', '.join(missing)}")
    return {name: stated[option] for name, option in _NEW_CUSTOMERS.items()} if stated else None


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.interventions.efforts.budget import NO_OFFER, allocate_budget
    from retention_models.interventions.efforts.register_file import read_register

    stated = given(options, ("department", "customers", "contacts", "as_of", "level", "currency"))
    register = read_register(options.efforts, **stated)
    acquisition = _acquisition(options)
    if register.offers.empty and acquisition is None:
        return {name: NO_OFFER for name, parameters in known.items() if "budget" in parameters}
    if options.budget is not None or acquisition:
        allocate_budget(register, options.budget or 0.0, acquisition=acquisition, draws=1)
    return {}


REGISTER = Source(
    name="efforts",
    section="register",
    what="the register",
    file_help="CSV, Parquet or Excel file, one row an effort; measured effects are stored beside it",
    options={"what is known beside it": _READ, "the budget": (*_BUDGET, CURRENCY, LEVEL)},
    optional=tuple(option.name for option in (*_READ, *_BUDGET, CURRENCY)),
    with_notebook_default=("level",),
    check=_check,
)
