"""What was checked, whether it held, and what that means: one record for every question of trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention_models.core.formatting import Part, Presentation, Titled


@dataclass(frozen=True, slots=True, repr=False)
class Check(Presentation):
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

    def _parts(self) -> Sequence[Part]:
        return [Titled(f"{self.name}: {self.verdict}.", self.detail)]
