"""The presets have the literature's values and show the literature's firing patterns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from brian2 import (
    Mohm,
    Network,
    Quantity,
    SpikeMonitor,
    ms,
    mV,
    nS,
    pA,
    prefs,
)

from conex_brian import AELIF, ELIF, LIF, presets, spike_monitor
from conex_brian.analysis import bifurcation, rheobase
from patterns import PATTERNS, patterns
from reference import exponential_spike_times

#: In the literature's own parameters: C pF, g_L nS, E_L mV, V_T mV, Delta_T mV, a nS, tau_w ms,
#: b pA, V_r mV, step pA, cutoff mV.
LITERATURE = {
    "brette2005_regular": (281, 30, -70.6, -50.4, 2, 4, 144, 80.5, -70.6, 1000, -40.4),
    "brette2005_bursting": (281, 30, -70.6, -50.4, 2, 4, 20, 500, -50.4 + 5, 1000, -40.4),
    "naud2008_tonic": (200, 10, -70, -50, 2, 2, 30, 0, -58, 500, 0),
    "naud2008_adaptation": (200, 12, -70, -50, 2, 2, 300, 60, -58, 500, 0),
    "naud2008_initial_burst": (130, 18, -58, -50, 2, 4, 150, 120, -50, 400, 0),
    "naud2008_regular_bursting": (200, 10, -58, -50, 2, 2, 120, 100, -46, 210, 0),
    "naud2008_delayed_accelerating": (200, 12, -70, -50, 2, -10, 300, 0, -58, 300, 0),
    "naud2008_delayed_regular_bursting": (100, 10, -65, -50, 2, -10, 90, 30, -47, 110, 0),
    "naud2008_transient": (100, 10, -65, -50, 2, 10, 90, 100, -47, 180, 0),
    "naud2008_irregular": (100, 12, -60, -50, 2, -11, 130, 30, -48, 160, 0),
    # Neuronal Dynamics, table 6.1, has R = 500 Mohm and tau: g_L is 2 nS, C is 2 nS times tau.
    "gerstner2014_tonic": (40, 2, -70, -50, 2, 0, 30, 60, -55, 65, -30),
    "gerstner2014_adapting": (40, 2, -70, -50, 2, 0, 100, 5, -55, 65, -30),
    "gerstner2014_initial_burst": (10, 2, -70, -50, 2, 0.5, 100, 7, -51, 65, -30),
    "gerstner2014_bursting": (10, 2, -70, -50, 2, -0.5, 100, 7, -46, 65, -30),
    "gerstner2014_irregular": (19.8, 2, -70, -50, 2, -0.5, 100, 7, -46, 120, -30),
    "gerstner2014_transient": (20, 2, -70, -50, 2, 1, 100, 10, -60, 55, -30),
    "gerstner2014_delayed": (10, 2, -70, -50, 2, -1, 100, 10, -60, 25, -30),
}

#: Of CoNeX's own examples, see the presets' sources.
CONEX = {
    "conex_readme": (LIF, {"R": 5, "tau": 10, "threshold": -50, "v_reset": -70, "v_rest": -65}),
    "conex_mnist_l4": (LIF, {"R": 1, "tau": 5, "threshold": 1, "v_reset": 0, "v_rest": 0}),
    "conex_mnist_l23": (LIF, {"R": 1, "tau": 10, "threshold": 1, "v_reset": 0, "v_rest": 0}),
    "conex_lif": (LIF, {"R": 20, "tau": 25, "threshold": -37, "v_reset": -75, "v_rest": -65}),
    "conex_elif": (
        ELIF,
        {"R": 20, "tau": 25, "threshold": -37, "v_reset": -75, "v_rest": -65, "delta": 0.8,
         "theta_rh": -42},
    ),
    "conex_aelif": (
        AELIF,
        {"R": 20, "tau": 25, "threshold": -37, "v_reset": -75, "v_rest": -65, "alpha": 0.3,
         "beta": -0.4, "w_tau": 10, "delta": 0.9, "theta_rh": -42},
    ),
}  # fmt: skip


EXPECTED = {name: [presets.load(name).pattern] for name in LITERATURE}


def reference(name: str, **changes: float) -> dict[str, float]:
    """Return what `exponential_spike_times` takes, from the literature's values."""
    C, g_L, E_L, V_T, Delta_T, a, tau_w, b, V_r, step, cutoff = LITERATURE[name]
    values = {
        "tau": C / g_L, "delta": Delta_T, "theta_rh": V_T, "v_rest": E_L, "threshold": cutoff,
        "v_reset": V_r, "RI": step / g_L, "Ra": a / g_L, "Rb": b / g_L, "w_tau": tau_w,
    }  # fmt: skip
    return {**values, **changes}


