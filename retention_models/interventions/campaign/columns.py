"""The roles of the columns in a test's rows, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from retention_models.core.arguments import require_text, require_texts
from retention_models.core.formatting import Presentation

CUSTOMER_ID = "customer_id"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Roles(Presentation):
    """The column of each role; None or empty where there is none.

    Attributes
    ----------
    arm
        The arm to which a customer was assigned.
    outcome
        Columns measured after the assignment, the most important first, or the name of one.
    amount
        The outcome that is money spent.
    covariate
        Columns known before the assignment, for adjustment (CUPED) and the balance check.
    cluster, block
        The unit that was assigned as a whole (household, store), and the stratum of the randomisation.
    received, redeemed
        Whether a customer received the offer, and the number of redemptions.
    tenure, churned
        Of customers with contracts: the time from the assignment to the end of the contract or of the observation, and
        whether the contract ended.
    assigned
        When a customer entered the test, a day or the number of a wave, for interim looks.
    lower_is_better
        Outcomes for which a lower value is better, such as ``churned``, or the name of one.
    customer_id
        The column that must not contain a customer twice; by default ``customer_id`` if there is such a column.
    """

    arm: str = "arm"
    outcome: Sequence[str] | str | None = None
    amount: str | None = None
    covariate: Sequence[str] | str | None = None
    cluster: str | None = None
    block: str | None = None
    received: str | None = None
    redeemed: str | None = None
    tenure: str | None = None
    churned: str | None = None
    assigned: str | None = None
    lower_is_better: Sequence[str] | str | None = None
    customer_id: str | None = None

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes; the amount comes last unless it is named among them."""
        return tuple(dict.fromkeys([*_as_tuple(self.outcome), *_as_tuple(self.amount)]))

    @property
    def covariates(self) -> tuple[str, ...]:
        """The covariates."""
        return _as_tuple(self.covariate)

    @property
    def lower_outcomes(self) -> tuple[str, ...]:
        """The outcomes for which a lower value is better."""
        return _as_tuple(self.lower_is_better)

    @property
    def extras(self) -> tuple[str, ...]:
        """Further numeric columns: received and redeemed."""
        names = dict.fromkeys([*_as_tuple(self.received), *_as_tuple(self.redeemed)])
        return tuple(name for name in names if name not in self.outcomes)

    @property
    def has_contracts(self) -> bool:
        """Whether the outcomes are those of customers with contracts."""
        return self.tenure is not None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every column that must be a number for every customer."""
        return (*self.outcomes, *self.covariates, *self.extras, *_as_tuple(self.tenure), *_as_tuple(self.churned))

    @property
    def names(self) -> tuple[str, ...]:
        """Every column with a role."""
        keys = (name for name in (self.arm, self.cluster, self.block, self.assigned, self.customer_id) if name)
        return tuple(dict.fromkeys([*keys, *self.numbers]))

    def check_columns(self, columns: Sequence[str]) -> Roles:
        """The roles, checked against the existing columns, with the default for the customer's id.

        Raises
        ------
        ValueError
            When a column is missing or its name is no text, or it has two roles that exclude each other.
        """
        require_text("arm", self.arm)
        for role in fields(self):
            named = getattr(self, role.name)
            if role.name in ("cluster", "block", "assigned", "customer_id") and named is not None:
                require_text(role.name, named)
            if not isinstance(named, str) and named is not None:
                require_texts(role.name, named)
            missing = [name for name in _as_tuple(getattr(self, role.name)) if name not in columns]
            if missing:
                raise ValueError(
                    f"the test has no column {', '.join(map(repr, missing))} for {role.name}; it has "
                    f"{', '.join(columns)}. State the column: {role.name}"
                )
        self._check_contracts()
        others = [name for name in self.lower_outcomes if self.outcomes and name not in self.outcomes]
        if others:
            raise ValueError(
                f"lower_is_better names {others[0]!r}, which is not one of the outcomes {', '.join(self.outcomes)}"
            )
        measured = {*self.outcomes, *self.extras, self.tenure, self.churned}
        before = set(self.covariates) & measured
        keys = {self.arm, self.cluster, self.block} & set(self.numbers)
        for shared, problem in (
            (before, "is said to be known before the assignment (covariate) and measured after it; it can be one only"),
            (keys, "says who was assigned to what, and cannot be measured as well"),
        ):
            if shared:
                raise ValueError(f"column {min(str(name) for name in shared)!r} {problem}")
        found = self.customer_id or (
            CUSTOMER_ID if CUSTOMER_ID in columns and CUSTOMER_ID not in self.numbers else None
        )
        return replace(self, customer_id=found)

    def _check_contracts(self) -> None:
        """Raise a ValueError unless contracts have both their columns, and no other outcome."""
        if (self.tenure is None) != (self.churned is None):
            missing, there = ("churned", "tenure") if self.churned is None else ("tenure", "churned")
            raise ValueError(
                f"{there} needs {missing}: a contract experiment needs the time since the assignment "
                "and whether the contract ended"
            )
        if self.has_contracts and (self.outcomes or self.lower_outcomes):
            raise ValueError(
                "with tenure and churned, the outcomes are customers and time retained; leave out outcome, amount "
                "and lower_is_better"
            )


def _as_tuple(names: Sequence[str] | str | None) -> tuple[str, ...]:
    """The names as a tuple, also for a single name."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
