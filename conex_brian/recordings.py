"""What monitors recorded, as plain arrays that can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import Quantity, SpikeMonitor, StateMonitor, second

from conex_brian.dimensions import check_dimension, check_no_group, short


def check_times(name: str, times: Any) -> Any:
    """Return ``times`` as a one-dimensional array of finite times, or say what it needs."""
    check_no_group(name, times, "times")
    check_dimension(name, times, (second.dim,))
    array = np.atleast_1d(np.asarray(times, dtype=float))
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"{name} = {short(times)}: it needs a one-dimensional array of times.")
    return array * second


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spikes, at their exact times where they are known.

    Attributes
    ----------
    t : Quantity
        When.
    i : ndarray
        Which neuron of the monitor's source.
    stamp : Quantity
        The start of the time step in which Brian2 found it; ``t`` where that is not known.
    N : int
        How many neurons there are.
    first : int
        Which neuron of the group is the source's first one.
    group : str or None
        The name of the group, where known.
    """

    t: Quantity
    i: np.ndarray
    stamp: Quantity
    N: int
    first: int = 0
    group: str | None = None

    @classmethod
    def of(cls, spikes: Any, i: Any = None) -> Spikes:
        """Take spikes from a SpikeMonitor, or from times and neurons."""
        if not isinstance(spikes, SpikeMonitor):
            t = check_times("spikes", spikes)
            i = np.zeros(len(t), dtype=int) if i is None else np.asarray(i)
            if i.shape != t.shape or i.dtype.kind not in "iu":
                raise ValueError(
                    f"i = {short(i)}: it needs a whole number for each of the {len(t)} spikes."
                )
            return cls(t, i, t, int(i.max(initial=-1)) + 1)
        if not {"t", "i"} <= spikes.record_variables:
            raise ValueError(
                f"{spikes.name} only counts spikes. Make it with record=True, the default."
            )
        stamp = recorded(spikes, "t")
        t = recorded(spikes, "t_spike") if "t_spike" in spikes.record_variables else stamp
        source = spikes.source
        first, group = place_of(source)
        return cls(t, recorded(spikes, "i"), stamp, len(source), first, group.name)

    def of_neuron(self, index: int) -> tuple[Quantity, Quantity]:
        """Return the times and stamps of a neuron of the group, in order of time."""
        mine = np.flatnonzero(self.i + self.first == index)
        mine = mine[np.argsort(self.t[mine])]
        return self.t[mine], self.stamp[mine]


@dataclass(frozen=True, eq=False)
class Trace:
    """One neuron's membrane potential.

    Attributes
    ----------
    t, v : Quantity or ndarray
        Times and values, of the same length.
    before, after : Quantity, float or None
        Where a spike starts and ends: the threshold and the reset, where known.
    """

    t: Quantity
    v: Any
    before: Any = None
    after: Any = None

    @classmethod
    def of(cls, monitor: StateMonitor, neuron: int | None) -> tuple[Trace, int]:
        """Take the trace of ``neuron`` (default: the first one recorded).

        Returns the trace, and which neuron of the whole group it is.
        """
        if "v" not in monitor.record_variables:
            raise ValueError(
                f"{monitor.name} records {', '.join(monitor.record_variables)}, not v. "
                "Make it as StateMonitor(group, 'v', record=True)."
            )
        neurons = [int(index) for index in monitor.record]
        if not neurons:
            raise ValueError(f"{monitor.name} records no neuron. Make it with record=True.")
        neuron = neurons[0] if neuron is None else neuron
        if neuron not in neurons:
            raise ValueError(
                f"neuron = {short(neuron)} is not recorded: {monitor.name} has {short(neurons)}."
            )
        if not len(monitor.t):
            raise ValueError(f"{monitor.name} has recorded nothing yet: call run() first.")
        first, group = place_of(monitor.source)
        index = neuron + first

        def parameter(name: str) -> Any:
            if name not in group.variables:
                return None
            variable = group.variables[name]
            values = np.broadcast_to(variable.get_value(), len(group))
            return Quantity(float(values[index]), dim=variable.dim)

        v = monitor.v[neurons.index(neuron)]  # Brian2 copies it itself.
        return cls(recorded(monitor, "t"), v, parameter("threshold"), parameter("v_reset")), index

    def top(self) -> Any:
        """Return where spikes are drawn up to: half the trace's height above it."""
        highest = self.v.max() if self.before is None else max(self.v.max(), self.before)
        return highest + 0.5 * (highest - self.v.min())

    def with_spikes(self, t: Quantity, stamp: Quantity, peak: Any) -> tuple[Quantity, Any]:
        """Return times and values with a line up to ``peak`` at each spike.

        Parameters
        ----------
        t, stamp : Quantity
            The times of the spikes, in order, and the starts of their steps: samples between the
            two are on the wrong side of the reset, and are left out.
        peak : Quantity or float
            Where the lines end.
        """
        time, v = np.asarray(self.t), np.asarray(self.v)
        exact, step = np.asarray(t), np.asarray(stamp)
        within = (exact >= time[0]) & (step <= time[-1])
        exact, step = exact[within], step[within]
        first = np.searchsorted(time, np.minimum(exact, step), side="right")
        last = np.maximum(np.searchsorted(time, step, side="right"), np.searchsorted(time, exact))
        keep = np.ones(len(time), dtype=bool)
        for begin, end in zip(first, last, strict=True):
            keep[begin:end] = False
        time, v = time[keep], v[keep]
        place = np.searchsorted(time, exact, side="right")
        before = v[np.maximum(place - 1, 0)] if self.before is None else float(self.before)
        after = v[np.minimum(place, len(v) - 1)] if self.after is None else float(self.after)
        line = np.stack(np.broadcast_arrays(before, float(peak), after), axis=-1)
        line = np.broadcast_to(line, (len(exact), 3))
        time = np.insert(time, np.repeat(place, 3), np.repeat(exact, 3))
        v = np.insert(v, np.repeat(place, 3), line.ravel())
        return time * second, Quantity(v, dim=getattr(self.v, "dim", None))


def recorded(monitor: SpikeMonitor | StateMonitor, name: str) -> Any:
    """Return a copy of what ``monitor`` recorded as ``name``.

    From Brian2 2.10 on, its own arrays show freed memory once the monitor is gone.
    """
    values = getattr(monitor, name)[:]
    return np.array(values) if name == "i" else Quantity(values, copy=True)


def place_of(source: Any) -> tuple[int, Any]:
    """Return which neuron of its group a monitor's source begins with, and the group."""
    return getattr(source, "start", 0), getattr(source, "source", source)
