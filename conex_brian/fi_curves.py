"""Firing rate against current, theory and simulation, for `conex_brian.plotting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import Hz, Quantity, ms, second

from conex_brian import aside
from conex_brian.analysis import firing_rate
from conex_brian.dimensions import as_quantity, check_dimension, check_positive, is_array, short
from conex_brian.figures import BLUE, axes_or_new, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from conex_brian.models import LIF

#: With noise, a simulated rate is the mean of so many neurons.
COPIES = 50


def one_neuron(neuron: LIF, what: str) -> None:
    """Refuse a model of several neurons."""
    several = [name for name, value in neuron.given().items() if is_array(value)]
    if several:
        raise ValueError(
            f"{what} is of one neuron, but {type(neuron).__name__} has several values of "
            f"{', '.join(several)}. Draw one a neuron."
        )


def fi_curve(
    neuron: LIF,
    I: Any,  # noqa: E741
    ax: Axes | None = None,
    *,
    simulate: int = 12,
    theory: bool = True,
    refractory: Any = 0 * second,
    noise: Any = None,
    duration: Quantity = 1 * second,
    dt: Quantity | None = None,
    label: str | None = None,
    color: Any = BLUE,
    marker: str = "o",
) -> Axes:
    """Draw the firing rate against the input current: theory as a line, simulation as points.

    The simulation is one group with a neuron for each point, with precise spike times where the
    model has them. It runs beside the user's own: Brian2's default clock, device, preferences,
    random numbers and magic network stay as they are.

    Parameters
    ----------
    neuron : LIF
        A model of any kind, of one neuron.
    I : Quantity or array_like
        The currents at which the theory is drawn, at least two.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    simulate : int, optional
        How many currents are simulated, evenly from the lowest to the highest of ``I``; 0 for
        none. Default: 12.
    theory : bool, optional
        Whether the line is drawn. With noise there is a theory for LIF only.
    refractory : Quantity, optional
        Refractory period. Default: none.
    noise : Quantity or float, optional
        Standard deviation that white noise gives the free membrane's ``v``. Default: no noise. With
        noise each point is the mean of fifty neurons.
    duration : Quantity, optional
        How long is simulated, from the model's initial values. Rates are those of its second half:
        the number of intervals in it, over their sum; with noise, spikes over time. Fewer than two
        spikes are shown as 0 Hz. Default: 1 s.
    dt : Quantity, optional
        The time step. Default: a twentieth of ``tau``, at most 0.5 ms; with noise a two-hundredth.
    label : str, optional
        What the legend calls the neuron.
    color, marker : optional
        Of line and points.

    Returns
    -------
    matplotlib.axes.Axes
        With the line first, where there is one, then the points.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        Where an argument is not what it needs to be, or `conex_brian.analysis.firing_rate` has no
        answer.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, plotting
    >>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
    >>> ax = plotting.fi_curve(neuron, linspace(1, 4, 100)*nA, refractory=2*ms)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('I (nA)', 'firing rate (Hz)')
    """
    one_neuron(neuron, "An f-I curve")
    currents = as_quantity("I", I, "at least two currents")
    if not is_array(currents) or len(currents) < 2:
        raise ValueError(f"I = {short(I)}: it needs at least two currents.")
    check_dimension("I", currents, neuron.dimensions["current"])
    if isinstance(simulate, bool) or not isinstance(simulate, (int, np.integer)) or simulate < 0:
        raise ValueError(f"simulate = {short(simulate)}: it needs how many currents, 0 for none.")
    for name, time in {"duration": duration, "dt": 1 * ms if dt is None else dt}.items():
        check_dimension(name, time, (second.dim,))
        check_positive(name, time)
    # Before anything is drawn: a figure that misses half is worse than none.
    line = firing_rate(neuron, currents, refractory, noise=noise) if theory else None
    tested = np.linspace(np.min(currents), np.max(currents), simulate)
    points = None
    if simulate:
        points = simulated_rate(neuron, tested, duration, dt, refractory=refractory, noise=noise)

    ax = axes_or_new(ax, figsize=(5, 3.5))
    if line is not None:
        x = numbers(ax.xaxis, "I", currents)
        ax.plot(x, numbers(ax.yaxis, "firing rate", line), color=color, label=label or "theory")
    if points is not None:
        name = "simulation" if label is None else f"{label}, simulated" if theory else label
        x, y = numbers(ax.xaxis, "I", tested), numbers(ax.yaxis, "firing rate", points)
        style: dict[str, Any] = {"ls": "", "mfc": "white", "mew": 1.3, "ms": 5.5}
        ax.plot(x, y, marker=marker, color=color, label=name, **style)
    ax.legend(frameon=False)
    return ax


def simulated_rate(
    neuron: LIF,
    currents: Any,
    duration: Quantity,
    dt: Quantity | None,
    *,
    refractory: Any,
    noise: Any,
) -> Quantity:
    """Return the rate at each current in the second half of a simulation; see `fi_curve`."""
    if dt is None:
        dt = neuron.tau / 200 if noise is not None else min(0.5 * ms, neuron.tau / 20)
    copies = 1 if noise is None else COPIES
    run = aside.simulate(
        neuron,
        np.repeat(currents, copies),
        duration,
        dt=dt,
        refractory=False if np.all(refractory == 0 * second) else refractory,
        noise=noise,
    )
    later = run.spikes.t >= duration / 2
    t, i = run.spikes.t[later], run.spikes.i[later] // copies
    count = np.bincount(i, minlength=len(currents))
    if noise is not None:
        return count / (copies * duration / 2)
    rate = np.zeros(len(currents)) * Hz
    for k in np.flatnonzero(count > 1):
        rate[k] = (count[k] - 1) / np.ptp(t[i == k])
    return rate
