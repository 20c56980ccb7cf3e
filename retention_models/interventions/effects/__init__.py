"""The row that every question about an action ends in, and the table of such rows.

- ``effect``: ``Effect``: one row
- ``table``: ``evidence_table``: the rows, ranked
- ``multiplicity``: corrected p-values, shrunken effects
- ``sensitivity``: what would overturn an effect
"""
