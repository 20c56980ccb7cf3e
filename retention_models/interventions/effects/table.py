"""The evidence table: effects of several interventions with their checks, ranked by value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from html import escape

import numpy as np
import pandas as pd

from retention_models.core.formatting import Presentation, format_together, p_value_text, with_interval
from retention_models.interventions.effects.effect import CEILING, Effect, Scale, all_treated, one_treated
from retention_models.interventions.effects.full_scale import next_test_size
from retention_models.interventions.effects.multiplicity import benjamini_hochberg, holm, shrink
from retention_models.interventions.effects.sensitivity import objection, sensitivity_sentence

ANNUAL = ("annual_value", "annual_value_lower", "annual_value_upper")
OPTIONAL = (
    "horizon",
    "cost",
    "value",
    "value_lower",
    "value_upper",
    "smallest_gain",
    "reach",
    *ANNUAL,
)  # may be missing
DERIVED = ("expected_loss", "customers_of_next_test")
RECORDS = ("checks", "law", "value_law")  # fields of an effect that are no columns
RANKED = ("randomised", "quasi-experimental")  # designs whose effects are ranked, each by themselves
CORRECTIONS = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}


@dataclass(frozen=True, slots=True, repr=False)
class EvidenceTable(Presentation):
    """Effects in one table; ``evidence_table`` creates it.

    The text and HTML form group effects that can be compared: differences in one unit (of shares in percentage points,
    ``pp``), ratios (as lifts: 10 % for a ratio of 1.1), hazard ratios. Failed and open checks
    follow each group. Randomised effects with a value and no failed deciding check are ranked by value per treated
    customer. So are quasi-experimental ones whose deciding checks all passed, by themselves. Observational differences
    are never ranked.

    Attributes
    ----------
    effects
        The effects.
    """

    effects: tuple[Effect, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row an effect, the ranked ones first: ``rank``, every field but laws and checks, ``p_value``, ``failed``.

        Randomised and quasi-experimental effects have ranks of their own. ``annual_value`` with its interval,
        ``expected_loss`` and ``customers_of_next_test`` are those of the effects. Missing ranks, horizons, days and
        amounts are ``<NA>``; ``failed`` names the failed checks.
        """
        columns = [field.name for field in fields(Effect) if field.name not in RECORDS]
        rows = [
            {name: getattr(effect, name) for name in columns}
            | dict(zip(ANNUAL, effect.annual_value or (None,) * 3, strict=True))
            | {name: getattr(effect, name) for name in DERIVED}
            for effect in self._ranking
        ]
        table = pd.DataFrame(rows, columns=[*columns, *ANNUAL, *DERIVED])
        table = table.astype(dict.fromkeys((*OPTIONAL, "expected_loss"), "Float64"))
        table["customers_of_next_test"] = table["customers_of_next_test"].astype("Int64")
        table["measured_on"] = [pd.NA if day is None else str(day) for day in table["measured_on"]]
        table["p_value"] = [effect.p_value for effect in self._ranking]
        table["failed"] = [", ".join(check.name for check in effect.failed) for effect in self._ranking]
        table["assigned_by"] = table.pop("assigned_by")
        table.insert(0, "rank", pd.Series([self._rank(effect) for effect in self._ranking], dtype="Int64"))
        return table

    @property
    def panels(self) -> dict[str, pd.DataFrame]:
        """The table by scale and unit, so that a panel can share an axis; heading to its part."""
        table = self.table
        headings = table.apply(lambda row: heading(row["scale"], row["unit"]), axis=1)
        return {name: table[headings == name] for name in self._sections}

    def corrected(self, method: str = "holm") -> pd.DataFrame:
        """The table with ``p_corrected``, the p-values corrected for the number of rows.

        Parameters
        ----------
        method
            ``"holm"``, the default, controls the probability of any false alarm. ``"benjamini-hochberg"`` controls the
            share of false alarms.

        Returns
        -------
        pandas.DataFrame
            As ``table``, with one more column.

        Raises
        ------
        ValueError
            When the method is unknown.
        """
        if method not in CORRECTIONS:
            raise ValueError(f"method must be one of {', '.join(CORRECTIONS)}; got {method!r}")
        table = self.table
        return table.assign(p_corrected=CORRECTIONS[method](table["p_value"]))

    @property
    def corrections(self) -> pd.DataFrame:
        """Each row's p-value with its corrections for the number of rows, the smallest first.

        Indexed by ``intervention`` and ``outcome``: ``p_value``, and one column for each method of ``corrected``.
        """
        p_values = self.table.set_index(["intervention", "outcome"])[["p_value"]].sort_values("p_value", kind="stable")
        return p_values.assign(**{name: correct(p_values["p_value"]) for name, correct in CORRECTIONS.items()})

    def shrunk(self, panel: str, level: float = 0.95) -> pd.DataFrame:
        """One panel with effects shrunk towards their common mean.

        Parameters
        ----------
        panel
            The heading of the panel. Its effects should be of one kind of intervention, such as a series of e-mails.
        level
            Level of the intervals, 0.95 by default.

        Returns
        -------
        pandas.DataFrame
            The panel with ``shrunk, shrunk_lower, shrunk_upper``. Ratios are shrunk on the log scale.

        Raises
        ------
        ValueError
            When there is no such panel, it has fewer than 4 effects, or an interval is infinite.
        """
        if panel not in self._sections:
            raise ValueError(f"no panel is called {panel!r}; there are {', '.join(self._sections)}")
        members = self._sections[panel]
        endless = [e.intervention for e in members if not np.isfinite(e.on_working_scale).all()]
        if endless:
            names = ", ".join(endless)
            raise ValueError(
                f"the interval of {names} has an infinite limit, and there is no standard error; leave it out"
            )
        found = shrink([e.on_working_scale[0] for e in members], [e.std_error for e in members], level)
        back = (lambda x: x) if members[0].scale == "difference" else np.exp
        columns = {"shrunk": found.estimate, "shrunk_lower": found.lower, "shrunk_upper": found.upper}
        return self.panels[panel].assign(**{name: back(values) for name, values in columns.items()})

    @property
    def decision(self) -> str:
        """The decision that follows from the ranked effects, one sentence for each design.

        The best of several effects looks better than it is. The interval of its value is therefore widened to hold for
        all ranked rows of its design together (Bonferroni).
        """
        blocks = [ranked for ranked in self._ranked_by_design.values() if ranked]
        if blocks:
            return " ".join(map(_decision_sentence, blocks))
        if all(effect.design == "observational" for effect in self.effects):
            return "No difference is ranked: customers were not assigned at random, so it may come from who they are."
        return "No effect has both a value and checks that hold: there is nothing to rank."

    @property
    def _ranked_by_design(self) -> dict[str, list[Effect]]:
        """The effects that are ranked, by decreasing value; of each design by themselves."""
        return {
            design: sorted(
                (effect for effect in self.effects if effect.design == design and _is_ranked(effect)),
                key=lambda effect: -(effect.value or 0.0),
            )
            for design in RANKED
        }

    @property
    def _ranking(self) -> tuple[Effect, ...]:
        """Ranked effects by decreasing value, then the others in the given order."""
        ranked = [effect for block in self._ranked_by_design.values() for effect in block]
        return (*ranked, *(effect for effect in self.effects if not _is_ranked(effect)))

    def _rank(self, effect: Effect) -> int | None:
        """The place of an effect among those of its design; None where it is not ranked."""
        block = self._ranked_by_design.get(effect.design, [])
        return next((i for i, other in enumerate(block, start=1) if other is effect), None)

    @property
    def _sections(self) -> dict[str, list[Effect]]:
        """The effects of each panel, in the order of the table, by its heading."""
        names = dict.fromkeys(heading(effect.scale, effect.unit) for effect in self.effects)
        return {name: [e for e in self._ranking if heading(e.scale, e.unit) == name] for name in names}

    def __repr__(self) -> str:
        parts = []
        for heading, members in self._sections.items():
            notes = [f"  ! {note}" for note in _notes(members)]
            table = _add_level(_display_rows(members, [self._rank(effect) for effect in members]), members)
            parts.append("\n".join([_title(heading), table.to_string(index=False), *notes]))
        return "\n\n".join([*parts, self.decision])

    def _repr_html_(self) -> str:
        parts = []
        for heading, members in self._sections.items():
            items = "".join(f"<li>{escape(note)}</li>" for note in _notes(members))
            table, shared = _drop_constant_columns(
                _display_rows(members, [self._rank(effect) for effect in members]), members
            )
            title = f"{_title(heading)} ({'; '.join(shared)})" if shared else _title(heading)
            shown = _add_level(table, members).to_html(index=False, border=0, escape=True)
            parts.append(f"<h3>{escape(title)}</h3>{shown}" + (f"<ul>{items}</ul>" if items else ""))
        has_value = any(effect.value is not None for effect in self.effects)
        return "".join(parts) + (f"<p>{escape(self.decision)}</p>" if has_value else "")


