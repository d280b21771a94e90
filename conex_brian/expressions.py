"""Texts of equations: what they name, how they depend on a variable, how they are bounded."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy
from brian2 import Equations, TimedArray
from brian2.equations.equations import DIFFERENTIAL_EQUATION, SUBEXPRESSION, SingleEquation
from brian2.parsing.sympytools import str_to_sympy
from brian2.utils.stringtools import get_identifiers, word_substitute
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from conex_brian.dimensions import unit_text


def check_syntax(name: str, text: str) -> None:
    """Raise ``ValueError`` unless ``text`` is one expression that Brian2 can compute."""
    try:
        ast.parse(text.strip(), mode="eval")
        if not isinstance(to_sympy(text), (sympy.Basic, bool)):
            raise TypeError("Brian2 cannot compute it")
    except Exception as error:  # sympy and Brian2 raise many kinds on what they cannot read
        raise ValueError(
            f"{name} = {text!r} is not an expression: {getattr(error, 'msg', error)}. "
            "Write a formula such as 'I_ext + 0.5*nA'."
        ) from error


def renamed(text: str, **names: str) -> str:
    """Return ``text`` with whole words replaced."""
    return str(word_substitute(text, names))


@lru_cache(maxsize=256)
def to_sympy(text: str) -> sympy.Expr:
    """Return the sympy form of an expression; its symbols are real."""
    return str_to_sympy(text)


def symbol(name: str) -> sympy.Symbol:
    """Return the symbol that `to_sympy` makes of ``name``."""
    return sympy.Symbol(name, real=True)


def compares(expression: sympy.Expr, *variables: sympy.Symbol) -> bool:
    """Return whether an expression compares one of ``variables``: then it has no derivative."""
    conditions = expression.atoms(Relational, BooleanFunction)
    return any(condition.has(*variables) for condition in conditions)


def is_linear(text: str, variable: str = "v") -> bool:
    """Return whether an expression is linear in ``variable``."""
    expression, x = to_sympy(text), symbol(variable)
    return not compares(expression, x) and x not in expression.diff(x).free_symbols


def line(equation: SingleEquation, expression: str | None = None) -> str:
    """Return one equation as text, with another right-hand side where one is given."""
    name, unit = equation.varname, unit_text(equation.dim)
    flags = f" ({', '.join(equation.flags)})" if equation.flags else ""
    code = None if equation.expr is None else expression or equation.expr.code
    if equation.type == DIFFERENTIAL_EQUATION:
        return f"d{name}/dt = {code} : {unit}{flags}"
    if equation.type == SUBEXPRESSION:
        return f"{name} = {code} : {unit}{flags}"
    return f"{name} : {unit}{flags}"


def bound_voltage(equations: Equations) -> str:
    """Return the text of ``equations`` with ``v_bounded`` in place of ``v`` on the right."""
    lines = []
    for equation in equations.values():
        code = equation.expr and renamed(equation.expr.code, v="v_bounded")
        lines.append(line(equation, code))
    return "\n".join(lines)


def expanded(equations: Equations, name: str, names: Mapping[str, Any]) -> sympy.Expr:
    """Return the right-hand side of ``name`` with all subexpressions put in.

    A TimedArray among ``names`` is constant within a time step: it becomes a symbol of its own.
    """

    def steady(call: sympy.Basic) -> bool:
        return isinstance(call, AppliedUndef) and isinstance(
            names.get(call.func.__name__), TimedArray
        )

    equation = equations[name]
    result = to_sympy(equation.expr.code).replace(steady, lambda call: symbol(f"_{call.func}"))
    for other in equations.values():
        if (
            other.type == SUBEXPRESSION
            and "constant over dt" not in other.flags
            and symbol(other.varname) in result.free_symbols
        ):
            result = result.subs(symbol(other.varname), expanded(equations, other.varname, names))
    return result


def identifiers(text: str) -> set[str]:
    """Return the names that an expression uses, those of functions included."""
    return set(get_identifiers(text))
