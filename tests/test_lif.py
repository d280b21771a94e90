"""LIF against its closed forms: trajectory, intervals on the grid, spread with noise."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import (
    Mohm,
    Network,
    SpikeMonitor,
    StateMonitor,
    TimedArray,
    ms,
    mV,
    nA,
    second,
    seed,
)

from conex_brian import LIF

rng = np.random.default_rng(7)
N = 30
HETEROGENEOUS = {
    "R": rng.uniform(20, 200, N) * Mohm,
    "tau": rng.uniform(3, 40, N) * ms,
    "v_rest": rng.uniform(-80, -60, N) * mV,
    "init_v": rng.uniform(-90, -55, N) * mV,
}


def test_subthreshold_voltage_is_the_closed_form_for_a_second() -> None:
    neuron = LIF(**HETEROGENEOUS, threshold=0 * mV, v_reset=-95 * mV)
    current = rng.uniform(-0.1, 0.25, N) * nA
    group = neuron.group(I=current)
    trace = StateMonitor(group, "v", record=True, dt=7.3 * ms)
    Network(group, trace).run(1 * second)
    steady = neuron.v_rest + neuron.R * current
    decay = np.exp(-np.asarray(trace.t)[None, :] / np.asarray(neuron.tau)[:, None])
    v = np.asarray(steady)[:, None] + np.asarray(neuron.init_v - steady)[:, None] * decay
    assert group.v[:].max() < 0 * mV
    # Every step rounds, and the leak forgets it.
    np.testing.assert_allclose(trace.v_, v, rtol=1e-12)


@pytest.mark.parametrize("steps_refractory", [0, 1, 2, 10, 20])
def test_intervals_are_those_of_the_grid(steps_refractory: int) -> None:
    """Brian2 lets a neuron go max(n, 1) - 1 steps after the one that follows its spike."""
    dt, t_ref = 0.1, 0.1 * steps_refractory
    current = np.array([1.51, 1.6, 1.75, 2.0, 2.3, 2.9, 4.1, 6.0, 11.0, 40.0])
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-65 * mV, v_rest=-65 * mV)
    group = neuron.group(I=current * nA, refractory=t_ref * ms)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(400 * ms)
    passage = 10 * np.log(10 * current / (10 * current - 15))
    steps = np.ceil(passage / dt) + max(steps_refractory, 1) - 1
    for i, train in spikes.spike_trains().items():
        intervals = np.round(np.diff(np.asarray(train) * 1e3) / dt, 6)
        assert len(intervals) > 5
        np.testing.assert_array_equal(intervals, steps[i])


def test_refractory_period_of_one_step_has_no_effect_and_longer_ones_do() -> None:
    """The figures of the fixed case: T = 13.8629 ms on a grid of 0.1 ms."""
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-65 * mV, v_rest=-65 * mV)
    group = neuron.group(I=2 * nA, refractory=[0, 0.1, 0.2, 1, 2] * ms)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(40 * ms)
    intervals = [np.diff(train / ms)[0] for train in spikes.spike_trains().values()]
    np.testing.assert_allclose(intervals, [13.9, 13.9, 14.0, 14.8, 15.8], rtol=1e-12)


def test_noise_gives_the_free_membrane_its_standard_deviation() -> None:
    seed(3)
    neuron = LIF(
        R=100 * Mohm,
        threshold=50 * mV,
        tau=8 * ms,
        v_reset=-90 * mV,
        v_rest=-65 * mV,
    )
    sigma = np.repeat([1.5, 4.0], 20000)
    group = neuron.group(I=0.05 * nA, noise=sigma * mV)
    Network(group).run(60 * ms)
    v = np.asarray(group.v / mV).reshape(2, -1)
    # Euler's own stationary variance is 1/(1 - dt/(2 tau)) times larger: 0.3 % of sigma.
    expected = np.array([1.5, 4.0]) / np.sqrt(1 - 0.1 / 16)
    np.testing.assert_allclose(v.std(axis=1), expected, rtol=4 / np.sqrt(2 * 20000))
    np.testing.assert_allclose(v.mean(axis=1), -60, atol=4 * 4 / np.sqrt(20000))


def test_a_timed_array_is_the_input_in_each_of_its_steps() -> None:
    """Piecewise constant input, solved piece by piece."""
    levels = rng.uniform(0.0, 0.14, (12, 3))
    neuron = LIF(
        R=100 * Mohm, threshold=0 * mV, tau=[4, 9, 17] * ms, v_reset=-80 * mV, v_rest=-70 * mV
    )
    group = neuron.group(I=TimedArray(levels * nA, dt=2.5 * ms))
    Network(group).run(30 * ms)
    v = np.full(3, -70.0)
    for level in levels:
        steady = -70 + 100 * level
        v = steady + (v - steady) * np.exp(-2.5 / np.array([4, 9, 17]))
    np.testing.assert_allclose(group.v / mV, v, rtol=1e-12)
