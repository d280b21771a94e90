"""Rates and voltages against simulations with exact spike times, DOP853 and mpmath."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import mpmath
import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Mohm,
    Network,
    SpikeMonitor,
    StateMonitor,
    amp,
    defaultclock,
    hertz,
    ms,
    mV,
    nA,
    nS,
    pA,
    second,
    seed,
    uS,
)
from scipy.integrate import solve_ivp

from conex_brian import AELIF, ELIF, LIF, spike_monitor
from conex_brian.analysis import firing_rate, fixed_points, rheobase, voltage
from conex_brian.parameters import initial, parameter
from neurons import NUMBERS, SI, adaptive_model, make, random_adaptive
from reference import exponential_spike_times
from test_analysis import QUADRATIC, Adapting, Sharp


def simulated_intervals(
    neuron: LIF, current: Any, duration: Any, refractory: Any = 0 * ms, **options: Any
) -> list[np.ndarray]:
    """Return each neuron's interspike intervals in ms, of exact spike times."""
    group = neuron.group(I=current, spike_timing="precise", refractory=refractory, **options)
    spikes = spike_monitor(group)
    Network(group, spikes).run(duration)
    times, i = spikes.t_spike / ms, np.asarray(spikes.i)
    return [np.diff(np.sort(times[i == k])) for k in range(len(group))]


