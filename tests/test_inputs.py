"""Every kind of ``I`` is recognised, reaches the membrane, and is checked."""

# ruff: noqa: E741 - I is CoNeX's and Brian2's name of the input current

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Equations,
    NeuronGroup,
    Quantity,
    StateMonitor,
    TimedArray,
    amp,
    inf,
    kilogram,
    ms,
    mV,
    nA,
    nan,
    nS,
    pA,
    run,
    seed,
    volt,
)
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from conex_brian import AELIF, ELIF, LIF
from conex_brian.inputs import CONDUCTANCE, CONSTANT, DECAYING, GENERAL
from neurons import MODELS, NUMBERS, make

# make(LIF) in mV, pA, ms: the analytic solutions use these.
R, TAU, REST = 0.48, 19.0, -69.0

EXPONENTIAL = Equations("dI/dt = -I/tau_s : amp\ntau_s : second (constant)")
TWO_EXPONENTIALS = Equations(
    """I = I_e - I_i : amp
       dI_e/dt = -I_e/(3*ms) : amp
       dI_i/dt = (2*pA - I_i)/(7*ms) : amp"""
)
ALPHA = Equations(
    """I = J : amp
       dJ/dt = (y - J)/(5*ms) : amp
       dy/dt = -y/(5*ms) : amp"""
)
CONDUCTANCES = Equations(
    """I = g_e*(E_e - v) + 0.3*nS*(E_i - v) : amp
       dg_e/dt = -g_e/(5*ms) : siemens
       E_e : volt (shared)
       E_i = -75*mV : volt"""
)
NMDA = Equations(
    """I = g*(5*mV - v)/(1 + exp(-v/(16*mV))/3.57) : amp
       dg/dt = -g/(60*ms) : siemens"""
)


def named(value: Any) -> str:
    """Return a test's name for an input: a TimedArray's own text holds its address."""
    return "TimedArray" if isinstance(value, TimedArray) else " ".join(str(value).split())[:50]


def lif(current: Any, t: float, start: Any = REST) -> NDArray[np.floating]:
    """Return LIF's v in mV after ``t`` ms of a constant current in pA."""
    u = REST + R * np.asarray(current)
    return np.asarray(u + (start - u) * np.exp(-t / TAU))


def integrated(rate: Any, start: list[float], t: float) -> float:
    """Return v in mV after ``t`` ms, from a reference integrator; ``rate`` is for mV, pA, ms."""
    return float(solve_ivp(rate, (0, t), start, "DOP853", rtol=1e-12, atol=1e-12).y[0, -1])


# ---------------------------------------------------------------- kinds


stimulus = TimedArray([3, 9, -4] * pA, dt=2 * ms)


@pytest.mark.parametrize(
    ("I", "kind"),
    [
        (None, CONSTANT),
        (30 * pA, CONSTANT),
        ([30, 40] * pA, CONSTANT),
        (stimulus, CONSTANT),
        (TimedArray([[3, 9], [5, 6]] * pA, dt=2 * ms), CONSTANT),
        ("30*pA", CONSTANT),
        ("30*pA + 5*pA*i", CONSTANT),
        ("stimulus(t) + 5*pA", CONSTANT),
        ("R*nS*30*pA", CONSTANT),
        ("30*pA*rand()", CONSTANT),
        ("30*pA*sin(t/ms)", GENERAL),
        ("stimulus(2*t)*cos(t/second)", GENERAL),
        ("2*nS*(-60*mV - v)", CONDUCTANCE),
        ("stimulus(t)*(1 + v/volt)", CONDUCTANCE),
        ("2*nS*v*v/volt", GENERAL),
        ("2*nS*(-60*mV - v)/(1 + exp(-v/mV))", GENERAL),
        ("2*nS*v*int(v > -60*mV)", GENERAL),
        (Equations("I : amp"), CONSTANT),
        (Equations("I : amp (shared)"), CONSTANT),
        (Equations("I = I_ext + I_two : amp\nI_ext : amp\nI_two : amp"), CONSTANT),
        (Equations("I = 2*pA*sin(t/ms) : amp (constant over dt)"), CONSTANT),
        (EXPONENTIAL, DECAYING),
        (TWO_EXPONENTIALS, DECAYING),
        (Equations("I = I_a + stimulus(t) : amp\ndI_a/dt = -I_a/(3*ms) : amp"), DECAYING),
        (ALPHA, GENERAL),
        (Equations("I = I_a + 3*pA*sin(t/ms) : amp\ndI_a/dt = -I_a/(3*ms) : amp"), GENERAL),
        (Equations("I = I_a*I_a/pA : amp\ndI_a/dt = -I_a/(3*ms) : amp"), GENERAL),
        (Equations("dI/dt = -I*I/pA/(3*ms) : amp"), GENERAL),
        (Equations("dI/dt = (1*nS*(v + 60*mV) - I)/(3*ms) : amp"), GENERAL),
        (CONDUCTANCES, CONDUCTANCE),
        (NMDA, GENERAL),
    ],
    ids=named,
)
def test_the_kind_of_input_is_found(I: Any, kind: str) -> None:
    template = make(LIF).template(I)
    assert template.kind == kind
    assert "I" in template.group(2).variables


