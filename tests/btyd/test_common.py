"""What holds for every purchase model; a new one joins by a line in MODELS."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.estimation.model import LARGE, SMALL, averaged_columns, parameter_names

MODELS = [
    BGNBD(0.8, 6.0, 0.9, 2.5),
    ParetoNBD(0.8, 6.0, 0.7, 20.0),
    NBD(0.8, 6.0),
    MBGNBD(0.8, 6.0, 0.9, 2.5),
    BGCNBD(0.8, 3.0, 0.9, 2.5, k=2),
    MBGCNBD(0.8, 2.0, 0.9, 2.5, k=3),
    BGBB(0.8, 2.0, 0.9, 25.0),
]
TIMED = [model for model in MODELS if not model.counts_opportunities]
HISTORIES = np.array(
    [[0, 0, 0.0], [0, 0, 39], [1, 0.1, 39], [1, 39, 39], [3, 30, 39], [40, 20, 39], [300, 38, 39], [3000, 1900, 2000]]
).T
OPPORTUNITIES = np.array(
    [[0, 0, 0], [0, 0, 39], [1, 1, 39], [1, 39, 39], [3, 30, 39], [20, 20, 39], [38, 38, 39], [190, 1900, 2000]]
).T
NEW_CUSTOMER = np.zeros(3)

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
each_timed_model = pytest.mark.parametrize("model", TIMED, ids=lambda model: type(model).__name__)


def histories(model):
    """Histories, hard ones among them, as the model takes them."""
    return OPPORTUNITIES if model.counts_opportunities else HISTORIES


def times(model, values):
    """Times as the model takes them: whole numbers of opportunities from 1 up, or as they are."""
    return np.ceil(values) if model.counts_opportunities else np.asarray(values)


def parameters(model):
    return np.array([getattr(model, name) for name in parameter_names(type(model))])


def with_parameters(model, values):
    """The model with other parameters; its fixed fields stay."""
    return replace(model, **dict(zip(parameter_names(type(model)), values, strict=True)))


def quantities(model, *history):
    """Everything a model says of customers with a history, by name; times in the model's unit."""
    return {
        "log_likelihood": model.log_likelihood(*history),
        "probability_alive": model.probability_alive(*history),
        "expected_purchases": model.expected_purchases(39.0, *history),
        "purchases_variance": model.purchases_variance(39.0, *history),
        "purchase_probability": model.purchase_probability(1, 39.0, *history),
        "discounted": model.discounted_expected_purchases(0.003, *history),
        "discounted_until": model.discounted_expected_purchases(0.003, *history, horizon=39.0),
    }


@each_model
def test_score_is_the_gradient_of_the_log_likelihood(model):
    score = model.score(*histories(model))
    assert score.shape == (histories(model).shape[1], len(parameters(model)))
    for i, name in enumerate(parameter_names(type(model))):
        value, step = getattr(model, name), 1e-4

        def along(factor, name=name, value=value):
            return replace(model, **{name: value * factor}).log_likelihood(*histories(model))

        wide, narrow = along(1 + 2 * step) - along(1 - 2 * step), along(1 + step) - along(1 - step)
        scale = 1 + np.abs(model.log_likelihood(*histories(model)))
        assert np.max(np.abs(score[:, i] * value - (8 * narrow - wide) / (12 * step)) / scale) < 1e-9


@each_model
def test_count_probabilities_sum_to_one_with_the_stated_mean_and_variance(model):
    counts = np.arange(6000.0)[:, None]
    for horizon in times(model, [0.5, 39.0, 300.0]):
        probability = model.purchase_probability(counts, horizon, *histories(model)[:, 1:7])
        mean = np.sum(counts * probability, axis=0)
        variance = np.sum(counts**2 * probability, axis=0) - mean**2
        np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-10)
        np.testing.assert_allclose(mean, model.expected_purchases(horizon, *histories(model)[:, 1:7]), rtol=1e-9)
        np.testing.assert_allclose(variance, model.purchases_variance(horizon, *histories(model)[:, 1:7]), rtol=1e-8)


