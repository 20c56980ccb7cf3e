"""(M)BG/CNBD-k: published likelihoods, k = 1, quadrature over rates and chances by mpmath, and simulation."""

from dataclasses import astuple

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.erlang import ErlangBuyer
from retention_models.btyd.erlang_discounted import _discount_each_purchase, discounted_within
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.estimation.likelihood import maximise
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import read_table

PAIRS = [(BGCNBD, BGNBD), (MBGCNBD, MBGNBD)]
HISTORIES = np.array([[0, 0, 0.0], [0, 0, 39], [1, 0.1, 39], [1, 39, 39], [3, 30, 39], [40, 20, 39], [300, 38, 39]]).T
each_pair = pytest.mark.parametrize(("staged", "plain"), PAIRS, ids=["BG", "MBG"])


@pytest.fixture(scope="module")
def customers():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


@pytest.mark.parametrize(("model", "log_likelihood"), [(MBGCNBD, -9853.25312869), (BGCNBD, -9855.32697409)])
def test_published_likelihood_of_two_stages_on_cdnow(customers, model, log_likelihood):
    table = read_table(customers, model.columns, model.averaged)
    columns = dict(zip((*model.columns, *model.averaged), (*table.columns, *table.means()), strict=True))
    start = model.start(*table.columns, weight=table.weight, k=2)
    found = maximise(model, columns, table.weight, start=start)
    assert found.model.k == 2
    assert -1e-8 < found.log_likelihood - log_likelihood < 1e-5


@each_pair
def test_random_purchases_choose_one_stage_and_the_model_without_stages(customers, staged, plain):
    found, simple = rm.fit(staged, customers), rm.fit(plain, customers)
    assert found.model.k == 1
    assert astuple(found.model)[:4] == pytest.approx(astuple(simple.model), rel=1e-9)
    assert found.log_likelihood == pytest.approx(simple.log_likelihood, abs=1e-9)
    assert found.aic == pytest.approx(simple.aic + 2)
    assert found.notes[0].startswith("k = 1 was chosen")


@each_pair
def test_one_stage_is_the_model_without_stages(staged, plain):
    ours, theirs = staged(0.5, 6.0, 0.9, 1.6, k=1), plain(0.5, 6.0, 0.9, 1.6)
    counts = np.arange(6)[:, None]
    for quantity in (
        lambda m: m.log_likelihood(*HISTORIES),
        lambda m: m.score(*HISTORIES),
        lambda m: m.probability_alive(*HISTORIES),
        lambda m: m.expected_purchases(39, *HISTORIES),
        lambda m: m.expected_purchases(np.inf, *HISTORIES),
        lambda m: m.purchases_variance(39, *HISTORIES),
        lambda m: m.purchase_probability(counts, 39, *HISTORIES),
        lambda m: m.purchase_probability(counts, 39, *HISTORIES, start=13),
        lambda m: m.purchase_probability_new(counts, 39, 13),
        lambda m: m.discounted_expected_purchases(0.003, *HISTORIES),
        lambda m: m.discounted_expected_purchases(0.003, *HISTORIES, horizon=39),
    ):
        np.testing.assert_allclose(quantity(ours), quantity(theirs), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    "parameters",
    [
        (0.5, 6.0, 0.9, 1.6),
        pytest.param((0.004, 1e-100, 0.3, 0.9), marks=pytest.mark.slow),
        pytest.param((0.5, 1e-100, 1.5, 2.0), marks=pytest.mark.slow),
        (30.0, 1e-3, 0.3, 0.9),
        (2e4, 4000.0, 0.2, 2e4),
        (0.5, 6.0, 1e-100, 1.0),
        (0.5, 6.0, 1e7, 3e7),
    ],
    ids=str,
)
def test_sums_over_stages_are_exact_however_long(parameters):
    """Someone with one stage is a BG/NBD customer, whose closed forms know no sums."""
    ours, theirs, counts = ErlangBuyer(*parameters, k=1, share=0.0), BGNBD(*parameters), np.arange(6)
    for quantity in (
        lambda m: m.expected_purchases_new(39.0),
        lambda m: m.expected_purchases_new(5000.0),
        lambda m: m._expected_pairs_new(np.asarray(39.0)),
        lambda m: m.purchase_probability_new(counts, 39.0),
        lambda m: m.purchase_probability_new(counts, 39.0, 13.0),
        lambda m: m.discounted_expected_purchases_new(0.003, horizon=39.0),
        lambda m: m.discounted_expected_purchases_new(0.003, horizon=5000.0),
        lambda m: m.discounted_expected_purchases_new(0.003),
    ):
        np.testing.assert_allclose(quantity(ours), quantity(theirs), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [2, 24])
