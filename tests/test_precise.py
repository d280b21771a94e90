"""Spikes at their exact times: against closed forms and DOP853 with event location."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from brian2 import (
    Equations,
    Mohm,
    Network,
    NeuronGroup,
    Quantity,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    amp,
    defaultclock,
    ms,
    mV,
    nA,
    pA,
    run,
    second,
    start_scope,
    uS,
)
from brian2.codegen.runtime.numpy_rt.numpy_rt import NumpyCodeObject

import conex_brian
from conex_brian import AELIF, ELIF, LIF
from conex_brian.analysis import rheobase
from neurons import adaptive_model, make, random_adaptive
from reference import exponential_spike_times, leaky_spike_times

# Rounding errors of 1e-16 in v, over a slope of at least 1e-3 mV/ms, and up to 1000 spikes.
CLOSED_FORM = 1e-9


def random_leaky(n: int, seed: int) -> dict[str, np.ndarray]:
    """Return heterogeneous leaky neurons in mV and ms, R in Mohm, and the drive R*I in mV."""
    r = np.random.default_rng(seed)
    v_rest = r.uniform(-75, -60, n)
    threshold = v_rest + r.uniform(8, 20, n)
    return {
        "R": r.uniform(5, 50, n),
        "threshold": threshold,
        "tau": r.uniform(5, 30, n),
        "v_reset": v_rest + r.uniform(-5, 5, n),
        "v_rest": v_rest,
        "RI": (threshold - v_rest) * r.uniform(1.02, 3, n),
        "v0": v_rest + r.uniform(-5, 5, n),
    }


def leaky_model(p: dict[str, Any], **initial: Any) -> LIF:
    return LIF(
        R=p["R"] * Mohm,
        threshold=p["threshold"] * mV,
        tau=p["tau"] * ms,
        v_reset=p["v_reset"] * mV,
        v_rest=p["v_rest"] * mV,
        **{"init_v": p["v0"] * mV, **initial},
    )


def recorded(group: NeuronGroup, duration: float, *others: Any) -> list[np.ndarray]:
    """Run for ``duration`` in ms and return each neuron's spike times in ms, as they came."""
    monitor = conex_brian.spike_monitor(group)
    Network(group, monitor, *others).run(duration * ms)
    times = np.asarray(monitor.t_spike / ms)
    return [times[np.asarray(monitor.i) == k] for k in range(len(group))]


def assert_same_spikes(
    got: list[np.ndarray], wanted: list[np.ndarray], duration: float, margin: float, atol: float
) -> None:
    """Compare all spikes but those so near the end that their step is not over."""
    assert len(got) == len(wanted) and any(len(times) for times in wanted)
    for times, exact in zip(got, wanted, strict=True):
        assert (np.diff(times) > 0).all()
        exact = exact[exact < duration - margin]
        assert len(exact) <= len(times) <= len(exact) + 20
        np.testing.assert_allclose(times[: len(exact)], exact, rtol=0, atol=atol)


# Each period on long steps; on short ones, no period and one that ends within a step.
@pytest.mark.parametrize(
    ("t_ref", "dt"),
    [
        *[(None, 0.1), (None, 1.0), (0.0, 1.0), (0.37, 1.0), (2.0, 1.0)],
        *(pytest.param(t_ref, 0.1, marks=pytest.mark.slow) for t_ref in (0.0, 0.37, 2.0)),
    ],
)
def test_leaky_spikes_are_those_of_the_closed_form(dt: float, t_ref: float | None) -> None:
    defaultclock.dt = dt * ms
    p = random_leaky(200, seed=1)
    refractory = False if t_ref is None else t_ref * ms
    group = leaky_model(p).group(
        I=p["RI"] / p["R"] * nA, spike_timing="precise", refractory=refractory
    )
    wanted = leaky_spike_times(p, 1000.0, t_ref=t_ref or 0.0)
    assert_same_spikes(recorded(group, 1000.0), wanted, 1000.0, 2 * dt, CLOSED_FORM)