@each_model
def test_counts_of_a_new_customer_agree_over_any_interval(model):
    counts = np.arange(6000.0 if model.fixed == () else 600.0)  # the sums over stages are slow
    for start, end in times(model, [(0.0, 39.0), (39.0, 78.0), (0.5, 700.0 if model.fixed == () else 60.0)]):
        probability = model.purchase_probability_new(counts, end, start)
        expected = model.expected_purchases_new(end) - model.expected_purchases_new(start)
        assert probability.sum() == pytest.approx(1, abs=1e-10)
        assert counts @ probability == pytest.approx(expected, rel=1e-9)


@each_timed_model
def test_counts_from_a_moment_on_are_those_from_the_start(model):
    counts = np.arange(50.0)
    later, now = model.purchase_probability_new(counts, 39.0, 1e-12), model.purchase_probability_new(counts, 39.0)
    np.testing.assert_allclose(later, now)


@each_model
def test_a_new_customer_is_one_with_an_empty_history(model):
    counts = np.arange(5.0)
    stays = {MBGNBD: 2.5 / 3.4, MBGCNBD: 2.5 / 3.4, BGBB: 25.0 / 25.9}.get(type(model), 1)
    assert model.probability_alive(*NEW_CUSTOMER) == pytest.approx(stays, rel=1e-15)
    assert model.log_likelihood(*NEW_CUSTOMER) == pytest.approx(0, abs=1e-15)
    assert model.expected_purchases(39.0, *NEW_CUSTOMER) == pytest.approx(model.expected_purchases_new(39.0))
    np.testing.assert_allclose(
        model.purchase_probability(counts, 39.0, *NEW_CUSTOMER), model.purchase_probability_new(counts, 39.0)
    )


@each_model
def test_likelihood_of_no_purchase_is_its_probability(model):
    T = np.array([1.0, 39.0, 800.0])
    silent = np.exp(model.log_likelihood(np.zeros(3), np.zeros(3), T))
    np.testing.assert_allclose(silent, model.purchase_probability_new(0, T), rtol=1e-10)


@each_timed_model
def test_time_unit_does_not_matter(model):
    factor = 7.0
    in_days = replace(model, **{name: factor * getattr(model, name) for name in type(model).time_parameters})
    x, t_x, T = histories(model)
    days = (x, factor * t_x, factor * T)
    shift = -x * getattr(model, "stages", 1) * np.log(factor)  # the gaps' logarithms, which would shift, left out
    np.testing.assert_allclose(in_days.log_likelihood(*days), model.log_likelihood(x, t_x, T) + shift, rtol=1e-11)
    np.testing.assert_allclose(in_days.probability_alive(*days), model.probability_alive(x, t_x, T), rtol=1e-10)
    for method in ("expected_purchases", "purchases_variance"):
        ours, theirs = getattr(model, method)(39.0, x, t_x, T), getattr(in_days, method)(39.0 * factor, *days)
        np.testing.assert_allclose(theirs, ours, rtol=1e-9)
    ours = model.discounted_expected_purchases(0.003, x, t_x, T)
    np.testing.assert_allclose(in_days.discounted_expected_purchases(0.003 / factor, *days), ours, rtol=1e-9)


@each_timed_model
def test_start_is_computed_from_the_data_and_follows_their_time_unit(model):
    customers = model.simulate(np.full(2000, 39.0), np.random.default_rng(4))
    x, t_x, T = (customers[column].to_numpy(float) for column in type(model).columns)
    weeks = type(model).start(x, t_x, T, weight=np.ones(2000))
    days = type(model).start(x, 7 * t_x, 7 * T, weight=np.ones(2000))
    for name in parameter_names(type(model)):
        factor = 7 if name in type(model).time_parameters else 1
        assert getattr(days, name) == pytest.approx(factor * getattr(weeks, name))


