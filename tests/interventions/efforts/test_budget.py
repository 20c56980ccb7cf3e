"""The allocation of a budget: exact against brute force and linear programmes, honest about what is not known."""

import itertools
import math
import time

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.special import ndtr, ndtri

import retention_models as rm
from retention_models.interventions.effects.full_scale import loss_of_deciding
from retention_models.interventions.efforts.knapsack import Knapsack

MANY = [pytest.param(1_000, marks=pytest.mark.slow), 60]
COLUMNS = ("effort", "cost", "reach", "value", "std_error", "design")


def rows(*values):
    return pd.DataFrame(values, columns=COLUMNS)


def linear_relaxation(cost, gain, budget):
    n, k = cost.shape
    one_each = np.kron(np.eye(n), np.ones(k))
    found = linprog(
        -gain.ravel(), np.vstack([cost.ravel(), one_each]), np.concatenate([[budget], np.ones(n)]), bounds=(0, 1)
    )
    return -found.fun


@pytest.mark.parametrize("problems", MANY)
def test_offers_by_hulls_equal_the_linear_relaxation_and_split_at_most_one_customer(problems):
    rng = np.random.default_rng(1)
    for _ in range(problems):
        n, k = rng.integers(1, 12), rng.integers(1, 6)
        cost, gain = rng.integers(0, 6, (n, k)).astype(float), rng.normal(1, 2, (n, k)).round(rng.integers(0, 3))
        budget = rng.uniform(0, cost.sum() / 2 + 0.5)
        found = rm.interventions.allocate_offers(cost, gain, budget)
        assert found.gain == pytest.approx(linear_relaxation(cost, gain, budget), abs=1e-9)
        assert found.cost <= budget + 1e-9
        given = found.offers.dropna().astype(int)
        whole = gain[given.index, given].sum(), cost[given.index, given].sum()
        assert whole[0] <= found.gain + 1e-9
        assert whole[1] <= budget + 1e-9
        if found.split_customer is None:
            assert whole == pytest.approx((found.gain, found.cost))


def test_offers_name_customers_and_take_one_cost_for_all():
    gain = pd.DataFrame({"mail": [2.0, 0.5], "call": [5.0, -1.0]}, index=["Ann", "Bob"])
    found = rm.interventions.allocate_offers([1.0, 5.0], gain, 3.0)
    assert found.offers["Ann"] == "mail"
    assert pd.isna(found.offers["Bob"])
    assert (found.split_customer, found.split_offer, found.split_share) == ("Ann", "call", 0.5)
    assert (found.cost, found.gain) == (3.0, 3.5)
    assert found.return_at_margin == pytest.approx(3 / 4)
    assert rm.interventions.allocate_offers([1.0, 5.0], gain, 0).offers.isna().all()


@pytest.mark.parametrize(
    ("cost", "gain", "budget", "message"),
    [
        ([1.0], [[1.0]], -1, "budget must be"),
        ([-1.0], [[1.0]], 1, "cost must be a number, 0 or more, which fails for 1 of 1"),
        ([1.0], [[np.nan]], 1, "gain must be a number, which fails for 1 of 1"),
        ([1.0, 2.0], [[1.0]], 1, "cost must have the shape"),
        ([1.0], [1.0], 1, "gain must have a row a customer"),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}), 1, "the same columns"),
    ],
)
def test_bad_offers_are_refused(cost, gain, budget, message):
    with pytest.raises(ValueError, match=message):
        rm.interventions.allocate_offers(cost, gain, budget)


def brute_force(problem, gain):
    """The best net gain over all subsets of whole rows."""
    best = 0.0
    for taken in itertools.product((0, 1), repeat=len(gain)):
        shares = np.array(taken, dtype=float)
        spent = (problem.cost + problem.fixed_cost) @ shares
        once = np.bincount(problem.effort, shares).max() <= 1
        if spent <= problem.budget + 1e-9 and once and (problem.coefficients @ shares <= problem.bounds + 1e-9).all():
            best = max(best, (gain - problem.fixed_cost) @ shares)
    return best


