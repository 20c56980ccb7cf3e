"""What others may rely on is written down: every public name with its signature.

``python tests/test_public_api.py > tests/public_api.txt`` renews the list. A line that goes or changes breaks the code
of somebody who upgrades, so it belongs in the changelog with what to write instead; a line that comes is a promise.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import retention_models

STORED = Path(__file__).with_name("public_api.txt")


def doors() -> list[ModuleType]:
    """The package, and each of its sub-packages that says what is public in it."""
    below = walk_packages(retention_models.__path__, f"{retention_models.__name__}.")
    rooms = [import_module(module.name) for module in below if module.ispkg]
    return [retention_models, *(room for room in rooms if hasattr(room, "__all__"))]


def public_api() -> list[str]:
    """One line a name: functions and classes with their signature, attributes without."""
    return sorted({line for door in doors() for name in door.__all__ for line in lines_of(door, name)})


def lines_of(door: ModuleType, name: str) -> Iterator[str]:
    thing, full = getattr(door, name), f"{door.__name__}.{name}"
    room = next((room for room in doors()[1:] if door is retention_models and name in room.__all__), None)
    if room is not None:  # a name at the top is that of a room
        yield f"{full} = {room.__name__}.{name}"
        return
    if not callable(thing):
        yield full
        return
    yield f"{full}{signature(thing)}"
    if inspect.isclass(thing):
        for member in members(thing):
            yield f"{full}.{member}"


def members(owner: type) -> Iterator[str]:
    """Fields, properties, attributes and methods, the inherited ones too, of what is defined in this package."""
    ours = [base for base in owner.__mro__ if base.__module__.startswith(retention_models.__name__)]
    names = {name for base in ours for name in vars(base)}
    names |= {field.name for field in fields(owner)} if is_dataclass(owner) else set()
    for name in names:
        if not name.startswith("_"):
            found = inspect.getattr_static(owner, name, None)
            is_method = inspect.isroutine(found) or isinstance(found, classmethod | staticmethod)
            yield f"{name}{signature(getattr(owner, name))}" if is_method else name


def signature(thing: Any) -> str:
    """Parameters and plain defaults, without annotations, which are written differently from one Python to the next."""
    if inspect.isclass(thing) and not is_dataclass(thing) and thing.__init__ in {str.__init__, Exception.__init__}:
        return "(...)"
    found = inspect.signature(thing)
    parameters = [p.replace(annotation=p.empty, default=plain(p.default)) for p in found.parameters.values()]
    return str(found.replace(parameters=[p for p in parameters if p.name != "self"], return_annotation=found.empty))


class Other:
    """A default that is no plain value."""

    def __repr__(self) -> str:
        return "..."


def plain(default: Any) -> Any:
    is_plain = default is None or isinstance(default, bool | int | float | str | tuple)
    return default if is_plain or default is inspect.Parameter.empty else Other()


def test_the_public_api_is_what_was_promised():
    now, stored = set(public_api()), set(STORED.read_text(encoding="utf-8").splitlines())
    gone = [f"- {line}" for line in sorted(stored - now)]
    new = [f"+ {line}" for line in sorted(now - stored)]
    assert not gone + new, "\n".join(
        [
            "the public interface is not what tests/public_api.txt promises:",
            *gone,
            *new,
            "A line that goes breaks somebody's code: say in CHANGELOG.md what to write instead.",
            "If it is meant: python tests/test_public_api.py > tests/public_api.txt",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in public_api()))
