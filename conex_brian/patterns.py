"""Firing patterns side by side, for `conex_brian.plotting`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from brian2 import Quantity, get_dimensions, ms, second

from conex_brian import aside
from conex_brian.dimensions import check_dimension, check_positive, is_array, short
from conex_brian.figures import BLUE, Shown, bare, numbers, pyplot
from conex_brian.models import LIF
from conex_brian.presets import Preset, load
from conex_brian.recordings import Trace

#: The time without current before a step, as a part of the longest step.
LEAD = 0.1


def firing_patterns(
    presets: Iterable[str | Preset] | str | Preset,
    *,
    columns: int = 5,
    dt: Quantity = 0.1 * ms,
    peak: Any = None,
    color: Any = BLUE,
) -> np.ndarray:
    """Draw presets side by side: each one's trace, and below it the current step that shows it.

    All are simulated now, with precise spike times, beside the user's own simulation: Brian2's
    default clock, device, preferences, random numbers and magic network stay as they are. Fifteen
    presets take some five seconds.

    Parameters
    ----------
    presets : str, Preset, or several of them
        What to draw, see `conex_brian.presets`.
    columns : int, optional
        How many panels a row has at most. Default: 5.
    dt : Quantity, optional
        The time step. Default: 0.1 ms. It is a part of those models whose ``beta`` is a current
        per time.
    peak : Quantity or float, optional
        Where spikes are drawn up to, see `conex_brian.plotting.trace`.
    color : optional
        The colour of the traces.

    Returns
    -------
    ndarray of matplotlib.axes.Axes
        The axes of the traces, one a preset, in their order; ``axes[0].figure`` is the figure.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        Where something is no preset or no name of one, or an option is not what it needs to be.

    Examples
    --------
    >>> from conex_brian import plotting
    >>> axes = plotting.firing_patterns(["gerstner2014_tonic", "gerstner2014_transient"])
    >>> [ax.get_title(loc="left") for ax in axes]
    ['tonic', 'transient']
    """
    chosen = _chosen(presets)
    if isinstance(columns, bool) or not isinstance(columns, (int, np.integer)) or columns < 1:
        raise ValueError(f"columns = {short(columns)}: it needs a whole number, 1 or more.")
    check_dimension("dt", dt, (second.dim,))
    check_positive("dt", dt)
    traces = _traces(chosen, dt)

    columns = min(int(columns), len(chosen))
    rows = -(-len(chosen) // columns)
    figure = pyplot().figure(figsize=(0.5 + 2.1 * columns, 0.3 + 1.8 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    axes = np.empty(len(chosen), dtype=object)
    for k, (preset, (line, t, stamp)) in enumerate(zip(chosen, traces, strict=True)):
        upper, lower = grid[divmod(k, columns)].subgridspec(2, 1, height_ratios=[5, 1], hspace=0.02)
        axes[k] = ax = figure.add_subplot(upper)
        below = figure.add_subplot(lower, sharex=ax)
        time, v = line.with_spikes(t, stamp, line.top() if peak is None else peak)
        below.tick_params(labelsize=7)
        ax.tick_params(labelsize=7, labelbottom=False)
        x = numbers(ax.xaxis, "time", time)
        ax.plot(x, numbers(ax.yaxis, "v", v), color=color, lw=0.8)
        ax.set(xlim=(x[0], x[-1]), xlabel="")
        ax.set_title(preset.pattern, loc="left", fontsize=9)
        _step(below, preset.I, x[0], x[-1])
        below.set_xlabel(Shown.of(time).label("time") if k + columns >= len(chosen) else "")
        ax.set_ylabel(ax.get_ylabel() if k % columns == 0 else "")
        for one in (ax, below):
            bare(one)
            one.xaxis.label.set_size(8)
            one.yaxis.label.set_size(8)
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(bottom=False)
    return axes


def _step(ax: Any, current: Any, start: float, end: float) -> None:
    """Draw a current step at time 0, with its size beside it."""
    shown = Shown.of(current)
    size = float(current / shown.unit)
    ax.plot([start, 0, 0, end], [0, 0, size, size], color="black", lw=1)
    ax.set_ylim(min(0, 1.6 * size), max(0, 1.6 * size))
    ax.text(0, 0.5 * size, f" {size:g} {shown.text}", fontsize=7, va="center")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _chosen(presets: Any) -> list[Preset]:
    """Return presets by name or as given, each of one neuron."""
    several = [presets] if isinstance(presets, (str, Preset)) else list(presets)
    if not several:
        raise ValueError("presets is empty: it needs one at least, see conex_brian.presets.")
    chosen = []
    for one in several:
        if not isinstance(one, (str, Preset)):
            raise TypeError(
                f"presets has {short(one)}: it needs presets or their names, not a "
                f"{type(one).__name__}."
            )
        preset = load(one) if isinstance(one, str) else one
        if any(map(is_array, [*preset.neuron.given().values(), preset.I])):
            raise ValueError(
                f"presets: {short(preset.name)} has values for several neurons. A panel shows one."
            )
        chosen.append(preset)
    return chosen


def _traces(presets: list[Preset], dt: Quantity) -> list[tuple[Trace, Quantity, Quantity]]:
    """Simulate presets, those of one kind in one group; return traces, spikes and their stamps."""
    kinds: dict[Any, list[int]] = {}
    for k, preset in enumerate(presets):
        given = preset.neuron.given()
        kind = [(n, x if isinstance(x, str) else repr(get_dimensions(x))) for n, x in given.items()]
        kinds.setdefault((type(preset.neuron), *kind), []).append(k)
    found = {}
    for members in kinds.values():
        together = [presets[k] for k in members]
        longest = max(one.duration for one in together)
        run = aside.simulate(
            _stacked([one.neuron for one in together]),
            _array([one.I for one in together]),
            longest,
            dt=dt,
            lead=LEAD * longest,
            record=["v"],
        )
        for row, (k, one) in enumerate(zip(members, together, strict=True)):
            shown = (run.t >= -LEAD * one.duration) & (run.t < one.duration)
            v = run.states["v"][row, shown]
            line = Trace(run.t[shown], v, one.neuron.threshold, one.neuron.v_reset)
            found[k] = (line, *run.spikes.of_neuron(row))
    return [found[k] for k in range(len(presets))]


def _stacked(neurons: list[LIF]) -> LIF:
    """Return neurons of one kind as one model with a value for each."""
    first = neurons[0]
    values = {n: _array([getattr(one, n) for one in neurons]) for n in first.given()}
    return type(first)(**values)


def _array(values: list[Any]) -> Any:
    if isinstance(values[0], str):
        return values[0]
    return Quantity(np.array([float(x) for x in values]), dim=get_dimensions(values[0]))