@pytest.mark.parametrize("dt", [0.1, 1.0])
@pytest.mark.parametrize("t_ref", [None, 0.37, 2.6])
@pytest.mark.parametrize("as_expression", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_input_that_jumps_between_steps(
    dt: float, t_ref: float | None, as_expression: bool
) -> None:
    defaultclock.dt = dt * ms
    p = random_leaky(60, seed=2)
    factors = np.random.default_rng(3).uniform(0.3, 2.5, (100, 60))
    stimulus = TimedArray(factors * p["RI"] / p["R"] * nA, dt=3 * ms)
    periods = False if t_ref is None else t_ref * np.linspace(0.5, 1.5, 60) * ms
    group = leaky_model(p).group(
        60,
        I="stimulus(t, i)" if as_expression else stimulus,
        spike_timing="precise",
        refractory=periods,
        namespace={"stimulus": stimulus},
    )
    reference = leaky_spike_times(
        {**p, "RI": factors * p["RI"]},
        300.0,
        t_ref=0.0 if t_ref is None else np.asarray(periods / ms),
        piece=3.0,
    )
    assert_same_spikes(recorded(group, 300.0), reference, 300.0, 2 * dt, CLOSED_FORM)


def test_refractory_period_that_differs_from_spike_to_spike() -> None:
    p = random_leaky(20, seed=4)
    group = leaky_model(p).group(
        I=p["RI"] / p["R"] * nA, spike_timing="precise", refractory="(1.7 + sin(3*t/ms))*ms"
    )
    got = recorded(group, 200.0)
    # The expression is evaluated once, at the start of the spike's step.
    period = [1.7 + np.sin(3 * 0.1 * np.floor(times / 0.1 - 1e-9)) for times in got]
    for k, times in enumerate(got):
        u = p["v_rest"][k] + p["RI"][k]
        rise = p["tau"][k] * np.log((u - p["v_reset"][k]) / (u - p["threshold"][k]))
        assert len(times) > 3
        np.testing.assert_allclose(np.diff(times), rise + period[k][:-1], rtol=0, atol=CLOSED_FORM)


@pytest.mark.parametrize("t_ref", [None, 0.25])
def test_two_spikes_in_one_step_before_the_input_drops(t_ref: float | None) -> None:
    # Silence makes up for steps with two spikes each; 30 neurons meet the steps at all phases.
    defaultclock.dt = 1 * ms
    p = {name: value[:30] for name, value in random_leaky(30, seed=5).items()}
    interval = np.linspace(0.56, 0.75, 30) - (t_ref or 0.0)
    grown = np.exp(interval / p["tau"])
    strong = (p["threshold"] * grown - p["v_reset"]) / (grown - 1) - p["v_rest"]
    drive = np.concatenate([np.zeros((5, 30)), np.tile(strong, (1, 1))] * 40)
    p["v0"] = p["v_reset"]
    stimulus = TimedArray(drive / p["R"] * nA, dt=1 * ms)
    group = leaky_model(p).group(
        I=stimulus, spike_timing="precise", refractory=False if t_ref is None else t_ref * ms
    )
    wanted = leaky_spike_times({**p, "RI": drive}, 240.0, t_ref or 0.0, 1.0)
    assert min(np.diff(times).min() for times in wanted if len(times) > 1) < 0.8
    assert_same_spikes(recorded(group, 240.0), wanted, 240.0, 2.0, CLOSED_FORM)


@pytest.mark.parametrize(("t_ref", "later"), [(None, 8.5), (0.02, 9.5)])
def test_a_spike_after_two_in_one_step_where_the_input_drops_between(
    t_ref: float | None, later: float
) -> None:
    # The interval to it starts under the old input and ends under the new one.
    defaultclock.dt = 1 * ms
    p = {"R": 1.0, "threshold": 1.0, "tau": 15.52, "v_reset": 0.38, "v_rest": 0.0}
    drive = np.array([[14.13]] * 2 + [[later]] * 8)
    neuron = LIF(**{**p, "tau": p["tau"] * ms})
    refractory = False if t_ref is None else t_ref * ms
    stimulus = TimedArray(drive[:, 0], dt=1 * ms)
    group = neuron.group(1, I=stimulus, spike_timing="precise", refractory=refractory)
    arrays = {name: np.array([value]) for name, value in {**p, "v0": 0.0}.items()}
    wanted = leaky_spike_times({**arrays, "RI": drive}, 10.0, t_ref=t_ref or 0.0, piece=1.0)
    assert np.floor(wanted[0]).tolist()[:3] == [1, 1, 2]
    assert_same_spikes(recorded(group, 10.0), wanted, 10.0, 2.0, CLOSED_FORM)


@pytest.mark.parametrize("currents", [[14.13], [14.13, 14.9]], ids=["shared", "one a neuron"])
@pytest.mark.parametrize("dead", [None, 0.02])
def test_inhibition_cancels_a_spike_that_was_owed(
    currents: list[float], dead: float | None
) -> None:
    # It comes after two spikes in a step, before the second was told. The next spike is its own.
    defaultclock.dt = 1 * ms
    neuron = LIF(R=1.0, threshold=1.0, tau=15.52 * ms, v_reset=0.38, v_rest=0.0)
    current = currents[0] if len(currents) == 1 else np.array(currents)
    period = False if dead is None else dead * ms
    group = neuron.group(len(currents), I=current, spike_timing="precise", refractory=period)
    spikes = conex_brian.spike_monitor(group)
    run(2 * ms)
    assert (np.asarray(spikes.count) == 1).all() and (np.asarray(group.v) > 1).all()
    after = np.linspace(-0.4, -0.7, len(currents))
    group.v, group.I = after, np.array(currents) / 7
    run(25 * ms)
    u = np.array(currents) / 7
    wanted = 2 + 15.52 * np.log((u - after) / (u - 1.0))
    assert (wanted % 1).min() > 0.01  # Not at a step's end.
    for i, time in enumerate(wanted):
        assert spikes.t_spike[spikes.i == i][1] / ms == pytest.approx(time, abs=CLOSED_FORM)


@pytest.mark.parametrize("currents", [[14.13], [14.13, 14.9]], ids=["shared", "one a neuron"])
def test_a_spike_that_was_cancelled_does_not_change_a_later_one(currents: list[float]) -> None:
    defaultclock.dt = 1 * ms
    neuron = LIF(R=1.0, threshold=1.0, tau=15.52 * ms, v_reset=0.38, v_rest=0.0)
    current = currents[0] if len(currents) == 1 else np.array(currents)
    group = neuron.group(len(currents), I=current, spike_timing="precise")
    spikes = conex_brian.spike_monitor(group)
    run(2 * ms)
    group.v, group.I = -0.5, 0
    run(5 * ms)
    group.v = 1.3
    run(3 * ms)
    assert (np.asarray(spikes.count) == 2).all()
    for i in range(len(currents)):
        assert spikes.t_spike[spikes.i == i][1] / ms == pytest.approx(7, abs=CLOSED_FORM)
        assert group.v[i] == pytest.approx(0.38 * np.exp(-3 / 15.52), rel=1e-12)


@pytest.mark.parametrize("currents", [[14.13], [14.13, 14.9]], ids=["shared", "one a neuron"])
def test_a_kick_while_a_spike_is_owed_is_not_lost(currents: list[float]) -> None:
    defaultclock.dt = 1 * ms
    neuron = LIF(R=1.0, threshold=1.0, tau=15.52 * ms, v_reset=0.38, v_rest=0.0)
    u = np.array(currents)
    group = neuron.group(len(u), I=u[0] if len(u) == 1 else u, spike_timing="precise")
    spikes = conex_brian.spike_monitor(group)
    run(2 * ms)
    assert (np.asarray(spikes.count) == 1).all() and (np.asarray(group.v) > 1).all()
    kick = np.linspace(0.2, -0.15, len(u))
    group.v = group.v[:] + kick
    run(3 * ms)
    second_ = 15.52 * (np.log(u / (u - 1)) + np.log((u - 0.38) / (u - 1)))
    assert (second_ < 2).all()
    at_kick = u - (u - 0.38) * np.exp(-(2 - second_) / 15.52) + kick
    third = 2 + 15.52 * np.log((u - at_kick) / (u - 1))
    for i in range(len(u)):
        times = spikes.t_spike[spikes.i == i][1:3] / ms
        np.testing.assert_allclose(times, [second_[i], third[i]], rtol=0, atol=CLOSED_FORM)


@pytest.mark.parametrize("currents", [[14.13], [14.13, 14.9]], ids=["shared", "one a neuron"])
def test_a_kick_beyond_the_drive_while_a_spike_is_owed(currents: list[float]) -> None:
    # The neuron spikes at once, which is told a step late; no spike is told before it was.
    defaultclock.dt = 1 * ms
    neuron = LIF(R=1.0, threshold=1.0, tau=15.52 * ms, v_reset=0.38, v_rest=0.0)
    current = currents[0] if len(currents) == 1 else np.array(currents)
    group = neuron.group(len(currents), I=current, spike_timing="precise")
    spikes = conex_brian.spike_monitor(group)
    run(2 * ms)
    group.v = group.v[:] + 15
    run(3 * ms)
    for i in range(len(currents)):
        times = spikes.t_spike[spikes.i == i] / ms
        assert (np.diff(times) > 0).all() and 2 <= times[2] <= 3


@pytest.mark.parametrize("model", [LIF, AELIF])
def test_no_name_of_a_variable_of_the_input_changes_a_spike(model: type[LIF]) -> None:
    # Not even that of something which the statements of a spike compute, but for an underscore.
    neuron, times = make(model), {}
    strength = 3 * float(rheobase(neuron))
    for name in ("gate", "x", "free", "gate_now"):
        start_scope()
        current = Equations(f"""
            I = {strength!r}*amp*(1 + {name}) : amp
            d{name}/dt = -{name}/(5*ms) : 1""")
        options: dict[str, Any] = {"refractory": 0.7 * ms, "method": "rk4"}
        group = neuron.group(1, I=current, spike_timing="precise", **options)
        setattr(group, name, 0.5)
        (times[name],) = recorded(group, 60.0)
    first = times.pop("gate")
    assert len(first) > 1
    for name, found in times.items():
        # Sums are in alphabetical order.
        np.testing.assert_allclose(found, first, rtol=0, atol=1e-9, err_msg=name)


def test_two_spikes_in_most_steps_are_exact_and_none_is_lost() -> None:
    # With constant input the chain stays exact: 5 spikes in 6 steps, each interval 1.17 or less.
    defaultclock.dt = 1 * ms
    p = {name: value[:40] for name, value in random_leaky(40, seed=6).items()}
    interval = np.linspace(1.003, 1.2, 40)
    grown = np.exp(interval / p["tau"])
    u = (p["threshold"] * grown - p["v_reset"]) / (grown - 1)
    p |= {"RI": u - p["v_rest"], "v0": p["v_reset"]}
    group = leaky_model(p).group(I=p["RI"] / p["R"] * nA, spike_timing="precise")
    assert_same_spikes(recorded(group, 200.0), leaky_spike_times(p, 200.0), 200.0, 2.0, CLOSED_FORM)


def test_an_interval_within_one_step_moves_the_second_spike_to_the_next_step() -> None:
    defaultclock.dt = 1 * ms
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-51 * mV, v_rest=-70 * mV)
    group = neuron.group(1, I=6 * nA, spike_timing="precise")
    monitor = conex_brian.spike_monitor(group)
    network = Network(group, monitor)
    network.run(12 * ms)
    first = 10 * np.log(60 / 40)
    interval = 10 * np.log(41 / 40)  # 0.247 ms
    assert np.floor(first + interval) == np.floor(first) == 4
    times = np.asarray(monitor.t_spike / ms)
    np.testing.assert_allclose(times, first + interval * np.arange(8), rtol=0, atol=1e-9)
    np.testing.assert_allclose(monitor.t / ms, 4 + np.arange(8), rtol=0, atol=1e-12)


