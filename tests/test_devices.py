"""The same science on every device: numpy, Cython and C++ standalone run one test body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2 import (
    Equations,
    Mohm,
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    defaultclock,
    ms,
    mV,
    nA,
    pA,
    prefs,
    run,
    set_device,
    start_scope,
)
from brian2.devices.device import reset_device

from conex_brian import AELIF, ELIF, LIF
from devices import compiled_later
from neurons import UNITS

rng = np.random.default_rng(23)
N, DT, STEPS = 9, 0.1, 1500
P = {
    "R": rng.uniform(80, 200, N),
    "threshold": rng.uniform(-42, -30, N),
    "tau": rng.uniform(7, 18, N),
    "v_reset": rng.uniform(-70, -58, N),
    "v_rest": rng.uniform(-72, -66, N),
    "delta": rng.uniform(1.2, 3, N),
    "theta_rh": rng.uniform(-54, -50, N),
    "alpha": rng.uniform(0.2, 2, N),
    "beta": rng.uniform(5, 40, N),
    "w_tau": rng.uniform(30, 120, N),
}
V0 = rng.uniform(-80, -60, N)
OMEGA0 = rng.uniform(-5, 30, N)
T_REF = rng.integers(0, 30, N) * DT
CURRENT = rng.uniform(300, 700, N)  # pA


def model(cls: type[LIF], **changes: Any) -> LIF:
    """Return a model with the values above."""
    values: dict[str, Any] = {name: P[name] * UNITS[name] for name in cls.parameter_names()}
    values["init_v"] = V0 * mV
    if cls is AELIF:
        values["omega"] = OMEGA0 * pA
    return cls(**{**values, **changes})


def numpy_spikes(cls: type[LIF]) -> np.ndarray:
    """Return who spiked in each step: a plain stepper, rk4 or LIF's exact step."""
    v, w = V0.copy(), np.where(cls is AELIF, OMEGA0, 0.0)
    last = np.full(N, -(10**6))
    spikes = np.zeros((STEPS, N), dtype=bool)
    steps_held = np.round(T_REF / DT)
    for step in range(STEPS):
        free = step - last >= steps_held

        def rates(
            v: np.ndarray, w: np.ndarray, free: np.ndarray = free
        ) -> tuple[np.ndarray, np.ndarray]:
            vb = np.minimum(v, P["threshold"])
            upswing = P["delta"] * np.exp((vb - P["theta_rh"]) / P["delta"])
            dv = (P["v_rest"] - vb + upswing + P["R"] * (CURRENT - w) * 1e-3) / P["tau"]
            dw = (P["alpha"] * (vb - P["v_rest"]) - w) / P["w_tau"]
            return np.where(free, dv, 0), np.where(cls is AELIF, dw, 0)

        if cls is LIF:
            steady = P["v_rest"] + P["R"] * CURRENT * 1e-3
            v = np.where(free, steady + (v - steady) * np.exp(-DT / P["tau"]), v)
        else:
            k1 = rates(v, w)
            k2 = rates(v + DT / 2 * k1[0], w + DT / 2 * k1[1])
            k3 = rates(v + DT / 2 * k2[0], w + DT / 2 * k2[1])
            k4 = rates(v + DT * k3[0], w + DT * k3[1])
            v = v + DT / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
            w = w + DT / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
        spikes[step] = (v >= P["threshold"]) & free
        last[spikes[step]] = step
        v = np.where(spikes[step], P["v_reset"], v)
        w = np.where(spikes[step] & (cls is AELIF), w + P["beta"], w)
    return spikes


def raster(monitor: SpikeMonitor, dt: float = DT) -> np.ndarray:
    """Return who spiked in each step."""
    spikes = np.zeros((STEPS, len(monitor.source)), dtype=bool)
    spikes[np.round(np.asarray(monitor.t / ms) / dt).astype(int), monitor.i[:]] = True
    return spikes


