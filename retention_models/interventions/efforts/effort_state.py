"""What is known of one effort: the pieces of its evidence, and the state that follows by stated rules."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from retention_models.interventions.arms.costs import CURRENCY
from retention_models.interventions.effects.derived_laws import Law
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.full_scale import next_test_size
from retention_models.interventions.effects.sensitivity import objection
from retention_models.interventions.efforts.effort_log import Measurement
from retention_models.interventions.efforts.pooling import FEWEST, PooledEffect, pool

State = Literal["proven", "harmful", "undecided", "unmeasured", "stale"]
STATES: tuple[State, ...] = ("proven", "harmful", "undecided", "unmeasured", "stale")
CONTRADICTION = "one measurement says that it pays, another that it loses money"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """One row of a register, as far as its state and its money depend on it; missing numbers are None."""

    name: str
    kind: str
    owner: str = ""
    population: str = ""
    evidence: str = ""
    reach: float | None = None
    contacts: float | None = None
    fixed_cost: float | None = None
    cost_per_contact: float | None = None
    cost_per_year: float | None = None
    review_date: dt.date | None = None
    started: dt.date | None = None
    ends: dt.date | None = None

    def runs_on(self, day: dt.date) -> bool:
        """Whether the effort runs on a day; one without a start or an end is not known to have stopped."""
        return (self.started or day) <= day <= (self.ends or day)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence: the effects of one effort that were measured on the same data."""

    effort: str  # in small letters
    data: str
    effects: tuple[Effect, ...]

    @property
    def main(self) -> Effect:
        """The first effect with money, otherwise the first."""
        return next((effect for effect in self.effects if effect.priced), self.effects[0])

    @property
    def decides(self) -> bool:
        """Whether it has money and may decide."""
        return self.main.priced is not None and not objection(self.main)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The state of an effort, why it has it, and the money behind it.

    ``law`` is that of the value per treated customer, None where its interval has no end. ``uses`` is the number of
    treatments a year, and ``money`` the value of a year net of all costs with its interval. ``to_decide`` is the number
    of customers whose test would decide.
    """

    state: State
    reason: str
    pieces: tuple[Piece, ...] = ()
    law: Law | None = None
    uses: float | None = None
    money: tuple[float, float, float] | None = None
    to_decide: int | None = None
    pooled: PooledEffect | None = None

    @property
    def main(self) -> Effect | None:
        """The newest effect that may decide, otherwise the newest; None where nothing was measured."""
        deciding = [piece for piece in self.pieces if piece.decides]
        return newest(deciding or self.pieces).main if self.pieces else None

    @property
    def design(self) -> str:
        """The design of that effect; empty where nothing was measured."""
        return self.main.design if self.main else ""

    @property
    def may_rank(self) -> bool:
        """Whether its money may be compared with that of other efforts."""
        return self.law is not None and self.state != "stale"


def pieces_of(measurements: Iterable[Measurement]) -> list[Piece]:
    """Measurements of one data set or test, each effort by itself, in the order in which they were added.

    An effort is the same in capitals or not.
    """
    found: dict[tuple[str, str], list[Effect]] = {}
    for each in measurements:
        test = each.data or f"n = {each.effect.n:,}, {each.effect.measured_on or 'day not stated'}"
        found.setdefault((each.effort.casefold(), test), []).append(each.effect)
    return [Piece(effort, data, tuple(effects)) for (effort, data), effects in found.items()]


def newest(pieces: Sequence[Piece]) -> Piece:
    """The piece that was measured last; of several, the one that was added last."""
    days = [piece.main.measured_on for piece in pieces]
    last = max(range(len(pieces)), key=lambda i: (str(days[i] or ""), i))
    return pieces[last]


def find_state(effort: Effort, stored: Sequence[Piece], as_of: dt.date, level: float, currency: str = "") -> Finding:
    """The state of an effort by the rules of ``read_register``."""
    why_not = [_unusable(piece, as_of, currency) for piece in stored]
    pieces = [piece for piece, reason in zip(stored, why_not, strict=True) if not reason]
    if not pieces:
        named = "a report is named, but no row of it is stored" if effort.evidence else "no measurement is stored"
        return Finding(state="unmeasured", reason=why_not[-1] if why_not else named)
    current = [piece for piece in pieces if not _outdated(effort, piece, as_of)]
    if not current:
        found = _judge(effort, list(pieces), level)
        return replace(found, state="stale", reason=_outdated(effort, newest(pieces), as_of))
    return _judge(effort, current, level)


def _unusable(piece: Piece, as_of: dt.date, currency: str) -> str:
    """Why a piece of evidence is none on this day or in this currency; empty if it is."""
    measured, unit = piece.main.measured_on, CURRENCY.match(piece.main.unit)
    if measured is not None and str(measured) > as_of.isoformat():
        return f"measured on {measured}, which is after {as_of}"
    if unit and CURRENCY.fullmatch(currency) and unit[0] != currency:
        return f"measured in {unit[0]}, and the register is in {currency}"
    return ""


def _outdated(effort: Effort, piece: Piece, as_of: dt.date) -> str:
    """Why a piece of evidence no longer counts; empty if it does."""
    measured, review = piece.main.measured_on, effort.review_date
    if review is not None and review <= as_of and (measured is None or str(measured) < review.isoformat()):
        when = f"measured on {measured}" if measured else "measured on a day that is not stated"
        return f"{when}, and the review of {review} is due"
    on_customers = not piece.main.panel_unit  # units have no population of customers
    if on_customers and effort.population and effort.population.casefold() != piece.main.population.casefold():
        return f"measured on {piece.main.population}, and the effort is for {effort.population}"
    return ""


def _judge(effort: Effort, pieces: list[Piece], level: float) -> Finding:
    """The state by the pieces that count: one alone, two side by side, three and more pooled."""
    deciding = [piece for piece in pieces if piece.decides]
    if not deciding:
        return _undecided(effort, pieces, level)
    last, effects = newest(deciding).main, [piece.main for piece in deciding]
    uses, laws = uses_of(effort, last), [effect.value_law for effect in effects]
    assert all(law is not None for law in laws)
    pooled = None
    exact = all(law is not None and 0 < law.std_error < float("inf") for law in laws)
    alike = len({effect.panel_unit for effect in effects}) == 1
    if len(deciding) >= FEWEST and exact and alike:
        pooled = pool([law.estimate for law in laws if law], [law.std_error for law in laws if law])
        laws, effects = [pooled.law], [last]
    each = 1 - (1 - level) / len(laws)
    verdicts = [_verdict(law, effort, effect, each) for law, effect in zip(laws, effects, strict=True) if law]
    state, reason = _together([verdict for verdict, _ in verdicts], [why for _, why in verdicts])
    shown = pooled.law if pooled else last.value_law
    if shown is not None and not all(map(math.isfinite, shown.interval(level))):
        shown = None
        endless = f"the {100 * level:.3g} % interval of its value has no end: too few were tested"
        reason = endless if state == "undecided" and reason != CONTRADICTION else reason
    needed = _to_decide(effort, last) if state == "undecided" else None
    if needed is not None and needed <= last.n:
        needed, reason = None, f"{reason}, and its test was as large as the smallest gain that matters needs"
    return Finding(
        state=state,
        reason=reason,
        pieces=tuple(pieces),
        law=shown,
        uses=uses,
        money=money_of(shown, effort, uses, level),
        to_decide=needed,
        pooled=pooled,
    )


def _undecided(effort: Effort, pieces: list[Piece], level: float) -> Finding:
    """No piece may decide: the newest one says why."""
    main = newest(pieces).main
    why = objection(main) or "no value was measured: state a margin or a price, and the cost"
    return Finding(state="undecided", reason=why, pieces=tuple(pieces), to_decide=_to_decide(effort, main))


def _verdict(law: Law, effort: Effort, effect: Effect, level: float) -> tuple[State, str]:
    """The state by the law of the value per treated customer (or unit) of one or more effects, and why."""
    uses = uses_of(effort, effect)
    if not uses and effort.fixed_cost:
        reach = f"reach in units ({effect.panel_unit})" if effect.panel_unit else "reach"
        known = "missing" if uses is None else "0"
        return "undecided", f"its {reach} is {known}, so that the gain cannot be compared with the fixed cost"
    lower, upper = law.interval(level)
    limit = (effort.fixed_cost or 0.0) / uses if uses else 0.0
    if lower > limit:
        return "proven", f"the {100 * level:.3g} % interval of its value lies above its costs"
    if upper < limit:
        return "harmful", f"the {100 * level:.3g} % interval of its value lies below its costs"
    return "undecided", f"the {100 * level:.3g} % interval of its value holds both gain and loss"


def _together(states: Sequence[State], reasons: Sequence[str]) -> tuple[State, str]:
    """The state by all pieces: the first that decides, unless two contradict each other."""
    decided = {state for state in states if state != "undecided"}
    if len(decided) == 2:
        return "undecided", CONTRADICTION
    place = next((i for i, state in enumerate(states) if state in decided), 0)
    return states[place], reasons[place]


def uses_of(effort: Effort, effect: Effect) -> float | None:
    """Treatments a year: the reach of the register, otherwise that of the effect, times its repeats.

    The register counts customers. An effect on stores, regions or teams has a reach of its own.
    """
    reach = effect.reach if effort.reach is None or effect.panel_unit else effort.reach
    return None if reach is None else reach * effect.repeats


def money_of(law: Law | None, effort: Effort, uses: float | None, level: float) -> tuple[float, float, float] | None:
    """Value of a year net of all costs, with its interval; None where the reach is missing."""
    if law is None or uses is None:
        return None
    lower, upper = law.interval(level)
    estimate, low, high = (uses * amount - (effort.fixed_cost or 0.0) for amount in (law.estimate, lower, upper))
    return estimate, low, high


def _to_decide(effort: Effort, effect: Effect) -> int | None:
    """Customers whose interval would be no wider than the gain that matters, by default the cost of a contact."""
    if effect.panel_unit:
        return None
    gain = effect.smallest_gain or effect.cost or effort.cost_per_contact
    if not gain or gain < 0 or effect.priced is None:
        return None
    return next_test_size(effect.n, effect.priced[1:], gain)
