"""What results, settings and notebooks show: short forms with rounded numbers, the same on every processor.

The public doors are the promised names of the package, ``evaluation``, ``plots`` and ``scenario``, and what the
notebooks import. Every dataclass that a function behind one of them takes or returns, and every one that such a class
holds or returns in turn, must be shown below by a real instance.
"""

import dataclasses
import html
import inspect
import json
import pickle
import re
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models import scenario
from retention_models.btyd.erlang import ErlangBuyer
from retention_models.btyd.purchase_model import PositiveParameters
from retention_models.core.formatting import Presentation
from retention_models.fitting.model_selection import select_contract_model
from retention_models.fitting.uncertainty import uncertainty_of
from retention_models.interventions.campaign.read import read_campaign
from retention_models.interventions.designs.adjustment import nuisance_of
from retention_models.interventions.effects.derived_laws import IndependentSum, Linear, RepeatedLooks
from retention_models.interventions.effects.laws import Newcombe, Permutation
from retention_models.interventions.effects.ratio_laws import AndersonRubin, Fieller
from retention_models.survival.contract_model import RetentionModel
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
IN_TEXT, ON_PAGES = 6, 3  # significant digits
DUMPS = re.compile(r"datetime\.date\(|\barray\(|np\.\w+\(|Timestamp\(|object at 0x")
NUMBER = r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.]*\w)"
INTERVAL = re.compile(rf"(?:({NUMBER}) \()?({NUMBER})(?: to (?:[A-Z]+ )?| … )({NUMBER})")


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


def doors():
    """Every function and class behind the public doors."""
    for module in (rm, *(getattr(rm, name) for name in rm.__all__ if inspect.ismodule(getattr(rm, name)))):
        yield from (getattr(module, name) for name in getattr(module, "__all__", ()))


