"""Every design states the law of its effects: asked for another level, the row says what the design would have said."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.effects.derived_laws import IndependentSum
from retention_models.interventions.effects.laws import Newcombe, Permutation, StudentT
from retention_models.interventions.effects.ratio_laws import AndersonRubin

LEVELS = (0.5, 0.8, 0.99, 1 - 0.05 / 7)
MONEY = {"terms": rm.Terms(price=3.0), "costs": {"mail": rm.Costs(contact=0.1, redemption=0.5, redemptions="used")}}


def rows(seed=1, n=400):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"arm": np.where(np.arange(n) % 2, "mail", "none"), "before": rng.normal(size=n)})
    frame["got"] = (frame["arm"] == "mail") & (rng.random(n) < 0.4)
    frame["y"] = 1.5 + 0.3 * frame["before"] + 0.4 * frame["got"] + rng.normal(size=n)
    frame["used"] = frame["got"] & (rng.random(n) < 0.5)
    return frame


def mailing(frame=None):
    columns = ["y", "got", "used"]
    frame = rows() if frame is None else frame
    return rm.Experiment.from_rows(
        frame, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=columns, covariates=["before"]
    )


Y, ADJUSTED = rm.Outcome(column="y"), rm.Outcome(column="y", adjust_for=("before",))


def nobody(level):
    """A third arm, in which somebody did it, keeps the outcome a share; in the pair nobody did."""
    arms = {"none": (300, 0), "mail": (200, 0), "gift": (100, 7)}
    frame = pd.concat(
        [pd.DataFrame({"arm": arm, "did": [1] * did + [0] * (n - did)}) for arm, (n, did) in arms.items()],
        ignore_index=True,
    ).assign(used=lambda d: (d["arm"] == "mail") & (d.index % 3 == 0))
    test = rm.Experiment.from_rows(
        frame, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["did", "used"]
    )
    return next(e for e in rm.differences(test, rm.Outcome(column="did"), **MONEY, level=level) if "mail" in str(e))


def wedge(level):
    rng = np.random.default_rng(8)
    start = rng.permutation(np.resize(np.arange(1, 6), 10))
    on = np.arange(6) >= start[:, None]
    y = rng.normal(size=on.shape) + on
    store, month = np.indices(on.shape)
    values = {"store": store, "month": month, "on": on.astype(int), "y": y}
    frame = pd.DataFrame({name: value.ravel() for name, value in values.items()})
    names = {"cluster": "store", "period": "month", "switched": "on"}
    money = {"terms": rm.Terms(price=10.0), "costs": {"switched stores": rm.Costs(contact=2.0)}}
    rng = np.random.default_rng(0)
    return rm.interventions.stepped_wedge(
        frame, Y, **money, **names, rng=rng, draws=999, level=level, assigned_by="random"
    )


def contracts(function, horizon, level, **money):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"arm": np.repeat(["none", "mail"], 200), "tenure": rng.integers(1, 9, 400), "churned": 1})
    test = rm.contract_experiment(frame, rm.Plan(assigned_by="random", control="none"), arm="arm", time_unit="M")
    return function(test, horizon=horizon, level=level, **money)[0]


PLAIN = {"terms": rm.Terms(price=3.0), "costs": {"mail": rm.Costs(contact=0.1)}}
DESIGNS = {
    "difference": (lambda level: rm.differences(mailing(), Y, **MONEY, level=level)[0], StudentT),
    "CUPED": (lambda level: rm.differences(mailing(), ADJUSTED, **MONEY, level=level)[0], StudentT),
    "Lin": (lambda level: rm.differences(mailing(), ADJUSTED, **MONEY, adjustment="Lin", level=level)[0], StudentT),
    "ratio": (lambda level: rm.differences(mailing(), Y, scale="ratio", level=level)[0], StudentT),
    "nobody": (nobody, Newcombe),
    "compliers": (
        lambda level: rm.interventions.complier_effect(mailing(), Y, **MONEY, received="got", level=level),
        AndersonRubin,
    ),
    "stepped wedge": (wedge, Permutation),
    "retention": (lambda level: contracts(rm.interventions.retention_difference, 3, level), StudentT),
    "before anyone left": (lambda level: contracts(rm.interventions.retention_difference, 0.5, level), Newcombe),
    "time retained": (lambda level: contracts(rm.interventions.rmst_difference, 6, level, **PLAIN), StudentT),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_the_interval_of_another_level_is_that_of_the_design(name):
    design, law = DESIGNS[name]
    row = design(0.95)
    assert type(row.law) is law
    for level in LEVELS:
        other = design(level)
        assert row.interval(level) == pytest.approx((other.lower, other.upper), rel=1e-9)
        assert row.p_value == pytest.approx(other.p_value, rel=1e-9)
        assert row.std_error == other.std_error
        if row.value is not None:
            assert row.value_interval(level) == pytest.approx((other.value_lower, other.value_upper), rel=1e-9)
        assert (row.p_value < 1 - level) == (not other.lower <= other.no_effect <= other.upper)


def test_a_value_without_variance_of_the_gain_sums_two_laws():
    row = nobody(0.95)
    assert type(row.value_law) is IndependentSum
    assert row.value_law.std_error > 3 * row.law.std_error
    assert row.value == pytest.approx(row.value_law.estimate)


def test_the_p_value_of_compliers_is_that_of_the_comparison_as_assigned():
    for seed in range(10):
        test = mailing(rows(seed, n=100 + 50 * seed))
        compliers = rm.interventions.complier_effect(test, Y, received="got")
        assert compliers.p_value == pytest.approx(rm.differences(test, Y)[0].p_value, rel=1e-9)


def test_an_effect_that_is_sure_keeps_its_p_value_where_hardly_anyone_was_moved():
    """One of 400 received: the ratio has no limit, and yet the assignment surely changed the outcome."""
    frame = rows()
    frame["got"] = (frame["arm"] == "mail") & (frame.index == 1)
    frame["y"] += 0.8 * (frame["arm"] == "mail")
    test = mailing(frame)
    compliers, assigned = rm.interventions.complier_effect(test, Y, received="got"), rm.differences(test, Y)[0]
    assert (compliers.lower, compliers.upper) == (-np.inf, np.inf)
    assert compliers.p_value == pytest.approx(assigned.p_value, rel=1e-9)
    assert compliers.p_value < 1e-10
    holm = rm.evidence_table([compliers, assigned]).corrections["holm"]
    assert holm.max() == pytest.approx(2 * assigned.p_value, rel=1e-9)


def test_compliers_among_whom_nobody_did_it_have_an_interval():
    """Newcombe's interval of the shares as assigned, divided by the share who received."""
    did = pd.DataFrame({"arm": ["none", "mail", "gift"] * 100, "did": [0, 0, 1] * 100})
    did["got"] = (did["arm"] == "mail") & (did.index % 2 == 0)
    did.loc[2, "did"] = 0
    test = rm.Experiment.from_rows(
        did, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["did", "got"]
    )
    share = rm.Outcome(column="did")
    row = rm.interventions.complier_effect(test, share, received="got", arm="mail")
    assigned = next(e for e in rm.differences(test, share) if e.intervention == "mail")
    assert row.estimate == 0
    assert (row.lower, row.upper) == pytest.approx((2 * assigned.lower, 2 * assigned.upper))
    assert row.upper > 0
