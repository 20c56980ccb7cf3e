"""Experiments and campaigns: the effect of an intervention, its cost and its value, as rows of one evidence table.

**Before the test**

- ``sample_size``: number of customers that a test needs; ``power``, ``minimum_detectable_effect``
- ``assign``: customers drawn at random into the arms of a test, an ``Assignment`` with its ``Plan``

**The test**

- ``Experiment``: customers by arm, from rows, sums, counts or means; ``Outcome``, ``Costs``
- ``purchase_outcomes``: purchases of each customer after the assignment
- ``contract_experiment``: a test of customers with contracts
- ``read_campaign``: a test from one file, with its checks

**Analysis**

- ``differences``: each arm against the control: differences or ratios, plain or adjusted
- ``differences_over_time``: by day since the assignment, by week, and after the offer
- ``factorial_effects``: overlapping campaigns; ``programme_effect`` against a universal control group
- ``complier_effect``: effect on the customers who received the offer because of the assignment
- ``stepped_wedge``: stores that switch one after the other
- ``difference_in_differences``: units that got a programme one after the other, a ``RollOut``; ``event_panel``
- ``target_trials``: those who joined against others alike, a ``Trials``; ``treatment_effect`` at one date
- ``exposure_by_method``: what several methods say of an exposure that nobody drew
- ``retention_difference``: difference of shares retained; ``rmst_difference``, ``incremental_value``
- ``interim_look``: whether a test may stop early; ``sequential_bounds``

**Result**

- ``Effect``: one effect with its law, interval and checks; ``evidence_table`` combines several
- ``StudentT``: the law of a published row with degrees of freedom
- ``cost_per_retained``: cost per additional customer retained; ``cost_breakdown``
- ``holm``: correction for many comparisons; ``benjamini_hochberg``, ``e_value``, ``non_inferiority``

**All efforts**

- ``read_register``: the efforts of a company with their evidence, a ``Register``: what is proven, undecided, unmeasured
- ``allocate_budget``: the efforts that a budget should pay for, an ``Allocation``; ``allocate_offers`` for customers

A published test of stamp cards, from counts to the effect:

>>> import pandas as pd
>>> import retention_models as rm
>>> cards = pd.DataFrame({"arm": ["8 stamps", "10 stamps, 2 given"], "n": [150, 150], "completed": [28, 51]})
>>> test = rm.Experiment.from_counts(cards, rm.Plan(assigned_by="random", control="8 stamps"), outcome="completed")
>>> completed = rm.Outcome(column="completed", unit="share of customers", horizon=9, time_unit="M")
>>> (effect,) = rm.differences(test, completed)
>>> round(effect.estimate, 3), round(effect.lower, 3), round(effect.upper, 3)
(0.153, 0.054, 0.252)
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
