"""Fits of the models that lifetimes has; runs in an environment of its own."""

import lifetimes
import pandas as pd
from timing import run

FITTERS = {
    "BGNBD": lifetimes.BetaGeoFitter,
    "MBGNBD": lifetimes.ModifiedBetaGeoFitter,
    "ParetoNBD": lifetimes.ParetoNBDFitter,
    "BGBB": lifetimes.BetaGeoBetaBinomFitter,
}


def fitting(name):
    """The task of fitting a model, by name, to a table of customers."""

    def prepare(path):
        customers = pd.read_parquet(path)
        weights = customers["weight"].to_numpy() if "weight" in customers else None

        def task():
            fitter = FITTERS[name](penalizer_coef=0.0)
            fitter.fit(customers["frequency"], customers["recency"], customers["T"], weights=weights)
            return fitter.params_.iloc[0]

        return task

    return prepare


if __name__ == "__main__":
    run({name: (fitting(name), 1) for name in FITTERS})