def test_a_kick_over_the_threshold_spikes_at_the_next_steps_start() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=2 * ms, v_reset=-60 * mV, v_rest=-70 * mV)
    # The second falls below the threshold within the step: no spike at the step's end shows it.
    group = neuron.group(3, I=[2.5, 0, 0] * nA, spike_timing="precise")
    source = SpikeGeneratorGroup(1, [0], [0.1] * ms)
    synapses = Synapses(source, group, on_pre="v_post += weight", model="weight : volt")
    synapses.connect()
    synapses.weight = [25, 20.1, 19.9] * mV
    first, second_, third = recorded(group, 5.0, source, synapses)
    assert third.size == 0
    np.testing.assert_allclose(second_, [0.2], rtol=0, atol=1e-12)
    interval = 2 * np.log(15 / 5)
    np.testing.assert_allclose(first, 0.2 + interval * np.arange(3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("current", [0.3 * nA, [0.3, 0.3, 0.3] * nA], ids=["shared", "own"])
@pytest.mark.parametrize("refractory", [False, 1.3 * ms])
def test_a_kick_that_falls_back_within_its_step_is_a_spike(current: Any, refractory: Any) -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=2 * ms, v_reset=-60 * mV, v_rest=-70 * mV,
                 init_v=-67 * mV)  # fmt: skip
    group = neuron.group(3, I=current, spike_timing="precise", refractory=refractory)
    source = SpikeGeneratorGroup(1, [0], [0.4] * ms)
    synapses = Synapses(source, group, on_pre="v_post += weight", model="weight : volt")
    synapses.connect()
    synapses.weight = [17.1, 16.9, 17.3] * mV
    got = recorded(group, 5.0, source, synapses)
    assert [len(times) for times in got] == [1, 0, 1]
    np.testing.assert_allclose([got[0], got[2]], 0.5, rtol=0, atol=1e-12)


def test_a_kick_in_the_step_of_the_spike_comes_after_it() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV)
    group = neuron.group(1, I=3 * nA, spike_timing="precise")
    first = 10 * np.log(30 / 10)
    step = 0.1 * np.floor(first / 0.1)
    source = SpikeGeneratorGroup(1, [0], [step] * ms)
    synapses = Synapses(source, group, on_pre="v_post += 4*mV")
    synapses.connect()
    times = recorded(group, 20.0, source, synapses)[0]
    v = -40 - 20 * np.exp(-(step + 0.1 - first) / 10) + 4
    second_ = step + 0.1 + 10 * np.log((-40 - v) / 10)
    np.testing.assert_allclose(times[:2], [first, second_], rtol=0, atol=1e-11)


