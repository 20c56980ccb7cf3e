"""What a saved customer is worth."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.datasets import load_published_retention
from retention_models.fitting.estimate import fit
from retention_models.narrative.contracts import age_groups, selected_tenures
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments
from retention_models.value.contracts import discounted_lifetime
from retention_models.value.saved_customers import saved_value

TERMS = rm.Terms(price=10.0, annual_discount_rate=0.1, billing_period="Y")
MODELS = (
    ShiftedBetaGeometric(0.7, 1.2),
    BetaDiscreteWeibull(0.26, 1.7, 1.6),
    BetaDiscreteWeibull(2.0, 5.0, 0.7),
    TwoSegments(odds=0.5, rate=0.1, extra=0.7),
    Geometric(0.2),
)


@pytest.fixture(scope="module")
def regular():
    return fit(ShiftedBetaGeometric, load_published_retention().query("customers == 'regular' and tenure <= 7"))


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("renewal", [1, 2, 7])
def test_those_saved_and_those_who_renew_make_up_all_who_came_to_the_renewal(model, renewal):
    """Were everybody kept at one renewal, the share there j renewals later is that mixture, and lies above S."""
    ahead = np.arange(6.0)
    leave = float(model.hazard(renewal))
    kept = leave * model.survival_if_saved(ahead, renewal)
    renewed = (1 - leave) * model.survival_function(renewal + ahead, given=renewal)
    assert kept[0] == pytest.approx(leave, rel=1e-12)
    assert np.all(np.diff(kept + renewed) <= 0)
    assert np.all(kept / leave <= renewed / (1 - leave) + 1e-12)


@pytest.mark.parametrize("model", MODELS[:3], ids=repr)
def test_saved_customers_are_those_a_simulation_would_have_lost(model):
    """Each simulated customer has a chance of their own; who leaves at the third renewal is kept there."""
    rng, n, at, c = np.random.default_rng(1), 400_000, 3, getattr(model, "c", 1.0)
    stay = 1 - rng.beta(model.alpha, model.beta, n)
    before, now = stay ** ((at - 1) ** c), stay ** (at**c - (at - 1) ** c)
    saved = stay[(rng.random(n) < before) & (rng.random(n) > now)]
    share = np.mean(saved ** ((at + 4) ** c - at**c))
    error = np.std(saved ** ((at + 4) ** c - at**c)) / np.sqrt(len(saved))
    assert float(model.survival_if_saved(4, at)) == pytest.approx(share, abs=4 * error)


def test_without_ageing_those_about_to_leave_are_beta_with_one_more_departure():
    sbg, bdw = ShiftedBetaGeometric(0.7, 1.2), BetaDiscreteWeibull(0.7, 1.2, 1.0)
    ahead = np.arange(30.0)
    leavers = ShiftedBetaGeometric(1.7, 1.2 + 4)
    np.testing.assert_allclose(sbg.survival_if_saved(ahead, 5), leavers.survival_function(ahead), rtol=1e-12)
    np.testing.assert_allclose(bdw.survival_if_saved(ahead, 5), leavers.survival_function(ahead), rtol=1e-10)


def test_the_value_of_a_saved_customer_is_a_lifetime_under_what_is_known_of_leavers(regular):
    saved = saved_value(regular, pd.DataFrame({"tenure": [3], "weight": [100]}), TERMS)
    alpha, beta = regular.model.alpha, regular.model.beta
    expected = discounted_lifetime(ShiftedBetaGeometric(alpha + 1, beta + 3), TERMS)
    assert saved.loc[3, "value"] == pytest.approx(expected, rel=1e-10)


def test_where_customers_are_alike_a_saved_one_is_worth_as_much_as_any():
    table = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 800, 640], "lost": [200, 160, 128]})
    saved = saved_value(fit(Geometric, table), pd.DataFrame({"tenure": [0, 5], "weight": [3, 2]}), TERMS)
    np.testing.assert_allclose(saved["value"], saved["renewing_value"], rtol=1e-12)
    np.testing.assert_allclose(saved["value"], saved["naive_value"], rtol=1e-12)


def test_the_interval_of_the_mean_agrees_with_draws(regular):
    base = pd.DataFrame({"tenure": [0, 2, 6], "weight": [500, 200, 100]})
    row = saved_value(regular, base, TERMS).loc["all"]
    draws, drawn = regular.draw(400, np.random.default_rng(1)), []
    for alpha, beta in zip(draws.alpha.ravel(), draws.beta.ravel(), strict=True):
        model = ShiftedBetaGeometric(alpha, beta)
        go = base["weight"].to_numpy() * model.hazard(base["tenure"] + 1)
        worth = [discounted_lifetime(ShiftedBetaGeometric(alpha + 1, beta + made), TERMS) for made in base["tenure"]]
        drawn.append(go @ worth / go.sum())
    spread = np.log(row["value_upper"] / row["value_lower"]) / (2 * 1.96)
    assert spread == pytest.approx(np.std(np.log(drawn)), rel=0.15)


def test_weights_are_repeated_rows_and_order_does_not_matter(regular):
    once = saved_value(regular, pd.DataFrame({"tenure": [4, 0], "weight": [2, 3]}), TERMS)
    rows = saved_value(regular, pd.DataFrame({"tenure": [0, 4, 0, 4, 0]}), TERMS)
    pd.testing.assert_frame_equal(once, rows)


def test_schedules_are_paid_by_the_number_of_the_payment(regular):
    late = rm.Terms(price=[0.0] * 5 + [10.0], annual_discount_rate=0.1, billing_period="Y")
    saved = saved_value(regular, pd.DataFrame({"tenure": [0, 4]}), late)
    full = saved_value(regular, pd.DataFrame({"tenure": [0, 4]}), TERMS)
    assert saved.loc[4, "value"] == pytest.approx(full.loc[4, "value"], rel=1e-12)
    assert saved.loc[0, "value"] < full.loc[0, "value"] - 10


def test_few_tenures_are_shown_and_always_the_sum(regular):
    saved = saved_value(regular, pd.DataFrame({"tenure": range(40)}), TERMS)
    assert selected_tenures(saved).index.tolist() == [0, 1, 3, 6, 12, 24, "all"]
    one = saved_value(regular, pd.DataFrame({"tenure": [17]}), TERMS)
    assert selected_tenures(one).index.tolist() == [17, "all"]


def test_groups_by_age_are_in_order_of_age():
    groups = age_groups(pd.DataFrame({"tenure": [100, 13, 0, 1]}))
    assert list(groups.cat.categories) == ["0 renewals", "1 to 2 renewals", "12 to 23 renewals", "96 renewals or more"]


def test_where_whoever_renews_once_never_leaves_a_saved_one_stays_too():
    table = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [100, 99, 99, 99], "lost": [1, 0, 0, 0]})
    worth = saved_value(fit(BetaDiscreteWeibull, table), pd.DataFrame({"tenure": [0, 3]}), TERMS)
    assert np.isfinite(worth.to_numpy(dtype=float)).all()
    assert worth.loc[3, "value"] == pytest.approx(110, rel=1e-6)


def test_a_model_without_a_fit_is_refused():
    with pytest.raises(TypeError, match=r"a fit of a model of contracts is needed.*got ShiftedBetaGeometric"):
        saved_value(ShiftedBetaGeometric(0.7, 1.2), pd.DataFrame({"tenure": [0]}), TERMS)