def drawn(model, n):
    """n sets of parameters around those of the model, one a row."""
    return parameters(model) * np.random.default_rng(5).uniform(0.5, 2, (n, len(parameters(model))))


@each_model
def test_parameters_of_shape_draws_by_1_give_each_draw_its_row(model):
    draws = drawn(model, 3)
    together = with_parameters(model, [column[:, None] for column in draws.T])
    alone = [with_parameters(model, draw) for draw in draws]
    for name, value in quantities(together, *histories(model)).items():
        expected = [quantities(one, *histories(model))[name] for one in alone]
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-300, err_msg=name)
    expected = [one.score(*histories(model)) for one in alone]
    np.testing.assert_allclose(together.score(*histories(model)), expected, rtol=1e-9)


@each_model
def test_parameters_of_shape_n_give_each_customer_their_own(model):
    draws = drawn(model, histories(model).shape[1])
    together = with_parameters(model, draws.T)
    alone = [(with_parameters(model, draw), history) for draw, history in zip(draws, histories(model).T, strict=True)]
    for name, value in quantities(together, *histories(model)).items():
        expected = [quantities(one, *history)[name] for one, history in alone]
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-300, err_msg=name)
    expected = [one.score(*history) for one, history in alone]
    np.testing.assert_allclose(together.score(*histories(model)), expected, rtol=1e-9)


@each_model
def test_one_customer_gives_numbers_and_none_gives_empty_arrays(model):
    for name, value in quantities(model, 2, 30.0, 39.0).items():
        assert isinstance(value, float), name
    for name, value in quantities(model, *np.zeros((3, 0))).items():
        assert value.shape == (0,), name
    assert model.score(2, 30.0, 39.0).shape == parameters(model).shape
    assert model.score(*np.zeros((3, 0))).shape == (0, len(parameters(model)))


@each_model
def test_nothing_happens_in_no_time_and_discounting_at_zero_changes_nothing(model):
    assert np.all(model.expected_purchases(0, *histories(model)) == 0)
    assert np.all(model.purchases_variance(0, *histories(model)) == 0)
    assert np.all(model.discounted_expected_purchases(0.01, *histories(model), horizon=0) == 0)
    np.testing.assert_allclose(model.purchase_probability(0, 0, *histories(model)), 1)
    for horizon in (39.0, np.inf):
        at_zero = model.discounted_expected_purchases(0, *histories(model), horizon=horizon)
        np.testing.assert_array_equal(at_zero, model.expected_purchases(horizon, *histories(model)))
        nearly = model.discounted_expected_purchases(1e-12, *histories(model), horizon=39.0)
    np.testing.assert_allclose(nearly, model.expected_purchases(39.0, *histories(model)), rtol=1e-9)


@each_model
def test_present_value_of_all_time_is_that_of_a_long_time(model):
    forever = model.discounted_expected_purchases(0.01, *histories(model))
    np.testing.assert_allclose(
        model.discounted_expected_purchases(0.01, *histories(model), horizon=5000.0), forever, rtol=1e-10
    )
    rates = np.array([[0.001], [0.01], [0.1]])
    assert np.all(np.diff(model.discounted_expected_purchases(rates, *histories(model)), axis=0) < 0)


@each_model
@pytest.mark.parametrize("edge", [pytest.param(SMALL, marks=pytest.mark.slow), 1e-6, 1e6, LARGE])
def test_predictions_are_finite_where_estimates_are_held_at_an_edge(model, edge):
    for limit in type(model).limits:
        factor = edge / getattr(model, limit.parameter)
        held = {name: factor * getattr(model, name) for name in (limit.parameter, *limit.follows)}
        at_edge = replace(model, **held)
        assert np.all(np.isfinite(at_edge.score(*histories(model))))
        for name, value in quantities(at_edge, *histories(model)).items():
            assert np.all(np.isfinite(value)), (limit, name)
            assert name == "log_likelihood" or np.all(value >= 0), (limit, name)


