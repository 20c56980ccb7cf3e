"""The same tasks with lifetimes, as its documentation calls it; runs in an environment of its own."""

import lifetimes
import numpy as np
import pandas as pd
from lifetimes.utils import summary_data_from_transaction_data
from timing import run

END = "2024-12-31"


def summarize(path):
    log = pd.read_parquet(path)
    return lambda: summary_data_from_transaction_data(
        log, "customer_id", "date", "amount", observation_period_end=END, freq="D"
    )["frequency"].sum()


def fitted(customers, **kw):
    model = lifetimes.BetaGeoFitter(penalizer_coef=0.0)
    return model.fit(customers["frequency"], customers["recency"], customers["T"], **kw)


def fit_bgnbd(path):
    customers = pd.read_parquet(path)
    return lambda: fitted(customers).params_["r"]


def fit_bgnbd_grouped(path):
    rows = pd.read_parquet(path).groupby(["frequency", "recency", "T"], as_index=False).size()
    return lambda: fitted(rows, weights=rows["size"]).params_["r"]


def fit_paretonbd(path):
    customers = pd.read_parquet(path)

    def task():
        model = lifetimes.ParetoNBDFitter(penalizer_coef=0.0)
        model.fit(customers["frequency"], customers["recency"], customers["T"])
        return model.params_["r"]

    return task


def predict(path):
    customers = pd.read_parquet(path)
    model = fitted(customers)
    columns = customers["frequency"], customers["recency"], customers["T"]

    def task():
        model.conditional_probability_alive(*columns)
        return np.sum(model.conditional_expected_number_of_purchases_up_to_time(90, *columns))

    return task


def value(path):
    customers = pd.read_parquet(path)
    model, spend = fitted(customers), lifetimes.GammaGammaFitter(penalizer_coef=0.0)
    buyers = customers[customers["frequency"] > 0]
    spend.fit(buyers["frequency"], buyers["monetary_value"])
    columns = customers["frequency"], customers["recency"], customers["T"]

    def task():
        model.conditional_probability_alive(*columns)
        model.conditional_expected_number_of_purchases_up_to_time(360, *columns)
        return spend.customer_lifetime_value(
            model, *columns, customers["monetary_value"], time=12, discount_rate=0.01, freq="D"
        ).sum()

    return task


if __name__ == "__main__":
    run(
        {
            "summarize": (summarize, 1),
            "fit_bgnbd": (fit_bgnbd, 1),
            "fit_bgnbd_grouped": (fit_bgnbd_grouped, 1),
            "fit_paretonbd": (fit_paretonbd, 1),
            "predict": (predict, 1),
            "value": (value, 1),
        }
    )