@pytest.mark.parametrize("problems", MANY)
def test_whole_efforts_are_chosen_as_by_brute_force(problems):
    rng = np.random.default_rng(2)
    for _ in range(problems):
        m, limits = rng.integers(1, 9), rng.integers(0, 3)
        cost = rng.uniform(0, 5, m)
        problem = Knapsack(
            cost=cost, fixed_cost=rng.choice([0.0, 1.0], m), effort=rng.integers(0, m, m), whole=np.ones(m, dtype=bool),
            budget=float(rng.uniform(0, cost.sum())), bounds=np.ones(limits),
            coefficients=rng.uniform(0, 1, (limits, m)),
        )  # fmt: skip
        gain = rng.normal(1, 2, m)
        shares = problem.solve(gain, np.ones(m, dtype=bool))
        assert (gain - problem.fixed_cost) @ shares == pytest.approx(brute_force(problem, gain), abs=1e-6)


def test_a_divisible_effort_pays_its_fixed_cost_only_if_it_is_used():
    table = rows(("a", 1.0, 100, 2.0, 0.0, "randomised"), ("b", 1.0, 100, 1.0, 0.0, "randomised"))
    table = table.assign(whole=False, fixed_cost=[30.0, 0.0])
    found = rm.allocate_budget(table, 120, draws=5)
    value = {shares: _value(table, shares, 120) for shares in itertools.product(np.linspace(0, 1, 101), repeat=2)}
    assert found.value[0] == pytest.approx(max(value.values()), abs=1e-6)


def _value(table, shares, budget):
    shares = np.array(shares)
    fixed = table["fixed_cost"].to_numpy() @ (shares > 0)
    if (table["cost"] * table["reach"]).to_numpy() @ shares + fixed > budget + 1e-9:
        return -np.inf
    return (table["value"] * table["reach"]).to_numpy() @ shares - fixed


def test_many_doses_of_one_effort_find_the_closed_form_of_blattberg_and_deighton():
    """They spend A on each prospect, of whom c (1 - exp(-k A)) come, each worth m; the best A is log(m c k) / k."""
    ceiling, rate, margin = 0.4, 0.06, 150.0
    doses = np.linspace(0.1, 60, 600)
    value = margin * ceiling * (1 - np.exp(-rate * doses)) - doses
    table = pd.DataFrame({"effort": "prospects", "offer": [f"{dose:.2f}" for dose in doses], "cost": doses})
    table = table.assign(reach=1, value=value, std_error=0.0, design="randomised")
    found = rm.allocate_budget(table, 1e6, draws=1).table
    best = float(found.index[found["share"] == 1][0][1])
    assert best == pytest.approx(math.log(margin * ceiling * rate) / rate, abs=0.06)


def test_exclusive_efforts_and_further_limits_are_obeyed():
    table = rows(
        *((name, 1.0, 100, gain, 0.0, "randomised") for name, gain in zip("abc", (3.0, 2.0, 1.0), strict=True))
    )
    free = rm.allocate_budget(table, 1e6, draws=2).table["share"].droplevel("offer")
    assert free.tolist() == [1, 1, 1]
    one = rm.allocate_budget(table, 1e6, exclusive=[("a", "b")], draws=2).table["share"]
    assert one.tolist() == [1, 0, 1]
    calls = {"calls": ({"a": 100, "c": 100}, 150)}
    assert rm.allocate_budget(table, 1e6, limits=calls, draws=2).table["share"].tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="exclusive names 'z', which is no effort; there are a, b, c"):
        rm.allocate_budget(table, 10, exclusive=[("a", "z")])
    with pytest.raises(TypeError, match="exclusive must be groups of efforts, such as"):
        rm.allocate_budget(table, 10, exclusive=["a", "b"])
    with pytest.raises(ValueError, match=r"limits\['calls'\] names 'z'"):
        rm.allocate_budget(table, 10, limits={"calls": ({"z": 1}, 1)})
    with pytest.raises(ValueError, match="no allocation meets all limits"):
        rm.allocate_budget(table, 10, limits={"none": ({"a": 1}, -1)})


