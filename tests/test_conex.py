"""The same numbers as CoNeX: against recorded runs everywhere, against live CoNeX where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2 import (
    Equations,
    Mohm,
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    TimedArray,
    ms,
    mV,
    nA,
)
from numpy.typing import ArrayLike

from conex_brian import AELIF, ELIF, LIF, from_conex
from devices import compiled_later
from golden import load_golden
from live_conex import build_conex, needs_conex, run_conex
from oracle import PARAMETERS, Floats, Model, Steps, conex_steps

MODELS: dict[str, type[LIF]] = {"LIF": LIF, "ELIF": ELIF, "AELIF": AELIF}
TIME_STEPS = (1.0, 0.5, 0.1)


@dataclass(frozen=True)
class Case:
    """One run of CoNeX: what went in, and the state after each step."""

    model: Model
    parameters: Mapping[str, ArrayLike]
    init_v: ArrayLike | None
    omega: ArrayLike | None
    current: Floats
    dt: float
    steps: Steps


def as_model(case: Case) -> LIF:
    """Return the model with CoNeX's numbers: times in ms, beta per ms, v from 0 by default."""
    units = {"tau": ms, "w_tau": ms, "beta": 1 / ms}
    values = {name: value * units.get(name, 1.0) for name, value in case.parameters.items()}
    initial: dict[str, Any] = {"init_v": 0.0 if case.init_v is None else case.init_v}
    if case.model == "AELIF":
        initial["omega"] = case.omega
    return MODELS[case.model](**values, **initial)


@dataclass(frozen=True)
class Running:
    """A population in Brian2 that repeats a case."""

    group: NeuronGroup
    spikes: SpikeMonitor
    states: StateMonitor

    def steps(self, number: int) -> Steps:
        """Return the state after each step; a StateMonitor sees the state before it."""
        after = {
            name: np.vstack(
                [getattr(self.states, f"{name}_").T[1:], getattr(self.group, f"{name}_")[:]]
            )
            for name in self.states.record_variables
        }
        raster = np.zeros((number, len(self.group)), dtype=bool)
        raster[np.round(self.spikes.t / self.group.dt).astype(int), self.spikes.i[:]] = True
        return Steps(after["v"], after.get("omega"), raster)


def repeat(model: LIF, current: Floats, dt: float) -> Running:
    """Return a population with CoNeX's time step and input current."""
    group = model.group(
        current.shape[1], TimedArray(current, dt=dt * ms), method="conex", dt=dt * ms
    )
    names = ["v", *model.states]
    return Running(group, SpikeMonitor(group), StateMonitor(group, names, record=True))


def run_all(cases: list[Case]) -> list[Steps]:
    """Run cases of one time step and length in one network."""
    running = [repeat(as_model(case), case.current, case.dt) for case in cases]
    network = Network([(r.group, r.spikes, r.states) for r in running])
    number = len(cases[0].current)
    network.run(number * cases[0].dt * ms)
    return [r.steps(number) for r in running]


def assert_same(got: Steps, expected: Steps, threshold: ArrayLike, v_reset: ArrayLike) -> None:
    """Identical rasters; v and omega within 1e-10 of their ranges, at every step."""
    np.testing.assert_array_equal(got.spikes, expected.spikes)
    v_range = float(np.max(np.asarray(threshold) - np.asarray(v_reset)))
    np.testing.assert_allclose(got.v, expected.v, rtol=0, atol=1e-10 * v_range)
    assert (got.omega is None) == (expected.omega is None)
    if got.omega is not None and expected.omega is not None:
        omega_range = float(np.ptp(expected.omega))
        np.testing.assert_allclose(got.omega, expected.omega, rtol=0, atol=1e-10 * omega_range)


def recorded(model: str, dt: float) -> Case:
    """Return a recorded run of CoNeX, its states filled in by the oracle (see test_oracle.py)."""
    golden = load_golden(f"{model.lower()}_dt{dt:g}_float64")
    start = {"init_v": golden.init_v, "omega": golden.omega}
    steps = conex_steps(golden.model, golden.parameters, golden.current, dt, **start)
    return Case(
        golden.model, golden.parameters, **start, current=golden.current, dt=dt, steps=steps
    )


@pytest.mark.parametrize("dt", TIME_STEPS)
def test_method_conex_repeats_recorded_conex(dt: float) -> None:
    check_recorded(dt, *MODELS)


@compiled_later
def test_method_conex_repeats_recorded_conex_on_every_device(device: str) -> None:
    check_recorded(0.5, "AELIF")  # it has every term that the others have


