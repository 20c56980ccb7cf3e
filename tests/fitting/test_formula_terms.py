"""fit with covariates: agreement with the plain fit, invariance, storage, edges, tests, messages."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import gammaln, hyp2f1

import retention_models as rm
from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.cnbd import MBGCNBD
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.estimation.model import LARGE
from retention_models.evaluation import compare, holdout_by_frequency, holdout_scores, tracking
from retention_models.fitting.model_tests import likelihood_ratio, wald
from retention_models.fitting.result import stepped
from retention_models.fitting.uncertainty import uncertainty_of

HOLDOUT = ["holdout_frequency", "holdout_duration", "holdout_amount"]
FORMULAS = {"purchase_covariates": "channel + age", "dropout_covariates": "channel"}


def people(n, seed):
    """Customers to come: their channel and age, and by what these move purchases and drop-out."""
    rng = np.random.default_rng(seed)
    who = pd.DataFrame(
        {"channel": rng.choice(["mail", "shop", "web"], n, p=[0.3, 0.3, 0.4]), "age": rng.normal(40, 10, n).round()}
    )
    buys = who["channel"].map({"mail": 0.0, "shop": 0.4, "web": -0.3}) + 0.02 * (who["age"] - 40)
    leaves = who["channel"].map({"mail": 0.0, "shop": -0.6, "web": 0.5})
    return who, buys.to_numpy(), leaves.to_numpy(), rng


def pareto_shop(n, seed):
    who, buys, leaves, rng = people(n, seed)
    truth = rm.ParetoNBD(0.8, 12 * np.exp(-buys), 0.8, 30 * np.exp(-leaves))
    return truth.simulate(rng.integers(20, 60, n), rng).join(who)


def mbg_shop(n, seed):
    who, buys, leaves, rng = people(n, seed)
    mean = 1 / (1 + np.exp(1.5 - leaves))
    truth = MBGNBD(0.8, 12 * np.exp(-buys), 3.5 * mean, 3.5 * (1 - mean))
    return truth.simulate(rng.integers(20, 60, n), rng).join(who)


@pytest.fixture(scope="module")
def customers():
    return pareto_shop(1500, 1)


@pytest.fixture(scope="module")
def fitted(customers):
    return rm.fit(rm.ParetoNBD, customers, **FORMULAS)


def test_coefficients_stand_beside_the_parameters(fitted):
    names = ["r", "alpha", "s", "beta", "purchase[channel[T.shop]]", "purchase[channel[T.web]]", "purchase[age]"]
    names += ["dropout[channel[T.shop]]", "dropout[channel[T.web]]"]
    table = fitted.table()
    assert list(table.index) == names == list(fitted.covariance.index) == list(fitted.params.index)
    assert fitted.aic == pytest.approx(-2 * fitted.log_likelihood + 2 * 9)
    assert fitted.notes == ()
    coefficients = table.loc["purchase[channel[T.shop]]":]
    reach = 1.959963984540054 * coefficients["std_error"]
    np.testing.assert_allclose(coefficients["upper"] - coefficients["estimate"], reach)
    np.testing.assert_allclose(coefficients["estimate"] - coefficients["lower"], reach)
    np.testing.assert_allclose(table["lower"]["r"] * table["upper"]["r"], table["estimate"]["r"] ** 2)


def test_the_likelihood_is_the_papers_with_parameters_of_each_customer(customers, fitted):
    """Eq. (22) of Fader & Hardie's note on the Pareto/NBD, alpha and beta as in their note on covariates."""
    g, model = fitted.covariate_terms.coefficients, fitted.model
    shop, web = customers["channel"] == "shop", customers["channel"] == "web"
    buys = (
        g["purchase[channel[T.shop]]"] * shop
        + g["purchase[channel[T.web]]"] * web
        + g["purchase[age]"] * customers["age"]
    )
    alpha = model.alpha * np.exp(-buys)
    beta = model.beta * np.exp(-g["dropout[channel[T.shop]]"] * shop - g["dropout[channel[T.web]]"] * web)
    x, t_x, T, r, s = customers["frequency"], customers["recency"], customers["T"], model.r, model.s
    larger, power = np.maximum(alpha, beta), np.where(alpha >= beta, s + 1, r + x)

    def f(t):
        return hyp2f1(r + s + x, power, r + s + x + 1, abs(alpha - beta) / (larger + t)) / (larger + t) ** (r + s + x)

    either = (alpha + T) ** -(r + x) * (beta + T) ** -s + s / (r + s + x) * (f(t_x) - f(T))
    total = np.sum(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(either))
    assert total == pytest.approx(fitted.log_likelihood, abs=1e-6)


