"""Groups of tenures, projections and the value of contracts, as text and tables for pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import three_digits
from retention_models.estimation.newton import ConvergenceError
from retention_models.evaluation.extrapolation import FEW, SHORTEST, projection_errors, projections
from retention_models.fitting.estimate import fit
from retention_models.fitting.model_tests import wald
from retention_models.fitting.result import Fit
from retention_models.forecast.planning_range import planning_names
from retention_models.narrative.formats import p_value_text
from retention_models.narrative.purchases import Sentence, failed_sentence, rounded_amount
from retention_models.scenario.contracts import Subscriptions
from retention_models.value.payments import payment_schedule
from retention_models.value.saved_customers import EDGES
from retention_models.value.terms import Terms


def saving_sentence(
    parts: Mapping[str, pd.DataFrame],
    saved: pd.DataFrame,
    *,
    terms: Terms,
    customers: float,
    checks: Sequence[Check] = (),
) -> str:
    """The value of all customers within the renewals that were seen, what lies beyond, and what saving one may cost.

    Parameters
    ----------
    parts
        The table of ``value_by_evidence`` of each model that the data hardly tell from the best, by name. The range
        covers all of them: their 95 % planning ranges, or else their confidence intervals.
    saved
        The table of ``saved_value`` within the renewals seen. The text gives its last row, and the lowest and highest
        value before it.
    terms
        The terms of the value.
    customers
        Number of customers.
    checks
        Checks. The text names those that failed.

    Returns
    -------
    str
        Some sentences.
    """
    first, one = next(iter(parts.values())), saved.iloc[-1]
    seen = first.loc["seen"]
    worth, least, most = (terms.written(one[name]) for name in ("value", "value_lower", "value_upper"))
    chance, spread = one["leaving"] / one["customers"], _tenure_range(saved, terms)
    models = f"{len(parts)} models fit about equally well" if len(parts) > 1 else f"by {next(iter(parts))}"
    return (
        f"The {customers:,.0f} customers are worth {_range_over(parts, 'seen', terms)} over the next "
        f"{seen['renewals']:,.0f} renewals, as many as the log is long ({models}). "
        f"{100 * seen['share_at_rare_tenures']:.0f} % of that is paid at tenures that fewer than 30 contracts have "
        f"reached.{_beyond_text(parts, terms)} A customer who was about to leave at the next renewal and is kept is "
        f"worth {f'on average {worth}' if spread else worth} ({least} to {most}) within that time{spread}: keeping one "
        f"may cost at most that.{_habit_text(saved, terms)} Where the offer goes to all customers, of whom "
        f"{100 * chance:.3g} % are about to leave, it may cost at most {terms.written(value_of_contact(one))} each, "
        f"even if it kept every one of these.{failed_sentence(checks)}"
    )


def _range_over(parts: Mapping[str, pd.DataFrame], part: str, terms: Terms) -> str:
    """The range over several models, as text."""
    lower, upper = range_over_models(parts, part)
    return f"{terms.written(rounded_amount(lower))} to {terms.written(rounded_amount(upper))}"


def range_over_models(parts: Mapping[str, pd.DataFrame], part: str) -> tuple[float, float]:
    """The range over several models: of their 95 % planning ranges, or of their confidence intervals without these."""
    is_planned = all("planning_lower_95" in table for table in parts.values())
    low, high = planning_names(0.95) if is_planned else ("value_lower", "value_upper")
    tables = parts.values()
    return min(float(table[low][part]) for table in tables), max(float(table[high][part]) for table in tables)


def known_contract_values(
    business: Subscriptions, parts: Mapping[str, pd.DataFrame], saved: pd.DataFrame, *, terms: Terms
) -> pd.DataFrame:
    """What the customers of a simulated business are worth by its own rules, without new events, beside the estimates.

    Parameters
    ----------
    business
        The simulated business.
    parts, saved
        As in ``saving_sentence``.
    terms
        The terms of the value; a horizon is ignored.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``value``: ``truth``, the range ``lower, upper`` over all models, and ``holds``, whether the range
        holds the truth. The last row is a saved customer, within the renewals seen.
    """
    schedule = payment_schedule(replace(terms, horizon=None))
    renewals = next(iter(parts.values()))["renewals"].drop("beyond", errors="ignore").astype(int)
    survival = business.expected_survival(renewals.max()).to_numpy()
    paid = schedule.discounted_margins(renewals.max())[1:] / schedule.discount
    rows = {
        f"all customers, {ahead} renewals": (float(survival[:, :ahead].sum(axis=0) @ paid[:ahead]), *ends)
        for ahead, ends in ((renewals[part], range_over_models(parts, part)) for part in renewals.index)
    }
    leaves = 1 - survival[:, 0]
    kept = paid[0] + (survival[:, 1:] / survival[:, :1]) @ paid[1:]
    interval = saved.iloc[-1][["value_lower", "value_upper"]]
    rows["a saved customer"] = (float(leaves @ kept / leaves.sum()), *interval)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["truth", "lower", "upper"]).rename_axis("value")
    return table.assign(holds=table["truth"].between(table["lower"], table["upper"]))


def _beyond_text(parts: Mapping[str, pd.DataFrame], terms: Terms) -> str:
    """What the models extrapolate beyond the renewals that were seen; empty where there is no such value."""
    if not all("beyond" in table.index for table in parts.values()):
        return ""
    return f" Beyond, the models extrapolate another {_range_over(parts, 'beyond', terms)}, which no data have tested."


def value_by_habit(saved: pd.DataFrame) -> float:
    """Value of a saved customer if loyalty is a habit that all acquire alike: that of one who renews, over the leavers.

    With one spell per customer, the same curve can come from customers who differ and never change (sorting: the column
    ``value``), or from customers who are alike and change with tenure (habit).
    """
    leaving, renewing = (saved[name].iloc[:-1].to_numpy(dtype=float) for name in ("leaving", "renewing_value"))
    return float(leaving @ renewing / leaving.sum())


def _habit_text(saved: pd.DataFrame, terms: Terms) -> str:
    """The other end of what a saved customer can be worth; empty where both ends are the same."""
    sorting, habit = (terms.written(value) for value in (saved["value"].iloc[-1], value_by_habit(saved)))
    if sorting == habit:
        return ""
    return (
        f" That holds if customers differ from the start and never change; if loyalty is a habit that grows with "
        f"tenure, it is {habit}. With one spell per customer the log cannot tell which."
    )


def _tenure_range(saved: pd.DataFrame, terms: Terms) -> str:
    """The lowest and highest value of a saved customer with their tenures; empty if all are equal."""
    value, made = saved["value"].to_numpy()[:-1], saved.index.to_numpy()[:-1]
    (least, at_least), (most, at_most) = ((terms.written(value[i]), made[i]) for i in (value.argmin(), value.argmax()))
    return "" if least == most else f", from {least} {_tenure_text(at_least)} to {most} {_tenure_text(at_most)}"


def _tenure_text(renewals: int) -> str:
    return f"after renewal {renewals}" if renewals else "before the first renewal"


def value_of_contact(saved: pd.Series) -> float:
    """Break-even cost per contact of an offer to all customers that saves everyone about to leave."""
    return float(saved["value"] * saved["leaving"] / saved["customers"])


def projections_by_table(retention_table: Any, published: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """Projections of a retention table from its first third, and of the groups of a published table.

    Parameters
    ----------
    retention_table
        The table that ``retention_table`` returns. Renewals with fewer than 50 customers at risk are left out.
    published
        The table of ``load_published_retention``. By default None: no published table.

    Returns
    -------
    dict
        Title to the frame of ``projections``. Tables too short for a holdout are left out.
    """
    together = retention_table.groupby("tenure", as_index=False)[["at_risk", "lost"]].sum()
    tables = {"this log": together[together["at_risk"] >= FEW].reset_index(drop=True)}
    if published is not None:
        tables |= {f"published, {name}": part for name, part in published.groupby("customers", sort=False)}
    book = {}
    for title, table in tables.items():
        if len(table) >= SHORTEST and table["lost"].iloc[: _calibration_length(table)].sum() > 0:
            book[title] = projections(table, renewals=_calibration_length(table))
            book[title].attrs["title"] = f"{title}: {_calibration_length(table)} of {len(table)} renewals used"
    return book


def projection_error_table(book: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The ``projection_errors`` of each frame of a ``projections_by_table``, in one table.

    Parameters
    ----------
    book
        Title to the frame of ``projections``, from ``projections_by_table``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``table`` and the index of ``projection_errors``, with its columns; without rows if ``book`` is
        empty.
    """
    if not book:
        return pd.DataFrame(columns=["fitted_error", "error", "last", "actual"])
    return pd.concat({title: projection_errors(frame) for title, frame in book.items()}, names=["table"])