def check_recorded(dt: float, *models: str) -> None:
    """Hold our runs of these models against CoNeX's."""
    cases = [recorded(model, dt) for model in models]
    for case, got in zip(cases, run_all(cases), strict=True):
        golden = load_golden(f"{case.model.lower()}_dt{dt:g}_float64")
        np.testing.assert_array_equal(got.spikes, golden.spikes)
        scale = np.abs(golden.v).max()
        np.testing.assert_allclose(got.v[golden.saved - 1], golden.v, rtol=0, atol=1e-12 * scale)
        assert_same(got, case.steps, case.parameters["threshold"], case.parameters["v_reset"])


def drawn(model: Model, dt: float, seed: int) -> Case:
    """Return a fresh run of live CoNeX with random parameters, one value a neuron."""
    from golden.make_golden import HOLD, NEURONS, draw_levels, draw_parameters

    rng = np.random.default_rng(seed)
    every = draw_parameters(rng, NEURONS)
    current = np.repeat(draw_levels(rng, every, model), HOLD, axis=0)
    parameters = {name: every[name] for name in PARAMETERS[model]}
    init_v = every["v_rest"] + rng.uniform(-3, 3, NEURONS)
    omega = rng.uniform(-0.5, 2, NEURONS) if model == "AELIF" else None
    steps = run_conex(model, parameters, current, dt, init_v=init_v, omega=omega)
    return Case(model, parameters, init_v, omega, current, dt, steps)


@needs_conex
@pytest.mark.parametrize(
    ("device", "dt"),
    [
        *(("numpy", dt) for dt in TIME_STEPS),
        pytest.param("cython", 0.1, marks=pytest.mark.slow),  # The same code for any dt.
        ("cpp_standalone", 1.0),
    ],
    indirect=["device"],
)
def test_method_conex_repeats_live_conex_on_every_device(device: str, dt: float) -> None:
    cases = [drawn(case, dt, 100 + i) for i, case in enumerate(PARAMETERS)]
    assert all(len(case.current) == 2000 for case in cases)
    for case, got in zip(cases, run_all(cases), strict=True):
        rates = case.steps.spikes.mean(axis=0) / (dt * 1e-3)
        assert 3 < rates.min() < 30 and 100 < rates.max() < 300
        assert_same(got, case.steps, case.parameters["threshold"], case.parameters["v_reset"])


@needs_conex
def test_single_precision_conex_agrees_until_a_spike_hangs_by_a_hair() -> None:
    """In float32 CoNeX rounds; a raster may differ once v came within 1e-4 of the threshold."""
    golden = load_golden("aelif_dt0.5_float32")
    current = golden.current
    single = run_conex(
        golden.model, golden.parameters, current, golden.dt,
        init_v=golden.init_v, omega=golden.omega, precision="float32",
    )  # fmt: skip
    case = Case("AELIF", golden.parameters, golden.init_v, golden.omega, current, 0.5, single)
    (ours,) = run_all([case])
    # v before the reset, from the state one step earlier.
    p = {name: np.asarray(value, dtype=float) for name, value in golden.parameters.items()}
    before = np.vstack([golden.init_v, ours.v[:-1]])
    omega = np.vstack([golden.omega, ours.omega[:-1]])  # type: ignore[list-item]
    upswing = p["delta"] * np.exp((before - p["theta_rh"]) / p["delta"])
    drive = p["v_rest"] - before + upswing + p["R"] * (current - omega)
    distance = np.abs(before + 0.5 / p["tau"] * drive - p["threshold"])
    close = np.flatnonzero((distance < 1e-4).any(axis=1))
    safe = close[0] if len(close) else len(current)
    print(f"the first spike within 1e-4 of its threshold is in step {safe} of {len(current)}")
    np.testing.assert_array_equal(ours.spikes[:safe], single.spikes[:safe])
    assert safe > 100 and single.spikes[:safe].sum() > 50


@needs_conex
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("steps_before", [0, 137])
def test_from_conex_goes_on_where_conex_is(model: Model, steps_before: int) -> None:
    case = drawn(model, 0.5, 200)
    network = build_conex(
        model, case.parameters, case.current, 0.5, init_v=case.init_v, omega=case.omega
    )
    for _ in range(steps_before):
        network.simulate_iteration()
    neuron = from_conex(network.NeuronGroups[0])
    for _ in range(20):  # CoNeX writes into its tensors; the model must not see it
        network.simulate_iteration()
    assert type(neuron) is MODELS[model]
    until = steps_before + 500
    running = repeat(neuron, case.current[steps_before:until], 0.5)
    Network(running.group, running.spikes, running.states).run(500 * 0.5 * ms)
    expected = Steps(
        case.steps.v[steps_before:until],
        None if case.steps.omega is None else case.steps.omega[steps_before:until],
        case.steps.spikes[steps_before:until],
    )
    assert_same(
        running.steps(500), expected, case.parameters["threshold"], case.parameters["v_reset"]
    )


