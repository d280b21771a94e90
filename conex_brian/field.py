"""The vector field of a model: its equations' text as functions of numbers, for `analysis`.

All numbers are in SI base units. What is asked of the texts holds for any model whose further
states follow linear equations (adaptation currents do): with a steady input there is then one
value of each of them at which it rests while ``v`` is held, and fixed points are the zeros of one
function of ``v``, the steady drive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy.core.function import AppliedUndef

from conex_brian.expressions import symbol, to_sympy
from conex_brian.models import AELIF, ELIF, LIF

Floats = NDArray[np.float64]
Function = Callable[..., Any]

#: Beyond exp(300) a membrane crosses any range of voltages within 1e-130 time constants: the bound
#: keeps products from overflowing and changes no answer.
LARGEST_EXPONENT = 300.0

#: Where fixed points of a model without closed form are looked for: this many times the way from
#: reset to threshold, to both sides of the threshold.
REACH = 50.0
_GRID = np.sinh(np.linspace(-np.arcsinh(1000 * REACH), np.arcsinh(1000 * REACH), 6001)) / 1000


def _exp(x: Any) -> Any:
    return np.exp(np.minimum(x, LARGEST_EXPONENT))


def _scalar_exp(x: float) -> float:
    return math.exp(min(x, LARGEST_EXPONENT))


def _exprel(x: Any) -> Any:
    from scipy.special import exprel

    return exprel(x)


_FUNCTIONS = {
    "exp": _exp,
    "exprel": _exprel,
    "clip": np.clip,
    "log10": np.log10,
    "int_": np.asarray,
}


@dataclass(frozen=True, eq=False)
class Field:
    """A model's right-hand sides as functions.

    Attributes
    ----------
    states : tuple of str
        The state variables, ``v`` first.
    parameters : tuple of str
        The names of the parameters, in the order in which functions take their values.
    rates : function
        ``(*states, I, *parameters)`` -> the time derivatives.
    scalar_rates : function
        The same for one neuron, several times as fast.
    jacobian : function
        The same arguments -> the matrix of their derivatives, as nested lists.
    needs : frozenset of str
        Which of the states and ``I`` the Jacobian depends on.
    resting : function
        ``(v, I, *parameters)`` -> where the other states rest while ``v`` is held.
    drive, slope : function
        ``(v, I, *parameters)`` -> ``tau*dv/dt`` with the others at rest, and its derivative by v.
    current : function or None
        ``(v, *parameters)`` -> the current that holds the neuron at v; None where the equations
        are not linear in ``I``.
    nullclines : mapping
        State -> function ``(v, I, *parameters)``: the value of the one other state where this
        one's derivative vanishes. Empty unless there are two states.
    jumps : function
        ``(*parameters)`` -> what a spike adds to each of the other states.
    """

    states: tuple[str, ...]
    parameters: tuple[str, ...]
    rates: Function
    scalar_rates: Function
    jacobian: Function
    needs: frozenset[str]
    resting: Function
    drive: Function
    slope: Function
    current: Function | None
    nullclines: Mapping[str, Function]
    jumps: Function

    def values(self, neuron: LIF) -> list[Floats]:
        """Return the values of the parameters in SI base units."""
        return [np.asarray(getattr(neuron, name), dtype=float) for name in self.parameters]


def field_of(neuron: LIF) -> Field:
    """Return the vector field of ``neuron``.

    Raises
    ------
    ValueError
        Where the texts name what is not known in general (a time, a constant of a namespace), or
        have no derivative, or where a further state's equation is not linear in the states.
    """
    rates, jumps = tuple(neuron.rates.items()), tuple(neuron.jumps.items())
    return _compiled(type(neuron).__name__, rates, jumps, neuron.parameter_names())


@lru_cache(maxsize=64)
def _compiled(
    owner: str,
    rates: tuple[tuple[str, str], ...],
    jumps: tuple[tuple[str, str], ...],
    parameters: tuple[str, ...],
) -> Field:
    states = tuple(name for name, _ in rates)
    known = {symbol(name) for name in (*states, "I", *parameters)}
    right = [_readable(owner, f"d{name}/dt", text, known) for name, text in rates]
    x, v, current = [symbol(name) for name in states], symbol("v"), symbol("I")
    jacobian = [[expression.diff(one) for one in x] for expression in right]
    for row, (name, text) in zip(jacobian, rates, strict=True):
        if any(entry.has(sympy.Derivative, sympy.Subs) for entry in row):
            raise ValueError(f"{owner}: d{name}/dt = {text!r} has no derivative.")
    resting = _resting(owner, rates, right, x)
    drive = (symbol("tau") * right[0]).subs(resting)
    holding = _solved(drive, current)
    added = dict(jumps)
    jump = [to_sympy(added.get(name, "0")) for name in states[1:]]

    def function(arguments: list[sympy.Symbol], expression: Any, scalar: bool = False) -> Function:
        names = [*arguments, *(symbol(name) for name in parameters)]
        modules = [{"exp": _scalar_exp}, "math"] if scalar else []
        return sympy.lambdify(names, expression, [*modules, _FUNCTIONS, "numpy"])  # type: ignore[no-any-return]

    nullclines = {}
    if len(states) == 2:
        for name, expression in zip(states, right, strict=True):
            found = _solved(expression, x[1])
            if found is not None:
                nullclines[name] = function([v, current], found)
    found = set().union(*(entry.free_symbols for row in jacobian for entry in row))
    return Field(
        states=states,
        parameters=parameters,
        rates=function([*x, current], right),
        scalar_rates=function([*x, current], right, scalar=True),
        jacobian=function([*x, current], jacobian),
        needs=frozenset(name for name in (*states, "I") if symbol(name) in found),
        resting=function([v, current], [resting[one] for one in x[1:]]),
        drive=function([v, current], drive),
        slope=function([v, current], drive.diff(v)),
        current=None if holding is None else function([v], holding),
        nullclines=nullclines,
        jumps=function([symbol("dt")], jump),
    )


def _readable(owner: str, what: str, text: str, known: set[sympy.Symbol]) -> sympy.Expr:
    expression = to_sympy(text)
    strange = sorted(str(one) for one in expression.free_symbols - known)
    strange += sorted(str(one.func) for one in expression.atoms(AppliedUndef))
    strange = [name for name in strange if name not in _FUNCTIONS]
    if strange:
        raise ValueError(
            f"{owner}: {what} = {text!r} names {', '.join(strange)}, which is no parameter, state "
            "or function that has one value: the theory cannot know it. Make it a parameter."
        )
    return expression


def _resting(
    owner: str,
    rates: tuple[tuple[str, str], ...],
    right: list[sympy.Expr],
    x: list[sympy.Symbol],
) -> dict[sympy.Symbol, sympy.Expr]:
    others = x[1:]
    if not others:
        return {}
    try:
        (found,) = sympy.linsolve(right[1:], others)
    except (ValueError, TypeError, sympy.SympifyError):
        found = ()
    if not found or any(set(others) & one.free_symbols for one in found):
        texts = "; ".join(f"d{name}/dt = {text}" for name, text in rates[1:])
        raise ValueError(
            f"{owner}: {texts}: these are not linear in {', '.join(map(str, others))}, and have "
            "no one state of rest at each v. The theory needs that."
        )
    return dict(zip(others, found, strict=True))


def _solved(expression: sympy.Expr, unknown: sympy.Symbol) -> sympy.Expr | None:
    """Return for which ``unknown`` an expression vanishes; None where it is not linear in it."""
    factor = sympy.simplify(expression.diff(unknown))
    if factor == 0 or unknown in factor.free_symbols:
        return None
    # Not expanded: exp((v - theta_rh)/delta) in two factors would overflow.
    return -expression.subs(unknown, 0) / factor


def law(neuron: LIF) -> type[LIF] | None:
    """Return LIF, ELIF or AELIF where the equations of ``neuron`` are theirs, else None."""
    for model in (LIF, ELIF, AELIF):
        if (neuron.F, neuron.RI, neuron.states) == (model.F, model.RI, model.states):
            return model
    return None


def roots(f: Callable[[Floats], Floats], x: Floats) -> list[float]:
    """Return the zeros of a continuous function at which it changes sign between points ``x``."""
    from scipy.optimize import brentq

    y = np.broadcast_to(f(x), x.shape)
    usable = np.isfinite(y)
    x, y = x[usable], y[usable]
    found = list(x[y == 0])
    for i in np.flatnonzero(y[:-1] * np.sign(y[1:]) < 0):
        found.append(brentq(f, x[i], x[i + 1], xtol=1e-300, rtol=8.9e-16, maxiter=500))
    return sorted(float(one) for one in found)


def grid(p: Mapping[str, Any]) -> Floats:
    """Return the voltages between which features of a model are looked for, dense at threshold."""
    return np.asarray(p["threshold"] + (p["threshold"] - p["v_reset"]) * _GRID)


def eigenvalues(field: Field, v: Any, current: Any, values: list[Any]) -> NDArray[np.complex128]:
    """Return the eigenvalues of the Jacobian where the neuron is held at ``v``; last axis."""
    point = [v, *field.resting(v, current, *values)]
    rows = field.jacobian(*point, current, *values)
    entries = np.broadcast_arrays(*(entry for row in rows for entry in row), v)[:-1]
    size = len(rows)
    matrix = np.stack(entries, axis=-1).reshape(*np.shape(entries[0]), size, size)
    return np.asarray(np.linalg.eigvals(matrix), dtype=complex)
