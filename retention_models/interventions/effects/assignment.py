"""Who decided which customers were treated, and what kind of evidence a comparison then is."""

from __future__ import annotations

from typing import Literal, cast, get_args

AssignedBy = Literal["random", "rule", "choice", "unknown"]
Design = Literal["randomised", "quasi-experimental", "observational"]

NOT_STATED = cast("AssignedBy", None)
IN_WORDS: dict[AssignedBy, str] = {
    "random": "customers were assigned to the groups at random",
    "rule": "a rule of the company decided who was treated",
    "choice": "customers chose themselves whether to be treated",
    "unknown": "it is not stated how customers were assigned",
}
QUESTION = (
    "state who decided which customers were treated: assigned_by='random' (drawn at random), 'rule' (a rule or a "
    "person of the company), 'choice' (the customers, as by joining) or 'unknown'"
)


def require_assigned_by(assigned_by: object) -> None:
    """Raise an error that names the four words unless one of them is stated.

    Raises
    ------
    TypeError
        When nothing is stated.
    ValueError
        When something else is stated.
    """
    if assigned_by is None:
        raise TypeError(QUESTION)
    if assigned_by not in get_args(AssignedBy):
        raise ValueError(f"assigned_by must be one of {', '.join(get_args(AssignedBy))}; got {assigned_by!r}")


def design_of(assigned_by: AssignedBy) -> Design:
    """The design of a plain comparison of groups: only random assignment makes it a randomised one."""
    return "randomised" if assigned_by == "random" else "observational"
