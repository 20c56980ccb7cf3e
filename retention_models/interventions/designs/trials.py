"""Trials of what customers choose themselves, from a log and its contacts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import check_choice, require_level, require_texts, require_whole
from retention_models.core.arrays import RNGLike
from retention_models.core.formatting import counted
from retention_models.interventions.designs.adjustment import Adjusted, require_learner
from retention_models.interventions.designs.trial_checks import FEW_OTHERS, HEAVY
from retention_models.interventions.designs.trial_comparison import SETTLED, Comparison
from retention_models.interventions.designs.trial_effects import CONTRACTS, SHOP, Trials
from retention_models.interventions.designs.trial_histories import WEEK, Series
from retention_models.interventions.designs.trial_log import (
    CALENDAR,
    ORIGIN,
    TrialLog,
    calendar_periods,
    read_shop,
    read_subscriptions,
)
from retention_models.interventions.designs.trial_outcomes import Measure
from retention_models.interventions.designs.trial_rows import Occasions, TrialRows, occasions_of, sample_rows
from retention_models.logs.contracts.log import Spells
from retention_models.value.terms import Terms

POOL = 40  # customers drawn for each join where each period is a time zero


def target_trials(
    log: Any,
    contacts: Any,
    *,
    kind: str,
    every: Literal["D", "W", "M"] | None = None,
    outcome: str | None = None,
    terms: Terms | None = None,
    features: Sequence[str] | None = None,
    attributes: Any = None,
    anchor: str | None = "order",
    rewards: Sequence[str] | str = (),
    unaffected: Any = None,
    others_per_join: int = 20,
    target: Literal["treated", "overlap"] | None = None,
    learner: Any = None,
    folds: int = 5,
    level: float = 0.95,
    rng: RNGLike = 0,
) -> Trials:
    """What joining changed for those who chose to join, by a sequence of trials.

    In a shop, time zero is an order: customers who joined at it are compared with others who ordered in the same period
    and did not, alike in all that was known before. The outcome starts on the day after.

    Parameters
    ----------
    log
        The result of ``read_transactions``, or a frame or file that it takes by default names. With contracts the
        result of ``read_contracts``: time zero is then each month under contract.
    contacts
        The result of ``read_contacts``, or a frame or file that it takes by default names.
    kind
        The kind of contact that was joined: a membership, an app, self-service, an answer.
    every
        Calendar period within which customers are compared: ``"W"``, the default, ``"D"`` or ``"M"``. With contracts
        always ``"M"``.
    outcome
        In a shop ``"orders"``, the default, ``"bought"``, ``"amount"`` or ``"retained"`` (an order in the second half
        of the horizon). With contracts ``"retained"``, the default, ``"churned"`` or ``"time"`` (mean number of months
        under contract, restricted to the horizon).
    terms
        ``horizon`` with ``time_unit`` ``"D"`` or ``"W"``, 12 weeks by default; with contracts months, 12 by default.
        Margin or price and currency, for the value.
    features
        Names of the covariates. By default all that is known: orders, tenure, recency, orders and amounts in the last
        13, 26 and 52 weeks, other contacts of late, attributes.
    attributes
        Frame or file with further numbers or words of customers: ``customer_id``, perhaps ``date`` (the day from which
        they were known), and the columns. By default none.
    anchor
        What time zero is: ``"order"``, the default, or a kind of contact such as ``"visit"``. None: each period. In a
        shop, estimates are then biased upwards, since customers leave in silence.
    rewards
        Kinds of contact whose ``value`` is money given to customers, such as discounts. It counts as a cost from time
        zero on.
    unaffected
        A log of purchases that the effort cannot touch, such as another category, or a kind of contact. By default
        none; the effect is then not proven.
    others_per_join
        Number of others that are sampled for each join. By default 20.
    target
        ``"treated"``: the effect on those who joined. ``"overlap"``: on those among them who are like others. By
        default the first, unless few others carry its weights.
    learner
        A classifier of scikit-learn that estimates the chance to join, cross-fitted. By default logistic regression.
    folds
        Number of parts of the customers for a learner. By default 5.
    level
        Level of intervals, 0.95 by default.
    rng
        Source of the sample: a seed, 0 by default, a numpy Generator, or None for a new one.

    Returns
    -------
    Trials
        The effect with its interval, balance, curves, checks, and the row of the evidence table.

    Raises
    ------
    ValueError
        When nobody joined or nobody is left to compare with, the horizon is longer than the log, a feature is unknown
        or not known before time zero, or an argument is not valid.

    Notes
    -----
    Hernan & Robins (2016). Weights are the odds to join, with outcome regression (doubly robust); errors count both and
    repeated customers. Against never joining, others are censored when they join, and weighted by the chance that they
    had not. These intervals are somewhat too narrow: in simulated clubs, 89 to 90 % of those of 95 % held the truth.

    Examples
    --------
    >>> import retention_models as rm
    >>> shop = rm.scenario.club(1, customers=6_000, gain=0.3)
    >>> found = rm.target_trials(shop.transactions, shop.joins, kind="membership")
    >>> found.overall()[["joins", "estimate", "lower", "upper"]].round(2)
                  joins  estimate  lower  upper
    estimand
    as_joined      1570      0.58   0.38   0.78
    never_joined   1570      0.82   0.55   1.08
    """
    require_level(level)
    require_whole("others_per_join", others_per_join, 1)
    require_whole("folds", folds, 2)
    seed = int(np.random.default_rng(rng).integers(2**31))
    contracts = isinstance(log, Spells)
    given = [rewards] if isinstance(rewards, str) else list(rewards or ())
    if contracts and anchor != "order":
        raise ValueError("with contracts each month is a time zero: leave anchor out")
    if every is not None and contracts and every != "M":
        raise ValueError(f"with contracts customers are compared within a month: every must be 'M'; got {every!r}")
    require_learner(learner, "predict_proba")
    if given:
        require_texts("rewards", given)
    outcomes = CONTRACTS if contracts else SHOP
    outcome = next(iter(outcomes)) if outcome is None else outcome
    check_choice("outcome", outcome, tuple(outcomes))
    if every is not None:
        check_choice("every", every, tuple(CALENDAR))
    if target is not None:
        check_choice("target", target, ("treated", "overlap"))
    horizon, time_unit, last = _horizon(terms, contracts)
    parts: dict[str, Any] = {"rewards": given, "unaffected": unaffected, "attributes": attributes}
    if contracts:
        read = read_subscriptions(log, contacts, kind, **parts)
    else:
        read = read_shop(log, contacts, kind, every=every or "W", anchor=anchor, **parts)
    if outcome == "amount" and not read.known.has_amount:
        raise ValueError("the log has no amounts, which the outcome 'amount' needs")
    occasions = _occasions(read, anchor, every or "W", last, contracts, seed)
    rows = sample_rows(occasions, SETTLED, others_per_join, np.random.default_rng(seed))
    if rows.joined.sum() < 2 or (~rows.joined).sum() < 2:
        raise ValueError(_nobody(occasions, rows, kind))
    comparison = Comparison(
        log=read,
        occasions=occasions,
        rows=rows,
        outcome=outcome,
        measures=_measures(read, outcome, outcomes[outcome], last),
        features=_features(read, features),
        target=target or "treated",
        others_per_join=others_per_join,
        seed=seed,
        learner=learner,
        folds=folds,
    )
    _require_known(comparison)
    if target is None and _is_heavy(comparison.found("as_joined")):
        comparison = replace(comparison, target="overlap")
    return Trials(kind, outcome, horizon, time_unit, terms, level, comparison)


def _horizon(terms: Terms | None, contracts: bool) -> tuple[float, str, int]:
    """The horizon as stated, its unit, and its length in days or months."""
    unit, length = ("M", 12.0) if contracts else ("W", 12.0)
    if terms is not None and terms.horizon is not None:
        unit, length = terms.time_unit or unit, float(terms.horizon)
    allowed = ("M",) if contracts else ("D", "W")
    if unit not in allowed:
        raise ValueError(f"time_unit of the horizon must be {' or '.join(map(repr, allowed))} here; got {unit!r}")
    last = length * (WEEK if unit == "W" else 1)
    if not (math.isfinite(last) and last >= 1 and last == int(last)):
        whole = "months" if contracts else "days"
        raise ValueError(f"the horizon must be a whole number of {whole}; got {length:g} {unit}")
    return length, unit, int(last)


def _occasions(read: TrialLog, anchor: str | None, every: str, last: int, contracts: bool, rng: int) -> Occasions:
    """The occasions of the trials."""
    end, begin = read.last - last, int(read.events.time.min())
    if end < begin:
        raise ValueError(
            f"the horizon of {last} {'months' if contracts else 'days'} is longer than the log, which has "
            f"{read.last - begin + 1}; choose a shorter one"
        )
    shared: dict[str, Any] = {"last": end, "end": read.last, "counts": read.counts}
    if anchor is None and not contracts:
        series, joins, period = _without_anchor(read, every, rng)
        return occasions_of(series, joins, len(read.customers), period, anchored=False, what="contact", **shared)
    parts = (read.occasions, read.joins, len(read.customers), read.period)
    what = "contract" if contracts else "order" if anchor == "order" else "contact"
    return occasions_of(*parts, anchored=True, what=what, **shared)


def _without_anchor(
    read: TrialLog, every: str, rng: int
) -> tuple[Series, tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
    """The beginning of each calendar period as an occasion of customers who had ordered before it.

    Joins count at the beginning of their period. For each join so many other customers are drawn in its period that
    the sample of the trials has enough to choose from.
    """
    days = np.arange(read.events.time.min(), read.last + 1)
    period = calendar_periods(days, every)
    starts = pd.Series(days).groupby(period).min()
    who, when = read.joins
    inside = (when >= days[0]) & (when <= days[-1])
    apart = who[~inside], when[~inside]
    who, when = who[inside], when[inside]
    moment = starts.loc[period[when - days[0]]].to_numpy(dtype=np.int64)
    begun = read.events.time[read.events.first(np.arange(len(read.customers)))]
    generator = np.random.default_rng(rng)
    customers, times = [who[begun[who] < moment]], [moment[begun[who] < moment]]
    for start, joins in zip(*np.unique(customers and times[0], return_counts=True), strict=True):
        known = np.flatnonzero(begun < start)
        drawn = generator.choice(known, min(len(known), POOL * int(joins)), replace=False)
        customers.append(drawn)
        times.append(np.full(len(drawn), start))
    series = Series.of(np.concatenate(customers), np.concatenate(times))
    joins = np.concatenate([who, apart[0]]), np.concatenate([moment, apart[1]])
    return series, joins, calendar_periods(series.time, every)


def _nobody(occasions: Occasions, rows: TrialRows, kind: str) -> str:
    """Why nothing can be compared."""
    reasons = dict(occasions.left_out)
    first = int((occasions.number[occasions.joiners] == 1).sum())
    if first:
        reasons["joined at their first order, without a history"] = first
    if rows.joined.sum() < 2:
        told = f": {counted(reasons)}" if reasons else ""
        return f"fewer than two customers joined ({kind}) at an occasion with a history and a horizon{told}"
    return f"nobody is left to compare with: at the {int(rows.joined.sum()):,} occasions of joining all had joined"


def _features(read: TrialLog, features: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the covariates."""
    names = read.known.names()
    if features is None:
        return tuple(names)
    require_texts("features", features)
    for name in features:
        check_choice("features", name, names)
    return tuple(features)