def evidence_table(effects: Iterable[Effect]) -> EvidenceTable:
    """The evidence table of some effects, which may come from different designs.

    Parameters
    ----------
    effects
        The effects, or one.

    Returns
    -------
    EvidenceTable
        The effects, grouped by scale and unit and ranked by value.

    Raises
    ------
    TypeError
        When an element is not an effect.
    ValueError
        When there is no effect.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> cards = pd.DataFrame({"arm": ["8 stamps", "10, 2 given"], "n": [150, 150], "completed": [28, 51]})
    >>> shares = {"8 stamps": 1, "10, 2 given": 1}
    >>> plan = rm.Plan(assigned_by="random", control="8 stamps", shares=shares)
    >>> test = rm.Experiment.from_counts(cards, plan, outcome="completed")
    >>> completed = rm.Outcome(column="completed", unit="share of customers", horizon=9, time_unit="M")
    >>> print(evidence_table(rm.differences(test, completed)))
    Difference, share of customers
    rank intervention   outcome            effect, 95 %  horizon      p   n     design value
       -  10, 2 given completed 15.3 pp (5.4 to 25.2) 9 months 0.0025 300 randomised     -
    <BLANKLINE>
    No effect has both a value and checks that hold: there is nothing to rank.
    """
    given = tuple(effects) if isinstance(effects, Iterable) else (effects,)
    for effect in given:
        if not isinstance(effect, Effect):
            raise TypeError(f"evidence_table needs effects; got {type(effect).__name__}")
    if not given:
        raise ValueError("there is no effect to show")
    return EvidenceTable(given)


