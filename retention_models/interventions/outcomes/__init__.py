"""What customers did after their assignment.

- ``purchases``: ``purchase_outcomes``: purchases, amounts and times
- ``model_check``: a purchase model fitted to each arm, against the observed difference
"""
