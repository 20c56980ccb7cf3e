"""Notebooks to self-contained HTML pages, without scripts or outside resources.

``retention-models report`` is the way in; ``publish`` in the module of the same name is what it calls.

- ``write_table``: a table for a spreadsheet, in which no cell is a formula

Behind the door:

- ``notebook``: notebooks found and read
- ``parameters``: their parameters
- ``execute``: running them
- ``outputs``: their outputs
- ``page_tables``: tables folded, and as CSV
- ``markup``: HTML as a tree
- ``sanitise_html``: HTML made safe
- ``markdown``: Markdown and formulas
- ``page``: a page
- ``index``: the index
- ``render``: templates
- ``publish``: ``publish``, the whole road
- ``written_tables``: tables in files
- ``refresh_notebooks``: stored outputs
- ``errors``: errors of a report

>>> import pandas as pd
>>> import retention_models as rm
>>> segments = pd.Series(["new", "loyal"], index=pd.Index(["Ann", "Bob"], name="customer_id"), name="segment")
>>> rm.report.write_table(segments.to_frame(), "segments.csv")  # doctest: +SKIP
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
