"""The row that every question about an action ends in, and the table of such rows.

- ``assignment``: who decided who was treated
- ``effect``: ``Effect``: one row
- ``full_scale``: money of a roll-out, the expected loss of deciding now, the size of the next test
- ``laws``: the law of an estimate: its p-value, and its interval at any level
- ``ratio_laws``, ``derived_laws``: those of ratios, and those that follow from another one
- ``stated_interval``: the law of numbers that somebody states
- ``stored_effect``: effects as JSON text
- ``error_spending``: ``sequential_bounds``: the error of several looks
- ``table``: ``evidence_table``: the rows, ranked
- ``simultaneous_band``: a band that holds several estimates at once
- ``multiplicity``: corrected p-values, shrunken effects
- ``sensitivity``: what would overturn an effect
"""
