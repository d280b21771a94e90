"""Where a neuron stays: fixed points with what happens around them, nullclines, Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import Quantity, hertz, second

from conex_brian import rest
from conex_brian.broadcast import (
    current_of,
    dim_of,
    each,
    kinds_of,
    needs_scipy,
    numbers,
    quantity,
    shape_of,
)
from conex_brian.field import Field, eigenvalues, field_of, law
from conex_brian.models import LIF


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A state in which a neuron stays.

    Attributes
    ----------
    v : Quantity or float
        Its membrane potential.
    states : mapping of str to Quantity or float
        Its further states.
    eigenvalues : Quantity
        Of the Jacobian there, complex, in Hz (per second, without a factor of 2 pi).
    kind : {'node', 'focus', 'saddle'}
        A node's eigenvalues are real and of one sign, a saddle's of both signs; a focus has complex
        ones.
    stable : bool
        Whether all real parts are negative.
    """

    v: Any
    states: Mapping[str, Any]
    eigenvalues: Quantity
    kind: str
    stable: bool

    @property
    def omega(self) -> Any:
        """Its adaptation current; None where the model has none."""
        return self.states.get("omega")


def fixed_points(neuron: LIF, I: Any) -> Any:  # noqa: E741
    """Return the states in which the neuron stays, with what happens around each.

    Parameters
    ----------
    neuron : LIF
        A model, of any kind.
    I : Quantity, float or array
        The input current.

    Returns
    -------
    tuple of FixedPoint, or ndarray of such tuples
        The lowest v first; empty where there is none. An array of tuples, in the shape of the
        current and the neurons, where there are several. They are of the equations alone: one above
        the threshold is listed, though no neuron gets there.

    Raises
    ------
    ValueError
        For a model of your own whose equations have no general solution.

    Notes
    -----
    LIF: ``v_rest + R*I``. ELIF, AELIF: in closed form up to Newton's method on ``exp(x) - 1 - x``,
    whose inverse are both branches of Lambert's W function. A model of your own: those within 50
    times the way from reset to threshold.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=1, threshold=-30, tau=10*ms, v_reset=-60, v_rest=-65, delta=2,
    ...     theta_rh=-50, alpha=[0, 0.5], beta=1, w_tau=100*ms)
    >>> for point in fixed_points(neuron, 10)[1]:
    ...     print(round(point.v, 3), round(point.omega, 3), point.kind, point.stable)
    -58.312 3.344 node True
    -45.466 9.767 saddle False
    """
    needs_scipy()
    current = current_of(neuron, I)
    field, known = field_of(neuron), law(neuron)
    shape = shape_of(neuron, current)
    found = np.empty(shape, dtype=object)
    for place, p, (one,) in each(neuron, shape, current):
        points = rest.voltages(field, known, p, one)
        found[place] = tuple(_fixed_point(neuron, field, p, one, v) for v in points)
    return found if shape else found[()]


def _fixed_point(
    neuron: LIF, field: Field, p: Mapping[str, float], current: float, v: float
) -> FixedPoint:
    values = [p[name] for name in field.parameters]
    found = eigenvalues(field, np.asarray(v), current, values)
    others = dict(zip(field.states[1:], field.resting(v, current, *values), strict=True))
    signs = np.sign(found.real)
    kind = "saddle" if signs.min() < 0 < signs.max() else "node"
    if np.any(found.imag):
        kind = "focus"
    kinds = kinds_of(neuron)
    return FixedPoint(
        v=quantity(v, dim_of(neuron, "voltage")),
        states={name: quantity(one, dim_of(neuron, kinds[name])) for name, one in others.items()},
        eigenvalues=Quantity(found, dim=hertz.dim),
        kind=kind,
        stable=bool(np.all(found.real < 0)),
    )


