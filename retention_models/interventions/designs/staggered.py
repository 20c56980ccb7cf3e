"""Roll-outs: units that got a programme one after the other, compared with those that did not have it yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_level, require_texts, require_whole
from retention_models.interventions.designs.group_time import ControlGroup, GroupTime
from retention_models.interventions.designs.roll_out import RollOut
from retention_models.interventions.designs.roll_out_averages import Averages
from retention_models.interventions.designs.roll_out_covariates import read_covariates
from retention_models.interventions.designs.roll_out_launches import Launches, launch_places
from retention_models.interventions.designs.roll_out_panel import read_panel
from retention_models.interventions.effects.assignment import NOT_STATED, AssignedBy, require_assigned_by
from retention_models.interventions.outcomes.unit_periods import SHARES
from retention_models.logs.contacts.contact_log import Contacts
from retention_models.tables.engines import column_names


def difference_in_differences(
    panel: Any,
    launches: Any,
    *,
    panel_unit: str,
    outcome: str,
    first_treated: str = "first_treated",
    period: str = "period",
    per: str | None = "base",
    weights: Literal["base", "panel_unit"] = "base",
    control_group: ControlGroup = "not_yet_treated",
    anticipation: int = 0,
    base_periods: int | None = None,
    amounts: Sequence[str] = (),
    covariates: Sequence[str] = (),
    other_launches: Any = None,
    assigned_by: AssignedBy = NOT_STATED,
    level: float = 0.95,
    rng: int = 0,
) -> RollOut:
    """What a programme changed in units that got it one after the other.

    Parameters
    ----------
    panel
        Frame or file with one row a unit and period: ``panel_unit``, ``period`` and ``outcome``. Each unit needs each
        period. ``event_panel`` makes one from a log.
    launches
        When each unit got the programme: a frame or file with ``panel_unit`` and ``first_treated``, or a mapping.
        Units that are not named, or have no day, are not treated within the panel. ``Contacts`` of one kind that name
        units are launches as well, of each unit on its first day. Units whose last day, ``until``, lies within the
        panel are left out and counted.
    panel_unit, outcome, first_treated, period
        Names of the columns. Periods are days or numbers; a launch belongs to the period in which it falls.
    per
        ``"base"``, the default: the outcome is relative to the mean of each unit in an early base period. A column:
        relative to that column in each period, such as customers. None: levels. The outcomes ``"retained_share"`` and
        ``"churn"`` of ``event_panel`` are compared as shares of the customers at risk.
    weights
        ``"base"``, the default: units count by their base, so that the effect is that on the average order or customer.
        With ``per`` of a column, they count by its mean in the base period, such as the customers at risk.
        ``"panel_unit"``: all units count alike.
    control_group
        ``"not_yet_treated"``, the default, or ``"never_treated"``.
    anticipation
        Number of periods before launch in which the programme may already work. By default 0.
    base_periods
        Length of the base period from the start of the panel. By default half of the periods before the first launch.
    amounts
        Further columns of the panel, such as discounts and rewards given by unit and period, which ``effect`` and
        ``cost_breakdown`` may name. By default none.
    covariates
        Numbers of each unit that were known before the first launch: columns of the launches, with one row a unit, or
        of the panel, with one value a unit. The change of untreated units is regressed on them and predicted for
        treated ones. By default none.
    other_launches
        Launches of another effort in the same form as ``launches``, to see whether they coincide. By default not known.
    assigned_by
        Who decided about the order of launches: ``"random"``, ``"rule"``, ``"choice"`` or ``"unknown"``. There is no
        default; the ``assignment`` of contacts says it, by the weakest word where units differ.
    level
        Level of intervals, 0.95 by default.
    rng
        Seed of the draws of other assignments and of the band. By default 0.

    Returns
    -------
    RollOut
        The averages of the effects with their intervals, the checks, and the row of the evidence table.

    Raises
    ------
    TypeError
        When ``assigned_by`` is not stated.
    ValueError
        When a cell is missing or stands twice, a unit was launched twice or after the last period, nothing can be
        compared, or an argument is not valid.

    Notes
    -----
    Callaway & Sant'Anna (2021). Each cohort is compared with units that are not treated, since the last period before
    its launch. Units that were treated before the panel begins are left out and counted.

    With covariates, units need only move alike where these are equal (their outcome regression, linear in the
    covariates and weighted like the units). Comparisons with no more untreated units than coefficients are left out and
    counted. Errors count the regression, which is computed again without each unit or is part of its influence.

    With at least 50 units (more than 400 with covariates) and 5 in each cohort, errors follow from the influence of
    each unit, otherwise from leaving out each unit in turn (jackknife, N - 1 degrees of freedom). With fewer than 6
    treated or untreated units, the interval is that of other assignments of the launches (randomisation inference for
    a constant effect).

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rng = np.random.default_rng(1)
    >>> panel = pd.DataFrame([(s, t) for s in range(24) for t in range(20)], columns=["store", "period"])
    >>> launches = {store: 8 + 3 * (store // 6) for store in range(18)}  # six stores have no club
    >>> club = panel["period"] >= panel["store"].map(launches).fillna(99)
    >>> panel["orders"] = rng.poisson((100 + 20 * panel["store"]) * (1 + 0.1 * club))
    >>> found = rm.difference_in_differences(panel, launches, panel_unit="store", outcome="orders", assigned_by="rule")
    >>> found.overall().rename_axis(None).round(3)
            estimate  std_error  lower  upper  p_value
    simple     0.107       0.02  0.066  0.147      0.0
    """
    of_contacts = Launches.of(launches, panel_unit, first_treated) if isinstance(launches, Contacts) else None
    if of_contacts is not None:
        assigned_by, launches = of_contacts.assigned_by(assigned_by), of_contacts.first
    if isinstance(other_launches, Contacts):
        other_launches = Launches.of(other_launches, panel_unit, first_treated).first
    require_assigned_by(assigned_by)
    require_level(level)
    require_whole("anticipation", anticipation, 0)
    check_choice("control_group", control_group, get_args(ControlGroup))
    check_choice("weights", weights, ("base", "panel_unit"))
    for name, columns in (("amounts", amounts), ("covariates", covariates)):
        if columns:
            require_texts(name, columns)
    counted, per = _as_counts(panel, outcome, per)
    size = per if per not in ("base", None) else None
    names = {"panel_unit": panel_unit, "period": period, "first_treated": first_treated}
    until = None if of_contacts is None else of_contacts.until
    read = read_panel(panel, launches, **names, outcome=counted, size=size, amounts=amounts, until=until)
    if np.ptp(read.outcome) == 0:
        raise ValueError(f"{outcome} is {read.outcome[0, 0]:g} in each unit and period: there is nothing to compare")
    if (read.outcome < 0).any() and per == "base":
        raise ValueError(
            f"{outcome} is below 0 in {(read.outcome < 0).sum():,} cells; a base must be positive: use per=None for "
            "levels"
        )
    if int(read.first.min()) < 1 + anticipation:
        raise ValueError("no period lies before the first launch and its anticipation; begin the panel earlier")
    if per == "base":
        empty = read.base(base_periods)[0] <= 0
        if empty.all() or not read.treated[~empty].any():
            raise ValueError(f"no treated unit has any {outcome} in the base period; use per=None for levels")
        read = read.without(empty, f"without any {outcome} in the base period")
    base, length = read.base(base_periods)
    if size is not None:
        assert read.size is not None
        weight, values = read.size[:, :length].mean(axis=1), read.outcome / read.size
        scale, unit = weight, f"{outcome} per {size}" if counted == outcome else "of customers at risk"
    elif per == "base":
        weight, values, scale, unit = base, read.outcome / base[:, None], base, f"of {outcome} in the base period"
    else:
        weight, values, scale, unit = np.abs(base), read.outcome, np.ones(len(base)), outcome
    if weights == "panel_unit" or per is None:
        weight = np.ones(len(values))
    known = read_covariates(covariates, panel, launches, read, period) if covariates else None
    group_time = GroupTime(values, weight, read.first, anticipation, control_group, known)
    if not np.isfinite(group_time.estimates.simple):
        too_many = f" with more units than {len(covariates)} covariates and a constant" if covariates else ""
        raise ValueError(
            f"no unit is left to compare with ({control_group}){too_many}: each is treated by then; keep units without "
            f"the programme{', or state fewer covariates' if covariates else ''}"
        )
    other = None
    if other_launches is not None:
        units = pd.Index(read.units)
        other = launch_places(other_launches, units, read.periods, panel_unit, first_treated, others=True)
    return RollOut(
        panel=read,
        outcome=outcome,
        unit=unit,
        base_periods=length,
        base=scale,
        assigned_by=assigned_by,
        level=level,
        _averages=Averages.of(group_time, rng),
        _levels=Averages.of(replace(group_time, values=read.outcome, weights=np.ones(len(values))), rng),
        _other_launches=other,
        _assignment=None if of_contacts is None else of_contacts.assignment,
    )


def _as_counts(panel: Any, outcome: str, per: str | None) -> tuple[str, str | None]:
    """The count to compare, and what it is divided by; for a share of ``event_panel``, the two counts of its ratio."""
    if outcome not in SHARES or per is None:
        return outcome, per
    part, whole = SHARES[outcome]
    missing = [name for name in (part, whole) if name not in column_names(panel, "the panel")]
    if missing:
        raise ValueError(
            f"{outcome} is a share, and its units are weighted by customers at risk: the panel lacks the columns "
            f"{', '.join(missing)} of event_panel; add them, or use per=None for shares of equal weight"
        )
    if per not in ("base", whole):
        raise ValueError(f"{outcome} is a share of {whole}; it cannot be divided by {per} as well")
    return part, whole