@pytest.mark.parametrize("value", [0.3, -0.2])
def test_for_one_effort_the_costs_of_not_knowing_have_closed_forms(value):
    """Expected value of perfect information, and of a test as precise as the last: unit normal loss at each spread."""
    error, reach = 0.4, 1_000
    found = rm.allocate_budget(rows(("a", 1.0, reach, value, error, "randomised")), 1e6, draws=1_500)
    assert found.cost_of_deciding_now == pytest.approx(reach * loss_of_deciding(value, error), rel=0.15)
    spread = error / np.sqrt(2)
    z = value / spread
    after = spread * (np.exp(-z * z / 2) / np.sqrt(2 * np.pi)) + value * ndtr(z)
    test = found.table["value_of_test"].iloc[0]
    assert test == pytest.approx(reach * (after - max(value, 0)), rel=0.03)
    assert found.table["chance"].iloc[0] == pytest.approx(ndtr(value / error), abs=0.04)


def test_observational_and_unmeasured_efforts_are_tested_first():
    table = rows(
        ("club", 1.0, 100, 9.0, 0.1, "observational"), ("app", 1.0, 100, None, None, "unmeasured"),
        *((f"e{i}", 1.0, 100, 0.5 + 0.2 * i, 0.1, "randomised") for i in range(4)),
    )  # fmt: skip
    found = rm.allocate_budget(table, 400, draws=50).table.droplevel("offer")
    assert found.loc[["club", "app"], "decision"].tolist() == ["test first"] * 2
    assert found.loc[["club", "app"], "share"].tolist() == [0, 0]
    assert found.loc["club", "expected_value"] is pd.NA
    assert (found.loc[["club", "app"], "value_of_test"] > 0).all()
    few = rm.allocate_budget(table.iloc[:3], 400, draws=50).table.droplevel("offer")
    assert few.loc["app", "value_of_test"] is pd.NA  # one measured effort does not tell how others differ


@pytest.mark.slow
def test_effects_are_shrunk_before_they_are_promised():
    rng = np.random.default_rng(3)
    promised, naive, true = 0.0, 0.0, 0.0
    for _ in range(150):
        effect = rng.normal(0, 0.5, 8)
        seen = effect + 0.4 * rng.standard_normal(8)
        table = rows(*((f"e{i}", 1.0, 100, value, 0.4, "randomised") for i, value in enumerate(seen)))
        found = rm.allocate_budget(table, 800, draws=1)
        promised, naive = promised + found.value[0], naive + found.value_if_believed
        true += 100 * effect @ found.table["share"].to_numpy()
    assert abs(promised / true - 1) < 0.2  # eight efforts tell little of how much efforts differ
    assert naive / true > 1.4


def test_acquisition_stands_in_the_same_allocation():
    table = rows(("letter", 1.0, 1_000, 0.2, 0.05, "randomised"))
    new = {"value": 50.0, "value_lower": 45.0, "value_upper": 55.0, "cost": 20.0, "reach": 100}
    found = rm.allocate_budget(table, 1_500, acquisition=new, draws=20).table.droplevel("offer")
    assert found.loc["acquisition", "return"] == pytest.approx(1.5)
    assert found.loc["acquisition", "share"] == pytest.approx(0.75)  # 1,500 of the 2,000 that it could spend
    assert found.loc["letter", "decision"] == "do not fund"
    with pytest.raises(ValueError, match="acquisition has no 'cost'"):
        rm.allocate_budget(table, 10, acquisition={"value": 1.0, "value_lower": 1.0, "value_upper": 1.0})


def test_moves_and_their_chance_compare_with_todays_spending():
    table = rows(("good", 1.0, 100, 2.0, 0.1, "randomised"), ("bad", 1.0, 100, -1.0, 0.1, "randomised"))
    found = rm.allocate_budget(table.assign(cost_now=[0.0, 100.0]), 100, draws=10)
    assert found.moves["change"].to_dict() == {"bad": -100.0, "good": 100.0}
    assert found.chance_of_gain == 1.0
    assert rm.allocate_budget(table, 100, draws=10).chance_of_gain is None


def test_a_register_is_allocated_as_its_offers(effect):
    efforts = pd.DataFrame(
        {"effort": ["mail", "club"], "kind": ["e-mail", "points"], "reach": 100, "cost_per_contact": 1.0}
    )
    money = {"value": 1.0, "value_lower": 0.5, "value_upper": 1.5, "cost": 1.0}
    register = rm.read_register(efforts, as_of="2026-01-01").add(effect(intervention="mail", **money))
    found = rm.allocate_budget(register, 500, draws=10)
    pd.testing.assert_frame_equal(found.table, rm.allocate_budget(register.offers, 500, draws=10).table)
    assert found.table["decision"].tolist() == ["fund", "test first"]
    assert "earn" in str(found)


