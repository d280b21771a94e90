"""Whatever values are given: a clear refusal, or a model whose run stays finite."""

# ruff: noqa: E741 - I is CoNeX's and Brian2's name of the input current

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Equations,
    Network,
    Quantity,
    SpikeMonitor,
    TimedArray,
    ms,
    mV,
    nA,
    nS,
    pA,
    second,
    seed,
    volt,
)
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from conex_brian import AELIF, LIF
from conex_brian.integration import METHODS, NONLINEAR
from neurons import MODELS, NUMBERS, SI, arguments

ERRORS = (TypeError, ValueError, DimensionMismatchError)
UNITS = [1, mV, ms, pA, nS, volt, second, volt / nA]

QUICK = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

reals = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1e-310, 1e308, -1e308, 1e30, 1e-30])
numbers = reals | st.integers(-(10**400), 10**400)
several = st.lists(reals, max_size=4).map(np.array) | arrays(
    np.float64, st.tuples(st.integers(0, 3), st.integers(0, 3)), elements=reals
)
quantities = st.builds(lambda x, unit: x * unit, reals | several, st.sampled_from(UNITS))
junk = st.one_of(
    st.none(), st.booleans(), st.text(max_size=8), st.binary(max_size=3), st.complex_numbers(),
    st.lists(st.none() | st.text(max_size=2), max_size=2), st.just({}), st.just(object),
)  # fmt: skip
anything = st.one_of(numbers, several, quantities, junk)


@st.composite
def calls(draw: Any) -> tuple[type[LIF], dict[str, Any], list[str]]:
    """Draw a model and arguments of which one to three are anything at all."""
    model = draw(st.sampled_from(MODELS))
    names = list(model.parameter_names() + model.initial_names())
    changed = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    values = arguments(model, draw(st.sampled_from([SI, NUMBERS])))
    for name in changed:
        unit = Quantity(1.0, dim=Quantity(values.get(name, 1)).dim)
        values[name] = draw(anything | (reals | several).map(lambda x, unit=unit: x * unit))
    return model, values, changed


@settings(QUICK, max_examples=400)
@given(calls())
def test_a_constructor_makes_a_model_or_says_which_parameter_is_wrong(
    call: tuple[type[LIF], dict[str, Any], list[str]],
) -> None:
    model, values, changed = call
    try:
        neuron = model(**values)
    except ERRORS as error:
        event("refused")
        message = str(error)
        assert message.startswith(model.__name__)
        assert any(name in message for name in changed), message
        return
    event("made")
    for name in model.parameter_names():
        assert np.isfinite(np.asarray(getattr(neuron, name))).all()
    assert neuron.replace() == neuron and hash(neuron.replace()) == hash(neuron)
    assert str(neuron) and repr(neuron) and neuron._repr_latex_()


COUNT = 12


@st.composite
def populations(draw: Any) -> tuple[type[LIF], dict[str, Any]]:
    """Draw values a neuron over many magnitudes, most of which some neuron could have."""

    def magnitudes(low: float, high: float) -> NDArray[np.floating]:
        exponents = st.floats(low, high) | st.sampled_from([low, high])
        return 10 ** draw(arrays(np.float64, COUNT, elements=exponents))

    def signed(low: float, high: float) -> NDArray[np.floating]:
        signs = st.sampled_from([-1.0, 0.0, 1.0])
        return magnitudes(low, high) * draw(arrays(np.float64, COUNT, elements=signs))

    model = draw(st.sampled_from(MODELS))
    rest = signed(-6, 2)
    reset = rest + signed(-6, 2)
    values = {
        "R": magnitudes(-3, 12), "threshold": reset + magnitudes(-4, 3),
        "tau": magnitudes(-4, 4) * second, "v_reset": reset, "v_rest": rest,
        "delta": magnitudes(-9, 2), "theta_rh": rest + signed(-6, 2), "alpha": signed(-15, 3),
        "beta": signed(-15, 3), "w_tau": magnitudes(-4, 4) * second,
    }  # fmt: skip
    return model, {name: values[name] for name in model.parameter_names()}


INPUTS: list[Any] = [
    None,
    np.geomspace(1e-12, 1e6, COUNT),
    -np.geomspace(1e-12, 1e6, COUNT),
    "1e-3*sin(t/ms)",
    "(v_rest - v)/R",
    Equations("I = J : 1\ndJ/dt = (1e-3 - J)/(4*ms) : 1"),
    TimedArray([1e-9, -1e3, 1e6], dt=1 * ms),
]


