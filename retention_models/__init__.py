"""Who is still a customer, what each is worth, and which efforts kept anyone.

The map of the house, from the ground up:

=================  ==========================================================================
``datasets``       real data to learn and test with, and where each comes from
``logs``           what happened: a transaction log, read, checked and reduced to histories
``estimation``     how numbers are found: likelihoods, intervals, quadrature
``btyd``           customers who leave without saying so: BG/NBD, Pareto/NBD
``fitting``        where frames meet models: ``fit`` and what it returns
``prediction``     what to expect of each customer, and of all together
``value``          what customers are worth
``evaluation``     whether the forecast came true
``plots``          a computed frame in, a matplotlib Axes out
``report``         notebooks to self-contained HTML pages
=================  ==========================================================================

The names below are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retention_models.btyd.bgnbd import BGNBD as BGNBD
    from retention_models.btyd.gammagamma import GammaGamma as GammaGamma
    from retention_models.btyd.paretonbd import ParetoNBD as ParetoNBD
    from retention_models.checks import Check as Check
    from retention_models.datasets import load_cdnow as load_cdnow
    from retention_models.datasets import load_donations as load_donations
    from retention_models.fitting import Fit as Fit
    from retention_models.fitting import fit as fit
    from retention_models.logs.summary import compress as compress
    from retention_models.logs.summary import histories as histories
    from retention_models.logs.summary import summarize as summarize
    from retention_models.logs.transactions import Transactions as Transactions
    from retention_models.logs.transactions import read_transactions as read_transactions
    from retention_models.prediction import predict as predict
    from retention_models.prediction import predict_total as predict_total
    from retention_models.value.purchases import break_even_uplift as break_even_uplift
    from retention_models.value.purchases import customer_value as customer_value
    from retention_models.value.purchases import total_value as total_value

_ROOMS = {
    "btyd.bgnbd": ("BGNBD",),
    "btyd.gammagamma": ("GammaGamma",),
    "btyd.paretonbd": ("ParetoNBD",),
    "checks": ("Check",),
    "datasets": ("load_cdnow", "load_donations"),
    "fitting": ("Fit", "fit"),
    "logs.summary": ("compress", "histories", "summarize"),
    "logs.transactions": ("Transactions", "read_transactions"),
    "prediction": ("predict", "predict_total"),
    "value.purchases": ("break_even_uplift", "customer_value", "total_value"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
