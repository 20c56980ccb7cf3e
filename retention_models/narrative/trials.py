"""The answer of the page on what customers choose: whether joining changed anything, and what the dashboard shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retention_models.core.dates import span_name
from retention_models.core.formatting import three_digits
from retention_models.interventions.designs.trial_effects import Trials
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.sensitivity import objection
from retention_models.narrative.answer import Answer, KeyFigure
from retention_models.narrative.purchases import written_amount, written_range

NEVER_TOO_NARROW = (
    "The interval against never joining is too narrow: in simulated clubs, 89 to 90 % of those of 95 % held the truth."
)
SHARES = ("bought", "retained", "churned")
AGAINST = {"as_joined": "Effect of joining", "never_joined": "Against never joining"}
WORDS = {
    "orders": "orders",
    "bought": "buyers",
    "retained": "retained",
    "amount": "",
    "churned": "churned",
    "time": "months",
}


def trials_facts(trials: Trials, *, name: str = "this log") -> dict[str, str]:
    """What the head of a page says of trials.

    Parameters
    ----------
    trials
        The result of ``target_trials``.
    name
        What its data are called. Of a path, the last part is used.

    Returns
    -------
    dict
        By name: data, joined, compared joins, horizon.
    """
    left = sum(trials.left_out.values())
    horizon = span_name(trials.horizon, trials.time_unit)
    return {
        "data": Path(name).name,
        "joined": trials.kind,
        "joins": f"{trials.joins:,} of {trials.joins + left:,}",
        "horizon": horizon,
    }


def trials_answer(
    trials: Trials, effect: Effect, *, currency: str = "", facts: Mapping[str, str] | None = None
) -> Answer:
    """Whether joining changed anything, beside the number that a dashboard shows.

    Parameters
    ----------
    trials
        The result of ``target_trials``.
    effect
        Its row of evidence, with a value if money is known.
    currency
        The currency of values. By default not stated.
    facts
        What the head of the page says.

    Returns
    -------
    Answer
        Keep, stop, or test; never a decision by the difference between members and others.
    """
    naive = float(trials.naive()["difference"].iloc[0])
    figures = [KeyFigure("Members against others", _change(naive, trials.outcome), "a dashboard's number, no evidence")]
    for estimand, row in trials.overall().iterrows():
        ends = f"{_signed(float(row['lower']), trials.outcome)} to {_change(float(row['upper']), trials.outcome)}"
        figures.append(KeyFigure(AGAINST[str(estimand)], _change(float(row["estimate"]), trials.outcome), ends))
    if effect.priced is not None:
        value, lowest, highest = effect.priced
        within = f"{written_range(currency, lowest, highest)} in {effect.horizon_text}"
        figures.append(KeyFigure("Value of a member", written_amount(currency, value), within))
    figures.append(KeyFigure("Joins compared", f"{trials.joins:,}", f"{sum(trials.left_out.values()):,} left out"))
    headline, actions = _decision(effect, currency, lower_is_better=trials.lower_is_better)
    remedies = [check.remedy for check in effect.checks if check.decides and not check.passed and check.remedy]
    return Answer(
        headline=headline,
        figures=tuple(figures[:5]),
        actions=tuple(dict.fromkeys([*actions, *remedies]))[:3],
        sureness=(
            "Customers chose for themselves. The comparison is honest only if all that moved them is in the log.",
            next(check.detail for check in trials.checks if check.name == "Hidden cause"),
            f"The {100 * trials.level:g} % interval counts the estimated chances to join, and repeated customers.",
            *([NEVER_TOO_NARROW] if "never_joined" in trials.estimands else []),
        ),
        checks=trials.checks,
        facts=dict(facts or trials_facts(trials)),
    )


def _decision(effect: Effect, currency: str, *, lower_is_better: bool) -> tuple[str, list[str]]:
    """The headline, and what to do."""
    name, why = f"“{effect.intervention}”", objection(effect)
    settle = "Invite half of the customers who have not joined, drawn at random: that settles it."
    failed = [check.name for check in effect.checks if check.decides and check.passed is False]
    if failed:
        return f"Do not decide on {name} by this log: “{failed[0]}” failed. A test would settle it.", [settle]
    if why:
        open_checks = [check.name.lower() for check in effect.checks if check.decides and check.passed is None]
        untold = f"“{open_checks[0]}”" if open_checks else "a check"
        return f"Not proven that {name} keeps anyone: {untold} is not testable. A test would settle it.", [settle]
    ends = effect.annual_value or effect.priced or (effect.estimate, effect.lower, effect.upper)
    known = effect.priced is not None
    _, lower, upper = ends
    if lower_is_better and not known:
        lower, upper = -upper, -lower
    if lower > 0:
        scale = "a year" if effect.annual_value else f"a member in {effect.horizon_text}"
        worth = f": {written_range(currency, lower, upper)} {scale}" if known else ""
        return f"{'Keep' if known else 'It works: keep'} {name}{worth}.", [
            "Invite customers who have not joined, half of them at random, to go on measuring."
        ]
    if upper < 0:
        reason = "it costs more than it brings" if known else "the outcome gets worse"
        return f"Change or stop {name}: {reason}.", [settle]
    if known and (effect.lower > 0 or effect.upper < 0):
        worth = written_range(currency, lower, upper)
        return f"{name} changes {WORDS[effect.outcome] or 'spend'}; whether it pays is undecided: {worth} a member.", [
            settle
        ]
    return f"Undecided whether {name} keeps anyone: a gain and a loss are both possible.", [settle]


def _change(number: float, outcome: str) -> str:
    """A change of an outcome with its sign and unit."""
    return f"{_signed(number, outcome)} {'points' if outcome in SHARES else WORDS[outcome]}".strip()


def _signed(number: float, outcome: str) -> str:
    """A change with its sign: of a share in percentage points."""
    return ("+" if number > 0 else "") + (f"{100 * number:.1f}" if outcome in SHARES else three_digits(number))
