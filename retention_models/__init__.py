"""Who is still a customer, what each is worth, and which efforts kept anyone.

``import retention_models as rm`` gives the names most used; each room holds more, as ``rm.ROOM.NAME``. The rooms, from
the ground up:

- ``core``: what every other room uses: checks, dates, number formats
- ``tables``: the one door for frames and files
- ``estimation``: how numbers are found: likelihoods, Newton's method, intervals, quadrature
- ``btyd``: customers who leave without saying so: BG/NBD, Pareto/NBD and their kin
- ``survival``: customers who say so: curves and models of contracts
- ``logs``: what happened: purchases and contracts, read, checked, reduced
- ``datasets``: real data to learn and test with, and where each comes from
- ``scenario``: simulated businesses whose truth is known
- ``fitting``: where tables meet models: ``fit`` and ``Fit``
- ``forecast``: what to expect of each customer, of all together, and of contracts
- ``value``: what customers are worth
- ``evaluation``: whether the forecast came true
- ``interventions``: what our actions changed: experiments, effects, evidence
- ``narrative``: the words of the pages
- ``plots``: pictures of computed frames
- ``report``: notebooks to HTML pages
- ``cli``: the command line

A room imports from lower ones only. Names are loaded when they are first used. ``core``, ``tables``, ``estimation``,
``report`` and ``cli`` are for those who build on the package and have no names at a door.
"""

from typing import Any

import lazy_loader as _lazy

from retention_models.core.version import __version__ as __version__

_getattr, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _getattr(name)
    except AttributeError:
        from retention_models.core.moved_names import new_place

        place = new_place(name) or _door_of(name)
        raise AttributeError(place or f"retention_models has no attribute {name!r}") from None


def _door_of(name: str) -> str:
    """What is to be written for a name that is at the door of a room; empty where no room has it."""
    from importlib import import_module
    from pkgutil import iter_modules

    if name.startswith("_"):
        return ""
    rooms = [module.name for module in iter_modules(__path__) if module.ispkg]
    doors = [room for room in rooms if name in getattr(import_module(f"{__name__}.{room}"), "__all__", ())]
    return f"{name} is at the door of a room: rm.{doors[0]}.{name}" if doors else ""
