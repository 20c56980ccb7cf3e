"""Before and during a test.

- ``random_assignment``: customers drawn into arms
- ``power``: sample size, power, minimum detectable effect
- ``sequential``: bounds of interim looks
"""
