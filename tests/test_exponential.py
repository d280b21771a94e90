"""ELIF and AELIF against high-order references, and never a neuron lost to the exponential."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import (
    Mohm,
    Network,
    SpikeMonitor,
    ms,
    mV,
    nA,
    nS,
    pA,
    pF,
    volt,
)
from scipy.integrate import solve_ivp

from conex_brian import AELIF, ELIF, LIF
from neurons import UNITS

# Brette & Gerstner, J. Neurophysiol. 94 (2005) 3637, in this library's names: C 281 pF, g_L 30 nS,
# E_L -70.6, V_T -50.4, Delta_T 2 mV, tau_w 144 ms, a 4 nS, b 80.5 pA, V_r -70.6 mV.
BG2005 = AELIF(
    R=1 / (30 * nS),
    threshold=-40.4 * mV,
    tau=281 * pF / (30 * nS),
    v_reset=-70.6 * mV,
    v_rest=-70.6 * mV,
    delta=2 * mV,
    theta_rh=-50.4 * mV,
    alpha=4 * nS,
    beta=80.5 * pA,
    w_tau=144 * ms,
)
# DOP853 with event location, rtol 1e-12, from E_L at 1 nA.
BG2005_SPIKES = [11.72867, 25.24866, 41.00306, 59.51653, 81.32080, 106.76390, 135.74067, 167.59372]

rng = np.random.default_rng(5)
N = 12
VALUES = {
    "R": rng.uniform(30, 300, N),
    "threshold": rng.uniform(-30, -20, N),
    "tau": rng.uniform(6, 25, N),
    "v_reset": rng.uniform(-75, -60, N),
    "v_rest": rng.uniform(-75, -65, N),
    "delta": rng.uniform(1, 4, N),
    "theta_rh": rng.uniform(-55, -48, N),
    "alpha": rng.uniform(-1, 4, N),
    "w_tau": rng.uniform(20, 150, N),
    "beta": rng.uniform(20, 90, N),
}
V0 = VALUES["v_rest"] + rng.uniform(-4, 4, N)
OMEGA0 = rng.uniform(-10, 30, N)
# Well below rheobase: R*I from 0.2 to 0.6 of theta_rh - v_rest - delta.
RHEOBASE = (VALUES["theta_rh"] - VALUES["v_rest"] - VALUES["delta"]) / VALUES["R"] * 1e3
CURRENT = RHEOBASE * rng.uniform(0.2, 0.6, N)


def reference(model: type[LIF], i: int, duration: float) -> tuple[float, float]:
    """Return v and omega of neuron ``i`` after ``duration`` (mV, pA, ms), by DOP853."""
    p = {name: value[i] for name, value in VALUES.items()}
    adapting = model is AELIF

    def rates(_: float, state: np.ndarray) -> list[float]:
        v, w = state
        upswing = p["delta"] * np.exp((v - p["theta_rh"]) / p["delta"])
        drive = p["v_rest"] - v + upswing + p["R"] * (CURRENT[i] - adapting * w) * 1e-3
        return [
            drive / p["tau"],
            adapting * (p["alpha"] * (v - p["v_rest"]) - w) / p["w_tau"],
        ]

    start = [V0[i], adapting * OMEGA0[i]]
    done = solve_ivp(rates, (0, duration), start, method="DOP853", rtol=1e-13, atol=1e-12)
    v, omega = done.y[:, -1]
    return float(v), float(omega)


@pytest.mark.parametrize("model", [ELIF, AELIF])
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("rk2", 2), ("rk4", 4)])
def test_subthreshold_error_falls_with_the_methods_order(
    model: type[LIF], method: str, order: int
) -> None:
    names = model.parameter_names()
    values = {name: VALUES[name] * UNITS[name] for name in names}
    initial = {"init_v": V0 * mV} | ({"omega": OMEGA0 * pA} if model is AELIF else {})
    neuron = model(**values, **initial)
    expected = np.array([reference(model, i, 20.0) for i in range(N)])
    # Small enough for the leading term, large enough to stay above rounding.
    steps = np.array({1: [0.01, 0.02, 0.04], 2: [0.05, 0.1, 0.2], 4: [0.2, 0.4, 0.8]}[order])
    errors = []
    for dt in steps:
        group = neuron.group(I=CURRENT * pA, method=method, dt=dt * ms)
        spikes = SpikeMonitor(group)
        Network(group, spikes).run(20 * ms)
        assert spikes.num_spikes == 0
        error = np.abs(group.v / mV - expected[:, 0])
        if model is AELIF:
            error = error + np.abs(group.omega / pA - expected[:, 1]) / 10
        errors.append(np.linalg.norm(error))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4"])
def test_brette_gerstner_fires_eight_times_wherever_the_threshold_is(method: str) -> None:
    """Unbounded, a Runge-Kutta stage overflows and the neuron falls silent."""
    neuron = BG2005.replace(threshold=np.linspace(-40, 20, 61) * mV)
    group = neuron.group(I=1 * nA, method=method)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(180 * ms)
    np.testing.assert_array_equal(spikes.count, 8)


@pytest.mark.parametrize("dt", [0.1, 0.05, pytest.param(0.02, marks=pytest.mark.slow)])
def test_on_the_grid_each_interval_is_late_by_less_than_a_step(dt: float) -> None:
    group = BG2005.group(1, I=1 * nA, dt=dt * ms)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(180 * ms)
    late = spikes.t / ms - BG2005_SPIKES
    assert np.all(late > -dt) and np.all(late < dt * np.arange(1, 9))


def test_the_bound_changes_nothing_below_the_threshold() -> None:
    """The same trajectory with the threshold 1 delta and 150,000 delta above theta_rh."""
    traces = []
    for above in (2, 300e3):
        neuron = BG2005.replace(threshold=BG2005.theta_rh + above * mV)
        group = neuron.group(1, I=0.45 * nA)
        Network(group).run(300 * ms)
        traces.append((group.v[0] / mV, group.omega[0] / pA))
    assert traces[0] == traces[1]
    assert traces[0][0] < -50


def test_a_sharp_upswing_fires_like_lif() -> None:
    """As delta goes to 0, ELIF becomes LIF with its threshold at theta_rh."""
    common = {"R": 80 * Mohm, "tau": 12 * ms, "v_reset": -64 * mV, "v_rest": -67 * mV}
    current = np.linspace(0.25, 0.9, 9) * nA
    sharp = ELIF(**common, threshold=10 * mV, delta=1e-8 * volt, theta_rh=-51 * mV)
    plain = LIF(**common, threshold=-51 * mV)
    counts = []
    for neuron in (sharp, plain):
        group = neuron.group(I=current, method="rk4")
        spikes = SpikeMonitor(group)
        Network(group, spikes).run(200 * ms)
        counts.append(spikes.count[:])
    # The upswing may end in the step after: at most one step later in each interval.
    assert np.all(counts[1] - counts[0] <= 1 + counts[1] * 0.1 / 5)
    assert np.all(counts[1] >= counts[0])
    assert counts[0].min() > 5


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4"])
def test_adaptation_that_runs_away_stays_finite(method: str) -> None:
    """With alpha*R < -1 nothing holds the membrane from below; v stops far down, not in nan."""
    neuron = BG2005.replace(alpha=np.array([-40, -400, -4000]) * nS, w_tau=10 * ms, init_v=-75 * mV)
    group = neuron.group(I=0 * nA, method=method)
    Network(group).run(400 * ms)
    assert np.isfinite(group.v[:]).all() and np.isfinite(group.omega[:]).all()
    assert group.v[:].min() < -1000 * mV