def test_covariates_of_no_effect_predict_what_the_plain_fit_does(customers, fitted):
    plain = rm.fit(rm.ParetoNBD, customers)
    idle = stepped(fitted, np.append(np.zeros(4), -fitted.covariate_terms.coefficients))
    for one, other in zip(plain.params.index, idle.params.index, strict=False):
        assert one == other
    same = stepped(idle, np.append(np.log(plain.params / idle.params[:4]), np.zeros(5)))
    expected = rm.predict(plain, customers, 26, level=None)
    pd.testing.assert_frame_equal(rm.predict(same, customers, 26, level=None), expected, rtol=1e-12)
    assert fitted.log_likelihood > plain.log_likelihood


@pytest.mark.parametrize(("model", "shop"), [(rm.ParetoNBD, pareto_shop), (MBGNBD, mbg_shop)])
def test_the_time_unit_changes_times_alone(model, shop):
    weeks = shop(600, 2)
    days = weeks.assign(recency=7 * weeks["recency"], T=7 * weeks["T"])
    one, other = (rm.fit(model, table, **FORMULAS) for table in (weeks, days))
    ratio = (other.params / one.params).to_dict()
    for name, value in ratio.items():
        assert value == pytest.approx(7.0 if name in model.time_parameters else 1.0, rel=1e-5)
    forecast = rm.predict(other, days, 182)
    forecast["time_to_next_purchase_p90"] /= 7
    np.testing.assert_allclose(forecast, rm.predict(one, weeks, 26), rtol=1e-5)


@pytest.mark.parametrize(("model", "shop"), [(rm.ParetoNBD, pareto_shop), (MBGNBD, mbg_shop)])
def test_reference_levels_and_affine_changes_make_no_difference(model, shop):
    customers = shop(600, 3)
    one = rm.fit(model, customers, **FORMULAS)
    other = rm.fit(
        model,
        customers.assign(age=1900 + 30 * customers["age"]),
        purchase_covariates="C(channel, Treatment('web')) + age",
        dropout_covariates="C(channel, Treatment('shop'))",
    )
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-8)
    assert 30 * other.params["purchase[age]"] == pytest.approx(one.params["purchase[age]"], rel=1e-6)
    recoded = customers.assign(age=1900 + 30 * customers["age"])
    np.testing.assert_allclose(rm.predict(other, recoded, 26), rm.predict(one, customers, 26), rtol=1e-5, atol=1e-9)


def test_weights_are_repeated_rows_and_frames_of_any_kind_do(customers, fitted):
    few = customers.head(400)
    once = rm.fit(rm.ParetoNBD, few.assign(weight=np.arange(400) % 3), **FORMULAS)
    repeated = few.loc[few.index.repeat(np.arange(400) % 3)]
    again = rm.fit(rm.ParetoNBD, repeated.sample(frac=1, random_state=1), **FORMULAS)
    np.testing.assert_allclose(once.table(), again.table(), rtol=1e-6)
    assert once.data["sha256"] == again.data["sha256"]
    polars = pl.DataFrame(customers.drop(columns="alive").to_dict("list"))
    np.testing.assert_allclose(rm.fit(rm.ParetoNBD, polars, **FORMULAS).table(), fitted.table(), rtol=1e-9)
    np.testing.assert_allclose(rm.predict(fitted, polars, 26), rm.predict(fitted, customers, 26))