def steady_rate(intervals: np.ndarray) -> float:
    """Return the rate (per ms) of the shortest pattern that a train ends with twice."""
    for n in range(1, len(intervals) // 2):
        if np.allclose(intervals[-n:], intervals[-2 * n : -n], rtol=1e-9):
            return n / float(intervals[-n:].sum())
    raise AssertionError("the train does not repeat")


# ---------------------------------------------------------------- LIF


def test_leaky_f_i_curve_is_the_simulations() -> None:
    """50 currents from just above the rheobase on; each neuron with its own refractory period."""
    r = np.random.default_rng(1)
    neuron = LIF(
        R=r.uniform(50, 200, 50) * Mohm, threshold=r.uniform(-52, -45, 50) * mV,
        tau=r.uniform(5, 30, 50) * ms, v_reset=r.uniform(-75, -60, 50) * mV,
        v_rest=r.uniform(-70, -60, 50) * mV,
    )  # fmt: skip
    current = rheobase(neuron) * (1 + np.geomspace(1e-3, 1.5, 50))
    for refractory in (0 * ms, r.uniform(0.1, 4, 50) * ms):
        found = simulated_intervals(neuron, current, 1200 * ms, refractory, dt=0.5 * ms)
        rates = [len(one) / one.sum() * 1e3 for one in found]
        assert min(len(one) for one in found) >= 5
        theory = firing_rate(neuron, current, refractory) / hertz
        np.testing.assert_allclose(rates, theory, rtol=1e-9)
    assert np.all(firing_rate(neuron, rheobase(neuron) * (1 - 1e-12)) == 0 * hertz)


def test_a_leaky_neuron_near_its_rheobase_keeps_all_digits() -> None:
    """The drive over the threshold is a difference of which few digits are left."""
    neuron = make(LIF)
    current = rheobase(neuron) * (1 + np.array([1e-13, 1e-9, 1e-3, 1, 1e6]))
    mpmath.mp.dps = 40
    R, threshold, tau, v_reset, v_rest = (
        mpmath.mpf(float(getattr(neuron, name))) for name in LIF.parameter_names()
    )
    for i, rate in zip(np.asarray(current), firing_rate(neuron, current) / hertz, strict=True):
        u = v_rest + R * mpmath.mpf(float(i))
        exact = 1 / (tau * mpmath.log((u - v_reset) / (u - threshold)))
        assert rate == pytest.approx(float(exact), rel=1e-12)


def test_a_leaky_neuron_is_silent_at_its_rheobase_and_fires_at_the_next_number() -> None:
    r = np.random.default_rng(4)
    neuron = LIF(
        R=r.uniform(10, 500, 1000) * Mohm, threshold=r.uniform(-55, -40, 1000) * mV,
        tau=10 * ms, v_reset=-80 * mV, v_rest=r.uniform(-75, -60, 1000) * mV,
    )  # fmt: skip
    current = rheobase(neuron)
    above = np.nextafter(np.asarray(current), np.inf) * amp
    assert np.all(firing_rate(neuron, current) == 0 * hertz)
    assert np.all(firing_rate(neuron, above) > 0 * hertz)


def test_the_fixed_case() -> None:
    """The interval of the grid's test: T = 13.8629 ms, 10*log(4)."""
    neuron = LIF(R=10 * Mohm, threshold=-50 * mV, tau=10 * ms, v_reset=-65 * mV, v_rest=-65 * mV)
    rates = firing_rate(neuron, 2 * nA, [0, 0.1, 2] * ms) / hertz
    np.testing.assert_allclose(1e3 / rates, 10 * np.log(4) + np.array([0, 0.1, 2]), rtol=1e-12)


# ---------------------------------------------------------------- noise


def siegert(p: dict[str, float], current: float, noise: float, t_ref: float) -> float:
    """Return the rate by 40 digits of the integral; 1 + erf(x) is erfc(-x)."""
    mpmath.mp.dps = 40
    steady = p["v_rest"] + p["R"] * current
    a, b = ((mpmath.mpf(p[name]) - steady) / (sqrt(2) * noise) for name in ("v_reset", "threshold"))
    inside = [-300, -100, -30, -10, -3, -1, 0, 1, 2, 4, 8, 16, b - 1, b - mpmath.mpf("0.1")]
    points = [a, *sorted(x for x in inside if a < x < b), b]
    area = mpmath.quad(lambda x: mpmath.exp(x * x) * mpmath.erfc(-x), points)
    return float(1 / (t_ref + p["tau"] * mpmath.sqrt(mpmath.pi) * area))


def test_rate_with_noise_is_siegerts_integral() -> None:
    """From far below the rheobase to far above, little noise and much, narrow ranges and wide."""
    r = np.random.default_rng(2)
    n = 40
    values = {
        "R": r.uniform(50, 200, n) * Mohm, "threshold": -50 * mV,
        "tau": r.uniform(3, 40, n) * ms, "v_reset": (-50 - 10 ** r.uniform(-1.5, 1.5, n)) * mV,
        "v_rest": r.uniform(-70, -60, n) * mV,
    }  # fmt: skip
    neuron = LIF(**values)
    current = rheobase(neuron) * np.linspace(0.3, 4, n)
    noise, t_ref = 10 ** r.uniform(0, 1.3, n) * mV, np.where(np.arange(n) % 2, 1.7, 0) * ms
    found = firing_rate(neuron, current, t_ref, noise=noise) / hertz
    for k in range(n):
        p = {name: float(np.broadcast_to(value, n)[k]) for name, value in values.items()}
        exact = siegert(p, float(current[k]), float(noise[k]), float(t_ref[k]))
        assert exact > 1e-290
        assert found[k] == pytest.approx(exact, rel=1e-10)
    assert found.min() < 0.5 and found.max() > 1000


def test_little_noise_changes_nothing_and_below_the_rheobase_hardly_anything_comes() -> None:
    neuron = make(LIF)
    current = rheobase(neuron) * [0.5, 0.99, 1.5, 3]
    silent = firing_rate(neuron, current, 2 * ms)
    np.testing.assert_array_equal(firing_rate(neuron, current, 2 * ms, noise=0 * mV), silent)
    little = firing_rate(neuron, current, 2 * ms, noise=[0.001, 0.001, 0.01, 0.01] * mV)
    # The first correction goes with the square of noise over distance.
    np.testing.assert_allclose(little / hertz, silent / hertz, rtol=1e-5)
    assert little[0] == 0 * hertz


def test_noise_is_the_standard_deviation_of_the_free_membrane() -> None:
    """In units of sqrt(2) standard deviations, the literature's sigma, the integral is bare."""
    neuron = LIF(R=1.0, threshold=2.0, tau=10 * ms, v_reset=1.0, v_rest=0.0)
    mpmath.mp.dps = 30
    area = mpmath.quad(lambda x: mpmath.exp(x * x) * mpmath.erfc(-x), [1, 2])
    expected = 1 / (0.01 * float(mpmath.sqrt(mpmath.pi) * area))
    found = firing_rate(neuron, 0.0, noise=1 / sqrt(2))
    assert found / hertz == pytest.approx(expected, rel=1e-12)


def rate_with_noise(neuron: LIF, dt: float) -> tuple[float, float]:
    """Return the rate (per ms) of many independent neurons and its standard error."""
    defaultclock.dt = dt * ms
    group = neuron.group(12000, I=0.12 * nA, noise=5 * mV, refractory=1 * ms)
    network = Network(group)
    network.run(60 * ms)  # forget how they started
    spikes = SpikeMonitor(group, record=False)
    network.add(spikes)
    network.run(250 * ms)
    rates = np.asarray(spikes.count) / 250
    return float(rates.mean()), float(rates.std() / np.sqrt(len(rates)))


@pytest.mark.slow
def test_rate_with_noise_approaches_siegerts_as_the_square_root_of_dt() -> None:
    """The grid misses crossings within a step, in proportion to sqrt(dt)."""
    seed(11)
    neuron = LIF(
        R=100 * Mohm, threshold=-50 * mV, tau=12 * ms, v_reset=-62 * mV, v_rest=-65 * mV,
        init_v="v_reset + rand()*(threshold - v_reset)",
    )  # fmt: skip
    exact = float(firing_rate(neuron, 0.12 * nA, 1 * ms, noise=5 * mV) * ms)
    dt = np.array([0.2, 0.1, 0.05, 0.025])
    rate, error = np.array([rate_with_noise(neuron, one) for one in dt]).T
    order = np.polyfit(np.log(dt), np.log(exact - rate), 1)[0]
    assert order == pytest.approx(0.5, abs=0.1)
    terms = np.stack([np.ones(4), np.sqrt(dt), dt], axis=1) / error[:, None]
    fit, *_ = np.linalg.lstsq(terms, rate / error, rcond=None)
    extrapolated, deviation = fit[0], sqrt(np.linalg.inv(terms.T @ terms)[0, 0])
    assert abs(extrapolated - exact) < 3 * deviation
    assert deviation < 0.02 * exact


# ---------------------------------------------------------------- ELIF and models of one's own


def exponential_models(n: int, seed: int) -> ELIF:
    r = np.random.default_rng(seed)
    theta_rh, delta = r.uniform(-55, -45, n), 10 ** r.uniform(-1, 0.5, n)
    return ELIF(
        R=r.uniform(20, 500, n) * Mohm, threshold=(theta_rh + delta * r.uniform(1, 30, n)) * mV,
        tau=r.uniform(3, 40, n) * ms, v_reset=(theta_rh - delta * r.uniform(-0.9, 10, n)) * mV,
        v_rest=(theta_rh - r.uniform(5, 20, n)) * mV, delta=delta * mV, theta_rh=theta_rh * mV,
    )  # fmt: skip


@pytest.mark.slow
def test_exponential_rates_are_the_integral_also_where_the_neuron_lingers() -> None:
    """40 digits of tau*dv/F; from 1e-13 above the rheobase, where an interval takes 1e7 tau."""
    neuron = exponential_models(14, seed=3)
    part = 10 ** np.random.default_rng(3).uniform(-13, 1.5, 14)
    current = rheobase(neuron) * (1 + part)
    found = firing_rate(neuron, current) / hertz
    mpmath.mp.dps = 40
    for k in range(14):
        p = {n: mpmath.mpf(float(getattr(neuron, n)[k])) for n in neuron.parameter_names()}
        over = p["R"] * mpmath.mpf(float(current[k])) + p["v_rest"] - p["theta_rh"] + p["delta"]
        e = over / p["delta"]
        a, b = ((p[n] - p["theta_rh"]) / p["delta"] for n in ("v_reset", "threshold"))
        near = [s * m * mpmath.sqrt(2 * e) for s in (-1, 1) for m in 10.0 ** np.arange(-1, 8)]
        points = sorted(x for x in (0, -5, -2, 2, 5, 10, 20, *near) if a < x < b)
        area = mpmath.quad(lambda y, e=e: 1 / (e + mpmath.expm1(y) - y), [a, *points, b])
        assert found[k] == pytest.approx(float(1 / (p["tau"] * area)), rel=1e-9)
    assert np.all(firing_rate(neuron, rheobase(neuron) * (1 - 1e-12)) == 0 * hertz)


@pytest.mark.slow
def test_exponential_rates_are_the_simulations() -> None:
    neuron = exponential_models(8, seed=4).replace(tau=np.linspace(8, 15, 8) * ms)
    current = rheobase(neuron) * np.linspace(1.3, 2.5, 8)
    refractory = np.array([0, 0.3, 0, 1.1, 2, 0, 3.4, 0.7]) * ms
    theory = firing_rate(neuron, current, refractory) * ms
    found = simulated_intervals(neuron, current, 150 * ms, refractory)
    # Exact spike times are within 1e-5 ms at dt 0.1 ms.
    assert min(len(one) for one in found) >= 4
    rates = [len(one) / one.sum() for one in found]
    np.testing.assert_allclose(rates, theory, rtol=1e-6)


def test_a_threshold_below_the_upswing_decides() -> None:
    """Like LIF: what has no rheobase of the exponential's own still has one of the threshold's."""
    neuron = make(ELIF, threshold=-53 * mV, v_reset=-60 * mV)
    expected = (16 - 2.1 * np.exp(-2 / 2.1)) / 480
    assert rheobase(neuron) / nA == pytest.approx(expected, rel=1e-12)
    rates = firing_rate(neuron, rheobase(neuron) * [1 - 1e-9, 1 + 1e-9, 1.5])
    assert rates[0] == 0 * hertz and 0 * hertz < rates[1] < 10 * hertz
    (intervals,) = simulated_intervals(neuron, [1.5] * rheobase(neuron), 60 * ms, dt=0.2 * ms)
    assert rates[2] * ms == pytest.approx(len(intervals) / intervals.sum(), rel=1e-5)


def test_below_the_rheobase_it_depends_on_where_the_neuron_starts() -> None:
    """The reset lies beyond the unstable fixed point: rest and spiking are both stable."""
    neuron = make(ELIF, v_reset=-46 * mV, init_v=[-69, -40, -51.2, -20] * mV)
    current = 0.9 * rheobase(neuron)
    rates = firing_rate(neuron, current) * ms
    assert rates[0] == rates[2] == 0
    found = simulated_intervals(neuron, np.full(4, 1) * current, 60 * ms, dt=0.2 * ms)
    assert [len(one) > 3 for one in found] == [False, True, False, True]
    for k in (1, 3):
        assert rates[k] == pytest.approx(len(found[k]) / found[k].sum(), rel=1e-5)
    text = make(ELIF, v_reset=-46 * mV, init_v="v_rest + rand()*mV")
    message = "ELIF: init_v = 'v_rest + rand()*mV' is an expression, and the answer depends on"
    raises(ValueError, message, lambda: firing_rate(text, current))
    assert firing_rate(text, 2 * current) > 0 * hertz


def test_the_quadratic_neuron_has_the_arctangents_rate() -> None:
    """tau*dv/F with F = ((v - m)**2 + w**2)/delta_v, m = -57.5 mV."""
    over = np.array([1e-6, 1e-3, 0.5, 87.5])
    w = np.sqrt(5 * 0.1 * over)
    interval = 12 * 5 / w * (np.arctan(57.5 / w) - np.arctan((-66 + 57.5) / w))
    rates = firing_rate(QUADRATIC, (112.5 + over) * pA, 3 * ms) * ms
    # Nothing is known about a text: what cancels near the rheobase is lost.
    np.testing.assert_allclose(rates, 1 / (3 + interval), rtol=1e-7)
    np.testing.assert_allclose(rates[1:], 1 / (3 + interval[1:]), rtol=1e-9)
    assert firing_rate(QUADRATIC, 112.4999 * pA) == 0 * hertz


@pytest.mark.parametrize(("model", "other"), [(ELIF, Sharp), (AELIF, Adapting)])
def test_general_rates_are_those_of_known_models(model: type[ELIF], other: type[ELIF]) -> None:
    known, general = make(model), make(other)
    current = rheobase(known) * [0.9, 1.1, 3]
    a, b = (firing_rate(one, current, 1 * ms) / hertz for one in (known, general))
    np.testing.assert_allclose(b, a, rtol=1e-9)
    assert a[0] == 0 < a[1]


# ---------------------------------------------------------------- AELIF


@pytest.mark.slow
def test_adaptive_rates_are_those_of_dop853() -> None:
    """Both bifurcations, regular and bursting, some with a refractory period."""
    sets = random_adaptive(24, seed=5)[3:21]
    neuron, current = adaptive_model(sets)
    t_ref = np.where(np.arange(18) % 2, np.linspace(0.3, 4, 18), 0)
    rates = firing_rate(neuron, current, t_ref * ms) * ms
    for p, period, rate in zip(sets[::3], t_ref[::3], rates[::3], strict=True):
        train = exponential_spike_times(p, 1500, period)
        assert rate == pytest.approx(steady_rate(np.diff(train)), rel=1e-8)


@pytest.mark.slow
def test_adaptive_rates_are_the_simulations() -> None:
    """With a fast omega, so that the simulated trains are steady soon."""
    r = np.random.default_rng(7)
    R, theta_rh, delta = r.uniform(50, 200, 12), r.uniform(-52, -48, 12), r.uniform(0.8, 3, 12)
    neuron = AELIF(
        R=R * Mohm, threshold=(theta_rh + delta * r.uniform(2, 20, 12)) * mV,
        tau=r.uniform(6, 12, 12) * ms, v_reset=(theta_rh - r.uniform(5, 15, 12)) * mV,
        v_rest=-65 * mV, delta=delta * mV, theta_rh=theta_rh * mV,
        alpha=r.uniform(-0.3, 2, 12) / R * uS, beta=r.uniform(1, 8, 12) / R * nA,
        w_tau=r.uniform(6, 15, 12) * ms,
    )  # fmt: skip
    current = rheobase(neuron) * r.uniform(1.2, 2, 12)
    refractory = np.where(np.arange(12) % 2, 1.3, 0) * ms
    theory = firing_rate(neuron, current, refractory) * ms
    found = simulated_intervals(neuron, current, 250 * ms, refractory)
    assert min(len(one) for one in found) >= 5
    np.testing.assert_allclose([1 / one[-1] for one in found], theory, rtol=1e-6)


def test_a_slow_adaptation_is_followed_to_its_end() -> None:
    """Without alpha omega is beta/(1 - exp(-T/w_tau)) after a spike, and that gives the interval T.

    w_tau is some 200 intervals long: from omega = 0 it takes a thousand to get there.
    """
    neuron = make(AELIF, alpha=0 * nS, beta=1 * pA, w_tau=5000 * ms, v_reset=SI["v_rest"])
    T = float(1 / firing_rate(neuron, 80 * pA) / ms)
    after = 0.48 / -np.expm1(-T / 5000)
    p = {"tau": 19.0, "v_rest": -69.0, "v_reset": -69.0, "threshold": -31.0, "delta": 2.1,
         "theta_rh": -51.0, "Ra": 0.0, "Rb": 0.0, "RI": 0.0, "w_tau": 1.0}  # fmt: skip
    (spike,) = exponential_spike_times(
        p, 1.5 * T, drive=lambda t: 480 * 0.08 - after * np.exp(-t / 5000)
    )
    assert spike == pytest.approx(T, rel=1e-8)


def test_a_neuron_comes_to_rest_after_a_transient() -> None:
    """Spikes have raised omega: the same current no longer suffices."""
    neuron = make(AELIF, alpha=3 * nS, beta=200 * pA, w_tau=200 * ms)
    current = 0.95 * rheobase(neuron)
    assert firing_rate(neuron, current) == 0 * hertz
    driven = neuron.replace(init_v=-45 * mV)
    group = driven.group(1, I=current, dt=0.2 * ms)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(300 * ms)
    assert spikes.num_spikes > 0 and spikes.t[-1] < 100 * ms
    assert firing_rate(driven, current) == 0 * hertz


@pytest.mark.slow
def test_just_below_a_hopf_point_a_step_of_current_may_start_spikes_for_ever() -> None:
    """The fixed point is stable, but omega is late: DOP853 sees which neurons go on."""
    sets = random_adaptive(12, seed=8)[4:8]
    neuron, _ = adaptive_model(sets)
    current = 0.999 * rheobase(neuron)
    assert all(points[0].stable for points in fixed_points(neuron, current))
    rates = firing_rate(neuron, current) * ms
    for p, RI, rate in zip(sets, 80 * current / nA, rates, strict=True):
        train = exponential_spike_times({**p, "RI": float(RI)}, 2500)
        assert len(train) > 6 or len(train) == rate == 0
        if len(train):
            assert rate == pytest.approx(steady_rate(np.diff(train)), rel=1e-8)
    assert 0 < np.count_nonzero(rates) < 4


def test_a_runaway_never_fires() -> None:
    """alpha*R < -1: left of the saddle v and omega fall for ever, right of it the neuron fires."""
    neuron = make(AELIF, alpha=-4 * nS, init_v=[-75, -60] * mV)
    rates = firing_rate(neuron, 0 * nA)
    assert rates[0] == 0 * hertz < rates[1]


def test_at_the_rheobase_itself_nothing_fires() -> None:
    """With the current all but there, the neuron stops at the fixed point that is to vanish."""
    neuron = make(AELIF, alpha=0 * nS)
    assert firing_rate(neuron, rheobase(neuron)) == 0 * hertz


def time_to_spike(neuron: AELIF, current: float, decays: list[tuple[float, float]]) -> float:
    """Return the time from reset to spike in s, where omegas of these sizes and times decay."""
    p = {name: float(getattr(neuron, name)) for name in neuron.parameter_names()}

    def rise(t: float, y: np.ndarray) -> list[float]:
        omega = sum(size * np.exp(-t / time) for size, time in decays)
        exponential = p["delta"] * np.exp(min((y[0] - p["theta_rh"]) / p["delta"], 50.0))
        return [(p["v_rest"] - y[0] + exponential + p["R"] * (current - omega)) / p["tau"]]

    def spike(t: float, y: np.ndarray) -> float:
        return float(y[0] - p["threshold"])

    spike.terminal = True  # type: ignore[attr-defined]
    run = solve_ivp(rise, (0, 9), [p["v_reset"]], "DOP853", events=spike, rtol=1e-11, atol=1e-14)
    return float(run.t_events[0][0])


BISTABLE = AELIF(
    R=100 * Mohm, threshold=-30 * mV, tau=20 * ms, v_reset=-46 * mV, v_rest=-65 * mV,
    delta=2.5 * mV, theta_rh=-50 * mV, alpha=0 * nS, beta=1 * pA, w_tau=1000 * ms, init_v=-46 * mV,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "current"),
    [
        ({}, 100 * pA),
        ({"v_reset": -45 * mV, "init_v": -30 * mV}, 100 * pA),
        ({"v_reset": -45 * mV, "init_v": -30 * mV, "w_tau": 500 * ms}, 75 * pA),
    ],
)
def test_a_neuron_that_adapts_slowly_below_the_rheobase_fires_for_ever(
    changes: dict[str, Any], current: Any
) -> None:
    # Where it is heading must not be guessed too far: there it would rest.
    neuron = BISTABLE.replace(**changes)
    assert current < rheobase(neuron)
    interval = float(1 / firing_rate(neuron, current))
    time, jump = float(neuron.w_tau), float(neuron.beta)
    # In the steady train a spike adds what has decayed since the last one.
    size = jump / -np.expm1(-interval / time)
    assert time_to_spike(neuron, float(current), [(size, time)]) == pytest.approx(interval, 1e-7)


