"""The answer of the page on a roll-out: whether to keep and extend the programme."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retention_models.interventions.designs.roll_out import RollOut
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.outcomes.unit_periods import SHARES
from retention_models.narrative.answer import Answer, KeyFigure
from retention_models.narrative.purchases import written_amount, written_range

IN_WORDS = {
    "randomisation": "other assignments of the launches",
    "jackknife": "leaving out each unit in turn",
    "influence": "the influence of each unit",
}


def roll_out_facts(roll_out: RollOut, *, name: str = "this roll-out") -> dict[str, str]:
    """What the head of a page says of a roll-out.

    Parameters
    ----------
    roll_out
        The result of ``difference_in_differences``.
    name
        What its data are called. Of a path, the last part is used.

    Returns
    -------
    dict
        By name: data, period, units, treated.
    """
    panel = roll_out.panel
    ends = [str(getattr(each, "date", lambda each=each: each)()) for each in panel.periods[[0, -1]]]
    treated = int(panel.treated.sum())
    return {
        "data": Path(name).name,
        "period": " to ".join(ends),
        "units": f"{len(panel.units)}",
        "treated": f"{treated}",
    }


def roll_out_answer(
    roll_out: RollOut, effect: Effect, *, currency: str = "", facts: Mapping[str, str] | None = None
) -> Answer:
    """Whether to keep and extend a programme.

    Parameters
    ----------
    roll_out
        The result of ``difference_in_differences``.
    effect
        Its row of evidence, with a value if money is known.
    currency
        The currency of values. By default not stated.
    facts
        What the head of the page says.

    Returns
    -------
    Answer
        Keep and extend, stop, keep watching, or not decidable.
    """
    deciding = [check for check in roll_out.checks if check.decides and check.passed is False]
    overall = roll_out.overall().iloc[0]
    in_points = "pp" if roll_out.outcome in SHARES else "%"
    change, lower, upper = (_percent(float(overall[name]), in_points) for name in ("estimate", "lower", "upper"))
    figures = [KeyFigure("Effect per period", change, f"{lower} to {upper}")]
    if effect.annual_value is not None:
        year, *ends = effect.annual_value
        figures.append(KeyFigure("Value a year", written_amount(currency, year), written_range(currency, *ends)))
    elif effect.priced is not None:
        value, *ends = effect.priced
        each = written_range(currency, *ends)
        figures.append(KeyFigure("Value per unit and period", written_amount(currency, value), each))
    treated = int(roll_out.panel.treated.sum())
    figures += [
        KeyFigure("Units with the programme", f"{treated}", f"of {len(roll_out.panel.units)}"),
        KeyFigure("Periods", f"{len(roll_out.panel.periods)}", f"{roll_out.base_periods} of them the base"),
    ]
    headline, actions = _decision(roll_out, effect, currency, deciding[0].name if deciding else "")
    remedies = [check.remedy for check in deciding if check.remedy]
    return Answer(
        headline=headline,
        figures=tuple(figures),
        actions=tuple([*actions, *remedies][:3]),
        sureness=(
            f"The {100 * roll_out.level:g} % interval follows from {IN_WORDS[roll_out.inference]}.",
            "The comparison assumes that units with and without the programme would have moved alike.",
            "Effects in units that launch later may differ.",
        ),
        checks=roll_out.checks,
        facts=dict(facts or roll_out_facts(roll_out)),
    )


def _decision(roll_out: RollOut, effect: Effect, currency: str, failed: str) -> tuple[str, list[str]]:
    """The headline, and what to do."""
    name = f"“{effect.intervention}”"
    if failed == "Decidable roll-out":
        return f"Not decidable from this roll-out: too few units could have launched {name}.", []
    if failed:
        return f"Do not decide by this roll-out: “{failed}” failed.", []
    ends = effect.annual_value or effect.priced
    known = ends is not None
    lower, upper = ends[1:] if ends is not None else (effect.lower, effect.upper)
    if not known and roll_out.lower_is_better:
        lower, upper = -upper, -lower
    scale = " a year" if effect.annual_value else " per unit and period"
    if lower > 0:
        worth = f": {written_range(currency, lower, upper)}{scale}" if known else ""
        first = "Keep and extend" if known else "It works: keep"
        return f"{first} {name}{worth}.", ["Launch the remaining units in random order, to go on measuring."]
    worse = "rises" if roll_out.lower_is_better else "falls"
    if upper < 0:
        return f"Stop {name}: it loses money." if known else f"Stop {name}: the outcome {worse}.", []
    undecided = f"Keep measuring {name}: a gain and a loss are both possible."
    if known and (effect.lower > 0 or effect.upper < 0):
        outcome, worth = roll_out.outcome.replace("_", " "), written_range(currency, lower, upper)
        undecided = f"Keep measuring {name}: it changes {outcome}; whether it pays is undecided: {worth}{scale}."
    return undecided, ["Launch the next units in random order; more units and periods make the interval narrower."]


def _percent(share: float, unit: str) -> str:
    return f"{100 * share:.1f} {unit}" if abs(share) < float("inf") else "without limit"