def test_money_of_today_and_of_the_plan_are_counted_alike(effect):
    """A coupon costs more than its letter, but the register knows what is spent today."""
    efforts = pd.DataFrame({"effort": ["coupon"], "kind": ["discount"], "reach": [100], "cost_per_contact": [1.0]})
    money = {"value": 1.0, "value_lower": 0.5, "value_upper": 1.5, "cost": 3.0}
    register = rm.read_register(efforts, as_of="2026-01-01").add(effect(intervention="coupon", **money))
    found = rm.allocate_budget(register, 100, draws=10)
    assert found.moves["change"].tolist() == [0.0]
    assert found.chance_of_gain == 0.5  # nothing changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": -1}, "budget must be"),
        ({"design": ""}, "design is missing although there is money; state randomised.*1 of 2"),
        ({"design": "guess"}, "design must be one of"),
        ({"cost": None}, r"cost must be stated, 0 or more.*first: a, with nothing"),
        ({"reach": 0}, "reach must be above 0"),
        ({"std_error": None}, "std_error must be stated with a value"),
        ({"effort": "b"}, "effort must stand once with each offer, which fails for 2 of 2"),
        ({"effort": ""}, "effort must name the effort"),
        ({"kind": "mail"}, "kind must be one of"),
        ({"value": np.inf}, "value must be finite"),
        ({"level": 2}, "level"),
        ({"draws": 0}, "draws must be"),
    ],
)
def test_bad_rows_are_refused_with_column_rule_and_count(change, message):
    table = rows(("a", 1.0, 10, 1.0, 0.1, "randomised"), ("b", 1.0, 10, 1.0, 0.1, "randomised"))
    table["kind"] = ""
    keywords = {name: change[name] for name in change.keys() & {"level", "draws"}}
    for name in change.keys() & set(table.columns):
        table[name] = table[name].astype(object)
        table.loc[0, name] = change[name]
    with pytest.raises(ValueError, match=message):
        rm.allocate_budget(table, change.get("budget", 10), **keywords)


def test_columns_that_are_missing_are_named():
    with pytest.raises(ValueError, match="design"):
        rm.allocate_budget(rows(("a", 1.0, 10, 1.0, 0.1, "randomised")).drop(columns="design"), 10)


def test_the_same_seed_gives_the_same_allocation():
    table = rows(*((f"e{i}", 1.0, 100, 0.2 * i, 0.4, "randomised") for i in range(5)))
    first, second = (rm.allocate_budget(table, 300, draws=20, rng=4).table for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
def test_the_solver_writes_nothing_that_a_page_would_show(capfd):
    rng = np.random.default_rng(5)
    cost, reach = rng.uniform(0.1, 3, 20), rng.integers(1_000, 20_000, 20)
    frame = rows(*zip(range(20), cost, reach, rng.normal(0.1, 0.5, 20), [0.2] * 20, ["randomised"] * 20, strict=True))
    for budget in (20_000, 25_000, 30_000, 35_000):
        rm.allocate_budget(frame.assign(effort=frame["effort"].astype(str)), budget, draws=50)
    assert capfd.readouterr().out == ""


def test_exact_rows_stay_as_they_are_while_others_are_shrunk():
    errors = [0.2, 0.2, 0.2, 0.2, 0.0]
    frame = rows(
        *[
            (name, 1.0, 100, value, error, "randomised")
            for name, value, error in zip("abcde", range(5), errors, strict=True)
        ]
    )
    found = rm.allocate_budget(frame, 500, draws=5).table.droplevel("offer")["expected_value"]
    assert found["e"] == 400
    assert found["b"] > 100


@pytest.mark.parametrize("name", ["cost", "reach", "value", "std_error", "fixed_cost", "whole", "cost_now"])
def test_no_number_that_cannot_be_read_is_taken_for_a_missing_one(name):
    frame = rows(("a", 1.0, 100, 1.0, 0.1, "randomised")).assign(**{name: "about 5"})
    with pytest.raises(ValueError, match=rf"{name} must be a number, or empty, .*with 'about 5'"):
        rm.allocate_budget(frame, 500)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"a": 1.0}, r"limits\['calls'\] must be \(weights by effort, bound\)"),
        (({"a": "x"}, 5), r"limits\['calls'\] must be a finite number; got 'x'"),
        (({"a": 1.0}, math.nan), r"limits\['calls'\] must be a finite number; got nan"),
        (({"a": 1.0}, -1), "not even one that spends nothing"),
    ],
)
def test_a_limit_that_is_none_is_refused_in_plain_words(limit, message):
    with pytest.raises(ValueError, match=message):
        rm.allocate_budget(rows(("a", 1.0, 100, 1.0, 0.1, "randomised")), 500, limits={"calls": limit})