def test_initial_values_at_and_over_the_threshold_spike_at_once() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV,
                 init_v=[-50, -45, -50, -49] * mV)  # fmt: skip
    group = neuron.group(I=[0, 0, 3, 3] * nA, spike_timing="precise")
    got = recorded(group, 12.0)
    np.testing.assert_allclose([times[0] for times in got], 0, rtol=0, atol=1e-12)
    assert [len(times) for times in got[:2]] == [1, 1]
    for times in got[2:]:
        np.testing.assert_allclose(times[1], 10 * np.log(20 / 10), rtol=0, atol=1e-12)


def test_a_crossing_exactly_at_a_steps_end() -> None:
    # tau = dt/log(2): v covers half of its way in each step, without rounding errors.
    tau = 0.1 / np.log(2) * ms
    neuron = LIF(R=1 * Mohm, threshold=7 * mV, tau=tau, v_reset=0 * mV, v_rest=0 * mV)
    group = neuron.group(1, I=8 * nA, spike_timing="precise")
    times = recorded(group, 1.55)[0]
    np.testing.assert_allclose(times, 0.3 * np.arange(1, 6), rtol=0, atol=1e-12)


def test_drive_at_the_threshold_never_spikes() -> None:
    neuron = LIF(R=1 * Mohm, threshold=7 * mV, tau=1 * ms, v_reset=0 * mV, v_rest=0 * mV)
    group = neuron.group(2, I=[7, 6.9] * nA, spike_timing="precise")
    assert all((times > 30).all() for times in recorded(group, 60.0))
    assert np.isfinite(group.v / mV).all()


def test_who_starts_refractory_is_released_in_the_step_of_its_period() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV,
                 init_s=[True, False])  # fmt: skip
    group = neuron.group(I=3 * nA, spike_timing="precise", refractory=2 * ms)
    got = recorded(group, 20.0)
    np.testing.assert_allclose(
        [times[0] for times in got], 10 * np.log(3) + np.array([2, 0]), rtol=0, atol=1e-12
    )


def test_t_spike_is_a_variable_of_the_group() -> None:
    p = random_leaky(5, seed=7)
    template = leaky_model(p).template(I=p["RI"] / p["R"] * nA, spike_timing="precise")
    group = NeuronGroup(5, **template.arguments())
    template.initialise(group)
    np.testing.assert_array_equal(group.t_spike / second, np.full(5, -1e4))
    got = recorded(group, 100.0)
    wanted = leaky_spike_times(p, 100.0)
    assert_same_spikes(got, wanted, 100.0, 0.2, CLOSED_FORM)
    np.testing.assert_array_equal(group.t_spike / ms, [times[-1] for times in got])
    assert "t_spike" in str(template)


def test_within_a_step_spikes_come_by_neuron_and_sort_by_t_spike() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV)
    group = neuron.group(I=[3.0, 3.002] * nA, spike_timing="precise")
    monitor = conex_brian.spike_monitor(group[:], variables="v")
    run(12 * ms)
    assert list(monitor.i) == [0, 1] and monitor.t[0] == monitor.t[1]
    order = np.argsort(monitor.t_spike)
    assert list(np.asarray(monitor.i)[order]) == [1, 0]
    # v has been reset, and risen since.
    assert (monitor.v < -59 * mV).all() and (monitor.v > -60 * mV).all()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"noise": 1 * mV}, "with noise"),
        ({"method": "conex"}, "CoNeX's step, which spikes at its end"),
    ],
)
def test_what_cannot_be_precise_is_refused(options: dict[str, Any], why: str) -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV)
    assert neuron.template(spike_timing="precise").spike_timing == "precise"
    with pytest.raises(ValueError, match=re.escape(why)):
        neuron.template(spike_timing="precise", **options)


def test_a_condition_to_stay_refractory_is_refused() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV)
    with pytest.raises(ValueError, match="is a condition: spike_timing='precise' needs a time"):
        neuron.group(1, spike_timing="precise", refractory="v > -60*mV")
    with pytest.raises(ValueError, match="needs 'grid' or 'precise'"):
        neuron.group(1, spike_timing="exact")


