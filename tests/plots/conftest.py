import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models import plots

DRAWN = [
    (plots.plot_tracking, "tracked"),
    (plots.plot_by_frequency, "by_frequency"),
    (plots.plot_pit, "pit"),
    (plots.plot_history_matrix, "matrix"),
    (plots.plot_alive_history, "alive"),
    (plots.plot_retention, "retention"),
    (plots.plot_concentration, "lorenz"),
    (plots.plot_segments, "segments"),
    (plots.plot_segment_shares, "counted_segments"),
    (plots.plot_parameters, "parameters"),
    (plots.plot_periods, "periods"),
    (plots.plot_waiting, "waiting"),
    (plots.plot_season, "season"),
    (plots.plot_survival, "curves"),
    (plots.plot_causes, "causes"),
    (plots.plot_evidence, "effects"),
    (plots.plot_values, "effects"),
    (plots.plot_over_time, "over_time"),
    (plots.plot_projections, "projected"),
    (plots.plot_triangle, "triangle"),
    (plots.plot_remaining, "remaining"),
    (plots.plot_churn_by_month, "churn_by_month"),
    (plots.plot_earlier_forecasts, "earlier_forecasts"),
    (plots.plot_reliability, "reliability"),
    (plots.plot_money, "money"),
    (plots.plot_action_map, "action_map"),
    (plots.plot_efforts, "evidence_of_efforts"),
    (plots.plot_effort_costs, "effort_costs"),
    (plots.plot_effort_calendar, "effort_calendar"),
    (plots.plot_allocation, "allocation"),
    (plots.plot_event_study, "event_study"),
    (plots.plot_trials, "trial_curves"),
    (plots.plot_balance, "balance"),
]


@pytest.fixture(params=DRAWN, ids=[draw.__name__ for draw, _ in DRAWN])
def drawing(request):
    draw, frame = request.param
    return draw, request.getfixturevalue(frame)


@pytest.fixture
def every_plot():
    return [draw.__name__ for draw, _ in DRAWN]


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def tracked():
    start = pd.date_range("2024-01-01", periods=6, freq="7D")
    frame = pd.DataFrame(
        {
            "start": start,
            "end": start + pd.Timedelta(7, "D"),
            "complete": [True] * 5 + [False],
            "holdout": [False] * 3 + [True] * 3,
            "actual": [0, 9, 14, 12, 11, 3],
            "Pareto/NBD": [2.0, 8.0, 13.0, 12.5, 12.0, 4.0],
            "BG/NBD": [2.5, 8.5, 12.0, 11.5, 11.0, 3.5],
        },
        index=pd.RangeIndex(1, 7, name="period"),
    )
    names = ["actual", "Pareto/NBD", "BG/NBD"]
    frame[[f"{name}_cumulative" for name in names]] = frame[names].cumsum()
    frame.attrs["period"] = "week"
    return frame


@pytest.fixture
def by_frequency():
    return pd.DataFrame(
        {
            "customers": [1411, 439, 64],
            "actual": [0.24, 0.70, 6.36],
            "Pareto/NBD": [0.14, 0.6, 6.4],
            "BG/NBD": [0.23, 0.52, 6.2],
        },
        index=pd.Index(["0", "1", "2+"], name="frequency"),
    )


@pytest.fixture
def matrix():
    frequency, recency = (grid.ravel() for grid in np.meshgrid(np.arange(1, 6), np.linspace(3, 39, 13)))
    alive = 1 / (1 + np.exp(-(recency / 6 - frequency / 2)))
    frame = pd.DataFrame({"frequency": frequency, "recency": recency, "probability_alive": alive})
    frame["expected_purchases"] = frame["probability_alive"] * frequency
    frame.attrs.update(T=39.0, horizon=39.0, time_unit="weeks")
    return frame


@pytest.fixture
def alive():
    date = pd.date_range("2024-01-01", periods=10, freq="7D")
    frame = pd.DataFrame({"date": date, "probability_alive": np.linspace(1, 0.4, 10), "purchase": [True, False] * 5})
    frame.attrs["customer_id"] = "$17$ & <b>"
    return frame


@pytest.fixture
def retention():
    rows = [
        (f"2024-0{1 + cohort}", age, 100, 100 - 20 * age, 1 - age / 5)
        for cohort in range(4)
        for age in range(5 - cohort)
    ]
    frame = pd.DataFrame(rows, columns=["cohort", "age", "customers", "active", "share"])
    frame.attrs["period"] = "month"
    return frame


