"""Write life_tables.csv: three published studies reduced to how many ended at which time, and how.

Run in an environment of its own: pip install lifelines==0.30.3 greenwood==0.8.0

waltons: fly lifetimes, with lifelines (MIT). lung: Loprinzi et al. (1994), Journal of Clinical Oncology 12, 601-607,
days, groups men and women. mgus2: Kyle et al. (2002), New England Journal of Medicine 346, 564-569, months to
plasma cell malignancy (pcm) or death. Lung and mgus2 are the tables of R's package survival, of which both packages
carry a copy; what stands here are the counts only.
"""

from importlib.resources import files
from pathlib import Path

import pandas as pd

waltons = pd.read_csv(files("lifelines") / "datasets" / "waltons_dataset.csv")
waltons = pd.DataFrame(
    {
        "data": "waltons",
        "group": waltons["group"],
        "tenure": waltons["T"],
        "cause": waltons["E"].map({0: "", 1: "dead"}),
    }
)
lung = pd.read_csv(files("lifelines") / "datasets" / "lung.csv")
lung = pd.DataFrame(
    {
        "data": "lung",
        "group": lung["sex"].map({1: "men", 2: "women"}),
        "tenure": lung["time"],
        "cause": lung["status"].map({0: "", 1: "dead"}),
    }
)
mgus2 = pd.read_csv(files("greenwood") / "data" / "mgus2.csv.gz")
cause = mgus2["death"].map({0: "", 1: "dead"}).mask(mgus2["pstat"] == 1, "pcm")
time = mgus2["ptime"].where(mgus2["pstat"] == 1, mgus2["futime"])
mgus2 = pd.DataFrame({"data": "mgus2", "group": mgus2["sex"], "tenure": time, "cause": cause})

rows = pd.concat([waltons, lung, mgus2])
rows["tenure"] = rows["tenure"].astype(int)
counts = rows.groupby(["data", "group", "tenure", "cause"], sort=True).size().rename("weight").reset_index()
counts.to_csv(Path(__file__).with_name("life_tables.csv"), index=False)
