"""The retention table: what it counts, from contracts with dates and from snapshots without."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.evaluation.backtest_contracts import backtest_retention
from retention_models.fitting.estimate import fit
from retention_models.fitting.spell_curves import cause_curves, survival_curves
from retention_models.logs.contracts import retention
from retention_models.logs.contracts.calendar_events import with_calendar
from retention_models.logs.contracts.log import read_contracts
from retention_models.logs.contracts.retention import active_customers, retention_table
from retention_models.logs.contracts.snapshot import read_snapshot, retention_table_from_tenures
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric

LOG = pd.DataFrame(
    {
        "customer_id": range(6),
        "start": ["2022-01-31", "2022-02-01", "2022-02-10", "2022-03-31", "2022-05-15", "2022-12-20"],
        "end": ["2022-06-14", "2022-04-30", None, "2023-04-01", "2022-12-01", None],
        "why": ["price", "", None, "price", "moved", None],
        "plan": list("aabbab"),
    }
)
SPELLS = read_contracts(LOG, sampling="acquisition", observation_end="2022-12-31", cause="why", covariates=["plan"])


def acquired(start, end, until):
    log = pd.DataFrame({"customer_id": range(len(end)), "start": start, "end": end})
    return retention_table(read_contracts(log, sampling="acquisition", observation_end=until), period="M")


def numbers(table):
    return table[["tenure", "at_risk", "lost"]].to_numpy().tolist()


def brute_force(frame, until, begin, period, whole):
    """The retention table by walking through each spell's renewals with pandas' own calendar.

    With ``whole`` only the whole periods in view count, else the periods from the first day in view.
    """
    until, rows = pd.Timestamp(until), []

    def due(start, number):
        return start + pd.DateOffset(
            **{"M": {"months": number}, "Y": {"years": number}}.get(period, {"days": 7 * number})
        )

    for spell in frame.itertuples():
        anchor = spell.start if begin is None else max(spell.start, pd.Timestamp(begin))
        made = number = 0
        while due(spell.start, made + 1) <= anchor:
            made += 1
        if whole:
            number = made if due(spell.start, made) == anchor else made + 1
            made, anchor = 0, spell.start
            if spell.churned and spell.end <= due(spell.start, number) and number:
                continue
        while due(anchor, number + 1) <= until:
            number += 1
            lost = spell.churned and spell.end <= due(anchor, number)
            rows.append((made + number, 1, int(lost)))
            if lost:
                break
    table = pd.DataFrame(rows, columns=["tenure", "at_risk", "lost"])
    return table.groupby("tenure", as_index=False).sum()


@pytest.mark.parametrize("period", ["M", "Y", 7])
@pytest.mark.parametrize("begin", [None, "2021-02-28", "2021-05-31"])
@pytest.mark.parametrize("any_day", [True, False])
def test_the_table_counts_what_a_walk_through_the_renewals_counts(any_day, period, begin):
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2019-12-25") + pd.to_timedelta(rng.integers(0, 900, 300), "D")
    length = {"M": {"months": 1}, "Y": {"years": 1}}.get(period, {"days": 7})
    most = {"M": 24, "Y": 3}.get(period, 100)
    renewals = rng.integers(1, most, 300)
    end = start + pd.to_timedelta(rng.integers(0, 700, 300), "D")
    if not any_day:
        end = [day + int(n) * pd.DateOffset(**length) for day, n in zip(start, renewals, strict=True)]
    end = pd.Series(end).where(rng.random(300) < 0.8)
    log = pd.DataFrame({"customer_id": range(300), "start": start, "end": end})
    sampling = {"sampling": "active_on", "observation_start": begin} if begin else {"sampling": "acquisition"}
    spells = read_contracts(log, observation_end="2022-06-30", **sampling)
    table = retention_table(spells, period=period).groupby("tenure", as_index=False)[["at_risk", "lost"]].sum()
    expected = brute_force(spells.frame, "2022-06-30", begin, period, whole=any_day and begin is not None)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def leave_in_the_second_month():
    """Contracts from every day, of which two in five end 40 days after their start and the others never."""
    start = np.tile(pd.date_range("2020-01-01", "2022-12-31"), 5)
    end = pd.Series(start + pd.Timedelta(40, "D")).where(np.arange(len(start)) % 5 < 2)
    return pd.DataFrame({"customer_id": np.arange(len(start)), "start": start, "end": end})


@pytest.mark.parametrize("sampling", ["active_on", "window"])
@pytest.mark.parametrize("begin", ["2022-01-15", "2022-10-15"])
def test_contracts_that_end_on_any_day_are_lost_at_their_age_from_whatever_day_they_are_seen(sampling, begin):
    log = leave_in_the_second_month()
    spells = read_contracts(
        log[~(log["end"] <= begin)], sampling=sampling, observation_start=begin, observation_end="2022-12-31"
    )
    rows = retention_table(spells, period="M")
    table = rows.groupby("tenure")[["at_risk", "lost"]].sum()
    share = table["lost"] / table["at_risk"]
    assert share[2] == pytest.approx(0.4, abs=0.03)
    assert (share.drop(2) == 0).all()
    counted = rows.attrs["settled"]
    young = (log["start"] > "2022-11-30").sum()
    assert counted["spells without a whole period of their own in view"] >= young


def test_a_window_without_a_whole_period_of_any_contract_asks_for_a_shorter_one():
    log = leave_in_the_second_month()
    days = {"observation_start": "2022-12-05", "observation_end": "2022-12-31"}
    spells = read_contracts(log[~(log["end"] <= "2022-12-05")], sampling="window", **days)
    with pytest.raises(ValueError, match=r"for a whole month of its own since 2022-12-05. Choose a shorter period"):
        retention_table(spells, period="M")
    assert retention_table(spells, period=7)["lost"].sum() > 0


@pytest.mark.slow
@pytest.mark.parametrize(("sampling", "begin"), [("active_on", "2022-12-31"), ("window", "2024-06-30")])
def test_each_sampling_has_the_churn_of_all_contracts_at_every_tenure(sampling, begin):
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2020-01-02") + pd.to_timedelta(rng.integers(0, 1825, 400_000), "D")
    life = np.minimum(np.ceil(rng.exponential(1 / rng.gamma(0.7, 1 / 60, 400_000))), 20_000)
    end = pd.Series(start + pd.to_timedelta(life, "D"))
    log = pd.DataFrame({"customer_id": range(400_000), "start": start, "end": end.where(end <= "2024-12-31")})

    def table(rows, **options):
        spells = read_contracts(rows, observation_end="2024-12-31", **options)
        return retention_table(spells, period="M").groupby("tenure")[["at_risk", "lost"]].sum().head(12)

    whole = table(log, sampling="acquisition")
    part = table(log[~(log["end"] <= begin)], sampling=sampling, observation_start=begin)
    share = whole["lost"] / whole["at_risk"]
    error = np.sqrt(share * (1 - share) * (1 / part["at_risk"] - 1 / whole["at_risk"]))
    z = (part["lost"] / part["at_risk"] - share) / error
    assert abs(z).max() < 3
    assert abs(z.sum()) / np.sqrt(12) < 3


def test_months_end_on_the_day_they_began_or_on_the_last():
    end = ["2023-02-27", "2023-02-28", "2023-03-01", "2023-03-31", "2023-04-01"]
    assert numbers(acquired("2023-01-31", end, "2023-04-30")) == [[1, 5, 2], [2, 3, 2], [3, 1, 1]]


def test_whoever_leaves_at_once_is_lost_at_the_first_renewal():
    assert numbers(acquired("2023-01-31", ["2023-01-31", None], "2023-03-01")) == [[1, 2, 1]]


def test_a_period_not_yet_complete_counts_for_nobody():
    assert numbers(acquired("2023-01-15", ["2023-03-01", None], "2023-03-14")) == [[1, 2, 0]]
    assert numbers(acquired("2023-01-15", ["2023-03-01", None], "2023-03-15")) == [[1, 2, 0], [2, 2, 1]]


def test_causes_and_groups_add_up():
    whole, parts = retention_table(SPELLS, period="M"), retention_table(SPELLS, period="M", by=["plan", "spell"])
    causes = [name for name in whole if name.startswith("lost_")]
    assert causes == ["lost_moved", "lost_price", "lost_unknown"]
    for table in (whole, parts):
        assert (table[causes].sum(axis=1) == table["lost"]).all()
    summed = parts.groupby(["cohort", "tenure"], as_index=False)[["at_risk", "lost"]].sum()
    pd.testing.assert_frame_equal(summed, whole[["cohort", "tenure", "at_risk", "lost"]])


def test_cohorts_are_named_by_their_period():
    assert retention_table(SPELLS, period="M")["cohort"].unique().tolist() == [
        "2022-01",
        "2022-02",
        "2022-03",
        "2022-05",
    ]
    early = read_contracts(LOG.assign(start="2021-12-31"), sampling="acquisition", observation_end="2022-12-31")
    assert retention_table(early, period="Y")["cohort"].unique().tolist() == ["2021"]
    assert retention_table(early, period="M")["cohort"].unique().tolist() == ["2021-12"]
    (first,) = retention_table(early, period=90)["cohort"].unique()
    assert pd.Timestamp(first) <= pd.Timestamp("2021-12-31") < pd.Timestamp(first) + pd.Timedelta(days=90)


def test_the_table_says_where_it_comes_from():
    about = retention_table(SPELLS, period="M").attrs
    assert (about["period"], about["sampling"], about["observation_end"]) == ("M", "acquisition", "2022-12-31")


def test_spells_that_have_come_to_no_renewal_are_counted():
    table = retention_table(SPELLS, period="M")
    assert table.attrs["settled"]["spells that have come to no renewal yet"] == 1
    assert table.loc[table["tenure"] == 1, "at_risk"].sum() == 5


def test_bad_periods_and_groups_are_named():
    for period in ("W", 0, True, -3, 1.5):
        with pytest.raises(ValueError, match="period must be 'M', 'Y' or a number of days"):
            retention_table(SPELLS, period=period)
    with pytest.raises(ValueError, match="by=town: the spells have spell, plan; name further columns"):
        retention_table(SPELLS, period="M", by="town")
    unnamed = read_contracts(
        LOG.assign(plan=["a", None, "b", None, "a", "b"]),
        sampling="acquisition",
        observation_end="2022-12-31",
        covariates="plan",
    )
    for counted in (retention_table, active_customers):
        with pytest.raises(ValueError, match=r"column 'plan' is missing for . of . spells; name their group"):
            counted(unnamed, period="M", by="plan")
    with pytest.raises(ValueError, match="none of 6 spells has come to a renewal by 2022-12-31"):
        retention_table(SPELLS, period=5000)
    june = read_contracts(LOG, sampling="window", observation_start="2022-06-01", observation_end="2022-06-30")
    with pytest.raises(ValueError, match="whole period lie between the day that observation began with, 2022-06-01"):
        retention_table(june, period="M")


def test_a_snapshot_of_one_months_leavers_is_read_as_such(tmp_path):
    """By tenure, and whether they left last month: as the well-known telecom file describes itself."""
    tenure = np.repeat(np.arange(73), 100)
    share_left = np.where(tenure == 0, 0, np.maximum(60 - tenure, 2))
    snapshot = pd.DataFrame({"tenure": tenure, "churned": np.where(np.arange(7300) % 100 < share_left, "Yes", "No")})
    cohort, window = (
        retention_table_from_tenures(snapshot, sampling=sampling) for sampling in ("acquisition", "window")
    )
    naive, read = (np.prod(1 - table["lost"][:12] / table["at_risk"][:12]) for table in (cohort, window))
    assert naive > 0.8
    assert read < 0.001
    assert window.attrs["set_aside"] == {"customers who have come to no renewal yet": 100}
    snapshot.to_csv(tmp_path / "snapshot.csv", index=False)
    pd.testing.assert_frame_equal(retention_table_from_tenures(tmp_path / "snapshot.csv", sampling="window"), window)
    polars = pl.DataFrame(snapshot.assign(plan="x").to_dict("list"))
    pd.testing.assert_frame_equal(
        retention_table_from_tenures(polars, sampling="window", by="plan").drop(columns="plan"), window
    )


SNAPSHOT = pd.DataFrame(
    {
        "months": [5, 6, "x", 4, 3.5, 2, 9],
        "left": [True, False, False, "maybe", True, True, True],
        "since": [3, 2, 1, 1, 1, 2, 8],
        "why": ["price", "", "", "", "", "price", None],
    }
)


def test_snapshots_with_entry_and_cause_and_faults():
    named = {"tenure": "months", "churned": "left", "entry": "since", "cause": "why"}
    table = retention_table_from_tenures(
        SNAPSHOT.astype(str).replace("None", ""), sampling="active_on", max_set_aside=0.5, **named
    ).set_index("tenure")
    assert table["at_risk"].to_dict() == {3: 1, 4: 2, 5: 2, 6: 1, 9: 1}
    assert table.loc[5, ["lost", "lost_price", "lost_unknown"]].tolist() == [1, 1, 0]
    assert table.loc[9, "lost_unknown"] == 1
    assert table.attrs["set_aside"] == {
        "rows without a readable tenure": 1,
        "rows that do not say whether the customer left": 1,
        "rows whose tenure is negative or no whole number": 1,
        "customers who have come to no renewal yet": 1,
    }
    assert table.attrs["checks"][0]["passed"] is False


def test_a_tenure_without_end_is_set_aside_and_counted():
    snapshot = pd.DataFrame({"tenure": [1, 2, 3e9], "churned": [1, 0, 1]})
    table = retention_table_from_tenures(snapshot, sampling="acquisition", max_set_aside=0.4)
    assert table["at_risk"].tolist() == [2, 1]
    assert table.attrs["set_aside"] == {"rows whose tenure is a million periods or more": 1}


def test_impossible_snapshots_are_named():
    snapshot = SNAPSHOT.astype(str)
    with pytest.raises(ValueError, match="sampling 'active_on' needs it"):
        retention_table_from_tenures(snapshot, sampling="active_on", tenure="months", churned="left")
    with pytest.raises(ValueError, match="has no column 'tenure', 'churned'; it has months, left"):
        retention_table_from_tenures(snapshot, sampling="window")
    with pytest.raises(ValueError, match="no row of the table can be used: 7 rows without a readable tenure"):
        retention_table_from_tenures(snapshot.assign(months="x"), sampling="window", tenure="months", churned="left")
    with pytest.raises(ValueError, match="window must be a whole number, 1 or more; got 0"):
        retention_table_from_tenures(snapshot, sampling="window", tenure="months", churned="left", window=0)


def test_a_snapshot_of_several_periods_loses_too_few_and_says_so():
    rng = np.random.default_rng(0)
    start, life = -rng.integers(0, 240, 200_000), rng.geometric(0.05, 200_000)

    def table(window):
        left = start + life <= 0
        snapshot = pd.DataFrame({"tenure": np.where(left, life, -start), "churned": left})
        return retention_table_from_tenures(snapshot[start + life > -window], sampling="window", window=window)

    month, year = table(1), table(12)
    assert month["lost"].sum() / month["at_risk"].sum() == pytest.approx(0.05, abs=0.003)
    assert year["lost"].sum() / year["at_risk"].sum() < 0.044
    assert [check["passed"] for check in month.attrs["checks"]] == [True, True, True]
    assert year.attrs["checks"][1]["passed"] is False
    assert "in one of 12 periods, and counts as observed in all of them" in year.attrs["checks"][1]["detail"]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"period": "Q"}, "period must be 'M', 'Y' or a number of days"),
        ({}, {"churned": "tenure"}, "column 'tenure' cannot be tenure and churned at once"),
        (
            {"why": "x"},
            {"cause": "why", "covariates": "why"},
            "covariates why: the column already has another",
        ),
        ({"entry": "x"}, {"covariates": "entry"}, "covariates entry: the spells have columns of that name"),
        ({"weight": "x"}, {"covariates": "weight"}, "covariates weight: the spells have columns of that name"),
        ({"plan": [None, "x"]}, {"covariates": "plan"}, "column 'plan' is missing for 1 of 2 spells"),
        ({"tenure": -1}, {}, "no row of the table can be used: 2 rows whose tenure is negative"),
    ],
)
def test_tenures_that_are_no_snapshot_are_named(change, arguments, message):
    snapshot = pd.DataFrame({"tenure": [1, 9], "churned": ["Yes", "No"]}).assign(**change)
    with pytest.raises(ValueError, match=message):
        read_snapshot(snapshot, sampling="window", observation_end="2024-06-30", **arguments)


@pytest.fixture(scope="module")
def tenures():
    rng = np.random.default_rng(7)
    columns = {"tenure": rng.integers(0, 30, 900), "churned": rng.random(900) < 0.3}
    return pd.DataFrame(columns | {"plan": rng.choice(["a", "b"], 900), "why": rng.choice(["price", "moved", ""], 900)})


@pytest.mark.parametrize("period", ["M", "Y", 28])
@pytest.mark.parametrize("by", [[], ["plan"]])
def test_a_snapshot_has_the_retention_table_of_its_tenures(tenures, period, by):
    snapshot = read_snapshot(
        tenures, sampling="window", observation_end="2024-03-31", period=period, cause="why", covariates="plan"
    )
    table = retention_table(snapshot, period=period, by=by)
    expected = retention_table_from_tenures(tenures, sampling="window", cause="why", by=by)
    pd.testing.assert_frame_equal(table, expected)
    no_renewal = {"customers who have come to no renewal yet": int((tenures["tenure"] == 0).sum())}
    uncaused = {"ends without a cause, called unknown": int((tenures["churned"] & (tenures["why"] == "")).sum())}
    assert (table.attrs["settled"], expected.attrs["set_aside"]) == (uncaused | no_renewal, no_renewal)
    assert table.attrs["checks"] == expected.attrs["checks"]
    assert fit(Geometric, table).n_customers == (tenures["tenure"] > 0).sum()


def test_the_customers_of_a_snapshot_who_are_active_are_those_who_did_not_churn(tenures):
    snapshot = read_snapshot(tenures, sampling="window", observation_end="2024-03-31", covariates="plan")
    active = retention.active_customers(snapshot, period="M", by="plan")
    expected = tenures[~tenures["churned"]].value_counts(["plan", "tenure"], sort=False)
    assert active.set_index(["plan", "tenure"])["weight"].to_dict() == expected.to_dict()
    assert active["weight"].sum() + tenures["churned"].sum() == snapshot.rows == 900


def test_the_survival_curve_of_a_snapshot_follows_one_period_of_each_customer(tenures):
    snapshot = read_snapshot(tenures, sampling="window", observation_end="2024-03-31", cause="why")
    curve = survival_curves(snapshot)["all"]
    for made in range(1, 30):
        at_tenure = tenures[tenures["tenure"] == made]
        place = list(curve.tenure).index(made)
        assert (curve.at_risk[place], curve.lost[place]) == (len(at_tenure), at_tenure["churned"].sum())
    shares = cause_curves(snapshot)["all"].table(at=[29]).set_index("cause")["incidence"]
    assert set(shares.index) == {"price", "moved", "unknown"}
    assert shares.sum() == pytest.approx(1 - curve.survival[-1])


def test_a_snapshot_counts_equal_rows_once_and_loses_none(tenures):
    faulty = pd.concat([tenures.astype({"tenure": object}), pd.DataFrame({"tenure": ["?"], "churned": True})])
    snapshot = read_snapshot(faulty, sampling="window", observation_end="2024-03-31")
    assert snapshot.frame["weight"].sum() == snapshot.rows == 900
    assert not snapshot.frame.duplicated(["tenure", "churned"]).any()
    assert snapshot.set_aside == {"rows without a readable tenure": 1}
    assert "900 customers of 2024-03-31 and of the month before" in str(snapshot)
    assert "Set aside: 1 row without a readable tenure." in str(snapshot)


def test_what_a_snapshot_cannot_tell_is_said(tenures):
    snapshot = read_snapshot(tenures, sampling="window", observation_end="2024-03-31")
    with pytest.raises(ValueError, match=r"counts tenure in months and has no dates .* must be 'M', not 'Y'"):
        retention_table(snapshot, period="Y")
    with pytest.raises(ValueError, match=r"counts tenure in months and has no dates .* must be 'M', not 28"):
        retention.active_customers(snapshot, period=28)
    with pytest.raises(ValueError, match="by=plan: the spells have no groups"):
        retention_table(snapshot, period="M", by="plan")
    with pytest.raises(ValueError, match="has no column 'cohort': tables without dates"):
        with_calendar(retention_table(snapshot, period="M"))
    with pytest.raises(TypeError, match="an earlier day needs contracts with dates, from read_contracts; got Snapshot"):
        backtest_retention(Geometric, snapshot, period="M", origins=["2024-01-31"], renewals=1)
    young = read_snapshot(tenures.assign(tenure=0), sampling="window", observation_end="2024-03-31")
    with pytest.raises(ValueError, match="none of 900 customers has come to a renewal"):
        retention_table(young, period="M")


def test_active_customers_are_those_who_did_not_churn_by_renewals_made():
    active = retention.active_customers(SPELLS, period="M", by="plan")
    assert active.to_numpy().tolist() == [["2022-02", "b", 10, 1], ["2022-03", "b", 9, 1], ["2022-12", "b", 0, 1]]
    truncated = read_contracts(LOG, sampling="active_on", observation_start="2022-10-01", observation_end="2022-12-31")
    assert retention.active_customers(truncated, period="M")["tenure"].tolist() == [10, 9, 0]


@pytest.mark.parametrize(
    ("end", "tenures", "since"), [("02-22", [2, 1, 1, 0], [1, 0]), ("02-10", [1, 1, 0, 0], [0, 0])]
)
def test_tenures_of_active_customers_are_rounded_where_contracts_end_on_any_day(end, tenures, since):
    running = ["2024-03-20", "2024-03-30", "2024-04-20", "2024-05-05"]
    start, end = ["2024-01-10"] * 30 + running, [f"2024-{end}"] * 30 + [None] * 4
    log = pd.DataFrame({"customer_id": range(34), "start": start, "end": end})
    spells = read_contracts(log, sampling="acquisition", observation_end="2024-05-08")
    active = active_customers(spells, period="M").sort_values("tenure", ascending=False)
    assert active.loc[active.index.repeat(active["weight"]), "tenure"].tolist() == tenures
    made = retention.renewals_since(spells, "2024-04-08", period="M", renewals=1).sort_values("tenure", ascending=False)
    assert made.loc[made.index.repeat(made["weight"]), "tenure"].tolist() == since


def test_simulated_spells_become_a_table_to_fit():
    spells = ShiftedBetaGeometric(1.0, 3.0).simulate(np.full(5000, 6), np.random.default_rng(1))
    table = retention_table_from_tenures(spells, sampling="acquisition")
    assert table.loc[0, "at_risk"] == 5000
    assert table["lost"].sum() == spells["churned"].sum()
    assert fit(ShiftedBetaGeometric, table).n_customers == 5000