@pytest.fixture
def segments():
    return pd.DataFrame(
        {"value": [120.0, 80.0], "value_lower": [100.0, 70.0], "value_upper": [140.0, 90.0]},
        index=pd.Index(["$loyal$ <i>", "at risk"], name="segment"),
    )


@pytest.fixture
def counted_segments(segments):
    return segments.assign(customers=[10, 40])


@pytest.fixture
def parameters():
    table = pd.DataFrame(
        {"estimate": [0.55, 10.6], "std_error": [0.05, 0.8], "lower": [0.47, 9.0], "upper": [0.66, 12.4]}
    )
    return table.set_axis(pd.Index(["r", "alpha"], name="parameter"))


@pytest.fixture
def pit():
    lower = np.arange(10) / 10
    return pd.DataFrame({"lower": lower, "upper": lower + 0.1, "share": 0.1, "density": np.linspace(0.9, 1.1, 10)})


@pytest.fixture
def lorenz():
    share = np.linspace(0, 1, 101)
    return pd.DataFrame({"customers": share, "value": np.sqrt(share)})


@pytest.fixture
def periods():
    frame = pd.DataFrame(
        {"new_customers": [50, 30, 20, 5], "repeat_purchases": [0, 20, 30, 10], "complete": [True, True, True, False]},
        index=pd.Index(["2024-01", "2024-02", "2024-03", "2024-04"], name="period"),
    )
    return frame.assign(purchases=frame["new_customers"] + frame["repeat_purchases"])


@pytest.fixture
def waiting():
    days = pd.RangeIndex(1, 101, name="days")
    return pd.DataFrame({"second purchase": 0.5 * np.linspace(0, 1, 100), "$next$": np.linspace(0.1, 1, 100)}, days)


@pytest.fixture
def season():
    index = pd.Index(["Monday", "Tuesday", "Wednesday"], name="weekday")
    return pd.DataFrame({"days": 10, "relative": [1.2, 0.9, 0.9]}, index=index)


@pytest.fixture
def curves():
    survival = [1.0, 0.8, 0.5, 1.0, 0.9, 0.7]
    frame = pd.DataFrame({"group": ["$a$"] * 3 + ["<b>"] * 3, "tenure": [0.0, 1.0, 2.0] * 2, "survival": survival})
    frame["at_risk"] = [100.0, 100.0, 80.0, 1200.0, 1200.0, 1080.0]
    return frame.assign(
        survival_lower=lambda f: f["survival"] - 0.05, survival_upper=lambda f: f["survival"].clip(upper=0.95) + 0.05
    )


@pytest.fixture
def causes():
    incidence = [0.0, 0.1, 0.3, 0.0, 0.1, 0.2]
    frame = pd.DataFrame({"group": "all", "cause": ["$price$"] * 3 + ["<i>"] * 3, "tenure": [0.0, 1.0, 2.0] * 2})
    frame["at_risk"] = [100.0, 100.0, 80.0] * 2
    return frame.assign(incidence=incidence, incidence_lower=incidence, incidence_upper=incidence)


@pytest.fixture(scope="session")
def effects():
    """Effects of one kind that have a value."""
    cards = pd.DataFrame({"arm": ["none", "card"], "n": [150, 150], "completed": [28, 51]})
    test = rm.Experiment.from_counts(cards, rm.Plan(assigned_by="random", control="none"), outcome="completed")
    return rm.evidence_table(rm.differences(test, rm.Outcome(column="completed"), rm.Terms(price=3.0))).table


@pytest.fixture
def contracts():
    return pd.DataFrame({"cohort": "2021", "tenure": [1, 2], "at_risk": [1000, 631], "lost": [369, 163]})


@pytest.fixture
def projected(contracts):
    return rm.evaluation.projections(contracts, renewals=1)


@pytest.fixture
def triangle(contracts):
    return rm.forecast.retention_triangle(rm.fit(rm.ShiftedBetaGeometric, contracts), contracts, renewals=3)


@pytest.fixture
def remaining(contracts):
    today = pd.DataFrame({"tenure": [1, 2], "weight": [560, 468]})
    return rm.forecast_retention(rm.fit(rm.ShiftedBetaGeometric, contracts), today, renewals=4)