def nullclines(neuron: LIF, v: Any, I: Any) -> dict[str, Any]:  # noqa: E741
    """Return where each of the two states of a neuron stands still, as functions of v.

    Parameters
    ----------
    neuron : LIF
        A model with two states, such as AELIF.
    v : Quantity, float or array
        Membrane potentials, of any shape that broadcasts with the current and the neurons.
    I : Quantity, float or array
        The input current.

    Returns
    -------
    dict
        For AELIF ``'v'``: omega where dv/dt = 0, and ``'omega'``: omega where domega/dt = 0.

    Raises
    ------
    ValueError
        Where the model has another number of states than two.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=1, threshold=-30, tau=10*ms, v_reset=-60, v_rest=-65, delta=2,
    ...     theta_rh=-50, alpha=[0, 0.5], beta=1, w_tau=100*ms)
    >>> nullclines(neuron, -60, 10)['omega']
    array([0. , 2.5])
    """
    field = field_of(neuron)
    if set(field.nullclines) != set(field.states):
        raise ValueError(
            f"nullclines: {type(neuron).__name__} has the states {', '.join(field.states)}. "
            "Nullclines need v and one other on which both equations depend linearly; see "
            "fixed_points."
        )
    current = current_of(neuron, I)
    at = numbers("v", v, (dim_of(neuron, "voltage"),))
    shape = shape_of(neuron, at, current)
    kind = neuron.states[field.states[1]][1]
    values = field.values(neuron)
    return {
        name: quantity(np.broadcast_to(f(at, current, *values), shape), dim_of(neuron, kind))
        for name, f in field.nullclines.items()
    }


def jacobian(neuron: LIF, v: Any, I: Any = None, **states: Any) -> tuple[tuple[Any, ...], ...]:  # noqa: E741
    """Return the derivatives of the states' rates of change by the states.

    Parameters
    ----------
    neuron : LIF
        A model, of any kind.
    v : Quantity, float or array
        Where: the membrane potential.
    I : Quantity, float or array, optional
        Where: the input current. ELIF and AELIF need none.
    **states : Quantity, float or array, optional
        Where: further states, such as ``omega``. AELIF needs none.

    Returns
    -------
    tuple of tuples
        ``J[i][k]`` is the derivative of state i's rate of change by state k, ``v`` first, each with
        its unit, in the shape of v and the neurons. ``numpy.array(J, dtype=float)`` is the matrix
        in SI base units.

    Raises
    ------
    TypeError
        For an unknown state, or where the derivatives depend on a state or on ``I`` not given.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=1, threshold=-30, tau=10*ms, v_reset=-60, v_rest=-65, delta=2,
    ...     theta_rh=-50, alpha=[0, 0.5], beta=1, w_tau=100*ms)
    >>> J = jacobian(neuron, -60)
    >>> print(J[1][0])
    [0. 5.] Hz
    """
    field = field_of(neuron)
    kinds = kinds_of(neuron)
    strange = set(states) - set(field.states[1:])
    missing = field.needs - {"v", *states} - ({"I"} if I is not None else set())
    if strange or missing:
        problem = f"takes no {', '.join(sorted(strange))}" if strange else ""
        problem = problem or f"depends on {', '.join(sorted(missing))}; give it"
        raise TypeError(
            f"jacobian of {type(neuron).__name__} {problem}. Its states are "
            f"{', '.join(field.states)}."
        )
    given = {"v": v, **states, "I": 0.0 if I is None else I}
    dims = {
        **{name: dim_of(neuron, kind) for name, kind in kinds.items()},
        "I": dim_of(neuron, "current"),
    }
    point = [
        np.asarray(0.0)
        if (name == "I" and I is None) or name not in given
        else numbers(name, given[name], (dims[name],))
        for name in (*field.states, "I")
    ]
    shape = shape_of(neuron, *point)
    rows = field.jacobian(*point, *field.values(neuron))
    return tuple(
        tuple(
            quantity(np.broadcast_to(entry, shape), dims[i] / dims[k] / second.dim)
            for k, entry in zip(field.states, row, strict=True)
        )
        for i, row in zip(field.states, rows, strict=True)
    )