def simulated(spike_timing: str, *steps: float) -> list[dict[str, np.ndarray]]:
    """Return the spike times in ms of all literature presets in 1 s, for each time step in ms."""
    loaded = [presets.load(name) for name in LITERATURE]
    values = {
        name: Quantity([getattr(preset.neuron, name) for preset in loaded])
        for name in AELIF.parameter_names()
    }
    current = Quantity([preset.I for preset in loaded])
    precise = spike_timing == "precise"
    groups = [
        AELIF(**values).group(I=current, spike_timing=spike_timing, dt=dt * ms) for dt in steps
    ]
    monitors = [spike_monitor(group) if precise else SpikeMonitor(group) for group in groups]
    Network(groups, monitors).run(1000 * ms, namespace={})
    times = [np.asarray(one.t_spike if precise else one.t) * 1e3 for one in monitors]
    return [
        {name: np.sort(t[one.i == i]) for i, name in enumerate(LITERATURE)}
        for t, one in zip(times, monitors, strict=True)
    ]


@pytest.fixture(scope="module")
def spike_times() -> dict[str, np.ndarray]:
    """Spike times on the grid of 0.1 ms."""
    prefs.codegen.target = "numpy"
    return simulated("grid", 0.1)[0]


def shown(name: str, times: np.ndarray, resolution: float = 0) -> list[str]:
    """Return the patterns that spike times show within the preset's own duration."""
    duration = float(presets.load(name).duration / ms)
    return patterns(times[times < duration], duration, resolution)


def test_there_are_the_literatures_17_and_conex_own_6() -> None:
    assert presets.names() == (*LITERATURE, *CONEX)


@pytest.mark.parametrize("name", LITERATURE)
def test_values_are_the_literatures(name: str) -> None:
    preset = presets.load(name)
    C, g_L, E_L, V_T, Delta_T, a, tau_w, b, V_r, step, cutoff = LITERATURE[name]
    expected = {
        "R": 1e3 / g_L, "threshold": cutoff, "tau": C / g_L, "v_reset": V_r, "v_rest": E_L,
        "delta": Delta_T, "theta_rh": V_T, "alpha": a, "beta": b, "w_tau": tau_w,
    }  # fmt: skip
    units = (Mohm, mV, ms, mV, mV, mV, mV, nS, pA, ms)
    assert preset.name == name and type(preset.neuron) is AELIF
    for (parameter, value), unit in zip(expected.items(), units, strict=True):
        given = float(getattr(preset.neuron, parameter) / unit)
        assert given == pytest.approx(value, rel=1e-14, abs=0), parameter
    assert float(preset.I / pA) == pytest.approx(step, rel=1e-14, abs=0)


@pytest.mark.parametrize("name", CONEX)
def test_values_are_those_of_conex_examples(name: str) -> None:
    neuron = presets.load(name).neuron
    model, values = CONEX[name]
    assert type(neuron) is model
    for parameter in model.parameter_names():
        # CoNeX's numbers count ms: its times, and its beta, which is per time.
        given = np.asarray(getattr(neuron, parameter)) * {"beta": 1e-3}.get(parameter, 1)
        given = given * 1e3 if parameter in ("tau", "w_tau") else given
        assert float(given) == pytest.approx(values[parameter], rel=1e-14, abs=0), parameter


@pytest.mark.parametrize("name", LITERATURE)
def test_firing_pattern(name: str, spike_times: dict[str, np.ndarray]) -> None:
    assert shown(name, spike_times[name], 0.1) == EXPECTED[name]


