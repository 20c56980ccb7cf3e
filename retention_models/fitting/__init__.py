"""Where tables meet models: maximum likelihood, tests between models, the bootstrap, and curves of groups.

- ``fit``: any model to a table; also by group, with covariates (of contracts too), with robust errors
- ``Fit``: what ``fit`` returns: parameters, intervals, notes, checks, JSON
- ``bootstrap``: intervals from refits to reweighted customers
- ``wald``, ``likelihood_ratio``: whether covariates, or a richer model, explain more than chance
- ``fit_pooled``: cohorts that borrow from each other; ``cohort_check``
- ``select_contract_model``: the models of contracts side by side; ``choose_calendar``: season and events
- ``survival_curves``: Kaplan-Meier curves by group; ``cause_curves`` by cause

>>> import pandas as pd
>>> import retention_models as rm
>>> table = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
>>> fit = rm.fit(rm.ShiftedBetaGeometric, table)
>>> fit.table().round(2)
           estimate  std_error  lower  upper
parameter
alpha          0.76       0.10   0.60   0.98
beta           1.30       0.21   0.94   1.78

Behind the door:

- ``models``: models by name
- ``formula_terms``: covariate terms of a fit
- ``data_requirements``: what a model asks of a table
- ``notes``: notes of a fit
- ``homogeneity_check``: whether groups agree
- ``stored_fit``: fits as JSON
- ``uncertainty``: what forecasts and values ask of fits and bootstraps
- ``calendar_covariates``: contracts with covariates of the calendar; ``calendar_months``: those to come
- ``retention_columns``: columns of retention tables
- ``profile_region``: the profile likelihood of vague fits
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
