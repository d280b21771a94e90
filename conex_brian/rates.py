"""How a neuron fires at a constant current: its rate, and the voltage of a leaky one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import hertz, second

from conex_brian import firing, rest
from conex_brian.broadcast import (
    current_of,
    dim_of,
    each,
    needs_scipy,
    neuron_at,
    numbers,
    period_of,
    quantity,
    shape_of,
    values_of,
)
from conex_brian.dimensions import short
from conex_brian.expressions import identifiers
from conex_brian.field import Field, field_of, law
from conex_brian.models import AELIF, ELIF, LIF
from conex_brian.options import noise_level
from conex_brian.orbits import Orbit, Undecided

#: Shorter intervals, in time constants, are none: v_reset lies where the exponential is bounded.
SHORTEST = 1e-100


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
        For noise with another model than LIF; where the start matters and is an expression; where
        a spike adds ``beta*dt`` to omega, since the rate then depends on ``dt``; where a neuron
        neither spikes nor comes to rest for 100,000 of its slowest time constants, or its intervals
        change for ever, as where a negative ``beta`` makes them shrink without end.

    Notes
    -----
    LIF: ``1/(refractory + tau*log((u - v_reset)/(u - threshold)))``, ``u = v_rest + R*I``; with
    noise Siegert's integral (Siegert, Phys. Rev. 81 (1951) 617; Ricciardi, Diffusion Processes and
    Related Topics in Biology (1977)). ELIF and other models with no state but v: the integral of
    dv/F, to 1e-9 (models of your own to 1e-6 or better at their rheobase). AELIF and others: the
    equations are followed from spike to spike (DOP853) until the states after a spike repeat, to
    1e-8; a burst counts as a whole. A train that does not repeat is averaged over 500 spikes, after
    eight of the slowest time constants, which leaves an error of some 1 % where it is chaotic.

    Below the rheobase a neuron whose ``v_reset`` lies beyond the unstable fixed point has two ways
    to be: at rest, or spiking for ever. Which one it is follows from where it starts, so give
    ``init_v`` or ``omega``: ``firing_rate(neuron.replace(init_v=neuron.v_reset), I)`` is the rate
    after something made it spike. AELIF may spike for ever from rest too at a current somewhat
    below the rheobase, since omega is late.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=1, threshold=-30, tau=10*ms, v_reset=-60, v_rest=-65, delta=2,
    ...     theta_rh=-50, alpha=[0, 0.5], beta=1, w_tau=100*ms)
    >>> print(firing_rate(neuron, [[20], [25]], 2*ms).round(3))
    [[35.634  0.   ]
     [53.745 30.329]] Hz
    """
    needs_scipy()
    current = current_of(neuron, I)
    period = period_of(refractory)
    level = noise_level(noise, dim_of(neuron, "voltage")).get("noise")
    known = law(neuron)
    _check_reset(neuron)
    for name, jump in neuron.jumps.items():
        if "dt" in identifiers(jump):
            raise ValueError(
                f"{type(neuron).__name__}: a spike adds {jump} to {name}, so the rate depends on "
                "the time step. Give the jump itself: neuron.replace(beta=neuron.beta*dt)."
            )
    if level is not None and known is not LIF:
        raise ValueError(
            f"noise = {short(noise)}: a rate with noise is known for LIF only, not for "
            f"{type(neuron).__name__}. Simulate it: neuron.group(I=..., noise=...)."
        )
    starts = _starts(neuron)
    arrays = [one for one in (*starts.values(), level) if one is not None and np.ndim(one)]
    shape = shape_of(neuron, current, period, *map(np.asarray, arrays))
    if known is LIF:
        interval = firing.leaky_interval(values_of(neuron), current) + period
        rate = np.array(np.broadcast_to(1 / interval, shape))
        if level is not None:
            for place, p, (one, t_ref, sigma) in each(neuron, shape, current, period, level):
                if sigma > 0:
                    rate[place] = firing.noisy_rate(p, one, sigma, t_ref)
        return quantity(rate, hertz.dim)
    rate = np.empty(shape)
    field = field_of(neuron)
    for place, p, (one, t_ref) in each(neuron, shape, current, period):
        try:
            rate[place] = _rate(neuron, field, p, one, t_ref, starts, place)
        except ArithmeticError as error:
            raise ValueError(
                f"I = {short(I)}: the rate of {type(neuron).__name__} is not known"
                f"{neuron_at(place)}: {error}. Change the current a little."
            ) from error
    return quantity(rate, hertz.dim)


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

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import LIF
    >>> neuron = LIF(R=1, threshold=10, tau=5*ms, v_reset=0, v_rest=0)
    >>> voltage(neuron, [0, 5, 50]*ms, 8).round(3)
    array([0.   , 5.057, 8.   ])
    """
    if law(neuron) is not LIF:
        raise ValueError(
            f"voltage: {type(neuron).__name__} has no closed form for v(t), only LIF has. Simulate "
            "it: neuron.group(I=...) and a StateMonitor."
        )
    _check_reset(neuron)
    time = numbers("t", t, (second.dim,))
    if (time < 0).any():
        raise ValueError(f"t = {short(t)} is negative: it needs times of at least 0 ms.")
    current, period = current_of(neuron, I), period_of(refractory)
    start = _known_start(neuron, "v", _starts(neuron)["v"])
    shape_of(neuron, time, current, period, start)
    v = firing.leaky_voltage(values_of(neuron), start, time, current, period)
    return quantity(v, dim_of(neuron, "voltage"))


def _check_reset(neuron: LIF) -> None:
    if type(neuron).reset is not LIF.reset or neuron.condition != LIF.condition:
        raise ValueError(
            f"{type(neuron).__name__} has a reset or a condition of its own; the theory knows "
            f"'{LIF.condition}', v = v_reset and jumps of other states."
        )


def _starts(neuron: LIF) -> dict[str, Any]:
    """Return where each state starts: numbers in SI base units, or an expression."""
    given = {"v": neuron.v_rest if neuron.init_v is None else neuron.init_v}
    for name in neuron.states:
        value = getattr(neuron, name)
        given[name] = 0.0 if value is None else value
    return {
        name: value if isinstance(value, str) else np.asarray(value, dtype=float)
        for name, value in given.items()
    }


def _known_start(neuron: LIF, state: str, start: Any) -> Any:
    """Return ``start``, or say that an expression does not do."""
    if isinstance(start, str):
        name = "init_v" if state == "v" else state
        raise ValueError(
            f"{type(neuron).__name__}: {name} = {start!r} is an expression, and the answer depends "
            f"on where the neuron starts. Give a value: neuron.replace({name}=...)."
        )
    return start


def _rate(
    neuron: LIF,
    field: Field,
    p: Mapping[str, float],
    current: float,
    t_ref: float,
    starts: Mapping[str, Any],
    place: tuple[int, ...],
) -> float:
    """Return the rate of one neuron of a model other than LIF."""

    def start() -> list[float]:
        found = {name: _known_start(neuron, name, one) for name, one in starts.items()}
        return [float(one[place[-1]] if one.ndim else one) for one in found.values()]

    if len(field.states) > 1:
        resting = rest.resting_states(field, law(neuron), p, current)
        times = [p[name] for name in neuron.parameter_names() if neuron.kind(name) == "time"]
        orbit = Orbit(field, p, current, t_ref, max(times))
        try:
            return orbit.rate(np.array(start()), resting)
        except Undecided:
            # At the rheobase itself v approaches the fixed point that is about to vanish.
            if law(neuron) is AELIF and rest.gain(p) > 0 and current <= rest.rheobase(p):
                return 0.0
            raise

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
    if t_ref + passage < SHORTEST * p["tau"]:
        raise ArithmeticError("v_reset lies so far in the upswing that intervals have no length")
    return 1 / (t_ref + passage)
