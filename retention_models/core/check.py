"""What was checked, whether it held, and what that means: one record for every question of trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention_models.core.formatting import Part, Presentation, Titled


@dataclass(frozen=True, slots=True, repr=False)
class Check(Presentation):
    """One assumption put to the test.

    Attributes
    ----------
    name
        What was checked, as a noun.
    passed
        True, False, or None where the data cannot tell.
    size, limit, unit
        How far the data depart from the assumption, from which size on the check fails, and the unit of both; None
        where one number does not say it.
    detail
        What was found, with the numbers behind it, in words fit for a report.
    remedy
        What to do where the check fails.
    decides
        Whether a decision must obey the check. By default True.
    """

    name: str
    passed: bool | None
    size: float | None = None
    limit: float | None = None
    unit: str = ""
    detail: str = ""
    remedy: str = ""
    decides: bool = True

    @property
    def verdict(self) -> str:
        """The result in words."""
        return {True: "passed", False: "FAILED", None: "not testable"}[self.passed]

    @property
    def text(self) -> str:
        """The detail and, where the check failed, what to do."""
        return " ".join(filter(None, (self.detail, self.remedy if self.passed is False else "")))

    def _parts(self) -> Sequence[Part]:
        return [Titled(f"{self.name}: {self.verdict}.", self.text)]