def test_random_input_with_a_refractory_period_is_that_of_its_steps() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-65 * mV, v_rest=-65 * mV)
    options: dict[str, Any] = {"spike_timing": "precise", "refractory": 1.37 * ms}
    random = neuron.group(5, "(1 + 2*rand())*nA", **options)
    trace = StateMonitor(random, "I", record=True, when="end")
    first = recorded(random, 100.0, trace)
    again = recorded(neuron.group(I=TimedArray(trace.I.T, dt=defaultclock.dt), **options), 100.0)
    assert min(map(len, first)) > 3
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=CLOSED_FORM)


@pytest.mark.parametrize("dt", [0.1, 0.5])
@pytest.mark.parametrize("model", [LIF, AELIF])
def test_input_that_changes_while_a_neuron_is_refractory(model: type[LIF], dt: float) -> None:
    # Nobody knows it at the spike. Set by hand, it acts as a TimedArray that jumps then.
    defaultclock.dt = dt * ms
    neuron = make(model)
    base = 3 * float(rheobase(neuron)) * np.linspace(1, 1.3, 8)
    options: dict[str, Any] = {"spike_timing": "precise", "refractory": 2 * ms}
    free = neuron.group(I=base * amp, spike_timing="precise")
    at = round(recorded(free, 60.0)[0][0] / dt) * dt + 1  # while at least the first is refractory
    factors = np.ones((2, 8)) * [[1.0], [1.4]]
    stimulus = TimedArray(factors * base * amp, dt=at * ms)
    wanted = recorded(neuron.group(I=stimulus, **options), 60.0)
    group = neuron.group(I=base * amp, **options)
    monitor = conex_brian.spike_monitor(group)
    network = Network(group, monitor)
    network.run(at * ms)
    assert (np.asarray(group.t_release / ms) > at).any()
    group.I = 1.4 * base * amp
    network.run((60 - at) * ms)
    for neuron_times, times in zip(monitor.values("t_spike").values(), wanted, strict=True):
        assert len(times) > 1
        np.testing.assert_allclose(neuron_times / ms, times, rtol=0, atol=1e-9)


@pytest.mark.parametrize("model", [LIF, AELIF])
def test_synaptic_current_that_arrives_while_a_neuron_is_refractory(model: type[LIF]) -> None:
    neuron = make(model)
    current = 3 * float(rheobase(neuron))
    free = neuron.group(1, I=current * amp, spike_timing="precise")
    arrives = np.ceil(2 * recorded(free, 60.0)[0][0]) / 2 + 0.5
    found = []
    for dt in (0.5, 0.05):
        defaultclock.dt = dt * ms
        group = neuron.group(
            2, I=Equations(f"I = {current!r}*amp + I_syn : amp\ndI_syn/dt = -I_syn/(4*ms) : amp"),
            spike_timing="precise", refractory=2 * ms, method="rk4",
        )  # fmt: skip
        monitor = conex_brian.spike_monitor(group)
        network = Network(group, monitor)
        network.run(arrives * ms)
        assert (np.asarray(group.t_release / ms) > arrives).all()
        group.I_syn = np.array([0.2, 0.9]) * current * amp
        network.run(30 * ms)
        found.append([np.asarray(times / ms) for times in monitor.values("t_spike").values()])
    for coarse, fine in zip(*found, strict=True):
        assert len(coarse) == len(fine) > 1
        np.testing.assert_allclose(coarse, fine, rtol=0, atol=1e-4)


def test_a_monitor_of_a_group_without_exact_times_is_refused() -> None:
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-70 * mV)
    with pytest.raises(ValueError, match="has no variable t_spike"):
        conex_brian.spike_monitor(neuron.group(1))
    with pytest.raises(ValueError, match="t_spike is read after the reset only"):
        conex_brian.spike_monitor(neuron.group(1, spike_timing="precise"), when="end")


# The largest error in ms that a user may count on, by the time step.
WITHIN = {0.1: 1e-5, 0.5: 1e-3}


@pytest.mark.parametrize("dt", [pytest.param(0.1, marks=pytest.mark.slow), 0.5])
@pytest.mark.parametrize("t_ref", [None, pytest.param(1.37, marks=pytest.mark.slow)])
def test_adaptive_exponential_spikes_are_those_of_dop853(dt: float, t_ref: float | None) -> None:
    defaultclock.dt = dt * ms
    sets = random_adaptive(12, seed=11)
    model, current = adaptive_model(sets)
    group = model.group(
        I=current, spike_timing="precise", refractory=False if t_ref is None else t_ref * ms
    )
    # After 200 ms one of the refractory neurons passes its resting state's ghost so slowly that it
    # turns the errors of 0.5 ms steps into 0.007 ms: its spikes move three times as far with the
    # current as any other's.
    duration = 120.0 if dt == 0.5 else 60.0
    wanted = [exponential_spike_times(one, duration, t_ref or 0.0) for one in sets]
    assert_same_spikes(recorded(group, duration), wanted, duration, 2 * dt, WITHIN[dt])


@pytest.mark.slow
@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_many_adaptive_exponential_neurons_over_half_a_second(dt: float) -> None:
    # None is chaotic: a current that is larger by one part in 1e9 moves no spike by 1e-5 ms.
    defaultclock.dt = dt * ms
    sets = random_adaptive(24, seed=77)
    wanted = [exponential_spike_times(one, 500.0) for one in sets]
    moved = [exponential_spike_times({**one, "RI": one["RI"] * (1 + 1e-9)}, 500.0) for one in sets]
    for times, others in zip(wanted, moved, strict=True):
        np.testing.assert_allclose(times[: len(others)], others[: len(times)], rtol=0, atol=1e-5)
    model, current = adaptive_model(sets)
    got = recorded(model.group(I=current, spike_timing="precise"), 500.0)
    assert_same_spikes(got, wanted, 500.0, 2 * dt, WITHIN[dt])


