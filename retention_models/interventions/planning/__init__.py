"""Before and during a test.

- ``random_assignment``: customers drawn into arms
- ``planned_outcomes``: what one customer contributes to the variance of an effect
- ``rejection``: the probability that a test finds an effect
- ``power``: sample size, power, minimum detectable effect
- ``sequential``: bounds of interim looks
"""
