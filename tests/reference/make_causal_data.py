"""Makes cps.csv.gz, nhefs.csv.gz, cattaneo.csv.gz and causal.json: three observational studies with published effects.

Run in an environment of its own: pip install causaldata==0.1.5 statsmodels==0.15.0 (pandas 3.1.1, numpy 2.4.6). Only
the columns that the estimates need are kept. Sources and licences:

- cps: controls from the Current Population Survey, Dehejia and Wahba (1999), Journal of the American Statistical
  Association 94(448), 1053-1062; public domain; from causaldata (MIT). The treated are those of nsw.csv.
- nhefs: National Health and Nutrition Examination Survey I, Epidemiologic Follow-up Study, as in Hernan and Robins,
  "Causal Inference: What If", chapter 12; a work of the United States government; from causaldata (MIT).
- cattaneo: birth weights and smoking, Cattaneo (2010), Journal of Econometrics 155(2), 138-154; from the tests of
  statsmodels (BSD-3-Clause). The published values are those of Stata's teffects, as stored there.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from causaldata import cps_mixtape, nhefs, nsw_mixtape
from patsy import dmatrices
from statsmodels.treatment.tests.results import results_teffects
from statsmodels.treatment.treatment_effects import TreatmentEffect

HERE = Path(__file__).parent
NSW = ["treat", "age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75", "re78"]
DEHEJIA_WAHBA = (
    "treat ~ age + I(age**2) + I(age**3) + educ + I(educ**2) + marr + nodegree + black + hisp + re74 + re75"
    " + I(1.0 * (re74 == 0)) + I(1.0 * (re75 == 0)) + I(educ * re74)"
)
NHEFS = [
    "qsmk",
    "sex",
    "race",
    "age",
    "education",
    "smokeintensity",
    "smokeyrs",
    "exercise",
    "active",
    "wt71",
    "wt82_71",
]
WHAT_IF = (
    "qsmk ~ sex + race + age + I(age**2) + C(education) + smokeintensity + I(smokeintensity**2) + smokeyrs"
    " + I(smokeyrs**2) + C(exercise) + C(active) + wt71 + I(wt71**2)"
)
CATTANEO = {"bweight": "bweight", "mbsmoke_": "mbsmoke", "mmarried_": "mmarried", "mage": "mage", "medu": "medu"}
CATTANEO |= {"fbaby_": "fbaby", "prenatal1_": "prenatal1"}
SMOKES, WEIGHT = (
    "mbsmoke ~ mmarried + mage + I(mage**2) + fbaby + medu",
    "bweight ~ prenatal1 + mmarried + mage + fbaby",
)


def training():
    """Naive and weighted differences of earnings, weights e / (1 - e) for controls; trimmed without a second fit.

    causaldata holds ages and years of education as 8-bit integers, whose powers overflow: all become floats first. With
    the powers overflown, the weighted difference is 1494.6 (trimmed 2291.6), numbers of no meaning.
    """
    nsw = nsw_mixtape.load_pandas().data[NSW].astype(float)
    controls = cps_mixtape.load_pandas().data[NSW]
    controls.drop(columns="treat").astype(dict.fromkeys(NSW[1:7], int)).to_csv(HERE / "cps.csv.gz", **COMPRESSED)
    rows = pd.concat([nsw[nsw["treat"] == 1], controls.astype(float)], ignore_index=True)
    treated, earnings = rows["treat"] == 1, rows["re78"]
    propensity = propensity_model(sm.Logit, DEHEJIA_WAHBA, rows).predict()
    odds = propensity / (1 - propensity)
    inside = (propensity >= 0.1) & (propensity <= 0.9)
    weights = np.where(treated, 1.0, odds)
    found = {"naive": {"estimate": earnings[treated].mean() - earnings[~treated].mean()}}
    for name, kept in (("ipw_att", np.ones(len(rows), dtype=bool)), ("ipw_att_trimmed", inside)):
        w = weights[kept & ~treated]
        found[name] = {
            "estimate": earnings[kept & treated].mean() - np.average(earnings[kept & ~treated], weights=w),
            "ess_controls": w.sum() ** 2 / (w**2).sum(),
            "treated": int((kept & treated).sum()),
            "controls": int((kept & ~treated).sum()),
        }
    return {"propensity": DEHEJIA_WAHBA, "model": "logit", "found": found}


def smoking_and_weight():
    """Weight gained by those who quit smoking; errors with weights as known, and with the propensity estimated."""
    data = nhefs.load_pandas().data
    rows = data.loc[data["wt82_71"].notna(), NHEFS].astype(float)
    whole = [name for name in NHEFS if name not in ("wt71", "wt82_71")]
    rounded = rows.astype(dict.fromkeys(whole, int)).round({"wt71": 2, "wt82_71": 9})
    rounded.to_csv(HERE / "nhefs.csv.gz", **COMPRESSED)
    select = propensity_model(sm.Logit, WHAT_IF, rows)
    quit_smoking, propensity = rows["qsmk"], select.predict()
    weights = np.where(quit_smoking == 1, 1 / propensity, 1 / (1 - propensity))
    naive = smf.ols("wt82_71 ~ qsmk", rows).fit(cov_type="HC0")
    weighted = smf.wls("wt82_71 ~ qsmk", rows, weights=weights).fit(cov_type="HC0")
    effect = TreatmentEffect(smf.ols("wt82_71 ~ 1", rows), quit_smoking.to_numpy(), results_select=select)
    found = {
        "naive": {"estimate": naive.params["qsmk"], "std_error": naive.bse["qsmk"]},
        "ipw_weights_known": {"estimate": weighted.params["qsmk"], "std_error": weighted.bse["qsmk"]},
        "ipw": estimated(effect.ipw),
        "ipw_att": estimated(effect.ipw, effect_group=1),
    }
    return {"propensity": WHAT_IF, "model": "logit", "found": found}


def births():
    """Effect of smoking on birth weight by probit, as published, and by logit."""
    path = Path(results_teffects.__file__).with_name("cataneo2.csv")
    rows = pd.read_csv(path)[list(CATTANEO)].rename(columns=CATTANEO)
    rows.to_csv(HERE / "cattaneo.csv.gz", **COMPRESSED)
    rows, found = rows.astype(float), {}
    for name, model in (("probit", sm.Probit), ("logit", sm.Logit)):
        select = propensity_model(model, SMOKES, rows)
        effect = TreatmentEffect(smf.ols(WEIGHT, rows), rows["mbsmoke"].to_numpy(), results_select=select)
        found[name] = {"ipw": estimated(effect.ipw), "aipw": estimated(effect.aipw)}
        found[name]["ipw_att"] = estimated(effect.ipw, effect_group=1)
    stata = {name: getattr(results_teffects, f"results_{name}").table[0, :2].tolist() for name in ("ipw", "aipw")}
    published = {name: {"estimate": row[0], "std_error": row[1]} for name, row in stata.items()}
    return {"propensity": SMOKES, "outcome": WEIGHT, "published_probit": published, "found": found}


def propensity_model(model, formula, rows):
    """A fit to columns of mean 0 and standard deviation 1, which changes no propensity and lets Newton converge."""
    treated, design = dmatrices(formula, rows, return_type="dataframe")
    spread = design.drop(columns="Intercept")
    fit = model(treated, sm.add_constant((spread - spread.mean()) / spread.std())).fit(disp=0, maxiter=200, tol=1e-12)
    assert fit.mle_retvals["converged"]
    assert np.abs(fit.model.score(fit.params)).max() < 1e-6
    return fit


def estimated(method, **keywords):
    """The effect in closed form, and the standard error of GMM, which counts the estimation of both models."""
    error = method(return_results=True, **keywords).results_gmm.bse[0]
    return {"estimate": float(method(return_results=False, **keywords)[0]), "std_error": float(error)}


COMPRESSED = {"index": False, "compression": {"method": "gzip", "mtime": 0}, "lineterminator": "\n"}


def main():
    found = {
        "versions": {name: version(name) for name in ("statsmodels", "causaldata")},
        "cps": training(),
        "nhefs": smoking_and_weight(),
        "cattaneo": births(),
    }
    (HERE / "causal.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