@settings(QUICK, max_examples=12)
@given(
    populations(),
    st.sampled_from(INPUTS),
    st.sampled_from([None, "rk4", "rk2", "euler"]),
    st.sampled_from([False, 0.3 * ms]),
)
@pytest.mark.slow
def test_a_group_refuses_or_stays_finite(
    population: tuple[type[LIF], dict[str, Any]], I: Any, method: str | None, refractory: Any
) -> None:
    model, values = population
    try:
        group = model(**values).group(COUNT, I=I, method=method, refractory=refractory)
    except ERRORS as error:
        event("refused")
        names = (*model.parameter_names(), "method", "I")
        message = str(error)
        assert any(name in message for name in names), message
        return
    event("ran")
    with np.errstate(all="ignore"):
        Network(group).run(30 * group.dt)
    for name in ("v", "omega") if model is AELIF else ("v",):
        state = np.asarray(getattr(group, name)[:])
        assert np.isfinite(state).all(), {
            n: np.asarray(x)[~np.isfinite(state)] for n, x in values.items()
        }


def random_adaptive(count: int) -> tuple[dict[str, Any], NDArray[np.floating]]:
    """Return AELIF arguments over broad ranges, and currents; mV, Gohm (nS), pA as SI."""
    random = np.random.default_rng(20240607)

    def between(low: float, high: float) -> NDArray[np.floating]:
        return np.exp(random.uniform(np.log(low), np.log(high), count))

    sign = random.choice([-1.0, 1.0], count)
    rest, R, delta = -between(10, 100), between(1e-2, 10), between(1e-3, 20)
    theta = rest + between(0.1, 60)
    threshold = theta + delta * between(0.01, 1000)
    reset = np.minimum(rest + random.uniform(-30, 30, count), threshold - 0.01 * delta)
    values = {
        "R": R * 1e9, "threshold": threshold * 1e-3, "tau": between(0.2, 200) * 1e-3,
        "v_reset": reset * 1e-3, "v_rest": rest * 1e-3, "delta": delta * 1e-3,
        "theta_rh": theta * 1e-3, "alpha": sign * between(1e-3, 1e3) * 1e-9,
        "beta": between(1e-2, 1e4) * 1e-12, "w_tau": between(1, 1000) * 1e-3,
    }  # fmt: skip
    rheobase = np.abs(theta - rest - delta) / R * 1e-12
    current = rheobase * between(1e-2, 1e3) * random.choice([-1.0, 1.0], count)
    return {n: Quantity(x, dim=SI[n].dim) for n, x in values.items()}, current


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "count", "steps"),
    [("rk4", 10**6, 50), ("rk2", 10**5, 100), ("euler", 10**5, 100)],
)
def test_no_random_neuron_is_lost(method: str, count: int, steps: int) -> None:
    """None ends in nan, and all that must fire do.

    Where R*I is above 10 voltage ranges (rest or reset to threshold) even the leaky membrane
    without upswing passes the threshold within 0.11 tau; adaptation takes less than half of the
    drive in that time where 10*abs(alpha)*R*0.11*tau/w_tau < 1, and can only lag in a grid by two
    steps. Both signs of alpha occur, alpha*R < -1 too.
    """
    assert method in METHODS[NONLINEAR, "constant", False]
    seed(1)
    values, current = random_adaptive(count)
    group = AELIF(**values).group(I=Quantity(current, dim=pA.dim), method=method)
    spikes = SpikeMonitor(group, record=False)
    with np.errstate(all="ignore"):
        Network(group, spikes).run(steps * group.dt)
    assert np.isfinite(np.asarray(group.v)).all() and np.isfinite(np.asarray(group.omega)).all()
    assert np.all(np.asarray(group.v) <= np.asarray(values["threshold"]))

    plain = {name: np.asarray(value) for name, value in values.items()}
    extent = plain["threshold"] - np.minimum(plain["v_rest"], plain["v_reset"])
    slow = np.abs(plain["alpha"]) * plain["R"] * 1.1 * plain["tau"] / plain["w_tau"]
    steps_needed = 0.11 * plain["tau"] / float(group.dt[:]) + 2
    must = (plain["R"] * current > 10 * extent) & (slow < 1) & (steps_needed < steps)
    assert must.sum() > count / 100
    assert np.all(spikes.count[:][must] > 0)
    runaway = plain["alpha"] * plain["R"] < -1
    assert runaway.sum() > count / 20
