"""Makes experiments.json, cuped.csv and nsw.csv: what tea-tasting and statsmodels say of two experiments.

Run in an environment of its own: pip install tea-tasting==1.14.0 causaldata==0.1.5 statsmodels==0.15.0 (pandas 3.1.1).
cuped.csv is simulated here; nsw.csv is the experimental sample of Dehejia & Wahba (1999), from causaldata (MIT).
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
import tea_tasting as tt
from causaldata import nsw_mixtape

HERE = Path(__file__).parent
COVARIATES = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


def simulated():
    rng = np.random.default_rng(2024)
    n = 3000
    variant = np.arange(n) % 2
    pre = rng.gamma(2.0, 10.0, n).round(2)
    orders = 1 + rng.poisson(pre / 20 + 0.3 * variant)
    spend = (orders * rng.gamma(4.0, 5.0, n) + 0.5 * pre + 2 * variant).round(2)
    return pd.DataFrame({"variant": variant, "pre": pre, "orders": orders, "spend": spend})


def tea_tasting(data):
    metrics = {
        "mean": tt.Mean("spend"),
        "cuped": tt.Mean("spend", "pre"),
        "ratio": tt.RatioOfMeans("spend", "orders"),
        "ratio_cuped": tt.RatioOfMeans("spend", "orders", "pre"),
    }
    results = tt.Experiment(**metrics).analyze(data)
    return {name: {key: float(value) for key, value in results[name]._asdict().items()} for name in metrics}


def power():
    """Of a mean with standard deviation 40, one third treated (one half where n is sought)."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.normal(size=1000)})
    data["y"] = 40 * (data["y"] - data["y"].mean()) / data["y"].std()
    solved = {}
    for name, parameter, keywords in (
        ("power", "power", {"effect_size": 2.0, "n_obs": 10_000}),
        ("n", "n_obs", {"effect_size": 2.0, "power": 0.8}),
        ("effect", "effect_size", {"n_obs": 10_000, "power": 0.8}),
        ("small_power", "power", {"effect_size": 40.0, "n_obs": 24}),
    ):
        metric = tt.Mean("y", ratio=1 if name == "n" else 0.5, alpha=0.05, **keywords)
        solved[name] = float(metric.solve_power(data, parameter)[0]._asdict()[parameter])
    return solved


def statsmodels(data):
    data = data.astype(dict.fromkeys([*COVARIATES, "re78"], float))
    plain = smf.ols("re78 ~ treat", data).fit(cov_type="HC2")
    centred = data.assign(**{name: data[name] - data[name].mean() for name in COVARIATES})
    lin = smf.ols(f"re78 ~ treat * ({' + '.join(COVARIATES)})", centred).fit(cov_type="HC2")
    fits = {"difference": plain, "lin": lin}
    return {name: {"estimate": fit.params["treat"], "std_error": fit.bse["treat"]} for name, fit in fits.items()}


def main():
    nsw = nsw_mixtape.load_pandas().data[["treat", *COVARIATES, "re78"]]
    nsw.astype(dict.fromkeys(["re74", "re75", "re78"], float)).to_csv(HERE / "nsw.csv", index=False)
    data = simulated()
    data.to_csv(HERE / "cuped.csv", index=False)
    found = {
        "versions": {name: version(name) for name in ("tea-tasting", "statsmodels", "causaldata")},
        "tea_tasting": tea_tasting(data),
        "power": power(),
        "nsw": statsmodels(nsw),
    }
    (HERE / "experiments.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
