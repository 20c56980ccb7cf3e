"""How to cut and measure a log that nobody has looked at yet, of purchases or of contracts."""

from __future__ import annotations

from typing import Any, overload

from retention_models.logs.contracts.settings import ContractSettings, contract_settings
from retention_models.logs.transactions.settings import AnalysisSettings, purchase_settings


@overload
def choose_settings(log: Any, *, start: str, **options: Any) -> ContractSettings: ...
@overload
def choose_settings(log: Any, *, tenure: str, **options: Any) -> ContractSettings: ...
@overload
def choose_settings(log: Any, **options: Any) -> AnalysisSettings: ...


def choose_settings(log: Any, **options: Any) -> AnalysisSettings | ContractSettings:
    """Settings for the analysis of a log: what is given stays, what is None is chosen from the log, with its reason.

    Parameters
    ----------
    log
        A log of purchases (whatever ``read_transactions`` takes, or what it returned), or a log of contracts (whatever
        ``read_contracts`` takes).
    start, end
        Columns of a log of contracts. Naming ``start`` says that the log is one.
    tenure, churned
        Columns of a snapshot of contracts without dates, instead of ``start`` and ``end``.
    calibration_end, observation_end, acquired_after, time_unit, horizon
        Of a log of purchases, as in ``summarize``; ``horizon`` is the length of the forecast in time units.
    sampling, observation_start, observation_end, customer_id, cause, covariates, time_zone
        Of a log of contracts, as in ``read_contracts``.
    period, renewals
        Of a log of contracts: how long a contract runs, as in ``retention_table``, and how many renewals a forecast
        looks ahead.

    Returns
    -------
    AnalysisSettings
        Of purchases: ``calibration_end, observation_end, acquired_after, time_unit, horizon`` and the ``reasons``.
    ContractSettings
        Of contracts: the ``spells``, ``period``, ``renewals``, ``origins`` (earlier days for a backtest) and the
        ``reasons``.

    Raises
    ------
    ValueError
        Where nobody bought twice or nobody left; where dates are so far from all others that they must be mistakes;
        where the options contradict each other or the log; where the log does not show how contracts came into it.

    Examples
    --------
    >>> import retention_models as rm
    >>> settings = rm.logs.choose_settings(rm.datasets.load_cdnow())
    >>> settings.time_unit, settings.horizon, str(settings.calibration_end)
    ('W', 26, '1997-12-30')
    """
    of_contracts = "start" in options or options.get("tenure") is not None
    return contract_settings(log, **options) if of_contracts else purchase_settings(log, **options)
