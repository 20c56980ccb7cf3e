"""Settings for the analysis of a log of purchases or contracts, chosen from the log."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, overload

from retention_models.logs.contracts.settings import ContractSettings, contract_settings
from retention_models.logs.transactions.settings import AnalysisSettings, purchase_settings
from retention_models.tables.text_files import Layout


@overload
def choose_settings(log: Any, *, start: str, **options: Any) -> ContractSettings: ...
@overload
def choose_settings(log: Any, *, tenure: str, **options: Any) -> ContractSettings: ...
@overload
def choose_settings(log: Any, **options: Any) -> AnalysisSettings: ...


def choose_settings(log: Any, **options: Any) -> AnalysisSettings | ContractSettings:
    """Settings for the analysis of a log: given options stay, all others are chosen from the log.

    Parameters
    ----------
    log
        A purchase log (anything that ``read_transactions`` takes, or its result), or a contract log (anything that
        ``read_contracts`` takes).
    start, end
        Column names of a contract log. A ``start`` means that the log is one of contracts.
    tenure, churned
        Column names of a table of tenures without dates, instead of ``start`` and ``end``. It needs ``sampling``
        (``"acquisition"`` or ``"window"``) and ``observation_end``, the day of the table.
    tenure_unit, window
        For a table of tenures: unit of ``tenure`` (``"D"``, ``"W"``, ``"M"`` or ``"Y"``; by default the period), and
        the number of periods in which the churned customers left (by default 1).
    calibration_end, observation_end, acquired_after, time_unit
        For a purchase log: as in ``summarize``.
    horizon
        For a purchase log: length of the forecast, in time units.
    sampling, observation_start, customer_id, cause, covariates, price, time_zone, max_set_aside, date_format, decimal
        For a contract log: as in ``read_contracts``, as is ``observation_end``.
    separator, no_header, encoding
        For a contract log in a file of text: its layout, as in ``read_contracts``.
    period
        For a contract log: length of a contract, as in ``retention_table``.
    renewals
        For a contract log: number of renewals that the forecast covers.

    Returns
    -------
    AnalysisSettings
        For a purchase log: the dates, the time unit, the horizon and the ``reasons``.
    ContractSettings
        For a contract log: the ``spells``, ``period``, ``renewals``, ``origins`` (earlier days for a backtest) and the
        ``reasons``.

    Raises
    ------
    ValueError
        When no customer of a contract log left. When a few dates are so far from the others that they must
        be mistakes. When the options contradict each other or the log. When the log does not show how contracts came
        into it.

    Examples
    --------
    >>> import retention_models as rm
    >>> settings = rm.logs.choose_settings(rm.datasets.load_cdnow())
    >>> settings.time_unit, settings.horizon, str(settings.calibration_end)
    ('W', 26, '1997-12-30')
    """
    of_contracts = "start" in options or options.get("tenure") is not None
    choose: Callable[..., Any] = contract_settings if of_contracts else purchase_settings
    parameters = list(signature(choose).parameters)[1:]
    possible = [*parameters[:-1], *Layout.__annotations__] if of_contracts else parameters
    if unknown := [name for name in options if name not in possible]:
        kind = "contract log" if of_contracts else "purchase log, which is one without start and tenure,"
        raise TypeError(
            f"choose_settings has no option {', '.join(unknown)} for a {kind}; there are {', '.join(possible)}"
        )
    return choose(log, **options)