def cells(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def classes_in(hint):
    if isinstance(hint, type) and hint.__module__.startswith("retention_models") and dataclasses.is_dataclass(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from classes_in(part)


def hints_of(cls):
    """The hints of a class's fields, and of what its public methods and properties return."""
    hints = typing.get_type_hints(cls)
    yield from (hints[field.name] for field in dataclasses.fields(cls))
    for name, member in inspect.getmembers(cls):
        function = member.fget if isinstance(member, property) else getattr(member, "func", member)
        if not name.startswith("_") and (inspect.isfunction(function) or inspect.ismethod(function)):
            yield typing.get_type_hints(function).get("return")


def public_classes():
    """Every dataclass that the public doors lead to."""
    found, waiting = set(), []
    for thing in doors():
        hints = typing.get_type_hints(thing).values() if inspect.isfunction(thing) else [thing]
        waiting += [cls for hint in hints for cls in classes_in(hint)]
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.add(cls)
            waiting += [other for hint in hints_of(cls) for other in classes_in(hint)]
    return found


PUBLIC = public_classes()
PARAMETRIC = (PositiveParameters, RetentionModel)  # models show as they are written


def of_purchases():
    rng = np.random.default_rng(1)
    shop = rm.ParetoNBD(r=1.05, alpha=10.61234567, s=1.0, beta=30.0)
    orders = shop.simulate_transactions(np.full(300, 52.0), rng, start="2024-01-01", time_unit="W").assign(amount=1.5)
    log = rm.read_transactions(orders)
    netted = rm.read_transactions(pd.concat([orders, orders.tail(5).assign(amount=-0.5)]))
    customers = rm.summarize(log, time_unit="W").assign(web=lambda frame: np.arange(len(frame)) % 2)
    fits = {"NBD": rm.fit(rm.NBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    web = rm.fit(rm.BGNBD, customers, purchase_covariates="web")
    comparison = rm.compare(fits, customers, replicates=0)
    backtest = rm.evaluation.backtest(log, rm.BGNBD, rm.Terms(horizon=13, time_unit="W"))
    past = backtest.past_errors
    models = [
        rm.BGBB(1.2, 0.75, 0.66, 2.78), rm.BGNBD(0.243, 4.41, 0.793, 2.43), rm.BGCNBD(0.2, 4.4, 0.8, 2.4, 2),
        rm.MBGNBD(0.525, 6.18, 0.891, 1.61), rm.MBGCNBD(0.5, 6.2, 0.9, 1.6, 2), rm.NBD(0.385, 12.07),
        rm.GammaGamma(6.25, 3.74, 15.4), rm.ParetoNBD(0.553312345678, np.array([10.5, 11.5]), 0.606, 11.7),
        ErlangBuyer(1.0, 2.0, 3.0, 4.0, 2, 0.5), rm.BGBB.limits[0],
    ]  # fmt: skip
    return [
        *models, log, netted, netted.returns, rm.logs.choose_settings(log), web, web.covariate_terms,
        *web.covariate_terms.designs.values(), uncertainty_of(web).read(customers),
        *web.covariate_terms.by_link(rm.BGNBD, web.covariate_terms.blocks(customers)),
        comparison, *comparison.tests.values(), rm.bootstrap(fits["NBD"], customers, replicates=5, rng=rng),
        rm.Terms(margin=0.3, annual_discount_rate=0.15, currency="USD"), backtest, past, past.counts,
    ]  # fmt: skip


def of_contracts():
    business = scenario.subscriptions(np.random.default_rng(6), customers=600)
    settings = rm.logs.choose_settings(business.contracts, start="start", cause="cause", covariates=["plan"])
    curves = rm.fitting.survival_curves(settings.spells, by="plan")
    kept = rm.retention_table(settings.spells, period="M", by="plan")
    whole = rm.fitting.cause_curves(settings.spells)["all"]
    covariates = rm.fit(rm.ShiftedBetaGeometric, kept, churn_covariates="plan")
    together = rm.logs.with_events(rm.retention_table(settings.spells, period="M"))
    months = rm.fit(rm.ShiftedBetaGeometric, together, calendar_covariates="month").covariate_terms.months
    figure = rm.narrative.KeyFigure("Value", "EUR 7", "EUR 5 to EUR 9")
    tenures = pd.DataFrame({"months": [1.0, 9.0, 9.0, np.nan], "left": [1, 0, 1, 0], "why": ["price", "", "", ""]})
    columns = {"tenure": "months", "churned": "left", "cause": "why", "max_set_aside": 0.25}
    of_tenures = rm.logs.choose_settings(tenures, **columns, sampling="window", observation_end="2024-06-30")
    arms = pd.DataFrame({"arm": ["none", "call"] * 8, "tenure": range(1, 17), "churned": [1, 0, 1, 1] * 4})
    calls = rm.contract_experiment(arms, rm.Plan(assigned_by="random", control="none"), arm="arm", time_unit="M")
    return [
        business, scenario.Rules(), settings, settings.spells, *curves.values(), rm.survival.log_rank(curves), whole,
        of_tenures, of_tenures.spells, months, figure,
        rm.narrative.Answer(headline="Plan with less.", figures=(figure,)),
        whole.overall.restricted_mean(200), whole.overall.quantile(0.25), select_contract_model(kept), covariates,
        calls, calls.cells[0],
        rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=119.95, horizon=5),
        rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M", currency="EUR"),
        rm.ShiftedBetaGeometric(0.916, 12.1), Geometric(0.0448),
        rm.BetaDiscreteWeibull(0.876, 11.8, 1.01), DiscreteWeibull(0.05, 0.9), rm.survival.TwoSegments(0.7, 0.1, 0.4),
        rm.survival.FlooredBetaGeometric(0.7, 1.2, 0.03),
    ]  # fmt: skip


def laws(plain):
    """Every law that an effect can carry."""
    shares = Newcombe((0.123456789, 100), (0.0, 90))
    orders = Permutation(0.123456789, 0.05, (-np.inf, 0.01), (0.2, np.inf))
    ratio = {"numerator": 0.123456789, "denominator": 0.5, "numerator_variance": 0.1, "denominator_variance": 0.2}
    fieller, anderson_rubin = Fieller(**ratio, covariance=0.01), AndersonRubin(**ratio, covariance=0.01, df=12.3456789)
    return [
        plain, fieller, fieller.confidence_set(0.9), anderson_rubin, shares, orders, Linear(orders, 2.0, -0.123456789),
        IndependentSum(plain, shares), RepeatedLooks(plain, (0.123456789, 1.0)),
    ]  # fmt: skip


def of_tests():
    rng = np.random.default_rng(2)
    model = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
    shop = scenario.retail(model, rng, customers=2_000, new_customers=100)
    rows = shop.mailing.rows.assign(bought=lambda frame: rng.random(len(frame)) < 0.2, spent=rng.gamma(2, 9, 2_000))
    roles = {"arm": "arm", "outcome": ["bought"], "amount": "spent", "received": "received", "redeemed": "redeemed"}
    prices = stated(margin=0.4, cost=0.15, redemption_cost=5.0, currency="USD")
    campaign = read_campaign(rows, **roles, **prices, control="none", assigned_by="random")
    test, bought = (
        campaign.experiment,
        rm.Outcome(column="bought", unit="share of customers", horizon=56, time_unit="D"),
    )
    costs = {"coupon": rm.Costs(contact=0.15)}
    effects = rm.differences(test, bought, rm.Terms(price=3.0, currency="USD"), costs=costs)
    days = {"horizon_days": 56, "offer_days": 14}
    over_time = rm.interventions.differences_over_time(shop.transactions, shop.mailing.rows, test.plan, **days)
    business = scenario.company(model, 3, customers=400, new_customers=100)
    register = rm.read_register(business.efforts, as_of="2026-01-31", currency="EUR").add(effects)
    offers = rm.interventions.allocate_offers([1.0, 2.0], rng.gamma(2.0, 1.0, (9, 2)), 7.0)
    stores = scenario.chain(3, stores=8, customers=300)
    panel = rm.interventions.event_panel(stores.transactions, panel_unit="store")
    rolled = rm.difference_in_differences(
        panel, stores.launches, panel_unit="store", outcome="orders", assigned_by="rule"
    )
    club = scenario.club(3, customers=300, weeks=60, horizon_weeks=4)
    joined = rm.target_trials(
        club.transactions, club.joins, kind="membership", terms=rm.Terms(horizon=4, time_unit="W")
    )
    adjusted = nuisance_of(
        joined._comparison.compared(joined._comparison.rows, joined._comparison.main_design, "as_joined"), "treated"
    )
    of_efforts = [
        rm.read_contacts(stores.transactions.assign(kind="visit")),
        rolled._averages,
        rolled._averages.group_time,
        stores,
        rolled,
        rolled.panel,
        business,
        joined,
        joined._comparison,
        joined._comparison.log,
        joined._comparison.log.known,
        joined._comparison.log.events,
        joined._comparison.occasions,
        joined._comparison.rows,
        joined._comparison.measures["orders"],
        joined._comparison.main_design,
        joined._comparison.censoring,
        joined._comparison.compared(joined._comparison.rows, joined._comparison.main_design, "as_joined"),
        joined._comparison.found("as_joined"),
        adjusted.propensity,
        club,
        register,
        register.measurements[0],
        offers,
        rm.allocate_budget(register, 50_000, draws=5),
    ]
    designs = [rm.interventions.Proportion(0.1), rm.interventions.Mean(20.123456789), rm.interventions.Survival(0.2)]
    designs += [rm.interventions.Ratio(60.0, 80.0, 1.5, 1.6, 0.8)]
    return [
        shop, shop.mailing, scenario.Arm(gain=0.1), campaign.roles, campaign, test, test.plan, test.rows, test.cells[0],
        test.arm_means("coupon"), test.checks[0], bought, costs["coupon"], *effects, rm.evidence_table(effects),
        over_time, rm.interventions.any_difference(test, bought), rm.interventions.interim_look(effects[0], [0.5]),
        rm.interventions.cost_per_retained(test, bought, costs, arm="coupon"), *designs, *laws(effects[0].law),
        rm.interventions.Clustered(designs[0], 20, 0.05),
        rm.assign(pd.DataFrame({"customer_id": range(90)}), {"none": 1, "mail": 2}, rng=1), *of_efforts,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def instances():
    return [*of_purchases(), *of_contracts(), *of_tests()]


def test_every_public_class_is_shown_here(instances):
    missing = PUBLIC - {type(instance) for instance in instances}
    assert not missing, sorted(cls.__qualname__ for cls in missing)


def test_every_public_class_has_the_one_mechanism():
    assert not [cls.__qualname__ for cls in PUBLIC if not issubclass(cls, Presentation)]


def test_short_forms_are_short_and_rounded(instances):
    for instance in instances:
        text = repr(instance)
        assert str([instance]) == f"[{text}]"
        assert text.count("\n") < 25, text
        assert not faults(text, IN_TEXT, dumps=not isinstance(instance, PARAMETRIC)), text
        page = plain(instance._repr_html_())
        assert not faults(page, ON_PAGES, dumps=not isinstance(instance, PARAMETRIC)), page


def test_short_forms_leave_equality_and_pickling_as_they_were():
    settings = rm.Costs(contact=0.02, redemption=5.0, redemptions="used")
    assert pickle.loads(pickle.dumps(settings)) == settings != rm.Costs(contact=0.02)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.contact = 1.0


def test_pages_show_names_as_text():
    assert rm.Outcome(column="<b>")._repr_html_() == "<p>Outcome: column = &lt;b&gt;</p>"
    assert "<b>" not in rm.Check("<b>", None, detail="<b>")._repr_html_()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_show_no_dump_and_no_digit_too_many(path):
    wrong = []
    for number, cell in enumerate(cells(path)):
        for output in cell["outputs"]:
            data = output.get("data", {})
            text = output.get("text", data.get("text/plain", ""))
            wrong += [(number, "text", fault) for fault in faults("".join(text), IN_TEXT)]
            wrong += [(number, "page", fault) for fault in faults(plain("".join(data.get("text/html", ""))), ON_PAGES)]
    assert not wrong


def plain(page):
    """The text of HTML, a cell of a table apart from the next one."""
    return html.unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL))


def faults(text, digits, *, dumps=True):
    """Dumps of objects, and numbers with too many digits, in a text."""
    names = "|".join(cls.__name__ for cls in PUBLIC if not issubclass(cls, PARAMETRIC))
    dumped = re.findall(rf"\b(?:{names})\(\w+=", text) if dumps else []
    shared = {place for found in INTERVAL.finditer(text) for place in together(found)}
    numbers = [found for found in re.finditer(NUMBER, text) if found.start() not in shared]
    return [*dumped, *DUMPS.findall(text), *(n[0] for n in numbers if significant(n[0]) > digits)]


def together(interval):
    """Where the numbers of an interval stand whose decimals one digit of the smallest of them asks for."""
    numbers = {interval.start(i): interval[i] for i in (1, 2, 3) if interval[i]}
    smallest = min(filter(None, map(significant, numbers.values())), default=0)
    return set(numbers) if smallest == 1 else set()


def significant(number):
    """How many digits of a number mean something; a whole number is as long as it is. Ids, hashes and dates are none.

    A hash is letters and digits in one, a date has hyphens: neither looks like a number here. The 0 of 13.40 only fills
    up the cents of an amount of three digits.
    """
    mantissa = number.split("e")[0].replace(",", "").lstrip("-")
    mantissa = mantissa[:-1] if re.fullmatch(r"\d\d\.\d0", mantissa) else mantissa
    return len(mantissa.replace(".", "").lstrip("0")) if "." in mantissa else 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Look(number=1, z=2.0)", ["Look(number="]),
        ("[datetime.date(2024, 1, 1)]", ["datetime.date("]),
        ("array([1., 2.]) and np.float64(1.5)", ["array(", "np.float64("]),
        ("statistic 73.4635 on 2024-12-28, sha256 932e9b8a464a, 2,807,123 customers", ["73.4635"]),
        ("1.03e-17, 0.00123, 36.5 and 12.34", ["12.34"]),
        ("0.01007 (0.00003 to 0.02011)", []),
        ("0.0107 (0.0123 to 0.1234)", ["0.1234"]),
    ],
)
def test_faults_are_found(text, wrong):
    assert faults(text, ON_PAGES) == wrong
