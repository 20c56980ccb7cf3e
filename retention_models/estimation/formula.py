"""Formulas such as ``gender + log(age)``, read and checked: what may stand in one, and which columns it uses.

A formula is evaluated, and one that comes out of a stored fit must not run whatever it likes. So only arithmetic and a
few functions are let in; those that look at all rows at once, such as centring, would also mean something else for
each table.
"""

from __future__ import annotations

import ast
import re
from typing import Any

FUNCTIONS = ("C", "I", "exp", "log", "log10", "log2")
PARTS = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop),
    *(ast.Constant, ast.Name, ast.Load, ast.Call, ast.keyword, ast.List, ast.Tuple, ast.Attribute),
)


def parse_formula(formula: str) -> Any:
    """A formula with a right-hand side only, the baseline in it, and nothing that it may not hold; or a ValueError."""
    from formulaic import Formula, SimpleFormula
    from formulaic.errors import FormulaicError

    if not (isinstance(formula, str) and formula.strip()):
        raise ValueError(f"a formula is text such as 'gender + channel'; got {formula!r}")
    try:
        found = Formula(formula)
    except (FormulaicError, SyntaxError) as error:  # formulaic says why, with a picture in colours
        raise ValueError(f"{formula!r} is no formula such as 'gender + channel'") from error
    if not isinstance(found, SimpleFormula):
        raise ValueError(f"{formula!r} has several sides; name the covariates alone, as in 'gender + channel'")
    terms = [str(term) for term in found]
    if "1" not in terms:
        raise ValueError(f"{formula!r} takes the baseline out, and that is the model itself; leave out 0 and - 1")
    if "Intercept" in terms:
        raise ValueError(f"{formula!r} names a column Intercept, as formulas call the baseline; rename the column")
    if terms == ["1"]:
        raise ValueError(f"{formula!r} names no covariate; leave it out for a model without")
    columns_in(found)
    return found


def columns_in(found: Any) -> tuple[str, ...]:
    """The columns that a parsed formula uses, in order."""
    factors = [factor for term in found for factor in term.factors]
    return tuple(
        dict.fromkeys(name for factor in factors for name in columns_of(factor.expr, factor.eval_method.value))
    )


def columns_of(expression: str, method: str = "python") -> tuple[str, ...]:
    """The columns that one factor of a formula uses; a ValueError where it holds what it may not."""
    if method == "literal":
        return ()
    if method == "lookup":
        return (expression,)
    quoted = re.findall(r"`([^`]+)`", expression)
    tree = ast.parse(re.sub(r"`[^`]+`", "0", expression), mode="eval")
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        by_name = node in called or isinstance(node, ast.Attribute)
        if not isinstance(node, PARTS) or (by_name and not _is_known(node)):
            raise ValueError(
                f"{expression} may not stand in a formula: arithmetic and {', '.join(FUNCTIONS)} may; "
                "make anything else a column of the table, which a stored fit then also finds with new customers"
            )
    names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in (*FUNCTIONS, "contr")]
    return (*names, *quoted)


def _is_known(function: ast.AST) -> bool:
    """Whether a function is one of those let in, or names contrasts, as ``contr.treatment``."""
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id == "contr"
    return isinstance(function, ast.Name) and function.id in FUNCTIONS
