"""What can go wrong with a report, as sentences for the person who asked for it."""

from __future__ import annotations


class ReportError(Exception):
    """The report could not be made; the message says why in one sentence."""

    exit_code = 1


class RequestError(ReportError):
    """The request itself is wrong: a notebook, a parameter or a folder that does not exist."""

    exit_code = 2
