"""Notebooks to self-contained HTML pages, without scripts or outside resources.

``retention-models report`` is the way in; ``publish`` in the module of the same name is what it calls.
"""
