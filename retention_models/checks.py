"""What was checked, whether it held, and what that means: one record for every question of trust."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One assumption put to the test.

    ``passed`` is True, False, or None where the data cannot tell; ``detail`` is a sentence with the
    numbers behind it, fit to stand in a report.
    """

    name: str
    passed: bool | None
    detail: str

    def __str__(self) -> str:
        verdict = {True: "passed", False: "FAILED", None: "not testable"}[self.passed]
        return f"{self.name}: {verdict}. {self.detail}"