def test_predictions_are_finite_where_the_time_to_a_purchase_vanishes(k):
    model = MBGCNBD(0.004, 1e-100, 0.3, 0.9, k=k)
    for quantity in (
        model.expected_purchases(39.0, *HISTORIES),
        model.purchase_probability(2, 39.0, *HISTORIES),
        model.discounted_expected_purchases(0.003, *HISTORIES),
    ):
        assert np.all(np.isfinite(quantity) & (quantity >= 0))


def test_many_purchases_are_expected_as_often_as_few_of_the_same_rhythm():
    """Where the rate is all but known and nobody leaves, k stages take k times as long as one."""
    for horizon in (50.0, 5e4, 5e8):
        buyer = ErlangBuyer(1e6, 1e6 / 3, 1e-100, 1.0, k=3, share=0.0)
        assert buyer.expected_purchases_new(horizon) == pytest.approx(horizon - 1 / 3, rel=1e-9)


def exact_discounted(model, rate):
    """Mean over rates and chances of the geometric series, for a new customer who stays at first."""
    r, alpha, a, b = (mp.mpf(v) for v in (model.r, model.alpha, model.a, model.b))

    def series(u):
        v = u / (u + rate * alpha)
        density = mp.exp(r * mp.log(u) - u) / u / mp.gamma(r)
        return density * v**model.k * mp.hyp2f1(1, b, a + b, v**model.k)

    return float(mp.quad(series, [0, 0.01, 0.1, 1, 4, 10, 40]))


def test_present_value_without_end_agrees_with_mpmath():
    for model in (BGCNBD(1.3, 4.0, 0.8, 2.5, k=3), BGCNBD(2.5, 9.0, 1.5, 0.7, k=2)):
        for rate in (0.05, 0.5):
            computed = model.discounted_expected_purchases(rate, 0, 0.0, 0.0)
            assert computed == pytest.approx(exact_discounted(model, rate), rel=1e-9)


@mp.workdps(30)
def exact_expectation(model, horizon, x, t_x, T):
    """The mixture over the unseen stage, each a sum over purchases of negative binomial tails, by mpmath."""
    r, alpha, k = mp.mpf(model.r) + model.k * x, mp.mpf(model.alpha) + T, model.k
    z, y, b = (mp.mpf(T) - t_x) / alpha, mp.mpf(horizon) / (alpha + horizon), mp.mpf(model.b) + x
    weight = [mp.rf(r, j) / mp.factorial(j) * z**j for j in range(k)]
    total = mp.mpf(0)
    for j in range(k):
        for m in range(1, 200):
            n = m * k - j
            tail = mp.betainc(n, r + j, 0, y, regularized=True)
            total += weight[j] * tail * mp.rf(b, m - 1) / mp.rf(model.a + b, m - 1)
    return float(total / sum(weight))


@pytest.mark.parametrize("history", [(0, 0.0, 20.0), (2, 15.0, 20.0), (5, 20.0, 20.0)])
def test_expectation_agrees_with_mpmath(history):
    model = BGCNBD(1.3, 4.0, 0.8, 2.5, k=3)
    then = model.conditional_on_alive(*history)
    for horizon in (1e-3, 5.0, 40.0):
        assert then.expected_purchases_new(horizon) == pytest.approx(
            exact_expectation(model, horizon, *history), rel=1e-11
        )


@pytest.mark.slow
@pytest.mark.parametrize("model", [BGCNBD(0.9, 4.0, 0.8, 2.5, k=3), MBGCNBD(1.5, 3.0, 0.5, 2.0, k=2)], ids=str)
def test_expectation_given_a_history_is_what_simulated_customers_do(model):
    """By frequency, in whose bins an approximation that forgets the stage would be off."""
    n, past, horizon = 300_000, 30.0, 20.0
    log = model.simulate_transactions(
        np.full(n, past + horizon), np.random.default_rng(3), start="2020-01-01", time_unit="D"
    )
    age = ((log["date"] - pd.Timestamp("2020-01-01")) / pd.Timedelta("1D")).to_numpy()
    customer, is_past = log["customer_id"].to_numpy(), age <= past
    x, t_x = np.bincount(customer[is_past], minlength=n) - 1, np.zeros(n)
    np.maximum.at(t_x, customer[is_past], age[is_past])
    future = np.bincount(customer[~is_past], minlength=n)
    history = (x, t_x, np.full(n, past))
    expected, variance = model.expected_purchases(horizon, *history), model.purchases_variance(horizon, *history)
    for frequency in range(9):
        group = x == frequency
        assert abs(np.sum(future[group] - expected[group])) < 4 * np.sqrt(np.sum(variance[group])), frequency


