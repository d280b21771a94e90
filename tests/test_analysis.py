"""Rheobase, bifurcations and fixed points against eigenvalues and simulations."""

from __future__ import annotations

import builtins
import doctest
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy
from brian2 import (
    DimensionMismatchError,
    Equations,
    Mohm,
    Network,
    Quantity,
    SpikeMonitor,
    get_dimensions,
    hertz,
    ms,
    mV,
    nA,
    nS,
    pA,
    pF,
    second,
    uS,
)
from brian2.parsing.sympytools import str_to_sympy
from scipy.special import lambertw

from conex_brian import AELIF, ELIF, LIF, analysis, equilibria, rates
from conex_brian.analysis import (
    FixedPoint,
    bifurcation,
    firing_rate,
    fixed_points,
    jacobian,
    nullclines,
    rheobase,
    voltage,
)
from conex_brian.parameters import initial, parameter
from neurons import MODELS, NUMBERS, SI, make

#: Brette and Gerstner, J. Neurophysiol. 94 (2005) 3637.
BG2005 = AELIF(
    R=1 / (30 * nS), threshold=-40.4 * mV, tau=281 * pF / (30 * nS), v_reset=-70.6 * mV,
    v_rest=-70.6 * mV, delta=2 * mV, theta_rh=-50.4 * mV, alpha=4 * nS, beta=80.5 * pA,
    w_tau=144 * ms,
)  # fmt: skip


class Sharp(ELIF):
    """ELIF, in other words: no formula is known for this text."""

    F = "v_rest - v + delta*exp(v/delta - theta_rh/delta)"


class Adapting(AELIF):
    """AELIF, in other words."""

    F = Sharp.F
    RI = "R*(I - omega)"


@dataclass(frozen=True, eq=False, repr=False)
class Quadratic(LIF):
    """The README's model of one's own."""

    v_crit: Any = parameter("voltage")
    delta_v: Any = parameter("voltage", positive=True)

    F = "(v - v_rest)*(v - v_crit)/delta_v"


@dataclass(frozen=True, eq=False, repr=False)
class Slow(LIF):
    """A leaky neuron with a slow current that hyperpolarises."""

    g_slow: Any = parameter("conductance")
    tau_slow: Any = parameter("time", positive=True)
    slow: Any = initial("current")

    RI = LIF.RI + " - R*slow"
    states = {"slow": ("(g_slow*(v - v_rest) - slow)/tau_slow", "current")}  # noqa: RUF012


QUADRATIC = Quadratic(
    R=100 * Mohm, threshold=0 * mV, tau=12 * ms, v_reset=-66 * mV, v_rest=-65 * mV,
    v_crit=-50 * mV, delta_v=5 * mV,
)  # fmt: skip


def random_models(n: int, seed: int, **changes: Any) -> AELIF:
    """Return AELIF neurons, one parameter as unlike the next as biology allows, g positive."""
    r = np.random.default_rng(seed)
    R, tau, w_tau = r.uniform(20, 500, n), r.uniform(3, 40, n), r.uniform(10, 400, n)
    ratio = tau / w_tau
    # A third each: Hopf, saddle-node with adaptation, saddle-node with the opposite of it.
    kinds = [ratio * r.uniform(1.1, 20, n), ratio * r.uniform(0, 0.9, n), r.uniform(-0.9, 0, n)]
    a = np.choose(np.arange(n) % 3, kinds)
    theta_rh, delta = r.uniform(-55, -40, n), 10 ** r.uniform(-1, 0.7, n)
    values = {
        "R": R * Mohm, "threshold": (theta_rh + delta * r.uniform(3, 30, n)) * mV,
        "tau": tau * ms, "v_reset": (theta_rh - r.uniform(5, 30, n)) * mV,
        "v_rest": (theta_rh - r.uniform(3, 30, n)) * mV, "delta": delta * mV,
        "theta_rh": theta_rh * mV, "alpha": a / R * uS, "beta": r.uniform(0, 0.1, n) * nA,
        "w_tau": w_tau * ms,
    }  # fmt: skip
    return AELIF(**{**values, **changes})


Numeric = Callable[..., Any]