# ---------------------------------------------------------------- what the group receives


@pytest.mark.parametrize("model", MODELS)
def test_without_I_each_neuron_has_one_to_set(model: type[LIF]) -> None:
    group = make(model).group(3)
    assert group.I[:].shape == (3,) and np.all(0 * amp == group.I)
    group.I = [20, 30, 40] * pA
    np.testing.assert_allclose(group.I / pA, [20, 30, 40], rtol=1e-14)


def test_without_I_what_is_set_is_received() -> None:
    group = make(LIF).group(3)
    group.I = [20, 30, 40] * pA
    run(7 * ms)
    np.testing.assert_allclose(group.v / mV, lif([20, 30, 40], 7), rtol=1e-12)


def test_a_scalar_is_shared_and_can_be_set() -> None:
    group = make(LIF).group(2, I=35 * pA)
    assert group.variables["I"].scalar
    run(7 * ms)
    np.testing.assert_allclose(group.v / mV, lif([35, 35], 7), rtol=1e-12)
    group.I = -12 * pA
    run(5 * ms)
    np.testing.assert_allclose(group.v / mV, [lif(-12, 5, float(lif(35, 7)))] * 2, rtol=1e-12)


def test_an_array_is_for_the_neurons_and_can_be_set() -> None:
    group = make(LIF).group(I=[35, -20, 60] * pA)
    assert group.N == 3 and not group.variables["I"].scalar
    run(7 * ms)
    np.testing.assert_allclose(group.v / mV, lif([35, -20, 60], 7), rtol=1e-12)
    before = group.v / mV
    group.I[1:] = 10 * pA
    run(5 * ms)
    expected = [lif(35, 12), lif(10, 5, before[1]), lif(10, 5, before[2])]
    np.testing.assert_allclose(group.v / mV, expected, rtol=1e-12)


def test_a_list_is_an_array() -> None:
    assert make(LIF).group(I=[35 * pA, 20 * pA]).N == 2


@pytest.mark.parametrize("model", MODELS)
def test_a_dimensionless_model_takes_numbers(model: type[LIF]) -> None:
    group = make(model, NUMBERS).group(I=[0.05, 0.06])
    assert group.N == 2 and group.I[1] == 0.06
    with pytest.raises(
        DimensionMismatchError, match=r"I = 50. pA is a value in amp, but needs a n"
    ):
        make(model, NUMBERS).group(2, I=50 * pA)


