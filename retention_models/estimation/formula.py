"""Formulas such as ``gender + log(age)``: what may stand in one, and which columns it uses.

A formula may come from a stored fit, and formulaic evaluates it as Python. So its syntax tree is checked first against
a short grammar, and formulaic sees names of ours in place of those of columns: no text from data is ever evaluated.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

MOST_CHARACTERS, MOST_TERMS, LARGEST_POWER, LARGEST_OPTION, LARGEST_NUMBER = 1_000, 100, 3, 20, 1e300
STATES = {  # functions of all rows at once, and what they remember for new rows
    "bs": {"knots", "lower_bound", "upper_bound"},
    "poly": {"alpha", "norms2"},
    "scale": {"center", "ddof", "scale"},
}
FUNCTIONS = ("exp", "log", "log10", "log2", "sqrt", *STATES)
OPTIONS = {"bs": ("df", "degree"), "poly": ("degree",)}  # whole numbers, by position or by keyword
GRAMMAR = (
    "columns (odd names in back quotes), + - : *, powers up to 3 and numbers may, and the functions "
    "C(column), C(column, Treatment('level')), exp, log, log10, log2, sqrt, scale(x), poly(x, 2), bs(x, df=4); "
    "make anything else a column of the table"
)
_WORDS = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?P<number>\d[\w.]*)|`(?P<quoted>[^`]+)`|(?P<name>[^\W\d]\w*)(?!\w|\s*[(=])"""
)


@dataclass(frozen=True)
class ParsedFormula:
    """A formula that may be evaluated.

    ``text`` is the formula with names of ours for the columns, ``names`` says which column each of them is,
    ``factors`` how each factor of the formula is written with the columns' own names, and ``terms`` are the factors of
    each term.
    """

    text: str
    names: Mapping[str, str]
    factors: Mapping[str, str]
    terms: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the formula uses, in order."""
        return tuple(self.names.values())

    @property
    def states(self) -> dict[str, set[str]]:
        """What each call of a function of all rows remembers."""
        calls = [node for factor in self.factors for node in ast.walk(ast.parse(factor)) if isinstance(node, ast.Call)]
        return {ast.unparse(call): STATES[call.func.id] for call in calls if call.func.id in STATES}  # type: ignore[attr-defined]

    def column_of(self, factor: str) -> str:
        """The column that a categorical factor is made of."""
        return next(column for name, column in self.names.items() if name in factor)

    def shown(self, text: str) -> str:
        """A label of formulaic's with the columns' own names."""
        for factor in sorted(self.factors, key=len, reverse=True):
            text = text.replace(factor, self.factors[factor])
        return text


def parse_formula(formula: str) -> ParsedFormula:
    """A formula with a right-hand side only, the baseline in it, and nothing that it may not hold; or a ValueError."""
    if not (isinstance(formula, str) and formula.strip()):
        raise ValueError(f"a formula is text such as 'gender + channel'; got {formula!r}")
    if len(formula) > MOST_CHARACTERS:
        raise ValueError(f"a formula has at most {MOST_CHARACTERS:,} characters; got {len(formula):,}")
    text, names = _with_own_names(formula)
    if "~" in text:
        raise ValueError(f"{formula!r} has several sides; write only the covariates, as in 'gender + channel'")
    try:
        if (n := _count_terms(_tree(text))) > MOST_TERMS:
            raise ValueError(f"{formula!r} has {n:,} terms; a formula may have {MOST_TERMS}")
        terms = _terms(text)
        factors = dict.fromkeys(factor for term in terms for factor in term)
        for factor in factors:
            _check_factor(_tree(factor))
    except RefusedError as error:
        raise ValueError(f"{_with_columns(str(error), names)} is not allowed in a formula: {GRAMMAR}") from None
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{formula!r} is not a formula such as 'gender + channel'") from error
    if () not in terms:
        raise ValueError(f"{formula!r} removes the baseline, which is part of the model; leave out 0 and - 1")
    if "Intercept" in names.values():
        raise ValueError(f"{formula!r} names a column Intercept, as formulas call the baseline; rename the column")
    if not factors:
        raise ValueError(f"{formula!r} contains no covariate; leave it out for a model without covariates")
    used = {name: column for name, column in names.items() if any(name in factor for factor in factors)}
    shown = {factor: used.get(factor, _with_columns(factor, used)) for factor in factors}
    return ParsedFormula(text, used, shown, terms)


class RefusedError(ValueError):
    """Part of a formula is outside the grammar; the message is that part."""


def _with_own_names(formula: str) -> tuple[str, dict[str, str]]:
    """The formula with names of ours for the columns, and the column of each name."""
    free = (name for name in map("column{}_".format, count()) if name not in formula)
    names: dict[str, str] = {}

    def rename(word: re.Match[str]) -> str:
        column = word["quoted"] or word["name"]
        if column is None:
            return word[0]
        names[column] = names.get(column) or next(free)
        return names[column]

    return re.sub(r"[\r\n]", " ", _WORDS.sub(rename, formula)), {name: column for column, name in names.items()}


def _with_columns(text: str, names: Mapping[str, str]) -> str:
    """Part of a formula as its author writes it."""
    for name, column in names.items():
        text = text.replace(name, column if column.isidentifier() else f"`{column}`")
    return text


def _tree(text: str) -> ast.expr:
    """The syntax tree of a formula. Python has no operator ``:``, and ``@`` stands for it."""
    parts = re.split(r"""("[^"]*"|'[^']*')""", text)  # every second one is the name of a level
    if re.search(r"[@#\\`\0]", "".join(parts[::2])) or "\\" in text:
        raise RefusedError(text)
    parts[::2] = [part.replace(":", "@") for part in parts[::2]]
    return ast.parse("".join(parts), mode="eval").body