def test_each_of_two_groups_is_at_the_top_in_its_own_rate():
    """With a level for each group the derivative in alpha vanishes group by group, whatever the others say."""
    customers = pareto_shop(900, 4)
    found = rm.fit(NBD, customers, purchase_covariates="channel")
    rates = {"mail": 0.0, **{level: found.params[f"purchase[channel[T.{level}]]"] for level in ("shop", "web")}}
    for level, rate in rates.items():
        group = customers[customers["channel"] == level]
        own = NBD(found.model.r, found.model.alpha * np.exp(-rate))
        score = own.score(*(group[name].to_numpy(float) for name in own.columns)).sum(axis=0)
        assert abs(score[1]) * own.alpha < 1e-5
    apart = [rm.fit(NBD, group).log_likelihood for _, group in customers.groupby("channel")]
    assert rm.fit(NBD, customers).log_likelihood < found.log_likelihood <= sum(apart)


def test_a_stored_fit_predicts_customers_it_has_not_seen(customers, fitted):
    stored = rm.Fit.from_json(fitted.to_json())
    pd.testing.assert_frame_equal(stored.table(), fitted.table())
    assert repr(stored) == repr(fitted)
    for line in (customers.iloc[[0]], customers.iloc[[7]]):
        pd.testing.assert_frame_equal(rm.predict(stored, line, 26), rm.predict(fitted, line, 26))
    assert "effects" not in json.loads(rm.fit(NBD, customers).to_json())


def test_draws_spread_as_the_delta_method_says(customers, fitted):
    few = customers.head(5)
    model = fitted.draw(4000, np.random.default_rng(1), few)
    assert np.shape(model.alpha) == (4000, 5)
    drawn = model.expected_purchases(26, *(few[name].to_numpy(float) for name in model.columns))
    source = uncertainty_of(fitted)
    table = source.read(few)
    expected = source.estimate(lambda model, *history: model.expected_purchases(26, *history), table.rows)
    np.testing.assert_allclose(drawn.std(axis=0), expected.std_error[table.row], rtol=0.1)
    with pytest.raises(ValueError, match="this fit has covariates; pass the customers whose parameters are drawn"):
        fitted.draw(3, np.random.default_rng(1))


def test_the_errors_are_those_of_steps_in_all_that_is_free(customers, fitted):
    source, h = uncertainty_of(fitted), 1e-5
    rows = source.read(customers.head(50)).rows

    def expected(model, *history):
        return model.expected_purchases(26, *history)

    slopes = [
        np.subtract(*(uncertainty_of(stepped(fitted, at)).values(expected, rows) for at in (step, -step))) / (2 * h)
        for step in h * np.eye(9)
    ]
    found = source.estimate(expected, rows).errors
    np.testing.assert_allclose(found, np.transpose(slopes) @ source.step_errors, rtol=1e-5, atol=1e-7)


def test_robust_errors_are_near_the_others_where_the_model_is_true(customers, fitted):
    robust = rm.fit(rm.ParetoNBD, customers, robust=True, **FORMULAS)
    np.testing.assert_allclose(robust.table()["std_error"], fitted.table()["std_error"], rtol=0.35)
    assert robust.log_likelihood == fitted.log_likelihood
    assert np.all(wald(robust)["p_value"] <= 1)


def test_groups_are_fitted_with_the_same_covariates(customers):
    found = rm.fit(NBD, customers, purchase_covariates="age", by="channel")
    assert list(found.groups) == ["mail", "shop", "web"]
    assert all("purchase[age]" in group.params for group in found.groups.values())
    assert "chi-squared" in found.checks[0].detail
    alone = rm.fit(NBD, customers, purchase_covariates="channel + age", by="channel")
    assert alone.groups == {}
    assert "purchase[channel[T.shop]] is the same for all" in alone.notes[0]