def test_the_number_of_stages_and_the_parameters_are_recovered():
    rng = np.random.default_rng(4)
    truth = MBGCNBD(1.2, 3.0, 0.8, 2.5, k=3)
    found = rm.fit(MBGCNBD, truth.simulate(rng.uniform(20, 60, 4000), rng))
    assert found.model.k == 3
    table = found.table()
    np.testing.assert_array_less(np.abs(table["estimate"] - np.array(astuple(truth)[:4])), 3 * table["std_error"])
    assert found.log_likelihood > -np.inf
    again = Fit.from_json(found.to_json())
    assert again.model == found.model
    assert again.aic == found.aic


def test_richer_models_fit_no_worse_than_those_within_them():
    rng = np.random.default_rng(5)
    simulated = MBGCNBD(1.2, 3.0, 0.8, 2.5, k=2).simulate(rng.uniform(20, 60, 800), rng)
    assert rm.fit(MBGCNBD, simulated).log_likelihood > rm.fit(MBGNBD, simulated).log_likelihood
    assert rm.fit(BGCNBD, simulated).log_likelihood > rm.fit(BGNBD, simulated).log_likelihood


def test_averaging_log_gaps_over_histories_changes_nothing():
    log = MBGCNBD(1.2, 3.0, 0.8, 2.5, k=2).simulate_transactions(
        np.full(600, 40.0), np.random.default_rng(6), start="2023-01-01", time_unit="D"
    )
    keywords = {"amount": None, "time_unit": "D", "observation_end": "2023-02-10"}
    by_customer, shared = (
        rm.fit(MBGCNBD, rm.summarize(log, **keywords)),
        rm.fit(MBGCNBD, rm.logs.histories(log, **keywords)),
    )
    assert shared.model.k == by_customer.model.k
    assert shared.log_likelihood == pytest.approx(by_customer.log_likelihood, abs=1e-6)
    assert shared.data["sha256"] == by_customer.data["sha256"]


def test_a_table_without_log_gaps_is_an_error():
    with pytest.raises(ValueError, match="log_gaps not in the table"):
        rm.fit(MBGCNBD, pd.DataFrame({"frequency": [0, 1], "recency": [0.0, 2.0], "T": [3.0, 3.0]}))


def test_log_gaps_in_another_unit_are_an_error():
    table = pd.DataFrame({"frequency": [0, 2], "recency": [0.0, 2.0], "T": [3.0, 3.0], "log_gaps": [0.0, 3.9]})
    with pytest.raises(ValueError, match="log_gaps is more than gaps that add up to recency can have"):
        rm.fit(MBGCNBD, table)


@pytest.mark.parametrize("k", [0, 1.5, np.inf, np.array([1, 2])])
def test_stages_must_be_a_whole_number(k):
    with pytest.raises(ValueError, match="k must be a whole number, 1 or more"):
        MBGCNBD(1.0, 1.0, 1.0, 1.0, k=k)


def test_present_value_within_a_horizon_is_the_same_in_turn_and_one_by_one():
    """Each purchase at times of its own is the slow way, and the judge of times that all share."""
    rng = np.random.default_rng(7)
    for k in (2, 5, 24):
        r, odds = rng.uniform(0.05, 3, 40) + k * rng.integers(0, 90, 40), np.exp(rng.uniform(-7, 5, 40))
        r[:8], odds[:8] = 0.3, 1e-290
        buyer = (r, rng.uniform(0.3, 2, 40), rng.uniform(1, 9, 40), rng.uniform(0, 1, 40), odds, rng.uniform(0, 2, 40))
        buyer[3][:2] = 0.0
        together = r * odds < 16 * k
        buyer = tuple(column[together] for column in buyer)
        np.testing.assert_allclose(discounted_within(k, *buyer), _discount_each_purchase(k, *buyer), rtol=1e-11)
