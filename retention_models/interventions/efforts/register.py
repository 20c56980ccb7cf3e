"""The register of efforts: what a company does to keep its customers, and what is known of each effort."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.special import ndtri

from retention_models.core.arguments import check_choice, require_text, require_type
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, number_of
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.efforts.effort_evidence import (
    ANNUAL,
    effort_of,
    evidence_frame,
    evidence_rows,
    offer_rows,
    shrunken_values,
)
from retention_models.interventions.efforts.effort_log import Measurement, append_to_log, log_path
from retention_models.interventions.efforts.effort_state import STATES, Effort, Finding, find_state, pieces_of

GROUPS = ("state", "department", "owner", "kind", "contact_point")
NOT_STATED = "not stated"


@dataclass(frozen=True, eq=False, repr=False)
class Register(Presentation):
    """The efforts of a company with their evidence; ``read_register`` reads it.

    Attributes
    ----------
    efforts
        The efforts as written, indexed by ``effort``, with ``cost_per_year``.
    measurements
        The effects that were stored for them, in the order in which they were added.
    overlap
        Customers in each pair of efforts, on the diagonal in the effort itself; None without contacts.
    as_of, level
        The day of the states, and the level of the intervals that decide.
    currency
        The currency of costs and values; empty if not stated.
    path
        The file of the register; None for a frame.
    """

    efforts: pd.DataFrame
    measurements: tuple[Measurement, ...]
    overlap: pd.DataFrame | None
    as_of: dt.date
    level: float
    currency: str = ""
    path: Path | None = None
    _damaged: int = field(default=0)
    _repeated: int = field(default=0)

    @cached_property
    def _records(self) -> dict[str, Effort]:
        """The rows of the register, by effort."""
        return {row["effort"]: effort_of(row) for row in self.efforts.reset_index().to_dict("records")}

    @cached_property
    def _findings(self) -> dict[str, Finding]:
        """What is known of each effort."""
        pieces = pieces_of(self.measurements)
        found = {}
        for name, effort in self._records.items():
            own = [piece for piece in pieces if piece.effort == name.casefold()]
            found[name] = find_state(effort, own, self.as_of, self.level, self.currency)
        return found

    @property
    def table(self) -> pd.DataFrame:
        """One row an effort: what was written of it, its ``state`` with the ``reason``, and its money.

        Indexed by ``effort``. ``annual_value`` with its interval is the value of a year net of all costs at full reach,
        by effects that may decide; ``pieces`` the number of pieces of evidence; ``customers_to_decide`` the size of the
        test that would decide an undecided effort. Missing numbers and days are ``<NA>`` and ``NaT``.
        """
        shown = ["department", "owner", "kind", "contact_point", "started", "ends", "cost_per_year", "reach"]
        table = self.efforts[shown].astype({"cost_per_year": "Float64", "reach": "Float64"})
        found = list(self._findings.values())
        table["state"] = [each.state for each in found]
        table["reason"] = [each.reason for each in found]
        for place, name in enumerate(ANNUAL):
            column = [pd.NA if each.money is None else each.money[place] for each in found]
            table[name] = pd.array(column, dtype="Float64")
        table["design"] = [each.design for each in found]
        table["pieces"] = [len(each.pieces) for each in found]
        table["measured_on"] = pd.to_datetime([str(each.main.measured_on or "") if each.main else "" for each in found])
        table["review_date"] = self.efforts["review_date"]
        table["customers_to_decide"] = pd.array([each.to_decide for each in found], dtype="Int64")
        return table

    def money(self, by: str = "state") -> pd.DataFrame:
        """Costs and values of a year by a group of efforts.

        Parameters
        ----------
        by
            ``"state"``, the default, ``"department"``, ``"owner"``, ``"kind"`` or ``"contact_point"``.

        Returns
        -------
        pandas.DataFrame
            One row a group: ``efforts``, ``cost_per_year`` (of the efforts whose cost is known), ``cost_unknown``
            (number of the others), and ``annual_value`` with its interval: the sum over efforts with money, if they do
            not overlap and were measured on different customers. By a group other than the state, stale values are left
            out of the sum, and the cost of each state has a column of its own.

        Raises
        ------
        ValueError
            When ``by`` is another word.
        """
        check_choice("by", by, GROUPS)
        table = self.table.assign(**{by: lambda frame: frame[by].replace("", NOT_STATED)})
        order = [state for state in STATES if table["state"].eq(state).any()]
        names = order if by == "state" else sorted(table[by].unique())
        rows = {name: self._sums(table[table[by] == name], stale=by == "state") for name in names}
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
        found = found.astype({"efforts": int, "cost_unknown": int} | dict.fromkeys(ANNUAL, "Float64"))
        if by != "state":
            for state in order:
                of_state = table[table["state"] == state]
                found[state] = of_state.groupby(by)["cost_per_year"].sum().reindex(found.index).fillna(0.0)
        found.attrs["currency"] = self.currency
        return found

    def _sums(self, table: pd.DataFrame, *, stale: bool) -> dict[str, Any]:
        cost = table["cost_per_year"]
        sums = {"efforts": len(table), "cost_per_year": float(cost.sum()), "cost_unknown": int(cost.isna().sum())}
        counted = table.index if stale else table.index[table["state"] != "stale"]
        return sums | dict(zip(ANNUAL, self._sum_of_values(counted), strict=True))

    def _sum_of_values(self, names: Iterable[str]) -> tuple[Any, Any, Any]:
        """The sum of the values of efforts with money, and its interval if they are independent."""
        found = [self._findings[name] for name in names]
        parts = [
            (each.money[0], each.uses * each.law.std_error) for each in found if each.money and each.uses and each.law
        ]
        if not parts:
            return pd.NA, pd.NA, pd.NA
        total, error = sum(value for value, _ in parts), math.hypot(*(error for _, error in parts))
        z = -float(ndtri((1 - self.level) / 2))
        return total, total - z * error, total + z * error

    def totals(self, universal_control: Effect | None = None) -> pd.DataFrame:
        """The value of all efforts together, beside the sum of the parts.

        Parameters
        ----------
        universal_control
            The effect of all efforts together: customers who may be treated against the universal control group. It
            needs a value and ``reach``. By default None.

        Returns
        -------
        pandas.DataFrame
            ``efforts`` and ``annual_value`` with its interval, for the sum of the parts and, if given, for all efforts
            together. ``attrs["share_in_several"]`` is the share of customers in two or more efforts, None if unknown:
            the sum holds if efforts do not overlap.

        Raises
        ------
        ValueError
            When the effect has no value at full scale.
        """
        known = [name for name, found in self._findings.items() if found.money is not None and found.may_rank]
        rows = {"sum of the parts": (len(known), *self._sum_of_values(known))}
        if universal_control is not None:
            require_type("universal_control", universal_control, Effect)
            if universal_control.annual_value is None:
                raise ValueError(
                    "universal_control has no value of a year; it needs a value, reach, and random assignment"
                )
            rows["all efforts together"] = (len(self.efforts), *universal_control.annual_value)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["efforts", *ANNUAL])
        table = table.astype({"efforts": int} | dict.fromkeys(ANNUAL, "Float64"))
        table.attrs["share_in_several"] = None if self.overlap is None else self.overlap.attrs["share_in_several"]
        return table

    @property
    def gaps(self) -> pd.DataFrame:
        """Efforts without owner, cost or end, one row an effort: True in each column that is missing."""
        missing = pd.DataFrame(
            {
                "owner": self.efforts["owner"].eq(""),
                "cost_per_year": self.efforts["cost_per_year"].isna(),
                "ends": self.efforts["ends"].isna(),
            }
        )
        return missing[missing.any(axis=1)]

    @property
    def calendar(self) -> pd.DataFrame:
        """When efforts run and when they are reviewed, by start: ``started, ends, review_date, state``."""
        table = self.table
        return table[["started", "ends", "review_date", "state", "department"]].sort_values(["started", "ends"])

    @property
    def evidence(self) -> pd.DataFrame:
        """One row a piece of evidence, and one for each effort that was never measured.

        Columns ``effort, kind, state, data, measured_on, design, n``, the value per treated customer with its interval,
        ``annual_value`` with its interval (net of all costs; none for an observational difference), ``cost_per_year``,
        ``heterogeneity`` of pooled rows, and ``overturn``: what would overturn a row that is not randomised. Three and
        more pieces of an effort have a row of their own, ``pooled``.
        """
        known = [(self._records[name], found) for name, found in self._findings.items()]
        table = evidence_frame([row for effort, found in known for row in evidence_rows(effort, found, self.level)])
        table.attrs["currency"] = self.currency
        return table

    def shrunk(self) -> pd.DataFrame:
        """The value of each effort with evidence that may decide, shrunk against the winner's curse.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``effort``: ``kind``, ``pool`` (the rows whose mean it is near), ``return`` (value per cost of a
            treated customer) and ``shrunk`` with its interval in the same unit, ``annual_value`` and ``annual_shrunk``
            with its interval. Efforts without a cost per contact are left out, since their effect has no unit in
            common with others; ``attrs["without_cost"]`` names them.

        Notes
        -----
        Effects are shrunk within kinds of at least 5 efforts, others towards the mean of all kinds. Fewer than 4
        efforts are not shrunk. The model is that of
        ``evidence_table(...).shrunk``, with a half-Cauchy prior of the spread (Gelman 2006).
        """
        return shrunken_values([(self._records[name], found) for name, found in self._findings.items()], self.level)

    @property
    def offers(self) -> pd.DataFrame:
        """The rows that ``allocate_budget`` takes: one an effort whose cost and reach are known.

        Columns ``effort, kind, owner, cost`` (per treatment, as written, otherwise as measured), ``fixed_cost, reach``
        (treatments a year), ``value`` (per treatment, net of all costs measured), ``std_error``, ``cost_now``
        (its cost a year if it runs) and ``design``. The value is missing where no evidence may decide.
        ``attrs["without_cost"]`` names the efforts that are left out.
        """
        return offer_rows([(self._records[name], found) for name, found in self._findings.items()], self.as_of)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Interventions with stored effects that are no effort of the register."""
        names = {name.casefold() for name in self.efforts.index}
        return tuple(dict.fromkeys(m.effort for m in self.measurements if m.effort.casefold() not in names))

    @property
    def checks(self) -> tuple[Check, ...]:
        """Whether the register is complete, its stored effects are whole, and each belongs to an effort."""
        gaps = self.gaps
        named = {"owner": "an owner", "cost_per_year": "a cost", "ends": "an end"}
        missing = [
            f"{int(gaps[column].sum())} without {words}" for column, words in named.items() if gaps[column].any()
        ]
        stored = len(self.measurements)
        return (
            Check(
                "Complete register",
                not len(gaps),
                size=len(gaps),
                limit=0,
                unit="efforts",
                detail=f"Of {number_of(len(self.efforts), 'efforts')}, {', '.join(missing) or 'all are complete'}.",
                remedy="Fill in the missing fields; an effort without an end needs a review date.",
                decides=False,
            ),
            Check(
                "Stored effects",
                not self._damaged,
                size=self._damaged,
                limit=0,
                unit="lines",
                detail=f"{number_of(stored, 'effects')} can be read, {number_of(self._damaged, 'lines')} cannot.",
                remedy="A run was stopped while it wrote; run its report again, and the line no longer counts.",
            ),
            Check(
                "Effects with an effort",
                not self.unmatched,
                size=len(self.unmatched),
                limit=0,
                unit="interventions",
                detail=f"Not in the register: {', '.join(self.unmatched) or 'none'}.",
                remedy="Add a row of the same name, or add the effects with effort=.",
                decides=False,
            ),
        )

    def add(
        self, effects: Effect | Iterable[Effect], *, effort: str | Mapping[str, str] | None = None, data: str = ""
    ) -> Register:
        """The register with more effects, which are appended to the audit trail beside its file.

        Effects that are there already, from the same data, are not added again.

        Parameters
        ----------
        effects
            The effects, or one.
        effort
            The effort that they belong to, or a mapping of intervention to effort. By default the intervention of each
            effect.
        data
            Checksum of the data, or name of the test. Effects of one effort with the same data are one piece of
            evidence. By default effects of the same size and day are.

        Returns
        -------
        Register
            The register with these effects. Where it was read from a file, they are now in the file of the same name
            that ends in ``.jsonl``, which is only ever appended to.

        Raises
        ------
        TypeError
            When an element is not an effect.
        ValueError
            When there is no effect.
        """
        given = (effects,) if isinstance(effects, Effect) else tuple(effects)
        if not given:
            raise ValueError("there is no effect to add")
        for effect in given:
            require_type("effects", effect, Effect)
        require_type("data", data, str)
        if isinstance(effort, str):
            require_text("effort", effort)
        elif unknown := set(effort or {}) - {effect.intervention for effect in given}:
            raise ValueError(f"effort names {min(unknown)!r}, which is the intervention of none of these effects")
        new = [Measurement(_belongs_to(effect, effort), effect, data) for effect in given]
        if self.path is None:
            held = {each.key: each for each in self.measurements}
            added = [each for key, each in {each.key: each for each in new}.items() if key not in held]
        else:
            there, added = append_to_log(log_path(self.path), new)
            held = {each.key: each for each in (*self.measurements, *there)}
        known = held | {each.key: each for each in added}  # one that evidence names may be new to the trail
        return replace(self, measurements=tuple(known.values()), _repeated=len(new) - len(added))

    def _parts(self) -> Sequence[Part]:
        table = self.money()
        parts: list[Part] = [f"{number_of(len(self.efforts), 'efforts')} as of {self.as_of}.", table.reset_index()]
        again = f"Stored before from the same data, and not added again: {number_of(self._repeated, 'effects')}."
        repeated = [again] if self._repeated else []
        return [*parts, *repeated, *(str(check) for check in self.checks if not check.passed)]


def _belongs_to(effect: Effect, effort: str | Mapping[str, str] | None) -> str:
    if isinstance(effort, str):
        return effort
    return (effort or {}).get(effect.intervention, effect.intervention)
