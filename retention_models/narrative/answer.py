"""The answer of a page: what to do, the figures that carry it, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, Titled, number_of

MIME = "application/vnd.retention-models.answer+json"  # by which a page recognises an answer


@dataclass(frozen=True, slots=True, repr=False)
class KeyFigure(Presentation):
    """One number of an answer.

    Attributes
    ----------
    label
        What the number is.
    value
        The number with its unit, as text.
    range
        Its range, as text; empty if it has none.
    """

    label: str
    value: str
    range: str = ""

    def _parts(self) -> Sequence[Part]:
        return [Titled(f"{self.label}:", f"{self.value} ({self.range})" if self.range else self.value)]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Answer(Presentation):
    """What a page decides: the last line of a notebook, and the first screen of its page.

    Attributes
    ----------
    headline
        What to do, or what is not known and what would settle it; at most 25 words.
    figures
        Three to five key figures.
    actions
        What to do, at most three sentences.
    sureness
        How sure that is, in sentences: ranges, earlier forecasts, what is not tested.
    checks
        The checks of the page. The failed checks are shown with their details.
    facts
        Whose data, which period, as of when, how many: what the head of a page says, by name.
    assumed
        What was assumed and not stated, as text; empty if nothing was.
    """

    headline: str
    figures: tuple[KeyFigure, ...] = ()
    actions: tuple[str, ...] = ()
    sureness: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    assumed: str = ""

    @property
    def check_counts(self) -> str:
        """How many checks passed, failed, and cannot be tested, as text."""
        verdicts = [check.passed for check in self.checks]
        counts = {"passed": verdicts.count(True), "failed": verdicts.count(False), "not testable": verdicts.count(None)}
        told = [f"{count} {word}" for word, count in counts.items() if count]
        return f"{number_of(len(verdicts), 'checks')}: {', '.join(told)}" if told else ""

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.passed is False)

    def _parts(self) -> Sequence[Part]:
        parts: list[Part] = [self.headline, [str(figure) for figure in self.figures]]
        parts += [[f"{title}: {' '.join(lines)}"] for title, lines in self._sections() if lines]
        return parts

    def _sections(self) -> list[tuple[str, Sequence[str]]]:
        sure = [*self.sureness, *(f"Check failed: {check.name}. {check.text}" for check in self.failures)]
        return [("What to do", self.actions), ("How sure are we", [*sure, *([self.assumed] if self.assumed else [])])]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The answer as text, as HTML, and as the plain values that a page sets at its head."""
        plain = asdict(self) | {"facts": dict(self.facts), "check_counts": self.check_counts}
        plain["checks"] = [_plain(check) for check in self.failures]
        return {"text/plain": repr(self), "text/html": self._repr_html_(), MIME: plain}


def _plain(check: Check) -> dict[str, Any]:
    """The fields of a failed check with its remedy in the detail; the last digits of a size differ by processor."""
    size, limit = (None if number is None else float(f"{number:.3g}") for number in (check.size, check.limit))
    return asdict(replace(check, size=size, limit=limit, detail=check.text, remedy=""))
