"""Random assignment of customers to the arms of a test, with a plan that the analysis reads back.

Within each stratum, arms get as many units as their shares say, to within one, which chance decides. The universal
control group is no draw: a keyed hash of the customer's id decides, so that the same customers are in it in every test.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_number, require_text, require_texts, require_whole
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms.plan import KEPT_OUT, UNIVERSAL_CONTROL, Plan, check_looks, read_shares
from retention_models.interventions.planning.planned_outcomes import Clustered, Planned
from retention_models.interventions.planning.power import minimum_detectable_effect
from retention_models.tables.engines import collect_table, measured_columns

STRATUM = "stratum"  # column of an assignment
ADDED = ("arm", STRATUM)  # columns that an assignment adds
SHOWN = 5  # ids in an error


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assignment(Presentation):
    """Customers with their arms; ``assign`` creates it.

    Attributes
    ----------
    table
        One row a customer, sorted by id: ``customer_id``, ``arm``, with strata ``stratum``, and the cluster if clusters
        were assigned. This is the file for the mailer, and the outcomes are joined to it.
    plan
        The plan of the test, which ``Experiment.from_rows`` takes.
    cuts
        Numeric stratum column to the values at which it was cut.
    """

    table: pd.DataFrame
    plan: Plan
    cuts: Mapping[str, tuple[float, ...]]

    def balance(self) -> pd.DataFrame:
        """Number of customers in each arm, by stratum.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``stratum`` (``all`` without strata), one column an arm, and the last row ``all``.
        """
        strata = self.table[STRATUM] if STRATUM in self.table else pd.Series("all", self.table.index, name=STRATUM)
        counts = pd.crosstab(strata, self.table["arm"]).rename_axis(columns=None)
        counts = counts[[arm for arm in self._arms if arm in counts]]
        total = counts.sum().to_frame("all").T.rename_axis(STRATUM)
        return pd.concat([counts, total]) if STRATUM in self.table else total

    @property
    def _arms(self) -> list[str]:
        return [*(self.plan.shares or {}), UNIVERSAL_CONTROL]

    def _parts(self) -> Sequence[Part]:
        sizes = self.table["arm"].value_counts()
        told = ", ".join(f"{sizes[arm]:,} in {arm}" for arm in self._arms if arm in sizes)
        return [f"{len(self.table):,} customers assigned at random: {told}.", str(self.plan), self.balance()]


def assign(
    customers: Any,
    shares: Mapping[str, float],
    *,
    control: str | None = None,
    strata: str | Sequence[str] = (),
    parts: int = 4,
    cluster: str | None = None,
    universal_control: float = 0.0,
    salt: str | None = None,
    customer_id: str = "customer_id",
    outcome: Planned | None = None,
    looks: Sequence[float] = (),
    smallest_gain: float | None = None,
    reach: int | None = None,
    repeats: float = 1.0,
    owner: str = "",
    name: str = "",
    population: str = "all assigned customers",
    rng: int | np.random.Generator | None = None,
) -> Assignment:
    """Customers assigned at random to the arms of a test, with the plan that the analysis reads back.

    Parameters
    ----------
    customers
        One row a customer: a frame of any engine, the path of files, or the table of ``summarize``.
    shares
        Arm to its share, in any unit: ``{"none": 1, "mail": 1}``.
    control
        The arm with which the others are compared. By default the first of ``shares``.
    strata
        Columns within whose values arms are drawn evenly. Numeric columns with more values than ``parts`` are cut at
        quantiles of the customers; yes and no count as 1 and 0. By default none.
    parts
        Number of parts into which a numeric stratum is cut, 4 by default.
    cluster
        The column of the household, store or team that is assigned as a whole. By default customers are assigned.
    universal_control
        Share of the customers, from 0 to 1, who are kept out of this and every other test. By default 0.
    salt
        A secret text of the company, always the same, which decides who is in the universal control group.
    customer_id
        The column of the id, or the name of the index.
    outcome
        The outcome that decides, such as ``Proportion(0.1)``, to plan which effect the test detects. With ``cluster`` a
        ``Clustered`` one. By default None: the plan does not say.
    looks, smallest_gain, reach, repeats, owner, name, population
        As in ``Plan``.
    rng
        Seed or random generator.

    Returns
    -------
    Assignment
        The customers with their arms (``table``), and the ``plan``: shares, number of customers, detectable effect and
        planned looks.

    Raises
    ------
    ValueError
        When a share is not a number above 0, a column is missing or has gaps, a customer appears twice, a cluster lies
        in several strata, or an arm would get nobody; when clusters are assigned and the outcome is not ``Clustered``.

    Notes
    -----
    The draw depends on the ids, strata, clusters, shares and ``rng`` alone: not on the order of the rows, the engine or
    the machine. A customer is in the universal control group if a hash of the id (as text) keyed by ``salt`` (HMAC with
    SHA-256) is small, whatever the test. With ``cluster`` the hash is that of the cluster. Such customers have the arm
    ``universal control``, and ``Experiment.from_rows`` leaves them out.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> customers = pd.DataFrame({"customer_id": range(1000), "frequency": [0, 1, 2, 5] * 250})
    >>> shares = {"none": 1, "mail": 1}
    >>> drawn = rm.assign(customers, shares, strata="frequency", universal_control=0.05, salt="our secret", rng=7)
    >>> drawn.balance()
                  none  mail  universal control
    stratum
    frequency: 1   119   119                 12
    frequency: 2   118   118                 14
    frequency: 3   120   119                 11
    frequency: 4   120   121                  9
    all            477   477                 46

    What a test of two arms detects, if one customer in ten buys:

    >>> bought = rm.interventions.Proportion(0.1)
    >>> print(rm.assign(customers, shares, outcome=bought, looks=(0.5,), reach=40_000, rng=7).plan)
    Plan: compared with none. Arms: none 1, mail 1. 1,000 customers. Each arm detects an effect of 0.0593 with a power
    of 0.8 (Proportion: rate = 0.1). Looks at 50 %.
    """
    planned = read_shares(shares)
    if UNIVERSAL_CONTROL in planned:
        raise ValueError(KEPT_OUT)
    if control is not None and str(control) not in planned:
        raise ValueError(f"control {control!r} is not one of the arms {', '.join(planned)}")
    plan = Plan(
        control=next(iter(planned)) if control is None else control,
        shares=planned,
        name=name,
        population=population,
        assigned_by="random",
        looks=check_looks(looks),
        smallest_gain=smallest_gain,
        reach=reach,
        repeats=repeats,
        owner=owner,
    )
    if outcome is not None and (cluster is None) == isinstance(outcome, Clustered):
        raise ValueError(
            "a Clustered outcome needs cluster=, the column of the units that are assigned as a whole; state both "
            "or neither"
        )
    require_number("universal_control", universal_control, 0, 1)
    if universal_control > 0:
        require_text("salt", salt)
    require_whole("parts", parts, 2)
    names = [strata] if isinstance(strata, str) else list(strata)
    require_texts("strata", names, "['frequency']")
    if cluster in (*ADDED, customer_id):
        problem = (
            "is the id of single customers: leave it out"
            if cluster == customer_id
            else ("has the name of a column that the assignment adds: rename it")
        )
        raise ValueError(f"cluster {cluster!r} {problem}")
    table, cuts = _read(customers, customer_id, names, cluster, parts)
    units = table.drop_duplicates(cluster or "customer_id")
    ids = units[cluster or "customer_id"].astype(str)
    kept_out = np.array([_fraction(id_, salt or "") < universal_control for id_ in ids], dtype=bool)
    arms = np.full(len(units), UNIVERSAL_CONTROL, dtype=object)
    drawn = units[~kept_out]
    groups = drawn[STRATUM].to_numpy() if names else np.zeros(len(drawn))
    arms[~kept_out] = _draw(groups, planned, np.random.default_rng(rng))
    if missing := [arm for arm in planned if arm not in arms]:
        raise ValueError(f"{', '.join(missing)}: no customers are left for this arm among {len(drawn):,} units")
    by_unit = dict(zip(units[cluster or "customer_id"], arms, strict=True))
    table["arm"] = table[cluster or "customer_id"].map(by_unit)
    kept = ["customer_id", "arm", *([STRATUM] if names else []), *([cluster] if cluster else [])]
    plan = replace(
        plan,
        block=STRATUM if names else None,
        cluster=cluster,
        unit=cluster or "customer",
        universal_control=universal_control,
        customers=int((table["arm"] != UNIVERSAL_CONTROL).sum()),
    )
    if outcome is not None:
        plan = replace(plan, **_detectable(outcome, table["arm"].value_counts(), plan.control))
    return Assignment(table[kept], plan, cuts)


def _detectable(outcome: Planned, sizes: pd.Series[int], control: str) -> dict[str, Any]:
    """The effect that every arm detects with a power of 0.8, corrected for the number of arms, and its outcome."""
    arms = [arm for arm in sizes.index if arm not in (control, UNIVERSAL_CONTROL)]
    found = []
    for arm in arms:
        both = int(sizes[arm] + sizes[control])
        effect = minimum_detectable_effect(outcome, both, share=sizes[arm] / both, level=1 - 0.05 / len(arms))
        found.append((outcome.distance(effect), effect))
    return {"detectable_effect": float(max(found)[1]), "detectable_outcome": str(outcome)}


def _read(
    customers: Any, customer_id: str, strata: list[str], cluster: str | None, parts: int
) -> tuple[pd.DataFrame, dict[str, tuple[float, ...]]]:
    """The customers sorted by id, with their stratum and cluster; and where numeric strata are cut."""
    if isinstance(customers, pd.DataFrame) and customers.index.name == customer_id:
        customers = customers.reset_index()
    numeric = measured_columns(customers, strata) if strata else []
    columns = {"customer_id": customer_id} | {name: name for name in (*strata, *([cluster] if cluster else []))}
    others = {name: "measure" if name in numeric else "text" for name in columns if name != "customer_id"}
    kinds: Any = {"customer_id": "id", **others}
    hint = "Say which is which: customer_id=..., strata=..."
    table = collect_table(customers, columns, kinds, where="the customers", hint=hint)
    if table.empty:
        raise ValueError("there are no customers to assign")
    _require_filled(table)
    twice = table["customer_id"][table["customer_id"].duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{customer_id} repeats: {len(twice):,} customers appear more than once (first: "
            f"{', '.join(map(str, twice[:SHOWN]))}); keep one row for each customer"
        )
    order = table["customer_id"].astype(str).sort_values(kind="stable").index
    table = table.loc[order].reset_index(drop=True)
    cuts: dict[str, tuple[float, ...]] = {}
    labels: list[list[str]] = []
    for name in strata:
        if name in numeric:
            cuts[name] = _cuts(table[name].to_numpy(dtype=float), parts)
            labels.append([f"{name}: {part + 1}" for part in np.searchsorted(cuts[name], table[name], side="left")])
        else:
            labels.append([f"{name}: {value}" for value in table[name]])
    if labels:
        table[STRATUM] = [", ".join(parts_of) for parts_of in zip(*labels, strict=True)]
    if cluster and labels:
        several = table.groupby(cluster)[STRATUM].nunique()
        if (several > 1).any():
            raise ValueError(
                f"{cluster} lies in several strata for {int((several > 1).sum()):,} of {len(several):,} clusters "
                f"(first: {several[several > 1].index[0]}); strata must hold whole clusters"
            )
    return table, cuts


def _cuts(values: NDArray[np.float64], parts: int) -> tuple[float, ...]:
    """The values at which a numeric stratum is cut: quantiles, or each value if there are no more than parts."""
    different = np.unique(values)
    if len(different) <= parts:
        return tuple(different[:-1].tolist())
    return tuple(np.unique(np.quantile(values, np.arange(1, parts) / parts)).tolist())


def _require_filled(table: pd.DataFrame) -> None:
    for name in table:
        if gaps := int(table[name].isna().sum()):
            raise ValueError(
                f"{name} is missing for {gaps:,} of {len(table):,} customers; fill it in, or leave them out"
            )


def _fraction(id_: str, salt: str) -> float:
    """A number from 0 to 1 that an id and a salt always give, evenly spread over ids."""
    digest = hmac.new(salt.encode(), id_.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _draw(groups: NDArray[Any], shares: dict[str, float], rng: np.random.Generator) -> NDArray[Any]:
    """Arms for units in a fixed order: within each group in random order, as many of each as its share says.

    What is left over after whole numbers goes to arms by systematic sampling, so that each unit comes to each arm with
    the probability that its share says, also in groups of few.
    """
    names, weights = np.array(list(shares), dtype=object), np.array(list(shares.values()), dtype=float)
    weights = weights / weights.sum()
    arms = np.empty(len(groups), dtype=object)
    for group in pd.unique(groups):
        places = rng.permutation(np.flatnonzero(groups == group))
        exact = weights * len(places)
        counts = np.floor(exact + 1e-9)
        order = rng.permutation(len(names))
        reached = np.floor(np.cumsum((exact - counts)[order]).round(9) + rng.random())
        counts[order] += np.diff(reached, prepend=0.0)
        arms[places] = np.repeat(names, counts.astype(int))
    return arms
