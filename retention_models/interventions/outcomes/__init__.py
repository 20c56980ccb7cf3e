"""What customers did after their assignment.

- ``purchases``: ``purchase_outcomes``: purchases, amounts and times
- ``over_time``: ``differences_over_time``: by day since the assignment, by week, and after an offer
- ``follow_up``: the sums by day since the assignment, of customers observed for different times
- ``unit_periods``: ``event_panel``: outcomes of stores, regions or teams by period
- ``model_check``: a purchase model fitted to each arm, against the observed difference
"""