def test_spend_covariates_multiply_amounts(customers):
    truth = rm.GammaGamma(6.0, 4.0, 15 * np.exp(0.5 * (customers["channel"] == "web").to_numpy()))
    spent = truth.simulate(customers["frequency"].to_numpy(), np.random.default_rng(5))
    table = customers.assign(monetary_value=spent["monetary_value"], channel=customers["channel"].to_numpy())
    found = rm.fit(rm.GammaGamma, table, spend_covariates="channel")
    row = found.table().loc["spend[channel[T.web]]"]
    assert row["lower"] < 0.5 < row["upper"]
    assert found.data["left_out"] == {"without a repeat purchase": int((table["frequency"] == 0).sum())}
    plain = rm.fit(rm.GammaGamma, table)
    money = {"horizon": 52, "time_unit": "W", "annual_discount_rate": 0.1, "margin": 0.3}
    purchases = rm.fit(NBD, table)
    new = table.assign(frequency=0, recency=0.0, monetary_value=0.0)
    value, without = (rm.customer_value(purchases, new, rm.Terms(**money), spend=fit) for fit in (found, plain))
    by_channel = value["expected_spend"].groupby(new["channel"]).first()
    assert by_channel["web"] / by_channel["mail"] == pytest.approx(np.exp(row["estimate"]))
    assert np.ptp(without["expected_spend"]) == 0
    total = rm.total_value(purchases, table, rm.Terms(**money), spend=found)["value"].iloc[0]
    assert total == pytest.approx(rm.customer_value(purchases, table, rm.Terms(**money), spend=found)["value"].sum())


def test_one_amount_for_all_is_nothing_to_learn_from(customers):
    with pytest.raises(ValueError, match=r"all [\d,]+ repeat buyers paid 9.99 a purchase; leave amounts out"):
        rm.fit(rm.GammaGamma, customers.assign(monetary_value=np.where(customers["frequency"] > 0, 9.99, 0.0)))


def test_levels_of_customers_without_amounts_are_not_asked_of_the_fit(customers):
    table = customers.assign(monetary_value=np.where(customers["frequency"] > 0, 20.0 + customers["age"], 0.0))
    table["kind"] = np.where(table["frequency"] == 0, "once", np.where(table["age"] > 40, "older", "younger"))
    found = rm.fit(rm.GammaGamma, table, spend_covariates="kind")
    assert list(found.covariate_terms.coefficients.index) == ["spend[kind[T.younger]]"]


def test_a_regular_buyers_number_of_stages_is_that_without_covariates():
    who, buys, _, rng = people(800, 6)
    customers = MBGCNBD(0.8, 5 * np.exp(-buys), 0.6, 3.0, 3).simulate(rng.integers(30, 60, 800), rng).join(who)
    found = rm.fit(MBGCNBD, customers, purchase_covariates="channel")
    assert found.model.k == rm.fit(MBGCNBD, customers).model.k == 3
    assert found.n_parameters == 7


def test_a_covariate_moves_the_mean_chance_of_both_kinds_in_the_bgbb():
    who, buys, leaves, rng = people(500, 7)
    mean, gone = 1 / (1 + np.exp(0.5 - buys)), 1 / (1 + np.exp(1.5 - leaves))
    truth = BGBB(2 * mean, 2 * (1 - mean), 3 * gone, 3 * (1 - gone))
    customers = truth.simulate(np.full(500, 8), rng).join(who).assign(on_web=who["channel"] == "web")
    found = rm.fit(BGBB, customers, purchase_covariates="channel", dropout_covariates="on_web")
    table = found.table().loc["purchase[channel[T.shop]]":]
    assert np.all((table["estimate"] - [0.4, -0.3, 0.7]).abs() < 3 * table["std_error"])


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (NBD(2e5, 2e6), "r ran to infinity and is held there: everybody buys at the same rate"),
        (rm.ParetoNBD(0.8, 12.0, 1e6, 3e7), "s ran to infinity and is held there: everybody leaves at the same rate"),
    ],
)
def test_at_a_limit_the_coefficients_stay_determined(model, limit):
    who, buys, _, rng = people(700, 8)
    moved = type(model)(**{**{n: getattr(model, n) for n in model.__slots__}, "alpha": model.alpha * np.exp(-buys)})
    customers = moved.simulate(rng.integers(20, 60, 700), rng).join(who)
    found = rm.fit(type(model), customers, purchase_covariates="channel + age")
    other = rm.fit(type(model), customers.assign(age=2 * customers["age"] - 90), purchase_covariates="channel + age")
    assert any(note.startswith(limit) for note in found.notes)
    assert other.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-6)
    row = found.table().loc["purchase[age]"]
    assert abs(row["estimate"] - 0.02) < 3 * row["std_error"]
    assert np.isfinite(rm.predict(found, customers, 26).drop(columns="time_to_next_purchase_p90")).all(axis=None)


