"""Prices of contracts: how a column is read, which contracts count, and what is refused."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.logs.contracts.log import truncate_spells

LOG = pd.DataFrame(
    {
        "customer_id": ["Ann", "Bob", "Bob", "Cem", "Cem", "Dee", "Eve", "Fay"],
        "start": ["2023-01-15", "2023-01-01", "2023-03-01", "2023-02-10", "2023-02-20", "2023-01-01", "2023-02-25",
                  "2023-02-01"],
        "end": [None, "2023-02-28", None, None, "2024-05-01", "2023-03-31", None, None],
        "fee": ["1.234,50 EUR", "10,00 EUR", "20,00 EUR", "5,00 EUR", "7,25 EUR", None, "0,00 EUR", "5,00 EUR"],
        "plan": list("xyyxxzxx"),
    }
)  # fmt: skip
COUNTED = {"sampling": "acquisition", "observation_end": "2023-04-30", "price": "fee"}


def engines(log, folder):
    log.to_csv(folder / "log.csv", index=False)
    columns = {name: log[name].astype(object).where(log[name].notna(), None).to_list() for name in log}
    return {
        "pandas": log,
        "polars": pl.DataFrame(columns),
        "lazy": pl.LazyFrame(columns),
        "duckdb": duckdb.connect().from_df(log),
        "csv": folder / "log.csv",
    }


@pytest.mark.parametrize(
    "engine",
    ["csv", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pandas", "polars", "lazy", "duckdb"))],
)
def test_customers_pay_what_their_running_contracts_cost_on_every_engine(engine, tmp_path):
    """Bob changed his contract, Cem has two at once, Dee has left, Eve pays nothing."""
    spells = rm.read_contracts(engines(LOG, tmp_path)[engine], **COUNTED, covariates="plan")
    active = rm.logs.active_customers(spells, period="M", by="plan")
    assert active[["cohort", "plan", "tenure", "weight"]].values.tolist() == [
        ["2023-01", "x", 3, 1],
        ["2023-01", "y", 3, 1],
        ["2023-02", "x", 2, 3],
    ]
    cem_eve_fay = [12.25, 0.0, 5.0]
    np.testing.assert_allclose(active["price"], [1234.5, 20.0, np.mean(cem_eve_fay)], atol=5e-7)
    np.testing.assert_allclose(active["price_std"], [0.0, 0.0, np.std(cem_eve_fay)], atol=5e-7)
    assert spells.price == "fee"
    assert spells.formats == {"fee": "decimal comma"}
    assert spells.settled == {
        "contracts joined to another of the same customer": 2,
        "running contracts with a price of 0": 1,
        "running contracts beside another of the same customer, prices added": 1,
    }


def test_a_spell_that_has_ended_is_paid_no_more_and_an_earlier_day_knows_no_prices():
    """Nothing else changes with prices."""
    spells, plain = (rm.read_contracts(LOG, **(COUNTED | {"price": price})) for price in ("fee", None))
    pd.testing.assert_frame_equal(spells.frame.drop(columns="price"), plain.frame)
    prices = spells.frame.set_index("customer_id")["price"]
    assert prices.dropna().to_dict() == {"Ann": 1234.5, "Bob": 20.0, "Cem": 12.25, "Eve": 0.0, "Fay": 5.0}
    then = truncate_spells(spells, "2023-03-15")
    assert "price" not in then.frame
    assert "price" not in rm.logs.active_customers(then, period="M")


def test_each_of_several_contracts_kept_apart_has_its_own_price():
    spells = rm.read_contracts(LOG, **COUNTED, overlaps="keep")
    prices = spells.frame.set_index(["customer_id", "spell"])["price"]
    assert (prices["Cem", 1], prices["Cem", 2]) == (5.0, 7.25)
    assert np.isnan(prices["Bob", 1])
    assert not [rule for rule in spells.settled if "added" in rule]


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (
            {0: None, 3: "", 2: "9"},
            "column 'fee' is missing or no amount for 2 of 6 contracts that run on 2023-04-30; c",
        ),
        ({0: -5.0, 2: np.inf}, r"is missing or no amount for 1 and is below 0 \(such as -5\) for 1 of 6 contracts"),
    ],
    ids=["missing", "negative too"],
)
def test_running_contracts_need_a_price_of_0_or_more(prices, message):
    log = LOG.assign(fee=[prices.get(row, 9.0) for row in range(len(LOG))])
    with pytest.raises(ValueError, match=message):
        rm.read_contracts(log, **COUNTED)


def test_a_price_that_nobody_can_read_is_shown(tmp_path):
    many = pd.concat([LOG.assign(customer_id=LOG["customer_id"] + str(i), fee="9,50") for i in range(40)])
    many.iloc[0, many.columns.get_loc("fee")] = "on request"
    with pytest.raises(ValueError, match=r"for 1 of 240 contracts that run .* has values such as 'on request'"):
        rm.read_contracts(many, **COUNTED)


def test_prices_of_several_currencies_are_not_added():
    with pytest.raises(ValueError, match="column 'Ccy' mixes currencies: 4 with EUR, 2 with USD of 6 rows"):
        rm.read_contracts(LOG.assign(fee=9.5, Ccy=["EUR"] * 6 + ["USD"] * 2), **COUNTED)


def test_a_price_with_two_meanings_is_settled_by_the_decimal_mark():
    log = LOG.assign(fee="1.234")
    with pytest.raises(ValueError, match=r"can mean two things: .* State one of them"):
        rm.read_contracts(log, **COUNTED)
    spells = rm.read_contracts(log, **COUNTED, decimal=",")
    assert spells.frame["price"].max() == 2 * 1234.0


def test_the_settings_of_a_log_pass_the_prices_on():
    log = LOG.assign(fee=9.5)
    settings = rm.logs.choose_settings(log, start="start", price="fee", observation_end="2023-04-30", period="M")
    assert settings.spells.price == "fee"
    with pytest.raises(ValueError, match=r"no column 'fees'; it has .*price="):
        rm.logs.choose_settings(log, start="start", price="fees", observation_end="2023-04-30")
    with pytest.raises(ValueError, match="covariates price: the spells have columns of that name"):
        rm.read_contracts(log.assign(price="low"), **COUNTED, covariates="price")


def test_contracts_one_by_one_have_the_tenures_and_prices_of_the_counts():
    """Contracts end on any day, so that tenures are rounded to the nearest month."""
    rng, n = np.random.default_rng(3), 300
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")
    end = pd.Series(start + pd.to_timedelta(rng.integers(20, 400, n), "D"))
    log = pd.DataFrame({"customer_id": range(n), "start": start, "end": end.where(end <= "2023-12-20"), "fee": 5.0})
    log["fee"] += log.index
    spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-12-20", price="fee")
    each = rm.logs.active_contracts(spells, period="M")
    np.testing.assert_array_equal(each["price"], each["customer_id"] + 5.0)
    groups = each.groupby(["cohort", "tenure"])["price"]
    counts = pd.DataFrame({"weight": groups.size(), "price": groups.mean(), "price_std": groups.std(ddof=0)})
    active = rm.logs.active_customers(spells, period="M").set_index(["cohort", "tenure"])
    pd.testing.assert_frame_equal(active, counts, check_dtype=False, atol=1e-6)


TENURES = pd.DataFrame(
    {
        "months": [3, 3, 3, 5, 5, 1],
        "Churn": ["No", "No", "No", "No", "Yes", "Yes"],
        "charge": ["12,50 EUR", "1.010,00 EUR", "12,50 EUR", "0,00 EUR", None, "7,00 EUR"],
        "plan": list("xxyyyy"),
    }
)
SNAPSHOT = {"tenure": "months", "churned": "Churn", "sampling": "window", "observation_end": "2024-06-30"}


@pytest.mark.parametrize("by", [[], ["plan"]], ids=["all", "by plan"])
def test_customers_of_a_table_of_tenures_have_prices_too(by, tmp_path):
    TENURES.to_csv(tmp_path / "table.csv", index=False)
    settings = rm.logs.choose_settings(tmp_path / "table.csv", **SNAPSHOT, price="charge", covariates=by)
    active = rm.logs.active_customers(settings.spells, period="M", by=by).set_index([*by, "tenure"])
    paid = {("x", 3): [12.5, 1010.0], ("y", 3): [12.5], ("y", 5): [0.0]} if by else {3: [12.5, 1010.0, 12.5], 5: [0.0]}
    assert active.to_dict("index") == {
        key: {"weight": len(prices), "price": round(np.mean(prices), 6), "price_std": round(np.std(prices), 6)}
        for key, prices in paid.items()
    }
    assert settings.spells.settled == {"active customers with a price of 0": 1}


def test_active_customers_of_a_table_of_tenures_need_a_price_of_0_or_more():
    with pytest.raises(ValueError, match=r"'charge' is missing or no amount for 1 of 4 active customers; correct"):
        rm.logs.choose_settings(TENURES.assign(charge=[1.0, 2.0, np.nan, 1, 1, 1]), **SNAPSHOT, price="charge")
    with pytest.raises(ValueError, match=r"'charge' is below 0 \(such as -2\) for 2 of 4 active customers; correct"):
        rm.logs.choose_settings(TENURES.assign(charge=[1.0, -2, -1, 1, 1, -9]), **SNAPSHOT, price="charge")
    two = TENURES.assign(charge="1.250")
    with pytest.raises(ValueError, match="can mean two things"):
        rm.logs.choose_settings(two, **SNAPSHOT, price="charge")
    settings = rm.logs.choose_settings(two, **SNAPSHOT, price="charge", decimal=",")
    assert set(rm.logs.active_customers(settings.spells, period="M")["price"]) == {1250.0}
