"""Write the fits in ``fits_<version>/``: what ``Fit.to_json`` of that version wrote, to be read by all later ones.

Run it once with the version that is to be released: ``python tests/reference/make_fits.py``. A folder of an earlier
version is never written again; ``tests/test_stored_fits.py`` reads each and compares it with a fresh fit.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

import retention_models as rm

HERE = Path(__file__).parent


def customers():
    """CDNOW up to the end of September 1997, every third customer, with covariates that follow from their number."""
    table = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30").iloc[::3]
    channel = table.index.map(lambda number: ("web", "mail", "shop")[number // 3 % 3])
    return table.assign(channel=channel, age=20.0 + table.index.to_numpy() * 7 % 50)


def renewals():
    """The published retention of regular customers."""
    table = rm.datasets.load_published_retention()
    return table[table["customers"] == "regular"].drop(columns="customers")


def cohorts():
    """Three cohorts that leave at different rates."""
    table = renewals()
    later = [table.assign(cohort=str(2001 + i), lost=table["lost"] // (1 + i)) for i in range(3)]
    at_risk = [part.assign(at_risk=1000 - part["lost"].cumsum().shift(fill_value=0)) for part in later]
    return pd.concat(at_risk, ignore_index=True)


def spells():
    """Contracts of months, those that had ended before the middle of February left out of the log."""
    months = [1] * 14 + [2] * 8 + [3] * 5 + [4] * 3 + [5] * 2 + [6] + [None] * 17
    start = pd.to_datetime(["2022-01-01", "2022-03-01"] * 25)
    last = [m and day + pd.DateOffset(months=m) - pd.Timedelta(days=1) for day, m in zip(start, months, strict=True)]
    log = pd.DataFrame({"customer_id": range(50), "start": start, "end": pd.to_datetime(pd.Series(last))})
    return rm.read_contracts(
        log[~(log["end"] < "2022-02-15")],
        sampling="window",
        observation_start="2022-02-15",
        observation_end="2022-08-31",
    )


FITS: dict[str, Callable[[], rm.Fit]] = {
    "pareto_nbd": lambda: rm.fit(rm.ParetoNBD, customers()),
    "bg_nbd_covariates": lambda: rm.fit(
        rm.BGNBD, customers(), purchase_covariates="channel + age", dropout_covariates="channel"
    ),
    "mbg_nbd_by_channel": lambda: rm.fit(rm.MBGNBD, customers(), by="channel"),
    "mbg_cnbd": lambda: rm.fit(rm.MBGCNBD, customers()),
    "nbd_robust": lambda: rm.fit(rm.NBD, customers(), robust=True),
    "bg_bb": lambda: rm.fit(rm.BGBB, rm.datasets.load_donations()),
    "gamma_gamma": lambda: rm.fit(rm.GammaGamma, customers()),
    "gamma_gamma_covariates": lambda: rm.fit(rm.GammaGamma, customers(), spend_covariates="channel"),
    "geometric": lambda: rm.fit(rm.survival.Geometric, renewals()),
    "discrete_weibull": lambda: rm.fit(rm.survival.DiscreteWeibull, renewals()),
    "sbg": lambda: rm.fit(rm.ShiftedBetaGeometric, renewals()),
    "sbg_window": lambda: rm.fit(rm.ShiftedBetaGeometric, rm.retention_table(spells(), period="M")),
    "bdw": lambda: rm.fit(rm.BetaDiscreteWeibull, renewals()),
    "two_segments": lambda: rm.fit(rm.survival.TwoSegments, renewals()),
    "sbg_pooled": lambda: rm.fitting.fit_pooled(rm.ShiftedBetaGeometric, cohorts()),
}


def main() -> None:
    folder = HERE / f"fits_{rm.__version__.replace('.', '_')}"
    folder.mkdir()
    for name, made in FITS.items():
        made().to_json(folder / f"{name}.json")


if __name__ == "__main__":
    main()