@pytest.mark.slow
def test_firing_pattern_on_half_the_step() -> None:
    (found,) = simulated("grid", 0.05)
    assert {name: shown(name, found[name], 0.05) for name in LITERATURE} == EXPECTED


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpp_standalone"], indirect=True)
def test_firing_pattern_with_precise_spikes_and_of_the_exact_solution(device: str) -> None:
    exact = {
        name: exponential_spike_times(reference(name), 1000.0, rtol=1e-11) for name in EXPECTED
    }
    assert {name: shown(name, exact[name]) for name in LITERATURE} == EXPECTED
    for dt, found in zip((0.1, 0.05), simulated("precise", 0.1, 0.05), strict=True):
        assert {name: shown(name, found[name]) for name in LITERATURE} == EXPECTED, dt
        for name, patterns_shown in EXPECTED.items():
            if patterns_shown != ["irregular"]:  # there any error grows
                np.testing.assert_allclose(found[name], exact[name], rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["naud2008_irregular", "gerstner2014_irregular"])
def test_irregular_neurons_are_chaotic(name: str) -> None:
    values = reference(name)
    first = exponential_spike_times(values, 1000.0, rtol=1e-11)
    other = exponential_spike_times({**values, "RI": values["RI"] * (1 + 1e-7)}, 1000.0, rtol=1e-11)
    apart = np.abs(first[:100] - other[:100])
    assert apart[5] < 1e-3 and apart.max() > 1


@pytest.mark.slow
def test_note_on_the_irregular_row() -> None:
    note = presets.load("gerstner2014_irregular").note
    assert "At 65 pA" in note and "bursts of 5 spikes every 81 ms" in note
    exact = exponential_spike_times(
        reference("gerstner2014_irregular", RI=65 / 2), 1000.0, rtol=1e-10
    )
    period = exact[-5:] - exact[-10:-5]
    np.testing.assert_allclose(period, 81, rtol=0, atol=0.5)
    assert np.ptp(period) < 0.05 and patterns(exact, 1000.0) == ["bursting"]
    for current in (107, 148):
        exact = exponential_spike_times(reference("gerstner2014_irregular", RI=current / 2), 1000.0)
        assert patterns(exact, 1000.0) == ["irregular"]


def test_note_on_the_transient_row() -> None:
    preset = presets.load("gerstner2014_transient")
    assert "(every 83 ms)" in preset.note and "from 56.2 pA on" in preset.note
    found = bifurcation(preset.neuron)
    assert found is not None
    assert found.kind == "Andronov-Hopf" and found.I / pA == pytest.approx(56.2, abs=0.05)
    fires = exponential_spike_times(reference("gerstner2014_transient", RI=65 / 2), 1000.0)
    assert np.diff(fires)[-1] == pytest.approx(83, abs=0.5)
    just_below = exponential_spike_times(reference("gerstner2014_transient", RI=55.9 / 2), 1000.0)
    assert patterns(just_below, 1000.0) == ["transient"]


@pytest.mark.slow
def test_notes_on_other_copies_of_the_tables() -> None:
    assert "never fires" in presets.load("naud2008_delayed_regular_bursting").note
    row_6 = reference(
        "naud2008_delayed_regular_bursting",
        tau=200 / 12, v_rest=-70, Ra=-6 / 12, w_tau=300, Rb=0, v_reset=-58, RI=110 / 12,
    )  # fmt: skip
    assert len(exponential_spike_times(row_6, 1000.0, rtol=1e-9)) == 0
    assert "fires on and on" in presets.load("naud2008_transient").note
    row_7 = reference("naud2008_transient", Ra=-1, Rb=3, v_reset=-50, RI=35)
    assert exponential_spike_times(row_7, 500.0, rtol=1e-9)[-1] > 480
    assert (
        "tau 200 ms, with which intervals grow by 3 %" in presets.load("gerstner2014_adapting").note
    )
    slow = np.diff(exponential_spike_times(reference("gerstner2014_adapting", tau=200), 1000.0))
    assert slow[-1] / slow[0] == pytest.approx(1.03, abs=0.006)