def _terms(text: str) -> tuple[tuple[str, ...], ...]:
    """The factors of each term that formulaic finds in a formula; the baseline has none."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        found: Any = Formula(text)
    except FormulaicError as error:  # it says why with a picture in colours
        raise SyntaxError(text) from error
    return tuple(tuple(f.expr for f in term.factors if f.eval_method.value != "literal") for term in found)


def _count_terms(node: ast.expr) -> int:
    """At most how many terms a formula has."""
    match node:
        case ast.Constant(value=0 | 1):
            return 1
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            return _count_terms(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))) if 1 <= power <= LARGEST_POWER:
            n = _count_terms(left)
            return sum(math.comb(n, i) for i in range(1, power + 1))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.MatMult() as op, right=right):
            n, m = _count_terms(left), _count_terms(right)
            return {ast.Mult: n + m + n * m, ast.MatMult: n * m}.get(type(op), n + m)
    _check_factor(node)
    return 1


def _check_factor(node: ast.expr) -> None:
    """An error where a factor is no column, no category and no function of numbers."""
    match node:
        case ast.Call(func=ast.Name(id="C"), args=[ast.Name()], keywords=[]):
            pass
        case ast.Call(
            func=ast.Name(id="C"),
            args=[
                ast.Name(),
                ast.Call(
                    func=ast.Name(id="Treatment"),
                    args=[ast.Constant(value=str() | int() | float())],
                    keywords=[],
                ),
            ],
            keywords=[],
        ):
            pass
        case ast.Name() | ast.Call():
            _check_number(node)
        case _:
            raise RefusedError(_source(node))


def _check_number(node: ast.expr) -> None:
    """An error where an expression is no arithmetic of columns and functions."""
    match node:
        case ast.Name():
            pass
        case ast.Constant(value=int() | float() as value) if abs(value) < LARGEST_NUMBER:
            pass
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            _check_number(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            _check_number(left)
            _check_number(right)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() | float() as power)) if (
            0 <= power <= LARGEST_POWER and any(isinstance(part, ast.Name) for part in ast.walk(left))
        ):
            _check_number(left)
        case ast.Call(func=ast.Name(id=name), args=[first, *options], keywords=keywords) if name in FUNCTIONS:
            _check_number(first)
            _check_options(node, name, options, keywords)
        case _:
            raise RefusedError(_source(node))


def _check_options(node: ast.expr, name: str, options: list[ast.expr], keywords: list[ast.keyword]) -> None:
    """An error where the options of a function are other than small whole numbers, by names that it has."""
    known = OPTIONS.get(name, ())
    values = [*options, *(keyword.value for keyword in keywords)]
    are_small = all(
        isinstance(value, ast.Constant) and type(value.value) is int and 1 <= value.value <= LARGEST_OPTION
        for value in values
    )
    if not are_small or len(options) > len(known) or not {keyword.arg for keyword in keywords} <= set(known):
        raise RefusedError(_source(node))


def _source(node: ast.expr) -> str:
    return ast.unparse(node).replace("@", ":")
