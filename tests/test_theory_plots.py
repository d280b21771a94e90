"""f-I curves, phase planes and firing patterns show the theory, and disturb no simulation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import brian2
import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    NeuronGroup,
    Quantity,
    SpikeMonitor,
    StateMonitor,
    defaultclock,
    get_device,
    ms,
    mV,
    nS,
    pA,
    prefs,
    run,
    second,
    seed,
    set_device,
)
from brian2.devices.device import reset_device

from conex_brian import AELIF, ELIF, LIF, plotting, presets
from neurons import NUMBERS, SI, make

matplotlib = pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib")
pytest.importorskip("scipy", reason="the theory needs SciPy")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

LEAKY: dict[str, Any] = {"threshold": -50 * mV}


@pytest.fixture(autouse=True)
def _settings_stay_and_figures_go() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


def labelled(ax: Any, label: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the data of the lines with a label."""
    found = [line.get_data() for line in ax.lines if line.get_label() == label]
    return [(np.asarray(x, dtype=float), np.asarray(y, dtype=float)) for x, y in found]


# f-I curves


def leaky_rate(I: np.ndarray, refractory: float) -> np.ndarray:  # noqa: E741
    """Return the rate of `make(LIF, **LEAKY)` in Hz from the textbook; I in pA, time in ms."""
    steady = -69 + 0.48 * I
    fires = steady > -50
    safe = np.where(fires, steady, 0)
    interval = 19 * np.log((safe + 57) / (safe + 50))
    return np.where(fires, 1000 / (refractory + interval), 0)