@dataclass(frozen=True, eq=False, repr=False)
class Twofold(AELIF):
    """Adapts fast, and very slowly too."""

    beta2: Any = parameter("current")
    tau2: Any = parameter("time", positive=True)
    z: Any = initial("current")
    RI = AELIF.RI + " - R*z"
    states: ClassVar[dict[str, tuple[str, str]]] = {**AELIF.states, "z": ("-z/tau2", "current")}

    @property
    def jumps(self) -> dict[str, str]:
        """What a spike adds."""
        return {**super().jumps, "z": "beta2"}


def test_a_train_is_followed_until_its_slowest_state_is_steady() -> None:
    neuron = Twofold(
        R=100 * Mohm, threshold=-30 * mV, tau=10 * ms, v_reset=-58 * mV, v_rest=-70 * mV,
        delta=2 * mV, theta_rh=-50 * mV, alpha=0 * nS, beta=5 * pA, w_tau=100 * ms,
        beta2=0.5 * pA, tau2=10 * second,
    )  # fmt: skip
    interval = float(1 / firing_rate(neuron, 600 * pA))
    decays = [(5e-12 / -np.expm1(-interval / 0.1), 0.1), (5e-13 / -np.expm1(-interval / 10), 10.0)]
    assert time_to_spike(neuron, 600e-12, decays) == pytest.approx(interval, 1e-6)