def test_acquisition_refuses_a_misspelt_number():
    stated = {"value": 12.0, "value_lower": 11.0, "value_upper": 13.0, "cost": 10.0, "reach": 500, "fixed": 3}
    with pytest.raises(ValueError, match="acquisition names 'fixed'"):
        rm.allocate_budget(rows(("a", 1.0, 100, 1.0, 0.1, "randomised")), 500, acquisition=stated)


def test_offers_refuse_text_and_two_columns_of_one_name():
    with pytest.raises(ValueError, match="cost must hold numbers only"):
        rm.interventions.allocate_offers(["cheap"], [[1.0]], 5)
    twice = pd.DataFrame([[1.0, 2.0]], columns=["mail", "mail"])
    with pytest.raises(ValueError, match="a column of its own name"):
        rm.interventions.allocate_offers(twice, twice, 5)


def test_a_test_is_worth_the_mean_over_its_results_also_where_most_change_nothing():
    frame = rows(("a", 1.0, 100, 0.1, 0.3, "randomised"), ("b", 1.0, 100, 5.0, 0.3, "randomised"))
    found = rm.allocate_budget(frame, 500, draws=5).table.droplevel("offer")["value_of_test"]
    spread = 0.3 / math.sqrt(2)
    means = 0.1 + spread * np.sort(ndtri_means(16))
    assert found["a"] == pytest.approx(100 * (np.maximum(means, 0).mean() - 0.1), rel=0.05)
    assert found["b"] == 0


def ndtri_means(parts):
    """Means of equally probable parts of a normal distribution, from a fine grid."""
    fine = ndtri((np.arange(parts * 1_000) + 0.5) / (parts * 1_000))
    return fine.reshape(parts, -1).mean(axis=1)


def test_a_test_is_worth_what_brute_force_over_its_results_finds_and_needs_one_allocation_a_row(monkeypatch):
    frame = rows(
        ("a", 1.0, 100, 0.3, 0.3, "randomised"), ("b", 1.0, 150, 0.25, 0.2, "randomised"),
        ("c", 1.0, 120, -0.1, 0.4, "randomised"),
    )  # fmt: skip
    solved, solve = [], Knapsack.solve
    monkeypatch.setattr(Knapsack, "solve", lambda *given: solved.append(1) or solve(*given))
    found = rm.allocate_budget(frame, 230, draws=1).table["value_of_test"].to_numpy()
    assert len(solved) == 1 + 1 + 3  # the expected effects, one draw, three tests
    taken = np.array([s for s in itertools.product((0, 1), repeat=3) if np.dot(s, frame["reach"]) <= 230])
    for row in range(3):
        value = np.tile(frame["value"].to_numpy(), (16, 1))
        value[:, row] += frame["std_error"][row] / math.sqrt(2) * ndtri_means(16)
        best = ((value * frame["reach"].to_numpy()) @ taken.T).max(axis=1)
        now = (taken @ (frame["value"] * frame["reach"])).max()
        assert found[row] == pytest.approx(best.mean() - now, rel=0.05)


@pytest.mark.slow
def test_a_million_customers_take_no_longer_than_twenty_sorts_of_as_many_numbers():
    rng = np.random.default_rng(6)
    cost = rng.uniform(0.1, 5, (1_000_000, 5))
    gain = cost * rng.lognormal(0, 0.6, cost.shape)
    numbers = gain.ravel()

    def seconds(work):
        start = time.process_time()
        work()
        return time.process_time() - start

    offers = min(seconds(lambda: rm.interventions.allocate_offers(cost, gain, 1e6)) for _ in range(3))
    assert offers <= 20 * min(seconds(lambda: np.sort(numbers)) for _ in range(3))
