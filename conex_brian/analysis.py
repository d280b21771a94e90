"""The theory of a neuron, without simulating it: rheobase, f-I curve, fixed points, bifurcation.

>>> from brian2 import *
>>> from conex_brian import LIF
>>> from conex_brian.analysis import firing_rate, rheobase
>>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
>>> print(rheobase(neuron))
1.5 nA
>>> print(firing_rate(neuron, [1, 2, 3]*nA))
[  0.          72.13475204 144.26950409] Hz

Everything is for a constant input current and unbounded equations. Where a model holds one value a
neuron, answers do; a current, a voltage or a time may then be an array too, of any shape that
broadcasts with the neurons as the last axis: ``I[:, newaxis]`` gives each neuron each current.

Right-hand sides are read from the model's own text, so a model of your own works as well: in closed
form where its equations are LIF's, ELIF's or AELIF's, else by general numerical methods. Needs
SciPy (``pip install 'conex_brian[analysis]'``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conex_brian import firing, rest
from conex_brian.broadcast import (
    dim_of,
    each,
    needs_scipy,
    neuron_at,
    quantity,
    shape_of,
    values_of,
)
from conex_brian.dimensions import first_where, short
from conex_brian.equilibria import FixedPoint, fixed_points, jacobian, nullclines
from conex_brian.field import Floats, field_of, law
from conex_brian.models import LIF
from conex_brian.rates import firing_rate, voltage

__all__ = [
    "Bifurcation",
    "FixedPoint",
    "bifurcation",
    "firing_rate",
    "fixed_points",
    "jacobian",
    "nullclines",
    "rheobase",
    "voltage",
]


@dataclass(frozen=True, eq=False)
class Bifurcation:
    """Where the equations of a neuron lose their resting state.

    Attributes
    ----------
    kind : str or ndarray of str
        ``'saddle-node'``: it meets the unstable fixed point. ``'Andronov-Hopf'``: it becomes an
        unstable focus.
    I : Quantity or float
        The current at which.
    v : Quantity or float
        The membrane potential at which.
    """

    kind: Any
    I: Any  # noqa: E741
    v: Any


def rheobase(neuron: LIF) -> Any:
    """Return the current above which the neuron has no resting state below its threshold.

    LIF: ``(threshold - v_rest)/R``. ELIF, AELIF: where the resting state is lost to a bifurcation,
    or where it meets the threshold, whichever comes first.

    Parameters
    ----------
    neuron : LIF
        A model, of any kind.

    Returns
    -------
    Quantity or float
        A current; one a neuron where the model holds one value a neuron.

    Raises
    ------
    ValueError
        Where there is no such current; the message names the neuron.

    Notes
    -----
    At the rheobase itself LIF, and others whose threshold is met, come nearer to the threshold
    forever. Below the rheobase a neuron may spike all the same, if something brings it beyond the
    unstable fixed point: where ``v_reset`` lies beyond it too, spikes go on. See `firing_rate`.

    Sources: Touboul and Brette, Biol. Cybern. 99 (2008) 319; Naud et al., Biol. Cybern. 99 (2008)
    335.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=1, threshold=-30, tau=10*ms, v_reset=-60, v_rest=-65, delta=2,
    ...     theta_rh=-50, alpha=[0, 0.5], beta=1, w_tau=100*ms)
    >>> rheobase(neuron).round(3)
    array([13.   , 20.586])
    """
    needs_scipy()
    p, known = values_of(neuron), law(neuron)
    if known is LIF:
        found = firing.leaky_rheobase(p)
    elif known is not None:
        _check_gain(neuron, p)
        found = rest.rheobase(p)
    else:
        found = _general_loss(neuron, bounded=True)[2]
    return quantity(found, dim_of(neuron, "current"))


def bifurcation(neuron: LIF) -> Bifurcation | None:
    """Return where the equations lose their resting state as the current rises.

    The threshold plays no part; see `rheobase` for what it does.

    Parameters
    ----------
    neuron : LIF
        A model, of any kind.

    Returns
    -------
    Bifurcation or None
        None where the equations are linear, like LIF's: their resting state is never lost, it only
        rises beyond the threshold. Where the model holds one value a neuron, attributes are arrays.

    Raises
    ------
    ValueError
        Where there is none for another reason; the message names the neuron.

    Notes
    -----
    AELIF, with ``a = alpha*R`` and ``r = tau/w_tau``: Andronov-Hopf where ``a > r``, else
    saddle-node (both at once where ``a = r``). Touboul and Brette, Biol. Cybern. 99 (2008) 319.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=1, threshold=-30, tau=10*ms, v_reset=-60, v_rest=-65, delta=2,
    ...     theta_rh=-50, alpha=[0, 0.5], beta=1, w_tau=100*ms)
    >>> print(bifurcation(neuron).kind)
    ['saddle-node' 'Andronov-Hopf']
    """
    needs_scipy()
    if neuron.linear:
        return None
    if law(neuron) is not None:
        p = values_of(neuron)
        _check_gain(neuron, p)
        kind, v, current = rest.bifurcation(p)
    else:
        kind, v, current = _general_loss(neuron, bounded=False)
    kinds = np.asarray(kind).astype(str)
    return Bifurcation(
        kinds if kinds.ndim else str(kinds),
        quantity(current, dim_of(neuron, "current")),
        quantity(v, dim_of(neuron, "voltage")),
    )


def _check_gain(neuron: LIF, p: Mapping[str, Any]) -> None:
    bad = ~(rest.gain(p) > 0)
    if bad.any():
        raise ValueError(
            f"{type(neuron).__name__}: alpha = {short(neuron.alpha)}: 1 + alpha*R is not positive"  # type: ignore[attr-defined]
            f"{first_where(bad)}: the equations have no resting state at any current, so no "
            "rheobase and no bifurcation. They need alpha > -1/R."
        )


def _general_loss(neuron: LIF, bounded: bool) -> tuple[Any, Floats, Floats]:
    field = field_of(neuron)
    owner = type(neuron).__name__
    if field.current is None:
        raise ValueError(
            f"{owner}: RI = {neuron.RI!r} is not linear in I: the theory knows no rheobase then. "
            "Use firing_rate and fixed_points at several currents."
        )
    shape = shape_of(neuron)
    kind, v, current = np.empty(shape, dtype=object), np.empty(shape), np.empty(shape)
    for place, p, _ in each(neuron, shape):
        found = rest.general_loss(field, field.current, p, bounded)
        if found is None:
            what = "no resting state below the threshold" if bounded else "no bifurcation"
            raise ValueError(f"{owner}: {what} was found{neuron_at(place)} at any current.")
        kind[place], v[place], current[place] = found
    return kind, v, current
