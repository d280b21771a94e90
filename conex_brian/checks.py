"""Checks of a template against the group it is for: names, dimensions and the time step."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import DimensionMismatchError, Quantity, TimedArray, get_dimensions, second
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.namespace import DEFAULT_UNITS
from brian2.core.variables import Constant, Variable
from brian2.equations.equations import DIFFERENTIAL_EQUATION
from brian2.parsing.expressions import is_boolean_expression, parse_expression_dimensions
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from conex_brian.dimensions import check_dimension, nearest, short, unit_text
from conex_brian.expressions import check_syntax, identifiers
from conex_brian.inputs import check_finite
from conex_brian.integration import check_stability

if TYPE_CHECKING:
    from conex_brian.templates import Template

_CONSTANTS = {"pi", "e", "inf", "True", "False"}


def check(template: Template, dt: Quantity, names: Mapping[str, Any]) -> None:
    """Check all that depends on a group's time step and namespace.

    Parameters
    ----------
    template : Template
        What the group is made from.
    dt : Quantity
        The group's time step.
    names : mapping
        What expressions may refer to.

    Raises
    ------
    ValueError
        For an unknown name, a TimedArray that ``'exact'`` cannot take, or too long a step.
    brian2.DimensionMismatchError
        For an expression of a wrong dimension.
    """
    neuron = template.neuron
    times = {n: getattr(neuron, n) for n in neuron.parameter_names() if neuron.kind(n) == "time"}
    check_stability(template.method, float(dt), times)
    names = {**names, **template.namespace}
    variables = _variables(template, names)
    for name, text in template.texts.items():
        check_syntax(name, text)
        _check_known(name, text, variables, names)
    for equation in template.model.values():
        if equation.expr is not None:
            _check_known(equation.varname, equation.expr.code, variables, names)
    _check_expressions(template, variables)
    _check_timed_arrays(template, dt, variables)


def _variables(template: Template, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Brian2 knows of each name that the template uses, to find dimensions."""
    known: dict[str, Any] = dict(DEFAULT_FUNCTIONS)
    for name, unit in DEFAULT_UNITS.items():
        known[name] = Constant(name, dimensions=unit.dim, value=float(unit))
    for name in _CONSTANTS:
        known[name] = Constant(name, value=1.0)
    used = set().union(*(identifiers(text) for text in _all_texts(template)))
    # What the group defines hides what its user calls so.
    for name in used & set(names) - set(known) - set(template.model.dimensions):
        value = names[name]
        if isinstance(value, TimedArray):
            check_finite(name, value)
        if isinstance(value, Function) or hasattr(value, "_arg_units"):
            known[name] = value
        elif _is_number(value):
            if not np.isfinite(value):
                raise ValueError(f"{name} = {short(value)} is not finite. Give a number.")
            known[name] = Constant(name, dimensions=get_dimensions(value), value=float(value))
    for name, dim in template.model.dimensions.items():
        known[name] = Variable(name, dimensions=dim)
    for name in ("t", "dt"):
        known[name] = Variable(name, dimensions=second.dim)
    known["i"] = Variable("i", dtype=np.int32)
    known["N"] = Variable("N", dtype=np.int32)
    if template.refractory is not False:
        known["lastspike"] = Variable("lastspike", dimensions=second.dim)
        known["not_refractory"] = Variable("not_refractory", dtype=bool)
    for name in template.model.stochastic_variables:
        known[name] = Variable(name, dimensions=(second**-0.5).dim)
    return known


def _all_texts(template: Template) -> list[str]:
    equations = [e.expr.code for e in template.model.values() if e.expr is not None]
    return [*template.texts.values(), *equations]


def _is_number(value: Any) -> bool:
    # Of other objects NumPy asks for one item after the other, and Synapses have endless ones.
    if not isinstance(value, Real) and not hasattr(value, "__array__"):
        return False
    array = np.asarray(value)
    return array.dtype.kind in "iuf" and array.ndim == 0