@each_model
def test_limits_name_parameters_of_the_model(model):
    names = set(parameter_names(type(model)))
    for limit in type(model).limits:
        assert {limit.parameter, *limit.undetermined, *limit.follows} <= names
        assert limit.towards in (0, np.inf)


@each_model
def test_simulated_counts_and_survival_are_as_predicted(model):
    n, T = 200_000, 39.0
    customers = model.simulate(np.full(n, T), np.random.default_rng(6))
    assert list(customers.columns) == [*type(model).columns, *averaged_columns(type(model)), "alive"]
    x = customers["frequency"].to_numpy()
    probability = model.purchase_probability_new(np.arange(10), T)
    observed = np.bincount(x, minlength=10)[:10] / n
    np.testing.assert_array_less(np.abs(observed - probability), 4 * np.sqrt(probability / n))
    alive = model.probability_alive(*(customers[column].to_numpy() for column in type(model).columns))
    for low, high in ((0, 1), (1, 2), (2, 5), (5, 10**9)):
        group = (x >= low) & (x < high)
        error = np.sqrt(np.sum(alive[group] * (1 - alive[group]))) + 1e-9
        assert abs(np.sum(customers["alive"][group] - alive[group])) < 4 * error


@each_model
def test_simulated_future_is_as_predicted_from_the_past(model):
    """The tower property: what histories predict is, on average over histories, what comes."""
    n, past, horizon = 100_000, 39.0, 26.0
    log = model.simulate_transactions(
        np.full(n, past + horizon), np.random.default_rng(7), start="2020-01-01", time_unit="W"
    )
    age = ((log["date"] - pd.Timestamp("2020-01-01")) / pd.Timedelta("7D")).to_numpy()
    customer = log["customer_id"].to_numpy()
    is_past = age <= past
    x = np.bincount(customer[is_past], minlength=n) - 1
    t_x = np.zeros(n)
    np.maximum.at(t_x, customer[is_past], age[is_past])
    future = np.bincount(customer[~is_past], minlength=n)
    history = (x, t_x, np.full(n, past))
    expected, variance = model.expected_purchases(horizon, *history), model.purchases_variance(horizon, *history)
    increase = model.expected_purchases_new(past + horizon) - model.expected_purchases_new(past)
    assert abs(expected.mean() - increase) < 4 * expected.std() / np.sqrt(n)
    for low, high in ((0, 1), (1, 2), (2, 5), (5, 20)):
        group = (x >= low) & (x < high)
        assert abs(np.sum(future[group] - expected[group])) < 4 * np.sqrt(np.sum(variance[group]))
        assert np.mean((future[group] - expected[group]) ** 2) == pytest.approx(variance[group].mean(), rel=0.1)


@each_model
def test_score_of_simulated_customers_is_zero_on_average(model):
    n = 100_000
    ages = times(model, np.random.default_rng(8).uniform(5, 60, n))
    customers = model.simulate(ages, np.random.default_rng(9))
    score = model.score(*(customers[column].to_numpy(float) for column in type(model).columns))
    np.testing.assert_array_less(np.abs(score.mean(axis=0)), 4 * score.std(axis=0) / np.sqrt(n))


@each_model
def test_simulated_log_holds_the_simulated_customers(model):
    T = times(model, [10.0, 39.0, 25.5, 60.0] * 50)
    customers = model.simulate(T, np.random.default_rng(10))
    log = model.simulate_transactions(T, np.random.default_rng(10), start="2021-03-01", time_unit="D")
    by_customer = log.groupby("customer_id")["date"].agg(["min", "max", "size"])
    assert log["date"].min() == pd.Timestamp("2021-03-01")
    assert list(log.columns) == ["customer_id", "date"]
    np.testing.assert_array_equal(by_customer["size"] - 1, customers["frequency"])
    observation_end = pd.Timestamp("2021-03-01") + pd.Timedelta(days=60)
    np.testing.assert_allclose((observation_end - by_customer["min"]) / pd.Timedelta("1D"), T, atol=1e-9)
    recency = (by_customer["max"] - by_customer["min"]) / pd.Timedelta("1D")
    np.testing.assert_allclose(recency, customers["recency"], atol=1e-9)