@pytest.mark.parametrize("dt", [pytest.param(0.1, marks=pytest.mark.slow), 0.5])
def test_exponential_spikes_without_adaptation(dt: float) -> None:
    defaultclock.dt = dt * ms
    sets = [{**one, "Ra": 0.0, "Rb": 0.0} for one in random_adaptive(10, seed=14)]
    p = {name: np.array([one[name] for one in sets]) for name in sets[0]}
    # Without adaptation the drive must be above theta_rh - v_rest - delta.
    p["RI"] = np.maximum(p["RI"], 1.2 * (p["theta_rh"] - p["v_rest"] - p["delta"]))
    model = ELIF(
        R=80 * Mohm, threshold=p["threshold"] * mV, tau=p["tau"] * ms, v_reset=p["v_reset"] * mV,
        v_rest=p["v_rest"] * mV, delta=p["delta"] * mV, theta_rh=p["theta_rh"] * mV,
    )  # fmt: skip
    sets = [{**one, "RI": RI} for one, RI in zip(sets, p["RI"], strict=True)]
    wanted = [exponential_spike_times(one, 60.0) for one in sets]
    group = model.group(I=p["RI"] / 80 * nA, spike_timing="precise")
    assert_same_spikes(recorded(group, 60.0), wanted, 60.0, 2 * dt, WITHIN[dt])


@pytest.mark.parametrize(
    ("method", "steps", "order"),
    [
        ("rk4", (0.5, 0.1), 3.3),
        pytest.param("rk4", (0.5, 0.02), 3.3, marks=pytest.mark.slow),
        pytest.param("rk2", (0.5, 0.1), 1.7, marks=pytest.mark.slow),
        pytest.param("rk2", (0.1, 0.02), 1.7, marks=pytest.mark.slow),
        pytest.param("euler", (0.1, 0.02), 0.9, marks=pytest.mark.slow),
    ],
)
def test_errors_fall_with_the_methods_order(
    method: str, steps: tuple[float, float], order: float
) -> None:
    # The largest error over the neurons. Euler's at 0.5 ms is so large that it falls more slowly.
    sets = random_adaptive(12, seed=15)
    model, current = adaptive_model(sets)
    wanted = [exponential_spike_times(one, 100.0) for one in sets]
    errors = []
    for dt in steps:
        defaultclock.dt = dt * ms
        got = recorded(model.group(I=current, spike_timing="precise", method=method), 100.0)
        n = [min(len(a), len(b)) for a, b in zip(got, wanted, strict=True)]
        assert all(n)
        errors.append(
            max(np.abs(a[:k] - b[:k]).max() for a, b, k in zip(got, wanted, n, strict=True))
        )
    assert np.log(errors[0] / errors[1]) / np.log(steps[0] / steps[1]) > order


@pytest.mark.parametrize("several", [False, True])
def test_parameters_changed_on_the_group_are_followed(several: bool) -> None:
    # What precise spikes derive from them must not be that of the model. All unequal, one group
    # shares its parameters, the other has one value a neuron.
    defaultclock.dt = 0.1 * ms
    old, new = random_adaptive(2, seed=18)
    model, current = adaptive_model([old] * 2)
    if not several:
        first = {name: getattr(model, name).flat[0] for name in model.parameter_names()}
        model = model.replace(**{n: Quantity(x, getattr(model, n).dim) for n, x in first.items()})
    group = model.group(2, I=current, spike_timing="precise")
    other, other_current = adaptive_model([new] * 2)
    for name in other.parameter_names():
        value = getattr(other, name)
        setattr(group, name, value if several else Quantity(value.flat[0], value.dim))
    group.v, group.I = other.v_rest, other_current
    wanted = [exponential_spike_times(new, 100.0)] * 2
    assert_same_spikes(recorded(group, 100.0), wanted, 100.0, 0.2, WITHIN[0.1])


def test_leaky_parameters_and_time_step_changed_on_the_group_are_followed() -> None:
    defaultclock.dt = 0.1 * ms
    p = random_leaky(20, seed=19)
    group = leaky_model({**p, "tau": p["tau"] + 3}).group(
        I=p["RI"] / p["R"] * nA, spike_timing="precise"
    )
    group.tau = p["tau"] * ms
    defaultclock.dt = 0.5 * ms
    wanted = leaky_spike_times(p, 200.0)
    assert_same_spikes(recorded(group, 200.0), wanted, 200.0, 1.0, CLOSED_FORM)


@pytest.mark.parametrize("dt", [pytest.param(0.1, marks=pytest.mark.slow), 0.5])
def test_kicks_in_the_upswing_of_an_exponential_neuron(dt: float) -> None:
    # At all times before a spike, up and down. What the kick meets is the state of the last step,
    # not what the watch has kept.
    defaultclock.dt = dt * ms
    one = random_adaptive(9, seed=16)[7]
    first = exponential_spike_times(one, 100.0)[0]
    steps = int(first / dt) - np.arange(12)
    sizes = np.where(np.arange(12) % 2, 0.7, -0.4)
    model, current = adaptive_model([one] * 12)
    group = model.group(I=current, spike_timing="precise")
    source = SpikeGeneratorGroup(12, np.arange(12), (steps - 0.5) * dt * ms)
    synapses = Synapses(source, group, on_pre="v_post += size", model="size : volt")
    synapses.connect(j="i")
    synapses.size = sizes * mV
    # A spike of the source acts at the end of its step.
    at = steps * dt
    wanted = [
        exponential_spike_times(one, 60.0, kicks=[kick]) for kick in zip(at, sizes, strict=True)
    ]
    assert np.ptp([times[0] for times in wanted]) > 3 * dt
    assert_same_spikes(
        recorded(group, 60.0, source, synapses), wanted, 60.0, 2 * dt, 10 * WITHIN[dt]
    )