@pytest.mark.slow
def test_a_train_whose_intervals_shrink_without_end_has_no_rate() -> None:
    # Each spike takes R*beta*w_tau/tau off the way, more than there is from reset to threshold.
    neuron = AELIF(
        R=100 * Mohm, threshold=-30 * mV, tau=10 * ms, v_reset=-60 * mV, v_rest=-65 * mV,
        delta=2 * mV, theta_rh=-50 * mV, alpha=0 * nS, beta=-16 * pA, w_tau=200 * ms,
    )  # fmt: skip
    with pytest.raises(ValueError, match="after 6000 spikes its intervals still change"):
        firing_rate(neuron, 200 * pA)


@pytest.mark.slow
def test_a_train_that_never_repeats_is_averaged() -> None:
    """Naud et al. (2008), delayed bursting, at a current where it is chaotic."""
    neuron = AELIF(
        R=100 * Mohm, threshold=0 * mV, tau=10 * ms, v_reset=-47 * mV, v_rest=-65 * mV,
        delta=2 * mV, theta_rh=-50 * mV, alpha=-10 * nS, beta=30 * pA, w_tau=90 * ms,
    )  # fmt: skip
    rate = firing_rate(neuron, 165 * pA) / hertz
    p = {"tau": 10.0, "v_rest": -65.0, "v_reset": -47.0, "threshold": 0.0, "delta": 2.0,
         "theta_rh": -50.0, "Ra": -1.0, "Rb": 3.0, "RI": 16.5, "w_tau": 90.0}  # fmt: skip
    intervals = np.diff(exponential_spike_times(p, 6000, rtol=1e-9))[100:]
    with pytest.raises(AssertionError, match="does not repeat"):
        steady_rate(intervals)
    assert rate == pytest.approx(1e3 / intervals.mean(), rel=0.02)


