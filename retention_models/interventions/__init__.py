"""What our actions changed: tests of interventions. Each ends as one row of one table of evidence.

**Before the test**

- ``sample_size``: customers that a test needs; ``power``, ``minimum_detectable_effect``

**The test**

- ``Experiment``: customers by arm, from rows, sums, counts or means; ``Plan``, ``Outcome``, ``Costs``
- ``purchase_outcomes``: what customers bought after their assignment
- ``contract_experiment``: a test of customers with contracts
- ``read_campaign``: a test read from one file, with its checks

**Its analysis**

- ``differences``: each arm against the control: differences or ratios, plain or adjusted
- ``factorial_effects``: overlapping campaigns; ``programme_effect`` against a universal control group
- ``complier_effect``: the effect on those an offer reached
- ``stepped_wedge``: stores that switch one after the other
- ``retention_difference``: share retained; ``rmst_difference``, ``incremental_value``
- ``interim_look``: whether a test may stop early; ``sequential_bounds``

**Its result**

- ``Effect``: the row; ``evidence_table`` stacks rows
- ``cost_per_retained``: cost of one more customer; ``cost_breakdown``
- ``holm``: many comparisons; ``benjamini_hochberg``, ``e_value``, ``non_inferiority``

A published stamp-card test, from its counts to its effect:

>>> import pandas as pd
>>> import retention_models as rm
>>> cards = pd.DataFrame({"arm": ["8 stamps", "10 stamps, 2 given"], "n": [150, 150], "completed": [28, 51]})
>>> test = rm.Experiment.from_counts(cards, rm.Plan(control="8 stamps"), outcome="completed")
>>> (effect,) = rm.differences(test, rm.Outcome(column="completed", unit="share of customers", horizon="9 months"))
>>> round(effect.estimate, 3), round(effect.lower, 3), round(effect.upper, 3)
(0.153, 0.054, 0.252)
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