def sympy_theory(neuron: LIF) -> tuple[Numeric, Numeric]:
    """Return the spectral abscissa of the Jacobian, and the current that holds v, from the text."""
    names = ["v", *neuron.states, "I", *neuron.parameter_names()]
    symbols = {name: sympy.Symbol(name, real=True) for name in names}
    right = [str_to_sympy(text) for text in neuron.rates.values()]
    x = [symbols[name] for name in neuron.rates]
    entries = sympy.Matrix(right).jacobian(x)
    (rest,) = sympy.solve(right, [*x[1:], symbols["I"]], dict=True)
    parameters = [symbols[name] for name in neuron.parameter_names()]
    values = [np.asarray(getattr(neuron, name)) for name in neuron.parameter_names()]
    evaluate = sympy.lambdify([x[0], *parameters], list(entries), "numpy")
    hold = sympy.lambdify([x[0], *parameters], rest[symbols["I"]], "numpy")

    def abscissa(v: Any) -> Any:
        flat = np.broadcast_arrays(*evaluate(v, *values), v)[:-1]
        matrix = np.stack(flat, axis=-1).reshape(*np.shape(flat[0]), len(x), len(x))
        return np.linalg.eigvals(matrix)

    return abscissa, lambda v: hold(v, *values)


def bisected(rises: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Return where a condition that is false at ``low`` becomes true."""
    for _ in range(200):
        middle = (low + high) / 2
        true = rises(middle)
        low, high = np.where(true, low, middle), np.where(true, middle, high)
    return high


# ---------------------------------------------------------------- bifurcation and rheobase


def test_bifurcations_are_where_an_eigenvalue_crosses_zero() -> None:
    neuron = random_models(1002, seed=1)
    eigenvalues, hold = sympy_theory(neuron)
    theta_rh, delta = np.asarray(neuron.theta_rh), np.asarray(neuron.delta)
    v = bisected(
        lambda v: eigenvalues(v).real.max(axis=-1) > 0, theta_rh - 40 * delta, theta_rh + 8 * delta
    )
    found = bifurcation(neuron)
    assert found is not None
    np.testing.assert_allclose(np.asarray(found.v), v, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(found.I), hold(v), rtol=1e-9)
    np.testing.assert_allclose(np.asarray(rheobase(neuron)), hold(v), rtol=1e-9)
    oscillates = np.abs(eigenvalues(v).imag).max(axis=-1) > 0
    np.testing.assert_array_equal(found.kind == "Andronov-Hopf", oscillates)
    assert (found.kind == "saddle-node").sum() == 668 and oscillates.sum() == 334


def test_a_threshold_below_the_bifurcation_is_met_first() -> None:
    """The resting state rises with the current until it is unstable or at the threshold."""
    r = np.random.default_rng(2)
    neuron = random_models(300, seed=2)
    threshold = neuron.theta_rh + r.uniform(-2, 1, 300) * neuron.delta
    neuron = neuron.replace(threshold=threshold, v_reset=threshold - 8 * mV)
    bifurcating = bifurcation(neuron)
    assert bifurcating is not None
    v = np.minimum(np.asarray(bifurcating.v), np.asarray(threshold))
    assert 50 < (v == np.asarray(threshold)).sum() < 250
    _, hold = sympy_theory(neuron)
    np.testing.assert_allclose(np.asarray(rheobase(neuron)), hold(v), rtol=1e-9)
    for sign, count in ((-1, 1), (1, 0)):
        current = rheobase(neuron) + sign * 1e-7 * neuron.delta / neuron.R
        resting = [
            [one for one in points if one.stable and one.v < limit]
            for points, limit in zip(fixed_points(neuron, current), threshold, strict=True)
        ]
        assert {len(one) for one in resting} == {count}


def test_elif_and_lif_lose_their_resting_state_where_their_text_says() -> None:
    adaptive = random_models(300, seed=3)
    for model in (LIF, ELIF):
        neuron = model(**{name: getattr(adaptive, name) for name in model.parameter_names()})
        eigenvalues, hold = sympy_theory(neuron)
        if model is LIF:
            v = np.asarray(neuron.threshold)
            assert bifurcation(neuron) is None
        else:
            low, high = neuron.theta_rh - 20 * neuron.delta, neuron.theta_rh + 5 * neuron.delta
            v = bisected(
                lambda v, of=eigenvalues: of(v)[:, 0].real > 0, np.asarray(low), np.asarray(high)
            )
            found = bifurcation(neuron)
            assert found is not None and set(found.kind) == {"saddle-node"}
            np.testing.assert_allclose(np.asarray(found.v), v, rtol=1e-9)
            np.testing.assert_allclose(np.asarray(found.I), hold(v), rtol=1e-9)
        np.testing.assert_allclose(np.asarray(rheobase(neuron)), hold(v), rtol=1e-9)


def test_the_model_of_brette_and_gerstner() -> None:
    """Figures of Touboul and Brette (2008) for this model; with a fast omega a saddle-node."""
    found = bifurcation(BG2005)
    assert found is not None and found.kind == "Andronov-Hopf"
    assert found.I / pA == pytest.approx(627.182, abs=5e-4)
    assert rheobase(BG2005) == found.I
    fast = bifurcation(BG2005.replace(w_tau=[144, 20] * ms))
    assert fast is not None and list(fast.kind) == ["Andronov-Hopf", "saddle-node"]
    assert fast.I[1] / pA == pytest.approx(627.311, abs=5e-4)


def narrowed(neuron: LIF, low: Any, high: Any, count: int = 31) -> tuple[Any, Any]:
    """Return between which of ``count`` currents each of six neurons begins to spike."""
    which = np.tile(np.arange(6), count)
    names = [name for name in neuron.parameter_names() if np.ndim(getattr(neuron, name))]
    many = neuron.replace(**{name: getattr(neuron, name)[which] for name in names})
    current = np.linspace(low, high, count)
    # It rises so slowly that omega follows: no neuron is carried beyond its resting state.
    slowly = Equations("I = top*(1 - exp(-t/(50*ms))) : amp\ntop : amp (constant)")
    # One spike is enough: the refractory period saves the time of the others. Where v rests does
    # not depend on dt.
    group = many.group(I=slowly, spike_timing="precise", refractory=5 * second, dt=1 * ms)
    group.top = current.ravel() * nA
    spikes = SpikeMonitor(group, record=False)
    Network(group, spikes).run(1200 * ms)
    spikes_at = np.asarray(spikes.count).reshape(count, 6) > 0
    first = spikes_at.argmax(axis=0)
    assert np.all(spikes_at.any(axis=0) & (first > 0))
    assert np.all(np.diff(spikes_at.astype(int), axis=0) >= 0)
    return current[first - 1, range(6)], current[first, range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_simulated_rheobase_is_the_theorys(model: type[LIF]) -> None:
    """A current that rises slowly makes a neuron spike if and only if it ends above."""
    r = np.random.default_rng(4)
    R = r.uniform(50, 200, 6)
    theta_rh, delta = r.uniform(-52, -48, 6), np.array([0.6, 1.1, 1.6, 2.1, 2.6, 3.1])
    # Saddle-nodes, for tau/w_tau is at least 0.3. The third threshold lies below the upswing.
    a = np.array([0.2, -0.3, 0.1, -0.1, 0.15, -0.2])
    values = {
        "R": R * Mohm, "threshold": (theta_rh + delta * [3, 10, -0.7, 5, 20, 8]) * mV,
        "tau": r.uniform(3, 5, 6) * ms, "v_reset": -70 * mV, "v_rest": -68 * mV,
        "delta": delta * mV, "theta_rh": theta_rh * mV, "alpha": a / R * uS, "beta": 30 * pA,
        "w_tau": r.uniform(8, 12, 6) * ms,
    }  # fmt: skip
    neuron = model(**{name: values[name] for name in model.parameter_names()})
    found = bifurcation(neuron)
    assert found is None if model is LIF else set(found.kind) == {"saddle-node"}
    low, high = np.zeros(6), 100 / R
    for _ in range(3):
        low, high = narrowed(neuron, low, high)
    theory = rheobase(neuron) / nA
    assert np.all(high - low < 5e-4 * theory)
    np.testing.assert_allclose((low + high) / 2, theory, rtol=1e-3)


# ---------------------------------------------------------------- fixed points


def test_fixed_points_are_lamberts() -> None:
    """Both branches of W, between a fifth of the way to the saddle-node and the rheobase itself."""
    neuron = random_models(60, seed=5)
    p = {name: np.asarray(getattr(neuron, name)) for name in neuron.parameter_names()}
    g = 1 + p["alpha"] * p["R"]
    ends = g * (p["theta_rh"] - p["v_rest"] + p["delta"] * np.log(g) - p["delta"])
    part = np.random.default_rng(5).uniform(0.2, 0.999, (7, 60))
    current = part * ends / p["R"]
    u = p["v_rest"] + p["R"] * current / g
    argument = -np.exp((u - p["theta_rh"]) / p["delta"]) / g
    found = fixed_points(neuron, current * Quantity(1.0, dim=get_dimensions(1 * nA)))
    assert found.shape == (7, 60)
    for k in (0, -1):
        v = u - p["delta"] * lambertw(argument, k).real
        # W_-1 has no digits where its argument underflows.
        usable = argument < -1e-300
        assert usable.sum() > 300
        got = np.array([[float(points[-k].v) for points in row] for row in found])
        np.testing.assert_allclose(got[usable], v[usable], rtol=1e-9)
    for points, place in zip(found.ravel(), np.ndindex(found.shape), strict=True):
        assert len(points) == 2 and points[0].v < points[1].v
        for one in points:
            omega = p["alpha"][place[1]] * (float(one.v) - p["v_rest"][place[1]])
            assert float(one.omega) == pytest.approx(omega, rel=1e-9, abs=1e-24)


def test_at_fixed_points_the_text_stands_still_and_has_their_eigenvalues() -> None:
    neuron = random_models(40, seed=6)
    eigenvalues, _ = sympy_theory(neuron)
    kinds = set()
    for part in (0.3, 0.97, 0.99999):
        found = fixed_points(neuron, part * rheobase(neuron))
        for k in (0, 1):
            v = np.array([float(points[k].v) for points in found])
            for one, expected in zip((p[k] for p in found), eigenvalues(v), strict=True):
                got = np.sort_complex(one.eigenvalues / hertz)
                # Near the saddle-node one is the small difference of large numbers.
                size = np.abs(expected).max()
                np.testing.assert_allclose(got, np.sort_complex(expected), atol=1e-9 * size)
                assert one.stable == np.all(expected.real < 0) == (k == 0)
                product, split = np.prod(expected).real, np.ptp(expected.imag)
                kind = "saddle" if product < 0 else "focus" if split else "node"
                assert one.kind == kind
                kinds.add((one.kind, one.stable))
    assert kinds == {("node", True), ("focus", True), ("saddle", False)}


def test_past_the_hopf_point_the_focus_is_unstable_and_past_the_saddle_node_none_is_left() -> None:
    hopf, node = bifurcation(BG2005), bifurcation(BG2005.replace(w_tau=20 * ms))
    assert hopf is not None and node is not None
    low, high = fixed_points(BG2005, (hopf.I + node.I) / 2)
    assert (low.kind, low.stable, high.kind, high.stable) == ("focus", False, "saddle", False)
    assert fixed_points(BG2005, 1.000001 * node.I) == ()


def test_lif_has_one_stable_node() -> None:
    neuron = make(LIF, tau=[7, 19] * ms)
    (one,), (other,) = fixed_points(neuron, 40 * pA)
    for point, tau in ((one, 7e-3), (other, 19e-3)):
        assert point.v / mV == pytest.approx(-69 + 480 * 0.04, rel=1e-12)
        assert (point.kind, point.stable, point.omega) == ("node", True, None)
        assert point.eigenvalues / hertz == pytest.approx([-1 / tau], rel=1e-12)


@pytest.mark.parametrize("aR", [-1.7, -1.0])
def test_without_a_resting_state_there_is_at_most_a_saddle(aR: float) -> None:
    """-g*(v - v_rest) + delta*exp(y) + R*I = 0 has one zero, where g = 0 for negative I only."""
    neuron = make(AELIF, alpha=aR / SI["R"])
    for current in (-30, -0.1, 20):
        points = fixed_points(neuron, current * pA)
        if aR == -1 and current > 0:
            assert points == ()
            continue
        (one,) = points
        assert (one.kind, one.stable) == ("saddle", False)
        y = (one.v - neuron.theta_rh) / neuron.delta
        left = -(1 + aR) * (one.v - neuron.v_rest) / mV + 2.1 * np.exp(y) + 0.48 * current
        assert left == pytest.approx(0, abs=1e-9)


# ---------------------------------------------------------------- nullclines and Jacobian


def test_nullclines_are_where_the_text_stands_still() -> None:
    neuron = random_models(5, seed=7)
    v = np.linspace(-75, -45, 9)[:, None] * mV
    lines = nullclines(neuron, v, [[[0.0]], [[0.3]]] * nA)
    exponential = neuron.delta * np.exp((v - neuron.theta_rh) / neuron.delta)
    assert lines["v"].shape == (2, 9, 5) and lines["omega"].shape == (2, 9, 5)
    for current, line in zip([0, 0.3] * nA, lines["v"], strict=True):
        expected = (neuron.v_rest - v + exponential) / neuron.R + current
        np.testing.assert_allclose(line / pA, expected / pA, rtol=1e-9, atol=1e-9)
    expected = np.broadcast_to(neuron.alpha * (v - neuron.v_rest) / pA, (2, 9, 5))
    np.testing.assert_allclose(lines["omega"] / pA, expected, rtol=1e-9, atol=1e-9)


def test_jacobian_is_written_out() -> None:
    neuron = make(AELIF, tau=[19, 7, 11] * ms)
    J = jacobian(neuron, [-60, -52, -49] * mV)
    e = np.exp((np.array([-60, -52, -49]) + 51) / 2.1)
    tau = np.array([19e-3, 7e-3, 11e-3])
    np.testing.assert_allclose(J[0][0] / hertz, (e - 1) / tau, rtol=1e-12)
    np.testing.assert_allclose(J[0][1] / (Mohm / second), -480 / tau, rtol=1e-12)
    np.testing.assert_allclose(J[1][0] / (nS / second), 0.6 / 33e-3 * np.ones(3), rtol=1e-12)
    np.testing.assert_allclose(J[1][1] / hertz, -1 / 33e-3 * np.ones(3), rtol=1e-12)
    assert np.array(J, dtype=float).shape == (2, 2, 3)
    ((one,),) = jacobian(make(LIF), -60 * mV)
    assert one / hertz == pytest.approx(-1 / 19e-3, rel=1e-12)


# ---------------------------------------------------------------- models of one's own


@pytest.mark.parametrize(("model", "other"), [(ELIF, Sharp), (AELIF, Adapting)])
def test_general_methods_agree_with_closed_forms(model: type[ELIF], other: type[ELIF]) -> None:
    adaptive = random_models(12, seed=8)
    names = model.parameter_names()
    values = {name: getattr(adaptive, name) for name in names}
    # A threshold at the bifurcation or below it, too.
    values["threshold"] = values["threshold"] - np.arange(12) % 4 * 6 * values["delta"]
    values["v_reset"] = values["threshold"] - 15 * mV
    known, general = model(**values), other(**values)
    a, b = bifurcation(known), bifurcation(general)
    assert a is not None and b is not None
    assert list(a.kind) == list(b.kind)
    np.testing.assert_allclose(np.asarray(b.v), np.asarray(a.v), rtol=1e-9)
    np.testing.assert_allclose(np.asarray(b.I), np.asarray(a.I), rtol=1e-9)
    expected = np.asarray(rheobase(known))
    np.testing.assert_allclose(np.asarray(rheobase(general)), expected, rtol=1e-9)
    current = np.array([[0.4], [0.9999], [1.2]]) * a.I
    for one, two in zip(
        fixed_points(known, current).ravel(), fixed_points(general, current).ravel(), strict=True
    ):
        assert len(one) == len(two)
        for p, q in zip(one, two, strict=True):
            assert (p.kind, p.stable) == (q.kind, q.stable)
            assert q.v / mV == pytest.approx(p.v / mV, rel=1e-9)


def test_the_quadratic_neuron_of_the_readme() -> None:
    """F is least halfway between its zeros: -(v_crit - v_rest)**2/(4*delta_v)."""
    assert rheobase(QUADRATIC) / pA == pytest.approx(112.5, rel=1e-12)
    found = bifurcation(QUADRATIC)
    assert found is not None and found.kind == "saddle-node"
    assert found.v / mV == pytest.approx(-57.5, rel=1e-9)
    # 100 pA: v**2 + 115*v + 3250 + 50 = 0
    low, high = fixed_points(QUADRATIC, 100 * pA)
    assert (low.v / mV, high.v / mV) == (pytest.approx(-60), pytest.approx(-55))
    assert (low.stable, high.stable, low.kind) == (True, False, "node")
    assert fixed_points(QUADRATIC, 113 * pA) == ()
    below = QUADRATIC.replace(threshold=-59 * mV)  # F(-59 mV) = -10.8 mV
    assert rheobase(below) / pA == pytest.approx(108, rel=1e-12)


def test_a_leaky_neuron_with_a_slow_current_of_its_own() -> None:
    """At rest slow = g_slow*(v - v_rest): the membrane is 1 + R*g_slow times as stiff."""
    neuron = Slow(
        R=100 * Mohm, threshold=-50 * mV, tau=12 * ms, v_reset=-66 * mV, v_rest=-65 * mV,
        g_slow=[5, 20] * nS, tau_slow=50 * ms,
    )  # fmt: skip
    assert rheobase(neuron) / pA == pytest.approx([225, 450], rel=1e-12)
    assert bifurcation(neuron) is None
    (one,), (other,) = fixed_points(neuron, 90 * pA)
    assert (one.v / mV, other.v / mV) == (pytest.approx(-59), pytest.approx(-62))
    assert other.states["slow"] / pA == pytest.approx(60)
    assert (one.kind, other.kind, one.omega) == ("node", "focus", None)
    assert nullclines(neuron, -60 * mV, 90 * pA)["slow"] / pA == pytest.approx([25, 100])


# ---------------------------------------------------------------- units and shapes


def test_a_dimensionless_model_has_the_same_theory_in_numbers() -> None:
    for model in MODELS:
        plain, with_units = make(model, NUMBERS), make(model)
        for one in (rheobase(plain), fixed_points(plain, 0.02)[0].v):
            assert type(one) is float
        assert rheobase(plain) == pytest.approx(rheobase(with_units) / nA, rel=1e-12)
        a, b = bifurcation(plain), bifurcation(with_units)
        if a is not None and b is not None:
            assert (a.kind, type(a.I), type(a.v)) == (b.kind, float, float)
            assert (a.I, a.v) == (pytest.approx(b.I / nA), pytest.approx(b.v / mV))
        for p, q in zip(fixed_points(plain, 0.02), fixed_points(with_units, 20 * pA), strict=True):
            assert p.v == pytest.approx(q.v / mV, rel=1e-12)
            np.testing.assert_allclose(p.eigenvalues / hertz, q.eigenvalues / hertz, rtol=1e-9)
    lines = nullclines(make(AELIF, NUMBERS), [-60.0, -50.0], 0.02)
    expected = nullclines(make(AELIF), [-60, -50] * mV, 20 * pA)
    for name in ("v", "omega"):
        np.testing.assert_allclose(lines[name], expected[name] / nA, rtol=1e-12)


def test_currents_broadcast_with_the_neurons_as_the_last_axis() -> None:
    one, three = make(LIF), make(LIF, R=[300, 480, 700] * Mohm)
    five = np.linspace(10, 90, 5) * pA
    assert get_dimensions(rheobase(one)) == get_dimensions(1 * nA) and rheobase(one).shape == ()
    assert rheobase(three).shape == (3,)
    assert firing_rate(one, 50 * pA).shape == () and firing_rate(one, five).shape == (5,)
    rates = firing_rate(three, five[:, None])
    assert rates.shape == fixed_points(three, five[:, None]).shape == (5, 3)
    for k in range(5):
        np.testing.assert_array_equal(rates[k], firing_rate(three, five[k]))
    nested = firing_rate(make(LIF, NUMBERS, R=[0.3, 0.48, 0.7]), [[0.05], [0.09]])
    assert nested.shape == (2, 3)
    assert isinstance(fixed_points(one, 50 * pA), tuple)
    assert isinstance(fixed_points(one, 50 * pA)[0], FixedPoint)


# ---------------------------------------------------------------- errors


def raises(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_without_a_resting_state_rheobase_and_bifurcation_name_the_neuron() -> None:
    neuron = make(AELIF, alpha=[0.6, -3, -2] * nS)
    message = "1 + alpha*R is not positive for neuron 1: the equations have no resting state"
    for function in (rheobase, bifurcation):
        raises(ValueError, message, lambda f=function: f(neuron))  # type: ignore[misc]
    # Naud et al. (2008), delayed bursting: alpha = -g_L, up to rounding.
    for g_L in (10, 93) * nS:
        rounded = make(AELIF, R=1 / g_L, alpha=-g_L)
        raises(ValueError, "alpha = ", lambda n=rounded: rheobase(n))  # type: ignore[misc]
    assert firing_rate(neuron, 60 * pA)[1] > 0 * hertz


def test_currents_that_are_none_are_refused() -> None:
    neuron = make(AELIF)
    for call in (firing_rate, fixed_points, lambda n, i: nullclines(n, -60 * mV, i)):
        for value, error, message in (
            (
                3,
                DimensionMismatchError,
                "I = 3.0 is a number without unit, but needs a value in amp",
            ),
            (3 * mV, DimensionMismatchError, "but needs a value in amp"),
            ("3*nA", TypeError, "I = '3*nA': it needs a number or a Quantity, not a str"),
            (float("nan") * nA, ValueError, "is not finite"),
            ([1, float("inf")] * nA, ValueError, "is not finite for neuron 1"),
        ):
            raises(error, message, lambda c=call, x=value: c(neuron, x))  # type: ignore[misc]


def test_shapes_that_do_not_fit_are_refused() -> None:
    neuron = make(LIF, R=[300, 480, 700] * Mohm)
    message = "LIF has 3 neurons, which do not fit arguments of shape (2,)"
    raises(ValueError, message, lambda: firing_rate(neuron, [1, 2] * nA))
    raises(ValueError, message, lambda: fixed_points(neuron, [1, 2] * nA))
    raises(ValueError, message, lambda: firing_rate(neuron, 1 * nA, [1, 2] * ms))
    raises(ValueError, message, lambda: voltage(neuron, [1, 2] * ms, 1 * nA))


def test_what_has_no_nullclines_or_needs_more_for_its_jacobian_says_so() -> None:
    message = "nullclines: ELIF has the states v. Nullclines need v and one other"
    raises(ValueError, message, lambda: nullclines(make(ELIF), -60 * mV, 0 * nA))
    message = "jacobian of LIF takes no omega. Its states are v."
    raises(TypeError, message, lambda: jacobian(make(LIF), -60 * mV, omega=0 * pA))

    class Gated(AELIF):
        RI = "R*(I - omega)*I/(1*I + omega)"

    message = "jacobian of Gated depends on I, omega; give it."
    raises(TypeError, message, lambda: jacobian(make(Gated), -60 * mV))
    assert len(jacobian(make(Gated), -60 * mV, 1 * nA, omega=1 * pA)) == 2
    raises(ValueError, "is not linear in I", lambda: rheobase(make(Gated)))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"F": "v_rest - v + amplitude"}, "names amplitude, which is no parameter"),
        ({"F": "v_rest - v*sin(t/tau)"}, "names t, which is no parameter"),
        ({"F": "v_rest - v*rand()"}, "names _placeholder_arg, rand, which is no parameter"),
        ({"F": "clip(v_rest - v, v_rest, threshold)"}, "has no derivative"),
    ],
)
def test_texts_that_the_theory_cannot_know_are_refused(texts: dict[str, str], message: str) -> None:
    strange = type("Strange", (ELIF,), texts)
    raises(
        ValueError,
        f"Strange: dv/dt = '({texts['F']} + R*I)/tau' {message}",
        lambda: rheobase(make(strange)),
    )


def test_states_with_no_one_state_of_rest_are_refused() -> None:
    class Bistable(AELIF):
        states = {"omega": ("(alpha*(v - v_rest) - omega**3*R**2/v_rest**2)/w_tau", "current")}  # noqa: RUF012

    raises(ValueError, "are not linear in omega", lambda: fixed_points(make(Bistable), 1 * nA))


def test_a_neuron_without_a_bifurcation_is_named() -> None:
    class Growing(LIF):
        F = "-(v - v_rest)**3/threshold**2"

    raises(ValueError, "Growing: no bifurcation was found", lambda: bifurcation(make(Growing)))

    class Exploding(LIF):
        F = "v - v_rest"

    message = "Exploding: no resting state below the threshold was found"
    raises(ValueError, message, lambda: rheobase(make(Exploding)))


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for call in (rheobase, bifurcation, lambda n: firing_rate(n, 1 * nA)):
        raises(ImportError, "pip install 'conex_brian[analysis]'", lambda c=call: c(make(ELIF)))  # type: ignore[misc]


@pytest.mark.parametrize("module", [analysis, equilibria, rates])
def test_examples_of_docstrings_run(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 3 and results.failed == 0
