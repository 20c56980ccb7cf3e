"""Where names of earlier versions are now, for the error that a reader of an old script meets."""

_AT_THE_TOP = {
    "contract_test": "contract_experiment",
    "evidence": "evidence_table",
    "shop_outcomes": "purchase_outcomes",
    "ContractPrice": "Terms",
    "ContractTerms": "Terms",
    "contract_value": "customer_value",
    "total_contract_value": "total_value",
}
_RENAMED = {
    "calendar_season": "logs.season",
    "cost_per_kept": "interventions.cost_per_retained",
    "detectable_effect": "interventions.minimum_detectable_effect",
    "fit_contracts": "fitting.select_contract_model",
    "look_at": "interventions.interim_look",
    "make_contract_plan": "logs.choose_settings",
    "make_plan": "logs.choose_settings",
    "money_lines": "interventions.cost_breakdown",
    "no_worse_than": "interventions.non_inferiority",
    "power_of": "interventions.power",
    "rolling_origins": "evaluation.backtest",
    "share_kept": "interventions.retention_difference",
    "tenure_table": "logs.retention_table_from_tenures",
    "time_kept": "interventions.rmst_difference",
    "verdict": "narrative.recommendation",
}
_ARGUMENTS = {
    "Evidence": "the result of rm.evidence_table",
    "Money": "the arguments terms and costs of rm.differences and its kin",
    "Prices": "written as arguments of rm.interventions.read_campaign",
    "Roles": "written as arguments of rm.interventions.read_campaign",
    "fit_covariates": "rm.fit(..., churn_covariates=..., calendar_covariates=...)",
    "lifts": "rm.differences(..., scale='ratio')",
    "lin_differences": "rm.differences(..., adjustment='Lin')",
    "naive_effect": "a comparison that rm.interventions.effects_by_delivery makes",
    "pairwise": "rm.differences(..., pairwise=True)",
    "purchase_model_check": "a check that rm.interventions.purchase_models makes",
}
_AT_DOORS = {
    "datasets": "load_cdnow load_donations load_published_experiments load_published_retention",
    "evaluation": "Comparison backtest_retention",
    "fitting": "Bootstrap cause_curves fit_pooled likelihood_ratio survival_curves wald",
    "forecast": "marginal_effect predict_new retention_triangle",
    "interventions": "Clustered Mean Proportion Survival any_difference benjamini_hochberg complier_effect e_value"
    " factorial_effects holm incremental_value programme_effect read_campaign sequential_bounds stepped_wedge",
    "logs": "Transactions active_customers check_log_start compress histories opportunities",
    "survival": "DiscreteWeibull Geometric TwoSegments aalen_johansen curve_table log_rank",
    "value": "break_even_uplift discounted_lifetime discounted_residual_lifetime marginal_value retention_elasticity",
}


def new_place(name: str) -> str:
    """What is to be written for a name that version 0.1.0 had at the top; empty where there was none.

    Examples
    --------
    >>> new_place("holm"), new_place("evidence"), new_place("nothing")
    ('rm.holm is now rm.interventions.holm', 'rm.evidence is now rm.evidence_table', '')
    """
    if name in _ARGUMENTS:
        return f"rm.{name} is now {_ARGUMENTS[name]}"
    doors = {moved: f"{room}.{moved}" for room, names in _AT_DOORS.items() for moved in names.split()}
    place = {**_AT_THE_TOP, **_RENAMED, **doors}.get(name)
    return f"rm.{name} is now rm.{place}" if place else ""