def test_the_same_spikes_and_the_same_relations_on_every_device(device: str) -> None:
    # The second half of the AELIF neurons does not adapt: they are ELIF neurons.
    twice = {name: np.tile(P[name], 2) * UNITS[name] for name in AELIF.parameter_names()}
    adapting = np.repeat([1.0, 0.0], N)
    twice |= {name: twice[name] * adapting for name in ("alpha", "beta")}
    both = AELIF(**twice, init_v=np.tile(V0, 2) * mV, omega=np.tile(OMEGA0, 2) * adapting * pA)
    # Dimensionless: in mV, Mohm and nA.
    scales = dict.fromkeys(P, 1.0) | {"tau": ms, "w_tau": ms, "alpha": 1e-3, "beta": 1e-3}
    numbers = {name: P[name] * scales[name] for name in AELIF.parameter_names()}
    plain = AELIF(**numbers, init_v=V0, omega=OMEGA0 * 1e-3)
    options: dict[str, Any] = {"I": CURRENT * pA, "refractory": T_REF * ms}
    groups: dict[str, NeuronGroup] = {
        "LIF": model(LIF).group(**options),
        "ELIF": model(ELIF).group(**options),
        "AELIF": both.group(I=np.tile(CURRENT, 2) * pA, refractory=np.tile(T_REF, 2) * ms),
        "numbers": plain.group(I=CURRENT * 1e-3, refractory=T_REF * ms),
    }
    # rk2 of LIF neurons that have no threshold: half the step, a quarter of the error.
    template = model(LIF).template(I=CURRENT * pA, method="rk2")
    silent = {**template.arguments(), "threshold": None, "reset": None}
    halved = [NeuronGroup(N, **silent, dt=dt * ms) for dt in (0.2, 0.1)]
    for group in halved:
        template.initialise(group)
    late = StateMonitor(halved[0], "v", record=True, when="end", dt=8 * ms)
    later = StateMonitor(halved[1], "v", record=True, when="end", dt=8 * ms)
    spikes = {name: SpikeMonitor(group) for name, group in groups.items()}
    Network(*groups.values(), *spikes.values(), *halved, late, later).run(STEPS * DT * ms)

    counts = {}
    for cls in (LIF, ELIF, AELIF):
        expected = numpy_spikes(cls)
        counts[cls] = expected.sum(axis=0)
        assert counts[cls].min() >= 2
        assert len(np.unique(counts[cls])) > 3
        got = raster(spikes[cls.__name__])
        np.testing.assert_array_equal(got[:, :N], expected)
        if cls is AELIF:
            np.testing.assert_array_equal(got[:, N:], numpy_spikes(ELIF))
    assert not np.array_equal(counts[ELIF], counts[AELIF])
    v, omega = groups["AELIF"].v / mV, groups["AELIF"].omega / nA
    np.testing.assert_allclose(v[N:], groups["ELIF"].v / mV, rtol=1e-11)
    np.testing.assert_array_equal(raster(spikes["numbers"]), raster(spikes["AELIF"])[:, :N])
    np.testing.assert_allclose(groups["numbers"].v[:], v[:N], rtol=1e-11)
    np.testing.assert_allclose(groups["numbers"].omega[:], omega[:N], rtol=1e-10)

    # Recorded at the end of the first step: as long after the start as the step is.
    steady = P["v_rest"] + P["R"] * CURRENT * 1e-3
    errors = []
    for trace, dt in ((late, 0.2), (later, 0.1)):
        exact = steady + (V0 - steady) * np.exp(-(8 + dt) / P["tau"])
        errors.append(np.abs(trace.v[:, 1] / mV - exact))
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.06)


@compiled_later
def test_synapses_on_v_and_through_the_current(device: str) -> None:
    """One spike, its delta synapse on v and its decaying current, in closed form.

    Neuron 0 fires at once; 1 and 2 get its current, 3 and 4 are kicked by it.
    """
    neuron = LIF(
        R=100 * Mohm, v_reset=-66 * mV, v_rest=-66 * mV, threshold=-45 * mV,
        tau=[9, 6, 14, 6, 14] * ms, init_v=[-40, -66, -66, -66, -66] * mV,
    )  # fmt: skip
    # The synapse decays as fast as the membrane of neuron 1: nothing divides by zero.
    group = neuron.group(I=Equations("I = I_syn : amp\ndI_syn/dt = -I_syn/(6*ms) : amp"))
    currents = Synapses(group[:1], group[1:3], on_pre="I_syn_post += 0.15*nA")
    kicks = Synapses(group[:1], group[3:], "w : volt", on_pre="v_post += w")
    currents.connect()
    kicks.connect()
    kicks.w = [5, 8] * mV
    trace, spikes = StateMonitor(group, "v", record=True), SpikeMonitor(group)
    Network(group, currents, kicks, trace, spikes).run(40 * ms)
    np.testing.assert_array_equal(spikes.t / ms, [0])
    np.testing.assert_array_equal(spikes.i[:], [0])

    # The spike is stamped 0 and acts at the end of its step.
    time = np.asarray(trace.t / ms)[1:] - DT
    np.testing.assert_allclose(trace.v[:, 0] / mV, [-40, -66, -66, -66, -66])
    v = trace.v[:, 1:] / mV
    np.testing.assert_allclose(v[0], -66, rtol=1e-12)
    same = time / 6 * np.exp(-time / 6)
    other = 6 / (6 - 14) * (np.exp(-time / 6) - np.exp(-time / 14))
    np.testing.assert_allclose(v[1:3], -66 + 15 * np.stack([same, other]), rtol=1e-12)
    kicked = np.array([[5.0], [8.0]]) * np.exp(-time / np.array([[6.0], [14.0]]))
    np.testing.assert_allclose(v[3:], -66 + kicked, rtol=1e-12)


