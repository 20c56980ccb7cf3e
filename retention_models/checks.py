"""What was checked, whether it held, and what that means: one record for every question of trust."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Check:
    """One assumption put to the test.

    ``passed`` is True, False, or None where the data cannot tell; ``detail`` is a sentence with the
    numbers behind it, fit to stand in a report.
    """

    name: str
    passed: bool | None
    detail: str

    @property
    def verdict(self) -> str:
        """The result in words."""
        return {True: "passed", False: "FAILED", None: "not testable"}[self.passed]

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}. {self.detail}"

    def _repr_html_(self) -> str:
        return f"<p><strong>{escape(self.name)}: {self.verdict}.</strong> {escape(self.detail)}</p>"