def test_an_fi_curve_is_the_closed_form_with_simulated_points_on_it() -> None:
    current = np.linspace(30, 110, 41)
    ax = plotting.fi_curve(
        make(LIF, **LEAKY), current * pA, refractory=1.3 * ms, simulate=9, duration=0.8 * second
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("I (pA)", "firing rate (Hz)")
    ((x, y),) = labelled(ax, "theory")
    assert x == pytest.approx(current) and y == pytest.approx(leaky_rate(current, 1.3), rel=1e-12)
    ((x, y),) = labelled(ax, "simulation")
    assert x == pytest.approx(np.linspace(30, 110, 9))
    # Precise spikes at a constant current are exact to rounding.
    assert y == pytest.approx(leaky_rate(x, 1.3), rel=1e-9)
    assert np.sum(y == 0) == 1 and y.max() > 60
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["theory", "simulation"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [ELIF, AELIF])
def test_simulated_rates_of_exponential_neurons_lie_on_the_theory(model: type[LIF]) -> None:
    # Points and line share no code: precise spikes in Brian2, quadrature or DOP853 in SciPy.
    current = [55, 65, 75] * pA
    ax = plotting.fi_curve(
        make(model), current, simulate=3, label="cell", color="red", duration=0.6 * second
    )
    ((_, line),), ((_, points),) = labelled(ax, "cell"), labelled(ax, "cell, simulated")
    assert line[-1] > 15
    assert points == pytest.approx(line, rel=1e-4)
    assert {one.get_color() for one in ax.lines} == {"red"}


def test_with_noise_the_points_follow_siegert() -> None:
    neuron = make(LIF, **LEAKY)
    ax = plotting.fi_curve(neuron, [30, 36, 50] * pA, noise=3 * mV, simulate=2)
    ((_, line),), ((x, points),) = labelled(ax, "theory"), labelled(ax, "simulation")
    assert x.tolist() == pytest.approx([30, 50])
    assert 2 < line[0] < 20  # below the rheobase it fires by noise alone
    # 50 neurons for half a second: some 100 and 800 spikes. Euler's late crossings cost 2 %.
    assert points[0] == pytest.approx(line[0], rel=0.25)
    assert points[1] == pytest.approx(line[2], rel=0.06)
    again = plotting.fi_curve(neuron, [30, 50] * pA, noise=3 * mV, simulate=2, theory=False)
    assert np.array_equal(labelled(again, "simulation")[0][1], points)


def test_curves_share_axes_and_a_dimensionless_one_has_no_unit() -> None:
    ax = plotting.fi_curve(make(LIF, **LEAKY), [0.02, 0.1] * brian2.nA, simulate=0, label="a")
    plotting.fi_curve(make(ELIF), [50, 1000] * pA, ax, simulate=0, label="b")
    assert ax.get_xlabel() == "I (pA)" and len(ax.lines) == 2
    assert labelled(ax, "b")[0][0].tolist() == pytest.approx([50, 1000])
    ax = plotting.fi_curve(make(LIF, NUMBERS), [80.0, 90.0], simulate=2)
    assert ax.get_xlabel() == "I"


def test_an_fi_curve_refuses_what_it_cannot_draw() -> None:
    neuron, I = make(LIF, **LEAKY), [30, 60] * pA  # noqa: E741
    for error, text, current, options in [
        (ValueError, "needs at least two currents", 30 * pA, {}),
        (DimensionMismatchError, "I = .* needs a value in amp", [30, 60], {}),
        (ValueError, "simulate = -1: it needs how many currents", I, {"simulate": -1}),
        (DimensionMismatchError, "duration = 3.* needs a time", I, {"duration": 3}),
        (ValueError, "dt = -?1. us is not positive", I, {"dt": -1e-6 * second}),
    ]:
        with pytest.raises(error, match=text):
            plotting.fi_curve(neuron, current, **options)
    with pytest.raises(ValueError, match=r"is of one neuron, but LIF has several values of tau"):
        plotting.fi_curve(neuron.replace(tau=[10, 20] * ms), I)
    with pytest.raises(ValueError, match="known for LIF only"):
        plotting.fi_curve(make(ELIF), I, noise=1 * mV)
    assert not plt.get_fignums()


# Phase planes


def test_a_phase_plane_shows_both_nullclines_and_the_fixed_points() -> None:
    neuron = make(AELIF)
    ax = plotting.phase_plane(neuron, 20 * pA)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("v (mV)", "omega (pA)")
    ((v, of_v),), ((_, of_omega),) = labelled(ax, "dv/dt = 0"), labelled(ax, "domega/dt = 0")
    # Typed from the equations: R 480 Mohm, delta 2.1, theta_rh -51, v_rest -69 mV, alpha 0.6 nS.
    assert of_v == pytest.approx(20 + (-69 - v + 2.1 * np.exp((v + 51) / 2.1)) / 0.48)
    assert of_omega == pytest.approx(0.6 * (v + 69))
    ((x, y),), ((saddle, above),) = labelled(ax, "stable focus"), labelled(ax, "saddle")
    for at, omega in ((x, y), (saddle, above)):
        assert np.interp(at, v, of_v) == pytest.approx(0.6 * (at + 69), abs=0.05)
        assert omega == pytest.approx(0.6 * (at + 69))
    assert x < saddle < neuron.threshold / mV
    marks = {line.get_label(): line for line in ax.lines}
    assert marks["stable focus"].get_markerfacecolor() == "#000000"
    assert marks["saddle"].get_markerfacecolor() == "white"
    low, high = ax.get_xlim()
    assert low < -69 and high > saddle
    assert len(ax.collections) > 0  # the streamlines


@pytest.mark.parametrize(("shift", "text"), [(-0.2, "stable focus"), (0.2, "unstable focus")])
def test_beyond_the_hopf_point_the_focus_is_open(shift: float, text: str) -> None:
    # alpha*R = 1.2 exceeds tau/w_tau = 0.1: an Andronov-Hopf bifurcation (Touboul & Brette 2008).
    neuron = make(AELIF, alpha=2.5 * nS, w_tau=190 * ms)
    a, r, delta = 1.2, 0.1, 2.1
    drive = (1 + a) * (-51 + 69 - delta + delta * np.log(1 + r)) + delta * (a - r)
    ax = plotting.phase_plane(neuron, (drive / 0.48 + shift) * pA)
    (mark,) = [line for line in ax.lines if line.get_label() == text]
    assert (mark.get_markerfacecolor() == "white") == (shift > 0)
    # 0.2 pA move it by R*0.2 pA/(a - r) = 0.09 mV.
    assert mark.get_xdata()[0] == pytest.approx(-51 + delta * np.log(1 + r), abs=0.1)


def test_without_a_fixed_point_none_is_marked_and_ranges_can_be_given() -> None:
    ax = plotting.phase_plane(make(AELIF), 60 * pA, v=(-80, -40) * mV, omega=[-10 * pA, 70 * pA])
    assert {line.get_label() for line in ax.lines} == {"dv/dt = 0", "domega/dt = 0"}
    assert ax.get_xlim() == pytest.approx((-80, -40)) and ax.get_ylim() == pytest.approx((-10, 70))
    bare = plotting.phase_plane(make(AELIF), 60 * pA, flow=False)
    assert len(bare.collections) == 0


@pytest.mark.slow
def test_a_trajectory_ends_at_the_threshold_and_goes_on_from_its_reset() -> None:
    neuron, start = make(AELIF), (-62 * mV, 12 * pA)
    ax = plotting.phase_plane(neuron, 75 * pA, trajectory=120 * ms, start=start)
    pieces = [
        (np.asarray(x), np.asarray(y)) for line in ax.lines if line.get_color() == "#D55E00"
        and line.get_linestyle() == "-" for x, y in [line.get_data()]
    ]  # fmt: skip
    resets = [line.get_data() for line in ax.lines if line.get_linestyle() == ":"]

    # The same trajectory by DOP853 with event location, in mV, pA and ms.
    from scipy.integrate import solve_ivp

    def rates(_: float, state: np.ndarray) -> list[float]:
        v, omega = state
        membrane = -69 - v + 2.1 * np.exp((min(v, -31) + 51) / 2.1) + 0.48 * (75 - omega)
        return [membrane / 19, (0.6 * (v + 69) - omega) / 33]

    def spike(_: float, state: np.ndarray) -> float:
        return float(state[0] + 31)

    spike.terminal = True  # type: ignore[attr-defined]
    state, time, jumps = [-62.0, 12.0], 0.0, []
    while time < 119.8:  # the last sample
        found = solve_ivp(rates, (time, 119.8), state, "DOP853", events=spike, rtol=1e-9, atol=1e-9)
        time = found.t[-1]
        if found.status == 1:
            omega = found.y[1, -1]
            jumps.append((omega, omega + 55))
            state = [-57, omega + 55]
    assert len(jumps) >= 2
    assert len(resets) == len(jumps) and len(pieces) == len(jumps) + 1
    for (x, y), (before, after) in zip(resets, jumps, strict=True):
        assert x == pytest.approx([-31, -57])
        # omega is that of the last sample, up to 0.2 ms before: it moves by 0.1 pA in that time.
        assert y == pytest.approx([before, after], abs=0.2)
    assert (pieces[0][0][0], pieces[0][1][0]) == pytest.approx((-62, 12))
    for (x, y), (drawn, _) in zip(pieces[1:], pieces[:-1], strict=True):
        assert x[0] == pytest.approx(-57) and drawn[-1] == pytest.approx(-31)
        assert np.abs(np.diff(y)).max() < 0.5
    # A smaller step than 0.2 ms would bring it nearer.
    assert pieces[-1][0][-1] == pytest.approx(found.y[0, -1], abs=2e-3)
    assert pieces[-1][1][-1] == pytest.approx(found.y[1, -1], abs=2e-3)


def test_one_dimension_shows_dv_dt_with_its_zeros() -> None:
    ax = plotting.phase_plane(make(ELIF), 20 * pA)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("v (mV)", "dv/dt (mV/ms)")
    ((v, rate),) = labelled(ax, "dv/dt")
    assert rate == pytest.approx((-69 - v + 2.1 * np.exp((v + 51) / 2.1) + 0.48 * 20) / 19)
    ((stable, zero),), ((unstable, _),) = labelled(ax, "stable node"), labelled(ax, "unstable node")
    assert zero == [0] and stable < unstable
    for at in (stable, unstable):
        assert np.interp(at, v, rate) == pytest.approx(0, abs=1e-3)
    # Arrows point to the stable point, and away from the unstable one.
    for line in ax.lines:
        for x in np.asarray(line.get_xdata()) if line.get_marker() in "<>" else []:
            right = x < stable[0] or x > unstable[0]
            assert line.get_marker() == (">" if right else "<")
    ax = plotting.phase_plane(make(LIF, NUMBERS), 0.02)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("v", "dv/dt (1/ms)")
    ((at, _),) = labelled(ax, "stable node")
    assert at == pytest.approx(-69 + 480 * 0.02)


def test_a_phase_plane_refuses_what_it_cannot_draw() -> None:
    neuron = make(AELIF)
    for error, text, options in [
        (ValueError, "start = .* it needs two values, v and omega",
         {"trajectory": 5 * ms, "start": [1 * mV]}),
        (DimensionMismatchError, "trajectory = 5 .* needs a time", {"trajectory": 5}),
        (DimensionMismatchError, "v = .* needs a value in volt", {"v": (-70, -40)}),
        (ValueError, "v = .* first has to be below", {"v": (-40 * mV, -70 * mV)}),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            plotting.phase_plane(neuron, 20 * pA, **options)
    with pytest.raises(ValueError, match="a phase plane is of one current"):
        plotting.phase_plane(neuron, [20, 30] * pA)
    with pytest.raises(DimensionMismatchError, match=r"I = 20.0 is a number"):
        plotting.phase_plane(neuron, 20.0)
    with pytest.raises(ValueError, match="several values of alpha"):
        plotting.phase_plane(neuron.replace(alpha=[1, 2] * nS), 20 * pA)
    with pytest.raises(ValueError, match="trajectory is given, but ELIF has one state"):
        plotting.phase_plane(make(ELIF), 20 * pA, trajectory=5 * ms)


# Firing patterns


def short_preset(name: str, duration: Quantity = 40 * ms) -> presets.Preset:
    """Return a preset that takes less time."""
    return replace(presets.load(name), duration=duration)


@pytest.mark.slow
def test_panels_show_each_presets_trace_and_step() -> None:
    names = ["gerstner2014_tonic", "gerstner2014_transient", "conex_readme"]
    shown = [short_preset(names[0], 60 * ms), short_preset(names[1]), presets.load(names[2])]
    axes = plotting.firing_patterns([*shown[:2], names[2]], columns=2, dt=0.5 * ms)
    assert [ax.get_title(loc="left") for ax in axes] == ["tonic", "transient", "tonic"]
    figure = axes[0].figure
    steps = [ax for ax in figure.axes if ax not in list(axes)]
    texts = [step.texts[0].get_text().strip() for step in steps]
    assert texts == ["65 pA", "55 pA", "4"]
    assert axes[0].get_ylabel() == "v (mV)" and axes[2].get_ylabel() == "v"
    assert [step.get_xlabel() for step in steps] == ["", "time (ms)", "time (ms)"]
    for ax, step, preset, text in zip(axes, steps, shown, texts, strict=True):
        x, y = (np.asarray(data) for data in ax.lines[0].get_data())
        length = preset.duration / ms
        # The last sample is a step before the end.
        assert (x[0], x[-1]) == pytest.approx((-0.1 * length, length - 0.5))
        # At rest until the current comes.
        assert y[x < 0] == pytest.approx(y[0], rel=1e-3)
        assert step.lines[0].get_ydata()[-1] == float(text.split()[0])
    # conex_readme is a LIF: tau 10 ms from -70 to -50, u = -65 + 5*4 = -45, first from -65.
    x, y = (np.asarray(data) for data in axes[2].lines[0].get_data())
    first, interval = 10 * np.log(20 / 5), 10 * np.log(25 / 5)
    peaks = x[y == y.max()]
    assert peaks == pytest.approx(first + interval * np.arange(len(peaks)), abs=1e-9)
    assert len(peaks) == 1 + int((200 - first) / interval)


@pytest.mark.slow
def test_presets_drawn_together_are_those_drawn_alone() -> None:
    # One group, each with its own parameters and current.
    both = [short_preset("gerstner2014_bursting"), short_preset("naud2008_tonic")]
    together = plotting.firing_patterns(both, dt=0.5 * ms, peak=10 * mV)
    for ax, preset in zip(together, both, strict=True):
        (alone,) = plotting.firing_patterns(preset, dt=0.5 * ms, peak=10 * mV)
        for a, b in zip(ax.lines[0].get_data(), alone.lines[0].get_data(), strict=True):
            assert a == pytest.approx(b, abs=1e-9)


def test_firing_patterns_refuse_what_is_no_preset() -> None:
    with pytest.raises(ValueError, match=r"no preset .*did you mean 'naud2008_tonic'"):
        plotting.firing_patterns("naud2008_tonc")
    with pytest.raises(TypeError, match="presets has 3: it needs presets or their names"):
        plotting.firing_patterns([3])
    with pytest.raises(ValueError, match="presets is empty"):
        plotting.firing_patterns([])
    with pytest.raises(ValueError, match="columns = 0"):
        plotting.firing_patterns("naud2008_tonic", columns=0)


# The user's simulation


def draw_all() -> None:
    """Call everything that simulates."""
    plotting.fi_curve(make(LIF, **LEAKY), [30, 60] * pA, noise=2 * mV, simulate=2,
                      duration=20 * ms, dt=1 * ms)  # fmt: skip
    plotting.phase_plane(make(AELIF), 60 * pA, trajectory=10 * ms)
    plotting.firing_patterns("conex_mnist_l4", dt=1 * ms)


@pytest.mark.slow
def test_a_simulation_goes_on_as_if_nothing_had_been_drawn() -> None:
    def simulated(draw: bool) -> tuple[Any, ...]:
        brian2.start_scope()
        seed(11)
        group = NeuronGroup(3, "dv/dt = -v/(9*ms) + xi*sqrt(2/(9*ms)) : 1", method="euler",
                            name="mine", threshold="v > 1", reset="v = 0")  # fmt: skip
        states, spikes = StateMonitor(group, "v", record=True), SpikeMonitor(group)
        run(30 * ms)
        if draw:
            draw_all()
        run(30 * ms)  # the magic network has the same objects as before
        later = NeuronGroup(1, "v : 1")
        return defaultclock.t / ms, later.name, states.v[:], spikes.t / ms

    defaultclock.dt = 0.3 * ms
    before = prefs.codegen.target, get_device()
    with_pictures = simulated(True)
    assert (prefs.codegen.target, get_device()) == before and defaultclock.dt == 0.3 * ms
    for a, b in zip(with_pictures, simulated(False), strict=True):
        assert np.array_equal(a, b)


def test_a_standalone_device_notices_nothing(tmp_path: Path) -> None:
    set_device("cpp_standalone", directory=str(tmp_path), build_on_run=False)
    try:
        device = get_device()
        defaultclock.dt = 0.2 * ms
        group = NeuronGroup(1, "v : 1", name="mine")
        run(1 * ms)
        queue, arrays = list(device.main_queue), set(device.arrays)
        draw_all()
        assert get_device() is device and defaultclock.dt == 0.2 * ms
        assert device.main_queue == queue and set(device.arrays) == arrays
        assert group.name == "mine"
    finally:
        brian2.device.reinit()
        reset_device()


def test_after_an_error_the_device_is_the_users_again() -> None:
    class Broken(LIF):
        F: ClassVar[str] = "v_rest - v + nonsense"

    neuron = Broken(**{name: SI[name] for name in LIF.parameter_names()})
    set_device("cpp_standalone", build_on_run=False)
    try:
        with pytest.raises(Exception, match="nonsense"):
            plotting.fi_curve(neuron, [30, 60] * pA, theory=False)
        assert get_device() is brian2.devices.cpp_standalone.device.cpp_standalone_device
        assert prefs.codegen.target == "numpy"
    finally:
        brian2.device.reinit()
        reset_device()