@pytest.mark.parametrize("method", ["exact", "rk4", "rk2", "euler"])
def test_a_timed_array_is_received_step_by_step(method: str) -> None:
    """A current that is constant in each step adds up step by step, whatever the method's order."""
    steps = np.array([35.0, -20.0, 60.0, 10.0, 45.0])
    group = make(LIF).group(2, I=TimedArray(steps * pA, dt=0.2 * ms), method=method)
    run(1 * ms)
    h = 0.1 / TAU
    decay = {
        "exact": np.exp(-h), "rk4": 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24,
        "rk2": 1 - h + h**2 / 2, "euler": 1 - h,
    }[method]  # fmt: skip
    v = REST
    for current in np.repeat(steps, 2):
        u = REST + R * current
        v = u + (v - u) * decay
    np.testing.assert_allclose(group.v / mV, [v, v], rtol=1e-13)


def test_a_timed_array_of_columns_is_for_the_neurons() -> None:
    group = make(LIF).group(I=TimedArray([[35, -20, 60], [10, 20, 5]] * pA, dt=3 * ms))
    assert group.N == 3
    run(7 * ms)
    half = lif([35, -20, 60], 3)
    expected = [lif(now, 4, v) for now, v in zip([10, 20, 5], half, strict=True)]
    np.testing.assert_allclose(group.v / mV, expected, rtol=1e-12)


def test_two_groups_have_a_timed_array_each() -> None:
    one = make(LIF).group(1, I=TimedArray([35] * pA, dt=1 * ms))
    two = make(LIF).group(1, I=TimedArray([-20] * pA, dt=1 * ms))
    run(2 * ms)
    np.testing.assert_allclose([one.v[0] / mV, two.v[0] / mV], lif([35, -20], 2), rtol=1e-12)


def test_an_expression_adds_currents() -> None:
    I_ext, I_syn = 21 * pA, 9 * pA  # noqa: F841 - named in the expression
    group = make(LIF).group(2, I="I_ext + I_syn")
    run(7 * ms)
    np.testing.assert_allclose(group.v / mV, lif([30, 30], 7), rtol=1e-12)


def test_an_expression_finds_names_in_the_namespace() -> None:
    group = make(LIF).group(2, I="I_ext - I_syn*i", namespace={"I_ext": 21 * pA, "I_syn": 9 * pA})
    run(7 * ms)
    np.testing.assert_allclose(group.v / mV, lif([21, 12], 7), rtol=1e-12)


def test_an_expression_finds_timed_arrays() -> None:
    pulse = TimedArray([[35, -20], [10, 20]] * pA, dt=3 * ms)  # noqa: F841 - named
    group = make(LIF).group(2, I="pulse(t, i) + 5*pA")
    run(7 * ms)
    half = lif([40, -15], 3)
    np.testing.assert_allclose(group.v / mV, [lif(15, 4, half[0]), lif(25, 4, half[1])], rtol=1e-12)


def test_an_expression_of_time() -> None:
    group = make(LIF).group(1, I="30*pA*sin(t/(2*ms))")
    run(7 * ms)
    expected = integrated(lambda t, v: (REST - v + R * 30 * np.sin(t / 2)) / TAU, [REST], 7)
    np.testing.assert_allclose(group.v / mV, [expected], rtol=1e-10)


@pytest.mark.parametrize(("method", "rtol"), [(None, 1e-12), ("rk4", 1e-11)])
def test_an_expression_of_v_is_a_conductance(method: str | None, rtol: float) -> None:
    group = make(LIF).group(1, I="2*nS*(-60*mV - v)", method=method)
    run(7 * ms)
    total = 1 + R * 2
    u = (REST - R * 2 * 60) / total
    np.testing.assert_allclose(group.v / mV, [u + (REST - u) * np.exp(-7 * total / TAU)], rtol=rtol)


def test_an_expression_nonlinear_in_v() -> None:
    group = make(LIF).group(1, I="2*nS*(-20*mV - v)/(1 + exp(-(v + 60*mV)/(3*mV)))")
    run(9 * ms)
    expected = integrated(
        lambda t, v: (REST - v + R * 2 * (-20 - v) / (1 + np.exp(-(v + 60) / 3))) / TAU, [REST], 9
    )
    np.testing.assert_allclose(group.v / mV, [expected], rtol=1e-10)