def _check_known(
    where: str, text: str, variables: Mapping[str, Any], names: Mapping[str, Any]
) -> None:
    for name in sorted(identifiers(text)):
        if name in variables:
            continue
        if name in ("lastspike", "not_refractory") and name not in names:
            raise ValueError(
                f"{where} = {text!r} uses {name!r}, which only a group with a refractory period "
                "has. Give refractory=0*ms, or leave it out."
            )
        if name in names:
            raise ValueError(
                f"{where} = {text!r} uses {name!r}, which is {short(names[name])}: it needs a "
                "number, a Quantity or a TimedArray."
            )
        candidates = {*variables, *names} - set(DEFAULT_UNITS)
        raise ValueError(
            f"{where} = {text!r} names {name!r}, which is not known"
            f"{nearest(name, candidates)}. Define it before the group is made, pass it "
            "in namespace=, or give Equations that define it."
        )


def _dimension(where: str, text: str, variables: Mapping[str, Any]) -> Dimension:
    try:
        return parse_expression_dimensions(text, variables)
    except DimensionMismatchError as error:
        raise DimensionMismatchError(f"{where} = {text!r}: {error}") from error
    except (SyntaxError, NotImplementedError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{where} = {text!r} is no Brian2 expression: {error}") from error


def _check_expressions(template: Template, variables: Mapping[str, Any]) -> None:
    for equation in template.model.values():
        if equation.expr is None:
            continue
        dim = equation.dim
        if equation.type == DIFFERENTIAL_EQUATION:
            dim = dim / second.dim
        got = _dimension(equation.varname, equation.expr.code, variables)
        if got is not dim:
            what = f"d{equation.varname}/dt" if dim is not equation.dim else equation.varname
            raise DimensionMismatchError(
                f"{what} = {equation.expr.code!r} is in {unit_text(got)}, but needs "
                f"{unit_text(dim)}."
            )
    for name, text in template.texts.items():
        if name in ("refractory", "init_s"):
            _check_condition(name, text, variables)
            if name == "refractory" and template.spike_timing == "precise":
                _check_period(text, variables)
        else:
            target = name.removeprefix("init_")
            got = _dimension(name, text, variables)
            needed = template.model[target].dim
            check_dimension(f"{name} ({text!r})", Quantity(1.0, dim=got), (needed,), ".")


def _check_condition(name: str, text: str, variables: Mapping[str, Any]) -> None:
    got = _dimension(name, text, variables)
    if got is DIMENSIONLESS and is_boolean_expression(text, variables):
        return
    if name == "refractory" and got is second.dim:
        return
    needed = "a time or a condition" if name == "refractory" else "a condition"
    raise DimensionMismatchError(
        f"{name} = {text!r} is in {unit_text(got)}, but needs {needed} such as 'v > -40*mV'."
    )


def _check_period(text: str, variables: Mapping[str, Any]) -> None:
    if is_boolean_expression(text, variables):
        raise ValueError(
            f"refractory = {text!r} is a condition: spike_timing='precise' needs a time, since the "
            "end of the condition is not known within its step. Use spike_timing='grid'."
        )


def _check_timed_arrays(template: Template, dt: Quantity, variables: Mapping[str, Any]) -> None:
    """Refuse input that changes within a step where the method takes it to be constant."""
    if template.method != "exact":
        return
    used = set().union(*(identifiers(text) for text in _all_texts(template)))
    for name in used:
        array = variables.get(name)
        if isinstance(array, TimedArray):
            ratio = float(array.dt) / float(dt)
            if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-9 * ratio:
                raise ValueError(
                    f"I: the TimedArray has dt = {array.dt * 1e3:g} ms, which is no multiple of "
                    f"the group's dt = {float(dt) * 1e3:g} ms: 'exact' needs input that is "
                    "constant in each step. Change one of them, or use method='rk4'."
                )
