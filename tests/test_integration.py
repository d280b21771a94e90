"""The table of methods holds: what is in it works, what is not in it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import (
    Equations,
    Network,
    NeuronGroup,
    SpikeMonitor,
    defaultclock,
    inf,
    ms,
    mV,
    nS,
    pA,
    run,
)
from brian2.stateupdaters.base import StateUpdateMethod
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from conex_brian import AELIF, ELIF, LIF
from conex_brian.inputs import CONDUCTANCE, CONSTANT, DECAYING, GENERAL
from conex_brian.integration import LINEAR, METHODS, NONLINEAR, STABILITY_LIMIT, choose_method
from neurons import MODELS, NUMBERS, make

EXPONENTIAL = Equations("dI/dt = -I/tau_s : amp\ntau_s : second (constant)")
TWO = Equations(
    """I = I_e - 0.5*I_i : amp
       dI_e/dt = -I_e/tau_e : amp
       dI_i/dt = (I_o - I_i)/tau_i : amp
       tau_e : second (constant)
       tau_i : second (constant)
       I_o : amp (constant)"""
)
INPUTS: dict[str, Any] = {
    CONSTANT: [31, 33] * pA,
    DECAYING: Equations("I = 9*pA + J : amp\ndJ/dt = (3*pA - J)/(4*ms) : amp"),
    CONDUCTANCE: "2*nS*(-55*mV - v)",
    GENERAL: "30*pA*sin(t/(3*ms))",
}
NEURONS: dict[str, type[LIF]] = {LINEAR: LIF, NONLINEAR: AELIF}
KNOWN = [*StateUpdateMethod.stateupdaters, "conex"]

CELLS = pytest.mark.parametrize(
    ("dynamics", "kind", "noisy"), METHODS, ids=lambda x: {True: "noise", False: "still"}.get(x, x)
)


def options(noisy: bool) -> dict[str, Any]:
    return {"noise": 1.5 * mV} if noisy else {}


# ---------------------------------------------------------------- the table


def test_the_table_is_complete() -> None:
    keys = {(d, k, n) for d in NEURONS for k in INPUTS for n in (True, False)}
    assert set(METHODS) == keys


@CELLS
def test_every_admitted_method_runs(dynamics: str, kind: str, noisy: bool) -> None:
    neuron = make(NEURONS[dynamics], init_v=-62 * mV)
    groups = {}
    for method in METHODS[dynamics, kind, noisy]:
        template = neuron.template(INPUTS[kind], method=method, **options(noisy))
        assert (template.dynamics, template.kind, template.method) == (dynamics, kind, method)
        groups[method] = template.group(2)
    Network(groups.values()).run(20 * defaultclock.dt)
    for method, group in groups.items():
        v = group.v / mV
        assert np.all((v > -70) & (v < -50)), method
        assert np.all(v != -62), method
        if not noisy:
            # Euler is off by less than 0.1 mV in 2 ms.
            np.testing.assert_allclose(
                v, groups[METHODS[dynamics, kind, noisy][0]].v / mV, atol=0.1
            )


@CELLS
def test_the_default_is_the_first(dynamics: str, kind: str, noisy: bool) -> None:
    template = make(NEURONS[dynamics]).template(INPUTS[kind], **options(noisy))
    assert template.method == METHODS[dynamics, kind, noisy][0]
    assert f"method\n  {template.method}\n" in str(template)


def test_the_defaults_are_the_most_accurate() -> None:
    first = {key: methods[0] for key, methods in METHODS.items()}
    assert first[LINEAR, CONSTANT, False] == first[LINEAR, DECAYING, False] == "exact"
    assert first[LINEAR, CONDUCTANCE, False] == "exponential_euler"
    assert {first[NONLINEAR, kind, False] for kind in INPUTS} == {"rk4"}
    assert {first[d, kind, True] for d in NEURONS for kind in INPUTS} == {"euler"}


@CELLS
def test_every_other_method_is_refused(dynamics: str, kind: str, noisy: bool) -> None:
    admitted = METHODS[dynamics, kind, noisy]
    listed = ", ".join(f"'{name}'" for name in admitted)
    refused = [name for name in KNOWN if name not in admitted]
    assert len(refused) + len(admitted) == len(KNOWN)
    for method in refused:
        with pytest.raises(
            ValueError,
            match=rf"^method = '{method}' does not work for a {dynamics} membrane equation, {kind} "
            rf"input{' and noise' if noisy else ''}.*Use one of {listed}",
        ):
            make(NEURONS[dynamics]).template(INPUTS[kind], method=method, **options(noisy))


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("heun", "without noise it is Euler's method under another name"),
        ("exponential_euler", "it needs equations linear in each variable"),
        ("linear", "Brian2 calls it 'exact' now"),
        ("independent", "Brian2 has deprecated it"),
    ],
)
def test_the_message_says_why(method: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^method = '{method}' does not work for .*: {why}"):
        make(AELIF).template(method=method)


def test_conex_has_no_noise() -> None:
    with pytest.raises(
        ValueError, match=r"^method = 'conex' does not work .* and noise: CoNeX's st"
    ):
        make(LIF).template(method="conex", noise=1 * mV)


@pytest.mark.parametrize(
    ("method", "meant"), [("rk_4", "rk4"), ("Euler", "euler"), ("exakt", "exact"), ("", None)]
)
def test_a_misspelt_method_gets_the_nearest(method: str, meant: str | None) -> None:
    hint = rf" \(did you mean '{meant}'\?\)" if meant else ""
    with pytest.raises(
        ValueError, match=rf"^method = '{method}' does not work .*'euler'.*{hint}\.$"
    ):
        make(LIF).template(method=method)


@pytest.mark.parametrize("method", [4, 4.0, True, b"rk4", ["rk4"], lambda equations: "v = v"])
def test_a_method_is_a_name(method: Any) -> None:
    with pytest.raises(TypeError, match=r"^method = .*: it needs a name, one of 'exact', 'expon"):
        make(LIF).template(method=method)


def test_noise_within_the_input_is_noise() -> None:
    noisy = Equations("I = J : amp\ndJ/dt = -J/(5*ms) + 3*pA*sqrt(2/(5*ms))*xi : amp")
    template = make(LIF).template(noisy)
    assert template.method == "euler"
    with pytest.raises(ValueError, match=r"^method = 'exact' does not work .* and noise"):
        make(LIF).template(noisy, method="exact")
    group = template.group(50)
    run(20 * defaultclock.dt)
    assert np.isfinite(group.v / mV).all() and np.ptp(group.v / mV) > 0


@pytest.mark.parametrize("method", METHODS[LINEAR, DECAYING, True])
def test_noise_in_the_input_and_in_the_membrane(method: str) -> None:
    noisy = Equations("I = J : amp\ndJ/dt = -J/(5*ms) + 3*pA*sqrt(2/(5*ms))*xi : amp")
    group = make(LIF).group(50, noisy, method=method, noise=2 * mV)
    run(5 * defaultclock.dt)
    assert np.isfinite(group.v / mV).all() and np.ptp(group.v / mV) > 0


# ---------------------------------------------------------------- order

TAU, R, REST = 19.0, 0.48, -69.0


def reference(model: type[LIF], current: Any, t: float) -> float:
    """Return v in mV at ``t`` ms from -60 mV, by DOP853; ``current`` is in pA, of ms and mV."""

    def rate(t: float, x: Any) -> list[float]:
        v, w = x
        up = 0.0 if model is LIF else 2.1 * np.exp((v + 51) / 2.1)
        alpha = 0.6 if model is AELIF else 0.0
        return [
            (REST - v + up + R * (current(t, v) - w)) / TAU, (alpha * (v - REST) - w) / 33,
        ]  # fmt: skip

    return float(solve_ivp(rate, (0, t), [-60, 0], "DOP853", rtol=1e-13, atol=1e-13).y[0, -1])


ORDERS = {"euler": 1, "conex": 1, "rk2": 2, "rk4": 4}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", ORDERS)
def test_halving_dt_divides_the_error_as_the_order_says(model: type[LIF], method: str) -> None:
    """For a current that is a function of time: the next order still shows by a few per cent."""
    expected = reference(model, lambda t, v: 20 * np.sin(t / 5), 12)
    groups = [
        make(model, init_v=-60 * mV).group(1, "20*pA*sin(t/(5*ms))", method=method, dt=dt * ms)
        for dt in (0.5, 0.25)
    ]
    Network(groups).run(12 * ms)
    coarse, fine = (abs(group.v[0] / mV - expected) for group in groups)
    assert fine > 1e-11  # above rounding
    assert coarse / fine == pytest.approx(2 ** ORDERS[method], rel=0.12)


def test_exponential_euler_is_of_first_order_for_conductances() -> None:
    synapse = Equations("I = g*(-20*mV - v) : amp\ndg/dt = -g/(4*ms) : siemens")

    def rate(t: float, x: Any) -> list[float]:
        return [(REST - x[0] + R * x[1] * (-20 - x[0])) / TAU, -x[1] / 4]

    expected = solve_ivp(rate, (0, 12), [-60, 1.5], "DOP853", rtol=1e-13, atol=1e-13).y[0, -1]
    errors = []
    for dt in (0.25, 0.125):
        group = make(LIF, init_v=-60 * mV).group(1, synapse, dt=dt * ms)
        group.g = 1.5 * nS
        Network(group).run(12 * ms)
        errors.append(abs(group.v[0] / mV - expected))
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("dt", [0.1, 1.0, 25.0, 400.0])
def test_exact_is_exact_at_any_step(dt: float) -> None:
    group = make(LIF, init_v=-60 * mV).group(I=[31, -12] * pA, dt=dt * ms)
    run(2 * dt * ms)
    u = REST + R * np.array([31.0, -12.0])
    np.testing.assert_allclose(group.v / mV, u + (-60 - u) * np.exp(-2 * dt / TAU), rtol=1e-13)


# ---------------------------------------------------------------- decaying inputs


TAUS, TAU_E, TAU_I = np.array([[19.0, 11, 27], [3, 13, 31], [8, 5, 17]])
START = np.array([[-69.0] * 3, [90, 120, 200], [10, 2, 7]])  # v, I_e, I_i
OFFSET = np.array([-95.0, -99, -80])


def two_synapses(refractory: Any = False, **changes: Any) -> NeuronGroup:
    """Return LIF neurons with two synapses, all time constants different."""
    neuron = make(LIF, tau=TAUS * ms, **changes)
    group = neuron.group(I=TWO, refractory=refractory, method="exact")
    group.tau_e, group.tau_i = TAU_E * ms, TAU_I * ms
    group.I_e, group.I_i, group.I_o = START[1] * pA, START[2] * pA, OFFSET * pA
    return group


def propagators() -> tuple[np.ndarray, np.ndarray]:
    """Return exp(A*dt) of (v, I_e, I_i, 1) for each neuron, free and with v held."""
    free, held = np.zeros((2, 3, 4, 4))
    for i in range(3):
        matrix = np.array([
            [-1 / TAUS[i], R / TAUS[i], -0.5 * R / TAUS[i], REST / TAUS[i]],
            [0, -1 / TAU_E[i], 0, 0],
            [0, 0, -1 / TAU_I[i], OFFSET[i] / TAU_I[i]],
            [0, 0, 0, 0],
        ])  # fmt: skip
        free[i] = expm(matrix * 0.1)
        matrix[0] = 0
        held[i] = expm(matrix * 0.1)
    return free, held


# Brian2's own 'exact' is no oracle here: sympy's matrix exponential may take minutes.
def test_decaying_inputs_are_the_matrix_exponential() -> None:
    group = two_synapses(threshold=99 * mV)
    run(33 * ms)
    free, _ = propagators()
    state = np.vstack([START, np.ones(3)])
    for i in range(3):
        v, I_e, I_i, _ = np.linalg.matrix_power(free[i], 330) @ state[:, i]
        np.testing.assert_allclose(
            [group.v[i] / mV, group.I_e[i] / pA, group.I_i[i] / pA], [v, I_e, I_i], rtol=1e-11
        )
    assert np.all(np.abs(group.v / mV + 69) > 0.1)


@pytest.mark.parametrize("t_ref", [None, [3, 3, 3], [1, 2.5, 4]], ids=["none", "one", "each"])
def test_decaying_inputs_are_the_matrix_exponential_through_spikes(t_ref: Any) -> None:
    refractory = False if t_ref is None else t_ref * ms
    group = two_synapses(refractory, threshold=-64 * mV, v_reset=-68.5 * mV)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(60 * ms)
    maps = propagators()
    for i, train in spikes.spike_trains().items():
        state, last, expected = np.array([*START[:, i], 1]), -(10**6), []
        for step in range(600):
            held = t_ref is not None and step - last < round(t_ref[i] / 0.1)
            state = maps[int(held)][i] @ state
            if state[0] >= -64 and not held:
                expected.append(step)
                state[0], last = -68.5, step
        assert len(expected) >= 3
        np.testing.assert_array_equal(np.round(train / (0.1 * ms)), expected)
        assert group.v[i] / mV == pytest.approx(state[0], rel=1e-11)


@pytest.mark.parametrize(("detune", "rtol"), [(0.0, 1e-11), (1e-13, 1e-11), (1e-10, 1e-8)])
def test_a_synapse_with_the_membranes_time_constant(detune: float, rtol: float) -> None:
    """v - v_rest = R*J*t/tau*exp(-t/tau); a detuned synapse differs by t/tau*detune."""
    tau = np.array([19.0, 7.0, 30.0])
    J = np.array([50.0, 80.0, -40.0])
    group = make(LIF, tau=tau * ms, init_v=-69 * mV).group(I=EXPONENTIAL)
    group.tau_s, group.I = tau * (1 + detune) * ms, J * pA
    run(15 * ms)
    expected = R * J * 15 / tau * np.exp(-15 / tau)
    np.testing.assert_allclose(group.v / mV + 69, expected, rtol=rtol)


def test_some_neurons_may_have_equal_time_constants() -> None:
    group = make(LIF).group(2, EXPONENTIAL)
    group.tau_s, group.I = [19, 3] * ms, 50 * pA
    run(15 * ms)
    equal = R * 50 * 15 / TAU * np.exp(-15 / TAU)
    unequal = R * 50 * 3 / (TAU - 3) * (np.exp(-15 / TAU) - np.exp(-15 / 3))
    np.testing.assert_allclose(group.v / mV + 69, [equal, unequal], rtol=1e-11)


def test_an_input_that_does_not_decay_but_rises_steadily() -> None:
    """v - v_rest = R*c*(t - tau*(1 - exp(-t/tau)))."""
    group = make(LIF).group(1, Equations("dI/dt = 2*pA/ms : amp"))
    run(15 * ms)
    expected = R * 2 * (15 - TAU * (1 - np.exp(-15 / TAU)))
    np.testing.assert_allclose(group.v / mV + 69, [expected], rtol=1e-10)


def test_an_input_with_a_state_that_does_not_change() -> None:
    group = make(LIF).group(1, Equations("I = J : amp\ndJ/dt = 0*amp/second : amp"))
    group.J = 40 * pA
    run(15 * ms)
    expected = R * 40 * (1 - np.exp(-15 / TAU))
    np.testing.assert_allclose(group.v / mV + 69, [expected], rtol=1e-11)


def test_decaying_inputs_without_units() -> None:
    synapse = Equations("dI/dt = -I/(19*ms) : 1")
    group = make(LIF, NUMBERS).group(1, synapse)
    group.I = 0.05
    run(15 * ms)
    expected = 480 * 0.05 * 15 / TAU * np.exp(-15 / TAU)
    np.testing.assert_allclose(group.v[:] + 69, [expected], rtol=1e-11)


# ---------------------------------------------------------------- stability


@pytest.mark.parametrize("method", ["euler", "conex", "rk2", "rk4"])
@pytest.mark.parametrize(("model", "name"), [(LIF, "tau"), (ELIF, "tau"), (AELIF, "w_tau")])
def test_a_step_too_long_is_refused(model: type[LIF], name: str, method: str) -> None:
    limit = STABILITY_LIMIT[method]
    other = {"tau": 99 * ms} if name == "w_tau" else {}
    neuron = make(model, **{name: 5 * ms, **other})
    with pytest.raises(
        ValueError,
        match=rf"^{name} = 5\. ms is too short for dt = {limit * 5.001:g} ms: '{method}' is "
        rf"unstable where dt is {limit:g} time constants or more\. Set a smaller dt",
    ):
        neuron.group(1, method=method, dt=limit * 5.001 * ms)
    neuron.group(1, method=method, dt=limit * 4.999 * ms)


def test_the_message_says_which_neuron() -> None:
    neuron = make(LIF, tau=[19, 0.04, 21] * ms)
    with pytest.raises(ValueError, match=r"^tau = .* is too short for neuron 1 for dt = 0\.1 ms"):
        neuron.group(method="euler")
    assert neuron.group(method="exact").N == 3


def test_the_clock_that_the_group_gets_is_the_one_checked() -> None:
    neuron = make(LIF, tau=1 * ms)
    defaultclock.dt = 3 * ms
    with pytest.raises(ValueError, match=r"for dt = 3 ms: 'rk4' is unstable"):
        neuron.group(1, method="rk4")
    assert neuron.group(1, method="rk4", dt=1 * ms).N == 1


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4"])
def test_the_limit_is_where_a_decay_stops_shrinking(method: str) -> None:
    """One step multiplies a deviation by the method's polynomial; its size reaches 1 there."""
    z = -STABILITY_LIMIT[method]
    terms = [1, z, z**2 / 2, z**3 / 6, z**4 / 24][: ORDERS[method] + 1]
    assert abs(sum(terms)) == pytest.approx(1, abs=1e-3)


def test_methods_without_a_limit_take_any_step() -> None:
    for method in ("exact", "exponential_euler"):
        assert STABILITY_LIMIT.get(method, inf) == inf
        group = make(LIF).group(1, I=20 * pA, method=method, dt=500 * ms)
        assert group.dt == 500 * ms


def test_choose_method_answers_by_table_alone() -> None:
    assert choose_method(None, NONLINEAR, CONSTANT, False) == "rk4"
    assert choose_method("rk2", LINEAR, GENERAL, False) == "rk2"