@needs_conex
def test_from_conex_carries_plain_numbers_and_the_input_current() -> None:
    numbers = {"R": 2, "threshold": -50, "tau": 10, "v_reset": -70, "v_rest": -64}
    network = build_conex("LIF", numbers, np.full((3, 4), 1.5), 0.5)
    population = network.NeuronGroups[0]
    neuron = from_conex(population)
    assert (neuron.R, neuron.tau) == (2.0, 10 * ms)
    assert neuron.init_I is None
    network.simulate_iteration()
    neuron = from_conex(population)
    np.testing.assert_array_equal(neuron.init_I, np.full(4, 1.5))
    np.testing.assert_array_equal(neuron.group(method="conex").I, np.full(4, 1.5))
    np.testing.assert_array_equal(neuron.init_s, np.ones(4, dtype=bool))  # all start above


class _Behavior:
    """Stands for a PymoNNtorch behavior."""

    behavior_enabled = True


def conex_class(name: str, *bases: type) -> type:
    """Return a class that looks like one of CoNeX's neuron types."""
    return type(name, bases or (_Behavior,), {"__module__": "conex.neuron_types.lif_neurons"})


def behavior(name: str) -> Any:
    """Return a behavior of that class name."""
    return type(name, (_Behavior,), {})()


FAKE_LIF = conex_class("LIF")
FAKE_ELIF = conex_class("ELIF", FAKE_LIF)
FAKE_AELIF = conex_class("AELIF", FAKE_ELIF)

VALUES = {
    "R": 2.0, "threshold": -50.5, "tau": 11.0, "v_reset": -70.0, "v_rest": -64.0, "delta": 1.5,
    "theta_rh": -55.0, "alpha": 0.3, "beta": 0.7, "w_tau": 40.0,
}  # fmt: skip


def population(*others: tuple[int, Any], neuron: Any = None, **changes: Any) -> SimpleNamespace:
    """Return what from_conex reads of a population of three AELIF neurons."""
    behaviors = {260: neuron or FAKE_AELIF(), 340: behavior("Fire"), **dict(others)}
    state = {
        "v": np.array([-60.0, -61.0, -62.5]),
        "omega": np.array([0.1, 0.2, 0.4]),
        "spikes": np.array([False, True, False]),
        "I": np.array([1.0, 2.0, 4.0]),
    }
    return SimpleNamespace(behavior=behaviors, size=3, **{**VALUES, **state, **changes})


def test_from_conex_reads_parameters_and_state() -> None:
    neuron = from_conex(population())
    assert neuron == AELIF(
        R=2.0, threshold=-50.5, tau=11 * ms, v_reset=-70.0, v_rest=-64.0, delta=1.5, theta_rh=-55.0,
        alpha=0.3, beta=0.7 / ms, w_tau=40 * ms, init_v=[-60.0, -61.0, -62.5],
        init_s=[False, True, False], init_I=[1.0, 2.0, 4.0], omega=[0.1, 0.2, 0.4],
    )  # fmt: skip
    assert neuron.reset.splitlines()[1] == "omega = omega + beta*dt"


def test_from_conex_copies_what_conex_goes_on_to_change() -> None:
    live = population()
    neuron = from_conex(live)
    live.v += 5
    np.testing.assert_array_equal(neuron.init_v, [-60.0, -61.0, -62.5])


def test_values_of_one_element_are_numbers() -> None:
    neuron = from_conex(population(v_reset=np.array([-71.0]), tau=np.array(12), omega=0.25))
    assert (neuron.v_reset, neuron.tau) == (-71.0, 12 * ms)
    np.testing.assert_array_equal(neuron.omega, [0.25, 0.25, 0.25])


def test_units_give_the_same_trajectory_times_the_unit() -> None:
    live = population()
    plain = from_conex(live, 0.5 * ms)
    si = from_conex(live, 0.5 * ms, voltage_unit=mV, resistance_unit=Mohm)
    assert si.beta == 0.7 * nA / (0.5 * ms)
    groups = [
        neuron.group(method="conex", dt=0.1 * ms, I=current)
        for neuron, current in ((plain, [30.0, 35.0, 41.0]), (si, [30.0, 35.0, 41.0] * nA))
    ]
    monitors = [StateMonitor(group, ["v", "omega"], record=True) for group in groups]
    Network(*groups, *monitors).run(40 * ms)
    np.testing.assert_allclose(monitors[1].v / mV, monitors[0].v, rtol=1e-12)
    np.testing.assert_allclose(monitors[1].omega / nA, monitors[0].omega, rtol=1e-11, atol=1e-12)
    assert np.ptp(monitors[0].v) > 5


