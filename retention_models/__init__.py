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

from retention_models.core.version import __version__ as __version__

if TYPE_CHECKING:
    from retention_models.btyd.bgbb import BGBB as BGBB
    from retention_models.btyd.bgnbd import BGNBD as BGNBD
    from retention_models.btyd.cnbd import BGCNBD as BGCNBD
    from retention_models.btyd.cnbd import MBGCNBD as MBGCNBD
    from retention_models.btyd.gammagamma import GammaGamma as GammaGamma
    from retention_models.btyd.mbgnbd import MBGNBD as MBGNBD
    from retention_models.btyd.nbd import NBD as NBD
    from retention_models.btyd.paretonbd import ParetoNBD as ParetoNBD
    from retention_models.core.check import Check as Check
    from retention_models.datasets import load_cdnow as load_cdnow
    from retention_models.datasets import load_donations as load_donations
    from retention_models.datasets import load_published_experiments as load_published_experiments
    from retention_models.datasets import load_published_retention as load_published_retention
    from retention_models.evaluation.backtest_contracts import backtest_retention as backtest_retention
    from retention_models.evaluation.comparison import Comparison as Comparison
    from retention_models.evaluation.comparison import compare as compare
    from retention_models.fitting.calendar_covariates import fit_covariates as fit_covariates
    from retention_models.fitting.estimate import fit as fit
    from retention_models.fitting.model_selection import fit_contracts as fit_contracts
    from retention_models.fitting.model_tests import likelihood_ratio as likelihood_ratio
    from retention_models.fitting.model_tests import wald as wald
    from retention_models.fitting.pooled import fit_pooled as fit_pooled
    from retention_models.fitting.resampling import Bootstrap as Bootstrap
    from retention_models.fitting.resampling import bootstrap as bootstrap
    from retention_models.fitting.result import Fit as Fit
    from retention_models.fitting.spell_curves import cause_curves as cause_curves
    from retention_models.fitting.spell_curves import survival_curves as survival_curves
    from retention_models.forecast.customers import predict as predict
    from retention_models.forecast.customers import predict_total as predict_total
    from retention_models.forecast.marginal_effects import marginal_effect as marginal_effect
    from retention_models.forecast.marginal_effects import predict_new as predict_new
    from retention_models.forecast.retention import forecast_retention as forecast_retention
    from retention_models.forecast.retention import retention_triangle as retention_triangle
    from retention_models.interventions.arms.cost_breakdown import cost_per_kept as cost_per_kept
    from retention_models.interventions.arms.cost_breakdown import money_lines as money_lines
    from retention_models.interventions.arms.costs import Costs as Costs
    from retention_models.interventions.arms.costs import Money as Money
    from retention_models.interventions.arms.experiment import Experiment as Experiment
    from retention_models.interventions.arms.experiment import Plan as Plan
    from retention_models.interventions.arms.outcome import Outcome as Outcome
    from retention_models.interventions.campaign.columns import Roles as Roles
    from retention_models.interventions.campaign.prices import Prices as Prices
    from retention_models.interventions.campaign.read import read_campaign as read_campaign
    from retention_models.interventions.designs.arm_differences import any_difference as any_difference
    from retention_models.interventions.designs.arm_differences import differences as differences
    from retention_models.interventions.designs.arm_differences import factorial_effects as factorial_effects
    from retention_models.interventions.designs.arm_differences import lifts as lifts
    from retention_models.interventions.designs.arm_differences import pairwise as pairwise
    from retention_models.interventions.designs.arm_differences import programme_effect as programme_effect
    from retention_models.interventions.designs.contract_arms import contract_test as contract_test
    from retention_models.interventions.designs.contracts import incremental_value as incremental_value
    from retention_models.interventions.designs.contracts import share_kept as share_kept
    from retention_models.interventions.designs.contracts import time_kept as time_kept
    from retention_models.interventions.designs.encouragement import complier_effect as complier_effect
    from retention_models.interventions.designs.encouragement import naive_effect as naive_effect
    from retention_models.interventions.designs.lin import lin_differences as lin_differences
    from retention_models.interventions.designs.stepped_wedge import stepped_wedge as stepped_wedge
    from retention_models.interventions.effects.effect import Effect as Effect
    from retention_models.interventions.effects.multiplicity import benjamini_hochberg as benjamini_hochberg
    from retention_models.interventions.effects.multiplicity import holm as holm
    from retention_models.interventions.effects.sensitivity import e_value as e_value
    from retention_models.interventions.effects.sensitivity import no_worse_than as no_worse_than
    from retention_models.interventions.effects.table import Evidence as Evidence
    from retention_models.interventions.effects.table import evidence as evidence
    from retention_models.interventions.outcomes.model_check import purchase_model_check as purchase_model_check
    from retention_models.interventions.outcomes.purchases import shop_outcomes as shop_outcomes
    from retention_models.interventions.planning.power import Clustered as Clustered
    from retention_models.interventions.planning.power import Mean as Mean
    from retention_models.interventions.planning.power import Proportion as Proportion
    from retention_models.interventions.planning.power import Survival as Survival
    from retention_models.interventions.planning.power import detectable_effect as detectable_effect
    from retention_models.interventions.planning.power import power_of as power_of
    from retention_models.interventions.planning.power import sample_size as sample_size
    from retention_models.interventions.planning.sequential import look_at as look_at
    from retention_models.interventions.planning.sequential import sequential_bounds as sequential_bounds
    from retention_models.logs.contracts.log import read_contracts as read_contracts
    from retention_models.logs.contracts.retention import active_customers as active_customers
    from retention_models.logs.contracts.retention import retention_table as retention_table
    from retention_models.logs.contracts.settings import make_contract_plan as make_contract_plan
    from retention_models.logs.contracts.snapshot import tenure_table as tenure_table
    from retention_models.logs.transactions.log import Transactions as Transactions
    from retention_models.logs.transactions.log import read_transactions as read_transactions
    from retention_models.logs.transactions.opportunities import opportunities as opportunities
    from retention_models.logs.transactions.settings import make_plan as make_plan
    from retention_models.logs.transactions.summary import check_log_start as check_log_start
    from retention_models.logs.transactions.summary import compress as compress
    from retention_models.logs.transactions.summary import histories as histories
    from retention_models.logs.transactions.summary import summarize as summarize
    from retention_models.narrative.campaign import verdict as verdict
    from retention_models.survival.bdw import BetaDiscreteWeibull as BetaDiscreteWeibull
    from retention_models.survival.competing import aalen_johansen as aalen_johansen
    from retention_models.survival.curves import curve_table as curve_table
    from retention_models.survival.curves import kaplan_meier as kaplan_meier
    from retention_models.survival.homogeneous import DiscreteWeibull as DiscreteWeibull
    from retention_models.survival.homogeneous import Geometric as Geometric
    from retention_models.survival.logrank import log_rank as log_rank
    from retention_models.survival.sbg import ShiftedBetaGeometric as ShiftedBetaGeometric
    from retention_models.survival.two_segments import TwoSegments as TwoSegments
    from retention_models.value.break_even import break_even_uplift as break_even_uplift
    from retention_models.value.contracts import contract_value as contract_value
    from retention_models.value.contracts import discounted_lifetime as discounted_lifetime
    from retention_models.value.contracts import discounted_residual_lifetime as discounted_residual_lifetime
    from retention_models.value.contracts import retention_elasticity as retention_elasticity
    from retention_models.value.contracts import total_contract_value as total_contract_value
    from retention_models.value.customer import customer_value as customer_value
    from retention_models.value.customer import total_value as total_value
    from retention_models.value.marginal import marginal_value as marginal_value
    from retention_models.value.saved_customers import saved_value as saved_value
    from retention_models.value.terms import ContractTerms as ContractTerms