def test_a_chance_to_leave_that_only_covariates_tell_apart_is_a_limit():
    who, buys, leaves, rng = people(1500, 11)
    mean = 1 / (1 + np.exp(1.5 - leaves))
    truth = MBGNBD(0.8, 6 * np.exp(-buys), 1e6 * mean, 1e6 * (1 - mean))
    customers = truth.simulate(rng.integers(40, 80, 1500), rng).join(who)
    found = rm.fit(MBGNBD, customers, **FORMULAS)
    other = rm.fit(
        MBGNBD,
        customers.assign(age=customers["age"] - 40),
        purchase_covariates="channel + age",
        dropout_covariates="C(channel, Treatment('web'))",
    )
    assert any("everybody has the same chance of leaving" in note for note in found.notes)
    assert other.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-6)
    rows = found.table().loc[["dropout[channel[T.shop]]", "dropout[channel[T.web]]"]]
    assert np.all((rows["estimate"] - [-0.6, 0.5]).abs() < 3 * rows["std_error"])
    one, two = rm.predict(found, customers, 26), rm.predict(other, customers.assign(age=customers["age"] - 40), 26)
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)
    assert LARGE in (found.model.a, found.model.b)


@pytest.mark.parametrize(
    ("model", "formulas"),
    [
        (rm.ParetoNBD, {"purchase_covariates": "web"}),
        (rm.ParetoNBD, {"dropout_covariates": "web"}),
        (MBGNBD, {"purchase_covariates": "web"}),
    ],
)
def test_customers_of_whom_nobody_leaves_may_have_covariates(model, formulas):
    rng = np.random.default_rng(1)
    web = np.tile([0.0, 1.0], 20)
    customers = NBD(1, 10 * np.exp(-0.5 * web)).simulate(rng.uniform(10, 52, 40), rng).assign(web=web)
    found = rm.fit(model, customers, **formulas)
    nobody = rm.fit(NBD, customers, **{name: how for name, how in formulas.items() if name.startswith("purchase")})
    assert "nobody ever leaves (the NBD model)" in found.notes[0]
    assert found.log_likelihood == pytest.approx(nobody.log_likelihood, abs=1e-6)
    assert np.isfinite(rm.predict(found, customers, 26).drop(columns="time_to_next_purchase_p90")).all(axis=None)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_baseline_that_separates_is_named_however_large(share):
    rng = np.random.default_rng(2)
    web = (np.arange(400) < share * 400).astype(float)
    customers = rm.ParetoNBD(1, 5, 1, 20).simulate(rng.uniform(20, 52, 400), rng).assign(web=web)
    customers.loc[web == 0, ["frequency", "recency"]] = np.column_stack([np.full(400, 6), customers["T"]])[web == 0]
    with pytest.raises(ValueError, match=r"dropout\[web\] runs to infinity"):
        rm.fit(rm.ParetoNBD, customers, dropout_covariates="web")


@pytest.mark.parametrize(
    ("model", "formulas", "change", "message"),
    [
        (
            NBD,
            {"purchase_covariates": "channel"},
            {"frequency": 0, "recency": 0.0},
            r"purchase\[channel\[T.web\]\] runs to minus infinity",
        ),
        (
            MBGNBD,
            {"dropout_covariates": "channel"},
            {"frequency": 5, "recency": lambda web: web["T"]},
            r"dropout\[channel\[T.web\]\] runs to minus infinity",
        ),
    ],
)
def test_a_level_that_separates_is_named(customers, model, formulas, change, message):
    web = customers["channel"] == "web"
    table = pd.concat([customers[~web], customers[web].assign(**change)])
    with pytest.raises(ValueError, match=message):
        rm.fit(model, table, **formulas)


