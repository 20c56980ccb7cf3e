"""What a typed project may write: mypy reads this with the package (``make check``), and nothing runs it."""

import pandas as pd

import retention_models as rm


def fit_purchases(customers: pd.DataFrame) -> list[rm.Fit]:
    """Every model of purchases and of spending is one that ``fit`` takes."""
    return [
        rm.fit(rm.NBD, customers),
        rm.fit(rm.BGNBD, customers, purchase_covariates="channel"),
        rm.fit(rm.MBGNBD, customers),
        rm.fit(rm.BGCNBD, customers),
        rm.fit(rm.MBGCNBD, customers),
        rm.fit(rm.ParetoNBD, customers, by="cohort"),
        rm.fit(rm.BGBB, customers),
        rm.fit(rm.GammaGamma, customers),
    ]


def select_contract_model(table: pd.DataFrame) -> list[rm.Fit]:
    """So is every model of contracts."""
    return [
        rm.fit(rm.survival.Geometric, table),
        rm.fit(rm.survival.DiscreteWeibull, table),
        rm.fit(rm.ShiftedBetaGeometric, table),
        rm.fit(rm.BetaDiscreteWeibull, table),
        rm.fit(rm.survival.TwoSegments, table),
        rm.fit(rm.BetaDiscreteWeibull, table, churn_covariates="plan"),
    ]
