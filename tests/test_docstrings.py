"""Every public function documents each of its parameters, and says in one line what it returns."""

import inspect
import re
from collections.abc import Callable
from importlib import import_module

import pytest

from retention_models.logs.contracts.settings import contract_settings
from retention_models.logs.transactions.settings import purchase_settings
from retention_models.tables.text_files import Layout

from .test_public_api import doors

LONGEST_SUMMARY = 120


def public_functions() -> dict[str, Callable]:
    """The functions of all doors and of the datasets, by the room they are in and their name."""
    datasets = import_module("retention_models.datasets")
    named = {f"{door.__name__}.{name}": getattr(door, name) for door in doors()[1:] for name in door.__all__}
    named |= {f"{datasets.__name__}.{name}": getattr(datasets, name) for name in vars(datasets) if name[:4] == "load"}
    functions = {name.removeprefix("retention_models."): thing for name, thing in named.items()}
    return {name: thing for name, thing in functions.items() if inspect.isfunction(thing)}


FUNCTIONS = public_functions()


def documented_parameters(function: Callable) -> list[str]:
    """The names that the numpydoc section ``Parameters`` describes, without the stars of ``*args``."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    lines = section[1].splitlines() if section else []
    entries = [line.split(" : ")[0] for line in lines if line and not line[0].isspace()]
    return [name.strip().lstrip("*") for entry in entries for name in entry.split(",")]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_describes_exactly_the_parameters_of_the_function(name):
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    documented = documented_parameters(FUNCTIONS[name])
    collects_keywords = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    explicit = {key for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    missing, unknown = sorted(explicit - set(documented)), sorted(set(documented) - set(parameters))
    assert not missing, f"{name}: the section Parameters does not describe {', '.join(missing)}"
    assert not unknown or collects_keywords, (
        f"{name}: the section Parameters names {', '.join(unknown)}, which it has not"
    )
    assert documented or not parameters, f"{name}: there is no section Parameters"
    assert len(documented) == len(set(documented)), f"{name}: a parameter is described twice"


def test_choose_settings_describes_the_options_of_both_kinds_of_logs():
    options = {name for kind in (contract_settings, purchase_settings) for name in inspect.signature(kind).parameters}
    options = (options - {"source", "transactions", "layout"}) | Layout.__annotations__.keys()
    assert set(documented_parameters(FUNCTIONS["logs.choose_settings"])) == {"log", *options}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_summary_is_one_short_sentence(name):
    summary = (inspect.getdoc(FUNCTIONS[name]) or "").split("\n\n")[0]
    assert summary, f"{name} has no docstring"
    assert "\n" not in summary, f"{name}: the summary runs over several lines"
    assert len(summary) <= LONGEST_SUMMARY, f"{name}: the summary has {len(summary)} characters"
    assert summary.endswith("."), f"{name}: the summary does not end with a full stop"


def public_methods() -> dict[str, Callable]:
    """The methods of all classes at the doors, by room, class and name; constructors apart."""
    classes = {thing for door in doors() for name in door.__all__ if inspect.isclass(thing := getattr(door, name))}
    return {
        f"{kind.__module__}.{kind.__name__}.{name}".removeprefix("retention_models."): function
        for kind in sorted(classes, key=lambda kind: kind.__qualname__)
        for name, function in inspect.getmembers(
            kind, lambda thing: inspect.isfunction(thing) or inspect.ismethod(thing)
        )
        if name[0] != "_" and function.__module__.startswith("retention_models")
    }


METHODS = public_methods()


@pytest.mark.parametrize("name", METHODS)
def test_docstring_of_a_method_describes_only_parameters_that_it_has(name):
    parameters, documented = inspect.signature(METHODS[name]).parameters, documented_parameters(METHODS[name])
    assert inspect.getdoc(METHODS[name]), f"{name} has no docstring"
    assert set(documented) <= set(parameters), f"{name}: {', '.join(set(documented) - set(parameters))}"


@pytest.mark.parametrize("name", [name for name in METHODS if "purchase_model" in METHODS[name].__module__])
def test_the_methods_that_all_purchase_models_share_describe_every_parameter(name):
    assert set(inspect.signature(METHODS[name]).parameters) - {"self"} == set(documented_parameters(METHODS[name]))
