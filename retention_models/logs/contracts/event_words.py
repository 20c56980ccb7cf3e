"""Words of a column that says whether customers churned: yes and no, churned and stayed, and others like them."""

from __future__ import annotations

import re

import pandas as pd

from retention_models.tables.files import NOTHING
from retention_models.tables.text_forms import NO, YES

PLAIN = ("yes", "no", "true", "false")  # words that need not be stated
CHURNED = (
    *("churned", "churn", "left", "lost", "cancelled", "canceled", "closed", "exited", "ended", "expired"),
    *("terminated", "attrited", "attrited customer", "inactive"),
)
STAYED = (
    *("stayed", "active", "joined", "existing", "existing customer", "retained", "current", "open", "running"),
    *("renewed", "not churned", "no churn"),
)
MEANING = dict.fromkeys((*YES, *CHURNED), 1.0) | dict.fromkeys((*NO, *STAYED), 0.0)


def read_events(counts: pd.DataFrame) -> pd.Series:
    """Whether each customer churned, as 1 and 0: a number, yes or no in ``churned``, or a word in ``churned_words``."""
    return counts["churned"].fillna(_plain_words(counts).map(MEANING))


def event_rules(counts: pd.DataFrame, column: str) -> dict[str, int]:
    """The rows with each word other than yes, no, true and false, by what the word was read as."""
    words = _plain_words(counts)
    known = counts[words.isin(MEANING) & ~words.isin(PLAIN)]
    rows = known.groupby("churned_words", sort=True)["spells"].sum()
    meanings = {1.0: "churned", 0.0: "still a customer"}
    return {
        f"rows with {word!r} in {column!r} read as {meanings[MEANING[_plain(str(word))]]}": int(count)
        for word, count in rows.items()
    }


def unknown_event_hint(counts: pd.DataFrame, left: pd.Series, column: str) -> str:
    """What to do about words without a known meaning: one of them, the rows, and the words that are read."""
    words = _plain_words(counts)
    unknown = left.isna() & words.notna() & ~words.isin(["", *NOTHING])
    if not unknown.any():
        return ""
    example = counts.loc[unknown, "churned_words"].min()
    return (
        f"; column {column!r} has {int(counts.loc[unknown, 'spells'].sum()):,} rows with words such as {example!r}. "
        f"Replace these words. For a customer who churned write 1, {', '.join((*YES, *CHURNED))}. "
        f"For one who did not write 0, {', '.join((*NO, *STAYED))}"
    )


def _plain_words(counts: pd.DataFrame) -> pd.Series:
    """The words without differences of capitals, hyphens and underscores; missing where there is no text."""
    return counts["churned_words"].map(_plain, na_action="ignore")


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word).strip().lower()