def test_random_numbers_are_drawn_once_a_step_for_each_neuron() -> None:
    seed(4321)
    group = make(LIF).group(2, I="30*pA*rand()")
    monitor = StateMonitor(group, ["v", "I"], record=True)
    run(3 * ms)
    v, drawn = monitor.v / mV, monitor.I / pA
    assert len(np.unique(drawn)) == drawn.size and drawn.min() >= 0 and drawn.max() < 30
    np.testing.assert_allclose(v[:, 1:], lif(drawn[:, :-1], 0.1, v[:, :-1]), rtol=1e-12)


def test_equations_of_a_parameter() -> None:
    group = make(LIF).group(2, I=Equations("I = I_a + I_b : amp\nI_a : amp\nI_b : amp (shared)"))
    group.I_a, group.I_b = [10, 20] * pA, 7 * pA
    run(7 * ms)
    np.testing.assert_allclose(group.v / mV, lif([17, 27], 7), rtol=1e-12)


def exponential_response(J: float, tau_s: float, t: float) -> float:
    """Return the response in mV to an exponential current of ``J`` pA, ``tau_s`` not LIF's tau."""
    return float(R * J * tau_s / (TAU - tau_s) * (np.exp(-t / TAU) - np.exp(-t / tau_s)))


def test_an_exponential_synapse() -> None:
    group = make(LIF).group(2, I=EXPONENTIAL)
    group.tau_s, group.I = [3, 41] * ms, [50, 20] * pA
    run(7 * ms)
    expected = [exponential_response(50, 3, 7), exponential_response(20, 41, 7)]
    np.testing.assert_allclose(group.v / mV - REST, expected, rtol=1e-11)
    np.testing.assert_allclose(
        group.I / pA, [50 * np.exp(-7 / 3), 20 * np.exp(-7 / 41)], rtol=1e-12
    )


def test_two_synapses_with_a_steady_part() -> None:
    group = make(LIF).group(1, I=TWO_EXPONENTIALS)
    group.I_e, group.I_i = 50 * pA, 11 * pA
    run(7 * ms)
    steady = float(lif(-2, 7)) - REST
    expected = exponential_response(50, 3, 7) - exponential_response(9, 7, 7) + steady
    np.testing.assert_allclose(group.v / mV - REST, [expected], rtol=1e-11)


def test_an_alpha_synapse() -> None:
    group = make(LIF).group(1, I=ALPHA)
    group.y = 80 * pA
    run(7 * ms)

    def rate(t: float, x: Any) -> list[float]:
        v, J, y = x
        return [(REST - v + R * J) / TAU, (y - J) / 5, -y / 5]

    np.testing.assert_allclose(group.v / mV, [integrated(rate, [REST, 0, 80], 7)], rtol=1e-9)


def test_conductances() -> None:
    """exponential_euler takes g as constant within a step: an error of order dt, here 2e-3 mV."""
    group = make(LIF).group(1, I=CONDUCTANCES)
    assert make(LIF).template(CONDUCTANCES).method == "exponential_euler"
    exact = make(LIF).group(1, I=CONDUCTANCES, method="rk4")
    for each in (group, exact):
        each.g_e, each.E_e = 0.9 * nS, 3 * mV
    run(7 * ms)

    def rate(t: float, x: Any) -> list[float]:
        v, g = x
        return [(REST - v + R * (g * (3 - v) + 0.3 * (-75 - v))) / TAU, -g / 5]

    expected = integrated(rate, [REST, 0.9], 7)
    np.testing.assert_allclose(exact.v / mV, [expected], rtol=1e-9)
    assert abs(group.v[0] / mV - expected) < 0.1


def test_an_nmda_synapse() -> None:
    group = make(LIF).group(1, I=NMDA)
    group.g = 2 * nS
    run(7 * ms)

    def rate(t: float, x: Any) -> list[float]:
        v, g = x
        return [(REST - v + R * g * (5 - v) / (1 + np.exp(-v / 16) / 3.57)) / TAU, -g / 60]

    np.testing.assert_allclose(group.v / mV, [integrated(rate, [REST, 2], 7)], rtol=1e-9)


