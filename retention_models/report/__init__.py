"""Notebooks to self-contained HTML pages, without scripts or outside resources.

``retention-models report`` is the way in; ``publish`` in the module of the same name is what it calls.

Behind the door:

- ``notebook``: notebooks found and read
- ``parameters``: their parameters
- ``execute``: running them
- ``outputs``: their outputs
- ``markup``: HTML as a tree
- ``sanitise_html``: HTML made safe
- ``markdown``: Markdown and formulas
- ``page``: a page
- ``index``: the index
- ``render``: templates
- ``publish``: ``publish``, the whole road
- ``refresh_notebooks``: stored outputs
- ``errors``: errors of a report
"""