@pytest.mark.parametrize("name", ["conex_readme", "conex_mnist_l4", "conex_mnist_l23", "conex_lif"])
def test_leaky_neuron_of_conex_fires_in_closed_form(name: str) -> None:
    preset = presets.load(name)
    p, duration = CONEX[name][1], float(preset.duration / ms)
    u = p["v_rest"] + p["R"] * preset.I
    first = p["tau"] * np.log((u - p["v_rest"]) / (u - p["threshold"]))
    interval = p["tau"] * np.log((u - p["v_reset"]) / (u - p["threshold"]))
    group = preset.neuron.group(1, I=preset.I, spike_timing="precise", dt=0.5 * ms)
    monitor = spike_monitor(group)
    Network(group, monitor).run(preset.duration, namespace={})
    expected = np.arange(first, duration, interval)
    np.testing.assert_allclose(monitor.t_spike / ms, expected, rtol=1e-9)
    assert patterns(expected, duration) == [preset.pattern]


@pytest.mark.parametrize("name", ["conex_elif", "conex_aelif"])
def test_neuron_of_conex_fires_in_conex_steps(name: str) -> None:
    preset = presets.load(name)
    p, steps = CONEX[name][1], int(preset.duration / ms)
    alpha, beta, w_tau = p.get("alpha", 0), p.get("beta", 0), p.get("w_tau", 1)
    v, omega, expected = p["v_rest"], 0.0, []
    for step in range(steps):  # lif_neurons.py of cnrl-conex 0.1.5 at dt 1
        rise = p["v_rest"] - v + p["delta"] * np.exp((v - p["theta_rh"]) / p["delta"])
        v += (rise + p["R"] * preset.I - p["R"] * omega) / p["tau"]
        spike = v >= p["threshold"]
        if spike:
            v = p["v_reset"]
            expected.append(step)
        omega += (alpha * (v - p["v_rest"]) - omega + beta * w_tau * spike) / w_tau
    group = preset.neuron.group(1, I=preset.I, method="conex", dt=1 * ms)
    monitor = SpikeMonitor(group)
    Network(group, monitor).run(preset.duration, namespace={})
    np.testing.assert_array_equal(np.round(monitor.t / ms), expected)
    assert patterns(np.array(expected, dtype=float), steps) == [preset.pattern]


def test_all_but_the_transient_neurons_are_driven_beyond_their_rheobase() -> None:
    below, without = [], []
    for name in presets.names():
        preset = presets.load(name)
        try:
            if rheobase(preset.neuron) > preset.I:
                below.append(name)
        except ValueError:
            without.append(name)
    assert below == ["naud2008_transient", "gerstner2014_transient"]
    # a = -g_L: whatever the current, omega takes the resting state away in the end.
    assert without == ["naud2008_delayed_regular_bursting"]


@pytest.mark.parametrize("name", [*LITERATURE, *CONEX])
def test_preset_says_where_it_comes_from(name: str) -> None:
    preset = presets.load(name)
    year = name.partition("_")[0][-4:]
    assert ("CoNeX" in preset.source and "commit" in preset.source) or f"({year})" in preset.source
    assert preset.pattern in PATTERNS and preset.note
    assert "threshold" in preset.note or name in CONEX


def test_presets_cannot_be_changed() -> None:
    preset = presets.load("naud2008_tonic")
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset.pattern = "irregular"  # type: ignore[misc]
    assert presets.load("naud2008_tonic") is preset


@pytest.mark.parametrize("name", ["naud2008_toni", "Naud2008_tonic"])
def test_unknown_name_gets_the_nearest(name: str) -> None:
    with pytest.raises(ValueError, match=rf"no preset '{name}' \(did you mean 'naud2008_tonic'\?"):
        presets.load(name)


@pytest.mark.parametrize("name", [None, 3, b"naud2008_tonic", ["naud2008_tonic"]])
def test_name_is_a_text(name: object) -> None:
    with pytest.raises(TypeError, match="needs the name of a preset, a text"):
        presets.load(name)  # type: ignore[arg-type]
