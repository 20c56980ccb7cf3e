"""Fits of every purchase model."""

import pandas as pd
from timing import run

import retention_models as rm
from retention_models.fitting.models import PURCHASES

NAMES = [model.__name__ for model in PURCHASES if model is not rm.GammaGamma]


def fitting(name):
    """The task of fitting a model, by name, to a table of customers."""
    model = next(model for model in PURCHASES if model.__name__ == name)

    def prepare(path):
        customers = pd.read_parquet(path)
        return lambda: rm.fit(model, customers).params.iloc[0]

    return prepare


if __name__ == "__main__":
    run({name: (fitting(name), 2) for name in NAMES})
