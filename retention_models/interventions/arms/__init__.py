"""The arms of an experiment.

- ``plan``: ``Plan``: the arms, the size and the looks of a test, and its roll-out
- ``experiment``: ``Experiment``: the assignment and the means of each arm
- ``customer_rows``: customers on any engine, reduced to the sums that an experiment needs
- ``cells``: means of the arms with their covariance
- ``contrasts``: differences and ratios of arms, with standard errors
- ``outcome``: what is measured, and the effect row of a comparison
- ``costs``: costs of an intervention, and its net value
- ``cost_breakdown``: where the money of a test went
- ``experiment_checks``: sample ratio, unit of assignment, balance, events
"""
