"""What customers did after their assignment.

- ``purchases``: ``outcomes_after``: purchases, amounts and times
- ``model_check``: a purchase model fitted to each arm, against the observed difference
"""
