from datetime import date

import numpy as np
import pytest

import retention_models as rm
from retention_models.evaluation import (
    backtest_check,
    earlier_origins,
    holdout_scores,
)
from retention_models.logs.transactions.purchases import as_transactions
from retention_models.narrative.purchases import Sentence, forecast_sentence


def weeks(horizon):
    return rm.Terms(horizon=horizon, time_unit="W")


@pytest.fixture(scope="module")
def backtest(log):
    return rm.evaluation.backtest(log, rm.BGNBD, weeks(39), origins=["1997-06-30", date(1997, 9, 30)]).table


def test_an_origin_at_the_cut_off_gives_its_holdout(backtest, fits, customers):
    score = holdout_scores(fits["BG/NBD"], customers).loc["BGNBD"]
    row = backtest.loc["1997-09-30"]
    assert row["customers"] == 2357
    assert row["actual"] == 1882
    for name in ("expected", "purchases_lower", "purchases_upper", "error"):
        assert np.isclose(row[name], score[name])


def test_nothing_after_an_origin_is_known_to_its_forecast(log, backtest):
    cut = rm.summarize(log, calibration_end="1997-06-30", observation_end="1997-06-30")
    expected = rm.predict_total(rm.fit(rm.BGNBD, cut), cut, 39)["expected"].iloc[0]
    assert np.isclose(backtest.loc["1997-06-30", "expected"], expected)


def test_the_check_fails_where_an_interval_missed_and_tells_the_errors(backtest):
    check = backtest_check(backtest)
    assert check.passed is bool(backtest["inside"].all())
    assert f"At {backtest['inside'].sum()} of 2 earlier dates" in check.detail
    assert f"{100 * backtest['error'].abs().mean():.0f} % on average" in check.detail
    assert backtest_check(backtest.assign(inside=True)).passed is True


def test_origins_leave_the_horizon_and_something_to_learn_from(log):
    origins = earlier_origins(log, horizon=26, count=3)
    assert len(origins) == 3
    assert origins == sorted(origins)
    assert (date(1998, 6, 30) - origins[-1]).days == 26 * 7
    assert (origins[0] - date(1997, 1, 1)).days >= 180


def test_origins_are_fewer_where_days_are(log):
    origins = earlier_origins(log, horizon=538, time_unit="D", count=20)
    assert 1 <= len(origins) < 20


def test_a_horizon_as_long_as_the_log_is_an_error(log):
    with pytest.raises(ValueError, match="leaves 0 of the days from 1997-01-01 to 1998-06-30"):
        earlier_origins(log, horizon=100)


def test_the_check_says_when_forecasts_missed_on_the_same_side_each_time(backtest):
    assert "each time above it" in backtest_check(backtest.assign(error=[0.1, 0.2])).detail
    assert "each time below it" in backtest_check(backtest.assign(error=[-0.1, -0.2])).detail
    assert "each time" not in backtest_check(backtest.assign(error=[-0.1, 0.2])).detail
    assert "each time" not in backtest_check(backtest.iloc[:1]).detail


def test_the_sentence_says_what_to_plan_with_and_how_earlier_forecasts_did(log):
    everyone = rm.summarize(log)
    errors = rm.evaluation.past_errors(log, rm.BGNBD, horizon=39)
    total = rm.predict_total(rm.fit(rm.BGNBD, everyone), everyone, 39, past_errors=errors)
    text = forecast_sentence(total, errors, everyone, 39)
    assert text.startswith("Plan with 1,")
    assert "(four times in five; " in text
    assert "from the 2,357 customers known on 1998-06-30; new customers come on top." in text
    (error,) = errors.counts.errors
    assert f"One earlier forecast of purchases over 39 weeks was {100 * -np.expm1(-error):.0f} % too low." in text


def test_origins_keep_to_the_days_that_count(log):
    origins = earlier_origins(
        as_transactions(log).window(acquired_after="1997-03-01", observation_end="1998-03-31"), horizon=13
    )
    assert (date(1998, 3, 31) - origins[-1]).days == 13 * 7
    assert (origins[0] - date(1997, 3, 1)).days >= 180


def test_amounts_are_those_of_the_holdout_and_of_both_models(log, customers, backtest):
    row = backtest.loc["1997-09-30"]
    assert np.isclose(row["actual_amount"], 70976.39)
    value = rm.customer_value(
        rm.fit(rm.BGNBD, customers),
        customers,
        rm.Terms(horizon=39, time_unit="W", annual_discount_rate=0, margin=1),
        spend=rm.fit(rm.GammaGamma, customers),
    )
    assert np.isclose(row["expected_amount"], value["value"].sum(), rtol=1e-6)
    assert np.isclose(row["amount_error"], row["actual_amount"] / row["expected_amount"] - 1)


