"""Pictures show what is true: lines, marks, labels and units against the theory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Network,
    NeuronGroup,
    Quantity,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    mV,
    pA,
    second,
)

from conex_brian import AELIF, LIF, plotting, spike_monitor
from conex_brian.recordings import Spikes, Trace
from neurons import NUMBERS, SI, make

matplotlib = pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _settings_stay_and_figures_go() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


def leaky(**changes: Any) -> tuple[LIF, Quantity, Any]:
    """Return three LIF neurons, their currents, and the exact v(t) and interval of each."""
    neuron = make(LIF, threshold=[-51, -50, -49] * mV, tau=[17, 19, 23] * ms, **changes)
    I = [52, 61, 74] * pA  # noqa: E741
    steady = SI["v_rest"] + SI["R"] * I
    interval = neuron.tau * np.log((steady - neuron.v_reset) / (steady - neuron.threshold))
    return neuron, I, (steady, interval)


def line_data(ax: Any, which: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x, y = ax.lines[which].get_data()
    return np.asarray(x), np.asarray(y)


# Traces


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_trace_is_the_membrane_potential_with_a_line_at_each_exact_spike_time(index: int) -> None:
    neuron, I, (steady, interval) = leaky()  # noqa: E741
    neuron = neuron.replace(init_v=SI["v_reset"])
    group = neuron.group(I=I, spike_timing="precise", dt=0.5 * ms)
    states, spikes = StateMonitor(group, "v", record=True), spike_monitor(group)
    Network(group, states, spikes).run(100 * ms)

    ax = plotting.trace(states, spikes=spikes, neuron=index, peak=12 * mV)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "v (mV)")
    x, y = line_data(ax)
    period = interval[index] / ms
    expected = np.arange(1, int(100 / period) + 1) * period
    at_peak = np.flatnonzero(y == 12)
    assert len(expected) >= 4
    # The closed form within a step is exact to rounding.
    assert x[at_peak] == pytest.approx(expected, abs=1e-9)
    # The line rises from the threshold, and falls to the reset, at one and the same time.
    assert np.all(x[at_peak - 1] == x[at_peak]) and np.all(x[at_peak + 1] == x[at_peak])
    assert y[at_peak - 1] == pytest.approx(neuron.threshold[index] / mV)
    assert y[at_peak + 1] == pytest.approx(SI["v_reset"] / mV)
    rest = np.setdiff1d(np.arange(len(x)), [at_peak - 1, at_peak, at_peak + 1])
    since = x[rest] % period
    u, tau = steady[index] / mV, neuron.tau[index] / ms
    assert len(rest) == 200  # every sample is drawn
    exact = u + (SI["v_reset"] / mV - u) * np.exp(-since / tau)
    assert y[rest] == pytest.approx(exact, abs=1e-7)


def test_on_the_grid_a_spike_is_drawn_where_brian2_stamps_it() -> None:
    neuron, I, _ = leaky()  # noqa: E741
    group = neuron.group(I=I)
    states, spikes = StateMonitor(group, "v", record=[2, 1]), SpikeMonitor(group)
    Network(group, states, spikes).run(80 * ms)
    ax = plotting.trace(states, spikes=spikes, peak=0 * mV)
    x, y = line_data(ax)
    # Neuron 2 was recorded first.
    assert x[y == 0] == pytest.approx(spikes.spike_trains()[2] / ms)
    assert len(x) == 800 + 3 * spikes.count[2]


@pytest.mark.parametrize(
    ("method", "step"),
    [*(pytest.param(name, 1, marks=pytest.mark.slow) for name in ("rk4", "rk2")), ("euler", 0.5)],
)
def test_between_spikes_time_and_v_only_rise(method: str, step: float) -> None:
    # A precise spike may lie before the step that Brian2 finds it in, or after: a sample on the
    # wrong side of the reset would show as a tooth. Each of these neurons rises from its reset.
    neuron = make(AELIF, v_reset=-60 * mV, init_v=-60 * mV, alpha=0 * pA / mV, beta=1 * pA)
    current = np.linspace(60, 140, 12) * pA
    group = neuron.group(I=current, spike_timing="precise", dt=step * ms, method=method)
    states, spikes = StateMonitor(group, "v", record=True), spike_monitor(group)
    Network(group, states, spikes).run(150 * ms)
    outside = (spikes.t_spike < spikes.t) | (spikes.t_spike > spikes.t + step * ms)
    assert outside.any() or method == "rk4"  # which is accurate enough to stay within its step
    for index in range(12):
        ax = plotting.trace(states, spikes=spikes, neuron=index, peak=20 * mV)
        x, y = line_data(ax)
        plt.close(ax.figure)
        assert np.sum(y == 20) == spikes.count[index] > 0
        assert np.all(np.diff(x) >= 0)
        falls = np.flatnonzero(np.diff(y) < 0)
        assert np.all(y[falls] == 20)


def test_a_part_of_a_group_is_drawn_with_its_own_threshold_and_spikes() -> None:
    neuron, I, _ = leaky()  # noqa: E741
    group = neuron.group(I=I, spike_timing="precise")
    part = group[1:]
    states = StateMonitor(part, "v", record=True)
    of_all, of_part = spike_monitor(group), spike_monitor(part)
    Network(group, states, of_all, of_part).run(60 * ms)
    expected = of_all.t_spike[of_all.i == 2] / ms
    for spikes in (of_all, of_part):
        ax = plotting.trace(states, spikes=spikes, neuron=1, peak=0 * mV)
        x, y = line_data(ax)
        assert len(expected) > 2
        assert x[y == 0] == pytest.approx(expected)
        assert y[np.flatnonzero(y == 0) - 1] == pytest.approx(neuron.threshold[2] / mV)


def test_arrays_are_drawn_with_spikes_between_their_samples() -> None:
    ax = plotting.trace([0, 1, 2, 3] * ms, [-70, -60, -55, -65] * mV, [2.4, 9] * ms)
    x, y = line_data(ax)
    # The spike at 9 ms is after the end. Half of the span from -70 to -55 mV above the top.
    assert x.tolist() == pytest.approx([0, 1, 2, 2.4, 2.4, 2.4, 3])
    assert y.tolist() == pytest.approx([-70, -60, -55, -55, -47.5, -65, -65])


def test_without_spikes_the_line_is_the_samples() -> None:
    ax = plotting.trace([0, 1, 2] * ms, [-70, -60, -55] * mV, color="k", label="cell")
    assert line_data(ax)[1].tolist() == pytest.approx([-70, -60, -55])
    assert ax.lines[0].get_color() == "k" and ax.lines[0].get_label() == "cell"


def test_what_is_drawn_outlives_its_monitors() -> None:
    # Since Brian2 2.10 a monitor's arrays show freed memory once it is gone.
    neuron, I, _ = leaky()  # noqa: E741
    group = neuron.group(I=I, spike_timing="precise", dt=0.1 * ms)
    states, spikes = StateMonitor(group, "v", record=True), spike_monitor(group)
    Network(group, states, spikes).run(30 * ms)
    found, (trace, _) = Spikes.of(spikes), Trace.of(states, 1)
    for ours, theirs in [
        *[(found.t, spikes.t_spike), (found.stamp, spikes.t), (found.i, spikes.i)],
        *[(trace.t, states.t), (trace.v, states.variables["v"].get_value())],
    ]:
        assert len(ours) and not np.shares_memory(np.asarray(ours), np.asarray(theirs[:]))


def test_a_dimensionless_trace_has_no_unit_and_a_long_one_is_in_seconds() -> None:
    group = make(LIF, NUMBERS).group(1, I=25.0, dt=1 * ms)
    states = StateMonitor(group, "v", record=True)
    Network(group, states).run(20 * ms)
    ax = plotting.trace(states)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "v")
    assert line_data(ax)[1] == pytest.approx(states.v[0])
    ax = plotting.trace([0, 5, 12] * second, [2e-5, 3e-5, 1e-5] * mV)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "v (nV)")
    assert line_data(ax)[0].tolist() == [0, 5, 12]


def test_what_is_drawn_later_keeps_the_unit_of_the_axes() -> None:
    ax = plotting.trace([0, 1] * ms, [-70, -60] * mV)
    plotting.trace([0, 12] * second, [0.5, 0.25] * mV, ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "v (mV)")
    assert line_data(ax, 1)[0].tolist() == [0, 12000]
    assert line_data(ax, 1)[1].tolist() == pytest.approx([0.5, 0.25])
    with pytest.raises(DimensionMismatchError, match=r"v = .* this axis shows v \(mV\)"):
        plotting.trace([0, 1] * ms, [1, 2] * pA, ax=ax)


def test_a_figure_of_ones_own_keeps_its_frame_and_size() -> None:
    _, (ax, other) = plt.subplots(2)
    assert plotting.trace([0, 1] * ms, [-70, -60] * mV, ax=ax) is ax
    assert ax.spines["top"].get_visible()
    assert not other.lines
    assert not plotting.trace([0, 1] * ms, [-70, -60] * mV).spines["top"].get_visible()


def test_what_does_not_belong_together_is_refused() -> None:
    group, other = make(LIF).group(3, I=60 * pA), make(LIF).group(2, I=60 * pA)
    states = StateMonitor(group, "v", record=[2])
    of_I, empty = StateMonitor(group, "I", record=True), StateMonitor(group, "v", record=False)
    spikes, counts = SpikeMonitor(other), SpikeMonitor(group, record=False)
    with pytest.raises(ValueError, match=r"has recorded nothing yet: call run\(\) first"):
        plotting.trace(states)
    Network(group, other, states, of_I, empty, spikes, counts).run(1 * ms)
    t, v = [0, 1, 2] * ms, [-70, -60, -55] * mV
    for error, text, arguments in [
        (ValueError, "spikes are those of .*, but the trace is of", {"spikes": spikes}),
        (ValueError, "only counts spikes. Make it with record=True", {"spikes": counts}),
        (ValueError, r"neuron = 1 is not recorded: .* has \[2\]", {"neuron": 1}),
        (TypeError, "v is given, but the monitor has it", {"v": v}),
    ]:
        with pytest.raises(error, match=text):
            plotting.trace(states, **arguments)
    with pytest.raises(ValueError, match="records I, not v"):
        plotting.trace(of_I)
    with pytest.raises(ValueError, match="records no neuron"):
        plotting.trace(empty)
    with pytest.raises(TypeError, match=r"v is not given: trace\(\) needs a StateMonitor"):
        plotting.trace(spikes)
    with pytest.raises(TypeError, match="neuron is given, but no monitor"):
        plotting.trace(t, v, neuron=0)
    with pytest.raises(ValueError, match=r"v has shape \(2,\), but there are 3 times"):
        plotting.trace(t, v[:2])
    with pytest.raises(ValueError, match="increasing order"):
        plotting.trace(t[::-1], v)
    synapses = Synapses(group, group)
    with pytest.raises(TypeError, match=r"times = .*: it needs times, not a Synapses"):
        plotting.trace(synapses, v)
    with pytest.raises(TypeError, match=r"v = .*: it needs numbers or a Quantity, not a Synapses"):
        plotting.trace(t, synapses)
    with pytest.raises(DimensionMismatchError, match=r"times = .* needs a time"):
        plotting.trace(v, v)
    with pytest.raises(DimensionMismatchError, match=r"peak = 20.0 is .* needs a value in volt"):
        plotting.trace(t, v, [1] * ms, peak=20.0)
    with pytest.raises(TypeError, match="ax = 3: it needs the Axes"):
        plotting.trace(t, v, ax=3)


# Rasters


def test_a_raster_marks_each_neurons_exact_spike_times() -> None:
    neuron, I, (_, interval) = leaky(init_v=SI["v_reset"])  # noqa: E741
    group = neuron.group(I=I, spike_timing="precise", dt=1 * ms)
    spikes = spike_monitor(group)
    Network(group, spikes).run(100 * ms)
    ax = plotting.raster(spikes)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "neuron")
    assert ax.get_ylim() == (-0.5, 2.5)
    x, y = line_data(ax)
    for index in range(3):
        period = interval[index] / ms
        expected = np.arange(1, int(100 / period) + 1) * period
        assert x[y == index] == pytest.approx(expected, abs=1e-9)
    assert ax.lines[0].get_linestyle() == "None"


def test_a_raster_on_the_grid_shows_the_stamps_and_rows_of_silent_neurons() -> None:
    group = make(LIF).group(I=[0, 85, 0, 99, 0] * pA)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(60 * ms)
    ax = plotting.raster(spikes, color="red")
    x, y = line_data(ax)
    assert x == pytest.approx(spikes.t / ms) and y == pytest.approx(spikes.i[:])
    assert set(y) == {1, 3}
    assert ax.get_ylim() == (-0.5, 4.5)
    assert ax.lines[0].get_color() == "red"
    ticks = ax.get_yticks()
    assert np.all(ticks == np.round(ticks))


def test_a_raster_takes_times_and_neurons_and_adds_to_axes() -> None:
    ax = plotting.raster([3, 4, 5] * ms, [0, 7, 0])
    plotting.raster([0.01] * second, [2], ax=ax, label="second")
    assert ax.get_ylim() == (-0.5, 7.5)
    assert [list(data) for data in line_data(ax, 1)] == [[10], [2]]
    many = plotting.raster(np.arange(4000) * ms, np.arange(4000)).lines[0]
    assert many.get_marker() == "." and ax.lines[0].get_marker() == "|"


def test_a_raster_refuses_what_is_no_spike() -> None:
    with pytest.raises(DimensionMismatchError, match=r"spikes = .* needs a time"):
        plotting.raster([1, 2, 3])
    with pytest.raises(ValueError, match=r"i = \[0\]: it needs a whole number for each of the 2"):
        plotting.raster([1, 2] * ms, [0])
    with pytest.raises(ValueError, match="a whole number for each"):
        plotting.raster([1, 2] * ms, [0, 0.5])
    with pytest.raises(ValueError, match="one-dimensional array of times"):
        plotting.raster([1, np.nan] * ms)
    counts = SpikeMonitor(NeuronGroup(1, "v : 1", threshold="v > 1"), record=False)
    with pytest.raises(ValueError, match="only counts spikes"):
        plotting.raster(counts)


# The package


def test_the_package_is_imported_without_matplotlib() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; import conex_brian, conex_brian.plotting\n"
        "from brian2 import ms; conex_brian.plotting.raster([1]*ms)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: conex_brian.plotting needs matplotlib")
    assert last.endswith("pip install 'conex_brian[plotting]'")
