"""Customers who say that they leave: curves, tests, and models of contracts.

- ``kaplan_meier``: the share still there after each tenure
- ``aalen_johansen``: the share that left for each cause
- ``log_rank``: whether groups leave at the same pace
- ``curve_table``: curves of several groups as one frame
- ``ShiftedBetaGeometric``: chances to leave differ between customers and never change (sBG)
- ``BetaDiscreteWeibull``: chances differ, and grow or shrink with tenure (BdW)
- ``Geometric``: one chance for all; ``DiscreteWeibull``, ``TwoSegments``, ``FlooredBetaGeometric``

Four customers, three of whom left:

>>> import retention_models as rm
>>> curve = rm.kaplan_meier(tenure=[3, 8, 8, 12], churned=[True, True, True, False])
>>> curve.survival_function([2, 8]).tolist()
[1.0, 0.25]

Behind the door:

- ``contract_model``: the base of all models of contracts
- ``beta_mixture``: means over beta-distributed chances
- ``at_risk``: customers at risk and lost at each tenure
- ``calendar_paths``: covariates that change over calendar time; ``over_calendar``: curves that follow them
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