def test_a_log_without_money_has_no_amounts():
    log = rm.read_transactions(rm.datasets.load_cdnow(), amount=None)
    table = rm.evaluation.backtest(log, rm.BGNBD, weeks(39), origins=["1997-09-30"]).table
    assert not table.filter(like="amount").size


def test_a_sentence_shows_itself_escaped():
    assert Sentence("a < b")._repr_html_() == "<p>a &lt; b</p>"


@pytest.mark.parametrize(
    ("origins", "message"),
    [
        (["1998-03-30"], r"origin 1998-03-30 plus 26 weeks ends after the log, 1998-06-30 \(1 of 1 origins\)"),
        (
            ["1997-06-30", "1998-06-30"],
            r"origin 1998-06-30 plus 26 weeks ends .* \(1 of 2 origins\); evaluation.earlier_origins",
        ),
        (["30.06.1997"], "origins must be a day such as '1997-09-30', not '30.06.1997'"),
        ([], "there are no origins; evaluation.earlier_origins proposes some"),
    ],
)
def test_origins_whose_horizon_is_not_over_are_errors(log, origins, message):
    with pytest.raises(ValueError, match=message):
        rm.evaluation.backtest(log, rm.BGNBD, weeks(26), origins=origins)


def test_opportunities_that_are_not_over_are_errors(log):
    with pytest.raises(ValueError, match="origin 1998-03-31 plus 4 months ends after the log, 1998-06-30"):
        rm.evaluation.backtest(log, rm.BGBB, rm.Terms(horizon=4, time_unit="M"), origins=["1998-03-31"])


def test_a_quiet_end_of_the_log_is_observed_where_observation_end_says_so(log):
    observed = as_transactions(log).window(observation_end="1998-07-07")
    backtest = rm.evaluation.backtest(observed, rm.BGNBD, weeks(40), origins=["1997-09-30"]).table
    assert backtest["actual"].tolist() == [1882]


@pytest.mark.parametrize("wrong", [{"horizon": 0}, {"horizon": float("inf")}, {"horizon": 26, "count": 0}])
def test_horizons_and_counts_that_make_no_origins_are_errors(log, wrong):
    with pytest.raises(ValueError, match="must be a"):
        earlier_origins(log, **wrong)


def test_a_backtest_that_learnt_from_too_little_is_not_testable(log):
    origins = earlier_origins(log, horizon=75)
    backtest = rm.evaluation.backtest(log, rm.BGNBD, weeks(75), origins=origins).table
    check = backtest_check(backtest)
    assert check.passed is None
    assert "too little to learn from for a forecast over 525 days" in check.detail
    assert "in 20 days, and it takes 100 in 137" in check.detail


def test_a_backtest_without_repeat_purchases_to_learn_from_is_not_testable(backtest):
    few = backtest.copy()
    few.attrs = {"known": {day: {**about, "repeat_purchases": 99} for day, about in backtest.attrs["known"].items()}}
    assert backtest_check(few).passed is None
    assert "99 repeat purchases in 180 days, and it takes 100" in backtest_check(few).detail


def test_origins_have_a_quarter_of_the_log_to_learn_from_where_they_can(log):
    origins = earlier_origins(log, horizon=52)
    assert (origins[0] - date(1997, 1, 1)).days == 137
    assert len(earlier_origins(log, horizon=39)) == 4


def test_windows_that_overlap_are_said_to(backtest):
    assert "The 2 windows overlap by 66 %, so they are fewer than 2 trials." in backtest_check(backtest).detail
    assert "overlap" not in backtest_check(backtest.iloc[:1]).detail


def test_a_backtest_holds_the_errors_for_a_planning_range(log):
    found = rm.evaluation.backtest(log, rm.BGNBD, weeks(26))
    errors = found.past_errors.counts
    assert [date.fromisoformat(day) for day in found.table.index] == list(errors.origins)
    off = (found.table["actual"] + 0.5) / (found.table["expected"] + 0.5)
    np.testing.assert_allclose(np.log(off), errors.log_ratios, rtol=1e-6)
    assert found.inside(0.8).equals(errors.inside(0.8))
    assert found.inside(0.95, of="value").equals(found.past_errors.value.inside(0.95))


def test_opportunities_have_a_table_and_no_planning_range(log):
    quarter = rm.Terms(horizon=3, time_unit="M")
    found = rm.evaluation.backtest(log, rm.BGBB, quarter, origins=["1997-09-30"])
    assert found.past_errors is None
    assert found.inside(0.8).empty
    with pytest.raises(ValueError, match="there are no origins"):
        rm.evaluation.backtest(log, rm.BGBB, quarter)


def test_terms_state_the_horizon(log):
    with pytest.raises(TypeError, match="terms must be Terms"):
        rm.evaluation.backtest(log, rm.BGNBD, 26)
    with pytest.raises(ValueError, match="the terms lack time_unit"):
        rm.evaluation.backtest(log, rm.BGNBD, rm.Terms(horizon=26))