def test_who_spiked_before_the_start_is_refractory() -> None:
    neuron = LIF(
        R=100 * Mohm, threshold=-45 * mV, tau=8 * ms, v_reset=-70 * mV, v_rest=-64 * mV,
        init_v=-68 * mV, init_s=[True, False, True],
    )  # fmt: skip
    group = neuron.group(refractory=[2, 2, 5] * ms)
    trace = StateMonitor(group, "v", record=True)
    Network(group, trace).run(8 * ms)
    moved = np.argmax(trace.v[:] / mV > -67.999, axis=1)
    # As after a spike in the step before the first: let go t_ref after it, at t_ref - dt.
    np.testing.assert_array_equal(moved, [20, 1, 50])


def generated_sources(folder: Path, neuron: LIF, current: Any) -> dict[str, bytes]:
    """Return the C++ project that a model becomes, uncompiled, by file name."""
    start_scope()
    set_device("cpp_standalone", build_on_run=False, directory=str(folder))
    group = neuron.group(20, I=current, refractory=3 * ms, name="neurons")
    spikes = SpikeMonitor(group, name="spikes")
    run(10 * ms)
    assert spikes.name == "spikes"
    brian2.device.build(compile=False, run=False, directory=str(folder))
    brian2.device.reinit()
    reset_device()
    files = [f for f in folder.rglob("*") if f.suffix in (".cpp", ".h") or f.name == "makefile"]
    return {str(f.relative_to(folder)): f.read_bytes() for f in files}


def test_models_of_one_structure_share_their_program(tmp_path: Path) -> None:
    """Byte for byte, whatever the values; other structures differ."""
    row = {name: P[name][0] * UNITS[name] for name in AELIF.parameter_names()}
    other = {name: P[name][1] * UNITS[name] for name in AELIF.parameter_names()}
    one = AELIF(**row, init_v=-66 * mV, omega=3 * pA)
    two = AELIF(**other, init_v=-67 * mV, omega=0.1 * pA)
    first = generated_sources(tmp_path / "one", one, 300 * pA)
    second = generated_sources(tmp_path / "two", two, 0.41 * nA)
    assert len(first) > 8 and first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    many = one.replace(tau=P["tau"][rng.integers(0, N, 20)] * ms)
    third = generated_sources(tmp_path / "three", many, 300 * pA)
    assert first != third


def test_the_program_reads_its_values_from_data(tmp_path: Path) -> None:
    """Shared values too: no number of a model stands in its program."""
    neuron = LIF(
        R=123.456 * Mohm, threshold=-43.21 * mV, tau=9.8765 * ms, v_reset=-71.7 * mV,
        v_rest=-66.6 * mV, init_v=-67.89 * mV,
    )  # fmt: skip
    files = generated_sources(tmp_path, neuron, 0.31415 * nA)
    text = b"".join(files.values())
    for number in (b"123456", b"0.04321", b"0.0098765", b"0.0717", b"0.0666", b"0.06789", b"31415"):
        assert number not in text


def test_defaults_are_brian2s_again() -> None:
    """The devices above leave nothing behind for the tests that follow."""
    assert prefs.codegen.target == "numpy"
    assert defaultclock.dt == 0.1 * ms
    assert type(brian2.get_device()).__name__ == "RuntimeDevice"
