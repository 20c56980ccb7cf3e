"""A purchase log that was read and checked: the rows that count, and the number of rows set aside by reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from retention_models.core.check import Check
from retention_models.core.dates import read_day, require_end_near
from retention_models.core.formatting import Part, Presentation, counted
from retention_models.logs.transactions.returns import Returns
from retention_models.tables.frames import as_lazy

Granularity = Literal["W", "D", "h", "min", "s"]

AFTER_OBSERVATION = "rows after observation_end"
EMPTIED = "rows of purchases returned whole"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Transactions(Presentation):
    """A checked purchase log: the rows that count, and how many rows were set aside for which reason.

    ``read_transactions`` creates it. The rows stay on the engine where they came from.

    Attributes
    ----------
    frame
        The rows that count, as a frame of the source's engine; for files a DuckDB relation. Columns: ``customer_id``,
        ``date`` (wall-clock time without zone), and ``amount`` (float; absent without money). A log with returns also
        has ``order_id`` and ``article``, if the source has them; returns are netted when purchases are formed, because
        an earlier day knows fewer of them.
    rows
        Number of rows in ``frame``.
    set_aside
        Number of rows that do not count, by reason.
    first_date, last_date
        The days of the first and the last row.
    has_amount
        Whether the log has money that can be valued. False also where too many returns belong to no purchase.
    nets_refunds
        Whether the log has returns, and they cancel purchases (``refunds="net"``).
    returns
        Gross, returned and net amount, and how long returns take; None without returns.
    checks
        Whether nearly all rows count and, with returns, whether they belong to purchases.
    acquired_after
        Only customers first seen on this day or later count; None for all. ``window`` sets it.
    calibration_end
        The last day from which models learn; None for the last day observed.
    observation_end
        The last day observed; None for that of the last row.
    clock
        The time zone on whose clock the times of a frame are; None if they do not say so.
    formats
        The form of columns of text that are neither ISO 8601 nor plain numbers, such as ``{"Order Date": "%d/%m/%Y"}``.
    """

    frame: Any = field(repr=False)
    rows: int
    set_aside: Mapping[str, int]
    first_date: dt.date
    last_date: dt.date
    has_amount: bool
    nets_refunds: bool
    returns: Returns | None = None
    checks: tuple[Check, ...] = ()
    acquired_after: dt.date | None = None
    calibration_end: dt.date | None = None
    observation_end: dt.date | None = None
    clock: str | None = None
    formats: Mapping[str, str] = field(default_factory=dict)

    def _parts(self) -> Sequence[Part]:
        amounts = "with amounts" if self.has_amount else "without amounts"
        headline = f"{self.rows:,} rows from {self.first_date} to {self.last_date}, {amounts}."
        days = {name: getattr(self, name) for name in ("acquired_after", "calibration_end", "observation_end")}
        stated = ", ".join(f"{name} {day}" for name, day in days.items() if day is not None)
        window = [f"Window: {stated}."] if stated else []
        aside = [f"Set aside: {counted(self.set_aside)}."] if self.set_aside else []
        netted = [self.returns.sentence] if self.returns and self.returns.allow_value else []
        return [headline, *window, *aside, *netted, *(str(check) for check in self.checks if check.passed is False)]

    @property
    def columns(self) -> list[str]:
        """The columns of ``frame``."""
        return as_lazy(self.frame).collect_schema().names()

    def window(
        self,
        *,
        acquired_after: str | dt.date | None = None,
        calibration_end: str | dt.date | None = None,
        observation_end: str | dt.date | None = None,
    ) -> Transactions:
        """The log with the days that every function then takes from it.

        Parameters
        ----------
        acquired_after
            Only customers first seen on this day or later count. By default None: as before.
        calibration_end
            The last day from which models learn. By default None: as before.
        observation_end
            The last day observed, also where nobody bought on it. By default None: as before.

        Returns
        -------
        Transactions
            The same rows. Rows after ``observation_end`` do not count.

        Raises
        ------
        ValueError
            When a day is none, or contradicts another one or the log.

        Examples
        --------
        >>> import retention_models as rm
        >>> log = rm.read_transactions(rm.datasets.load_cdnow()).window(observation_end="1997-12-31")
        >>> len(rm.logs.purchases_per_period(log, period="M"))
        12
        """
        given = {
            "acquired_after": acquired_after,
            "calibration_end": calibration_end,
            "observation_end": observation_end,
        }
        days: dict[str, Any] = {name: read_day(name, day) for name, day in given.items() if day is not None}
        log = replace(self, **days)
        end = log.observation_end or log.last_date
        for name in ("observation_end", "calibration_end"):
            day = getattr(log, name)
            if day is not None and day < log.first_date:
                raise ValueError(f"{name} {day} lies before the first purchase, {log.first_date}")
        if log.observation_end is not None:
            require_end_near(log.observation_end, log.first_date, log.last_date, "purchase")
        if log.calibration_end is not None and log.observation_end is not None and log.calibration_end > end:
            raise ValueError(f"observation_end {end} lies before calibration_end, {log.calibration_end}")
        if log.acquired_after is not None and log.acquired_after > end:
            raise ValueError(
                f"acquired_after {log.acquired_after} lies after the last day observed, {end}: no customer would be "
                "left"
            )
        return log

    @property
    def last_observed(self) -> dt.date:
        """The last day observed: ``observation_end``, or that of the last row."""
        return self.observation_end or self.last_date
