"""Expressions and time steps are checked before a group exists."""

# ruff: noqa: E741 - I is CoNeX's and Brian2's name of the input current

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Equations,
    TimedArray,
    amp,
    check_units,
    defaultclock,
    ms,
    mV,
    nA,
    pA,
    run,
    second,
)

from conex_brian import AELIF, LIF
from neurons import make

REST, TAU, R = -69.0, 19.0, 0.48


def refused(name: str, text: str) -> Any:
    """Call ``group`` with the expression ``text`` where ``name`` says."""
    if name == "refractory":
        return make(AELIF).group(2, refractory=text, namespace=NAMESPACE)
    if name == "I":
        return make(AELIF).group(2, I=text, namespace=NAMESPACE)
    return make(AELIF, **{name: text}).group(2, refractory=1 * ms, namespace=NAMESPACE)


NAMES = ["init_v", "omega", "init_s", "refractory", "I"]
VALID = {
    "init_v": [
        "v_rest",
        "v_reset + rand()*5*mV",
        "-60*mV - i*mV",
        "theta_rh - delta*exp(1)",
        "E_L",
    ],
    "omega": ["2*pA", "alpha*(theta_rh - v_rest)", "beta*randn()", "2*pA*int(i == 1)", "w_0"],
    "init_s": ["True", "i == 0", "rand() < 0.5", "v_rest < -60*mV and i > 0", "not (i == 1)"],
    "refractory": ["2*ms", "i*ms + tau/10", "v > -40*mV", "w_tau/20", "not (v < v_rest)", "period"],
    "I": ["2*pA", "beta*2", "alpha*(v_rest - v)", "w_0*rand()", "2*pA*sin(2*pi*t/second)"],
}
NAMESPACE = {"E_L": -71 * mV, "w_0": 2 * pA, "period": 3 * ms}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n in NAMES for t in VALID[n]])
def test_expressions_that_fit_are_taken(name: str, text: str) -> None:
    assert refused(name, text).N == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["", "3 +", "(v_rest", "v_rest)", "x = 3", "import os", "3 mV", "?"]
)
def test_malformed_expressions_are_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} = .* is not an expression"):
        refused(name, text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["[1, 2]", "v_rest if i else v", "'text'", "v_rest.real", "{}", "1, 2"]
)
def test_what_brian2_has_no_syntax_for_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} = "):
        refused(name, text)


@pytest.mark.parametrize(
    ("name", "text", "unknown", "meant"),
    [
        ("init_v", "v_rst + 3*mV", "v_rst", "v_rest"),
        ("init_v", "E_1", "E_1", "E_L"),
        ("omega", "apha*mV", "apha", "alpha"),
        ("init_s", "lastspke > 0*ms", "lastspke", "lastspike"),
        ("refractory", "perod", "perod", "period"),
        ("refractory", "v > treshold", "treshold", "threshold"),
        ("I", "w_00*2", "w_00", "w_0"),
        ("init_v", "QQQQQ*mV", "QQQQQ", None),
    ],
)
def test_unknown_names_get_the_nearest(
    name: str, text: str, unknown: str, meant: str | None
) -> None:
    hint = rf" \(did you mean '{meant}'\?\)" if meant else ""
    with pytest.raises(ValueError, match=rf"names '{unknown}', which is not known{hint}\. Define"):
        refused(name, text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("init_v", "3*nA", r"^init_v .*'3\*nA'.* is a value in amp, but needs a value in volt"),
        ("init_v", "3", r"^init_v .*'3'.* is a number without unit, but needs a value in volt"),
        ("init_v", "v_rest + 3", r"^init_v = 'v_rest \+ 3': "),
        ("omega", "v_rest", r"^omega .*'v_rest'.* is a value in volt, but needs a value in amp"),
        ("init_s", "v_rest", r"^init_s = 'v_rest' is in volt, but needs a condition"),
        ("init_s", "1", r"^init_s = '1' is in 1, but needs a condition"),
        (
            "refractory",
            "v_rest",
            r"^refractory = 'v_rest' is in volt, but needs a time or a condit",
        ),
        ("refractory", "2", r"^refractory = '2' is in 1, but needs a time or a condition"),
        ("refractory", "v > 3", r"^refractory = 'v > 3': "),
        ("I", "v_rest", r"^I = 'v_rest' is in volt, but needs amp"),
    ],
)
def test_wrong_dimensions_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(DimensionMismatchError, match=message):
        refused(name, text)


