"""The entries of the ledger, by room: each a function without arguments that returns what is to be held."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

ROOMS = (
    "datasets",
    "transactions",
    "contracts",
    "purchase_models",
    "purchase_fits",
    "contract_models",
    "survival",
    "value",
    "evaluation",
    "interventions",
    "planning",
    "campaigns",
    "scenario",
    "plots",
    "corners",
    "text",
)
_ENTRIES: dict[str, Callable[[], Any]] = {}


def entry(name: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a function under a name that outlives every renaming of the package."""

    def registered(function: Callable[[], Any]) -> Callable[[], Any]:
        assert name not in _ENTRIES, name
        _ENTRIES[name] = function
        return function

    return registered


def all_entries() -> dict[str, Callable[[], Any]]:
    for room in ROOMS:
        import_module(f"{__name__}.{room}")
    return dict(_ENTRIES)
