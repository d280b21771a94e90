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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import Quantity, get_dimensions, hertz, second
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from conex_brian import firing, rest
from conex_brian.dimensions import as_quantity, check_dimension, first_where, short
from conex_brian.expressions import identifiers
from conex_brian.field import Field, Floats, eigenvalues, field_of, law
from conex_brian.models import ELIF, LIF
from conex_brian.options import noise_level, refractory_period
from conex_brian.orbits import Orbit

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
    """
    _needs_scipy()
    p, known = _values(neuron), law(neuron)
    if known is LIF:
        found = firing.drive(0.0, 0.0, p["threshold"], -p["v_rest"]) / p["R"]
    elif known is not None:
        _check_gain(neuron, p)
        found = rest.rheobase(p)
    else:
        found = _general_loss(neuron, bounded=True)[2]
    return _with(found, _dim(neuron, "current"))


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
        rises beyond the threshold. With one value a neuron in the model, each attribute is an array.

    Raises
    ------
    ValueError
        Where there is none for another reason; the message names the neuron.

    Notes
    -----
    With ``a = alpha*R`` and ``r = tau/w_tau``: Andronov-Hopf where ``a > r``, else saddle-node (both
    at once where ``a = r``). Touboul and Brette, Biol. Cybern. 99 (2008) 319.
    """
    _needs_scipy()
    if neuron.linear:
        return None
    if law(neuron) is not None:
        p = _values(neuron)
        _check_gain(neuron, p)
        kind, v, current = rest.bifurcation(p)
    else:
        kind, v, current = _general_loss(neuron, bounded=False)
    kinds = np.asarray(kind).astype(str)
    return Bifurcation(
        kinds if kinds.ndim else str(kinds),
        _with(current, _dim(neuron, "current")),
        _with(v, _dim(neuron, "voltage")),
    )


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
    """
    _needs_scipy()
    current = _current(neuron, I)
    field, known = field_of(neuron), law(neuron)
    shape = _shape(neuron, current)
    found = np.empty(shape, dtype=object)
    for place, p, (one,) in _each(neuron, shape, current):
        points = _voltages(field, known, p, one)
        found[place] = tuple(_fixed_point(neuron, field, p, one, v) for v in points)
    return found if shape else found[()]


def firing_rate(
    neuron: LIF,
    I: Any,  # noqa: E741
    refractory: Any = 0 * second,
    *,
    noise: Any = None,
) -> Any:
    """Return the rate at which the neuron fires in the long run; 0 Hz where it comes to rest.

    It is the rate of ``neuron.group(I=I)`` with exact spike times: of a neuron that starts at its
    ``init_v`` (default ``v_rest``) and ``omega`` (default 0) when the current is switched on.

    Parameters
    ----------
    neuron : LIF
        A model, of any kind.
    I : Quantity, float or array
        The input current.
    refractory : Quantity, optional
        Refractory period, a time or one a neuron. As in a simulation v is held at v_reset, and
        omega goes on. Default: none.
    noise : Quantity or float, optional
        As in `LIF.group`: the standard deviation that white noise gives the free membrane's v. For
        LIF only. Default: none.

    Returns
    -------
    Quantity
        In Hz, in the shape of the current and the neurons.

    Raises
    ------
    ValueError
        For noise with another model than LIF; where the start is needed and is an expression; where
        a spike adds ``beta*dt`` to omega, since the rate then depends on ``dt``; where the neuron
        neither spikes nor rests for 100,000 of its slowest time constants. Messages name the neuron.

    Notes
    -----
    LIF: ``1/(refractory + tau*log((u - v_reset)/(u - threshold)))``, ``u = v_rest + R*I``; with
    noise Siegert's integral (Siegert, Phys. Rev. 81 (1951) 617; Ricciardi, Diffusion Processes and
    Related Topics in Biology (1977)). ELIF and other models with no state but v: the integral of
    dv/F, to 1e-9. AELIF and others: the equations are followed from spike to spike (DOP853) until
    the states after a spike repeat, to 1e-8; a burst counts as a whole. A train that has not
    repeated after 600 spikes is averaged over the last 500, which leaves an error of some 1 % where
    it is chaotic.

    Below the rheobase a neuron whose ``v_reset`` lies beyond the unstable fixed point has two ways to
    be: at rest, or spiking for ever. Which one it is follows from where it starts, so give
    ``init_v`` or ``omega``: ``firing_rate(neuron.replace(init_v=neuron.v_reset), I)`` is the rate
    after something made it spike. AELIF may also spike for ever from rest at a current somewhat
    below the rheobase, since omega is late.
    """
    _needs_scipy()
    current = _current(neuron, I)
    period = _period(refractory)
    level = noise_level(noise, _dim(neuron, "voltage")).get("noise")
    known = law(neuron)
    _check_reset(neuron)
    for name, jump in neuron.jumps.items():
        if "dt" in identifiers(jump):
            raise ValueError(
                f"{type(neuron).__name__}: a spike adds {jump} to {name}, so the rate depends on the "
                "time step. Give the jump itself: neuron.replace(beta=neuron.beta*dt)."
            )
    if level is not None and known is not LIF:
        raise ValueError(
            f"noise = {short(noise)}: a rate with noise is known for LIF only, not for "
            f"{type(neuron).__name__}. Simulate it: neuron.group(I=..., noise=...)."
        )
    shape = _shape(neuron, current, period, *([] if level is None else [np.asarray(level)]))
    if known is LIF:
        p = _values(neuron)
        interval = firing.leaky_interval(p, current) + period
        rate = np.broadcast_to(1 / interval, shape)
        if level is not None:
            rate = np.array(rate)
            for place, one, (i, t_ref, sigma) in _each(neuron, shape, current, period, level):
                if sigma > 0:
                    rate[place] = firing.noisy_rate(one, i, sigma, t_ref)
        return _with(rate, hertz.dim)
    rate = np.empty(shape)
    field = field_of(neuron)
    for place, p, (one, t_ref) in _each(neuron, shape, current, period):
        try:
            rate[place] = _rate(neuron, field, p, one, t_ref, place)
        except ArithmeticError as error:
            raise ValueError(
                f"I = {short(I)}: the rate of {type(neuron).__name__} is not known"
                f"{_at(place)}: {error}. Change the current a little."
            ) from error
    return _with(rate, hertz.dim)


def voltage(neuron: LIF, t: Any, I: Any, refractory: Any = 0 * second) -> Any:  # noqa: E741
    """Return v of a LIF neuron at time ``t`` after the current was switched on, in closed form.

    It starts at ``init_v`` (default: ``v_rest``), spikes and is reset: at a spike v is ``v_reset``.

    Parameters
    ----------
    neuron : LIF
        A leaky neuron.
    t : Quantity
        A time or several, 0 or more.
    I : Quantity, float or array
        The input current.
    refractory : Quantity, optional
        Refractory period. Default: none.

    Returns
    -------
    Quantity or float
        v, in the shape of the times, the current and the neurons.

    Raises
    ------
    ValueError
        For another model than LIF, which has no closed form; for a negative time; where ``init_v``
        is an expression.
    """
    if law(neuron) is not LIF:
        raise ValueError(
            f"voltage: {type(neuron).__name__} has no closed form for v(t), only LIF has. Simulate "
            "it: neuron.group(I=...) and a StateMonitor."
        )
    _check_reset(neuron)
    time = _numbers("t", t, (second.dim,))
    if (time < 0).any():
        raise ValueError(f"t = {short(t)} is negative: it needs times of at least 0 ms.")
    current, period = _current(neuron, I), _period(refractory)
    start = _start(neuron, "v")
    _shape(neuron, time, current, period)
    v = firing.leaky_voltage(_values(neuron), start, time, current, period)
    return _with(v, _dim(neuron, "voltage"))


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
    """
    field = field_of(neuron)
    if set(field.nullclines) != set(field.states):
        raise ValueError(
            f"nullclines: {type(neuron).__name__} has the states {', '.join(field.states)}. "
            "Nullclines need v and one other on which both equations depend linearly; see "
            "fixed_points."
        )
    current = _current(neuron, I)
    at = _numbers("v", v, (_dim(neuron, "voltage"),))
    shape = _shape(neuron, at, current)
    kind = neuron.states[field.states[1]][1]
    values = field.values(neuron)
    return {
        name: _with(np.broadcast_to(f(at, current, *values), shape), _dim(neuron, kind))
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
    """
    field = field_of(neuron)
    kinds = _kinds(neuron)
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
        **{name: _dim(neuron, kind) for name, kind in kinds.items()},
        "I": _dim(neuron, "current"),
    }
    point = [
        np.asarray(0.0)
        if (name == "I" and I is None) or name not in given
        else _numbers(name, given[name], (dims[name],))
        for name in (*field.states, "I")
    ]
    shape = _shape(neuron, *point)
    rows = field.jacobian(*point, *field.values(neuron))
    return tuple(
        tuple(
            _with(np.broadcast_to(entry, shape), dims[i] / dims[k] / second.dim)
            for k, entry in zip(field.states, row, strict=True)
        )
        for i, row in zip(field.states, rows, strict=True)
    )


# ---------------------------------------------------------------- units and shapes


def _needs_scipy() -> None:
    try:
        import scipy.integrate  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "conex_brian.analysis needs SciPy: pip install 'conex_brian[analysis]'."
        ) from error


def _dim(neuron: LIF, kind: str) -> Dimension:
    return neuron.dimensions[kind][0]


def _kinds(neuron: LIF) -> dict[str, str]:
    return {"v": "voltage", **{name: kind for name, (_, kind) in neuron.states.items()}}


def _with(value: Any, dim: Dimension) -> Any:
    """Return numbers in SI base units as a Quantity, or as they are where there is no unit."""
    array = np.array(value, dtype=float)
    if dim is DIMENSIONLESS:
        return array if array.ndim else float(array)
    return Quantity(array, dim=dim)


def _numbers(name: str, value: Any, admitted: tuple[Dimension, ...]) -> Floats:
    """Return a checked argument of any shape as numbers in SI base units."""
    if isinstance(value, np.ndarray) and value.ndim > 1:
        flat = _numbers(name, value.reshape(-1), admitted)
        return flat.reshape(value.shape)
    found = as_quantity(name, value)
    check_dimension(name, found, admitted)
    return np.asarray(found, dtype=float)


def _current(neuron: LIF, I: Any) -> Floats:  # noqa: E741
    return _numbers("I", I, (_dim(neuron, "current"),))


def _period(refractory: Any) -> Floats:
    if isinstance(refractory, str):
        raise TypeError(f"refractory = {refractory!r}: the theory needs a time, or one a neuron.")
    _, found = refractory_period(refractory)
    return np.asarray(found.get("t_ref", 0.0), dtype=float)


def _values(neuron: LIF) -> dict[str, Floats]:
    return {n: np.asarray(getattr(neuron, n), dtype=float) for n in neuron.parameter_names()}


def _shape(neuron: LIF, *arguments: Floats) -> tuple[int, ...]:
    """Return the shape of an answer: neurons are the last axis."""
    neurons = np.broadcast_shapes(*(value.shape for value in _values(neuron).values()))
    try:
        return np.broadcast_shapes(neurons, *(np.shape(one) for one in arguments))
    except ValueError as error:
        shapes = " and ".join(str(np.shape(one)) for one in arguments if np.ndim(one))
        model = f"{neurons[0]} neurons" if neurons else "one neuron"
        raise ValueError(
            f"{type(neuron).__name__} has {model}, which do not fit arguments of shape {shapes}: "
            "the last axis is the neurons'. I[:, newaxis] gives each neuron each current."
        ) from error


def _each(
    neuron: LIF, shape: tuple[int, ...], *arguments: Any
) -> Iterator[tuple[tuple[int, ...], dict[str, float], list[float]]]:
    """Yield the place, the parameters and the arguments of each neuron."""
    values = {name: np.broadcast_to(value, shape) for name, value in _values(neuron).items()}
    spread = [np.broadcast_to(np.asarray(one), shape) for one in arguments]
    for place in np.ndindex(shape):
        p = {name: float(value[place]) for name, value in values.items()}
        yield place, p, [float(one[place]) for one in spread]


def _at(place: tuple[int, ...]) -> str:
    return f" for neuron {place[-1]}" if place else ""


# ---------------------------------------------------------------- one neuron


def _check_gain(neuron: LIF, p: Mapping[str, Floats]) -> None:
    bad = ~(rest.gain(p) > 0)
    if bad.any():
        raise ValueError(
            f"{type(neuron).__name__}: alpha = {short(neuron.alpha)}: 1 + alpha*R is not positive"  # type: ignore[attr-defined]
            f"{first_where(bad)}: the equations have no resting state at any current, so no "
            "rheobase and no bifurcation. They need alpha > -1/R."
        )


def _check_reset(neuron: LIF) -> None:
    if type(neuron).reset is not LIF.reset or neuron.condition != LIF.condition:
        raise ValueError(
            f"{type(neuron).__name__} has a reset or a condition of its own; the theory knows "
            f"'{LIF.condition}', v = v_reset and jumps of other states."
        )


def _general_loss(neuron: LIF, bounded: bool) -> tuple[Any, Floats, Floats]:
    field = field_of(neuron)
    owner = type(neuron).__name__
    if field.current is None:
        raise ValueError(
            f"{owner}: RI = {neuron.RI!r} is not linear in I: the theory knows no rheobase then. "
            "Use firing_rate and fixed_points at several currents."
        )
    shape = _shape(neuron)
    kind, v, current = np.empty(shape, dtype=object), np.empty(shape), np.empty(shape)
    for place, p, _ in _each(neuron, shape):
        found = rest.general_loss(field, field.current, p, bounded)
        if found is None:
            what = "no resting state below the threshold" if bounded else "no bifurcation"
            raise ValueError(f"{owner}: {what} was found{_at(place)} at any current.")
        kind[place], v[place], current[place] = found
    return kind, v, current


def _voltages(
    field: Field, known: type[LIF] | None, p: Mapping[str, float], current: float
) -> list[float]:
    if known is LIF:
        return [p["v_rest"] + p["R"] * current]
    if known is not None:
        return rest.voltages(p, current)
    return rest.general_voltages(field, p, current)


def _fixed_point(
    neuron: LIF, field: Field, p: Mapping[str, float], current: float, v: float
) -> FixedPoint:
    values = [p[name] for name in field.parameters]
    found = eigenvalues(field, np.asarray(v), current, values)
    others = dict(zip(field.states[1:], field.resting(v, current, *values), strict=True))
    signs = np.sign(found.real)
    if np.any(found.imag):
        kind = "focus"
    else:
        kind = "saddle" if signs.min() < 0 < signs.max() else "node"
    kinds = _kinds(neuron)
    return FixedPoint(
        v=_with(v, _dim(neuron, "voltage")),
        states={name: _with(one, _dim(neuron, kinds[name])) for name, one in others.items()},
        eigenvalues=Quantity(found, dim=hertz.dim),
        kind=kind,
        stable=bool(np.all(found.real < 0)),
    )


def _start(neuron: LIF, state: str) -> Floats:
    """Return where ``state`` starts, or say that it is not a value."""
    name = "init_v" if state == "v" else state
    given = getattr(neuron, name)
    if isinstance(given, str):
        raise ValueError(
            f"{type(neuron).__name__}: {name} = {given!r} is an expression, and the answer depends "
            f"on where the neuron starts. Give a value: neuron.replace({name}=...)."
        )
    if given is None:
        given = neuron.v_rest if state == "v" else 0.0
    return np.asarray(given, dtype=float)


def _rate(
    neuron: LIF,
    field: Field,
    p: Mapping[str, float],
    current: float,
    t_ref: float,
    place: tuple[int, ...],
) -> float:
    """Return the rate of one neuron of a model other than LIF."""

    def start() -> list[float]:
        values = [_start(neuron, name) for name in field.states]
        return [float(value[place[-1]] if value.ndim else value) for value in values]

    if len(field.states) > 1:
        points = _voltages(field, law(neuron), p, current)
        found = [_fixed_point(neuron, field, p, current, v) for v in points if v < p["threshold"]]
        resting = [
            np.array([float(np.asarray(x)) for x in (one.v, *one.states.values())])
            for one in found
            if one.stable
        ]
        times = [p[name] for name in neuron.parameter_names() if neuron.kind(name) == "time"]
        orbit = Orbit(field, p, current, t_ref, max(times))
        return orbit.rate(np.array(start()), resting)

    def interval(lowest: float) -> float:
        if law(neuron) is ELIF:
            return firing.exponential_interval(p, current, lowest)
        return firing.general_interval(field, p, current, lowest)

    passage = interval(-np.inf)
    if not np.isfinite(passage):
        # Something stops v somewhere: the answer depends on where it starts.
        passage = interval(p["v_reset"])
        if np.isfinite(passage) and (v := start()[0]) < p["v_reset"]:
            passage = interval(v)
    if t_ref + passage == 0:
        raise ArithmeticError("v_reset lies so far in the upswing that intervals have no length")
    return 1 / (t_ref + passage)
