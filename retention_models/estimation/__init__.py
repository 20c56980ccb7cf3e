"""How numbers are found: likelihoods, Newton's method, covariates, intervals.

- ``model``: what a model declares
- ``likelihood``: the maximum of a model's likelihood
- ``newton``: Newton's method in log-parameters, and its limits
- ``links``: how covariates act on parameters
- ``formula``: formulas and their columns
- ``design``: design matrices
- ``standardise``: covariates in standard coordinates
- ``with_covariates``: the maximum with covariates
- ``intervals``: delta method and scales of intervals
- ``elementwise``: nan for rows that no customer can have
- ``estimates``: quantities with their uncertainty
- ``profile``: the region that a likelihood-ratio test does not refute
- ``profile_ends``: the least and the greatest value of a quantity over that region
- ``bayesian_bootstrap``: estimates under random weights
- ``random_effects``: partial pooling of cohorts
"""