@pytest.fixture
def churn_by_month():
    months = pd.period_range("2022-01", periods=18, freq="M").astype(str)
    churn, events = np.linspace(0.09, 0.03, 18), ["", "<b>$x$</b>", "<b>$x$</b>", *[""] * 15]
    frame = pd.DataFrame({"at_risk": 500, "lost": 30, "churn": churn + 0.01, "expected": churn}, index=months)
    return frame.assign(chance=0.01, event=events).rename_axis("calendar")


@pytest.fixture
def earlier_forecasts():
    frame = pd.DataFrame({"actual": [630, 1121], "expected": [649.0, 1049.6], "survivors_lower": [550, 985]})
    return frame.assign(survivors_upper=[727, 1113]).set_axis(["2021-12-28", "2022-12-28"]).rename_axis("origin")


@pytest.fixture
def reliability():
    frame = pd.DataFrame({"probability_alive": [0.05, 0.2], "came_back": [0.43, 0.25], "came_back_lower": [0.25, 0.1]})
    return frame.assign(came_back_upper=[0.63, 0.4], refuted=[True, False]).set_axis([0.1, 0.3]).rename_axis("at_most")


@pytest.fixture
def money():
    lines = [("$a$", "gross gain", 0.8), ("$a$", "contacts", -0.15), ("$a$", "redemptions", -0.4)]
    lines += [("$a$", "subsidised purchases", -0.3), ("$a$", "net value", 0.25), ("b", "gross gain", 0.1)]
    lines += [("b", "contacts", -0.2), ("b", "net value", -0.1)]
    frame = pd.DataFrame(lines, columns=["arm", "line", "amount"]).set_index(["arm", "line"])
    frame.attrs["currency"] = "EUR"
    return frame


@pytest.fixture
def action_map():
    frame = pd.DataFrame({"chance": np.linspace(0, 1, 40), "value": np.geomspace(1, 200, 40)})
    frame.attrs |= {"label": "chance to buy again", "unit": "EUR", "best_fifth": 70.0}
    return frame


@pytest.fixture
def over_time():
    index = pd.MultiIndex.from_product([["$mail$", "<call>"], range(29)], names=["arm", "day"])
    difference = np.concatenate([np.minimum(np.arange(29), 28 - np.arange(29)) / 100, np.arange(29) / 300])
    frame = pd.DataFrame({"difference": difference}, index=index)
    frame = frame.assign(difference_lower=difference - 0.04, difference_upper=difference + 0.04)
    frame.attrs.update(unit="purchases per customer", offer_days=14, level=0.95)
    return frame


@pytest.fixture
def register():
    kinds = {"letter": "print", "$club$ <i>": "loyalty programme", "join": "points"}
    efforts = pd.DataFrame({"effort": list(kinds), "kind": list(kinds.values()), "reach": 100, "cost_per_contact": 1.0})
    efforts = efforts.assign(started="2025-01-01", ends=["2026-12-31", None, None], review_date="2026-09-01")
    row = {
        "intervention": "letter", "outcome": "margin", "unit": "EUR per customer", "estimand": "difference in means",
        "scale": "difference", "estimate": 1.0, "std_error": 0.2, "population": "all", "n": 1_000, "cost": 1.0,
        "value": 1.0, "value_lower": 0.6, "value_upper": 1.4,
    }  # fmt: skip
    register = rm.read_register(efforts, as_of="2026-06-30", currency="EUR").add(rm.Effect(**row, assigned_by="random"))
    return register.add(rm.Effect(**row | {"intervention": "join"}, assigned_by="choice"))


@pytest.fixture
def evidence_of_efforts(register):
    return register.evidence


@pytest.fixture
def effort_costs(register):
    return register.money()


@pytest.fixture
def effort_calendar(register):
    return register.calendar


@pytest.fixture
def allocation(register):
    return rm.allocate_budget(register, 500, draws=5).table


@pytest.fixture
def event_study():
    rng = np.random.default_rng(1)
    rows = [(u, t, 50 + rng.normal() + 6 * (u < 8 and t >= 6)) for u in range(16) for t in range(12)]
    panel = pd.DataFrame(rows, columns=["store", "period", "orders"])
    launches = dict.fromkeys(range(8), 6)
    rolled = rm.difference_in_differences(panel, launches, panel_unit="store", outcome="orders", assigned_by="rule")
    return rolled.event_study(bins=4)


@pytest.fixture(scope="session")
def trials():
    shop = rm.scenario.club(2, customers=600)
    return rm.target_trials(shop.transactions, shop.joins, kind="membership")


@pytest.fixture
def trial_curves(trials):
    return trials.curves()


@pytest.fixture
def balance(trials):
    return trials.balance()
