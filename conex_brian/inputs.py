"""The input current of a model: all that ``I`` may be, brought to one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2 import DimensionMismatchError, Equations, TimedArray
from brian2.equations.equations import DIFFERENTIAL_EQUATION, PARAMETER, SUBEXPRESSION
from brian2.units.fundamentalunits import Dimension

from conex_brian.dimensions import (
    as_quantity,
    check_dimension,
    is_array,
    short,
    unit_text,
)
from conex_brian.expressions import check_syntax, compares, expanded, identifiers, symbol

#: The kinds of input, by what an integrator has to know about them.
CONSTANT = "constant"  # within a time step
DECAYING = "decaying"  # currents with linear equations of their own, each for itself
CONDUCTANCE = "conductance"  # linear in v
GENERAL = "general"  # explicit in t, nonlinear, or coupled
KINDS = (CONSTANT, DECAYING, CONDUCTANCE, GENERAL)

#: Brian2's name of a model's own TimedArray within its equations.
TIMED_ARRAY = "I_timed"

RANDOM = {"rand", "randn", "poisson"}


@dataclass(frozen=True)
class Input:
    """An input current as Brian2 takes it.

    Attributes
    ----------
    equations : Equations
        They define ``I``, and whatever it needs.
    kind : str
        ``CONSTANT``, ``DECAYING``, ``CONDUCTANCE`` or ``GENERAL``.
    values : dict
        What to set on the group.
    namespace : dict
        Names that the equations use.
    length : int or None
        The number of neurons it is made for, None where it fits any.
    """

    equations: Equations
    kind: str = CONSTANT
    values: Mapping[str, Any] = field(default_factory=dict)
    namespace: Mapping[str, Any] = field(default_factory=dict)
    length: int | None = None


def make_input(
    I: Any,  # noqa: E741
    current: Dimension,
    taken: set[str],
    names: Mapping[str, Any],
) -> Input:
    """Return the `Input` for what a user gave as ``I``.

    Parameters
    ----------
    I : None, Quantity, float, array, TimedArray, str or Equations
        See `conex_brian.models.LIF.template`.
    current : Dimension
        What ``I`` must have: the model's voltage over its resistance.
    taken : set of str
        Names that the model uses itself, which Equations must not define.
    names : mapping
        Names known where the user made the model, to recognise a TimedArray in an expression.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        Where ``I`` is none of these, has another dimension, or Equations do not fit.
    """
    unit = unit_text(current)
    if I is None:
        return Input(Equations(f"I : {unit}"))
    if isinstance(I, TimedArray):
        return _timed(I, current)
    if isinstance(I, str):
        return _expression(I, unit, names)
    if isinstance(I, Equations):
        return _equations(I, current, taken, names)
    kinds = "a current, a TimedArray, an expression or Equations"
    value = as_quantity("I", I, kinds)
    check_dimension("I", value, (current,), ", the dimension of v_rest/R.")
    flags = "" if is_array(value) else " (shared)"
    return Input(Equations(f"I : {unit}{flags}"), values={"I": value})


def _timed(array: TimedArray, current: Dimension) -> Input:
    if array.dim is not current:
        raise DimensionMismatchError(
            f"I: the TimedArray holds values in {unit_text(array.dim)}, but needs "
            f"{unit_text(current)}, the dimension of v_rest/R."
        )
    check_finite("I", array)
    unit = unit_text(current)
    # Evaluated once a step: a Runge-Kutta stage at the step's end would read the next value.
    if array.values.ndim == 1:
        text, length = f"I = {TIMED_ARRAY}(t) : {unit} (shared, constant over dt)", None
    else:
        text, length = f"I = {TIMED_ARRAY}(t, i) : {unit} (constant over dt)", array.values.shape[1]
    return Input(Equations(text), namespace={TIMED_ARRAY: array}, length=length)


def check_finite(name: str, array: TimedArray) -> None:
    """Raise ``ValueError`` where a TimedArray holds nan or infinity; say when."""
    bad = np.argwhere(~np.isfinite(array.values))
    if len(bad):
        column = f" in column {bad[0][1]}" if array.values.ndim > 1 else ""
        raise ValueError(
            f"{name}: the TimedArray is not finite at {bad[0][0] * array.dt * 1e3:g} ms{column}. "
            "Give numbers."
        )


def _expression(text: str, unit: str, names: Mapping[str, Any]) -> Input:
    if ":" in text or "\n" in text.strip():
        raise ValueError(
            f"I = {short(text)}: a string is one expression, such as 'I_ext + I_syn'. "
            "For definitions give Equations('I = ... : amp')."
        )
    check_syntax("I", text)
    used = identifiers(text)
    if "I" in used:
        raise ValueError(f"I = {text!r} refers to itself. Give the other current another name.")
    equations = Equations(f"I = {text} : {unit}")
    kind = _kind(equations, names)
    timed = any(isinstance(names.get(name), TimedArray) for name in used)
    if used & RANDOM or (timed and kind == CONSTANT):
        # Brian2 wants random numbers drawn once a step; for a TimedArray see _timed.
        return Input(Equations(f"I = {text} : {unit} (constant over dt)"), CONSTANT)
    return Input(equations, kind)


def _equations(
    equations: Equations, current: Dimension, taken: set[str], names: Mapping[str, Any]
) -> Input:
    if "I" not in equations:
        raise ValueError(
            f"I: the Equations define {', '.join(equations) or 'nothing'}, but not I. Add a line "
            f"such as 'I = ... : {unit_text(current)}'."
        )
    if equations["I"].dim is not current:
        raise DimensionMismatchError(
            f"I: the Equations define I in {unit_text(equations['I'].dim)}, but it needs "
            f"{unit_text(current)}, the dimension of v_rest/R."
        )
    for name in equations:
        if name in taken:
            raise ValueError(
                f"I: the Equations define {name!r}, which the model defines itself. Rename it."
            )
    return Input(equations, _kind(equations, names))


def _kind(equations: Equations, names: Mapping[str, Any]) -> str:
    """Find out how the current that ``equations`` define enters the membrane equation."""
    if equations["I"].type == PARAMETER:
        return CONSTANT
    states = [symbol(name) for name in equations.diff_eq_names]
    if equations["I"].type == SUBEXPRESSION and "constant over dt" not in equations["I"].flags:
        current = expanded(equations, "I", names)
    else:
        current = symbol("I")
    v = symbol("v")
    rates = {
        symbol(e.varname): expanded(equations, e.varname, names)
        for e in equations.values()
        if e.type == DIFFERENTIAL_EQUATION
    }
    every = [current, *rates.values()]
    if any(compares(text, v, *states) for text in every):
        return GENERAL
    # By itself: a state's equation that is linear in the state, whatever else it has.
    by_itself = all(x not in rate.diff(x).free_symbols for x, rate in rates.items())
    slope = current.diff(v)
    timed = any("t" in {s.name for s in text.free_symbols} for text in every)
    if v in slope.free_symbols or timed or not by_itself:
        return GENERAL
    if slope != 0:
        return CONDUCTANCE
    if not states:
        return CONSTANT
    apart = all(
        rate.diff(x) != 0 and not rate.free_symbols & ({v, *states} - {x})
        for x, rate in rates.items()
    ) and not any(current.diff(x).free_symbols & set(states) for x in states)
    return DECAYING if apart else GENERAL
