"""All efforts of a company on one page: the register, the evidence on each, and where the next euro goes.

- ``register_file``: ``read_register``: the file that people write, and the evidence beside it
- ``register``: ``Register``: states, money, gaps and evidence of the efforts
- ``effort_file``: the rows of a register, checked
- ``effort_log``: stored effects, a trail that is only appended to
- ``effort_state``: proven, harmful, undecided, unmeasured or stale, by rules
- ``effort_evidence``: the evidence as tables
- ``overlap``: customers in several efforts at once
- ``pooling``: several measurements of one effort
- ``kind_shrinkage``: effects of one kind, shrunk towards their mean
- ``budget``: ``allocate_budget``; its ``budget_rows``, and the ``knapsack`` problem behind it
- ``offer_hulls``: ``allocate_offers``: one offer for each of many customers
"""
