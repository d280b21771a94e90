"""The plane of a neuron's two states, for `conex_brian.plotting`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import Quantity, ms, second

from conex_brian import aside
from conex_brian.analysis import FixedPoint, fixed_points, nullclines
from conex_brian.broadcast import dim_of, quantity
from conex_brian.dimensions import as_quantity, check_dimension, check_positive, is_array, short
from conex_brian.fi_curves import one_neuron
from conex_brian.field import field_of
from conex_brian.figures import BLACK, BLUE, GRAY, GREEN, ORANGE, axes_or_new, numbers, unit_of
from conex_brian.models import ELIF, LIF

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The time step of trajectories.
STEP = 0.2 * ms


def phase_plane(
    neuron: LIF,
    I: Any,  # noqa: E741
    ax: Axes | None = None,
    *,
    v: Any = None,
    omega: Any = None,
    trajectory: Quantity | None = None,
    start: Sequence[Any] | None = None,
    flow: bool = True,
) -> Axes:
    """Draw nullclines, fixed points, flow and a trajectory of a neuron at a constant current.

    AELIF: omega against v. Stable fixed points are filled circles, unstable ones open, saddles
    diamonds. A trajectory ends at the threshold at each spike; a dotted line leads to where it is
    reset to. LIF and ELIF have one state: dv/dt is drawn against v, and the flow as arrows along
    dv/dt = 0.

    Parameters
    ----------
    neuron : LIF
        A model of one neuron, with no or one state besides ``v``.
    I : Quantity or float
        The input current.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    v, omega : (Quantity, Quantity) or Quantity of two, optional
        The lowest and highest v and omega (or what the second state is called) that are shown.
        Default: v from below the lowest of rest, reset and fixed points to the threshold, or for
        exponential models to 5 ``delta`` above ``theta_rh``, where the upswing has begun; omega so
        that the nullclines and the trajectory are seen.
    trajectory : Quantity, optional
        How long a trajectory is drawn. It is simulated with precise spike times, beside the user's
        own simulation, see `fi_curve`. Default: none.
    start : sequence of two, optional
        Where the trajectory starts: v and omega. Default: the model's initial values.
    flow : bool, optional
        Whether streamlines (with one state: arrows) are drawn. Default: True.

    Returns
    -------
    matplotlib.axes.Axes
        Lines and marks bear labels: ``'dv/dt = 0'``, ``'domega/dt = 0'``, ``'trajectory'``,
        ``'reset'``, ``'stable node'``, ``'unstable focus'``, ``'saddle'``.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        Where the model has further states or several neurons, or an argument is not what it needs
        to be.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import plotting, presets
    >>> preset = presets.load("gerstner2014_adapting")
    >>> ax = plotting.phase_plane(preset.neuron, preset.I, trajectory=200*ms)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('v (mV)', 'omega (pA)')
    """
    one_neuron(neuron, "A phase plane")
    current = as_quantity("I", I)
    check_dimension("I", current, neuron.dimensions["current"])
    if is_array(current):
        raise ValueError(f"I = {short(I)}: a phase plane is of one current.")
    if len(neuron.states) > 1:
        raise ValueError(
            f"{type(neuron).__name__} has the states v, {', '.join(neuron.states)}: a phase plane "
            "has two dimensions."
        )
    points = fixed_points(neuron, current)
    shown = _range("v", v, dim_of(neuron, "voltage")) or _voltages(neuron, points)
    if neuron.states:
        ax = axes_or_new(ax, figsize=(5.5, 4.2))
        _plane(neuron, current, ax, points, shown, omega, trajectory, start, flow)
    else:
        for name, value in {"omega": omega, "trajectory": trajectory, "start": start}.items():
            if value is not None:
                raise ValueError(
                    f"{name} is given, but {type(neuron).__name__} has one state, v: dv/dt is "
                    "drawn against it. See plotting.trace for v against time."
                )
        ax = axes_or_new(ax, figsize=(5.5, 3.5))
        _line(neuron, current, ax, points, shown, flow)
    ax.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=8)
    return ax


def _range(name: str, given: Any, dim: Any) -> tuple[float, float] | None:
    """Return two given values as numbers in SI base units."""
    if given is None:
        return None
    pair = given if isinstance(given, Quantity) else list(given)
    low, high = (as_quantity(name, one, "a lowest and a highest value") for one in pair)
    for one in (low, high):
        check_dimension(name, one, (dim,))
    if not low < high:
        raise ValueError(f"{name} = {short(given)}: the first has to be below the second.")
    return float(low), float(high)


def _voltages(neuron: LIF, points: Sequence[FixedPoint]) -> tuple[float, float]:
    """Return the range of v that is shown by default."""
    end = threshold = float(neuron.threshold)
    if isinstance(neuron, ELIF):
        end = min(threshold, float(neuron.theta_rh + 5 * neuron.delta))
    inside = [float(point.v) for point in points if float(point.v) <= threshold]
    marks = [float(neuron.v_rest), float(neuron.v_reset), end, *inside]
    low, high = min(marks), max(marks)
    return low - 0.08 * (high - low), min(high + 0.08 * (high - low), threshold)


def _line(
    neuron: LIF,
    current: Any,
    ax: Axes,
    points: Sequence[FixedPoint],
    shown: tuple[float, float],
    flow: bool,
) -> None:
    """Draw dv/dt against v."""
    field = field_of(neuron)
    dim = dim_of(neuron, "voltage")
    at = np.linspace(*shown, 400)
    (rate,) = field.rates(at, float(current), *field.values(neuron))
    x = numbers(ax.xaxis, "v", quantity(at, dim))
    slope = unit_of(ax.xaxis).per_ms()
    y = numbers(ax.yaxis, "dv/dt", quantity(rate, dim / second.dim), slope)
    ax.axhline(0, color=GRAY, lw=0.8)
    ax.plot(x, y, color=BLUE, label="dv/dt")
    # Of the upswing only the beginning, or all else would be a flat line.
    span = max(abs(y[0]), abs(y.min()))
    ax.set(xlim=(x[0], x[-1]), ylim=(y.min() - 0.2 * span, min(y.max(), 2 * span) + 0.1 * span))
    if flow:
        places = np.linspace(x[0], x[-1], 14)[1:-1]
        way = np.sign(np.interp(places, x, y))
        for name, sign in (("<", -1), (">", 1)):
            some = places[way == sign]
            ax.plot(some, 0 * some, name, color=GRAY, ms=4, label="_flow")
    _mark(ax, points, shown, None)


def _plane(
    neuron: LIF,
    current: Any,
    ax: Axes,
    points: Sequence[FixedPoint],
    shown: tuple[float, float],
    limits: Any,
    trajectory: Quantity | None,
    start: Sequence[Any] | None,
    flow: bool,
) -> None:
    """Draw the second state against v."""
    (name, (_, kind)) = next(iter(neuron.states.items()))
    volts, dim = dim_of(neuron, "voltage"), dim_of(neuron, kind)
    at = np.linspace(*shown, 400)
    x = numbers(ax.xaxis, "v", quantity(at, volts))
    null = nullclines(neuron, quantity(at, volts), current)
    path = None if trajectory is None else _path(neuron, current, trajectory, start, name)
    bounds = _range(name, limits, dim) or _heights(null, path, name)
    y = numbers(ax.yaxis, name, quantity(np.array(bounds), dim))
    if flow:
        _streamlines(neuron, current, ax, shown, bounds)
    for state, color, style in (("v", BLUE, "-"), (name, GREEN, "--")):
        drawn = numbers(ax.yaxis, name, null[state])
        ax.plot(x, drawn, style, color=color, lw=1.6, label=f"d{state}/dt = 0")
    if path is not None:
        pieces, resets = path
        for k, (vs, others) in enumerate(pieces):
            a, b = numbers(ax.xaxis, "v", vs), numbers(ax.yaxis, name, others)
            ax.plot(a, b, color=ORANGE, lw=1.2, label="_" if k else "trajectory")
        for k, (vs, others) in enumerate(resets):
            a, b = numbers(ax.xaxis, "v", vs), numbers(ax.yaxis, name, others)
            ax.plot(a, b, ":", color=ORANGE, lw=0.9, label="_" if k else "reset")
        first = [numbers(axis, n, s[:1]) for axis, n, s in
                 zip((ax.xaxis, ax.yaxis), ("v", name), pieces[0], strict=True)]  # fmt: skip
        ax.plot(*first, "s", color=ORANGE, ms=5, label="_start")
    _mark(ax, points, shown, name)
    ax.set(xlim=(x[0], x[-1]), ylim=tuple(y))


def _heights(null: Any, path: Any, name: str) -> tuple[float, float]:
    """Return the range of the second state that is shown by default."""
    of_v = np.asarray(null["v"])
    # v's nullcline turns up where the upswing begins: its lowest point and its left end matter.
    values = [of_v.min(), of_v[0], *np.asarray(null[name])[[0, -1]]]
    if path is not None:
        values += [float(one) for piece in path[0] for one in (piece[1].min(), piece[1].max())]
        values += [float(one) for _, others in path[1] for one in others]
    low, high = min(values), max(values)
    room = 0.08 * (high - low)
    return low - room, high + room


def _streamlines(
    neuron: LIF, current: Any, ax: Axes, shown: tuple[float, float], bounds: tuple[float, float]
) -> None:
    field = field_of(neuron)
    (name, (_, kind)) = next(iter(neuron.states.items()))
    vs, others = np.linspace(*shown, 40), np.linspace(*bounds, 40)
    plane = np.meshgrid(vs, others)
    rates = field.rates(*plane, float(current), *field.values(neuron))
    x = numbers(ax.xaxis, "v", quantity(vs, dim_of(neuron, "voltage")))
    y = numbers(ax.yaxis, name, quantity(others, dim_of(neuron, kind)))
    # In the units of the axes; the unit of time does not change directions.
    scales = np.ptp(x) / np.ptp(vs), np.ptp(y) / np.ptp(others)
    u, w = (np.broadcast_to(r * k, plane[0].shape) for r, k in zip(rates, scales, strict=True))
    ax.streamplot(x, y, u, w, color="0.75", linewidth=0.6, arrowsize=0.7, density=0.9, zorder=0)


def _path(
    neuron: LIF, current: Any, duration: Any, start: Sequence[Any] | None, name: str
) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
    """Simulate; return the pieces between spikes and the resets, each as v and the second state."""
    check_dimension("trajectory", duration, (second.dim,))
    check_positive("trajectory", duration)
    if start is not None:
        if len(start) != 2:
            raise ValueError(f"start = {short(start)}: it needs two values, v and {name}.")
        neuron = neuron.replace(init_v=start[0], **{name: start[1]})
    dt = min(STEP, neuron.tau / 20)
    currents = quantity([float(current)], dim_of(neuron, "current"))
    run = aside.simulate(neuron, currents, duration, dt=dt, record=["v", name])
    t, v, other = run.t, run.states["v"][0], run.states[name][0]
    exact, stamp = run.spikes.of_neuron(0)
    ends = np.searchsorted(t, np.minimum(exact, stamp), side="right")
    begins = np.searchsorted(t, np.maximum(exact, stamp), side="right")
    field = field_of(neuron)
    volts, dim = dim_of(neuron, "voltage"), dim_of(neuron, neuron.states[name][1])
    threshold, v_reset = float(neuron.threshold), float(neuron.v_reset)
    (jump,) = field.jumps(float(dt), *field.values(neuron))
    pieces, resets = [], []
    begin, head = 0, np.empty((2, 0))
    for end, then in zip(ends, begins, strict=True):
        last = float(other[max(end - 1, 0)])
        top, head_next = [[threshold], [last]], np.array([[v_reset], [last + float(jump)]])
        pieces.append(np.hstack([head, [v[begin:end], other[begin:end]], top]))
        resets.append(np.hstack([top, head_next]))
        begin, head = then, head_next
    pieces.append(np.hstack([head, [v[begin:], other[begin:]]]))

    def with_units(lines: list[np.ndarray]) -> list[tuple[Any, Any]]:
        return [(quantity(x, volts), quantity(y, dim)) for x, y in lines]

    return with_units(pieces), with_units(resets)


def _mark(
    ax: Axes, points: Sequence[FixedPoint], shown: tuple[float, float], name: str | None
) -> None:
    """Mark the fixed points that are in the picture."""
    for point in points:
        if not shown[0] <= float(point.v) <= shown[1]:
            continue
        text = f"{'stable' if point.stable else 'unstable'} {point.kind}"
        text = "saddle" if point.kind == "saddle" else text
        x = numbers(ax.xaxis, "v", point.v)
        y = 0.0 if name is None else numbers(ax.yaxis, name, point.states[name])
        face = BLACK if point.stable else "white"
        marker = "D" if point.kind == "saddle" else "o"
        ax.plot(x, y, marker, ls="", mfc=face, mec=BLACK, mew=1.3, ms=7, label=text, zorder=5)
