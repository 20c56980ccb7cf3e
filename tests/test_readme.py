"""The README's Python runs, block after block, on files such as it names."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

import retention_models as rm

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def write_files():
    """Orders, customers and contracts as the README's examples take them."""
    rng = np.random.default_rng(1)
    shop = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.61, beta=11.7)
    orders = shop.simulate_transactions(np.full(400, 52.0), rng, start="2024-12-30", time_unit="W")
    orders = orders.assign(amount=rng.gamma(6.0, 5.0, len(orders)).round(2))
    names = {"customer_id": "user", "date": "ts", "amount": "total"}
    orders.rename(columns=names).to_csv("orders.csv", index=False)
    people = pd.DataFrame({"user": orders["customer_id"].unique()})
    people["gender"], people["channel"] = rng.choice(["f", "m"], len(people)), rng.choice(["web", "shop"], len(people))
    people.to_csv("customers.csv", index=False)
    business = rm.scenario.subscriptions(rng, customers=1_500)
    business.contracts.rename(columns={"start": "begun", "end": "cancelled"}).to_csv("contracts.csv", index=False)


def test_every_block_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_files()
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 6  # purchases at once, purchases, contracts, experiments, roll-outs, all efforts
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)  # the project's own words
    assert "“none”" in capsys.readouterr().out