# ---------------------------------------------------------------- voltage


def test_voltage_is_the_simulations_with_its_resets() -> None:
    """Sampled at each step for 12 neurons, some of which spike; one starts over the threshold."""
    r = np.random.default_rng(9)
    init_v = np.append(r.uniform(-80, -55, 11), -40) * mV
    neuron = LIF(
        R=r.uniform(50, 200, 12) * Mohm, threshold=-50 * mV, tau=r.uniform(5, 30, 12) * ms,
        v_reset=r.uniform(-75, -60, 12) * mV, v_rest=-65 * mV, init_v=init_v,
    )  # fmt: skip
    current = rheobase(neuron) * np.linspace(0.3, 2.5, 12)
    refractory = np.where(np.arange(12) % 2, 2.3, 0) * ms
    group = neuron.group(I=current, spike_timing="precise", refractory=refractory, dt=0.1 * ms)
    trace = StateMonitor(group, "v", record=True, when="end")
    spikes = spike_monitor(group)
    Network(group, trace, spikes).run(150 * ms)
    t = trace.t + 0.1 * ms
    v = voltage(neuron, t[:, None], current, refractory) / mV
    # While a simulated neuron is refractory its v is none of the membrane's.
    free = np.ones_like(v, dtype=bool)
    for spike, i in zip(spikes.t_spike / ms, spikes.i, strict=True):
        since = t / ms - spike
        free[:, i] &= (since < 0) | (since > refractory[i] / ms + 0.2)
        held = (since > 0) & (since < refractory[i] / ms)
        np.testing.assert_allclose(v[held, i], neuron.v_reset[i] / mV, rtol=1e-12)
    assert free.mean() > 0.8 and len(set(spikes.i)) > 6
    np.testing.assert_allclose(v[free], trace.v.T[free] / mV, rtol=1e-9)