_ROOMS = {
    "btyd.bgbb": ("BGBB",),
    "btyd.bgnbd": ("BGNBD",),
    "btyd.cnbd": ("BGCNBD", "MBGCNBD"),
    "btyd.gammagamma": ("GammaGamma",),
    "btyd.mbgnbd": ("MBGNBD",),
    "btyd.nbd": ("NBD",),
    "btyd.paretonbd": ("ParetoNBD",),
    "core.check": ("Check",),
    "datasets": ("load_cdnow", "load_donations", "load_published_experiments", "load_published_retention"),
    "evaluation.backtest_contracts": ("backtest_retention",),
    "evaluation.comparison": ("Comparison", "compare"),
    "fitting.calendar_covariates": ("fit_covariates",),
    "fitting.estimate": ("fit",),
    "fitting.model_selection": ("fit_contracts",),
    "fitting.model_tests": ("likelihood_ratio", "wald"),
    "fitting.pooled": ("fit_pooled",),
    "fitting.resampling": ("Bootstrap", "bootstrap"),
    "fitting.result": ("Fit",),
    "fitting.spell_curves": ("cause_curves", "survival_curves"),
    "forecast.customers": ("predict", "predict_total"),
    "forecast.marginal_effects": ("marginal_effect", "predict_new"),
    "forecast.retention": ("forecast_retention", "retention_triangle"),
    "interventions.arms.cost_breakdown": ("cost_per_kept", "money_lines"),
    "interventions.arms.costs": ("Costs", "Money"),
    "interventions.arms.experiment": ("Experiment", "Plan"),
    "interventions.arms.outcome": ("Outcome",),
    "interventions.campaign.columns": ("Roles",),
    "interventions.campaign.prices": ("Prices",),
    "interventions.campaign.read": ("read_campaign",),
    "interventions.designs.arm_differences": (
        "any_difference",
        "differences",
        "factorial_effects",
        "lifts",
        "pairwise",
        "programme_effect",
    ),
    "interventions.designs.contract_arms": ("contract_test",),
    "interventions.designs.contracts": ("incremental_value", "share_kept", "time_kept"),
    "interventions.designs.encouragement": ("complier_effect", "naive_effect"),
    "interventions.designs.lin": ("lin_differences",),
    "interventions.designs.stepped_wedge": ("stepped_wedge",),
    "interventions.effects.effect": ("Effect",),
    "interventions.effects.multiplicity": ("benjamini_hochberg", "holm"),
    "interventions.effects.sensitivity": ("e_value", "no_worse_than"),
    "interventions.effects.table": ("Evidence", "evidence"),
    "interventions.outcomes.model_check": ("purchase_model_check",),
    "interventions.outcomes.purchases": ("shop_outcomes",),
    "interventions.planning.power": (
        "Clustered",
        "Mean",
        "Proportion",
        "Survival",
        "detectable_effect",
        "power_of",
        "sample_size",
    ),
    "interventions.planning.sequential": ("look_at", "sequential_bounds"),
    "logs.contracts.log": ("read_contracts",),
    "logs.contracts.retention": ("active_customers", "retention_table"),
    "logs.contracts.settings": ("make_contract_plan",),
    "logs.contracts.snapshot": ("tenure_table",),
    "logs.transactions.log": ("Transactions", "read_transactions"),
    "logs.transactions.opportunities": ("opportunities",),
    "logs.transactions.settings": ("make_plan",),
    "logs.transactions.summary": ("check_log_start", "compress", "histories", "summarize"),
    "narrative.campaign": ("verdict",),
    "survival.bdw": ("BetaDiscreteWeibull",),
    "survival.competing": ("aalen_johansen",),
    "survival.curves": ("curve_table", "kaplan_meier"),
    "survival.homogeneous": ("DiscreteWeibull", "Geometric"),
    "survival.logrank": ("log_rank",),
    "survival.sbg": ("ShiftedBetaGeometric",),
    "survival.two_segments": ("TwoSegments",),
    "value.break_even": ("break_even_uplift",),
    "value.contracts": (
        "contract_value",
        "discounted_lifetime",
        "discounted_residual_lifetime",
        "retention_elasticity",
        "total_contract_value",
    ),
    "value.customer": ("customer_value", "total_value"),
    "value.marginal": ("marginal_value",),
    "value.saved_customers": ("saved_value",),
    "value.terms": ("ContractTerms",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