@pytest.mark.parametrize("model", [ELIF, AELIF])
@pytest.mark.parametrize(
    ("I", "current"),
    [
        (31 * pA, lambda t, v: 31),
        ("31*pA*sin(t/(2*ms))", lambda t, v: 31 * np.sin(t / 2)),
        ("1*nS*(-50*mV - v)", lambda t, v: -50 - v),
        (TimedArray([31] * pA, dt=1 * ms), lambda t, v: 31),
    ],
    ids=["scalar", "time", "conductance", "timed array"],
)
def test_exponential_models_receive_it_too(model: type[LIF], I: Any, current: Any) -> None:
    alpha = 0.6 if model is AELIF else 0.0
    group = make(model).group(1, I=I)
    run(7 * ms)

    def rate(t: float, x: Any) -> list[float]:
        v, w = x
        upswing = 2.1 * np.exp((v + 51) / 2.1)
        return [
            (REST - v + upswing + R * (current(t, v) - w)) / TAU, (alpha * (v - REST) - w) / 33,
        ]  # fmt: skip

    np.testing.assert_allclose(group.v / mV, [integrated(rate, [REST, 0], 7)], rtol=1e-9)


# ---------------------------------------------------------------- zero


@pytest.mark.parametrize(
    "I",
    [None, 0 * nA, [0, 0] * nA, TimedArray([0, 0] * nA, dt=1 * ms), "0*nA", Equations("I : amp")],
    ids=named,
)
def test_no_current_is_a_current(I: Any) -> None:
    group = make(LIF).group(2, I=I)
    run(5 * ms)
    np.testing.assert_allclose(group.v / mV, [REST, REST], rtol=1e-14)


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("I", "message"),
    [
        (
            3 * mV,
            r"^I = 3\. mV is a value in volt, but needs a value in amp, the dimension of v_re",
        ),
        (3, r"^I = 3.* without unit, but needs a value in amp, the dimension of v_rest/R"),
        ([3, 4] * kilogram, r"^I = .* is a value in kilogram, but needs a value in amp"),
        (TimedArray([3, 4] * mV, dt=1 * ms), r"^I: the TimedArray holds values in volt, but need"),
        (TimedArray([3, 4], dt=1 * ms), r"^I: the TimedArray holds values in 1, but needs amp"),
        ("3*mV", r"^I = '3\*mV' is in volt, but needs amp"),
        ("3*nA + 1", r"^I = '3\*nA \+ 1': "),
        ("v_rest", r"^I = 'v_rest' is in volt, but needs amp"),
        ("sin(3*nA)*nA", r"^I = 'sin\(3\*nA\)\*nA': "),
        (Equations("I : volt"), r"^I: the Equations define I in volt, but it needs amp"),
        (Equations("I : 1"), r"^I: the Equations define I in 1, but it needs amp"),
        (Equations("I = 3*mV : amp"), r"^I = '3\*mV' is in volt, but needs amp"),
        (Equations("dI/dt = -I : amp"), r"^dI/dt = '-I' is in amp, but needs "),
        (Equations("I = J : amp\nJ = 3*mV : amp"), r"^J = '3\*mV' is in volt, but needs amp"),
    ],
    ids=named,
)
def test_a_wrong_dimension_is_refused(I: Any, message: str) -> None:
    with pytest.raises(DimensionMismatchError, match=message):
        make(LIF).group(2, I=I)


def test_masked_values_are_refused() -> None:
    masked = np.ma.array([1.1, 2.2, 3.3], mask=[False, True, False])
    with pytest.raises(ValueError, match=r"^I = .* is masked for neuron 1\. Give numbers"):
        make(LIF).template(masked * nA)
    with pytest.raises(ValueError, match=r"^LIF: tau = .* is masked for neuron 1\. Give numbers"):
        make(LIF, tau=masked * ms)