@pytest.mark.parametrize(
    "name",
    [
        "InherentNoise", "KWTA", "VoltageBaseHomeostasis", "ActivityBaseHomeostasis",
        "SensorySetter", "LocationSetter", "InstantHomeostasis", "TimeIntegratedHomeostasis",
        "SomethingOfMine",
    ],
)  # fmt: skip
def test_behaviors_that_change_the_dynamics_are_named_unless_ignored(name: str) -> None:
    live = population((300, behavior(name)))
    with pytest.raises(ValueError, match=f"not carried over: {name} .*ignore="):
        from_conex(live)
    assert (
        from_conex(live, ignore=name) == from_conex(live, ignore=[name]) == from_conex(population())
    )


def test_input_and_passive_behaviors_pass() -> None:
    live = population((240, behavior("MyInput")), (360, behavior("SpikeTrace")))
    assert from_conex(live) == from_conex(population())
    switched_off = behavior("KWTA")
    switched_off.behavior_enabled = False
    assert from_conex(population((300, switched_off))) == from_conex(population())


def test_a_population_needs_exactly_one_neuron_type() -> None:
    none = SimpleNamespace(behavior={340: behavior("Fire")}, size=3)
    with pytest.raises(ValueError, match=r"exactly one of CoNeX's .* AELIF, but has none"):
        from_conex(none)
    with pytest.raises(ValueError, match="but has ELIF, AELIF among its behaviors"):
        from_conex(population((250, FAKE_ELIF())))
    with pytest.raises(TypeError, match="needs a PymoNNtorch NeuronGroup"):
        from_conex(object())


def test_a_population_needs_fire_and_initialisation() -> None:
    live = population()
    del live.behavior[340]
    with pytest.raises(ValueError, match="Fire is missing, so CoNeX would never reset"):
        from_conex(live)
    del (fresh := population()).v
    with pytest.raises(ValueError, match=r"not initialised. Call network.initialize\(\) first"):
        from_conex(fresh)


def test_a_subclass_that_redefines_the_dynamics_is_refused() -> None:
    own = type("MyAELIF", (FAKE_AELIF,), {"_Fu": lambda self, neurons: 0})
    with pytest.raises(ValueError, match="MyAELIF redefines _Fu of AELIF"):
        from_conex(population(neuron=own()))
    quiet = type("MyAELIF", (FAKE_AELIF,), {"colour": "green"})
    assert from_conex(population(neuron=quiet())) == from_conex(population())


def test_conex_with_refractoriness_holds_v_and_lets_omega_go_on() -> None:
    neuron = from_conex(population()).replace(init_s=None)
    group = neuron.group(method="conex", I=[40.0, 50.0, 70.0], refractory=2 * ms, dt=0.5 * ms)
    states, spikes = StateMonitor(group, ["v", "omega"], record=True), SpikeMonitor(group)
    Network(group, states, spikes).run(60 * ms)
    for i in range(3):
        for spike in spikes.spike_trains()[i][:3]:
            first = int(np.round(spike / (0.5 * ms))) + 1
            np.testing.assert_allclose(states.v[i, first : first + 4], -70.0, rtol=1e-14)
            assert states.v[i, first + 4] > -70.0
            decay = -0.5 / 40 * (0.3 * 6 + states.omega[i, first])  # towards alpha*(v - v_rest)
            np.testing.assert_allclose(
                states.omega[i, first + 1] - states.omega[i, first], decay, rtol=1e-9
            )


def test_conex_with_noise_is_refused() -> None:
    neuron = from_conex(population())
    with pytest.raises(ValueError, match=r"'conex' does not work for .*: CoNeX's step has no"):
        neuron.group(method="conex", noise=1.0)


def test_conex_takes_inputs_with_equations_of_their_own() -> None:
    """A decaying input takes CoNeX's way too: a plain Euler step."""
    neuron = LIF(R=2.0, threshold=-50.0, tau=10 * ms, v_reset=-70.0, v_rest=-64.0)
    equations = Equations("I = J : 1\ndJ/dt = -J/(5*ms) : 1")
    group = neuron.group(1, equations, method="conex", dt=0.5 * ms)
    group.J = 4.0
    Network(group).run(1 * ms)
    v = -64.0 + 0.5 / 10 * 2 * 4.0
    v += 0.5 / 10 * (-64.0 - v + 2 * 4.0 * 0.9)
    np.testing.assert_allclose(group.v[:], v, rtol=1e-14)
    assert group.J[0] == pytest.approx(4.0 * 0.9**2)