def _is_ranked(effect: Effect) -> bool:
    """Whether an effect has a value and may decide."""
    return effect.value is not None and objection(effect) == ""


def _decision_sentence(ranked: list[Effect]) -> str:
    """The decision that follows from the effects of one design."""
    best = ranked[0]
    assert best.value is not None
    assert best.value_law is not None
    value, (lower, upper) = best.value, best.value_law.interval(1 - (1 - best.level) / len(ranked))
    each, together = (f"{100 * (1 - share * (1 - best.level)):.3g} %" for share in (1 / len(ranked), 1))
    surely = f"{each} interval" + (f", {together} for all {len(ranked)}" if len(ranked) > 1 else "")
    worth = f"{with_interval(value, lower, upper)} per {one_treated(best)}, net of cost ({surely})"
    if lower > 0:
        return f"Roll out {best.intervention}{_annual_clause(best, lower, upper)}. Its value is {worth}{_caveat(best)}."
    if value > 0:
        size = _next_test_clause(best, lower, upper)
        return f"Keep testing {best.intervention}{size}. Its value is {worth}: a loss is possible."
    return f"No effect is expected to pay. The best of {len(ranked)} is {best.intervention}: {worth}."


def _annual_clause(effect: Effect, lower: float, upper: float) -> str:
    """To how many customers or units, and for what money a year; empty where nobody said."""
    if effect.reach is None or effect.uses is None:
        return ""
    low, high = format_together(*(float(f"{effect.uses * end:.3g}") for end in (lower, upper)))
    again = "" if effect.repeats == 1 else f" ({effect.repeats:g} times, each assumed to have this effect)"
    return f" to {effect.reach:,} {all_treated(effect)}: {low} to {high} a year{again}"


def _next_test_clause(effect: Effect, lower: float, upper: float) -> str:
    """The size of the next test, whose interval is compared with others as well; empty where it is not known."""
    gain = effect.smallest_gain
    customers = None if gain is None else next_test_size(effect.n, (lower, upper), gain)
    return "" if customers is None else f" with {customers:,} {all_treated(effect)}"