@pytest.mark.slow
@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_exponential_neurons_with_a_smooth_current(dt: float) -> None:
    # By an expression of t, and by a synaptic current that decays.
    defaultclock.dt = dt * ms
    sets = random_adaptive(4, seed=17)
    model, current = adaptive_model(sets)
    wanted = [
        exponential_spike_times(
            one, 60.0, drive=lambda t, RI=one["RI"]: RI * (1.1 + 0.3 * np.sin(t / 3))
        )
        for one in sets
    ]
    decaying = Equations("""I = base + fading : amp
                            base : amp
                            dfading/dt = -fading/(8*ms) : amp""")
    group = model.group(I=decaying, spike_timing="precise")
    group.base, group.fading = current, 0.7 * current
    fading = [
        exponential_spike_times(
            one, 60.0, drive=lambda t, RI=one["RI"]: RI * (1 + 0.7 * np.exp(-t / 8))
        )
        for one in sets
    ]
    assert_same_spikes(recorded(group, 60.0), fading, 60.0, 2 * dt, WITHIN[dt])
    waves = Equations("""I = base*(1.1 + 0.3*sin(t/(3*ms))) : amp
                         base : amp""")
    group = model.group(I=waves, spike_timing="precise")
    group.base = current
    assert_same_spikes(recorded(group, 60.0), wanted, 60.0, 2 * dt, 10 * WITHIN[dt])


# Where the current jumps in the last steps before a spike, the watch begins anew, and a step of
# 0.5 ms there costs 5e-4 ms. These neurons multiply it from spike to spike.
@pytest.mark.parametrize(
    ("dt", "atol"), [pytest.param(0.1, 1e-4, marks=pytest.mark.slow), (0.5, 5e-2)]
)
def test_exponential_neurons_with_a_current_that_jumps(dt: float, atol: float) -> None:
    defaultclock.dt = dt * ms
    sets = random_adaptive(4, seed=18)
    model, current = adaptive_model(sets)
    factors = np.random.default_rng(19).uniform(0.5, 1.8, (30, 4))
    stimulus = TimedArray(factors * np.asarray(current / nA) * nA, dt=2 * ms)
    wanted = [
        exponential_spike_times(one, 60.0, pieces=(2.0, factors[:, k] * one["RI"]))
        for k, one in enumerate(sets)
    ]
    got = recorded(model.group(I=stimulus, spike_timing="precise"), 60.0)
    assert_same_spikes(got, wanted, 60.0, 2 * dt, atol)


def test_a_reset_just_below_the_threshold_keeps_nobody_from_resting() -> None:
    neuron = ELIF(
        R=100 * Mohm, threshold=-55 * mV + 1e-6 * mV, tau=20 * ms, v_reset=-55 * mV,
        v_rest=-70 * mV, delta=2 * mV, theta_rh=-50 * mV,
    )  # fmt: skip
    group = neuron.group(1, spike_timing="precise", method="rk4")
    run(10 * ms)
    # At rest but for the exponential, which is as small as exp(-10).
    np.testing.assert_allclose(group.v / mV, -70, atol=2e-4)


def test_a_kick_over_the_threshold_of_an_exponential_neuron() -> None:
    one = random_adaptive(9, seed=16)[7]
    group = adaptive_model([one] * 2)[0].group(I=0 * nA, spike_timing="precise")
    source = SpikeGeneratorGroup(1, [0], [0.1] * ms)
    synapses = Synapses(source, group, on_pre="v_post += size", model="size : volt")
    synapses.connect()
    height = one["threshold"] - one["v_rest"]
    synapses.size = [height + 0.1, height * 0.2] * mV
    lifted, below = recorded(group, 5.0, source, synapses)
    np.testing.assert_allclose(lifted, [0.2], rtol=0, atol=1e-12)
    assert below.size == 0


def test_bursts_with_two_spikes_in_a_step_lose_none() -> None:
    defaultclock.dt = 1 * ms
    one = random_adaptive(24, seed=77)[6]
    wanted = exponential_spike_times(one, 20.0)
    assert np.diff(wanted[:4]).min() < 0.6
    model, current = adaptive_model([one])
    got = recorded(model.group(I=current, spike_timing="precise"), 20.0)
    assert_same_spikes(got, [wanted], 20.0, 2.0, 1e-2)


def test_a_burst_of_several_spikes_a_step_ends_when_it_has_to() -> None:
    # Five spikes in 0.6 ms take five steps to tell: what follows the last one starts 4 steps late.
    defaultclock.dt = 0.5 * ms
    one = {
        "tau": 9.088, "v_rest": -66.304, "theta_rh": -50.889, "delta": 0.624, "Ra": 0.015,
        "threshold": -46.718, "v_reset": -47.967, "RI": 18.528, "w_tau": 56.574, "Rb": 15.842,
    }  # fmt: skip
    wanted = exponential_spike_times(one, 300.0)
    assert len(wanted) == 10 and np.diff(wanted[:5]).max() < 0.25
    model, current = adaptive_model([one])
    got = recorded(model.group(I=current, spike_timing="precise"), 300.0)
    assert_same_spikes(got, [wanted], 300.0, 2.0, 0.02)
    assert len(got[0]) == len(wanted)


