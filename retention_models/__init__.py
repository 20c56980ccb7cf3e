"""Who is still a customer, what each is worth, and which efforts kept anyone.

The map of the house, from the ground up:

===================  ==========================================================================
``datasets``         real data to learn and test with, and where each comes from
``logs``             what happened: purchases and contracts, read, checked, reduced to what models need
``estimation``       how numbers are found: likelihoods, intervals, quadrature
``btyd``             customers who leave without saying so: BG/NBD, Pareto/NBD and their kin, and what they spend
``survival``         customers who say so: retention curves, sBG, BdW
``requirements``     what a model asks of a table before it is fitted
``fitting``          where frames meet models: ``fit``
``fitted``           what it returns: ``Fit``
``covariates``       what moves customers apart: formulas, coefficients
``what_if``          what new customers would do, and the same with a covariate changed
``prediction``       what to expect of each customer, and of all together
``bootstrapping``    how sure a fit is when its customers are reweighted at random
``contract_models``  which model of contracts a table allows
``triangle``         cohorts by renewals, the empty corner filled
``retention``        how long customers with contracts stay, and who will still be there
``value``            what customers are worth
``evaluation``       whether the forecast came true
``interventions``    what our actions changed: experiments, effects, evidence
``scenario``         simulated businesses whose truth is known
``plots``            a computed frame in, a matplotlib Axes out
``report``           notebooks to self-contained HTML pages
===================  ==========================================================================

The names below are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retention_models.bootstrapping import Bootstrap as Bootstrap
    from retention_models.bootstrapping import bootstrap as bootstrap
    from retention_models.btyd.bgbb import BGBB as BGBB
    from retention_models.btyd.bgnbd import BGNBD as BGNBD
    from retention_models.btyd.cnbd import BGCNBD as BGCNBD
    from retention_models.btyd.cnbd import MBGCNBD as MBGCNBD
    from retention_models.btyd.gammagamma import GammaGamma as GammaGamma
    from retention_models.btyd.mbgnbd import MBGNBD as MBGNBD
    from retention_models.btyd.nbd import NBD as NBD
    from retention_models.btyd.paretonbd import ParetoNBD as ParetoNBD
    from retention_models.checks import Check as Check
    from retention_models.contract_models import fit_contracts as fit_contracts
    from retention_models.datasets import load_cdnow as load_cdnow
    from retention_models.datasets import load_donations as load_donations
    from retention_models.datasets import load_published_experiments as load_published_experiments
    from retention_models.datasets import load_published_retention as load_published_retention
    from retention_models.evaluation.comparison import Comparison as Comparison
    from retention_models.evaluation.comparison import compare as compare
    from retention_models.evaluation.contracts import backtest_retention as backtest_retention
    from retention_models.fitted import Fit as Fit
    from retention_models.fitting import fit as fit
    from retention_models.interventions.campaign import read_campaign as read_campaign
    from retention_models.interventions.comparisons import any_difference as any_difference
    from retention_models.interventions.comparisons import differences as differences
    from retention_models.interventions.comparisons import factorial_effects as factorial_effects
    from retention_models.interventions.comparisons import lifts as lifts
    from retention_models.interventions.comparisons import pairwise as pairwise
    from retention_models.interventions.comparisons import programme_effect as programme_effect
    from retention_models.interventions.contract_arms import contract_test as contract_test
    from retention_models.interventions.contract_outcomes import incremental_value as incremental_value
    from retention_models.interventions.contract_outcomes import share_kept as share_kept
    from retention_models.interventions.contract_outcomes import time_kept as time_kept
    from retention_models.interventions.effect import Effect as Effect
    from retention_models.interventions.encouragement import complier_effect as complier_effect
    from retention_models.interventions.encouragement import naive_effect as naive_effect
    from retention_models.interventions.evidence import Evidence as Evidence
    from retention_models.interventions.evidence import evidence as evidence
    from retention_models.interventions.experiment import Experiment as Experiment
    from retention_models.interventions.experiment import Plan as Plan
    from retention_models.interventions.judgement import e_value as e_value
    from retention_models.interventions.judgement import no_worse_than as no_worse_than
    from retention_models.interventions.lin import lin_differences as lin_differences
    from retention_models.interventions.model_check import purchase_model_check as purchase_model_check
    from retention_models.interventions.money import Costs as Costs
    from retention_models.interventions.money import Money as Money
    from retention_models.interventions.multiplicity import benjamini_hochberg as benjamini_hochberg
    from retention_models.interventions.multiplicity import holm as holm
    from retention_models.interventions.outcome import Outcome as Outcome
    from retention_models.interventions.payback import cost_per_kept as cost_per_kept
    from retention_models.interventions.payback import money_lines as money_lines
    from retention_models.interventions.planning import Clustered as Clustered
    from retention_models.interventions.planning import Mean as Mean
    from retention_models.interventions.planning import Proportion as Proportion
    from retention_models.interventions.planning import Survival as Survival
    from retention_models.interventions.planning import detectable_effect as detectable_effect
    from retention_models.interventions.planning import power_of as power_of
    from retention_models.interventions.planning import sample_size as sample_size
    from retention_models.interventions.prices import Prices as Prices
    from retention_models.interventions.roles import Roles as Roles
    from retention_models.interventions.sequential import look_at as look_at
    from retention_models.interventions.sequential import sequential_bounds as sequential_bounds
    from retention_models.interventions.shop_outcomes import shop_outcomes as shop_outcomes
    from retention_models.interventions.stepped_wedge import stepped_wedge as stepped_wedge
    from retention_models.interventions.verdict import verdict as verdict
    from retention_models.logs.contract_plan import make_contract_plan as make_contract_plan
    from retention_models.logs.contracts import read_contracts as read_contracts
    from retention_models.logs.opportunities import opportunities as opportunities
    from retention_models.logs.plan import make_plan as make_plan
    from retention_models.logs.retention import active_customers as active_customers
    from retention_models.logs.retention import retention_table as retention_table
    from retention_models.logs.summary import check_log_start as check_log_start
    from retention_models.logs.summary import compress as compress
    from retention_models.logs.summary import histories as histories
    from retention_models.logs.summary import summarize as summarize
    from retention_models.logs.tenures import tenure_table as tenure_table
    from retention_models.logs.transactions import Transactions as Transactions
    from retention_models.logs.transactions import read_transactions as read_transactions
    from retention_models.nested import likelihood_ratio as likelihood_ratio
    from retention_models.nested import wald as wald
    from retention_models.pooled import fit_pooled as fit_pooled
    from retention_models.prediction import predict as predict
    from retention_models.prediction import predict_total as predict_total
    from retention_models.regression import fit_covariates as fit_covariates
    from retention_models.retention import cause_curves as cause_curves
    from retention_models.retention import curve_table as curve_table
    from retention_models.retention import forecast_retention as forecast_retention
    from retention_models.retention import survival_curves as survival_curves
    from retention_models.survival.bdw import BetaDiscreteWeibull as BetaDiscreteWeibull
    from retention_models.survival.competing import aalen_johansen as aalen_johansen
    from retention_models.survival.curves import kaplan_meier as kaplan_meier
    from retention_models.survival.homogeneous import DiscreteWeibull as DiscreteWeibull
    from retention_models.survival.homogeneous import Geometric as Geometric
    from retention_models.survival.logrank import log_rank as log_rank
    from retention_models.survival.sbg import ShiftedBetaGeometric as ShiftedBetaGeometric
    from retention_models.survival.segments import TwoSegments as TwoSegments
    from retention_models.triangle import retention_triangle as retention_triangle
    from retention_models.value.contract import contract_value as contract_value
    from retention_models.value.contract import discounted_lifetime as discounted_lifetime
    from retention_models.value.contract import discounted_residual_lifetime as discounted_residual_lifetime
    from retention_models.value.contract import retention_elasticity as retention_elasticity
    from retention_models.value.contract import total_contract_value as total_contract_value
    from retention_models.value.contract_terms import ContractTerms as ContractTerms
    from retention_models.value.purchases import break_even_uplift as break_even_uplift
    from retention_models.value.purchases import customer_value as customer_value
    from retention_models.value.purchases import total_value as total_value
    from retention_models.value.saving import saved_value as saved_value
    from retention_models.value.what_if import marginal_value as marginal_value
    from retention_models.what_if import marginal_effect as marginal_effect
    from retention_models.what_if import predict_new as predict_new

_ROOMS = {
    "bootstrapping": (
        "Bootstrap",
        "bootstrap",
    ),
    "btyd.bgbb": ("BGBB",),
    "btyd.bgnbd": ("BGNBD",),
    "btyd.cnbd": (
        "BGCNBD",
        "MBGCNBD",
    ),
    "btyd.gammagamma": ("GammaGamma",),
    "btyd.mbgnbd": ("MBGNBD",),
    "btyd.nbd": ("NBD",),
    "btyd.paretonbd": ("ParetoNBD",),
    "checks": ("Check",),
    "contract_models": ("fit_contracts",),
    "datasets": (
        "load_cdnow",
        "load_donations",
        "load_published_experiments",
        "load_published_retention",
    ),
    "evaluation.comparison": (
        "Comparison",
        "compare",
    ),
    "evaluation.contracts": ("backtest_retention",),
    "fitted": ("Fit",),
    "fitting": ("fit",),
    "interventions.campaign": ("read_campaign",),
    "interventions.comparisons": (
        "any_difference",
        "differences",
        "factorial_effects",
        "lifts",
        "pairwise",
        "programme_effect",
    ),
    "interventions.contract_arms": ("contract_test",),
    "interventions.contract_outcomes": (
        "incremental_value",
        "share_kept",
        "time_kept",
    ),
    "interventions.effect": ("Effect",),
    "interventions.encouragement": (
        "complier_effect",
        "naive_effect",
    ),
    "interventions.evidence": (
        "Evidence",
        "evidence",
    ),
    "interventions.experiment": (
        "Experiment",
        "Plan",
    ),
    "interventions.judgement": (
        "e_value",
        "no_worse_than",
    ),
    "interventions.lin": ("lin_differences",),
    "interventions.model_check": ("purchase_model_check",),
    "interventions.money": (
        "Costs",
        "Money",
    ),
    "interventions.multiplicity": (
        "benjamini_hochberg",
        "holm",
    ),
    "interventions.outcome": ("Outcome",),
    "interventions.payback": (
        "cost_per_kept",
        "money_lines",
    ),
    "interventions.planning": (
        "Clustered",
        "Mean",
        "Proportion",
        "Survival",
        "detectable_effect",
        "power_of",
        "sample_size",
    ),
    "interventions.prices": ("Prices",),
    "interventions.roles": ("Roles",),
    "interventions.sequential": (
        "look_at",
        "sequential_bounds",
    ),
    "interventions.shop_outcomes": ("shop_outcomes",),
    "interventions.stepped_wedge": ("stepped_wedge",),
    "interventions.verdict": ("verdict",),
    "logs.contract_plan": ("make_contract_plan",),
    "logs.contracts": ("read_contracts",),
    "logs.opportunities": ("opportunities",),
    "logs.plan": ("make_plan",),
    "logs.retention": (
        "active_customers",
        "retention_table",
    ),
    "logs.summary": (
        "check_log_start",
        "compress",
        "histories",
        "summarize",
    ),
    "logs.tenures": ("tenure_table",),
    "logs.transactions": (
        "Transactions",
        "read_transactions",
    ),
    "nested": (
        "likelihood_ratio",
        "wald",
    ),
    "pooled": ("fit_pooled",),
    "prediction": (
        "predict",
        "predict_total",
    ),
    "regression": ("fit_covariates",),
    "retention": (
        "cause_curves",
        "curve_table",
        "forecast_retention",
        "survival_curves",
    ),
    "survival.bdw": ("BetaDiscreteWeibull",),
    "survival.competing": ("aalen_johansen",),
    "survival.curves": ("kaplan_meier",),
    "survival.homogeneous": (
        "DiscreteWeibull",
        "Geometric",
    ),
    "survival.logrank": ("log_rank",),
    "survival.sbg": ("ShiftedBetaGeometric",),
    "survival.segments": ("TwoSegments",),
    "triangle": ("retention_triangle",),
    "value.contract": (
        "contract_value",
        "discounted_lifetime",
        "discounted_residual_lifetime",
        "retention_elasticity",
        "total_contract_value",
    ),
    "value.contract_terms": ("ContractTerms",),
    "value.purchases": (
        "break_even_uplift",
        "customer_value",
        "total_value",
    ),
    "value.saving": ("saved_value",),
    "value.what_if": ("marginal_value",),
    "what_if": (
        "marginal_effect",
        "predict_new",
    ),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