def _caveat(effect: Effect) -> str:
    """The assumption behind an effect that was not randomised, in words."""
    if effect.design == "randomised":
        return ""
    return f". This is a {effect.design} result: it assumes that the groups differ in the treatment only"


def heading(scale: Scale, unit: str) -> str:
    """The heading of an effect's panel: its scale, and for a difference its unit."""
    return f"Difference, {unit}" if scale == "difference" else scale.capitalize()


def _title(heading: str) -> str:
    """The title of a panel: ratios are shown as lifts."""
    return "Lift, in percent of the baseline" if heading == "Ratio" else heading


def _notes(members: list[Effect]) -> list[str]:
    """Notes below a panel: failed and open checks, ceilings, and the sensitivity of its effects."""
    concerned: dict[str, list[str]] = {}
    for effect in members:
        statements = [
            str(check) for check in effect.checks if not check.passed or check.name.lower() == CEILING.lower()
        ]
        for note in [*statements, sensitivity_sentence(effect)]:
            if note and effect.intervention not in concerned.setdefault(note, []):
                concerned[note].append(effect.intervention)
    return [f"{note} ({'; '.join(names)})" for note, names in concerned.items()]


def _display_rows(members: list[Effect], ranks: list[int | None]) -> pd.DataFrame:
    """The rows of one panel for display; intervals name their level where levels differ."""
    same = _same_level(members)
    return pd.DataFrame(
        {
            "rank": ["-" if rank is None else str(rank) for rank in ranks],
            "intervention": [e.intervention for e in members],
            "outcome": [e.outcome for e in members],
            "effect": [_effect_text(e, same) for e in members],
            "horizon": [e.horizon_text for e in members],
            "p": [p_value_text(e.p_value) for e in members],
            "n": [f"{e.n:,}" for e in members],
            "design": [e.design for e in members],
            "value": [_interval_text(e.priced, e, same) for e in members],
        }
    )


def _same_level(members: list[Effect]) -> bool:
    return len({effect.level for effect in members}) == 1


def _level_text(effect: Effect) -> str:
    return f"{100 * effect.level:.3g} %"


def _effect_text(effect: Effect, same_level: bool) -> str:
    """An effect with its interval: of shares in percentage points, of a ratio the lift in percent."""
    numbers = (effect.estimate, effect.lower, effect.upper)
    if effect.scale == "ratio":
        return _interval_text((*(100 * (x - 1) for x in numbers),), effect, same_level, " %")
    if effect.scale == "difference" and effect.unit.startswith("share of "):
        return _interval_text((*(100 * x for x in numbers),), effect, same_level, " pp")
    return _interval_text(numbers, effect, same_level)


def _interval_text(numbers: tuple[float, ...] | None, effect: Effect, same_level: bool, unit: str = "") -> str:
    """A number with its interval, and its level where levels differ; a dash where there is none."""
    if numbers is None:
        return "-"
    middle, *ends = format_together(*numbers)
    return f"{middle}{unit} ({' to '.join(ends)}{'' if same_level else f'; {_level_text(effect)}'})"


def _add_level(table: pd.DataFrame, members: list[Effect]) -> pd.DataFrame:
    """The table with the level of the intervals in the headings, if it is the same for all."""
    if not _same_level(members):
        return table
    names = ["effect", *(["value"] if any(effect.priced for effect in members) else [])]
    return table.rename(columns={name: f"{name}, {_level_text(members[0])}" for name in names})


def _drop_constant_columns(table: pd.DataFrame, members: list[Effect]) -> tuple[pd.DataFrame, list[str]]:
    """The table without empty and constant columns, and the constant values, to fit on a page."""
    filled = {"rank": any(map(_is_ranked, members)), "value": any(effect.priced for effect in members)}
    same = [name for name in ("outcome", "horizon", "n", "design") if table[name].eq(table[name].iloc[0]).all()]
    shared = {name: f"n = {table[name].iloc[0]}" if name == "n" else str(table[name].iloc[0]) for name in same}
    if members[0].horizon is None:
        shared.pop("horizon", None)
    order = ["rank", "intervention", "outcome", "effect", "value", "p", "n", "horizon", "design"]
    kept = [name for name in order if filled.get(name, True) and name not in same]
    return table[kept], list(shared.values())