@pytest.mark.parametrize(
    ("model", "formulas", "message"),
    [
        (NBD, {"dropout_covariates": "age"}, "NBD takes no dropout_covariates; it takes purchase_covariates"),
        (rm.GammaGamma, {"purchase_covariates": "age"}, "GammaGamma takes no purchase_covariates; it takes spend_cov"),
        (rm.ShiftedBetaGeometric, {"purchase_covariates": "age"}, "ShiftedBetaGeometric takes no purchase_covariates"),
        (NBD, {"purchase_covariates": "height"}, "height not in the table"),
        (
            NBD,
            {"purchase_covariates": "age + scale(2 * age - 3)"},
            "follows from purchase.age. for all 1,500 customers",
        ),
        (NBD, {"purchase_covariates": "channel + on_web"}, "follows from"),
        (rm.ParetoNBD, {"dropout_covariates": "log(1 + frequency)"}, "frequency is what ParetoNBD is to explain"),
        (NBD, {"purchase_covariates": "holdout_frequency"}, "holdout_frequency is what NBD is to explain, or is later"),
        (NBD, {"purchase_covariates": "log_gaps"}, "log_gaps is what NBD is to explain"),
        (NBD, {"purchase_covariates": "age + monetary_value"}, "monetary_value is what NBD is to explain"),
        (NBD, {"purchase_covariates": "Intercept"}, "names a column Intercept, as formulas call the baseline"),
        (rm.GammaGamma, {"spend_covariates": "monetary_value"}, "monetary_value is what GammaGamma is to explain"),
        (NBD, {"purchase_covariates": "name"}, "name has 1,500 levels for 1,500 customers, too many to estimate"),
        (NBD, {"purchase_covariates": "C(number)"}, r"1,499 coefficients \(1,499 of them of purchase\[C\(number\)\]\)"),
        (NBD, {"purchase_covariates": "nothing"}, "is the same for all 1,500 customers"),
    ],
)
def test_what_cannot_be_fitted_is_named(customers, model, formulas, message):
    number = np.arange(len(customers))
    table = customers.assign(monetary_value=10.0, tenure=1, at_risk=10, lost=1, number=number, name=number.astype(str))
    table = table.assign(on_web=(table["channel"] == "web").astype(int), nothing=0.0)
    with pytest.raises(ValueError, match=message):
        rm.fit(model, table, **formulas)


def test_a_covariate_far_from_0_has_no_baseline():
    rng = np.random.default_rng(1)
    year = 1990 + rng.integers(0, 30, 500)
    customers = NBD(0.8, 10 * np.exp(-0.3 * (year - 2005))).simulate(np.full(500, 40.0), rng).assign(year=year)
    with pytest.raises(ValueError, match=r"year\] is so far from 0 .* scale\(year\)"):
        rm.fit(NBD, customers, purchase_covariates="year")
    found = rm.fit(NBD, customers.assign(years=year - 2005), purchase_covariates="years")
    assert found.params["purchase[years]"] == pytest.approx(0.3, abs=0.03)
    scaled = rm.fit(NBD, customers, purchase_covariates="scale(year)")
    assert scaled.params["purchase[scale(year)]"] == pytest.approx(0.3 * year.std(), abs=0.3)
    assert scaled.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-6)


def test_terms_are_tested_by_wald_and_by_the_likelihood_ratio(customers, fitted):
    terms = wald(fitted)
    assert list(terms.index) == ["purchase[channel]", "purchase[age]", "dropout[channel]"]
    assert list(terms["degrees"]) == [2, 1, 2]
    age = fitted.table().loc["purchase[age]"]
    assert terms["statistic"]["purchase[age]"] == pytest.approx((age["estimate"] / age["std_error"]) ** 2)
    without = rm.fit(rm.ParetoNBD, customers, purchase_covariates="channel", dropout_covariates="channel")
    test = likelihood_ratio(without, fitted)
    assert test.degrees == 1
    assert test.statistic == pytest.approx(2 * (fitted.log_likelihood - without.log_likelihood))
    assert test.statistic == pytest.approx(terms["statistic"]["purchase[age]"], rel=0.1)
    plain = rm.fit(rm.ParetoNBD, customers)
    assert likelihood_ratio(plain, fitted).degrees == 5
    assert str(test).startswith("ParetoNBD: purchase[age] makes a difference")
    with pytest.raises(ValueError, match="all covariates of the other, and more"):
        likelihood_ratio(fitted, plain)
    with pytest.raises(ValueError, match="all covariates of the other, and more"):
        likelihood_ratio(rm.fit(NBD, customers), fitted)
    with pytest.raises(ValueError, match="fitted to the same data"):
        likelihood_ratio(plain, rm.fit(rm.ParetoNBD, customers.head(700), **FORMULAS))
    with pytest.raises(ValueError, match="no covariates"):
        wald(plain)


