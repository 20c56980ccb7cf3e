import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.logs.transactions.checks.accounts import check_accounts, large_accounts
from retention_models.logs.transactions.read_log import read_transactions


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


SHOP = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.61, beta=11.7)


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    """A shop of 2,000 customers without anything special."""
    rng = np.random.default_rng(1)
    log = SHOP.simulate_transactions(np.full(2_000, 39.0), rng, start="2025-01-06", time_unit="W")
    return log.assign(customer_id=log["customer_id"].map("C{}".format), amount=rng.gamma(2, 10, len(log)).round(2))


def with_account(shop: pd.DataFrame, name: str, rows: int, amount: float) -> pd.DataFrame:
    dates = pd.date_range("2025-02-01", "2025-09-01", periods=rows).astype(shop["date"].dtype)
    return pd.concat([shop, pd.DataFrame({"customer_id": name, "date": dates, "amount": amount})], ignore_index=True)


def test_customers_who_differ_as_a_model_says_are_no_large_accounts(shop: pd.DataFrame) -> None:
    assert large_accounts(shop).empty
    assert check_accounts(shop).passed is True


def test_an_id_of_nobody_is_named_with_its_share_of_the_rows(shop: pd.DataFrame) -> None:
    log = with_account(shop, "guest", rows=1_000, amount=0.01)
    table = large_accounts(log)
    assert list(table.index) == ["guest"]
    assert table.loc["guest", "rows"] == 1_000
    assert table.loc["guest", "share_of_rows"] == pytest.approx(1_000 / len(log), abs=1e-6)
    check = check_accounts(log)
    assert check.passed is False
    assert f"'guest' ({100 * 1_000 / len(log):.2g} % of the rows, " in check.detail


def test_the_best_customer_of_a_shop_is_a_customer() -> None:
    """The largest of 2,357 buyers of CDs, with 56 purchases and 2.7 % of all money, is a genuine one."""
    assert check_accounts(rm.datasets.load_cdnow()).passed is True


def test_a_few_huge_orders_are_found_by_their_amount(shop: pd.DataFrame) -> None:
    log = with_account(shop, "reseller", rows=3, amount=5_000.0)
    assert list(large_accounts(log).index) == ["reseller"]
    assert check_accounts(log.drop(columns="amount")[["customer_id", "date"]].pipe(no_money)).passed is True


def no_money(log: pd.DataFrame) -> rm.logs.Transactions:
    return read_transactions(log, amount=None)


def test_the_share_can_be_stated(shop: pd.DataFrame) -> None:
    log = with_account(shop, "guest", rows=150, amount=1.0)
    assert 0.02 < 150 / len(log) < 0.05
    assert check_accounts(log, share=0.02).passed is False
    assert check_accounts(log, share=0.05).passed is True
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        check_accounts(log, share=5)


def test_among_few_everybody_is_large(shop: pd.DataFrame) -> None:
    few = shop[shop["customer_id"].isin([f"C{n}" for n in range(15)])]
    assert check_accounts(few).passed is None
    some = shop[shop["customer_id"].isin([f"C{n}" for n in range(200)])]
    assert large_accounts(some).attrs["large_from"]["share_of_rows"] == pytest.approx(
        20 / some["customer_id"].nunique()
    )


def test_a_quarter_of_all_money_is_large_among_eighty_accounts(shop: pd.DataFrame) -> None:
    some = shop[shop["customer_id"].isin([f"C{n}" for n in range(80)])]
    assert check_accounts(some).passed is True
    log = with_account(some, "reseller", rows=5, amount=some["amount"].sum() / 14)
    assert list(large_accounts(log).index) == ["reseller"]


def test_many_and_long_names_are_cut_short() -> None:
    base = pd.DataFrame({"customer_id": [f"C{n}" for n in range(3_000)], "date": "2024-01-01", "amount": 1.0})
    log = base
    for n in range(7):
        log = with_account(log.astype({"date": "datetime64[us]"}), f"{n}{'x' * 500}", rows=500 + n, amount=1.0)
    detail = check_accounts(log).detail
    assert "'6xxx" in detail
    assert "; and 2 more" in detail
    assert len(detail) < 800


def test_hostile_names_are_escaped_in_pages(shop: pd.DataFrame) -> None:
    check = check_accounts(with_account(shop, "<script>alert(1)</script>", rows=1_000, amount=1.0))
    assert "'<script>" in check.detail
    assert "<script" not in check._repr_html_()


def test_every_engine_finds_the_same_accounts(shop: pd.DataFrame) -> None:
    log = with_account(shop, "guest", rows=1_000, amount=3.0)
    expected = large_accounts(log)
    for source in (pl.from_pandas(log), pl.from_pandas(log).lazy(), duckdb.from_df(log)):
        pd.testing.assert_frame_equal(large_accounts(source), expected, check_index_type=False, check_dtype=False)


def test_money_that_comes_to_nothing_has_no_shares(shop: pd.DataFrame) -> None:
    assert check_accounts(shop.assign(amount=0.0)).passed is True


def test_rows_without_a_customer_fail_with_their_share(shop: pd.DataFrame) -> None:
    nobody = np.random.default_rng(2).random(len(shop)) < 0.4
    unknown = shop.assign(customer_id=shop["customer_id"].where(~nobody, None))
    check = check_accounts(read_transactions(unknown, max_set_aside=0.5))
    assert check.passed is False
    assert f" {100 * nobody.mean():.2g} % of the rows have no customer_id and are set aside" in check.detail
    few = np.arange(len(shop)) % 200 == 0
    assert check_accounts(shop.assign(customer_id=shop["customer_id"].where(~few, None))).passed is True


def test_credit_notes_do_not_make_shares_of_the_amount_large(shop: pd.DataFrame) -> None:
    log = with_account(shop, "returns", rows=1, amount=1.0 - shop["amount"].sum())
    transactions = read_transactions(log, refunds="net")
    assert large_accounts(transactions).empty
    assert check_accounts(transactions).passed is True


def test_only_accounts_and_rows_that_count_are_judged(shop: pd.DataFrame) -> None:
    late = with_account(shop, "guest", rows=1_000, amount=1.0)
    assert check_accounts(late).passed is False
    assert check_accounts(read_transactions(late).window(observation_end="2025-01-31")).passed is True
    early = shop.assign(customer_id=np.where(shop["date"] < "2025-01-20", "guest", shop["customer_id"]))
    assert list(large_accounts(early).index) == ["guest"]
    assert large_accounts(read_transactions(early).window(acquired_after="2025-01-20")).empty
    with pytest.raises(ValueError, match="observation_end 2024-01-01 lies before the first purchase, 2025-01-06"):
        read_transactions(shop).window(observation_end="2024-01-01")


def test_a_share_in_text_is_an_error_in_words(shop: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"share must lie between 0 and 1; got '\.02'"):
        check_accounts(shop, share=".02")
