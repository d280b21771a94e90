"""Synapses act at grid times: what that costs exact spike times, and what brings it back."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Equations, Mohm, Network, Synapses, defaultclock, ms, mV, nA, pA

import networks
from conex_brian import LIF, spike_monitor
from networks import (
    BEST,
    CORRECTED,
    CURRENT_ONLY,
    INPUT,
    PLAIN,
    T_REF,
    TAU_SYN,
    VARIANTS,
    largest_errors,
    spike_times,
)
from reference import leaky_spike_times

N, DURATION, DELAY, WEIGHT = 60, 60.0, 1.5, 20.0
SENDER = LIF(R=100 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-60 * mV)
DRIVE = np.linspace(15, 25, N)  # R*I of the senders, in mV: 11 to 5 ms between spikes
TAU = np.linspace(8, 25, N)
LISTENER = LIF(R=100 * Mohm, threshold=0 * mV, tau=TAU * ms, v_reset=-65 * mV, v_rest=-65 * mV)


def arrivals() -> list[np.ndarray]:
    """Return when the spikes of each sender arrive, from the closed form."""
    sender = {"tau": 10.0, "v_rest": -60.0, "threshold": -50.0, "v_reset": -60.0, "v0": -60.0}
    p = {name: np.full(N, value) for name, value in sender.items()} | {"RI": DRIVE}
    return [times + DELAY for times in leaky_spike_times(p, DURATION - DELAY)]


def errors_at_the_end(on_pre: str, dt: float) -> tuple[float, float]:
    """Return the root-mean-square errors of I_syn (pA) and v (mV), one listener a sender."""
    defaultclock.dt = dt * ms
    senders = SENDER.group(I=DRIVE / 100 * nA, spike_timing="precise")
    names = {"tau_syn": TAU_SYN * ms}
    listeners = LISTENER.group(I=INPUT, spike_timing="precise", namespace=names)
    synapses = Synapses(
        senders, listeners, "weight : amp", on_pre=on_pre, delay=DELAY * ms, namespace=names
    )
    synapses.connect(j="i")
    synapses.weight = WEIGHT * pA
    Network(senders, listeners, synapses).run(DURATION * ms)
    since = [DURATION - times for times in arrivals()]
    assert min(len(s) for s in since) >= 4
    current = [WEIGHT * np.exp(-s / TAU_SYN).sum() for s in since]
    # R*weight is in uV times 100: 0.1 mV a pA.
    v = [
        -65 + 0.1 * WEIGHT / tau * ((np.exp(-s / TAU_SYN) - np.exp(-s / tau)) / rates).sum()
        for s, tau, rates in zip(since, TAU, 1 / TAU - 1 / TAU_SYN, strict=True)
    ]
    return (
        float(np.sqrt(np.mean((np.asarray(listeners.I_syn / pA) - current) ** 2))),
        float(np.sqrt(np.mean((np.asarray(listeners.v / mV) - v) ** 2))),
    )


def test_what_arrives_late_is_wrong_by_the_lateness() -> None:
    # A step of half the length: half the lateness, half the error.
    (current, v), (current_half, v_half) = (errors_at_the_end(PLAIN, dt) for dt in (0.5, 0.25))
    assert current / current_half == pytest.approx(2, rel=0.2)
    assert v / v_half == pytest.approx(2, rel=0.2)


def test_the_corrected_current_is_exact() -> None:
    # But for the times at which the senders spike, 1e-9 ms, and rounding.
    for dt in (0.5, 0.25):
        assert errors_at_the_end(CURRENT_ONLY, dt)[0] < 1e-8 * WEIGHT


def test_the_corrected_v_has_an_error_of_second_order() -> None:
    # The charge that flowed before the step's end is exact to first order in the lateness.
    v, v_half = (errors_at_the_end(CORRECTED, dt)[1] for dt in (0.5, 0.25))
    assert v / v_half == pytest.approx(4, rel=0.2)
    assert v < 0.4 * errors_at_the_end(PLAIN, 0.5)[1]


def test_a_corrected_current_alone_loses_charge() -> None:
    # A late increment brings its charge late; one that is scaled down never brings it.
    assert errors_at_the_end(CURRENT_ONLY, 0.5)[1] > 1.5 * errors_at_the_end(PLAIN, 0.5)[1]


@pytest.mark.parametrize(("wait", "right"), [(4.0, True), (6.0, False)])
def test_t_spike_pre_is_of_the_spike_delivered_only_if_none_came_since(
    wait: float, right: bool
) -> None:
    # Intervals of 5.1 ms and more. At delivery after 6 ms the sender has spiked again.
    defaultclock.dt = 0.5 * ms
    senders = SENDER.group(I=DRIVE / 100 * nA, spike_timing="precise")
    listeners = LISTENER.group(I=Equations("I : amp"), spike_timing="precise")
    synapses = Synapses(
        senders, listeners, "late : second", on_pre="late = t + dt - t_spike_pre - delay"
    )
    synapses.connect(j="i")
    synapses.delay = wait * ms
    spikes = spike_monitor(senders)
    Network(senders, listeners, synapses, spikes).run(40 * ms)
    late = np.asarray(synapses.late / ms)[-1]  # the strongest drive, the shortest intervals
    assert np.diff(np.sort(spikes.t_spike[spikes.i == N - 1] / ms)).min() > 5
    assert bool(0 <= late <= 0.5) is right


def medians(dt: float, wanted: list[np.ndarray], duration: float) -> dict[str, float]:
    """Return the median over the neurons with synapses of their largest errors, in ms."""
    found = {}
    for variant in VARIANTS:
        errors = largest_errors(spike_times(variant, dt, duration), wanted)
        found[variant] = float(np.nanmedian(errors[20:]))
    return found


def assert_in_this_order(found: dict[str, float], dt: float) -> None:
    """Measured: the grid 5 to 6 times precise, precise 2 to 4 times corrected."""
    grid, precise, current, corrected = (found[variant] for variant in VARIANTS)
    # Half a step late at each of one to six spikes.
    assert 0.5 * dt < grid < 3 * dt
    assert precise < 0.4 * grid
    # A current corrected alone is the worst of all that is precise.
    assert precise < current < grid
    assert corrected < 0.7 * precise


@pytest.mark.slow
def test_every_spike_of_a_recurrent_network() -> None:
    wanted = spike_times(BEST, 0.025, 100.0)
    found = {dt: medians(dt, wanted, 100.0) for dt in (0.1, 0.5)}
    for dt, of in found.items():
        assert_in_this_order(of, dt)
    # Without corrections the spikes tend to the same ones, in first order: a fifth of the error.
    for variant in ("grid", "precise"):
        assert found[0.5][variant] / found[0.1][variant] == pytest.approx(5, rel=0.4)
    # Who gets no synapses keeps all of it. Rounding adds up with the steps of the reference.
    alone = largest_errors(spike_times(BEST, 0.5, 100.0), wanted)[:20]
    assert np.nanmax(alone) < 1e-8


@pytest.mark.slow
def test_no_interval_of_the_network_is_shorter_than_the_delay_and_a_step() -> None:
    found = spike_times(BEST, 0.5, 50.0)
    assert min(np.diff(times).min() for times in found if len(times) > 1) > T_REF
    assert networks.DELAY + 0.5 <= T_REF