def test_names_in_the_namespace_come_before_those_of_the_caller() -> None:
    level = -60 * mV  # noqa: F841 - what the namespace shadows
    group = make(LIF, init_v="level").group(1)
    assert group.v[0] == -60 * mV
    group = make(LIF, init_v="level").group(1, namespace={"level": -65 * mV})
    np.testing.assert_allclose(group.v / mV, [-65], rtol=1e-14)


def test_the_models_variables_come_before_the_callers_names() -> None:
    v_rest, tau = -1 * mV, 1 * second  # noqa: F841 - a script's own values
    group = make(LIF, init_v="v_rest - 0*mV*tau/second").group(1)
    assert group.v[0] == -69 * mV


def test_functions_of_the_users_may_be_named() -> None:
    @check_units(x=second, result=amp)
    def wave(x: Any) -> Any:
        return 20 * pA * np.ones(np.shape(x))

    wave.stateless = True
    group = make(LIF).group(1, I="wave(t)", method="euler")
    run(1 * ms)
    assert group.v[0] > -69 * mV
    with pytest.raises(ValueError, match=r"names 'wawe', which is not known \(did you mean 'wave'"):
        make(LIF).group(1, I="wawe(t)")


# ---------------------------------------------------------------- timed arrays


def stimulus_of(dt: float) -> TimedArray:
    return TimedArray([20, 40, -10, 30] * pA, dt=dt * ms)


@pytest.mark.parametrize(
    ("array_dt", "dt"), [(0.1, 0.1), (0.3, 0.1), (0.7, 0.1), (1.0, 0.25), (5, 1)]
)
@pytest.mark.parametrize("named", [False, True], ids=["array", "expression"])
def test_exact_takes_a_timed_array_of_whole_steps(array_dt: float, dt: float, named: bool) -> None:
    stim = stimulus_of(array_dt)
    group = make(LIF).group(1, I="stim(t)" if named else stim, dt=dt * ms)
    run(3 * array_dt * ms, namespace={"stim": stim})
    v = REST
    for current in (20, 40, -10):
        u = REST + R * current
        v = u + (v - u) * np.exp(-array_dt / TAU)
    np.testing.assert_allclose(group.v / mV, [v], rtol=1e-12)


@pytest.mark.parametrize(
    ("array_dt", "dt"), [(0.25, 0.1), (0.05, 0.1), (0.15, 0.1), (1.0, 0.3), (1, 5)]
)
@pytest.mark.parametrize("form", ["array", "expression", "equations"])
def test_exact_refuses_a_timed_array_that_changes_within_a_step(
    array_dt: float, dt: float, form: str
) -> None:
    stim = stimulus_of(array_dt)
    I = {"array": stim, "expression": "stim(t) + 1*pA", "equations": Equations("I = stim(t) : amp")}
    with pytest.raises(
        ValueError,
        match=rf"^I: the TimedArray has dt = {array_dt:g} ms, which is no multiple of the group's "
        rf"dt = {dt:g} ms: 'exact' needs input that is constant in each step",
    ):
        make(LIF).group(1, I=I[form], dt=dt * ms)
    assert make(LIF).group(1, I=I[form], dt=dt * ms, method="rk4").N == 1


def test_the_groups_own_time_step_counts() -> None:
    stim = stimulus_of(0.25)
    assert make(LIF).group(1, I=stim, dt=0.05 * ms).N == 1
    defaultclock.dt = 0.25 * ms
    assert make(LIF).group(1, I=stim).N == 1


def test_a_timed_array_of_another_dimension_is_refused_in_an_expression() -> None:
    stim = TimedArray([1, 2] * mV, dt=1 * ms)  # noqa: F841 - named in the expression
    with pytest.raises(DimensionMismatchError, match=r"^I = 'stim\(t\)' is in volt, but needs amp"):
        make(LIF).group(1, I="stim(t)")


def test_a_timed_array_of_nan_is_refused_in_an_expression() -> None:
    stim = TimedArray([1, np.nan] * nA, dt=1 * ms)  # noqa: F841 - named in the expression
    with pytest.raises(ValueError, match=r"stim.* not finite"):
        make(LIF).group(1, I="stim(t)")