@each_model
def test_time_units_of_a_simulated_log_are_interchangeable(model):
    T = np.full(100, 20.0)
    logs = [
        model.simulate_transactions(T, np.random.default_rng(11), start="2021-03-01", time_unit=unit)
        for unit in ("W", "7D", pd.Timedelta(weeks=1))
    ]
    pd.testing.assert_frame_equal(logs[0], logs[1])
    pd.testing.assert_frame_equal(logs[0], logs[2])


@each_model
def test_simulation_survives_extreme_parameters(model):
    for limit in type(model).limits:
        factor = limit.value / getattr(model, limit.parameter)
        held = {name: factor * getattr(model, name) for name in (limit.parameter, *limit.follows)}
        customers = replace(model, **held).simulate(np.full(1000, 39.0), np.random.default_rng(12))
        assert np.all(np.isfinite(customers[["frequency", "recency", "T"]]))
        assert np.all(customers["recency"] <= customers["T"])


@each_model
def test_models_are_values(model):
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert with_parameters(model, [int(np.ceil(value)) for value in parameters(model)]).expected_purchases_new(3) > 0
    with pytest.raises(AttributeError):
        setattr(model, parameter_names(type(model))[0], 2.0)


@each_model
@pytest.mark.parametrize("bad", [0, -1.0, np.nan, np.inf, np.array([1.0, 0.0])])
def test_parameters_must_be_positive_and_finite(model, bad):
    for name in parameter_names(type(model)):
        with pytest.raises(ValueError, match=f"{type(model).__name__}: {name} must be positive and finite; got"):
            replace(model, **{name: bad})


@each_model
def test_impossible_questions_are_errors_that_say_so(model):
    history = (2, 30.0, 39.0)
    with pytest.raises(ValueError, match="horizon must be a number, 0 or more; got -1"):
        model.expected_purchases(-1, *history)
    with pytest.raises(ValueError, match="horizon must be a number, 0 or more; got nan"):
        model.expected_purchases_new(np.nan)
    with pytest.raises(ValueError, match="horizon must be a finite number, 0 or more; got inf"):
        model.purchases_variance(np.inf, *history)
    with pytest.raises(ValueError, match=r"rate must be a number, 0 or more; got -0\.1"):
        model.discounted_expected_purchases(-0.1, *history)
    with pytest.raises(ValueError, match=r"count must be a whole number, 0 or more; got 1\.5"):
        model.purchase_probability(1.5, 39.0, *history)
    with pytest.raises(ValueError, match="end - start must be a finite number, 0 or more; got"):
        model.purchase_probability_new(1, 39.0, 40.0)
    with pytest.raises(ValueError, match="T must be a finite number, 0 or more; got"):
        model.simulate([-1.0], np.random.default_rng(0))


def test_chances_of_counts_are_reckoned_once_for_customers_who_would_do_the_same_if_alive(monkeypatch):
    shapes = []

    def recorded(self, count, end, start=0.0, asked=BGNBD.purchase_probability_new):
        shapes.append(self.r.shape)
        return asked(self, count, end, start)

    monkeypatch.setattr(BGNBD, "purchase_probability_new", recorded)
    recency = np.linspace(1, 39, 500)
    found = MODELS[0].purchase_probability(np.arange(4)[:, None], 39.0, np.full(500, 2), recency, np.full(500, 39.0))
    assert found.shape == (4, 500)
    assert shapes == [(1,)]