def test_voltage_in_numbers() -> None:
    neuron = LIF(R=2.0, threshold=10.0, tau=5 * ms, v_reset=-1.0, v_rest=1.0)
    v = voltage(neuron, [0, 5, 1000] * ms, 3.0)
    np.testing.assert_allclose(v, [1, 7 - 6 / np.e, 7], rtol=1e-12)
    # From 1 to 10 on the way to 14: 5*log(13/4) ms.
    assert voltage(neuron, 5 * np.log(13 / 4) * ms * (1 + 1e-12), 6.5) == pytest.approx(-1)
    assert voltage(neuron, 5 * np.log(13 / 4) * ms * (1 - 1e-12), 6.5) == pytest.approx(10)


# ---------------------------------------------------------------- units and errors


def test_a_dimensionless_model_fires_at_the_same_rate() -> None:
    for model in (LIF, ELIF, AELIF):
        plain = firing_rate(make(model, NUMBERS), [0.05, 0.09], 1 * ms)
        expected = firing_rate(make(model), [50, 90] * pA, 1 * ms)
        np.testing.assert_allclose(plain / hertz, expected / hertz, rtol=1e-9)
    plain = firing_rate(make(LIF, NUMBERS), 0.03, noise=4.0)
    assert plain / hertz == pytest.approx(firing_rate(make(LIF), 30 * pA, noise=4 * mV) / hertz)