@pytest.mark.slow
def test_the_mean_chance_to_leave_tells_more_than_a_rate():
    """600 customers of the MBG/NBD: the logit of the mean drop-out chance beats the Pareto/NBD's rate."""
    gains = []
    for seed in range(4):
        customers = mbg_shop(600, seed)
        ours, theirs = (rm.fit(model, customers, **FORMULAS) for model in (MBGNBD, rm.ParetoNBD))
        assert len(ours.params) == len(theirs.params) == 9
        gains.append(ours.log_likelihood - theirs.log_likelihood)
    assert np.mean(gains) > 2


def test_evaluation_knows_the_covariates_or_says_that_it_does_not():
    log = rm.datasets.load_cdnow()
    customers = rm.summarize(log, calibration_end="1997-09-30")
    customers["cohort"] = customers["first_purchase"].dt.strftime("%m")
    customers["price"] = np.log1p(customers["monetary_value"])
    found = rm.fit(rm.ParetoNBD, customers, purchase_covariates="cohort", dropout_covariates="cohort")
    plain = rm.fit(rm.ParetoNBD, customers)
    table = holdout_by_frequency({"plain": plain, "cohorts": found}, customers)
    assert table["customers"].sum() == 2357
    expected = rm.predict(found, customers, 39, level=None)["expected_purchases"]
    assert table["customers"] @ table["cohorts"] == pytest.approx(expected.sum())
    scores = holdout_scores({"plain": plain, "cohorts": found}, customers)
    assert scores["expected"]["cohorts"] == pytest.approx(expected.sum())
    compared = compare({"plain": plain, "cohorts": found}, customers)
    assert compared.frame.notna().all(axis=None)
    assert compared.frame["log_score"].to_numpy() == pytest.approx(scores["log_score"].to_numpy())
    test = rm.fitting.likelihood_ratio(plain, found, names=("plain", "cohorts"))
    assert test.detail.startswith("cohorts: purchase[cohort[T.02]], ")
    assert compared.tests["plain", "cohorts"] == test
    assert (
        compare({"plain": plain, "cohorts": found}, customers.drop(columns=HOLDOUT)).tests["plain", "cohorts"] == test
    )
    alive = rm.predict(found, customers, 39, level=None)["probability_alive"]
    by_cohort = rm.forecast.status_by_group(found, customers, "cohort")["probability_alive"]
    np.testing.assert_allclose(by_cohort, alive.groupby(customers["cohort"]).mean(), rtol=1e-12)
    with pytest.raises(ValueError, match=r"the fit has covariates \(purchase\[cohort\], dropout\[cohort\]\), which"):
        tracking(found, log, calibration_end="1997-09-30")


@pytest.mark.slow
def test_intervals_of_300_customers_cover_the_coefficients():
    """MBG/NBD, 1,000 replicates: 95 % intervals hold the truth 93 to 97 % of the time."""
    truth = {"purchase[web]": 0.5, "dropout[web]": -0.8, "purchase[age]": 0.3}
    rng, inside = np.random.default_rng(1), []
    for _ in range(1000):
        web, age = rng.integers(0, 2, 300), rng.normal(0, 1, 300)
        mean = 1 / (1 + np.exp(1.0 + 0.8 * web))
        shop = MBGNBD(1.0, 6 * np.exp(-0.5 * web - 0.3 * age), 4 * mean, 4 * (1 - mean))
        customers = shop.simulate(np.full(300, 40.0), rng).assign(web=web, age=age)
        table = rm.fit(MBGNBD, customers, purchase_covariates="web + age", dropout_covariates="web").table()
        inside.append([table["lower"][name] <= value <= table["upper"][name] for name, value in truth.items()])
    np.testing.assert_allclose(np.mean(inside, axis=0), 0.95, atol=0.02)
