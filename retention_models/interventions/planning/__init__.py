"""Before and during a test.

- ``power``: sample size, power, minimum detectable effect
- ``sequential``: bounds of interim looks
"""