def raises(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_rates_that_are_not_known_are_refused() -> None:
    elif_, adaptive = make(ELIF), make(AELIF)
    raises(ValueError, "noise = 2. mV: a rate with noise is known for LIF only, not for ELIF",
           lambda: firing_rate(elif_, 50 * pA, noise=2 * mV))  # fmt: skip
    raises(ValueError, "noise = -1. mV is negative",
           lambda: firing_rate(make(LIF), 50 * pA, noise=-1 * mV))  # fmt: skip
    raises(DimensionMismatchError, "noise",
           lambda: firing_rate(make(LIF), 50 * pA, noise=1 * pA))  # fmt: skip
    per_time = make(AELIF, beta=SI["beta"] / ms)
    raises(ValueError, "a spike adds beta*dt to omega, so the rate depends on the time step",
           lambda: firing_rate(per_time, 50 * pA))  # fmt: skip
    assert rheobase(per_time) == rheobase(adaptive)
    text = make(AELIF, omega="rand()*pA")
    raises(ValueError, "AELIF: omega = 'rand()*pA' is an expression",
           lambda: firing_rate(text, 50 * pA))  # fmt: skip
    for value, error, message in (
        ("2*ms", TypeError, "refractory = '2*ms': the theory needs a time"),
        (-1 * ms, ValueError, "refractory = -1. ms is negative"),
        (3, DimensionMismatchError, "refractory = 3.0 is a number without unit"),
    ):
        raises(error, message, lambda x=value: firing_rate(make(LIF), 1 * nA, x))  # type: ignore[misc]


def test_a_reset_or_condition_of_its_own_is_refused() -> None:
    other = type("Other", (LIF,), {"reset": property(lambda self: "v = v_rest")})
    late = type("Late", (ELIF,), {"condition": "v > threshold"})
    for model in (other, late):
        raises(ValueError, f"{model.__name__} has a reset or a condition of its own",
               lambda m=model: firing_rate(make(m), 1 * nA))  # type: ignore[misc]  # fmt: skip


def test_an_endless_passage_is_an_error_that_names_the_neuron() -> None:
    """At 1e-14 above the saddle-node the neuron lingers for 1e7 time constants."""
    neuron = make(AELIF, alpha=[0.1, 0] * nS)
    current = rheobase(neuron) * [2, 1 + 1e-14]
    message = "the rate of AELIF is not known for neuron 1: it neither spikes nor comes to rest"
    raises(ValueError, message, lambda: firing_rate(neuron, current))


def test_a_reset_at_the_top_of_the_upswing_is_an_error() -> None:
    neuron = make(ELIF, delta=0.01 * mV, v_reset=-35 * mV)
    raises(ValueError, "intervals have no length", lambda: firing_rate(neuron, 50 * pA))
    assert firing_rate(neuron, 50 * pA, 2 * ms) / hertz == pytest.approx(500)


def test_voltages_that_are_not_known_are_refused() -> None:
    raises(ValueError, "voltage: ELIF has no closed form for v(t), only LIF has",
           lambda: voltage(make(ELIF), 1 * ms, 0 * nA))  # fmt: skip
    raises(ValueError, "is negative: it needs times of at least 0 ms",
           lambda: voltage(make(LIF), [1, -1] * ms, 0 * nA))  # fmt: skip
    raises(DimensionMismatchError, "needs a time", lambda: voltage(make(LIF), 1, 0 * nA))
    raises(ValueError, "init_v = 'v_rest' is an expression",
           lambda: voltage(make(LIF, init_v="v_rest"), 1 * ms, 0 * nA))  # fmt: skip
