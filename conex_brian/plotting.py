"""Pictures of neurons: traces, rasters, f-I curves, phase planes, firing patterns.

>>> from conex_brian import plotting

Needs matplotlib: ``pip install 'conex_brian[plotting]'``. Each function draws on the Axes that it
is given (default: a new figure) and returns them. Axes are labelled with units; matplotlib's
settings stay as they are. Colours are those of Okabe and Ito, which the colour-blind tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import StateMonitor
from brian2 import get_dimensions as dimensions_of

from conex_brian.dimensions import check_dimension, check_no_group, short
from conex_brian.fi_curves import fi_curve
from conex_brian.figures import BLACK, BLUE, axes_or_new, numbers, pyplot
from conex_brian.patterns import firing_patterns
from conex_brian.phase_planes import phase_plane
from conex_brian.recordings import Spikes, Trace, check_times, place_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["fi_curve", "firing_patterns", "phase_plane", "raster", "trace"]


def trace(
    recording: Any,
    v: Any = None,
    spikes: Any = None,
    ax: Axes | None = None,
    *,
    neuron: int | None = None,
    peak: Any = None,
    **line: Any,
) -> Axes:
    """Draw the membrane potential against time, each spike as a line up to a peak.

    A reset neuron has no spike shape of its own. The line is drawn at the spike's exact time where
    the SpikeMonitor has it (see `conex_brian.spike_monitor`), otherwise at the start of its time
    step, as Brian2 stamps it.

    Parameters
    ----------
    recording : StateMonitor or Quantity
        A monitor that has recorded ``v``; or the times of the samples, in increasing order.
    v : Quantity or array_like, optional
        The samples, where times are given.
    spikes : SpikeMonitor or Quantity, optional
        The monitor of the same group, or this neuron's spike times. Default: no spikes are drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    neuron : int, optional
        Which neuron of the monitors. Default: the first one that was recorded.
    peak : Quantity or float, optional
        Where spikes are drawn up to. Default: above the trace and the threshold by half of what
        they span.
    **line
        Passed to ``ax.plot``: ``color``, ``label``, ``lw``...

    Returns
    -------
    matplotlib.axes.Axes
        With the trace as one line; time in ms (in s from 10 s on).

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        Where the arguments do not belong together; the message says which.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, plotting, spike_monitor
    >>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
    >>> group = neuron.group(1, I=2*nA, spike_timing='precise')
    >>> states, spikes = StateMonitor(group, 'v', record=True), spike_monitor(group)
    >>> run(50*ms)
    >>> ax = plotting.trace(states, spikes=spikes, peak=20*mV)
    >>> ax.get_ylabel()
    'v (mV)'
    """
    if isinstance(recording, StateMonitor):
        if v is not None:
            raise TypeError("v is given, but the monitor has it: give times and v, or a monitor.")
        shown, index = Trace.of(recording, neuron)
        group = place_of(recording.source)[1].name
    else:
        shown, index, group = _given_trace(recording, v, neuron), 0, None
    t, values = shown.t, shown.v
    if spikes is not None:
        found = Spikes.of(spikes)
        if None not in (group, found.group) and group != found.group:
            raise ValueError(
                f"spikes are those of {found.group}, but the trace is of {group}. Give monitors "
                "of the same group."
            )
        peak = shown.top() if peak is None else peak
        check_dimension("peak", peak, (dimensions_of(values),), ", as v.")
        t, values = shown.with_spikes(*found.of_neuron(index), peak)
    ax = axes_or_new(ax, figsize=(7, 3))
    if not {"c", "color"} & line.keys():
        line["color"] = BLUE
    if not {"lw", "linewidth"} & line.keys():
        line["lw"] = 1.3
    ax.plot(numbers(ax.xaxis, "time", t), numbers(ax.yaxis, "v", values), **line)
    return ax


def _given_trace(times: Any, v: Any, neuron: int | None) -> Trace:
    """Return the trace that a caller has given as arrays."""
    if neuron is not None:
        raise TypeError("neuron is given, but no monitor: it says which neuron of a monitor.")
    if v is None:
        raise TypeError(
            f"v is not given: trace() needs a StateMonitor, or times and v, not a "
            f"{type(times).__name__} alone."
        )
    t = check_times("times", times)
    check_no_group("v", v)
    if np.shape(v) != t.shape:
        raise ValueError(f"v has shape {np.shape(v)}, but there are {len(t)} times.")
    if len(t) == 0 or np.any(np.diff(t) < 0):
        raise ValueError(f"times = {short(times)}: it needs times in increasing order.")
    return Trace(t, v if hasattr(v, "dim") else np.asarray(v, dtype=float))


def raster(spikes: Any, i: Any = None, ax: Axes | None = None, **marks: Any) -> Axes:
    """Draw each spike as a mark at its time, a row a neuron.

    Parameters
    ----------
    spikes : SpikeMonitor or Quantity
        A monitor, whose exact times are drawn where it has them (see
        `conex_brian.spike_monitor`); or times.
    i : array_like of int, optional
        Which neuron spiked, where times are given. Default: neuron 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    **marks
        Passed to ``ax.plot``: ``color``, ``marker``, ``ms``, ``label``... By default strokes, as
        high as a row allows, and points where rows are narrow.

    Returns
    -------
    matplotlib.axes.Axes
        With all spikes as one line of markers; time in ms (in s from 10 s on).

    Raises
    ------
    ValueError, brian2.DimensionMismatchError
        Where the arguments are no times and neurons, or the monitor has not recorded them.

    Examples
    --------
    >>> from brian2 import ms
    >>> from conex_brian import plotting
    >>> ax = plotting.raster([3.1, 4.2, 5.3]*ms, [0, 1, 0])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time (ms)', 'neuron')
    """
    found = Spikes.of(spikes, i)
    ax = axes_or_new(ax, figsize=(7, 3.5))
    rows = max(found.N, 1)
    points = ax.get_window_extent().height * 72 / ax.figure.dpi
    height = min(0.8 * points / rows, 12)
    style = {"marker": "|", "ms": height} if height > 2.5 else {"marker": ".", "ms": 2}
    if not {"c", "color"} & marks.keys():
        style["color"] = BLACK
    marks = {"ls": "", **style, **marks}
    ax.plot(numbers(ax.xaxis, "time", found.t), found.i, **marks)
    low, high = ax.get_ylim() if len(ax.lines) > 1 else (-0.5, rows - 0.5)
    ax.set_ylim(min(low, -0.5), max(high, rows - 0.5))
    ax.yaxis.set_major_locator(pyplot().MaxNLocator(integer=True))
    ax.set_ylabel("neuron")
    return ax