def _measures(read: TrialLog, outcome: str, what: str, last: int) -> dict[str, Measure]:
    """What is counted: the outcome, and rewards from time zero on."""
    after = last // 2 if read.in_weeks and outcome == "retained" else 0
    if not read.in_weeks and outcome in ("retained", "churned"):
        after = last - 1
    found = {outcome: Measure(read.events, after, last, what)}
    if read.rewards is None:
        return found
    return found | {"rewards": Measure(read.rewards, -1, last, "money", on_joining=False)}


def _require_known(comparison: Comparison) -> None:
    """An error where a dated attribute was not known before some time zero."""
    occasions, names = comparison.occasions, list(comparison.log.known.dated)
    names = [name for name in names if name in comparison.features]
    places = np.flatnonzero(occasions.open & np.isin(occasions.number, SETTLED))
    customer, time = comparison.who(places)
    table = comparison.log.known.table(customer, time, names)
    for name in names:
        unknown = table[name].isna().to_numpy()
        if unknown.any():
            first = int(np.flatnonzero(unknown)[0])
            in_days = comparison.log.in_weeks
            day = f" on {(ORIGIN + pd.Timedelta(int(time[first]), 'D')).date()}" if in_days else ""
            raise ValueError(
                f"{name} is not known before time zero at {int(unknown.sum()):,} of {len(table):,} occasions (first: "
                f"customer {comparison.log.customers[customer[first]]}{day}); give earlier rows, or leave it out of "
                "features"
            )


def _is_heavy(found: Adjusted) -> bool:
    """Whether few others carry the weights, so that only customers who are like others can be compared."""
    return found.effective_others < FEW_OTHERS or found.largest_weight > HEAVY
