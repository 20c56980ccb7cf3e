"""The constants of a notebook's ``parameters`` cell: read them, and replace them on request."""

from __future__ import annotations

import ast
import cmath
import math
from collections.abc import Iterable, Mapping

from nbformat import NotebookNode

from retention_models.report.errors import RequestError
from retention_models.report.notebook import tagged


def parse_settings(assignments: Iterable[str]) -> dict[str, object]:
    """Settings from ``NAME=VALUE`` words; a value that is no Python literal is a string.

    Raises
    ------
    RequestError
        If a word is not of that form.

    Examples
    --------
    >>> parse_settings(["horizon=52", "level=0.9", "country=NL", "start=2024-01-01"])
    {'horizon': 52, 'level': 0.9, 'country': 'NL', 'start': '2024-01-01'}
    """
    settings: dict[str, object] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (equals and name.strip().isidentifier()):
            raise RequestError(f"--set takes NAME=VALUE, not {assignment!r}")
        settings[name.strip()] = _literal(value.strip())
    return settings


def read_parameters(notebook: NotebookNode) -> dict[str, str]:
    """Source of each constant in the notebook's ``parameters`` cell, by name; empty without such a cell."""
    cell = tagged(notebook, "parameters")
    if cell is None:
        return {}
    return {name: ast.get_source_segment(cell.source, value) or "" for name, value in _constants(cell.source).items()}


def set_parameters(notebook: NotebookNode, settings: Mapping[str, object]) -> None:
    """Rewrite, in place, the constants that the notebook has; names that it lacks are left alone.

    Everything else in the cell, comments included, stays as it is.
    """
    cell = tagged(notebook, "parameters")
    if cell is None:
        return
    values = {name: value for name, value in _constants(cell.source).items() if name in settings}
    for name, value in sorted(values.items(), key=lambda item: (item[1].lineno, item[1].col_offset), reverse=True):
        cell.source = _replace(cell.source, value, _as_code(settings[name]))


def check_settings(settings: Mapping[str, object], notebooks: Mapping[str, NotebookNode]) -> None:
    """Refuse a setting that none of the notebooks (by name) knows.

    Raises
    ------
    RequestError
        Naming the unknown settings and listing each notebook's parameters.
    """
    known = {name: list(read_parameters(notebook)) for name, notebook in notebooks.items()}
    unknown = settings.keys() - {parameter for parameters in known.values() for parameter in parameters}
    if unknown:
        there = "; ".join(f"{name} has {', '.join(parameters) or 'none'}" for name, parameters in known.items())
        raise RequestError(f"no notebook has a parameter {', '.join(sorted(unknown))}; {there}")


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two where it is nested deeply
        return text


def _as_code(value: object) -> str:
    """A value as Python writes it; infinity has no literal, as 1e999 has, nor has a list that holds it."""
    match value:
        case float() if math.isinf(value):
            return f'float("{value}")'
        case list():
            return f"[{', '.join(map(_as_code, value))}]"
        case tuple() if len(value) != 1:
            return f"({', '.join(map(_as_code, value))})"
        case tuple():
            return f"({_as_code(value[0])},)"
        case set() if value:
            return f"{{{', '.join(map(_as_code, value))}}}"
        case dict():
            return f"{{{', '.join(f'{_as_code(key)}: {_as_code(held)}' for key, held in value.items())}}}"
        case complex() if not cmath.isfinite(value):
            return f'complex("{value}")'
    return repr(value)


def _constants(source: str) -> dict[str, ast.expr]:
    """Value expressions of the assignments ``NAME = value``, by name; none where the code cannot be parsed."""
    found: dict[str, ast.expr] = {}
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # running the cell will say what is wrong with it
        return found
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _replace(source: str, value: ast.expr, new: str) -> str:
    """``source`` with the text of ``value`` replaced; ast counts columns in UTF-8 bytes."""
    lines = source.encode().splitlines(keepends=True)
    assert value.end_lineno is not None
    assert value.end_col_offset is not None
    before = b"".join(lines[: value.lineno - 1]) + lines[value.lineno - 1][: value.col_offset]
    after = lines[value.end_lineno - 1][value.end_col_offset :] + b"".join(lines[value.end_lineno :])
    return (before + new.encode() + after).decode()
