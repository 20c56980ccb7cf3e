"""What customers with contracts are worth: the payments still to come, each as likely as the customer is to be there.

A contract is paid for period after period. A new customer pays at once and then at every renewal, so that the expected
number of payments, each discounted, is DEL = sum over t >= 0 of S(t) / (1 + d)^t. A customer who has made n payments is
met just before the n-th renewal decision, DERL(n) = sum over t >= n of S(t) / S(n - 1) / (1 + d)^(t - n), or just after
the n-th payment, a period earlier and so DERL(n) / (1 + d). Hence DEL = 1 + DERL(1) / (1 + d).

Fader & Hardie (2010), "Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity",
Marketing Science 29(1), 85-93. A single retention rate, the same for all, is what they warn of; it stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retention_models.estimation.intervals import positive_interval, standard_error
from retention_models.fitting import Fit
from retention_models.logs.days import MONTHS, Period
from retention_models.survival.homogeneous import Geometric
from retention_models.tables import read_table, segments_of
from retention_models.value.survival import survival_at

Array = NDArray[np.float64]
Payment = Literal["advance", "arrears"]
Moment = Literal["before_renewal", "after_payment"]

NEGLIGIBLE = 1e-13  # share of a value without end that later payments may still hold
