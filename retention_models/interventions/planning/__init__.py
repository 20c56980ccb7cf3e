"""Before and during a test: sample size, power, interim looks."""
