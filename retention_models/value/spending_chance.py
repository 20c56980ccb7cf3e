"""Chance in what customers spend: how many purchases come, and how large each of them is.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value": the amounts of a customer are Gamma(p, nu) with mean
M = p / nu, and nu given x repeat purchases of mean m is Gamma(p x + q, v + x m).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retention_models.core.arrays import Array
from retention_models.fitting.uncertainty import Fitted, uncertainty_of
from retention_models.value.spending import has_paid, paying_share

MOST_SPREAD = 2.0  # of the squared coefficient of variation of a customer's mean amount


def spend_moments(mean: Array, variance: Array, spend: Fitted, customers: Any) -> tuple[Array, Array]:
    """Mean and variance of what each customer spends in a period; shape (n,) each.

    ``mean`` and ``variance`` are those of the number N of purchases of each customer, shape (n,). With E[N] = n and
    Var(N) = s, the amount S given M has the mean N M and the variance N M^2 / p, so that

        Var(S) = E[M^2] (n / p + s + n^2) - E[M]^2 n^2,    E[M^2] = E[M]^2 (1 + c),    c = 1 / (p x + q - 2).

    The variance of M does not exist where p x + q is at most 2; c is at most 2 here. A customer who has not paid for a
    repeat purchase pays with the probability ``paying_share``, else nothing.
    """
    source = uncertainty_of(spend)
    table = source.read(customers)
    p, q = source.model.p, source.model.q
    amount = source.values(lambda model, *columns: model.expected_spend(*columns), table.rows)[table.row]
    pays = np.where(has_paid(table), 1.0, paying_share(source.fit))[table.row]
    c = 1 / np.maximum(p * table.columns[0][table.row] + q - 2, 1 / MOST_SPREAD)
    spent = mean * amount
    of_payers = amount**2 * ((1 + c) * (mean / p + variance + mean**2) - mean**2)
    return pays * spent, pays * of_payers + pays * (1 - pays) * spent**2