def projection_notes(book: dict[str, pd.DataFrame]) -> list[Sentence]:
    """The notes of the fits in a ``projections_by_table``, or the reason why it is empty.

    Parameters
    ----------
    book
        Title to the frame of ``projections``, from ``projections_by_table``.

    Returns
    -------
    list of Sentence
        One for each model with notes.
    """
    if not book:
        return [Sentence("The log has too few renewals to keep some of them back and hold a projection against them.")]
    notes = ((title, model, said) for title, frame in book.items() for model, said in frame.attrs["notes"].items())
    return [Sentence(f"{title}, {model}: {' '.join(said)}") for title, model, said in notes if said]


def _calibration_length(table: pd.DataFrame) -> int:
    """The number of renewals in the calibration period."""
    return max(len(table) // 3, 3)


def selected_tenures(saved: pd.DataFrame) -> pd.DataFrame:
    """A few rows of ``saved_value`` at increasing distances, with the last row "all".

    Parameters
    ----------
    saved
        The table that ``saved_value`` returns.

    Returns
    -------
    pandas.DataFrame
        The rows nearest to 0, 1, 3, 6, 12, 24, 48 and 96 renewals, and the row "all".
    """
    tenures = saved.index[:-1].to_numpy(dtype=int)
    wanted = [tenures[np.argmin(np.abs(tenures - edge))] for edge in EDGES if edge <= tenures.max() + 1]
    return saved.loc[[*dict.fromkeys(wanted), "all"]]


def group_as_covariate(fitted: Fit, retention_table: pd.DataFrame, group: str | None) -> list[Any]:
    """The model of all customers with their group as a covariate, and whether it explains more than chance.

    Parameters
    ----------
    fitted
        The fit of all customers.
    retention_table
        The retention table by ``group``.
    group
        The column that tells customers apart; None for none.

    Returns
    -------
    list
        The fit with the covariate and the table of Wald's test. Or a sentence that says why there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
    >>> rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in kept.items() for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    >>> _, test = rm.narrative.group_as_covariate(rm.fit(rm.ShiftedBetaGeometric, table), table, "plan")
    >>> test
                statistic  degrees  p_value
    term
    churn[plan]       175        1  < 0.001
    """
    if group is None:
        return [Sentence("No group was named: one model describes all customers.")]
    name = group if group.isidentifier() else f"`{group}`"
    is_text = not pd.api.types.is_numeric_dtype(retention_table[group])
    formula = name if is_text else f"C({name})"
    try:
        found = fit(type(fitted.model), retention_table, churn_covariates=formula)
    except (ValueError, ConvergenceError) as error:
        return [Sentence(f"The model knows no difference between groups. {error}.")]
    test = wald(found)
    shown = test.assign(statistic=test["statistic"].map(three_digits), p_value=test["p_value"].map(p_value_text))
    return [found, shown]


def age_groups(customers: pd.DataFrame) -> pd.Series:
    """The tenure group of each row of ``active_customers``, as ordered categories.

    Parameters
    ----------
    customers
        A frame with ``tenure``, the number of renewals made.

    Returns
    -------
    pandas.Series
        Names of the groups, with the index of ``customers``. The groups begin at 0, 1, 3, 6, 12, 24, 48 and 96
        renewals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rm.narrative.age_groups(pd.DataFrame({"tenure": [0, 2, 7, 12]})).tolist()
    ['0 renewals', '1 to 2 renewals', '6 to 11 renewals', '12 to 23 renewals']
    """
    code = np.searchsorted(EDGES, customers["tenure"].to_numpy(), side="right") - 1
    names = ["0 renewals"] + [f"{low} to {high - 1} renewals" for low, high in pairwise(EDGES[1:])]
    names.append(f"{EDGES[-1]} renewals or more")
    used = [name for i, name in enumerate(names) if i in set(code)]
    return pd.Series(pd.Categorical([names[i] for i in code], categories=used, ordered=True), index=customers.index)