def test_the_last_spike_is_known_where_there_is_a_refractory_period() -> None:
    current = "0.3*nA*int(t - lastspike > 5*ms)*int(not_refractory)"
    with pytest.raises(ValueError, match=r"^I = .* uses 'lastspike', which only a group with a "
                       r"refractory period has\. Give refractory=0\*ms"):  # fmt: skip
        make(LIF).group(1, current)
    make(LIF).group(1, current, refractory=0 * ms)
    run(0.2 * ms)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_nan_and_infinity_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^I = .* is not finite\. Give"):
        make(LIF).template(I=bad * pA)
    with pytest.raises(ValueError, match=r"^I = .* is not finite for neuron 2\. Give"):
        make(LIF).template(I=[1, 2, bad] * pA)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_nan_and_infinity_in_a_timed_array_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^I: the TimedArray is not finite") as caught:
        make(LIF).template(I=TimedArray([1, 2, 3, bad] * pA, dt=1 * ms))
    assert "neuron" not in str(caught.value)  # it is the fourth time, not the fourth neuron
    with pytest.raises(ValueError, match=r"^I: the TimedArray is not finite"):
        make(LIF).template(I=TimedArray([[1, 2], [3, bad]] * pA, dt=1 * ms))


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_nan_and_infinity_in_the_namespace_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"I_ext.* not finite"):
        make(LIF).group(2, I="I_ext + 3*pA", namespace={"I_ext": bad * pA})


