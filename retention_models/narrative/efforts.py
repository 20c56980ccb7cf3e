"""The answers of the pages on all efforts: what is proven, and where the next euro goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import number_of
from retention_models.interventions.efforts.budget import FUND, TEST, Allocation
from retention_models.interventions.efforts.effort_evidence import ANNUAL
from retention_models.interventions.efforts.register import Register
from retention_models.narrative.answer import Answer, KeyFigure
from retention_models.narrative.purchases import written_amount, written_range

MOST_NAMES = 2  # in a headline
EVEN = 0.5
FULL = 0.999
UNKNOWN = ("unmeasured", "stale")


def register_facts(register: Register, *, name: str = "this register") -> dict[str, str]:
    """What the head of a page says of a register.

    Parameters
    ----------
    register
        The register that ``read_register`` returns.
    name
        What its data are called. Of a path, the last part is used.

    Returns
    -------
    dict
        By name: data, as of, efforts, departments, stored effects.
    """
    departments = sorted(set(register.efforts["department"]) - {""})
    facts = {"data": Path(name).name, "as of": str(register.as_of), "efforts": f"{len(register.efforts)}"}
    facts |= {"departments": ", ".join(departments)} if departments else {}
    return facts | {"stored effects": f"{len(register.measurements)}"}


def register_answer(
    register: Register, *, checks: Sequence[Check] = (), facts: Mapping[str, str] | None = None
) -> Answer:
    """What a company knows of its efforts: what is proven, harmful, undecided and never measured.

    Parameters
    ----------
    register
        The register that ``read_register`` returns.
    checks
        Further checks of the page; those of the register are always shown.
    facts
        What the head of the page says.

    Returns
    -------
    Answer
        The money of a year by state as the headline; what to stop, to go on with and to test first.
    """
    money, table = register.money(), register.table
    cost = money["cost_per_year"]
    total = float(cost.sum())

    def written(amount: float) -> str:
        return written_amount(register.currency, amount)

    unknown = int(money["cost_unknown"].sum())
    stated = unknown < len(table)

    def spent(*states: str) -> str:
        return written(float(cost.reindex(list(states)).fillna(0.0).sum())) if stated else "not stated"

    headline = f"No effort has a stated cost. {_count_states(money)}"
    if stated:
        headline = _register_headline(money, f"Of {written(total)} a year on {number_of(len(table), 'efforts')}", spent)
    figures = [
        KeyFigure(
            "Cost a year",
            written(total) if stated else "not stated",
            f"cost of {unknown} unknown" if unknown else f"{len(table)} efforts",
        ),
        KeyFigure("Proven to pay", spent("proven"), _efforts(money, "proven")),
        KeyFigure("Loses money", spent("harmful"), _efforts(money, "harmful")),
        KeyFigure(_unknown(money).capitalize(), spent(*UNKNOWN), _efforts(money, *UNKNOWN)),
    ]
    proven = money.loc[money.index == "proven", list(ANNUAL)].dropna()
    for value, lower, upper in proven.itertuples(index=False):
        ends = written_range(register.currency, lower, upper)
        figures.append(KeyFigure("Proven value a year", written(value), ends))
    return Answer(
        headline=headline,
        figures=tuple(figures),
        actions=tuple(_actions(register, written)[:3]),
        sureness=tuple(_sureness(register)),
        checks=(*register.checks, *checks),
        facts=dict(facts or register_facts(register)),
    )


def _register_headline(money: pd.DataFrame, total: str, spent: Callable[..., str]) -> str:
    """The money of a year by what is known of it; states without an effort are left out, but for the proven one."""
    parts = [f"{spent('proven')} is proven to pay"]
    unknown = (UNKNOWN, _unknown(money))
    for states, words in ((("harmful",), "loses money"), (("undecided",), "undecided"), unknown):
        if money.index.isin(states).any():
            parts.append(f"{spent(*states)} {words}")
    return f"{total}, {', '.join(parts)}."


def _count_states(money: pd.DataFrame) -> str:
    """How many efforts are proven to pay, and how many lose money."""
    proven, harmful = (int(money["efforts"].reindex([state]).fillna(0).sum()) for state in ("proven", "harmful"))
    lost = f"; losing money: {harmful}" if harmful else ""
    return f"Proven to pay: {proven} of {number_of(int(money['efforts'].sum()), 'efforts')}{lost}."


def _unknown(money: pd.DataFrame) -> str:
    """What is said of efforts without evidence that counts; some of them may have been measured before."""
    return "not measured or out of date" if "stale" in money.index else "not measured"


def _efforts(money: pd.DataFrame, *states: str) -> str:
    return number_of(int(money["efforts"].reindex(list(states)).fillna(0).sum()), "efforts")


def _actions(register: Register, write: Callable[[float], str]) -> list[str]:
    """What to stop, to start or go on with, and to test first."""
    table, actions = register.table, []
    harmful = table[table["state"] == "harmful"].sort_values("annual_value")
    if len(harmful):
        name, row = harmful.index[0], harmful.iloc[0]
        ends = written_range(register.currency, -row["annual_value_upper"], -row["annual_value_lower"])
        others = f" So {'does' if len(harmful) == 2 else 'do'} {_names(harmful.index[1:])}." if len(harmful) > 1 else ""
        actions.append(f"Stop “{name}”: it loses {ends} a year.{others}")
    proven = table[table["state"] == "proven"].sort_values("annual_value", ascending=False)
    if len(proven):
        name, row = proven.index[0], proven.iloc[0]
        verb = "Start" if row["ends"] < pd.Timestamp(register.as_of) else "Go on with"
        gain = "" if pd.isna(row["annual_value"]) else f": it earns {write(row['annual_value'])} a year"
        actions.append(f"{verb} “{name}”{gain}.")
    unknown = table[table["state"].isin(UNKNOWN)].sort_values("cost_per_year", ascending=False, na_position="last")
    undecided = table[table["state"] == "undecided"].sort_values("cost_per_year", ascending=False, na_position="last")
    if len(unknown):
        name, row = unknown.index[0], unknown.iloc[0]
        owner = f"{row['owner']} owns it" if row["owner"] else "it has no owner yet"
        cost = "" if pd.isna(row["cost_per_year"]) else f", which costs {write(row['cost_per_year'])} a year"
        actions.append(f"Test “{name}” first{cost}; {owner}.")
    elif len(undecided):
        name, row = undecided.index[0], undecided.iloc[0]
        size = row["customers_to_decide"]
        settle = f"Settle “{name}”: {row['reason']}."
        actions.append(settle if pd.isna(size) else f"Test “{name}” again with {size:,} customers.")
    return actions


def _names(names: Sequence[str] | pd.Index) -> str:
    shown = [f"“{name}”" for name in names[:MOST_NAMES]]
    shown += [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _sureness(register: Register) -> list[str]:
    """What the states rest on, and what a sum over efforts assumes."""
    level = f"{100 * register.level:g} %"
    said = [f"“Proven” means that the {level} interval of the value lies above all costs, in a test that may decide."]
    share = register.totals().attrs["share_in_several"]
    overlap = (
        "how many customers are in several is not known"
        if share is None
        else f"{100 * share:.0f} % of customers are in two or more"
    )
    said.append(f"A sum over efforts holds if they do not overlap; {overlap}.")
    stale = register.table.index[register.table["state"] == "stale"]
    if len(stale):
        said.append(f"Measured too long ago or on other customers: {_names(stale)}.")
    return said


def budget_answer(
    allocation: Allocation,
    *,
    currency: str = "",
    checks: Sequence[Check] = (),
    facts: Mapping[str, str] | None = None,
    assumed: str = "",
) -> Answer:
    """Where the next euro goes: what to move, how sure that is, and what to test first.

    Parameters
    ----------
    allocation
        The allocation that ``allocate_budget`` returns.
    currency
        The currency of costs and values. By default not stated.
    checks
        The checks of the page.
    facts
        What the head of the page says.
    assumed
        What was assumed and not stated, as text.

    Returns
    -------
    Answer
        The move of money as the headline.
    """

    def written(amount: float) -> str:
        return written_amount(currency, amount)

    table = allocation.table.reset_index()
    first = _first_test(table)
    value, lower, upper = allocation.value
    figures = [
        KeyFigure("Budget a year", written(allocation.budget), f"{written(allocation.cost)} spent"),
        KeyFigure("Expected value a year", written(value), written_range(currency, lower, upper)),
    ]
    if allocation.chance_of_gain is not None:
        figures.append(KeyFigure("Better than today", _percent(allocation.chance_of_gain), "probability"))
    figures.append(KeyFigure("Cost of deciding now", written(allocation.cost_of_deciding_now), "a year, on average"))
    funded = table[table["decision"] == FUND].sort_values("return", ascending=False)
    untested = bool(table["decision"].eq(TEST).all())
    if untested:  # a value of 0 would be a claim about efforts that nobody measured
        figures = [KeyFigure("Budget a year", written(allocation.budget), "nothing to allocate yet")]
        figures.append(KeyFigure("Without evidence", f"{len(table)}", f"of {number_of(len(table), 'efforts')}"))
        spent = table.loc[table["effort"] == first, "cost_now"].sum()
        figures.append(KeyFigure("Test first", f"{first}", f"{written(spent)} a year today"))
    actions = [f"Test “{first}” before the money is spent: a group that gets nothing shows its effect."] * untested
    if len(funded):
        actions.append(f"Fund {_names(funded['effort'].tolist())}: {written(allocation.cost)} a year.")
    tests = table.dropna(subset="value_of_test").sort_values("value_of_test", ascending=False)
    if first and len(tests) and tests.iloc[0]["value_of_test"] > 0:
        gain = written(tests.iloc[0]["value_of_test"])
        actions.append(f"Test “{first}” before the money is spent: a test is worth up to {gain} a year.")
    if (sentence := _keeping_or_winning(table, written)) is not None:
        actions.append(sentence)
    return Answer(
        headline=_budget_headline(allocation, written, first),
        figures=tuple(figures),
        actions=tuple(actions[:3]),
        sureness=tuple(_sureness_of_budget(allocation, table, written)),
        checks=tuple(checks),
        facts=dict(facts or {}),
        assumed=assumed,
    )


def _budget_headline(allocation: Allocation, write: Callable[[float], str], first: str | None) -> str:
    moves = allocation.moves
    share = allocation.table["share"].groupby(level="effort").sum()
    kept = share.reindex(moves.index) > FULL  # no money is taken away, also where a test found a lower cost
    away, towards = moves[(moves["change"] < 0) & ~kept], moves[moves["change"] > 0].iloc[::-1]
    test = f" Test “{first}” first." if first else ""
    if allocation.table["decision"].eq(TEST).all():
        return f"No effort has evidence that may decide.{test}"
    better = allocation.chance_of_gain
    if better is not None and better < EVEN and len(away):
        worse = f"{write(allocation.budget)} in whole efforts earns less with probability {_percent(1 - better)}"
        return f"Keep today's spending: {worse}.{test}"
    if len(away) and len(towards) and better is not None:
        amount = min(-float(away["change"].sum()), float(towards["change"].sum()))
        move = f"Move {write(amount)} from {_names(away.index)} to {_names(towards.index)}"
        return f"{move}: it pays with probability {_percent(better)}.{test}"
    if len(away) and better is not None:
        stop = f"Stop spending {write(-float(away['change'].sum()))} on {_names(away.index)}"
        return f"{stop}: to stop pays with probability {_percent(better)}.{test}"
    funded = allocation.table.index[allocation.table["decision"] == FUND].get_level_values("effort")
    if len(funded):
        return f"Spend {write(allocation.cost)} on {_names(list(funded))}.{test}"
    return f"Spend nothing yet: no effort is expected to pay.{test}"


def _first_test(table: pd.DataFrame) -> str | None:
    """The effort whose test is worth most; of unmeasured ones without a value of it, the dearest."""
    valued = table.dropna(subset="value_of_test").sort_values("value_of_test", ascending=False)
    if len(valued) and valued.iloc[0]["value_of_test"] > 0:
        return str(valued.iloc[0]["effort"])
    unknown = table[table["decision"] == TEST].sort_values("cost_now", ascending=False)
    return str(unknown.iloc[0]["effort"]) if len(unknown) else None


def _percent(share: float) -> str:
    return "more than 99 %" if share > 0.99 else "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _keeping_or_winning(table: pd.DataFrame, write: Callable[[float], str]) -> str | None:
    """What one unit of money earns in keeping customers and in winning them; None without acquisition."""
    won = table[(table["kind"] == "acquisition") & table["return"].notna()]
    kept = table[(table["kind"] != "acquisition") & (table["decision"] == FUND)]
    if won.empty or kept.empty:
        return None
    spent = float(kept["cost"].sum())
    earned = float(kept["expected_value"].sum()) / spent if spent else 0.0
    new = float(won["return"].iloc[0])
    better = "Keeping" if earned > new else "Winning"
    per = f"{write(100 * earned)} net per 100 spent on keeping, {write(100 * new)} on winning"
    paying = table[(table["kind"] != "acquisition") & (table["expected_value"] > 0)]
    left_over = better == "Keeping" and won["decision"].eq(FUND).any() and (paying["share"] > FULL).all()
    rest = " Winning gets only what keeping cannot use." if left_over else ""
    return f"{better} customers earns more: {per}.{rest}"


def _sureness_of_budget(allocation: Allocation, table: pd.DataFrame, write: Callable[[float], str]) -> list[str]:
    level = f"{100 * allocation.level:g} %"
    untested = table[table["decision"] == TEST]
    if len(untested) == len(table):
        return [f"Not funded, since nothing measured may decide: {_names(untested['effort'].tolist())}."]
    said = [
        f"The range of the value is a {level} interval; effects are shrunk, since the best looks better than it is."
    ]
    if allocation.value_if_believed > allocation.value[0]:
        said.append(f"The estimates as measured would promise {write(allocation.value_if_believed)}.")
    unsure = table[(table["decision"] == FUND) & (table["chance"] < 0.8)]
    if len(unsure):
        said.append(f"Less than 80 % sure to belong in the best allocation: {_names(unsure['effort'].tolist())}.")
    if len(untested):
        said.append(f"Not funded, since nothing measured may decide: {_names(untested['effort'].tolist())}.")
    return [*said, "The response is taken as linear up to the reach of each effort."]