@pytest.mark.parametrize("dt", [pytest.param(0.1, marks=pytest.mark.slow), 4.0])
@pytest.mark.parametrize("refractory", [False, 1.3 * ms])
@pytest.mark.parametrize(
    "method", ["rk4", *(pytest.param(one, marks=pytest.mark.slow) for one in ("rk2", "euler"))]
)
@pytest.mark.parametrize("spike_timing", ["grid", "precise"])
def test_extreme_neurons_and_large_steps_leave_no_nan(
    spike_timing: str, dt: float, refractory: Any, method: str
) -> None:
    # Adaptation that runs away, delta of 0.01 mV, drives of 20 V, time constants of half a step.
    defaultclock.dt = dt * ms
    r, n = np.random.default_rng(20), 3000

    def wide(low: float, high: float) -> np.ndarray:
        return np.exp(r.uniform(np.log(low), np.log(high), n))

    sign = r.choice([-1, 1], (3, n), p=[0.3, 0.7])
    resistance, theta_rh = wide(1, 1000), r.uniform(-60, -40, n)
    v_reset = theta_rh + r.uniform(-40, 20, n)
    neuron = AELIF(
        R=resistance * Mohm, threshold=(v_reset + wide(0.01, 300)) * mV,
        tau=wide(max(1, dt / 1.9), 100) * ms, v_reset=v_reset * mV,
        v_rest=(theta_rh - r.uniform(-20, 40, n)) * mV, delta=wide(0.01, 20) * mV,
        theta_rh=theta_rh * mV, alpha=sign[0] * wide(1e-3, 1e3) / resistance * uS,
        beta=sign[1] * wide(0.1, 1e3) / resistance * nA, w_tau=wide(max(2, dt / 1.9), 1000) * ms,
    )  # fmt: skip
    current = sign[2] * wide(1, 2e4) / resistance * nA
    with np.errstate(all="ignore"):
        group = neuron.group(
            I=current, spike_timing=spike_timing, method=method, refractory=refractory
        )
        exact = spike_timing == "precise"
        spikes = conex_brian.spike_monitor(group) if exact else SpikeMonitor(group)
        Network(group, spikes).run(100 * dt * ms)
    assert spikes.num_spikes > n
    assert not exact or np.isfinite(spikes.t_spike / ms).all()
    assert np.isfinite(group.v / mV).all() and np.isfinite(group.omega / nA).all()


def test_brette_gerstner() -> None:
    # Brette and Gerstner 2005, at 1 nA; R is 1/(30 nS).
    sets = [
        {
            "tau": 281 / 30, "v_rest": -70.6, "theta_rh": -50.4, "delta": 2.0, "threshold": at,
            "v_reset": -70.6, "RI": 1000 / 30, "Ra": 4 / 30, "Rb": 80.5 / 30, "w_tau": 144.0,
        }
        for at in (-45.0, -40.4, -20.0, 0.0)
    ]  # fmt: skip
    model, current = adaptive_model(sets)
    wanted = [exponential_spike_times(one, 180.0) for one in sets]
    assert [len(times) for times in wanted] == [8, 8, 8, 8]
    got = recorded(model.group(I=current, spike_timing="precise"), 180.0)
    assert_same_spikes(got, wanted, 180.0, 0.2, 1e-5)


def test_leaky_neurons_with_rk4_agree_with_the_closed_form() -> None:
    # Errors of rk4, (dt/tau)**5/120 of 60 mV a step, gathered over 200 steps and 20 spikes.
    p = random_leaky(40, seed=12)
    for refractory in (False, 0.37 * ms):
        group = leaky_model(p).group(
            I=p["RI"] / p["R"] * nA, spike_timing="precise", method="rk4", refractory=refractory
        )
        wanted = leaky_spike_times(p, 200.0, t_ref=0.37 if refractory is not False else 0.0)
        assert_same_spikes(recorded(group, 200.0), wanted, 200.0, 0.2, 1e-6)


@pytest.mark.slow
def test_every_device_finds_the_same_times(device: str) -> None:
    p = random_leaky(20, seed=8)
    leaky = leaky_model(p).group(
        I=p["RI"] / p["R"] * nA, spike_timing="precise", refractory=0.37 * ms
    )
    sets = random_adaptive(6, seed=13)
    model, current = adaptive_model(sets)
    adaptive = model.group(I=current, spike_timing="precise")
    monitors = [conex_brian.spike_monitor(group) for group in (leaky, adaptive)]
    Network(leaky, adaptive, monitors).run(100 * ms)
    references = (
        leaky_spike_times(p, 100.0, t_ref=0.37),
        [exponential_spike_times(one, 100.0) for one in sets],
    )
    for monitor, wanted, atol in zip(monitors, references, (CLOSED_FORM, 1e-5), strict=True):
        times, i = np.asarray(monitor.t_spike / ms), np.asarray(monitor.i)
        got = [times[i == k] for k in range(len(wanted))]
        assert_same_spikes(got, wanted, 100.0, 0.2, atol)


@pytest.mark.slow
@pytest.mark.parametrize("model", [LIF, AELIF])
def test_statements_of_events_run_only_in_steps_that_have_some(
    model: type[LIF], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On numpy the way to an exact time takes as long for no neuron as for some.
    calls: Counter[str] = Counter()
    always = NumpyCodeObject.run_block

    def counted(self: NumpyCodeObject, block: str) -> Any:
        calls[self.name.partition("_codeobject")[0]] += block == "run"
        return always(self, block)

    monkeypatch.setattr(NumpyCodeObject, "run_block", counted)
    group = make(model).group(I=[20, 130, 150] * pA, spike_timing="precise", name="group")
    monitor = conex_brian.spike_monitor(group)
    run(100 * ms)
    steps = len(np.unique(monitor.t / ms))
    assert calls["group_spike_resetter"] == steps
    assert 5 < steps < calls["group_spike_thresholder"] == 1000
    if model is AELIF:
        assert steps <= calls["group_upswing_resetter"] == calls["group_upswing_end"] < 500


def test_on_numpy_no_function_of_the_reset_checks_units() -> None:
    group = make(AELIF).group(I=[130, 150] * pA, spike_timing="precise")
    run(0.1 * ms)
    (code,) = group.resetter["spike"].code_objects
    names = {"exp", "expm1", "log", "log1p"}
    assert {code.namespace[name] for name in names} == {getattr(np, name) for name in names}