@pytest.mark.parametrize(
    ("I", "message"),
    [
        ([] * pA, r"^I = .*: it needs a current, .* but the array is empty"),
        ([[1, 2], [3, 4]] * pA, r"^I = .*: a scalar or one value a neuron, not 2 dimensions"),
    ],
)
def test_a_wrong_shape_is_refused(I: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(LIF).template(I=I)


def test_as_many_currents_as_parameters_are_needed() -> None:
    neuron = make(LIF, tau=[19, 20, 21] * ms)
    with pytest.raises(ValueError, match=r"LIF: I has 2 values, but tau has 3"):
        neuron.template(I=[1, 2] * pA)
    with pytest.raises(ValueError, match=r"^I: the TimedArray has 2 columns, but other values are"):
        neuron.template(I=TimedArray([[1, 2]] * pA, dt=1 * ms))
    assert neuron.group(I=[1, 2, 3] * pA).N == 3
    assert neuron.group(I=TimedArray([[1, 2, 3]] * pA, dt=1 * ms)).N == 3


@pytest.mark.parametrize(
    "bad",
    [True, 1j, 2j * nA, {}, SimpleNamespace(), b"3*nA", [None], np.array([1, 2], dtype=object)],
    ids=str,
)
def test_what_is_no_input_is_refused(bad: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^I = .*: it needs a current, a TimedArray, an expression or Equations"
    ):
        make(LIF).template(I=bad)


@pytest.mark.parametrize("text", ["I + 3*nA", "2*I", "I"])
def test_an_expression_cannot_refer_to_itself(text: str) -> None:
    with pytest.raises(ValueError, match=r"^I = '.*' refers to itself\. Give the other"):
        make(LIF).template(I=text)


@pytest.mark.parametrize(
    "text",
    ["3*nA +", "(3*nA", "", "   ", "I_ext = 3*nA", "3 nA", "$", "lambda: 3*nA", "[1, 2]*nA",
     "3*nA if v else 4*nA", "nA.x", "'3*nA'", "{1: 2}", "f(x for x in y)", "3*nA, 4*nA"],
)  # fmt: skip
def test_a_malformed_expression_is_refused(text: str) -> None:
    x = y = f = 1.0  # noqa: F841 - what fails is the form, not a name
    with pytest.raises((ValueError, TypeError), match=r"^I = "):
        make(LIF).group(2, I=text)


@pytest.mark.parametrize("text", ["I = 3*nA : amp", "3*nA\n+4*nA"])
def test_definitions_in_a_string_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^I = .*: a string is one expression, such as 'I_ext"):
        make(LIF).template(I=text)


def test_an_expression_may_have_space_around_it() -> None:
    assert make(LIF).group(1, I="\n  3*pA ").N == 1


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("I_exr + 3*pA", "I_exr", "I_ext"),
        ("I_ext*wieght", "wieght", "weight"),
        ("2*nS*(v_rst - v)", "v_rst", "v_rest"),
        ("stimulis(t)", "stimulis", "stimulus"),
        ("qqqqqq*pA", "qqqqqq", None),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(
    text: str, name: str, meant: str | None
) -> None:
    I_ext, weight = 3 * pA, 0.5  # noqa: F841 - the names that were meant
    hint = rf" \(did you mean '{meant}'\?\)" if meant else ""
    with pytest.raises(ValueError, match=rf"names '{name}', which is not known{hint}\. Define it"):
        make(LIF).group(2, I=text)


@pytest.mark.parametrize(
    "value", ["3*nA", None, [1, 2] * pA, {}, SimpleNamespace(), 1j, [3] * pA, pytest], ids=str
)
def test_what_an_expression_names_must_be_a_number(value: Any) -> None:
    with pytest.raises(
        ValueError, match=r"uses 'I_ext', which is .*: it needs a number, a Quantity or a TimedArr"
    ):
        make(LIF).group(2, I="I_ext + 3*pA", namespace={"I_ext": value})


@pytest.mark.parametrize("value", [3 * pA, np.float64(3) * pA, np.array(3e-12) * amp])
def test_what_an_expression_names_may_be_any_number(value: Any) -> None:
    group = make(LIF).group(2, I="I_ext + 5*pA", namespace={"I_ext": value})
    run(1 * ms)
    np.testing.assert_allclose(group.v / mV, lif([8, 8], 1), rtol=1e-12)


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (
            "J : amp",
            r"^I: the Equations define J, but not I\. Add a line such as 'I = \.\.\. : amp'",
        ),
        ("", r"^I: the Equations define nothing, but not I"),
        (
            "I : amp\nv : volt",
            r"^I: the Equations define 'v', which the model defines itself\. Ren",
        ),
        ("I : amp\ntau : second", r"^I: the Equations define 'tau', which"),
        ("I : amp\nv_bounded : volt", r"^I: the Equations define 'v_bounded', which"),
        (
            "I = 2*J : amp\ndJ/dt = -J/R/farad : amp\nR : ohm",
            r"^I: the Equations define 'R', which",
        ),
        ("I : amp\nomega : amp", r"^I: the Equations define 'omega', which"),
    ],
)
def test_equations_define_I_and_nothing_of_the_models(equations: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(AELIF).template(I=Equations(equations))


def test_lif_leaves_omega_free() -> None:
    group = make(LIF).group(2, I=Equations("I = -omega : amp\nomega : amp"))
    assert isinstance(group, NeuronGroup) and "omega" in group.variables


def test_equations_may_use_the_models_variables() -> None:
    group = make(LIF).group(1, I=Equations("I = 2*g*(v_reset - v) : amp\ng : siemens"))
    group.g = 1 * nS
    run(7 * ms)
    total = 1 + R * 2
    u = (REST - R * 2 * 57) / total
    np.testing.assert_allclose(
        group.v / mV, [u + (REST - u) * np.exp(-7 * total / TAU)], rtol=1e-12
    )


def test_equations_name_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match=r"^dI/dt|^I = '-I/tau_sin' names 'tau_sin', which is not"):
        make(LIF).group(2, I=Equations("dI/dt = -I/tau_sin : amp"))


def test_the_callers_equations_and_arrays_are_left_alone() -> None:
    text, currents = str(NMDA), np.array([3.0, 4.0]) * pA
    group = make(ELIF).group(2, I=NMDA)
    other = make(ELIF).group(I=currents)
    other.I = 9 * pA
    assert str(NMDA) == text and isinstance(group.g[:], Quantity)
    assert (currents / pA).tolist() == [3.0, 4.0]
    assert volt.dim is make(ELIF).template(I=NMDA).model["v_bounded"].dim
